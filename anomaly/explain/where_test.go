package explain

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/query"
)

// maker builds traces for tests.
type maker struct {
	r    *rand.Rand
	next uint64
}

// one is a trace of gateway, which calls checkout and search at once; checkout calls payment and then its database.
// ms says how long each takes by itself, fail which operation fails first.
func (m *maker) one(ms map[string]float64, fail string) []query.TraceSpan {
	m.next += 100
	trace := fmt.Sprintf("%016d", m.next)
	own := func(op string, usual float64) float64 {
		if v, ok := ms[op]; ok {
			usual = v
		}
		return usual * math.Exp(0.2*m.r.NormFloat64())
	}
	var spans []query.TraceSpan
	add := func(id, parent uint64, service, name, kind string, from, length float64, failed bool, peer string) {
		s := query.TraceSpan{Trace: trace, ID: m.next + id, Start: 1e15 + int64(from*1e6), Duration: uint64(length * 1e6), Service: service, Name: name, Kind: kind, Error: failed}
		if parent > 0 {
			s.Parent = m.next + parent
		}
		if peer != "" {
			s.Peer, s.PeerKind = peer, "database"
		}
		spans = append(spans, s)
	}
	search, gap := own("search", 8), own("network", 0.5)
	pay, db, check, gate := own("payment", 10), own("db", 3), own("checkout", 4), own("gateway", 2)
	failed := func(ops ...string) bool {
		for _, o := range ops {
			if o == fail {
				return true
			}
		}
		return false
	}
	call := pay + 2*gap // checkout's client span of payment
	total := check + call + db
	add(1, 0, "gateway", "POST /order", "server", 0, gate+max(total, search), failed("db", "payment", "checkout", "gateway"), "")
	add(2, 1, "checkout", "Place", "server", gate, total, failed("db", "payment", "checkout"), "")
	add(3, 2, "checkout", "POST /pay", "client", gate+check, call, failed("payment"), "")
	add(4, 3, "payment", "Pay", "server", gate+check+gap, pay, failed("payment"), "")
	add(5, 2, "checkout", "INSERT orders", "client", gate+check+call, db, failed("db"), "pg.shop")
	add(6, 1, "search", "Query", "server", gate, search, false, "")
	return spans
}

func (m *maker) many(n int, during bool, ms map[string]float64, fail string, share float64) []*tree {
	var spans []query.TraceSpan
	for range n {
		f := ""
		if m.r.Float64() < share {
			f = fail
		}
		spans = append(spans, m.one(ms, f)...)
	}
	return trees(spans, during)
}

func newMaker(seed uint64) *maker { return &maker{r: rand.New(rand.NewPCG(seed, 7))} }

func TestTreesCoverTheRoot(t *testing.T) {
	for _, tr := range newMaker(1).many(200, false, nil, "", 0) {
		sum := 0.0
		for _, s := range tr.spans {
			if s.onPath < 0 || s.self < -1 {
				t.Fatalf("negative time: %+v", s)
			}
			sum += s.onPath
		}
		if all := float64(tr.root.Duration); math.Abs(sum-all) > 1 {
			t.Fatalf("the parts of a trace are %.0f ns, the whole %.0f", sum, all)
		}
	}
}

// TestTreesOfOddTraces: loops, missing parents, skewed clocks, fragments and consumers neither hang nor break the sum.
func TestTreesOfOddTraces(t *testing.T) {
	span := func(id, parent uint64, kind string, from, length int64) query.TraceSpan {
		return query.TraceSpan{Trace: "t", ID: id, Parent: parent, Kind: kind, Start: 1e15 + from, Duration: uint64(length), Service: fmt.Sprint("s", id), Name: "op"}
	}
	for name, c := range map[string]struct {
		spans []query.TraceSpan
		trees int
	}{
		"its own parent":             {[]query.TraceSpan{span(1, 1, "server", 0, 10)}, 1},
		"a loop":                     {[]query.TraceSpan{span(1, 2, "server", 0, 10), span(2, 1, "server", 0, 10)}, 0},
		"the parent is missing":      {[]query.TraceSpan{span(1, 9, "server", 0, 10)}, 1},
		"a fragment":                 {[]query.TraceSpan{span(1, 9, "client", 0, 10)}, 0},
		"what a consumer does":       {[]query.TraceSpan{span(1, 0, "server", 0, 10), span(2, 1, "producer", 2, 1), span(3, 2, "consumer", 50, 70)}, 2},
		"a callee before its caller": {[]query.TraceSpan{span(1, 0, "client", 100, 50), span(2, 1, "server", 0, 30)}, 1},
		"a child beyond its parent":  {[]query.TraceSpan{span(1, 0, "server", 0, 10), span(2, 1, "internal", 5, 100)}, 1},
	} {
		got := trees(c.spans, true)
		if len(got) != c.trees {
			t.Errorf("%s: %d trees, want %d", name, len(got), c.trees)
		}
		for _, tr := range got {
			sum := 0.0
			for _, s := range tr.spans {
				sum += s.onPath
			}
			if math.Abs(sum-float64(tr.root.Duration)) > 1e-6 {
				t.Errorf("%s: parts %.0f, whole %d", name, sum, tr.root.Duration)
			}
		}
	}
}

// TestDecompose: whatever became slower comes first, and all the parts add up to the change.
func TestDecompose(t *testing.T) {
	for _, c := range []struct {
		slow string
		ms   float64
		want node
	}{
		{"payment", 40, node{own, "payment", "Pay", "", ""}},
		{"checkout", 20, node{own, "checkout", "Place", "", ""}},
		{"gateway", 15, node{own, "gateway", "POST /order", "", ""}},
		{"db", 30, node{call, "checkout", "INSERT orders", "pg.shop", "database"}},
		{"network", 12, node{gap, "checkout", "Pay", "payment", ""}},
		{"search", 90, node{own, "search", "Query", "", ""}},
	} {
		m := newMaker(2)
		d := decompose(append(m.many(300, false, nil, "", 0), m.many(200, true, map[string]float64{c.slow: c.ms}, "", 0)...))
		sum := 0.0
		for _, g := range d.nodes {
			sum += g.delta
		}
		if math.Abs(sum-d.total) > 1e-6*math.Abs(d.now) || math.Abs(d.now-d.was-d.total) > 1 {
			t.Errorf("%s: the parts are %.0f ns, the change is %.0f", c.slow, sum, d.total)
		}
		first := d.nodes[0]
		if first.node != c.want || first.delta < 0.8*d.total || first.z < 10 {
			t.Errorf("%s slower: first %+v with %.0f of %.0f ns, z %.1f; want %+v", c.slow, first.node, first.delta, d.total, first.z, c.want)
		}
	}
}

// TestDecomposeParallel: what runs beside the slow part and is not waited for plays no part.
func TestDecomposeParallel(t *testing.T) {
	m := newMaker(3)
	d := decompose(append(m.many(300, false, nil, "", 0), m.many(300, true, map[string]float64{"search": 11}, "", 0)...))
	if math.Abs(d.total) > 0.03*d.was {
		t.Errorf("search, which nobody waits for, changes the total by %.0f of %.0f ns", d.total, d.was)
	}
}

// TestDecomposeMoreCalls: a loop of statements is found as more calls, also of a statement that was not there before.
func TestDecomposeMoreCalls(t *testing.T) {
	m := newMaker(5)
	loop := func(spans []query.TraceSpan) []query.TraceSpan {
		place := spans[1]
		spans[0].Duration, spans[1].Duration = spans[0].Duration+12e6, place.Duration+12e6
		for i := range 12 {
			spans = append(spans, query.TraceSpan{Trace: place.Trace, ID: place.ID + 50 + uint64(i), Parent: place.ID, Start: place.Start + int64(place.Duration) + int64(i)*1e6, Duration: 1e6,
				Service: "checkout", Name: "SELECT item", Kind: "client", Peer: "pg.shop", PeerKind: "database"})
		}
		return spans
	}
	var during []query.TraceSpan
	for range 100 {
		during = append(during, loop(m.one(nil, ""))...)
	}
	c := &investigation{latency: decompose(append(m.many(200, false, nil, "", 0), trees(during, true)...))}
	first := c.latency.nodes[0]
	if want := (node{call, "checkout", "SELECT item", "pg.shop", "database"}); first.node != want || !first.moreCalls() || first.zCalls < 10 || math.Abs(first.fanout-12e6) > 1e6 {
		t.Errorf("first %+v with %.1f ms by more calls, z %.1f; want %+v with 12", first.node, first.fanout/1e6, first.zCalls, want)
	}
	x := merge(c.slow())[0]
	if x.service != "checkout" || x.score < 0.9 {
		t.Errorf("cause %s with %.2f", x.service, x.score)
	}
	if got, want := c.reason(x), "checkout makes more calls to pg.shop (SELECT item) for each request"; !strings.HasPrefix(got, want) {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestDecomposeNothing(t *testing.T) {
	strong := 0
	for seed := range uint64(20) {
		m := newMaker(seed)
		for _, g := range decompose(append(m.many(200, false, nil, "", 0), m.many(100, true, nil, "", 0)...)).nodes {
			if g.z > 4 || g.zCalls > 4 {
				strong++
			}
		}
	}
	if strong > 1 {
		t.Errorf("%d places look slower where nothing changed", strong)
	}
	if d := decompose(nil); len(d.nodes) != 0 || d.total != 0 {
		t.Errorf("of nothing: %+v", d)
	}
}

// TestLocate: failures are counted where they begin, not where they arrive.
func TestLocate(t *testing.T) {
	for _, c := range []struct {
		fail string
		want node
	}{
		{"payment", node{own, "payment", "Pay", "", ""}},
		{"checkout", node{own, "checkout", "Place", "", ""}},
		{"db", node{call, "checkout", "INSERT orders", "pg.shop", "database"}},
	} {
		m := newMaker(4)
		before, during := m.many(400, false, nil, "gateway", 0.05), m.many(400, true, nil, c.fail, 0.2)
		during = append(during, m.many(100, true, nil, "gateway", 0.05)...)
		var failing []*tree
		n := [2]float64{}
		for _, tr := range append(before, during...) {
			if len(tr.origins()) > 0 {
				failing = append(failing, tr)
				n[sideOf(tr)]++
			}
		}
		f := locate(failing, append(before, during...), population{n[0], n[0], 400}, population{n[1], n[1], 500})
		if f[0].node != c.want || f[0].excess() < 60 || f[0].llr < 20 || f[0].ochiai < 0.3 {
			t.Errorf("%s fails: %+v with an excess of %.0f, llr %.1f, Ochiai %.2f; want %+v", c.fail, f[0].node, f[0].excess(), f[0].llr, f[0].ochiai, c.want)
		}
		for _, o := range f[1:] {
			if o.llr > 4 {
				t.Errorf("%s fails: %+v is blamed as well, llr %.1f", c.fail, o.node, o.llr)
			}
		}
	}
}
