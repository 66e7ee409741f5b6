package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// callTimeout bounds one call between services.
const callTimeout = 10 * time.Second

// Call is one request to another service.
type Call struct {
	Service string
	Method  string // GET if empty
	Route   string // template, such as /products/{id}
	Path    []any  // values of the template's placeholders, in order
	Query   url.Values
	Body    any // sent as JSON unless nil
}

// Do sends the call to the instance whose turn it is and reads its JSON answer
// into answer, unless that is nil. A refusal of the other side comes back as an
// *Error with its status; 5xx and failures to reach it as 502.
func (i *Instance) Do(ctx context.Context, call Call, answer any) error {
	target, err := i.mesh.Pick(call.Service)
	if err != nil {
		return &Error{Status: http.StatusBadGateway, Message: call.Service + " is not available", Cause: err}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := call.request(ctx, target)
	if err != nil {
		return fmt.Errorf("call %s: %w", call.Service, err)
	}
	resp, err := i.client.Do(req)
	if err != nil {
		return &Error{Status: http.StatusBadGateway, Message: call.Service + " is not available", Cause: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return &Error{Status: http.StatusBadGateway, Message: call.Service + " broke off its answer", Cause: err}
	}
	if resp.StatusCode >= 400 {
		return refusal(call, resp.StatusCode, body)
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(body, answer); err != nil {
		return &Error{Status: http.StatusBadGateway, Message: call.Service + " answered what is not understood", Cause: err}
	}
	return nil
}

func refusal(call Call, status int, body []byte) error {
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &told) != nil || told.Error == "" {
		told.Error = http.StatusText(status)
	}
	if status >= 500 {
		return Fail(http.StatusBadGateway, "%s answered %d: %s", call.Service, status, told.Error)
	}
	return Fail(status, "%s", told.Error)
}

func (c Call) request(ctx context.Context, target *Instance) (*http.Request, error) {
	var body io.Reader
	if c.Body != nil {
		encoded, err := json.Marshal(c.Body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	method := c.Method
	if method == "" {
		method = http.MethodGet
	}
	address := target.base() + c.expand()
	if len(c.Query) > 0 {
		address += "?" + c.Query.Encode()
	}
	ctx = context.WithValue(ctx, calleeKey{}, callee{service: c.Service, route: c.Route, external: target.External()})
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if c.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// expand puts the path values in place of the route's {placeholders}.
func (c Call) expand() string {
	var b strings.Builder
	rest := c.Route
	for _, value := range c.Path {
		before, after, found := strings.Cut(rest, "{")
		if !found {
			break
		}
		_, after, _ = strings.Cut(after, "}")
		b.WriteString(before + url.PathEscape(fmt.Sprint(value)))
		rest = after
	}
	return b.String() + rest
}

// callee travels from Do to the transport, which alone sees the client span.
type callee struct {
	service  string
	route    string
	external bool
}

type calleeKey struct{}

func newClient(p *telemetry.Providers) *http.Client {
	transport := &http.Transport{
		DialContext:         dialLoopback,
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     30 * time.Second,
	}
	return &http.Client{Transport: otelhttp.NewTransport(annotating{transport},
		otelhttp.WithTracerProvider(p.Traces),
		otelhttp.WithMeterProvider(p.Metrics),
		otelhttp.WithPropagators(telemetry.Propagators),
		otelhttp.WithSpanNameFormatter(clientSpanName))}
}

// clientSpanName follows the HTTP conventions: "{method} {url.template}".
func clientSpanName(_ string, r *http.Request) string {
	if c, ok := r.Context().Value(calleeKey{}).(callee); ok {
		return r.Method + " " + c.route
	}
	return r.Method
}

// dialLoopback stands for service discovery: every name is this machine, and
// the port says which instance.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", address, err)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
}

// annotating adds to the client span what otelhttp cannot know.
type annotating struct{ base *http.Transport }

func (a annotating) RoundTrip(r *http.Request) (*http.Response, error) {
	if c, ok := r.Context().Value(calleeKey{}).(callee); ok {
		span := trace.SpanFromContext(r.Context())
		span.SetAttributes(semconv.URLTemplate(c.route))
		if c.external {
			// Nobody else will name the far side: no span of its own follows.
			span.SetAttributes(semconv.ServicePeerName(c.service), peerService.String(c.service))
		}
	}
	return a.base.RoundTrip(r)
}

// CloseIdleConnections lets http.Client close them through otelhttp.
func (a annotating) CloseIdleConnections() { a.base.CloseIdleConnections() }

// peerService is the older name of service.peer.name, which most backends still read.
const peerService = attribute.Key("peer.service")
