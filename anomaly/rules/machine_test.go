package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

var start = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

// seen reads a tick: "-" is no data, "0.5" a value of 100 requests, "0.5/3" one of 3 requests.
func seen(t *testing.T, s string) query.RulePoint {
	t.Helper()
	if s == "-" {
		return query.RulePoint{}
	}
	p := query.RulePoint{Sample: 100, Data: true}
	value, sample, few := strings.Cut(s, "/")
	p.Value = number(t, value)
	if few {
		p.Sample = number(t, sample)
	}
	return p
}

func TestPolicies(t *testing.T) {
	half := 0.5
	red := func(f func(*Rule)) Rule {
		r := Rule{Name: "r", Enabled: true, Signal: "red", Service: "s", Measure: "error_ratio", Operator: ">", Threshold: 1}
		if f != nil {
			f(&r)
		}
		r.normalize()
		if err := r.check(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	// Of each tick, ten seconds apart: what is seen, and the status after: o k, p ending, f iring, n o data.
	for name, c := range map[string]struct {
		rule         Rule
		see, becomes string
	}{
		"at once":                        {red(nil), "0 2 2 0", "offo"},
		"the threshold itself is fine":   {red(nil), "1 1", "oo"},
		"unless it is included":          {red(func(r *Rule) { r.Operator = ">=" }), "1 0.9", "fo"},
		"below":                          {red(func(r *Rule) { r.Operator = "<" }), "1 0.9 1", "ofo"},
		"after 20 s":                     {red(func(r *Rule) { r.For = 20 }), "2 2 2 2 0", "ppffo"},
		"a dip starts the wait anew":     {red(func(r *Rule) { r.For = 20 }), "2 2 0 2 2 2", "ppoppf"},
		"until the recovery threshold":   {red(func(r *Rule) { r.Recovery = &half }), "2 0.8 0.6 0.5 0.8", "fffoo"},
		"keeps firing for 20 s":          {red(func(r *Rule) { r.KeepFiring = 20 }), "2 0 2 0 0", "ffffo"},
		"counted from the last bad tick": {red(func(r *Rule) { r.KeepFiring = 20 }), "2 0 0 0", "ffoo"},
		"little traffic says nothing":    {red(func(r *Rule) { r.MinTraffic = 20 }), "2/19 2/20 2/19", "ofo"},
		"no requests have no ratio":      {red(func(r *Rule) { r.Operator = "<"; r.Threshold = 1 }), "0/0 0/1", "of"},
		"no requests have a rate":        {red(func(r *Rule) { r.Measure, r.Operator = "rate", "<" }), "0/0", "f"},
		"no data is fine":                {red(func(r *Rule) { r.NoData = "ok" }), "0 - 2 - 0", "onfno"},
		"no data fires":                  {red(func(r *Rule) { r.NoData, r.For = "firing", 10 }), "0 - - - 0", "opffo"},
		"no data keeps what was":         {red(func(r *Rule) { r.NoData = "keep" }), "- 2 - - 0 -", "nfffon"},
		"no data keeps the wait":         {red(func(r *Rule) { r.NoData, r.For = "keep", 20 }), "2 - 2", "ppf"},
		"no data is not over for firing": {red(func(r *Rule) { r.NoData = "firing" }), "2 - - 0", "fffo"},
	} {
		t.Run(name, func(t *testing.T) {
			var m machine
			got := ""
			for i, s := range strings.Fields(c.see) {
				m.step(c.rule.policy(), start.Add(time.Duration(i)*tickStep), seen(t, s))
				got += m.Status[:1]
			}
			if got != c.becomes {
				t.Errorf("%s becomes %s, want %s", c.see, got, c.becomes)
			}
		})
	}
}

func TestWorstValueAndTimes(t *testing.T) {
	r := Rule{ID: "1", Signal: "red", Service: "s", Measure: "error_ratio", Operator: ">", Threshold: 1, For: 20, NoData: "firing"}
	var m machine
	for i, s := range strings.Fields("0 - 2 3 5/7 4") {
		m.step(r.policy(), start.Add(time.Duration(i)*tickStep), seen(t, s))
	}
	a := (&ruled{rule: r, machine: m}).alarm()
	if a.Observed != 5 || a.Sample != 7 || !a.Began.Equal(start.Add(10*time.Second)) || !a.Detected.Equal(start.Add(30*time.Second)) {
		t.Errorf("observed %g of %g, began %s, detected %s", a.Observed, a.Sample, a.Began, a.Detected)
	}
	if a.Channel != "rule" || a.Upper != 1 || a.Subject.Rule != "1" || !a.Paging {
		t.Errorf("%+v", a)
	}
}

func TestChecksNameTheField(t *testing.T) {
	high := 3.0
	for field, f := range map[string]func(*Rule){
		"name": func(r *Rule) { r.Name = " " }, "signal": func(r *Rule) { r.Signal = "traces" }, "service": func(r *Rule) { r.Service = "" },
		"measure": func(r *Rule) { r.Measure = "speed" }, "quantile": func(r *Rule) { r.Measure, r.Quantile = "latency", 2 },
		"metric": func(r *Rule) { r.Signal = "metric" }, "agg": func(r *Rule) { r.Signal, r.Metric, r.Agg = "metric", "m", "p42" },
		"filter": func(r *Rule) { r.Signal, r.Metric, r.Filter = "metric", "m", []string{"nonsense"} },
		"query":  func(r *Rule) { r.Signal, r.Query = "logs", "severity>=" }, "operator": func(r *Rule) { r.Operator = "==" },
		"recovery": func(r *Rule) { r.Recovery = &high }, "window_s": func(r *Rule) { r.Window = 15 }, "for_s": func(r *Rule) { r.For = -1 },
		"keep_firing_s": func(r *Rule) { r.KeepFiring = 1e9 }, "min_traffic": func(r *Rule) { r.MinTraffic = -1 }, "no_data": func(r *Rule) { r.NoData = "maybe" },
		"severity": func(r *Rule) { r.Severity = "loud" }, "labels": func(r *Rule) { r.Labels = map[string]string{"": "x"} },
	} {
		r := Rule{Name: "r", Signal: "red", Service: "s", Measure: "rate", Operator: ">", Threshold: 1}
		f(&r)
		r.normalize()
		wantField(t, r.check(), field)
	}
	for field, f := range map[string]func(*Objective){
		"name": func(o *Objective) { o.Name = "" }, "service": func(o *Objective) { o.Service = "" }, "kind": func(o *Objective) { o.Kind = "luck" },
		"slower_than_ms": func(o *Objective) { o.Kind = "latency" }, "target": func(o *Objective) { o.Target = 1 }, "window_days": func(o *Objective) { o.WindowDays = 91 },
		"severity": func(o *Objective) { o.Severity = "loud" },
	} {
		o := Objective{Name: "o", Service: "s", Kind: "availability", Target: 0.99}
		f(&o)
		o.normalize()
		wantField(t, o.check(), field)
	}
}

func TestSubjectService(t *testing.T) {
	for _, c := range []struct {
		rule Rule
		want string
	}{
		{Rule{Signal: "red", Service: "a"}, "a"},
		{Rule{Signal: "metric", Metric: "m", Filter: []string{"instance:1", "service:b"}}, "b"},
		{Rule{Signal: "logs", Query: `severity>=error service:c "service:x"`}, "c"},
		{Rule{Signal: "logs", Query: "severity>=error service:c*"}, ""},
	} {
		if got := c.rule.subject().Service; got != c.want {
			t.Errorf("%+v belongs to %q, want %q", c.rule, got, c.want)
		}
	}
}
