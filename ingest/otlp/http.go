package otlp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tidemarkhq/tidemark/ingest"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"
)

func (s *Server) newHTTP() *http.Server {
	mux := http.NewServeMux()
	for path, signal := range paths {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { s.receive(w, r, signal) })
	}
	if s.opts.Handle != nil {
		mux.Handle("/", metered(s.opts.Handle))
	} else {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, r, http.StatusNotFound, status.Newf(codes.NotFound, "no such path %s; OTLP is received at /v1/traces, /v1/logs and /v1/metrics", r.URL.Path), 0)
		})
	}
	return &http.Server{Handler: s.guard(mux), ReadHeaderTimeout: min(10*time.Second, s.opts.ReadTimeout), ReadTimeout: s.opts.ReadTimeout, IdleTimeout: 5 * time.Minute,
		MaxHeaderBytes: 32 << 10, ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug)} // what strangers try is no news
}

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// keptBody is the largest buffer that returns to the pool.
const keptBody = 4 << 20

func (s *Server) receive(w http.ResponseWriter, r *http.Request, signal ingest.Signal) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "POST, OPTIONS")
		s.fail(w, r, http.StatusMethodNotAllowed, status.Newf(codes.Unimplemented, "method %s: want POST", r.Method), 0)
		return
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != typeProtobuf && kind != typeJSON {
		s.fail(w, r, http.StatusUnsupportedMediaType, status.Newf(codes.Unimplemented, "Content-Type %q: want %s or %s",
			r.Header.Get("Content-Type"), typeProtobuf, typeJSON), 0)
		return
	}
	if !s.enter() {
		s.fail(w, r, http.StatusServiceUnavailable, tooMany(), busyFor)
		return
	}
	defer s.leave()
	if s.opts.Admit != nil {
		if err := s.opts.Admit(signal); err != nil {
			s.failWith(w, r, err)
			return
		}
	}
	buf := bodies.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= keptBody {
			bodies.Put(buf)
		}
	}()
	body, ok := s.body(w, r, signal, kind, buf)
	if !ok {
		return
	}
	sender := senderOf(r.Context())
	charge(sender, len(body), 0)
	res, err := s.sink(r.Context(), signal, body)
	if err != nil {
		s.failWith(w, r, err)
		return
	}
	charge(sender, 0, res.Accepted+res.Rejected)
	s.succeed(w, kind, signal, res)
}

// jsonWeight is how many bytes of memory a byte of JSON takes while it is turned into protobuf, about.
const jsonWeight = 8

// body reads a request as protobuf. On failure it has answered.
func (s *Server) body(w http.ResponseWriter, r *http.Request, signal ingest.Signal, kind string, buf *bytes.Buffer) ([]byte, bool) {
	if r.ContentLength > int64(s.opts.MaxBody) {
		s.tooLarge(w, r)
		return nil, false
	}
	encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	held := s.reading.beginHTTP(w)
	defer held.release()
	err := decompress(buf, http.MaxBytesReader(w, r.Body, int64(s.opts.MaxBody)), encoding, s.opts.MaxBody, held)
	var cut *http.MaxBytesError
	switch {
	case errors.Is(err, errTooLarge), errors.As(err, &cut):
		s.tooLarge(w, r)
		return nil, false
	case err != nil && held.givenUp() != nil:
		s.fail(w, r, http.StatusServiceUnavailable, retryable(codes.Unavailable, held.givenUp().Error(), busyFor), busyFor)
		return nil, false
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fail(w, r, http.StatusRequestTimeout, status.New(codes.DeadlineExceeded, errReadingSlow.Error()), 0)
		return nil, false
	case errors.Is(err, errEncoding):
		s.fail(w, r, http.StatusUnsupportedMediaType, status.New(codes.Unimplemented, err.Error()), 0)
		return nil, false
	case err != nil:
		s.fail(w, r, http.StatusBadRequest, status.Newf(codes.InvalidArgument, "reading the body: %v", err), 0)
		return nil, false
	}
	if kind == typeProtobuf {
		return buf.Bytes(), true
	}
	if err := held.take(jsonWeight * buf.Len()); err != nil {
		s.fail(w, r, http.StatusServiceUnavailable, retryable(codes.Unavailable, err.Error(), busyFor), busyFor)
		return nil, false
	}
	body, err := fromJSON(signal, buf.Bytes())
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, status.Newf(codes.InvalidArgument, "reading JSON: %v", err), 0)
		return nil, false
	}
	return body, true
}

func (s *Server) tooLarge(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, http.StatusRequestEntityTooLarge, status.Newf(codes.ResourceExhausted, "request is larger than %d bytes", s.opts.MaxBody), 0)
}

// fromJSON turns OTLP/JSON into OTLP/protobuf, so that one decoder makes rows of both.
func fromJSON(signal ingest.Signal, body []byte) (out []byte, err error) {
	defer func() { // the parser may panic on hostile input; that input is then malformed
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	switch signal {
	case ingest.Traces:
		req := ptraceotlp.NewExportRequest()
		if err := req.UnmarshalJSON(body); err != nil {
			return nil, err
		}
		return req.MarshalProto()
	case ingest.Logs:
		req := plogotlp.NewExportRequest()
		if err := req.UnmarshalJSON(body); err != nil {
			return nil, err
		}
		return req.MarshalProto()
	}
	req := pmetricotlp.NewExportRequest()
	if err := req.UnmarshalJSON(body); err != nil {
		return nil, err
	}
	return req.MarshalProto()
}

func (s *Server) succeed(w http.ResponseWriter, kind string, signal ingest.Signal, res ingest.Result) {
	w.Header().Set("Content-Type", kind)
	if kind == typeProtobuf {
		w.Write(appendResponse(nil, res))
		return
	}
	if res.Rejected == 0 && res.Message == "" {
		io.WriteString(w, `{"partialSuccess":{}}`)
		return
	}
	field := map[ingest.Signal]string{ingest.Traces: "rejectedSpans", ingest.Logs: "rejectedLogRecords", ingest.Metrics: "rejectedDataPoints"}[signal]
	fmt.Fprintf(w, `{"partialSuccess":{"%s":"%d","errorMessage":%s}}`, field, res.Rejected, quoteJSON(res.Message))
}

func (s *Server) failWith(w http.ResponseWriter, r *http.Request, err error) {
	st, after := statusOf(err)
	var denied *Denied
	if errors.As(err, &denied) {
		s.fail(w, r, httpStatus(st, after), st, after)
		return
	}
	s.answer(w, r, httpStatus(st, after), st, after)
}

// fail refuses a request that the sink has not seen.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, code int, st *status.Status, after time.Duration) {
	if signal, ok := paths[r.URL.Path]; ok {
		s.refused(signal, httpReason(code), st)
	}
	s.answer(w, r, code, st, after)
}

// answer sends a google.rpc.Status in the request's own encoding.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, code int, st *status.Status, after time.Duration) {
	if after > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((after+time.Second-1)/time.Second)))
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	kind, body := typeProtobuf, []byte(nil)
	var err error
	if strings.HasPrefix(r.Header.Get("Content-Type"), typeProtobuf) {
		body, err = proto.Marshal(st.Proto())
	} else {
		kind = typeJSON
		body, err = protojson.Marshal(st.Proto())
	}
	if err != nil {
		body = nil
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(code)
	w.Write(body)
}
