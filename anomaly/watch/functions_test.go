package watch

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/query"
)

// factory makes up profiles of one service, five minutes at a time, as chance would have it: so many samples of each
// stack for each request.
type factory struct {
	functions *functions
	random    *rand.Rand
	now       int64
	stacks    []string
	past      map[int64]map[string]*made // by block and version
	alarms    []anomaly.Alarm
	asked     int
}

type made struct {
	exposure query.Exposure
	values   map[string]float64 // samples
}

// running is what one version does: requests a second, processes, samples of each stack a request, and by how much the
// cost of all varies from block to block.
type running struct {
	version  string
	requests float64
	seconds  float64 // of profile a second; several processes have several
	cost     map[string]float64
	idle     map[string]float64 // samples a second, whatever the requests
	wobble   float64
}

func newFactory() *factory {
	return &factory{functions: newFunctions(Settings{Default: DefaultBudget}), random: rand.New(rand.NewPCG(11, 12)), now: testStart, past: map[int64]map[string]*made{}}
}

func (w *factory) poisson(mean float64) float64 {
	return max(0, math.Round(mean+math.Sqrt(mean)*w.random.NormFloat64()))
}

// run lets versions run for a while.
func (w *factory) run(t *testing.T, d time.Duration, versions ...running) {
	t.Helper()
	for end := w.now + int64(d/time.Second); w.now < end; w.now += costBlock {
		w.past[w.now] = map[string]*made{}
		b := &costBatch{exposures: map[query.CostStep]query.Exposure{}, names: map[string]stackNames{}}
		rows := &query.CostRows{}
		for _, v := range versions {
			g := query.CostGroup{Cost: query.CostCPU, Type: "cpu", Env: "prod", Service: "checkout", Version: v.version}
			m := &made{exposure: query.Exposure{Requests: v.requests * costBlock * v.seconds, Seconds: v.seconds * costBlock, All: v.requests * costBlock}, values: map[string]float64{}}
			shake := math.Exp(v.wobble * w.random.NormFloat64())
			for s, n := range v.cost {
				m.values[s] += w.poisson(n * m.exposure.Requests * shake)
			}
			for s, n := range v.idle {
				m.values[s] += w.poisson(n * m.exposure.Seconds)
			}
			w.past[w.now][v.version] = m
			b.exposures[query.CostStep{CostGroup: g, Step: w.now}] = m.exposure
			rows.Groups = append(rows.Groups, g)
			for s, n := range m.values {
				rows.Samples = append(rows.Samples, query.CostSample{Group: len(rows.Groups) - 1, Step: w.now, Stack: w.stack(s), Value: n * 1e7, Samples: n})
			}
		}
		b.rows, b.names["checkout"] = []*query.CostRows{rows}, w.names()
		w.functions.take(b, false)
		w.functions.settle(w.now + costBlock)
		alarms, err := w.functions.judge(context.Background(), w.now+costBlock, time.Unix(w.now+costBlock, 0), w.verify)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range w.functions.order {
			for _, o := range s.open {
				o.told = true
			}
		}
		w.alarms = append(w.alarms, alarms...)
	}
}

func (w *factory) stack(s string) uint64 {
	i := slices.Index(w.stacks, s)
	if i < 0 {
		i = len(w.stacks)
		w.stacks = append(w.stacks, s)
	}
	return uint64(i)
}

func (w *factory) names() stackNames {
	out := stackNames{stacks: map[uint64][]int32{}}
	for i, s := range w.stacks {
		for name := range strings.SplitSeq(s, ";") {
			f := slices.IndexFunc(out.frames, func(f query.FunctionFrame) bool { return f.Function == name })
			if f < 0 {
				f = len(out.frames)
				out.frames = append(out.frames, query.FunctionFrame{Function: name, File: "/src/shop/" + name + ".go", Line: 41})
			}
			out.stacks[uint64(i)] = append(out.stacks[uint64(i)], int32(f))
		}
	}
	return out
}

// verify is what the store would answer.
func (w *factory) verify(_ context.Context, q explain.CodeQuestion) ([]anomaly.CodeChange, error) {
	w.asked++
	names := w.names()
	t := &anomaly.CallTree{Nodes: []anomaly.CallNode{{Parent: -1, Function: -1}}}
	for _, f := range names.frames {
		t.Functions = append(t.Functions, anomaly.Function{Name: f.Function, File: f.File, Line: f.Line})
	}
	index := map[[2]int32]int32{}
	var sides [2]*query.CostSide
	var exposures [2]anomaly.Exposure
	for side, sel := range []query.CostSelection{q.Now, q.Before} {
		s := &query.CostSide{}
		values := map[string]float64{}
		for at, versions := range w.past {
			if m := versions[sel.Version]; m != nil && slices.ContainsFunc(sel.Windows, func(x query.Window) bool { return at >= x.From.Unix() && at < x.To.Unix() }) {
				s.Requests, s.Seconds, s.All = s.Requests+m.exposure.Requests, s.Seconds+m.exposure.Seconds, s.All+m.exposure.All
				for k, n := range m.values {
					values[k] += n
				}
			}
		}
		for k, n := range values {
			s.Stacks = append(s.Stacks, query.StackCost{Stack: w.stack(k), Value: n * 1e7, Samples: n})
			at := int32(0)
			for _, f := range names.stacks[w.stack(k)] {
				n, ok := index[[2]int32{at, f}]
				if !ok {
					n = int32(len(t.Nodes))
					index[[2]int32{at, f}] = n
					t.Nodes = append(t.Nodes, anomaly.CallNode{Parent: at, Function: f})
				}
				at = n
			}
			t.Nodes[at].Self[side] += n * 1e7
			t.Nodes[at].Samples[side] += n
		}
		sides[side], exposures[side] = s, anomaly.Exposure{Requests: s.Requests, Seconds: s.Seconds}
		if s.Requests == 0 {
			for _, c := range s.Stacks {
				exposures[side].Requests += c.Value
			}
		}
	}
	q.Scale, q.Fallen = anomaly.Lenient(exposures[0], exposures[1]), anomaly.Strict(exposures[0], exposures[1])
	var out []anomaly.CodeChange
	for _, r := range anomaly.Regressions(t, q.RegressionOptions) {
		out = append(out, q.Change(r, sides[0], sides[1]))
	}
	return out, nil
}

// told lists the functions that alarmed.
func (w *factory) told() []string {
	out := []string{}
	for _, a := range w.alarms {
		if a.Ended.IsZero() {
			out = append(out, a.Subject.Function+" "+a.Subject.Version)
		}
	}
	return out
}

const in = "net/http.serve;shop.handle;"

// shop is a version at rest: eight samples a second in all.
func shop(version string) running {
	return running{version: version, requests: 20, seconds: 1, wobble: .03, cost: map[string]float64{in + "recommend.Score": .1, in + "cart.load": .15, in + "pay.charge": .1, in + "encoding/json.Marshal": .05},
		idle: map[string]float64{"runtime.gcBgMarkWorker;runtime.gcDrain": .4}}
}

func (r running) with(stack string, samples float64) running {
	c := map[string]float64{}
	for k, v := range r.cost {
		c[k] = v
	}
	c[stack] = samples
	r.cost = c
	return r
}

func (r running) at(requests, seconds float64) running {
	r.requests, r.seconds = requests, seconds
	return r
}

func TestAReleaseThatCostsMoreIsTold(t *testing.T) {
	w := newFactory()
	w.run(t, 3*time.Hour, shop("1.4.1"))
	deployed := w.now
	w.run(t, 40*time.Minute, shop("1.4.2").with(in+"recommend.Score", .31))
	if got := w.told(); !slices.Equal(got, []string{"recommend.Score 1.4.2"}) {
		t.Fatalf("told %q", got)
	}
	a := w.alarms[0]
	c := a.Code
	if a.Detected.Unix()-deployed > 17*60 || a.Began.Unix() != deployed || !a.Paging || a.Symptom != anomaly.SymptomCPU || a.Unit != "ns" {
		t.Errorf("%+v", a)
	}
	if !c.Deployed || c.Previous != "1.4.1" || c.Now/c.Was < 2.8 || c.Now/c.Was > 3.4 || c.Share < .35 || c.Share > .65 || a.Upper >= a.Observed || a.Lower >= a.Expected {
		t.Errorf("%+v", c)
	}
	if got := c.Title(); !strings.HasPrefix(got, "recommend.Score uses 3") || !strings.HasSuffix(got, "× the CPU per request since 1.4.2") {
		t.Error(got)
	}
	// 0.21 samples of 10 ms a request more, 20 requests a second: 3,629 s a day.
	if c.PerDay < 3000 || c.PerDay > 4300 || c.Place() != "shop/recommend.Score.go:41" {
		t.Errorf("%g s a day, in %s", c.PerDay, c.Place())
	}
}

func TestARollbackEndsIt(t *testing.T) {
	w := newFactory()
	w.run(t, 3*time.Hour, shop("1.4.1"))
	w.run(t, time.Hour, shop("1.4.2").with(in+"recommend.Score", .31))
	w.run(t, time.Hour, shop("1.4.1"))
	if len(w.alarms) != 2 || w.alarms[1].Ended.IsZero() || w.alarms[1].ID != w.alarms[0].ID {
		t.Fatalf("%+v", w.alarms)
	}
}

func TestWhatLastsBecomesNormal(t *testing.T) {
	w := newFactory()
	w.run(t, 3*time.Hour, shop("1.4.1"))
	w.run(t, 9*time.Hour, shop("1.4.2").with(in+"recommend.Score", .31))
	if len(w.alarms) != 2 || w.alarms[1].Ended.Sub(w.alarms[1].Began) < 4*time.Hour {
		t.Fatalf("%q: %+v", w.told(), w.alarms)
	}
	w.run(t, time.Hour, shop("1.4.3").with(in+"recommend.Score", .31))
	if len(w.alarms) != 2 {
		t.Errorf("the next version is no dearer: %q", w.told())
	}
}

// Nothing of this costs more a request: nobody is to hear of it.
func TestBenignChangesAreQuiet(t *testing.T) {
	for name, play := range map[string]func(*testing.T, *factory){
		"a day": func(t *testing.T, w *factory) { w.run(t, 24*time.Hour, shop("1")) },
		"doubled load": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 2*time.Hour, shop("1").at(40, 1))
		},
		"night": func(t *testing.T, w *factory) {
			w.run(t, 6*time.Hour, shop("1"))
			w.run(t, 3*time.Hour, shop("1").at(2, 1)) // collection of garbage is now most of a request's cost
		},
		"a release at night": func(t *testing.T, w *factory) {
			w.run(t, 6*time.Hour, shop("1"))
			w.run(t, 2*time.Hour, shop("2").at(5, 1))
		},
		"a release without effect": func(t *testing.T, w *factory) { w.run(t, 3*time.Hour, shop("1")); w.run(t, 3*time.Hour, shop("2")) },
		"a restart": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 5*time.Minute, shop("1").with("main.main;config.load", .3))
			w.run(t, 2*time.Hour, shop("1"))
		},
		"a new instance": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 2*time.Hour, shop("1").at(20, 2))
		},
		"cost moves between callers": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			v := shop("2").with(in+"recommend.Score", .02)
			w.run(t, 2*time.Hour, v.with(in+"recommend.Batch;recommend.Score", .08))
		},
		"a rename": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 2*time.Hour, shop("2").with(in+"recommend.Score", 0).with(in+"recommend.ScoreAll", .1))
		},
		"inlined": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1").with(in+"recommend.Score;recommend.dot", .1))
			w.run(t, 2*time.Hour, shop("2").with(in+"recommend.Score", .2))
		},
		"few samples": func(t *testing.T, w *factory) {
			w.run(t, 6*time.Hour, shop("1").at(.05, .1))
			w.run(t, 2*time.Hour, shop("2").at(.05, .1).with(in+"recommend.Score", .15))
		},
		"profiles missing for a while": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 2*time.Hour)
			w.run(t, 2*time.Hour, shop("1"))
		},
		"two versions side by side": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 3*time.Hour, shop("1").at(19, 3), shop("2").at(20, .3))
		},
		"a nightly batch, from its second night on": func(t *testing.T, w *factory) {
			for range 3 {
				w.run(t, 23*time.Hour, shop("1"))
				w.run(t, time.Hour, shop("1").with("batch.main;batch.close", .2))
			}
			if len(w.alarms) > 0 { // the first night is news
				w.alarms = slices.DeleteFunc(w.alarms, func(a anomaly.Alarm) bool { return a.Began.Unix() < testStart+86400+3600 })
			}
		},
		"it becomes cheaper": func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, 3*time.Hour, shop("1").at(10, 1), shop("2").at(10, 1).with(in+"recommend.Score", .02))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFactory()
			play(t, w)
			if got := w.told(); len(got) > 0 {
				t.Errorf("told %q", got)
			}
			if w.asked > 60 {
				t.Errorf("looked into %d suspicions", w.asked)
			}
		})
	}
}

func TestOtherWaysToCostMore(t *testing.T) {
	for name, c := range map[string]struct {
		want string
		play func(*testing.T, *factory)
	}{
		"a canary": {"recommend.Score 2", func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, time.Hour, shop("1").at(19, 3), shop("2").at(20, .3).with(in+"recommend.Score", .3))
		}},
		"under the load of the day": {"recommend.Score 2", func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, time.Hour, shop("2").at(50, 1).with(in+"recommend.Score", .3))
		}},
		"a new function": {"recommend.normalize 2", func(t *testing.T, w *factory) {
			w.run(t, 3*time.Hour, shop("1"))
			w.run(t, time.Hour, shop("2").with(in+"recommend.Score;recommend.normalize", .1))
		}},
		"without a release": {"recommend.Score 1", func(t *testing.T, w *factory) {
			w.run(t, 6*time.Hour, shop("1"))
			w.run(t, time.Hour, shop("1").with(in+"recommend.Score", .3))
		}},
		"a slow drift after the release": {"recommend.Score 2", func(t *testing.T, w *factory) {
			w.run(t, 6*time.Hour, shop("1"))
			for i := range 11 {
				w.run(t, 30*time.Minute, shop("2").with(in+"recommend.Score", .1*(1+.08*float64(i))))
			}
		}},
		"while requests are not known": {"recommend.Score 2", func(t *testing.T, w *factory) {
			silent := func(r running) running {
				for k, v := range r.cost {
					r.idle[k] = 20 * v
				}
				r.cost, r.requests = nil, 0
				return r
			}
			w.run(t, 3*time.Hour, silent(shop("1")))
			w.run(t, time.Hour, silent(shop("2").with(in+"recommend.Score", .4)))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newFactory()
			c.play(t, w)
			if got := w.told(); !slices.Equal(got, []string{c.want}) {
				t.Errorf("told %q, want %q", got, c.want)
			}
			if len(w.alarms) > 0 && name == "while requests are not known" && w.alarms[0].Paging {
				t.Error("a share of the whole is not worth a message")
			}
			if len(w.alarms) > 0 && strings.HasPrefix(name, "a slow drift") && w.alarms[0].Code.Deployed {
				t.Error("it did not come with the release but after it")
			}
		})
	}
}

// After a restart, what was open goes on, and what had become normal stays so.
func TestFunctionsResume(t *testing.T) {
	w := newFactory()
	w.run(t, 3*time.Hour, shop("1"))
	w.run(t, time.Hour, shop("2").with(in+"recommend.Score", .31))
	if len(w.alarms) != 1 {
		t.Fatal(w.told())
	}
	again := newFunctions(Settings{Default: DefaultBudget})
	again.series, again.order = w.functions.series, w.functions.order
	for _, s := range again.order {
		s.open = nil
	}
	again.resume([]anomaly.Incident{{Alarms: []anomaly.Alarm{w.alarms[0]}}})
	w.functions = again
	w.run(t, 30*time.Minute, shop("2").with(in+"recommend.Score", .31))
	if len(w.alarms) != 1 {
		t.Errorf("told again: %q", w.told())
	}
	w.run(t, time.Hour, shop("2"))
	if len(w.alarms) != 2 || w.alarms[1].Ended.IsZero() {
		t.Errorf("it is over: %+v", w.alarms)
	}
}

func TestFunctionsAreBounded(t *testing.T) {
	w := newFactory()
	v := shop("1")
	v.cost = map[string]float64{}
	for i := range 900 {
		v.cost[in+"pkg.f"+strings.Repeat("x", i)] = .05
	}
	w.run(t, 30*time.Minute, v)
	if n := w.functions.tracked(); n > mostTracked {
		t.Errorf("%d functions are told apart", n)
	}
	for i := range 2 * mostCosts {
		w.functions.of(query.CostGroup{Cost: query.CostCPU, Service: strings.Repeat("s", i)})
	}
	if len(w.functions.series) > mostCosts || w.functions.left == 0 {
		t.Errorf("%d services, %d left out", len(w.functions.series), w.functions.left)
	}
}
