package main

import (
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// neighbours is how many services meet in one request, however many there are.
const neighbours = 20

// traces encodes about n spans: calls through neighbouring services with their clients and database statements, one in
// fifty failed. With n = 1 a request is one span, as a small sender's.
func traces(r *rand.Rand, s shape, n, which int) (*payload, error) {
	p := &payload{}
	td := ptrace.NewTraces()
	scopes := map[int]ptrace.ScopeSpans{}
	scope := func(service int) ptrace.ScopeSpans {
		ss, ok := scopes[service]
		if !ok {
			rs := td.ResourceSpans().AppendEmpty()
			describe(rs.Resource().Attributes(), service, r.IntN(instances))
			ss = rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName("otelhttp")
			ss.Scope().SetVersion("0.60.0")
			scopes[service] = ss
		}
		return ss
	}
	for p.items < n {
		id := p.traceID(r)
		near := min(neighbours, s.services)
		root, start := r.IntN(near), r.Uint64N(900_000_000)
		var parents []pcommon.SpanID
		for i := range min(5+r.IntN(11), n-p.items) {
			service := (which*near + (root+i/2)%near) % s.services
			span := scope(service).Spans().AppendEmpty()
			span.SetTraceID(id)
			span.SetSpanID(p.spanID(r))
			if i > 0 {
				span.SetParentSpanID(parents[r.IntN(len(parents))])
			}
			parents = append(parents, span.SpanID())
			begin := start + uint64(i)*100_000
			span.SetStartTimestamp(p.time(begin))
			end := p.time(begin + uint64(r.ExpFloat64()*8e6))
			span.SetEndTimestamp(end)
			call(span, r, s, service, i%3)
			more(span.Attributes(), r, s.attrs)
			if r.IntN(50) == 0 {
				fail(span, end)
			}
			p.items++
		}
	}
	body, err := ptraceotlp.NewExportRequestFromTraces(td).MarshalProto()
	if err != nil {
		return nil, err
	}
	return p, p.seal(body)
}

// call makes a span an incoming request, an outgoing one or a statement.
func call(span ptrace.Span, r *rand.Rand, s shape, from, which int) {
	a, route, to := span.Attributes(), r.IntN(s.routes), (from+1)%s.services
	switch which {
	case 0:
		span.SetName(fmt.Sprintf("GET /api/v1/resource-%d/{id}", route))
		span.SetKind(ptrace.SpanKindServer)
		a.PutStr("http.request.method", "GET")
		a.PutStr("http.route", fmt.Sprintf("/api/v1/resource-%d/{id}", route))
		a.PutInt("http.response.status_code", 200)
		a.PutStr("url.path", fmt.Sprintf("/api/v1/resource-%d/%d", route, r.IntN(100_000)))
		a.PutStr("server.address", service(from)+".shop.svc")
	case 1:
		span.SetName("GET " + service(to))
		span.SetKind(ptrace.SpanKindClient)
		a.PutStr("http.request.method", "GET")
		a.PutStr("url.full", fmt.Sprintf("http://%s/api/v1/resource-%d/%d", service(to), route, r.IntN(100_000)))
		a.PutInt("http.response.status_code", 200)
		a.PutStr("server.address", service(to)+".shop.svc")
	default:
		span.SetName("SELECT orders")
		span.SetKind(ptrace.SpanKindClient)
		a.PutStr("db.system.name", "postgresql")
		a.PutStr("db.namespace", "shop")
		a.PutStr("db.query.text", fmt.Sprintf("SELECT id, total, status FROM orders WHERE customer_id = $1 AND shard = %d ORDER BY id DESC LIMIT 20", route))
		a.PutStr("db.operation.name", "SELECT")
		a.PutStr("server.address", "pg-main.shop.svc")
	}
}

func fail(span ptrace.Span, end pcommon.Timestamp) {
	span.Status().SetCode(ptrace.StatusCodeError)
	span.Status().SetMessage("upstream request timeout")
	event := span.Events().AppendEmpty()
	event.SetName("exception")
	event.SetTimestamp(end)
	event.Attributes().PutStr("exception.type", "TimeoutError")
	event.Attributes().PutStr("exception.message", "context deadline exceeded")
}
