package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
)

// began is when the cumulative series began.
var began = pcommon.Timestamp(time.Now().Add(-time.Hour).UnixNano())

var durationBounds = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}

// metrics encodes what one instance, the which-th, reports at once: about n points in a dozen metrics, of which two
// fifths are counters, a third gauges and a quarter histograms with fourteen bounds. The series are the same at each
// sending; time and values go on.
func metrics(r *rand.Rand, s shape, n, which int) (*payload, error) {
	m := &meter{payload: &payload{}, r: r}
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	describe(rm.Resource().Attributes(), which%s.services, which/s.services)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.Scope().SetName("go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp")
	sm.Scope().SetVersion("0.60.0")
	m.to = sm.Metrics()
	route := func(i int) (string, string) {
		return "http.route", fmt.Sprintf("/api/v1/resource-%d/{id}", i%s.routes)
	}
	status := func(i int) (string, string) {
		return "http.response.status_code", []string{"200", "404", "500", "201", "429"}[i/s.routes%5]
	}
	pool := func(i int) (string, string) {
		return "db.client.connection.pool.name", fmt.Sprintf("pg-main-%d", i)
	}
	cpu := func(i int) (string, string) { return "cpu.logical_number", fmt.Sprint(i / 6) }
	mode := func(i int) (string, string) {
		return "cpu.mode", []string{"user", "system", "idle", "iowait", "nice", "steal"}[i%6]
	}
	topic := func(i int) (string, string) {
		return "messaging.destination.name", fmt.Sprintf("shop.events-%d", i)
	}
	pod := func(i int) (string, string) { return "k8s.container.name", fmt.Sprintf("container-%d", i) }

	m.histogram("http.server.request.duration", "s", n*3/20, route, status)
	m.histogram("http.client.request.duration", "s", n/20, route, status)
	m.histogram("db.client.operation.duration", "s", n/20, topic)
	m.counter("http.server.response.size", "By", n*2/20, route, status)
	m.counter("system.cpu.time", "s", n*2/20, cpu, mode)
	m.counter("messaging.client.consumed.messages", "{message}", n*2/20, topic)
	m.sum("shop.orders.revenue", "{EUR}", n*2/20, route, status)
	m.gauge("db.client.connection.count", "{connection}", n/20, pool)
	m.gauge("container.memory.usage", "By", n*2/20, pod)
	m.gauge("container.cpu.usage", "{cpu}", n*2/20, pod)
	m.gauge("messaging.queue.depth", "{message}", n/20, topic)
	m.gauge("go.goroutine.count", "{goroutine}", max(n-m.items, 1), pod)
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		return nil, err
	}
	return m.payload, m.seal(body)
}

// label is the i-th label of a series.
type label func(i int) (key, value string)

type meter struct {
	*payload
	r  *rand.Rand
	to pmetric.MetricSlice
}

func (m *meter) metric(name, unit string) pmetric.Metric {
	x := m.to.AppendEmpty()
	x.SetName(name)
	x.SetUnit(unit)
	x.SetDescription("Measured by the instrumentation of " + name + ".")
	return x
}

func put(a pcommon.Map, i int, labels []label) {
	a.PutStr("http.request.method", "GET")
	for _, l := range labels {
		k, v := l(i)
		a.PutStr(k, v)
	}
	if i >= 100 { // labels repeat after a while
		a.PutInt("shard", int64(i/100))
	}
}

func (m *meter) counter(name, unit string, n int, labels ...label) {
	m.sums(name, unit, n, true, labels)
}
func (m *meter) sum(name, unit string, n int, labels ...label) { m.sums(name, unit, n, false, labels) }

func (m *meter) sums(name, unit string, n int, whole bool, labels []label) {
	sum := m.metric(name, unit).SetEmptySum()
	sum.SetIsMonotonic(true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range n {
		p := sum.DataPoints().AppendEmpty()
		m.stamp(p)
		start, perSecond := m.r.Uint64N(1e7), m.r.Uint64N(200)
		if whole {
			p.SetIntValue(int64(m.slot(slotCounter, start, perSecond)))
		} else {
			p.SetDoubleValue(m.float(slotSum, start, perSecond))
		}
		put(p.Attributes(), i, labels)
	}
}

func (m *meter) gauge(name, unit string, n int, labels ...label) {
	gauge := m.metric(name, unit).SetEmptyGauge()
	for i := range n {
		p := gauge.DataPoints().AppendEmpty()
		p.SetTimestamp(m.time(0))
		mean := m.r.Uint64N(10_000)
		p.SetDoubleValue(m.float(slotGauge, mean, mean/10+1))
		put(p.Attributes(), i, labels)
		m.items++
	}
}

func (m *meter) histogram(name, unit string, n int, labels ...label) {
	h := m.metric(name, unit).SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range n {
		p := h.DataPoints().AppendEmpty()
		m.stamp(p)
		p.ExplicitBounds().FromRaw(durationBounds)
		counts, total := make([]uint64, len(durationBounds)+1), uint64(0)
		for b := range counts {
			if b > 1 && b < 9 { // most requests fall into a few buckets; the others stay empty
				perSecond := m.r.Uint64N(30)
				counts[b] = m.slot(slotCounter, 0, perSecond)
				total += perSecond
			}
		}
		p.BucketCounts().FromRaw(counts)
		p.SetCount(m.slot(slotCounter, 0, total))
		p.SetSum(m.float(slotSum, 0, total/4+1))
		p.SetMin(0.004)
		p.SetMax(0.9)
		put(p.Attributes(), i, labels)
	}
}

// stamp gives a cumulative point its times.
func (m *meter) stamp(p interface {
	SetTimestamp(pcommon.Timestamp)
	SetStartTimestamp(pcommon.Timestamp)
}) {
	p.SetStartTimestamp(began)
	p.SetTimestamp(m.time(0))
	m.items++
}
