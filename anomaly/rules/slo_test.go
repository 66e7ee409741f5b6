package rules

import (
	"errors"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	var input *query.InputError
	if !errors.As(err, &input) || input.Field != field {
		t.Errorf("error %v, want one about %s", err, field)
	}
}

// counted is 100 requests a minute from from on, of which a share is bad.
func counted(from time.Time, minutes int, share float64) []query.RuleCount {
	out := make([]query.RuleCount, minutes)
	for i := range out {
		out[i] = query.RuleCount{At: from.Add(time.Duration(i) * time.Minute), Total: 100, Bad: 100 * share}
	}
	return out
}

func hourly(list []query.RuleCount) (out []query.RuleCount) {
	for _, c := range list {
		h := c.At.Truncate(time.Hour)
		if n := len(out); n == 0 || !out[n-1].At.Equal(h) {
			out = append(out, query.RuleCount{At: h})
		}
		out[len(out)-1].Total += c.Total
		out[len(out)-1].Bad += c.Bad
	}
	return out
}

func TestBurnRatesOverThePast(t *testing.T) {
	o := Objective{Target: 0.99, WindowDays: 30, Kind: "availability"}
	for name, c := range map[string]struct {
		share   float64
		minutes int
		fires   []string
	}{
		"within the budget":          {0.01, 180, nil},
		"five times too fast":        {0.05, 600, nil},
		"an outage":                  {1, 15, []string{"fast"}},
		"a short one is no alarm":    {1, 5, nil},
		"seven times, for six hours": {0.07, 420, []string{"slow"}},
	} {
		t.Run(name, func(t *testing.T) {
			from := start.Add(-8 * time.Hour)
			list := counted(from, 480, 0)
			list = append(list, counted(start, c.minutes, c.share)...)
			end := start.Add(time.Duration(c.minutes) * time.Minute)
			list = append(list, counted(end, 120, 0)...)
			p := tryObjective(&o, query.Window{From: start.Add(-time.Hour), To: end.Add(2 * time.Hour)}, time.Minute, list, hourly(list))
			got := map[string]Stretch{}
			for _, f := range p.Firing {
				got[f.Name] = f
			}
			if len(got) != len(c.fires) || len(got) != len(p.Firing) {
				t.Fatalf("fired %+v, want %v", p.Firing, c.fires)
			}
			for _, name := range c.fires {
				f, ok := got[name]
				if !ok || f.From.Before(start) || f.To == nil || f.To.Before(end) || f.To.Sub(end) > 40*time.Minute {
					t.Errorf("%s fired %+v", name, f)
				}
			}
			bad := c.share * 100 * float64(c.minutes)
			want := 1 - bad/(100*float64(len(list)))/0.01
			if left := p.BudgetLeft[len(p.BudgetLeft)-1]; left == nil || math.Abs(*left-want) > 1e-3 {
				t.Errorf("budget left %v, want %g", left, want)
			}
		})
	}
}

func TestFewRequestsBurnNothing(t *testing.T) {
	o := Objective{Target: 0.999, WindowDays: 30, Kind: "availability"}
	list := []query.RuleCount{{At: start, Total: 9, Bad: 9}, {At: start.Add(8 * time.Hour), Total: 100, Bad: 2}}
	p := tryObjective(&o, query.Window{From: start, To: start.Add(9 * time.Hour)}, time.Minute, list, hourly(list))
	if len(p.Firing) != 0 {
		t.Errorf("9 requests, and 2 failed ones, fired %+v", p.Firing)
	}
}

// TestCoarseCounts sees the same outage where only steps of five minutes are left.
func TestCoarseCounts(t *testing.T) {
	o := Objective{Target: 0.99, WindowDays: 30, Kind: "availability"}
	fine := append(counted(start.Add(-6*time.Hour), 360, 0), counted(start, 20, 1)...)
	fine = append(fine, counted(start.Add(20*time.Minute), 100, 0)...)
	var coarse []query.RuleCount
	for i := 0; i < len(fine); i += 5 {
		c := query.RuleCount{At: fine[i].At}
		for _, x := range fine[i : i+5] {
			c.Total, c.Bad = c.Total+x.Total, c.Bad+x.Bad
		}
		coarse = append(coarse, c)
	}
	w := query.Window{From: start.Add(-time.Hour), To: start.Add(2 * time.Hour)}
	a, b := tryObjective(&o, w, time.Minute, fine, hourly(fine)), tryObjective(&o, w, 5*time.Minute, coarse, hourly(fine))
	if len(a.Firing) != 1 || len(b.Firing) != 1 || a.Firing[0].From.Sub(b.Firing[0].From).Abs() > 5*time.Minute {
		t.Errorf("by the minute %+v, by five %+v", a.Firing, b.Firing)
	}
}
