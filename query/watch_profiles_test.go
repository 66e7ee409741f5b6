package query

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// What profiles cost is read for all services at once, by version and step: CPU time with its samples, and what memory was
// allocated from profiles that count since their process began.
func TestCostsOfAllServices(t *testing.T) {
	p := newProfiled(t)
	begin := time.Now().Truncate(time.Hour).Add(-2 * time.Hour)
	heap := func(alloc int64) []byte {
		q, err := profile.ParseUncompressed(made(t, map[string]int64{"main.run;main.alloc": alloc / (4 << 10)}))
		if err != nil {
			t.Fatal(err)
		}
		q.SampleType = []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}}
		q.Sample[0].Value, q.DurationNanos = append(q.Sample[0].Value, alloc), 0
		var b bytes.Buffer
		if err := q.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	push := func(service, version string, at time.Time, body []byte) {
		t.Helper()
		query := fmt.Sprintf("service=%s&from=%d&label.service.version=%s&label.service.instance.id=%s-0&label.deployment.environment.name=prod", service, at.UnixNano(), version, service)
		if code, answer := p.push(query, body); code != 200 {
			t.Fatalf("%d %s", code, answer)
		}
	}
	for i := range 10 {
		at := begin.Add(time.Duration(i) * time.Minute)
		for _, service := range []string{"shop", "cart"} {
			push(service, "1", at, made(t, map[string]int64{"main.run;a.encode": 3e9, "main.run": 1e9}))
		}
		push("shop", "1", at, heap(int64(i+1)<<30))
	}
	p.flush()
	exec(t, p.conn, fmt.Sprintf(`INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls)
SELECT 'service', toDateTime(%d) + 60 * number, 'shop', '', 'unspecified', 'prod', '1', 'shop-0', 30 FROM numbers(10)`, begin.Unix()))
	ctx := context.Background()
	w := Window{begin, begin.Add(10 * time.Minute)}
	profiles, err := p.db.CostProfiles(ctx, w, 5*time.Minute, "")
	if err != nil {
		t.Fatal(err)
	}
	seconds := map[string]float64{}
	for _, x := range profiles {
		seconds[x.Service+" "+x.Cost] += x.Seconds
	}
	if len(profiles) != 6 || seconds["shop cpu"] != 600 || seconds["cart cpu"] != 600 || seconds["shop alloc"] != 540 { // the first of them shows no growth
		t.Fatalf("%v of %+v", seconds, profiles)
	}
	requests, err := p.db.CostRequests(ctx, w, 5*time.Minute, []string{"cart", "shop"})
	if err != nil {
		t.Fatal(err)
	}
	for k, e := range Expose(profiles, requests, 5*time.Minute, w.To) {
		want := 0.0
		if k.Service == "shop" {
			want = .5 * e.Seconds
		}
		if math.Abs(e.Requests-want) > 1e-6 {
			t.Errorf("%+v stands for %+v", k, e)
		}
	}
	for cost, want := range map[string]struct{ value, samples float64 }{CostCPU: {4e10, 4000}, CostAlloc: {9 << 30, 9 * 2048}} {
		rows, err := p.db.CostSamples(ctx, w, 5*time.Minute, cost, "shop", profiles)
		if err != nil {
			t.Fatal(err)
		}
		value, samples := 0.0, 0.0
		for _, s := range rows.Samples {
			value, samples = value+s.Value, samples+s.Samples
		}
		if value != want.value || math.Abs(samples/want.samples-1) > .02 || rows.Groups[0].Version != "1" || rows.Groups[0].Env != "prod" {
			t.Errorf("%s: %g on %g samples, want %+v", cost, value, samples, want)
		}
	}
	side, err := p.db.CostOf(ctx, CostSelection{Cost: CostCPU, Type: "cpu", Env: "prod", Service: "shop", Version: "1", Windows: []Window{{begin, begin.Add(2 * time.Minute)}, {begin.Add(5 * time.Minute), begin.Add(6 * time.Minute)}}})
	if err != nil {
		t.Fatal(err)
	}
	if len(side.Stacks) != 2 || side.Stacks[0].Value != 9e9 || side.Seconds != 180 || side.Requests != 90 || side.Profiles != 3 {
		t.Errorf("%+v", side)
	}
	frames, stacks, err := p.db.StackFunctions(ctx, "shop", []uint64{side.Stacks[0].Stack})
	if err != nil {
		t.Fatal(err)
	}
	if path := stacks[side.Stacks[0].Stack]; len(path) != 2 || frames[path[1]].Function != "a.encode" || frames[path[1]].File != "a.encode.go" {
		t.Errorf("%+v %+v", frames, stacks)
	}
	if none, err := p.db.CostOf(ctx, CostSelection{Cost: CostCPU, Type: "cpu", Env: "prod", Service: "shop", Version: "2", Windows: []Window{w}}); err != nil || len(none.Stacks) != 0 {
		t.Errorf("of a version without profiles: %+v %v", none, err)
	}
}

// A profile stands for the requests of its own process; where requests do not name it, for a share of its version's.
func TestExposure(t *testing.T) {
	g := CostGroup{Cost: CostCPU, Type: "cpu", Env: "prod", Service: "shop", Version: "1"}
	taken := func(instance string, seconds float64) CostProfiles {
		return CostProfiles{CostGroup: g, Instance: instance, Profiles: 1, Seconds: seconds}
	}
	got := func(requests []ServiceRequests, end int64, profiles ...CostProfiles) float64 {
		return Expose(profiles, requests, 5*time.Minute, time.Unix(end, 0))[CostStep{CostGroup: g}].Requests
	}
	two := []ServiceRequests{{Env: "prod", Service: "shop", Version: "1", Instance: "a", Calls: 300, Last: 240}, {Env: "prod", Service: "shop", Version: "1", Instance: "b", Calls: 900, Last: 240}}
	for name, c := range map[string]struct{ got, want float64 }{
		"ten seconds a minute":       {got(two, 300, taken("a", 50)), 50},
		"of both":                    {got(two, 300, taken("a", 50), taken("b", 50)), 200},
		"of a process not named":     {got(two, 300, taken("pid 7", 50)), 100},
		"of a step not over":         {got(two[:1], 240, taken("a", 40)), 50},
		"of processes not told":      {got([]ServiceRequests{{Service: "shop", Version: "1", Calls: 600, Last: 240}}, 300, taken("x", 60), taken("y", 60)), 120},
		"of a version not told":      {got([]ServiceRequests{{Service: "shop", Calls: 600, Last: 240}}, 300, taken("x", 300)), 600},
		"where nothing is requested": {got(nil, 300, taken("a", 50)), 0},
	} {
		if math.Abs(c.got-c.want) > 1e-6 {
			t.Errorf("%s: stands for %g requests, want %g", name, c.got, c.want)
		}
	}
}
