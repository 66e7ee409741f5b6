package otlp

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// account is a sender that remembers what it was charged.
type account struct{ bytes, items int }

func (a *account) Charge(bytes, items int) { a.bytes, a.items = a.bytes+bytes, a.items+items }

func TestKeysAreFound(t *testing.T) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		headers []string
		want    string
	}{
		{[]string{"Authorization", "Bearer tmk_1"}, "tmk_1"},
		{[]string{"authorization", "bearer  tmk_1 "}, "tmk_1"},
		{[]string{"Authorization", "tmk_1"}, "tmk_1"},
		{[]string{"Authorization", basic("user:tmk_1")}, "tmk_1"},
		{[]string{"Authorization", basic("tmk_1:")}, "tmk_1"},
		{[]string{"x-api-key", "tmk_1"}, "tmk_1"},
		{[]string{"X-Ingest-Key", "tmk_1"}, "tmk_1"},
		{[]string{"api-key", "tmk_1"}, "tmk_1"},
		{[]string{"Authorization", basic("proxy:secret"), "X-Api-Key", "tmk_1"}, "tmk_1"},
		{[]string{"Authorization", "Bearer tmk_1", "X-Api-Key", "of another vendor"}, "tmk_1"},
		{[]string{"X-Api-Key", "of another vendor"}, "of another vendor"},
		{nil, ""},
	} {
		h, md := http.Header{}, metadata.MD{}
		for i := 0; i < len(c.headers); i += 2 {
			h.Set(c.headers[i], c.headers[i+1])
			md.Set(c.headers[i], c.headers[i+1])
		}
		if got := keyOfHTTP(h); got != c.want {
			t.Errorf("HTTP %v: %q, want %q", c.headers, got, c.want)
		}
		if got := keyOfGRPC(md); got != c.want {
			t.Errorf("gRPC %v: %q, want %q", c.headers, got, c.want)
		}
	}
}

func TestFindingAKeyAllocatesNothing(t *testing.T) {
	h, md := http.Header{"Authorization": {"Bearer tmk_1"}}, metadata.MD{"authorization": {"Bearer tmk_1"}}
	if n := testing.AllocsPerRun(1000, func() {
		if keyOfHTTP(h) != "tmk_1" || keyOfGRPC(md) != "tmk_1" {
			t.Fatal("not found")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Every path asks for a key for its own signal, and what a request holds is charged to it.
func TestEveryPathIsGuardedAndCharged(t *testing.T) {
	pb, _ := payload().MarshalProto()
	for path, signal := range map[string]string{"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics", "/v1/pprof": "profiles",
		"/ingest": "profiles", "/v1development/profiles": "profiles", "/api/v1/write": "metrics", "/whatever": ""} {
		var asked string
		var denied error
		a, s := &account{}, &sink{result: ingest.Result{Accepted: 5, Rejected: 2}}
		srv := serve(t, s, func(o *Options) {
			o.Authorize = func(key, signal string) (Sender, error) { asked = key + " " + signal; return a, denied }
			sink := Metered(s.submit)
			o.Handle = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err == nil {
					_, err = sink(r.Context(), ingest.Profiles, body)
				}
				if err != nil {
					w.WriteHeader(500)
				}
			})
		})
		res, _ := post(t, srv, path, pb, "Content-Type", typeProtobuf, "X-Api-Key", "tmk_1")
		if res.StatusCode != 200 || asked != "tmk_1 "+signal || *a != (account{len(pb), 7}) {
			t.Errorf("%s: %d, asked %q, charged %+v", path, res.StatusCode, asked, *a)
		}
		s.got, denied = nil, &Denied{Reason: "no"}
		if res, _ = post(t, srv, path, pb, "Content-Type", typeProtobuf); res.StatusCode != 401 || len(s.got) != 0 {
			t.Errorf("%s: %d and %v without a right", path, res.StatusCode, s.got)
		}
	}
}

func TestGRPCIsGuardedAndCharged(t *testing.T) {
	pb, _ := payload().MarshalProto()
	a, s := &account{}, &sink{result: ingest.Result{Accepted: 3}}
	srv := serve(t, s, func(o *Options) {
		o.Authorize = func(key, signal string) (Sender, error) {
			switch {
			case signal != "traces":
				t.Errorf("asked about %q", signal)
			case key == "":
				return nil, &Denied{Reason: "a key is needed"}
			case key == "tmk_fast":
				return nil, &Denied{Reason: "slow down", Known: true, RetryAfter: 7 * time.Second}
			case key == "tmk_logs":
				return nil, &Denied{Reason: "logs only", Known: true}
			}
			return a, nil
		}
	})
	c := client(t, srv)
	for key, want := range map[string]codes.Code{"": codes.Unauthenticated, "tmk_fast": codes.ResourceExhausted, "tmk_logs": codes.PermissionDenied, "tmk_1": codes.OK} {
		ctx := context.Background()
		if key != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
		}
		_, err := c.Export(ctx, payload())
		if status.Code(err) != want {
			t.Errorf("%q: %v, want %s", key, err, want)
		}
		retry := time.Duration(0)
		for _, d := range status.Convert(err).Details() {
			retry = d.(*errdetails.RetryInfo).RetryDelay.AsDuration()
		}
		if (key == "tmk_fast") != (retry == 7*time.Second) {
			t.Errorf("%q: retry after %s", key, retry)
		}
	}
	if *a != (account{len(pb), 3}) || len(s.got) != 1 {
		t.Errorf("charged %+v, the sink got %v", *a, s.got)
	}
}

// The process itself needs no key, and nobody else comes that way.
func TestDialNeedsNoKey(t *testing.T) {
	s := &sink{}
	srv := serve(t, s, func(o *Options) {
		o.Authorize = func(string, string) (Sender, error) { return nil, &Denied{Reason: "nobody"} }
	})
	conn, err := srv.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := ptraceotlp.NewGRPCClient(conn).Export(context.Background(), payload()); err != nil || len(s.got) != 1 {
		t.Errorf("%v, the sink got %v", err, s.got)
	}
	if _, err := client(t, srv).Export(context.Background(), payload()); status.Code(err) != codes.Unauthenticated {
		t.Errorf("through the port: %v", err)
	}
}

func TestOrigins(t *testing.T) {
	pb, _ := payload().MarshalProto()
	s := &sink{}
	srv := serve(t, s, func(o *Options) { o.AllowedOrigins = []string{"https://shop.example", "https://*.shop.example"} })
	for origin, allowed := range map[string]bool{
		"https://shop.example": true, "https://www.shop.example": true, "https://a.b.shop.example": true,
		"https://evil.example": false, "http://shop.example": false, "https://evilshop.example": false, "https://.shop.example": false,
		"https://shop.example.evil.example": false, "https://shop.example:8443": false, "null": false,
	} {
		s.got = nil
		res, _ := post(t, srv, "/v1/traces", nil, "method", "OPTIONS", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "x-api-key")
		if got := res.Header.Get("Access-Control-Allow-Origin"); (res.StatusCode == 204) != allowed || (got == origin) != allowed {
			t.Errorf("%s: preflight %d, allowed %q", origin, res.StatusCode, got)
		}
		if allowed && !strings.Contains(strings.ToLower(res.Header.Get("Access-Control-Allow-Headers")), "x-api-key") {
			t.Errorf("%s: a page may not send its key: %v", origin, res.Header)
		}
		res, _ = post(t, srv, "/v1/traces", pb, "Content-Type", typeProtobuf, "Origin", origin)
		if (res.StatusCode == 200) != allowed || (len(s.got) == 1) != allowed {
			t.Errorf("%s: %d, the sink got %v", origin, res.StatusCode, s.got)
		}
		if !strings.Contains(res.Header.Get("Vary"), "Origin") {
			t.Errorf("%s: a cache may give this answer to another origin", origin)
		}
	}
}

// The trace that a request itself belongs to, or says it does, is nothing to us: a sender that is traced must not make
// more to send, nor put what it sends into a trace of its choice.
func TestTraceparentOfARequestIsIgnored(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	pb, _ := payload().MarshalProto()
	var bodies []string
	var spans []trace.SpanContext
	o := DefaultOptions()
	o.GRPCAddr, o.HTTPAddr = "127.0.0.1:0", "127.0.0.1:0"
	srv, err := Serve(func(ctx context.Context, _ ingest.Signal, body []byte) (ingest.Result, error) {
		bodies, spans = append(bodies, string(body)), append(spans, trace.SpanContextFromContext(ctx))
		return ingest.Result{}, nil
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Shutdown(t.Context())
	post(t, srv, "/v1/traces", pb, "Content-Type", typeProtobuf, "traceparent", parent, "tracestate", "a=b")
	if _, err := client(t, srv).Export(metadata.AppendToOutgoingContext(t.Context(), "traceparent", parent), payload()); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 2 || bodies[0] != string(pb) || bodies[1] != string(pb) || spans[0].IsValid() || spans[1].IsValid() {
		t.Errorf("%d bodies, spans %v", len(bodies), spans)
	}
}
