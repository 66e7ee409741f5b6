// Package remotewrite receives metrics as Prometheus' remote write sends them, versions 1.0 and 2.0, at POST
// /api/v1/write. Its main type is Receiver, an http.Handler: it finds out the version, decompresses under a bound, hands
// the message on and answers as the specifications say, partial writes included. Its one invariant: what the answer
// counts as written has been made durable.
package remotewrite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemarkhq/tidemark/ingest"
)

// Path is where the receiver stands.
const Path = "/api/v1/write"

// Options configure a Receiver. Start from DefaultOptions.
type Options struct {
	// MaxBody is the largest request, compressed or not. Bytes, default 20 MiB.
	MaxBody int
	// MaxReading is how many bytes of requests, compressed and decompressed, are held at once; more are refused
	// retryably. Default 256 MiB.
	MaxReading int64
	// Admit says whether a request has a chance at the moment, before its body is read; it counts what it refuses:
	// (*ingest.Ingest).Admit. Default nil: all have.
	Admit func(ingest.Signal) error
	// Refused is told of each request that does not reach Submit: a reason, which is one of ingest's Refused constants,
	// and what the client was told. Default nil.
	Refused func(reason, example string)
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

// DefaultOptions are the options without any configuration.
func DefaultOptions() Options {
	return Options{MaxBody: 20 << 20, MaxReading: 256 << 20, Logger: slog.Default()}
}

// Submit makes a body durable: (*ingest.Ingest).Submit.
type Submit func(ctx context.Context, encoding ingest.Signal, body []byte) (ingest.Result, error)

// Receiver takes metrics in.
type Receiver struct {
	opts   Options
	submit Submit
	held   atomic.Int64 // bytes of requests being read
	zstd   *zstd.Decoder
}

// New makes a Receiver that hands requests to submit.
func New(submit Submit, opts Options) *Receiver {
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(opts.MaxBody)))
	if err != nil { // only wrong options fail
		panic(fmt.Sprintf("remotewrite: MaxBody %d: %v", opts.MaxBody, err))
	}
	return &Receiver{opts: opts, submit: submit, zstd: z}
}

// refusal is a request that is answered without having been submitted.
type refusal struct {
	code   int
	reason string // one of ingest's Refused constants
	after  time.Duration
	err    error
}

func (e *refusal) Error() string { return e.err.Error() }

func refuse(code int, reason, format string, args ...any) error {
	return &refusal{code: code, reason: reason, err: fmt.Errorf(format, args...)}
}

// retryAfter is when somebody who was refused for now may try again.
const retryAfter = time.Second

// ServeHTTP answers one request.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	encoding, compression, err := protocol(q)
	if err == nil && r.opts.Admit != nil {
		err = r.opts.Admit(ingest.Metrics)
	}
	if err != nil {
		r.fail(w, err)
		return
	}
	res, err := r.receive(q, encoding, compression)
	if err != nil {
		r.fail(w, err)
		return
	}
	if encoding == ingest.RemoteWrite2 {
		h := w.Header()
		h.Set("X-Prometheus-Remote-Write-Samples-Written", strconv.Itoa(res.Samples))
		h.Set("X-Prometheus-Remote-Write-Histograms-Written", strconv.Itoa(res.Histograms))
		h.Set("X-Prometheus-Remote-Write-Exemplars-Written", strconv.Itoa(res.Exemplars))
	}
	if res.Rejected > 0 { // what could be written has been; sending the rest again is in vain
		http.Error(w, res.Message, http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// protocol is the version and the compression that a request's headers announce.
func protocol(q *http.Request) (encoding ingest.Signal, compression string, err error) {
	if q.Method != http.MethodPost {
		return 0, "", refuse(http.StatusMethodNotAllowed, ingest.RefusedType, "method %s: want POST", q.Method)
	}
	encoding = ingest.RemoteWrite1
	if t := q.Header.Get("Content-Type"); t != "" { // senders of version 1 may leave it out
		kind, params, err := mime.ParseMediaType(t)
		if err != nil || kind != "application/x-protobuf" {
			return 0, "", refuse(http.StatusUnsupportedMediaType, ingest.RefusedType, "Content-Type %q: want application/x-protobuf", t)
		}
		switch params["proto"] {
		case "", "prometheus.WriteRequest":
		case "io.prometheus.write.v2.Request":
			encoding = ingest.RemoteWrite2
		default:
			return 0, "", refuse(http.StatusUnsupportedMediaType, ingest.RefusedType, "proto %q: want prometheus.WriteRequest or io.prometheus.write.v2.Request", params["proto"])
		}
	}
	compression = strings.ToLower(strings.TrimSpace(q.Header.Get("Content-Encoding")))
	switch compression {
	case "":
		compression = "snappy"
	case "snappy", "zstd":
	default:
		return 0, "", refuse(http.StatusUnsupportedMediaType, ingest.RefusedType, "Content-Encoding %q: want snappy (or zstd)", compression)
	}
	return encoding, compression, nil
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// keptBuffer is the largest buffer that returns to the pool.
const keptBuffer = 4 << 20

func putBuffer(b *[]byte) {
	if cap(*b) <= keptBuffer {
		buffers.Put(b)
	}
}

// receive reads one request and makes it durable.
func (r *Receiver) receive(q *http.Request, encoding ingest.Signal, compression string) (ingest.Result, error) {
	var held int64
	defer func() { r.held.Add(-held) }()
	hold := func(n int) error {
		held += int64(n)
		if r.held.Add(int64(n)) > r.opts.MaxReading {
			return &refusal{http.StatusServiceUnavailable, ingest.RefusedTooMany, retryAfter, errors.New("too much is held of requests under way")}
		}
		return nil
	}
	packed, body := buffers.Get().(*[]byte), buffers.Get().(*[]byte)
	defer putBuffer(packed)
	defer putBuffer(body)
	if err := r.read(q, packed, hold); err != nil {
		return ingest.Result{}, err
	}
	if err := r.unpack(*packed, body, compression, hold); err != nil {
		return ingest.Result{}, err
	}
	res, err := r.submit(q.Context(), encoding, *body)
	if err == nil && res.Repeated && res.Rejected == 0 { // all of it was written, the first time
		res.Samples, res.Histograms, res.Exemplars = ingest.CountWritten(*body, encoding == ingest.RemoteWrite2)
	}
	return res, err
}

func (r *Receiver) tooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, ingest.RefusedTooLarge, "the request is larger than %d bytes (max-request-bytes), compressed or not", r.opts.MaxBody)
}

// read takes in the compressed body.
func (r *Receiver) read(q *http.Request, into *[]byte, hold func(int) error) error {
	announced := q.ContentLength
	if announced > int64(r.opts.MaxBody) {
		return r.tooLarge()
	}
	if announced < 0 {
		announced = int64(r.opts.MaxBody)
	}
	if err := hold(int(announced)); err != nil {
		return err
	}
	b := (*into)[:0]
	body := http.MaxBytesReader(nil, q.Body, int64(r.opts.MaxBody))
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		*into = b
		var cut *http.MaxBytesError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &cut):
			return r.tooLarge()
		case err != nil:
			return refuse(http.StatusBadRequest, ingest.RefusedBody, "reading the request: %w", err)
		}
	}
}

// unpack decompresses; nothing is allocated before the size is known to be within bounds.
func (r *Receiver) unpack(packed []byte, into *[]byte, compression string, hold func(int) error) error {
	if compression == "zstd" {
		if err := hold(min(len(packed)*8, r.opts.MaxBody)); err != nil {
			return err
		}
		out, err := r.zstd.DecodeAll(packed, (*into)[:0])
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) || errors.Is(err, zstd.ErrWindowSizeExceeded) || len(out) > r.opts.MaxBody {
			return r.tooLarge()
		}
		if err != nil {
			return refuse(http.StatusBadRequest, ingest.RefusedBody, "decompressing zstd: %w", err)
		}
		*into = out
		return nil
	}
	n, err := snappy.DecodedLen(packed)
	if err != nil {
		return refuse(http.StatusBadRequest, ingest.RefusedBody, "decompressing snappy: %w", err)
	}
	if n > r.opts.MaxBody {
		return r.tooLarge()
	}
	if err := hold(n); err != nil {
		return err
	}
	if cap(*into) < n {
		*into = make([]byte, n)
	}
	*into, err = snappy.Decode((*into)[:cap(*into)], packed)
	if err != nil {
		return refuse(http.StatusBadRequest, ingest.RefusedBody, "decompressing snappy: %w", err)
	}
	return nil
}

// fail answers a request of which nothing was written.
func (r *Receiver) fail(w http.ResponseWriter, err error) {
	code, after := http.StatusInternalServerError, time.Duration(0)
	var refused *refusal
	var overload *ingest.OverloadError
	var malformed *ingest.MalformedError
	switch {
	case errors.As(err, &refused):
		code, after = refused.code, refused.after
		if r.opts.Refused != nil {
			r.opts.Refused(refused.reason, err.Error())
		}
	case errors.As(err, &malformed):
		code = http.StatusBadRequest
	case errors.As(err, &overload):
		code, after = http.StatusServiceUnavailable, overload.RetryAfter
	case errors.Is(err, context.Canceled):
		code = 499 // the sender has left
	default:
		r.opts.Logger.Error("remote write request not taken", "error", err)
	}
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if code == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, err.Error(), code)
}
