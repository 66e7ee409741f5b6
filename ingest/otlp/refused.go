package otlp

import (
	"context"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// What is refused here, before the sink sees it, is told to Options.Refused; the sink counts its own refusals.

var paths = map[string]ingest.Signal{"/v1/traces": ingest.Traces, "/v1/logs": ingest.Logs, "/v1/metrics": ingest.Metrics}

// signalOf finds the signal of a gRPC method, /opentelemetry.proto.collector.trace.v1.TraceService/Export.
func signalOf(method string) (ingest.Signal, bool) {
	for service, signal := range services {
		if strings.TrimSuffix(strings.TrimPrefix(method, "/"), "/Export") == service {
			return signal, true
		}
	}
	return 0, false
}

func (s *Server) refused(signal ingest.Signal, reason string, st *status.Status) {
	if s.opts.Refused != nil && reason != "" {
		s.opts.Refused(signal, reason, st.Message())
	}
}

// httpReason names what an HTTP answer refuses a request for.
func httpReason(code int) string {
	switch code {
	case http.StatusRequestEntityTooLarge:
		return ingest.RefusedTooLarge
	case http.StatusUnsupportedMediaType, http.StatusMethodNotAllowed:
		return ingest.RefusedType
	case http.StatusBadRequest, http.StatusRequestTimeout:
		return ingest.RefusedBody
	case http.StatusServiceUnavailable:
		return ingest.RefusedTooMany
	case http.StatusUnauthorized:
		return ingest.RefusedUnauthenticated
	case http.StatusForbidden:
		return ingest.RefusedPermission
	case http.StatusTooManyRequests:
		return ingest.RefusedRate
	}
	return ""
}

// call is one gRPC request, from its headers on.
type call struct {
	signal  ingest.Signal
	handled bool // export has it: what is refused from then on is counted there
}

type callKey struct{}

func handled(ctx context.Context) {
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.handled = true
	}
}

// refusals counts the requests that gRPC itself refuses: too large, in an unknown encoding, or broken.
type refusals struct{ s *Server }

func (refusals) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (refusals) HandleConn(context.Context, stats.ConnStats)                       {}

func (refusals) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	signal, ok := signalOf(info.FullMethodName)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, callKey{}, &call{signal: signal})
}

func (h refusals) HandleRPC(ctx context.Context, r stats.RPCStats) {
	end, ok := r.(*stats.End)
	if !ok || end.Error == nil {
		return
	}
	c, ok := ctx.Value(callKey{}).(*call)
	if !ok || c.handled {
		return
	}
	st := status.Convert(end.Error)
	switch st.Code() {
	case codes.Canceled, codes.DeadlineExceeded: // the client left
	case codes.ResourceExhausted:
		h.s.refused(c.signal, ingest.RefusedTooLarge, st)
	case codes.Unimplemented:
		h.s.refused(c.signal, ingest.RefusedType, st)
	default:
		h.s.refused(c.signal, ingest.RefusedBody, st)
	}
}
