package watch

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// plant gives meters the minutes of the metrics of one service with two instances.
type plant struct {
	t      *testing.T
	meters *meters
	random *rand.Rand
	now    int64
	alarms []anomaly.Alarm
	total  map[uint64]float64 // of counters
	seen   map[uint64]uint64  // observations of histograms
}

// gear is how the plant goes; 0 means as usual.
type gear struct {
	cpu, used, lag, miss, wait float64 // share, connections, messages, share, seconds
	restart                    bool
}

const (
	cpuOf = iota // and one more of each for the second instance
	_
	timeOf
	_
	usedOf
	_
	mostOf
	_
	idleOf
	_
	lagOf
	hitOf
	missOf
	waitOf
	boringOf
)

func newPlant(t *testing.T) *plant {
	p := &plant{t: t, meters: newMeters(Settings{Default: DefaultBudget}, nil), random: rand.New(rand.NewPCG(3, 4)), now: testStart, total: map[uint64]float64{}, seen: map[uint64]uint64{}}
	for i := range uint64(2) {
		instance := string(rune('a' + i))
		know := func(id uint64, n query.WatchMetric) {
			n.Env, n.Service, n.Instance = "prod", "orders", instance
			p.meters.know(id+i, n)
		}
		know(cpuOf, query.WatchMetric{Name: "process.cpu.utilization", Type: "gauge"})
		know(timeOf, query.WatchMetric{Name: "process_cpu_seconds_total", Type: "sum", Monotonic: true, Temporality: "cumulative"})
		pool := func(state string) map[string]string {
			return map[string]string{"db.client.connection.pool.name": "main", "db.client.connection.state": state}
		}
		know(usedOf, query.WatchMetric{Name: "db.client.connection.count", Type: "sum", Temporality: "cumulative", Attributes: pool("used")})
		know(idleOf, query.WatchMetric{Name: "db.client.connection.count", Type: "sum", Temporality: "cumulative", Attributes: pool("idle")})
		know(mostOf, query.WatchMetric{Name: "db.client.connection.max", Type: "sum", Temporality: "cumulative", Attributes: map[string]string{"db.client.connection.pool.name": "main"}})
	}
	know := func(id uint64, n query.WatchMetric) {
		n.Env, n.Service, n.Instance = "prod", "orders", "a"
		p.meters.know(id, n)
	}
	know(lagOf, query.WatchMetric{Name: "kafka.consumer_group.lag", Type: "gauge", Attributes: map[string]string{"messaging.destination.name": "paid"}})
	know(hitOf, query.WatchMetric{Name: "cache.hits", Type: "sum", Monotonic: true, Temporality: "delta"})
	know(missOf, query.WatchMetric{Name: "cache.misses", Type: "sum", Monotonic: true, Temporality: "delta"})
	know(waitOf, query.WatchMetric{Name: "db.client.connections.wait_time", Type: "histogram", Unit: "ms", Temporality: "cumulative"})
	know(boringOf, query.WatchMetric{Name: "http.server.active_requests", Type: "sum"})
	return p
}

func or(v, usual float64) float64 {
	if v > 0 {
		return v
	}
	return usual
}

func (p *plant) run(d time.Duration, g gear) {
	for end := p.now + int64(d/time.Second); p.now < end; p.now += 60 {
		sun := 1 + 0.4*math.Sin(2*math.Pi*float64(p.now%86400)/86400)
		noise := func() float64 { return math.Exp(0.05 * p.random.NormFloat64()) }
		var rows []query.WatchSample
		point := func(id uint64, v float64) {
			rows = append(rows, query.WatchSample{Series: id, At: p.now, N: 6, Sum: 6 * v, Last: v, LastMS: (p.now + 55) * 1000})
		}
		for i := range uint64(2) {
			cpu := 0.25 * sun * noise()
			if i == 1 {
				cpu = or(g.cpu, cpu)
			}
			point(cpuOf+i, cpu)
			if g.restart {
				p.total[timeOf+i] = 0
			}
			p.total[timeOf+i] += 60 * cpu
			point(timeOf+i, p.total[timeOf+i])
			used := or(g.used, math.Round(3*sun*noise()))
			point(usedOf+i, used)
			point(idleOf+i, 10-used)
			point(mostOf+i, 10)
		}
		point(lagOf, or(g.lag, math.Round(6*sun*noise())))
		looks := 600 * sun
		miss := or(g.miss, 0.06*noise())
		for id, n := range map[uint64]float64{hitOf: looks * (1 - miss), missOf: looks * miss} {
			rows = append(rows, query.WatchSample{Series: id, At: p.now, N: 1, Sum: n, Last: n, LastMS: (p.now + 55) * 1000})
		}
		p.total[waitOf] += 100 * or(g.wait, 0.0004*noise()) * 1000
		p.seen[waitOf] += 100
		rows = append(rows, query.WatchSample{Series: waitOf, At: p.now, N: 1, Sum: p.total[waitOf], Last: p.total[waitOf], Count: p.seen[waitOf], CountSum: p.seen[waitOf], LastMS: (p.now + 55) * 1000})
		point(boringOf, 1e6*p.random.Float64())
		p.alarms = append(p.alarms, p.meters.take(p.now, rows)...)
	}
}

// metricAlarm is the last word on a metric.
func (p *plant) metricAlarm(metric string) *anomaly.Alarm {
	for i := len(p.alarms) - 1; i >= 0; i-- {
		if p.alarms[i].Subject.Metric == metric {
			return &p.alarms[i]
		}
	}
	return nil
}

func TestMetricsOfNormalLifeAreQuiet(t *testing.T) {
	p := newPlant(t)
	for range 4 {
		p.run(23*time.Hour, gear{})
		p.run(time.Minute, gear{restart: true})
		p.now += 20 * 60 // nothing comes
		p.run(39*time.Minute, gear{})
	}
	if len(p.alarms) > 0 {
		t.Errorf("nothing happened, but: %+v", p.alarms[0])
	}
	if n := len(p.meters.series); n != 6 {
		t.Errorf("%d metrics are watched", n)
	}
}

func TestMetricsThatAreNotNormal(t *testing.T) {
	for name, c := range map[string]struct {
		gear     gear
		metric   string
		what     string
		harms    bool
		instance string
		observed float64
	}{
		"CPU of one instance": {gear{cpu: 0.9}, "process.cpu.utilization", "CPU use", false, "b", 0.9},
		"CPU as a counter":    {gear{cpu: 0.9}, "process_cpu_seconds_total", "CPU use in cores", false, "b", 0.9},
		"pool nearly full":    {gear{used: 8}, "db.client.connection.count", "connections in use of pool main (10 at most)", false, "", 8},
		"pool exhausted":      {gear{used: 10}, "db.client.connection.count", "connections in use of pool main (10 at most)", true, "", 10},
		"queue behind":        {gear{lag: 900}, "kafka.consumer_group.lag", "messages behind in queue paid", false, "", 900},
		"cache misses":        {gear{miss: 0.6}, "cache.hits", "cache hits", false, "", 0.4},
		"waits":               {gear{wait: 0.25}, "db.client.connections.wait_time", "wait for a connection", false, "", 0.25},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlant(t)
			p.run(3*24*time.Hour, gear{})
			began := p.now
			p.run(15*time.Minute, c.gear)
			a := p.metricAlarm(c.metric)
			if a == nil || !a.Ended.IsZero() {
				t.Fatalf("not found: %+v", p.alarms)
			}
			if delay := a.Detected.Unix() - began; delay > 200 && !c.harms || delay > 600 {
				t.Errorf("found after %d s", delay)
			}
			if a.What != c.what || a.Paging != c.harms || a.Supports() == c.harms || math.Abs(a.Observed-c.observed) > 0.15*c.observed || c.instance != "" && a.Subject.Instance != c.instance {
				t.Errorf("%+v", *a)
			}
			p.run(time.Hour, gear{})
			p.meters.each(func(o *open) { t.Errorf("an hour later it goes on: %+v", *o.alarm) })
		})
	}
}

// TestWhatPilesUp: a queue that is behind and stays so supports; one that falls ever further behind harms.
func TestWhatPilesUp(t *testing.T) {
	p := newPlant(t)
	p.run(2*24*time.Hour, gear{})
	for lag := 100.0; lag < 3000; lag *= 1.15 {
		p.run(time.Minute, gear{lag: lag})
	}
	if a := p.metricAlarm("kafka.consumer_group.lag"); a == nil || !a.Paging || a.Subject.Peer != "paid" || a.Subject.PeerKind != "messaging" {
		t.Errorf("a queue that piles up: %+v", a)
	}
}

// TestAPeakOfAPoolDoesNotHarm: for three minutes every connection is taken.
func TestAPeakOfAPoolDoesNotHarm(t *testing.T) {
	p := newPlant(t)
	p.run(2*24*time.Hour, gear{})
	p.run(3*time.Minute, gear{used: 10})
	p.run(time.Hour, gear{})
	for _, a := range p.alarms {
		if a.Paging {
			t.Errorf("a peak harms: %+v", a)
		}
	}
}

func TestIncidentsTakeInWhatSupportsThem(t *testing.T) {
	at := func(minute int) time.Time {
		return time.Unix(testStart, 0).UTC().Add(time.Duration(minute) * time.Minute)
	}
	fails := anomaly.Alarm{ID: "fails", Subject: anomaly.Subject{Env: "prod", Service: "orders"}, Symptom: anomaly.SymptomErrors, Channel: anomaly.ChannelErrors, Began: at(20), Detected: at(21), Observed: 0.5, Unit: "1", Paging: true}
	memory := anomaly.Alarm{ID: "memory", Subject: anomaly.Subject{Env: "prod", Service: "orders", Metric: "process.memory.usage"}, What: "memory", Symptom: anomaly.SymptomSaturation, Channel: anomaly.ChannelResidual, Began: at(0), Detected: at(3), Observed: 2, Expected: 1, Unit: "By"}
	elsewhere := memory
	elsewhere.ID, elsewhere.Subject.Service = "elsewhere", "mail"
	var k keeper
	if c := k.take(at(3), []anomaly.Alarm{memory, elsewhere}, nil); len(c) > 0 {
		t.Fatalf("what only supports makes an incident: %+v", c[0].incident)
	}
	c := k.take(at(21), []anomaly.Alarm{memory, elsewhere, fails}, nil)
	if len(c) != 1 || c[0].kind != Opened || len(c[0].incident.Alarms) != 2 || c[0].incident.Alarms[0].ID != "fails" || !c[0].incident.StartedAt.Equal(at(20)) {
		t.Fatalf("changes: %+v", c)
	}
	fails.Ended = at(30)
	c = k.take(at(34), []anomaly.Alarm{memory, fails}, nil)
	if last := c[len(c)-1]; last.kind != Resolved || last.incident.Status != "resolved" || last.incident.Alarms[1].Ended.IsZero() {
		t.Fatalf("it is over, but for what supported it: %+v", c)
	}
	memory.Score = 50
	if c := k.take(at(36), []anomaly.Alarm{memory}, nil); len(c) > 0 {
		t.Errorf("what only supports opens it again: %+v", c)
	}
}

func TestUnitsOfMetrics(t *testing.T) {
	for _, c := range []struct {
		q            *quantity
		unit, metric string
		want         float64
	}{{poolWait, "ms", "", 1e-3}, {collecting, "", "process.runtime.go.gc.pause_ns", 1e-9}, {memoryUse, "By", "", 1}, {memoryUse, "MiBy", "", 1 << 20}, {cpuShare, "1", "", 1}} {
		if got := c.q.scaleOf(c.unit, c.metric); got != c.want {
			t.Errorf("%s in %q: factor %g, want %g", c.q.what, c.unit, got, c.want)
		}
	}
}

// BenchmarkMetricsMinute is a minute of 50,000 metrics of one instance each.
func BenchmarkMetricsMinute(b *testing.B) {
	const series = 50_000
	m := newMeters(Settings{Default: DefaultBudget}, nil)
	names := []string{"process.cpu.utilization", "process.memory.usage", "go.goroutine.count", "jvm.thread.count", "nodejs.eventloop.utilization"}
	samples := make([]query.WatchSample, series)
	for i := range uint64(series) {
		m.know(i, query.WatchMetric{Env: "prod", Service: "service-" + time.Duration(i/5).String(), Name: names[i%5], Type: "gauge", Instance: "a"})
		samples[i].Series, samples[i].N = i, 6
	}
	random, now := rand.New(rand.NewPCG(5, 6)), testStart
	minute := func() {
		for i := range samples {
			s := &samples[i]
			s.At, s.Sum, s.LastMS = now, 6*(1+0.1*random.NormFloat64()), now*1000
		}
		b.StartTimer()
		m.take(now, samples)
		b.StopTimer()
		now += 60
	}
	b.StopTimer()
	for range 3 {
		minute()
	}
	b.ResetTimer()
	cpu := cpuSeconds()
	for range b.N {
		minute()
	}
	b.ReportMetric((cpuSeconds()-cpu)/float64(b.N), "CPU-s/minute")
	b.ReportMetric(float64(len(m.series)), "series")
}
