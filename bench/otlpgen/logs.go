package main

import (
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// logs encodes n records as a collector's batch holds them: a few instances, most records about a request, every
// second one within a trace.
func logs(r *rand.Rand, s shape, n, _ int) (*payload, error) {
	p := &payload{}
	ld := plog.NewLogs()
	senders := max(n/50, 1)
	for i := range senders {
		from := r.IntN(s.services)
		rl := ld.ResourceLogs().AppendEmpty()
		describe(rl.Resource().Attributes(), from, r.IntN(instances))
		sl := rl.ScopeLogs().AppendEmpty()
		sl.Scope().SetName("github.com/shop/" + service(from))
		for range (n*(i+1))/senders - (n*i)/senders {
			p.record(sl.LogRecords().AppendEmpty(), r, s, from)
		}
	}
	body, err := plogotlp.NewExportRequestFromLogs(ld).MarshalProto()
	if err != nil {
		return nil, err
	}
	return p, p.seal(body)
}

func (p *payload) record(l plog.LogRecord, r *rand.Rand, s shape, from int) {
	p.items++
	at := r.Uint64N(900_000_000)
	l.SetTimestamp(p.time(at))
	l.SetObservedTimestamp(p.time(at + 20_000 + r.Uint64N(5_000_000)))
	if r.IntN(2) == 0 {
		l.SetTraceID(p.traceID(r))
		l.SetSpanID(p.spanID(r))
		l.SetFlags(1)
	}
	severity, text := plog.SeverityNumberInfo, "INFO"
	a, route, customer := l.Attributes(), r.IntN(s.routes), r.IntN(50_000)
	took := r.ExpFloat64() * 40
	switch k := r.IntN(20); {
	case k == 0:
		severity, text = plog.SeverityNumberError, "ERROR"
		l.Body().SetStr(fmt.Sprintf("payment for order %d failed after %d attempts: dial tcp 10.0.%d.%d:5432: i/o timeout", r.IntN(1_000_000), 1+r.IntN(3), r.IntN(16), r.IntN(255)))
		a.PutStr("exception.type", "*net.OpError")
		a.PutStr("exception.message", "i/o timeout")
	case k < 3:
		severity, text = plog.SeverityNumberWarn, "WARN"
		l.Body().SetStr(fmt.Sprintf("slow query: SELECT orders took %.1f ms, %d rows", 100+took, r.IntN(500)))
		a.PutStr("db.system.name", "postgresql")
		a.PutStr("db.operation.name", "SELECT")
	case k < 6:
		severity, text = plog.SeverityNumberDebug, "DEBUG"
		l.Body().SetStr(fmt.Sprintf("cache miss for key customer:%d, loading from the store", customer))
		a.PutStr("cache.name", "customers")
		a.PutBool("cache.hit", false)
	default:
		l.Body().SetStr(fmt.Sprintf("request handled method=GET path=/api/v1/resource-%d/%d status=200 took=%.1fms", route, r.IntN(100_000), took))
	}
	l.SetSeverityNumber(severity)
	l.SetSeverityText(text)
	a.PutStr("http.request.method", "GET")
	a.PutStr("http.route", fmt.Sprintf("/api/v1/resource-%d/{id}", route))
	a.PutInt("http.response.status_code", 200)
	a.PutStr("code.file.path", fmt.Sprintf("%s/handler.go", service(from)))
	a.PutStr("enduser.id", fmt.Sprintf("customer-%d", customer))
	a.PutInt("thread.id", int64(r.IntN(16)))
	a.PutInt("process.pid", 1)
	more(a, r, s.attrs-2)
}
