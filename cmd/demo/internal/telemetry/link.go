package telemetry

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Link is the one gRPC connection over which every service of the shop
// exports. It connects by itself, and again after an outage, without a word.
type Link struct {
	Endpoint string // HOST:PORT, for people
	conn     *grpc.ClientConn
}

// Dial prepares a link to an OTLP/gRPC endpoint, given as HOST:PORT or, as
// OTEL_EXPORTER_OTLP_ENDPOINT allows, as http://HOST:PORT or https://HOST:PORT.
// The endpoint need not be there yet.
func Dial(endpoint string) (*Link, error) {
	address, secure, err := parseEndpoint(endpoint)
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if secure {
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(creds),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{
			// Two seconds at most between attempts: the shop is started beside
			// its endpoint, often a moment before it.
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("prepare the connection to OTLP endpoint %s: %w", address, err)
	}
	conn.Connect()
	return &Link{Endpoint: address, conn: conn}, nil
}

func parseEndpoint(endpoint string) (address string, secure bool, err error) {
	address = endpoint
	if u, parseErr := url.Parse(endpoint); parseErr == nil && u.Host != "" {
		switch u.Scheme {
		case "http":
		case "https":
			secure = true
		default:
			return "", false, fmt.Errorf("OTLP endpoint %q: scheme %q is neither http nor https", endpoint, u.Scheme)
		}
		address = u.Host
		if u.Port() == "" {
			address = net.JoinHostPort(u.Hostname(), "4317")
		}
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", false, fmt.Errorf("OTLP endpoint %q is not HOST:PORT or a URL: %w", endpoint, err)
	}
	return address, secure, nil
}

// Connected reports whether the endpoint is reachable now.
func (l *Link) Connected() bool { return l.conn.GetState() == connectivity.Ready }

// Watch tells each change of Connected, first the state at the call, until ctx ends.
func (l *Link) Watch(ctx context.Context, tell func(connected bool)) {
	last := l.Connected()
	tell(last)
	for {
		state := l.conn.GetState()
		if ready := state == connectivity.Ready; ready != last {
			last = ready
			tell(ready)
		}
		if state == connectivity.Idle {
			l.conn.Connect()
		}
		if !l.conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

// WaitConnected returns when the endpoint is reachable, or with ctx's error.
func (l *Link) WaitConnected(ctx context.Context) error {
	for {
		state := l.conn.GetState()
		if state == connectivity.Ready {
			return nil
		}
		if state == connectivity.Idle {
			l.conn.Connect()
		}
		if !l.conn.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
}

// Close ends the connection. Providers must be shut down first.
func (l *Link) Close() error { return l.conn.Close() }
