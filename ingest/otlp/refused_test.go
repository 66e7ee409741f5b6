package otlp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// told collects what Options.Refused is told.
func told() (chan string, func(*Options)) {
	c := make(chan string, 10)
	return c, func(o *Options) {
		o.Refused = func(signal ingest.Signal, reason, example string) {
			c <- signal.String() + " " + reason + ": " + example
		}
	}
}

// The end of a gRPC request is told after its answer is sent.
func expectTold(t *testing.T, c chan string, want string) {
	t.Helper()
	select {
	case got := <-c:
		if want == "" || !strings.HasPrefix(got, want+": ") || strings.HasSuffix(got, ": ") {
			t.Errorf("told %q, want %q and an example", got, want)
		}
	case <-time.After(map[bool]time.Duration{true: 100 * time.Millisecond, false: 10 * time.Second}[want == ""]):
		if want != "" {
			t.Errorf("nothing was told, want %q", want)
		}
	}
	for len(c) > 0 {
		t.Errorf("told %q as well", <-c)
	}
}

func TestRefusalsOverHTTPAreTold(t *testing.T) {
	big := bytes.Repeat([]byte{0}, 2<<20)
	for _, c := range []struct {
		name    string
		body    []byte
		sinkErr error
		deny    error
		want    string
		headers []string
	}{
		{"too large", big, nil, nil, "logs too_large", []string{"Content-Type", typeProtobuf}},
		{"bomb", gz(big), nil, nil, "logs too_large", []string{"Content-Type", typeProtobuf, "Content-Encoding", "gzip"}},
		{"type", nil, nil, nil, "logs unsupported_type", []string{"Content-Type", "text/plain"}},
		{"method", nil, nil, nil, "logs unsupported_type", []string{"method", "PUT"}},
		{"encoding", nil, nil, nil, "logs unsupported_type", []string{"Content-Type", typeProtobuf, "Content-Encoding", "br"}},
		{"broken JSON", []byte("{"), nil, nil, "logs unreadable", []string{"Content-Type", typeJSON}},
		{"no key", nil, nil, &Denied{Reason: "no key"}, "logs unauthenticated", []string{"Content-Type", typeProtobuf}},
		{"other signal", nil, nil, &Denied{Reason: "traces only", Known: true}, "logs permission_denied", []string{"Content-Type", typeProtobuf}},
		{"rate", nil, nil, &Denied{Reason: "rate", RetryAfter: time.Second}, "logs rate_limited", []string{"Content-Type", typeProtobuf}},
		{"what the sink refuses", nil, &ingest.OverloadError{Reason: "spool_full", RetryAfter: time.Second}, nil, "", []string{"Content-Type", typeProtobuf}},
		{"what the sink cannot read", nil, &ingest.MalformedError{Err: errors.New("x")}, nil, "", []string{"Content-Type", typeProtobuf}},
		{"what is accepted", nil, nil, nil, "", []string{"Content-Type", typeProtobuf}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ch, tell := told()
			srv := serve(t, &sink{err: c.sinkErr}, func(o *Options) {
				tell(o)
				if c.deny != nil {
					o.Authorize = func(string, string) (Sender, error) { return nil, c.deny }
				}
			})
			post(t, srv, "/v1/logs", c.body, c.headers...)
			expectTold(t, ch, c.want)
		})
	}
}

func TestRefusalsOverGRPCAreTold(t *testing.T) {
	large := payload()
	large.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SetName(strings.Repeat("x", 2<<20))
	for _, c := range []struct {
		name  string
		large bool
		sink  error
		deny  error
		want  string
	}{
		{"too large", true, nil, nil, "traces too_large"},
		{"no key", false, nil, &Denied{Reason: "no key"}, "traces unauthenticated"},
		{"rate", false, nil, &Denied{Reason: "rate", RetryAfter: time.Second}, "traces rate_limited"},
		{"what the sink refuses", false, &ingest.OverloadError{Reason: "spool_full", RetryAfter: time.Second}, nil, ""},
		{"what is accepted", false, nil, nil, ""},
	} {
		for _, compressor := range []string{"identity", "gzip"} {
			t.Run(c.name+" "+compressor, func(t *testing.T) {
				t.Parallel()
				ch, tell := told()
				srv := serve(t, &sink{err: c.sink}, func(o *Options) {
					tell(o)
					if c.deny != nil {
						o.Authorize = func(string, string) (Sender, error) { return nil, c.deny }
					}
				})
				body := payload()
				if c.large {
					body = large
				}
				if _, err := client(t, srv).Export(context.Background(), body, grpc.UseCompressor(compressor)); (err != nil) != (c.want != "" || c.sink != nil) {
					t.Errorf("answered %v", err)
				}
				expectTold(t, ch, c.want)
			})
		}
	}
}

func TestTooManyRequestsAreTold(t *testing.T) {
	ch, tell := told()
	srv := serve(t, &sink{}, func(o *Options) { tell(o); o.MaxRequests = 1 })
	srv.requests.Add(1)
	pb, _ := payload().MarshalProto()
	post(t, srv, "/v1/traces", pb, "Content-Type", typeProtobuf)
	expectTold(t, ch, "traces too_many_requests")
	if _, err := client(t, srv).Export(context.Background(), payload()); err == nil {
		t.Error("accepted")
	}
	expectTold(t, ch, "traces too_many_requests")
}

// What has no chance is refused, retryably and with a time, before its body is read.
func TestRefusedBeforeTheBodyIsRead(t *testing.T) {
	k := &sink{}
	srv := serve(t, k, func(o *Options) {
		o.Admit = func(s ingest.Signal) error {
			if s != ingest.Traces {
				return nil
			}
			return &ingest.OverloadError{Reason: "in_flight_full", RetryAfter: 3 * time.Second}
		}
	})
	_, err := client(t, srv).Export(context.Background(), payload())
	st := status.Convert(err)
	if st.Code() != codes.Unavailable || len(st.Details()) != 1 {
		t.Errorf("answered %v with details %v", err, st.Details())
	} else if retry, ok := st.Details()[0].(*errdetails.RetryInfo); !ok || retry.RetryDelay.AsDuration() != 3*time.Second {
		t.Errorf("answered with %v", st.Details()[0])
	}
	c := tcp(t, srv.HTTPAddr(), oneLine+"Content-Length: 1000000\r\n\r\n") // and never the body
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	head := make([]byte, 12)
	if _, err := io.ReadFull(c, head); err != nil || string(head) != "HTTP/1.1 503" {
		t.Errorf("answered %q, %v, want 503", head, err)
	}
	if res, _ := post(t, srv, "/v1/logs", nil, "Content-Type", typeProtobuf); res.StatusCode != 200 {
		t.Errorf("another signal: %s", res.Status)
	}
	if len(k.got) != 1 {
		t.Errorf("taken: %v", k.got)
	}
}
