package otlp

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// Sender is who sent an admitted request: what the request holds is charged to it, bytes once they are read and items
// once they are taken. Charging must be cheap and never wait.
type Sender interface{ Charge(bytes, items int) }

// Authorize admits a request by its ingest key ("" if none was sent) for a signal ("" for a path or method that is
// none of the signals'), or returns a *Denied. It must not wait: gRPC asks it while the connection stands still.
type Authorize func(key, signal string) (Sender, error)

// keyPrefix begins every ingest key. It tells a key from the credentials of a proxy or another system that travel in
// another header of the same request.
const keyPrefix = "tmk_"

// The headers in which keys come, as HTTP writes them; gRPC has them in lower case.
var keyHeaders = [...]string{"Authorization", "X-Api-Key", "X-Ingest-Key", "Api-Key"}

// findKey is the ingest key among the values of keyHeaders: the one that looks like ours, else the first that is there.
func findKey(values [len(keyHeaders)]string) string {
	values[0] = presented(values[0])
	first := ""
	for _, v := range values {
		if strings.HasPrefix(v, keyPrefix) {
			return v
		}
		if first == "" {
			first = v
		}
	}
	return first
}

// presented is the key in an Authorization header: Bearer KEY, KEY alone, or Basic with the key as the password, as
// Pyroscope's and Prometheus' senders can be told to write it.
func presented(v string) string {
	scheme, rest, ok := strings.Cut(v, " ")
	if !ok {
		return v
	}
	switch {
	case strings.EqualFold(scheme, "bearer"):
		return strings.TrimSpace(rest)
	case strings.EqualFold(scheme, "basic"):
		if b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(rest)); err == nil {
			if user, password, _ := strings.Cut(string(b), ":"); password != "" {
				return password
			} else if user != "" {
				return user
			}
		}
	}
	return v
}

func keyOfHTTP(h http.Header) string {
	var values [len(keyHeaders)]string
	for i, name := range keyHeaders {
		if v := h[name]; len(v) > 0 {
			values[i] = v[0]
		}
	}
	return findKey(values)
}

func keyOfGRPC(md metadata.MD) string {
	var values [len(keyHeaders)]string
	for i, name := range [...]string{"authorization", "x-api-key", "x-ingest-key", "api-key"} {
		if v := md[name]; len(v) > 0 {
			values[i] = v[0]
		}
	}
	return findKey(values)
}

// senderKey finds the Sender in a request's context.
type senderKey struct{}

func senderOf(ctx context.Context) Sender {
	s, _ := ctx.Value(senderKey{}).(Sender)
	return s
}

func charge(s Sender, bytes, items int) {
	if s != nil {
		s.Charge(bytes, items)
	}
}

// Metered is a sink that charges what it takes to the sender in the context: for the further paths of the HTTP port.
func Metered(sink Sink) Sink {
	return func(ctx context.Context, signal ingest.Signal, body []byte) (ingest.Result, error) {
		res, err := sink(ctx, signal, body)
		if err == nil {
			charge(senderOf(ctx), 0, res.Accepted+res.Rejected)
		}
		return res, err
	}
}

// signalOfPath is the signal that a path of the HTTP port takes, "" for one that takes none.
func signalOfPath(path string) string {
	if signal, ok := paths[path]; ok {
		return signal.String()
	}
	switch path {
	case "/api/v1/write":
		return ingest.Metrics.String()
	case "/v1development/profiles", "/v1/pprof", "/ingest":
		return ingest.Profiles.String()
	}
	return ""
}

// guard stands before every path of the HTTP port, so that none can be forgotten: pages of origins that are not
// allowed, and requests without the right, end here.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.cors(w, r) {
			return
		}
		if s.opts.Authorize == nil {
			next.ServeHTTP(w, r)
			return
		}
		sender, err := s.opts.Authorize(keyOfHTTP(r.Header), signalOfPath(r.URL.Path))
		if err != nil {
			s.failWith(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), senderKey{}, sender)))
	})
}

// metered charges the bytes of a body that a further path reads by itself.
func metered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sender := senderOf(r.Context())
		if sender == nil {
			next.ServeHTTP(w, r)
			return
		}
		body := &countedBody{ReadCloser: r.Body}
		r.Body = body
		defer func() { sender.Charge(body.n, 0) }()
		next.ServeHTTP(w, r)
	})
}

type countedBody struct {
	io.ReadCloser
	n int
}

func (c *countedBody) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n += n
	return n, err
}

// cors answers preflights and lets the allowed origins read our answers. A page of any other origin may not send: its
// browser names it also where it asks for no leave, as with plain text, or with a name that it has pointed at this
// address. It reports whether the request is done.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	if !s.allowedOrigin(origin) {
		s.fail(w, r, http.StatusForbidden, status.Newf(codes.PermissionDenied, "pages of %s may not send: allow them with --otlp-allow-origins", origin), 0)
		return true
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Allow-Headers", "Content-Type, Content-Encoding, "+strings.Join(keyHeaders[:], ", "))
	h.Set("Access-Control-Max-Age", "7200")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// allowedOrigin tells whether a page of an origin may send: it is listed, a subdomain of one listed as
// https://*.example.com, or everything is.
func (s *Server) allowedOrigin(origin string) bool {
	for _, a := range s.opts.AllowedOrigins {
		if a == "*" || a == origin {
			return true
		}
		if scheme, domain, ok := strings.Cut(a, "://*."); ok {
			rest, is := strings.CutPrefix(origin, scheme+"://")
			if host, under := strings.CutSuffix(rest, "."+domain); is && under && host != "" {
				return true
			}
		}
	}
	return false
}

// busyFor is how long a sender waits when too many requests are under way.
const busyFor = time.Second
