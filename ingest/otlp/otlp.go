// Package otlp receives OpenTelemetry data over gRPC and HTTP and answers exactly as the OTLP specification says.
// Its main type is Server; Serve starts it. Its one invariant: success is answered only for what the sink has taken,
// and everything else is answered with what the client must do next: send again later, or never again.
package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/tidemarkhq/tidemark/ingest"
)

// Sink takes decoded bodies: (*ingest.Ingest).Submit.
type Sink func(ctx context.Context, signal ingest.Signal, body []byte) (ingest.Result, error)

// Options configure a Server. Start from DefaultOptions.
type Options struct {
	// GRPCAddr and HTTPAddr are where to listen; "" turns that protocol off. Defaults 127.0.0.1:4317 and
	// 127.0.0.1:4318.
	GRPCAddr, HTTPAddr string
	// MaxBody is the largest request, after decompression and before. Bytes, default 20 MiB.
	MaxBody int
	// MaxRequests is how many requests may be under way at once, over both protocols. More are refused retryably.
	// Default 8192.
	MaxRequests int
	// MaxReading is how many bytes may be held of HTTP requests that are still being read; beyond that the one that takes
	// longest is refused retryably. Over gRPC it bounds how many requests may stall: four for each MaxBody in it. Default
	// 256 MiB.
	MaxReading int64
	// MaxConnections is how many connections each port keeps open; further ones are closed at once. Default 8192.
	MaxConnections int
	// ReadTimeout is how long a client may take to send one request. Default 60 s.
	ReadTimeout time.Duration
	// TLS, if set, is used on both ports. Its NextProtos should be h2 and http/1.1. Default nil: plain text.
	TLS *tls.Config
	// AllowedOrigins are the web origins whose pages may send, exactly as browsers name them, with * for the first
	// label (https://*.example.com), or "*" for every one. Default none: what a page of any origin sends is refused.
	AllowedOrigins []string
	// Authorize admits requests. Default nil: everyone may send.
	Authorize Authorize
	// Admit says whether a request of a signal has a chance at the moment, before its body is read; it counts what it
	// refuses: (*ingest.Ingest).Admit. Default nil: all have.
	Admit func(ingest.Signal) error
	// Refused is told of requests that are refused before the sink sees them, with one of ingest's reasons and what the
	// client was told: (*ingest.Ingest).Refused. Default nil.
	Refused func(signal ingest.Signal, reason, detail string)
	// Profiles takes OTLP profiles over gRPC; nil refuses them with a word on how to turn them on.
	Profiles Profiles
	// Handle answers further paths of the HTTP port; nil answers them with 404.
	Handle http.Handler
	// Logger. Default slog.Default().
	Logger *slog.Logger
}

// DefaultOptions are the options without any configuration.
func DefaultOptions() Options {
	return Options{GRPCAddr: "127.0.0.1:4317", HTTPAddr: "127.0.0.1:4318", MaxBody: 20 << 20, MaxRequests: 8192,
		MaxReading: 256 << 20, MaxConnections: 8192, ReadTimeout: time.Minute, Logger: slog.Default()}
}

// Denied refuses a request for lack of a right.
type Denied struct {
	// Reason is what the client reads.
	Reason string
	// Known tells that the key is valid but not for this signal (403 rather than 401).
	Known bool
	// RetryAfter, if set, says that the key has used up its rate for now (429).
	RetryAfter time.Duration
}

func (d *Denied) Error() string { return d.Reason }

// Server listens for OTLP.
type Server struct {
	opts  Options
	sink  Sink
	grpc  *grpc.Server
	local *grpc.Server // for this process itself; nil until Dial
	http  *http.Server
	gaddr net.Addr
	haddr net.Addr

	requests atomic.Int64 // under way
	reading  *reading
	end      context.CancelFunc // of what runs beside the servers
}

// Serve listens on the configured addresses and hands requests to sink.
func Serve(sink Sink, opts Options) (*Server, error) {
	if opts.MaxBody <= 0 || opts.MaxRequests <= 0 || opts.MaxConnections <= 0 || opts.ReadTimeout <= 0 {
		return nil, errors.New("otlp: MaxBody, MaxRequests, MaxConnections and ReadTimeout must be positive")
	}
	if opts.MaxReading < int64(opts.MaxBody) {
		return nil, fmt.Errorf("otlp: MaxReading %d: want at least MaxBody, %d", opts.MaxReading, opts.MaxBody)
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	s := newServer(sink, opts)
	var gl, hl net.Listener
	var err error
	if opts.GRPCAddr != "" {
		if gl, err = net.Listen("tcp", opts.GRPCAddr); err != nil {
			return nil, fmt.Errorf("listening for OTLP/gRPC: %w", err)
		}
		s.gaddr = gl.Addr()
	}
	if opts.HTTPAddr != "" {
		if hl, err = net.Listen("tcp", opts.HTTPAddr); err != nil {
			if gl != nil {
				gl.Close()
			}
			return nil, fmt.Errorf("listening for OTLP/HTTP: %w", err)
		}
		s.haddr = hl.Addr()
	}
	ctx, end := context.WithCancel(context.Background())
	s.end = end
	go s.reading.sweep(ctx.Done())
	if gl != nil {
		bounded := s.bounded(gl, "gRPC")
		s.grpc = s.newGRPC(bounded)
		go s.run("grpc", func() error { return s.grpc.Serve(bounded) })
	}
	if hl != nil {
		s.http = s.newHTTP()
		bounded := s.bounded(hl, "HTTP")
		s.http.ConnState = bounded.state
		go s.run("http", func() error {
			if opts.TLS == nil {
				return s.http.Serve(bounded)
			}
			s.http.TLSConfig = opts.TLS
			return s.http.ServeTLS(bounded, "", "")
		})
	}
	return s, nil
}

func newServer(sink Sink, opts Options) *Server {
	return &Server{opts: opts, sink: sink, reading: newReading(&opts)}
}

// bounded keeps a listener's connections within their bound.
func (s *Server) bounded(l net.Listener, protocol string) *connections {
	return &connections{Listener: l, max: int64(s.opts.MaxConnections), refused: func() {
		if s.opts.Refused != nil {
			s.opts.Refused(ingest.AnySignal, ingest.RefusedConnections, fmt.Sprintf("%d connections over %s are open", s.opts.MaxConnections, protocol))
		}
	}}
}

func (s *Server) run(protocol string, serve func() error) {
	if err := serve(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
		s.opts.Logger.Error("OTLP listener stopped", "protocol", protocol, "error", err)
	}
}

// GRPCAddr is where the server listens for gRPC, "" if it does not.
func (s *Server) GRPCAddr() string { return text(s.gaddr) }

// HTTPAddr is where the server listens for HTTP, "" if it does not.
func (s *Server) HTTPAddr() string { return text(s.haddr) }

func text(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}

// Shutdown takes no further connections, waits for the requests under way until ctx ends, and closes.
func (s *Server) Shutdown(ctx context.Context) error {
	defer s.end()
	var err error
	if s.http != nil {
		if err = s.http.Shutdown(ctx); err != nil {
			s.http.Close()
		}
	}
	for _, g := range []*grpc.Server{s.grpc, s.local} {
		if g == nil {
			continue
		}
		stopped := make(chan struct{})
		go func() {
			g.GracefulStop()
			close(stopped)
		}()
		select {
		case <-stopped:
		case <-ctx.Done():
			g.Stop()
			err = ctx.Err()
		}
	}
	return err
}

// Dial connects this process to its own server, past TLS and keys: nobody else can come this way, as nothing listens.
// It may be called once, before Shutdown.
func (s *Server) Dial() (*grpc.ClientConn, error) {
	l := bufconn.Listen(256 << 10)
	s.local = s.newGRPC(nil)
	go s.run("local", func() error { return s.local.Serve(l) })
	return grpc.NewClient("passthrough:///self", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
}

// enter admits a request; leave must follow if it was admitted.
func (s *Server) enter() bool {
	if s.requests.Add(1) > int64(s.opts.MaxRequests) {
		s.requests.Add(-1)
		return false
	}
	return true
}

func (s *Server) leave() { s.requests.Add(-1) }
