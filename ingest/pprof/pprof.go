// Package pprof receives profiles: raw pprof pushed with POST /v1/pprof, and what the SDKs of Pyroscope push to /ingest.
// Its main type is Receiver, an http.Handler. It finds out who was profiled, what, when, and whether the values are of
// that while or since the process began; in the second case it adds what they grew by since the process's profile
// before. Its one invariant: success is answered only for what has been made durable.
package pprof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/google/pprof/profile"

	"github.com/tidemarkhq/tidemark/ingest"
)

// Options configure a Receiver. Start from DefaultOptions.
type Options struct {
	// MaxBody is the largest profile, compressed or not. Bytes, default 20 MiB.
	MaxBody int
	// MaxRequests is how many profiles may be taken in at once; more are refused retryably. Default 256.
	MaxRequests int
	// MaxProcesses is how many processes' last cumulative profiles are kept to tell what the next one grew by; the one
	// heard of longest ago is forgotten first, and its next profile counts as a first one. Default 2000.
	MaxProcesses int
	// Authorize checks the ingest key of a request. Default nil: everyone may send.
	Authorize func(r *http.Request) error
	// Refused is told of each request that does not reach Submit: a reason, which is one of ingest's Refused constants,
	// and what the client was told. Default nil.
	Refused func(reason, example string)
	// OTLP accepts OpenTelemetry's profiles, whose protocol is still changing. Default false: they are refused with a
	// word on how to turn it on.
	OTLP bool
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

// DefaultOptions are the options without any configuration.
func DefaultOptions() Options {
	return Options{MaxBody: 20 << 20, MaxRequests: 256, MaxProcesses: 2000, Logger: slog.Default()}
}

// Submit makes a body durable: (*ingest.Ingest).Submit.
type Submit func(ctx context.Context, signal ingest.Signal, body []byte) (ingest.Result, error)

// Receiver takes profiles in.
type Receiver struct {
	opts   Options
	submit Submit
	deltas *deltas
	slots  chan struct{}
	mux    *http.ServeMux
}

// New makes a Receiver that hands profiles to submit.
func New(submit Submit, opts Options) *Receiver {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	r := &Receiver{opts: opts, submit: submit, deltas: newDeltas(opts.MaxProcesses), slots: make(chan struct{}, opts.MaxRequests), mux: http.NewServeMux()}
	r.mux.HandleFunc("POST /v1/pprof", func(w http.ResponseWriter, q *http.Request) { r.receive(w, q, r.push) })
	r.mux.HandleFunc("POST /ingest", func(w http.ResponseWriter, q *http.Request) { r.receive(w, q, r.pyroscope) })
	r.mux.HandleFunc("POST /v1development/profiles", func(w http.ResponseWriter, q *http.Request) {
		if !opts.OTLP {
			r.fail(w, &badRequest{http.StatusNotFound, errors.New("OTLP profiles are not taken unless Tidemark is started with --otlp-profiles: their protocol is still changing")})
			return
		}
		r.export(w, q)
	})
	for _, version := range []string{"v1experimental", "v1alpha1", "v1"} {
		r.mux.HandleFunc("POST /"+version+"/profiles", func(w http.ResponseWriter, q *http.Request) {
			err := &badRequest{http.StatusNotFound, fmt.Errorf("/%s/profiles is another version of OTLP profiles: taken is POST /v1development/profiles, %s", version, otlpVersion)}
			r.refuse(ingest.RefusedType, err)
			r.fail(w, err)
		})
	}
	r.mux.HandleFunc("/", func(w http.ResponseWriter, q *http.Request) {
		r.fail(w, &badRequest{http.StatusNotFound, fmt.Errorf("%s %s: received here are POST /v1/traces, /v1/logs and /v1/metrics (OTLP), /v1/pprof, and /ingest (Pyroscope)", q.Method, q.URL.Path)})
	})
	return r
}

func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) { r.mux.ServeHTTP(w, q) }

// badRequest is a request that will never be accepted.
type badRequest struct {
	code int
	err  error
}

func (e *badRequest) Error() string { return e.err.Error() }
func (e *badRequest) Unwrap() error { return e.err }

func bad(format string, args ...any) error {
	return &badRequest{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

// retryAfter is when somebody who was refused for now may try again.
const retryAfter = time.Second

var errBusy = errors.New("too many profiles under way")

// admit gives a request one of the slots, if there is one left and its sender may send; else it is answered.
func (r *Receiver) admit(w http.ResponseWriter, q *http.Request) (release func(), ok bool) {
	select {
	case r.slots <- struct{}{}:
	default:
		r.refuse(ingest.RefusedTooMany, errBusy)
		r.fail(w, &ingest.OverloadError{Reason: ingest.RefusedTooMany, RetryAfter: retryAfter, Err: errBusy})
		return nil, false
	}
	release = func() { <-r.slots }
	if r.opts.Authorize != nil {
		if err := r.opts.Authorize(q); err != nil {
			release()
			r.refuse(deniedFor(err), err)
			r.fail(w, err)
			return nil, false
		}
	}
	return release, true
}

// receive answers one push.
func (r *Receiver) receive(w http.ResponseWriter, q *http.Request, take func(*http.Request) (ingest.Result, error)) {
	release, ok := r.admit(w, q)
	if !ok {
		return
	}
	defer release()
	res, err := take(q)
	if err != nil {
		var badly *badRequest
		if errors.As(err, &badly) {
			r.refuse(unreadFor(badly.code), err)
		}
		r.fail(w, err)
		return
	}
	if res.Accepted == 0 && res.Rejected > 0 {
		r.fail(w, bad("%s", res.Message))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]int{"samples": res.Accepted})
}

func (r *Receiver) refuse(reason string, err error) {
	if r.opts.Refused != nil {
		r.opts.Refused(reason, err.Error())
	}
}

func deniedFor(err error) string {
	var coded Coded
	if errors.As(err, &coded) {
		switch code, _ := coded.HTTPStatus(); code {
		case http.StatusForbidden:
			return ingest.RefusedPermission
		case http.StatusTooManyRequests:
			return ingest.RefusedRate
		}
	}
	return ingest.RefusedUnauthenticated
}

func unreadFor(code int) string {
	switch code {
	case http.StatusRequestEntityTooLarge:
		return ingest.RefusedTooLarge
	case http.StatusUnsupportedMediaType, http.StatusMethodNotAllowed:
		return ingest.RefusedType
	}
	return ingest.RefusedBody
}

// Coded is an error that knows its HTTP status, as those of Authorize do.
type Coded interface {
	error
	HTTPStatus() (code int, retryAfter time.Duration)
}

func (r *Receiver) fail(w http.ResponseWriter, err error) {
	code, after := http.StatusInternalServerError, time.Duration(0)
	var badly *badRequest
	var overload *ingest.OverloadError
	var malformed *ingest.MalformedError
	var coded Coded
	switch {
	case errors.As(err, &badly):
		code = badly.code
	case errors.As(err, &malformed):
		code = http.StatusBadRequest
	case errors.As(err, &overload):
		code, after = http.StatusServiceUnavailable, overload.RetryAfter
	case errors.As(err, &coded):
		code, after = coded.HTTPStatus()
	case errors.Is(err, context.Canceled):
		code = 499
	default:
		r.opts.Logger.Error("profile not taken", "error", err)
	}
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]any{"status": code, "title": http.StatusText(code), "detail": err.Error()})
}

// Push is one profile and what its sender says of it. What is left zero is found in the profile itself.
type Push struct {
	Resource   map[string]string // service.name is needed
	Type       string
	Start      int64 // Unix nanoseconds
	End        int64
	Cumulative *bool
	Source     string
	Body       []byte // pprof, gzip or not, or one of the older text and binary forms that google/pprof reads
}

// Take makes one profile durable.
func (r *Receiver) Take(ctx context.Context, p Push) (ingest.Result, error) {
	if p.Resource["service.name"] == "" {
		return ingest.Result{}, bad("service is missing: who was profiled?")
	}
	unpacked, submitted := buffers.Get().(*bytes.Buffer), buffers.Get().(*bytes.Buffer)
	defer release(unpacked)
	defer release(submitted)
	raw, err := unpack(unpacked, p.Body, r.opts.MaxBody)
	if err != nil {
		return ingest.Result{}, err
	}
	head, err := peek(raw)
	if err != nil {
		if raw, head, err = legacy(raw, err); err != nil {
			return ingest.Result{}, err
		}
	}
	out := ingest.Profile{Resource: p.Resource, Type: p.Type, Source: p.Source, Pprof: raw}
	if out.Type == "" {
		out.Type = head.kind()
	}
	out.Start, out.Duration = when(p, head)
	out.Cumulative = head.cumulative()
	if p.Cumulative != nil {
		out.Cumulative = *p.Cumulative
	}
	if out.Cumulative {
		if out.Pprof, err = r.deltas.grown(&out); err != nil {
			return ingest.Result{}, err
		}
	}
	submitted.Grow(len(out.Pprof) + 4096)
	return r.submit(ctx, ingest.Profiles, out.Append(submitted.AvailableBuffer()))
}

// when is the start and length of a profile: what the sender says, else what the profile says, else now.
func when(p Push, h head) (start, duration int64) {
	start, duration = h.start, h.duration
	if p.Start != 0 {
		start = p.Start
		if p.End > p.Start && duration == 0 {
			duration = p.End - p.Start
		}
	}
	if start == 0 {
		start = time.Now().UnixNano() - duration
	}
	return start, duration
}

// legacy reads the forms that came before protobuf.
func legacy(raw []byte, cause error) ([]byte, head, error) {
	if len(raw) >= 2 && raw[0] == 0x1f && raw[1] == 0x8b {
		return nil, head{}, bad("the profile is compressed more than once")
	}
	p, err := profile.ParseData(raw)
	if err != nil {
		return nil, head{}, bad("the profile is not pprof's protobuf (%v) and of no older form either (%v)", cause, err)
	}
	out, err := encode(p)
	if err != nil {
		return nil, head{}, err
	}
	h, err := peek(out)
	return out, h, err
}
