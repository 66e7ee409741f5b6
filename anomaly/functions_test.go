package anomaly

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// merged makes a call tree: every key is a stack written from the root, worth so many samples now and before.
func merged(stacks map[string][2]float64) *CallTree {
	t := &CallTree{Nodes: []CallNode{{Parent: -1, Function: -1}}}
	functions, nodes := map[string]int32{}, map[string]int32{"": 0}
	for stack, n := range stacks {
		path, at := "", int32(0)
		for name := range strings.SplitSeq(stack, ";") {
			f, ok := functions[name]
			if !ok {
				f = int32(len(t.Functions))
				functions[name] = f
				t.Functions = append(t.Functions, Function{Name: name, File: "/src/" + name + ".go"})
			}
			path += ";" + name
			id, ok := nodes[path]
			if !ok {
				id = int32(len(t.Nodes))
				nodes[path] = id
				t.Nodes = append(t.Nodes, CallNode{Parent: at, Function: f})
			}
			at = id
		}
		for k := range 2 {
			t.Nodes[at].Samples[k] += n[k]
			t.Nodes[at].Self[k] += n[k] * 1e7
		}
	}
	return t
}

func regressions(stacks map[string][2]float64, scale float64) []Regression {
	return Regressions(merged(stacks), RegressionOptions{Scale: scale, Threshold: 13, Least: .01, Growth: 1.1, Most: 5})
}

// Each case is what two versions' profiles hold, and the function that is to be named; none where nothing is to be told.
func TestRegressionsNameWhereCostIsNewlySpent(t *testing.T) {
	const serve = "http.serve;shop.handler;"
	for name, c := range map[string]struct {
		stacks map[string][2]float64
		scale  float64
		want   string
	}{
		"own cost": {map[string][2]float64{serve + "recommend.Score": {3000, 1000}, serve + "cart.load": {2000, 2000}}, 1, "recommend.Score"},
		"a callee that is new": {map[string][2]float64{serve + "recommend.Score": {1000, 1000}, serve + "recommend.Score;recommend.normalize": {2000, 0},
			serve + "cart.load": {2000, 2000}}, 1, "recommend.normalize"},
		"the runtime is its caller's doing": {map[string][2]float64{serve + "recommend.Score": {500, 500}, serve + "recommend.Score;runtime.mapaccess2": {2500, 500},
			serve + "cart.load;runtime.mapaccess2": {500, 500}}, 1, "recommend.Score"},
		"what one caller calls more often is the caller's doing": {map[string][2]float64{serve + "recommend.Score;vendorlib.Marshal": {3000, 500},
			serve + "cart.load;vendorlib.Marshal": {1500, 1500}, serve + "cart.load": {1000, 1000}}, 1, "recommend.Score"},
		"what grew under all callers is its own": {map[string][2]float64{serve + "recommend.Score;vendorlib.Marshal": {3000, 1000},
			serve + "cart.load;vendorlib.Marshal": {3000, 1000}, serve + "cart.load": {1000, 1000}}, 1, "vendorlib.Marshal"},
		"recursion": {map[string][2]float64{serve + "tree.walk;tree.walk;tree.walk": {3000, 1000}, serve + "cart.load": {2000, 2000}}, 1, "tree.walk"},
		"many small callees": {map[string][2]float64{serve + "recommend.Score;a.a": {900, 300}, serve + "recommend.Score;b.b": {900, 300}, serve + "recommend.Score;c.c": {900, 300},
			serve + "cart.load;a.a": {3000, 3000}, serve + "cart.load;b.b": {3000, 3000}, serve + "cart.load;c.c": {3000, 3000}}, 1, "recommend.Score"},

		"doubled load":  {map[string][2]float64{serve + "recommend.Score": {6000, 3000}, serve + "cart.load": {4000, 2000}}, 2, ""},
		"moved callers": {map[string][2]float64{serve + "a.old;lib.parse": {0, 2000}, serve + "b.new;lib.parse": {2000, 0}, serve + "cart.load": {2000, 2000}}, 1, ""},
		"moved between operations": {map[string][2]float64{"http.serve;x.get;lib.parse": {500, 2000}, "http.serve;x.get": {1000, 1000},
			"http.serve;y.put;lib.parse": {2500, 1000}, "http.serve;y.put": {1000, 1000}}, 1, ""},
		"renamed": {map[string][2]float64{serve + "recommend.Score": {0, 2000}, serve + "recommend.ScoreAll": {2000, 0}, serve + "cart.load": {2000, 2000}}, 1, ""},
		"a chain renamed": {map[string][2]float64{serve + "v1.a;v1.b;v1.c;v1.d;v1.e": {0, 2000}, serve + "v2.a;v2.b;v2.c;v2.d;v2.e": {2000, 0},
			serve + "cart.load": {2000, 2000}}, 1, ""},
		"inlined": {map[string][2]float64{serve + "recommend.Score;recommend.dot": {0, 1500}, serve + "recommend.Score": {2500, 1000}, serve + "cart.load": {2000, 2000}}, 1, ""},
		"a function extracted": {map[string][2]float64{serve + "recommend.Score;recommend.dot": {1500, 0}, serve + "recommend.Score": {1000, 2500},
			serve + "cart.load": {2000, 2000}}, 1, ""},
		"few samples":        {map[string][2]float64{serve + "recommend.Score": {9, 3}, serve + "cart.load": {20, 20}}, 1, ""},
		"within what varies": {map[string][2]float64{serve + "recommend.Score": {1150, 1000}, serve + "cart.load": {2000, 2000}}, 1, ""},
		"it became cheaper":  {map[string][2]float64{serve + "recommend.Score": {1000, 3000}, serve + "cart.load": {2000, 2000}}, 1, ""},
		"nothing before":     {map[string][2]float64{serve + "recommend.Score": {1000, 0}}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := regressions(c.stacks, c.scale)
			if c.want == "" {
				if len(got) > 0 {
					t.Errorf("told %+v", got)
				}
				return
			}
			if len(got) != 1 || got[0].Function.Name != c.want {
				t.Fatalf("got %+v, want %s", got, c.want)
			}
		})
	}
}

func TestRegressionSaysHowMuch(t *testing.T) {
	got := regressions(map[string][2]float64{"serve;recommend.Score": {3100, 500}, "serve;cart.load": {4000, 2000}}, 2)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	r := got[0]
	if math.Abs(r.Now/r.Was-3.1) > .01 || math.Abs(r.Share-2100./5000) > .01 || r.Samples != [2]float64{3100, 500} || r.Caller.Name != "serve" || r.New {
		t.Errorf("%+v", r)
	}
}

// Two functions of one release are both told, and what called them is not.
func TestTwoRegressionsAtOnce(t *testing.T) {
	got := regressions(map[string][2]float64{"serve;h;a.f": {3000, 1000}, "serve;h;b.g": {2500, 1000}, "serve;h": {1000, 1000}}, 1)
	if len(got) != 2 || got[0].Function.Name != "a.f" || got[1].Function.Name != "b.g" {
		t.Errorf("%+v", got)
	}
}

// A thousand looks at profiles in which nothing changed but what chance makes of samples, and load: none is told.
func TestChanceIsNoRegression(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	poisson := func(mean float64) float64 { return max(0, math.Round(mean+math.Sqrt(mean)*r.NormFloat64())) }
	means := map[string]float64{"serve;h;a.f": 40, "serve;h;b.g": 300, "serve;h;c.x": 5, "serve;h": 90, "gc": 60, "serve;i;b.g": 80, "serve;i;d.y": 1}
	for range 1000 {
		load := .5 + 2*r.Float64()
		stacks := map[string][2]float64{}
		for s, m := range means {
			wobble := math.Exp(.05 * r.NormFloat64())
			stacks[s] = [2]float64{poisson(m * load * wobble), poisson(10 * m)}
		}
		if got := Regressions(merged(stacks), RegressionOptions{Scale: load / 10, Threshold: 11.5, Least: .01, Growth: 1.1}); len(got) > 0 {
			t.Fatalf("load %.2f: %+v", load, got)
		}
	}
}

func TestLenientTakesTheMeasureThatSaysLess(t *testing.T) {
	// Half the requests in as much time: what a process does anyway costs twice a request, and is no dearer.
	if got := Lenient(Exposure{Requests: 500, Seconds: 60}, Exposure{Requests: 1000, Seconds: 60}); got != 1 {
		t.Errorf("%g", got)
	}
	if got := Lenient(Exposure{Requests: 2000, Seconds: 60}, Exposure{Requests: 1000, Seconds: 60}); got != 2 {
		t.Errorf("%g", got)
	}
	if got := Lenient(Exposure{Seconds: 30}, Exposure{Requests: 1000, Seconds: 60}); got != .5 {
		t.Errorf("%g", got)
	}
}

func TestVariationIsBeyondChance(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	course := func(wobble float64) []Observation {
		var out []Observation
		for range 60 {
			n := 1000 * math.Exp(wobble*r.NormFloat64())
			n = math.Round(n + math.Sqrt(n)*r.NormFloat64())
			out = append(out, Observation{Value: n * 1e7, Samples: n, Exposure: 600})
		}
		return out
	}
	if v := Variation(course(0)); v > .05 {
		t.Errorf("of chance alone: %g", v)
	}
	if v := Variation(course(.3)); v < .2 || v > .4 {
		t.Errorf("of 30 %%: %g", v)
	}
	if v := Variation(nil); v != usualNoise {
		t.Errorf("of nothing: %g", v)
	}
}

func TestPlatform(t *testing.T) {
	for f, want := range map[Function]bool{
		{Name: "runtime.mallocgc", File: "/usr/local/go/src/runtime/malloc.go"}:            true,
		{Name: "runtime.mallocgc", File: "runtime/malloc.go"}:                              true,
		{Name: "encoding/json.Marshal", File: "/usr/lib/go/src/encoding/json/encode.go"}:   true,
		{Name: "log.Ship", File: "/home/me/shop/log/ship.go"}:                              false,
		{Name: "github.com/acme/shop/recommend.Score", File: "/build/shop/recommend/s.go"}: false,
		{Name: "recommend.Score", File: "score.go"}:                                        false,
		{Name: "java.util.HashMap.get"}:                                                    true,
		{Name: "com.shop.cart.Grpc.Get", File: "Grpc.java"}:                                false,
		{Name: "memcpy"}:                         true,
		{Name: "shop::score(int)", File: ""}:     false,
		{Name: "handle", File: "/app/server.js"}: false,
		{Name: "processTicksAndRejections", File: "node:internal/process/task_queues"}: true,
		{Name: "json.loads", File: "/usr/lib/python3.12/json/__init__.py"}:             true,
		{Name: "(garbage collector)"}:                                                  true,
	} {
		if got := Platform(f); got != want {
			t.Errorf("%s in %q: %v", f.Name, f.File, got)
		}
	}
}
