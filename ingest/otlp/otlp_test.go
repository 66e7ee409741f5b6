package otlp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tidemarkhq/tidemark/ingest"
)

// sink remembers what it was given and answers as told.
type sink struct {
	mu     sync.Mutex
	got    []string // "signal bytes"
	result ingest.Result
	err    error
}

func (s *sink) submit(_ context.Context, signal ingest.Signal, body []byte) (ingest.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, fmt.Sprintf("%s %d", signal, len(body)))
	return s.result, s.err
}

func serve(t testing.TB, s *sink, change func(*Options)) *Server {
	t.Helper()
	o := DefaultOptions()
	o.GRPCAddr, o.HTTPAddr, o.MaxBody = "127.0.0.1:0", "127.0.0.1:0", 1<<20
	if change != nil {
		change(&o)
	}
	srv, err := Serve(s.submit, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
	})
	return srv
}

func payload() ptraceotlp.ExportRequest {
	td := ptrace.NewTraces()
	s := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	s.SetName("x")
	s.SetTraceID([16]byte{1})
	s.SetSpanID([8]byte{2})
	s.SetStartTimestamp(1)
	return ptraceotlp.NewExportRequestFromTraces(td)
}

func post(t *testing.T, srv *Server, path string, body []byte, headers ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest("POST", "http://"+srv.HTTPAddr()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "method" {
			req.Method = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

func gz(b []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func zst(b []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(b, nil)
}

func TestHTTPAccepts(t *testing.T) {
	pb, _ := payload().MarshalProto()
	js, _ := payload().MarshalJSON()
	s := &sink{}
	srv := serve(t, s, nil)
	for _, c := range []struct {
		name    string
		body    []byte
		headers []string
	}{
		{"protobuf", pb, []string{"Content-Type", typeProtobuf}},
		{"protobuf gzip", gz(pb), []string{"Content-Type", typeProtobuf, "Content-Encoding", "gzip"}},
		{"protobuf zstd", zst(pb), []string{"Content-Type", typeProtobuf, "Content-Encoding", "zstd"}},
		{"json", js, []string{"Content-Type", "application/json; charset=utf-8"}},
		{"json gzip", gz(js), []string{"Content-Type", typeJSON, "Content-Encoding", "gzip"}},
		{"with a traceparent", pb, []string{"Content-Type", typeProtobuf, "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.got = nil
			res, body := post(t, srv, "/v1/traces", c.body, c.headers...)
			if res.StatusCode != 200 {
				t.Fatalf("%d %s", res.StatusCode, body)
			}
			if want := fmt.Sprintf("[traces %d]", len(pb)); fmt.Sprint(s.got) != want {
				t.Errorf("the sink got %v, want %s", s.got, want)
			}
			resp, isJSON := ptraceotlp.NewExportResponse(), strings.HasPrefix(c.headers[1], typeJSON)
			var err error
			if isJSON {
				err = resp.UnmarshalJSON(body)
			} else {
				err = resp.UnmarshalProto(body)
			}
			if err != nil || resp.PartialSuccess().RejectedSpans() != 0 || res.Header.Get("Content-Type") == "" {
				t.Errorf("answer %q (%s): %v", body, res.Header.Get("Content-Type"), err)
			}
		})
	}
}

func TestHTTPRefusals(t *testing.T) {
	pb, _ := payload().MarshalProto()
	big := bytes.Repeat([]byte{0}, 2<<20)
	overload := &ingest.OverloadError{Reason: "spool_full", RetryAfter: 7 * time.Second}
	for _, c := range []struct {
		name    string
		path    string
		body    []byte
		sinkErr error
		code    int
		retry   string
		headers []string
	}{
		{"wrong path", "/v1/nothing", pb, nil, 404, "", []string{"Content-Type", typeProtobuf}},
		{"wrong method", "/v1/logs", nil, nil, 405, "", []string{"method", "GET"}},
		{"no type", "/v1/logs", pb, nil, 415, "", nil},
		{"wrong type", "/v1/logs", pb, nil, 415, "", []string{"Content-Type", "text/plain"}},
		{"wrong encoding", "/v1/logs", pb, nil, 415, "", []string{"Content-Type", typeProtobuf, "Content-Encoding", "br"}},
		{"not gzip", "/v1/logs", pb, nil, 400, "", []string{"Content-Type", typeProtobuf, "Content-Encoding", "gzip"}},
		{"not JSON", "/v1/logs", []byte("{"), nil, 400, "", []string{"Content-Type", typeJSON}},
		{"too large", "/v1/logs", big, nil, 413, "", []string{"Content-Type", typeProtobuf}},
		{"a bomb", "/v1/logs", gz(big), nil, 413, "", []string{"Content-Type", typeProtobuf, "Content-Encoding", "gzip"}},
		{"a zstd bomb", "/v1/logs", zst(big), nil, 413, "", []string{"Content-Type", typeProtobuf, "Content-Encoding", "zstd"}},
		{"malformed", "/v1/logs", pb, &ingest.MalformedError{Err: errors.New("x")}, 400, "", []string{"Content-Type", typeProtobuf}},
		{"overload", "/v1/logs", pb, overload, 503, "7", []string{"Content-Type", typeProtobuf}},
		{"overload in JSON", "/v1/traces", []byte("{}"), overload, 503, "7", []string{"Content-Type", typeJSON}},
		{"no key", "/v1/logs", pb, &Denied{Reason: "no key"}, 401, "", []string{"Content-Type", typeProtobuf}},
		{"wrong key", "/v1/logs", pb, &Denied{Reason: "traces only", Known: true}, 403, "", []string{"Content-Type", typeProtobuf}},
		{"key over its rate", "/v1/logs", pb, &Denied{Reason: "rate", RetryAfter: time.Second}, 429, "1", []string{"Content-Type", typeProtobuf}},
		{"surprise", "/v1/logs", pb, errors.New("surprise"), 500, "", []string{"Content-Type", typeProtobuf}},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := serve(t, &sink{err: c.sinkErr}, nil)
			res, body := post(t, srv, c.path, c.body, c.headers...)
			if res.StatusCode != c.code || res.Header.Get("Retry-After") != c.retry {
				t.Fatalf("%d, Retry-After %q; want %d, %q (%s)", res.StatusCode, res.Header.Get("Retry-After"), c.code, c.retry, body)
			}
			var st spb.Status
			var err error
			if res.Header.Get("Content-Type") == typeJSON {
				err = protojson.Unmarshal(body, &st)
			} else {
				err = proto.Unmarshal(body, &st)
			}
			if err != nil || st.Message == "" {
				t.Errorf("body %q is no google.rpc.Status: %v", body, err)
			}
		})
	}
}

func TestPartialSuccess(t *testing.T) {
	s := &sink{result: ingest.Result{Accepted: 1, Rejected: 2, Message: `rejected 2: "old"`}}
	srv := serve(t, s, nil)
	pb, _ := payload().MarshalProto()
	_, body := post(t, srv, "/v1/traces", pb, "Content-Type", typeProtobuf)
	resp := ptraceotlp.NewExportResponse()
	if err := resp.UnmarshalProto(body); err != nil || resp.PartialSuccess().RejectedSpans() != 2 || resp.PartialSuccess().ErrorMessage() != s.result.Message {
		t.Errorf("protobuf: %v %v", resp.PartialSuccess(), err)
	}
	_, body = post(t, srv, "/v1/traces", []byte("{}"), "Content-Type", typeJSON)
	resp = ptraceotlp.NewExportResponse()
	if err := resp.UnmarshalJSON(body); err != nil || resp.PartialSuccess().RejectedSpans() != 2 || resp.PartialSuccess().ErrorMessage() != s.result.Message {
		t.Errorf("JSON: %s %v", body, err)
	}
}

func client(t *testing.T, srv *Server) ptraceotlp.GRPCClient {
	t.Helper()
	cc, err := grpc.NewClient(srv.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return ptraceotlp.NewGRPCClient(cc)
}

func TestGRPC(t *testing.T) {
	s := &sink{}
	c := client(t, serve(t, s, nil))
	pb, _ := payload().MarshalProto()
	for _, compressor := range []string{"identity", "gzip", "zstd"} {
		s.got = nil
		if _, err := c.Export(context.Background(), payload(), grpc.UseCompressor(compressor)); err != nil {
			t.Fatalf("%s: %v", compressor, err)
		}
		if want := fmt.Sprintf("[traces %d]", len(pb)); fmt.Sprint(s.got) != want {
			t.Errorf("%s: the sink got %v, want %s", compressor, s.got, want)
		}
	}
	s.result = ingest.Result{Rejected: 1, Message: "why"}
	if resp, err := c.Export(context.Background(), payload()); err != nil || resp.PartialSuccess().RejectedSpans() != 1 || resp.PartialSuccess().ErrorMessage() != "why" {
		t.Errorf("partial success: %v %v", resp.PartialSuccess(), err)
	}
}

func TestGRPCRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		err   error
		code  codes.Code
		retry time.Duration
	}{
		{"overload", &ingest.OverloadError{Reason: "in_flight_full", RetryAfter: 3 * time.Second}, codes.Unavailable, 3 * time.Second},
		{"malformed", &ingest.MalformedError{Err: errors.New("x")}, codes.InvalidArgument, 0},
		{"denied", &Denied{Reason: "no"}, codes.Unauthenticated, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := client(t, serve(t, &sink{err: c.err}, nil)).Export(context.Background(), payload())
			if status.Code(err) != c.code {
				t.Fatalf("%v, want %s", err, c.code)
			}
			var retry time.Duration
			for _, d := range status.Convert(err).Details() {
				if info, ok := d.(*errdetails.RetryInfo); ok {
					retry = info.RetryDelay.AsDuration()
				}
			}
			if retry != c.retry {
				t.Errorf("RetryInfo %s, want %s", retry, c.retry)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		td := payload()
		td.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName(strings.Repeat("x", 2<<20))
		for _, compressor := range []string{"identity", "gzip"} {
			_, err := client(t, serve(t, &sink{}, nil)).Export(context.Background(), td, grpc.UseCompressor(compressor))
			if st := status.Convert(err); st.Code() != codes.ResourceExhausted || len(st.Details()) != 0 {
				t.Errorf("%s: %v", compressor, err)
			}
		}
	})
}

func TestShutdownWaitsForRequestsUnderWay(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	o := DefaultOptions()
	o.GRPCAddr, o.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	srv, err := Serve(func(context.Context, ingest.Signal, []byte) (ingest.Result, error) {
		close(entered)
		<-release
		return ingest.Result{}, nil
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := client(t, srv).Export(context.Background(), payload())
		done <- err
	}()
	<-entered
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(context.Background()) }()
	close(release)
	if err := <-done; err != nil {
		t.Errorf("the request under way: %v", err)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if c, err := net.DialTimeout("tcp", srv.GRPCAddr(), time.Second); err == nil {
		c.Close()
		t.Error("still listening")
	}
}

func FuzzHTTP(f *testing.F) {
	pb, _ := payload().MarshalProto()
	js, _ := payload().MarshalJSON()
	f.Add("/v1/traces", typeProtobuf, "", pb)
	f.Add("/v1/logs", typeJSON, "", js)
	f.Add("/v1/metrics", typeProtobuf, "gzip", gz(pb))
	f.Add("/v1/traces", typeProtobuf, "zstd", zst(pb))
	s := newServer((&sink{}).submit, DefaultOptions())
	handler := s.newHTTP().Handler
	f.Fuzz(func(t *testing.T, path, kind, encoding string, body []byte) {
		req, err := http.NewRequest("POST", "http://x"+path, bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Content-Encoding", encoding)
		w := &answer{header: http.Header{}}
		handler.ServeHTTP(w, req)
		if w.code >= 500 {
			t.Fatalf("%d for a client's fault", w.code)
		}
	})
}

type answer struct {
	header http.Header
	code   int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
func (a *answer) WriteHeader(code int)        { a.code = code }
