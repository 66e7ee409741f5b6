package rules

import (
	"context"
	"math"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// Preview is what a rule would have done over a stretch of the past.
type Preview struct {
	Unit   string     `json:"unit"`
	TS     []int64    `json:"ts"`    // Unix milliseconds
	Value  []*float64 `json:"value"` // the worst up to the next; null: nothing to judge
	Firing []Stretch  `json:"firing"`
	StepMS int64      `json:"step_ms"` // how often it looked
}

// Stretch is a time in which it would have fired.
type Stretch struct {
	From time.Time  `json:"from"`
	To   *time.Time `json:"to"` // null: it still would
	Name string     `json:"name,omitempty"`
}

// ObjectivePreview is what an objective would have done over a stretch of the past.
type ObjectivePreview struct {
	TS         []int64        `json:"ts"`
	Ratio      []*float64     `json:"ratio"` // good requests over the objective's window up to then
	BudgetLeft []*float64     `json:"budget_left"`
	Firing     []Stretch      `json:"firing"`
	State      ObjectiveState `json:"state"`
}

const (
	mostPreview = 35 * 24 * time.Hour
	mostShown   = 720 // points of a chart
)

// previewStep is how often a rule is tried: as it looks when it is live where the range is short, and otherwise
// about as often as its window says something new.
func previewStep(db *query.DB, w query.Window, window time.Duration) time.Duration {
	step := tickStep
	if span := w.To.Sub(w.From); span > 6*time.Hour || window > 10*time.Minute {
		step = time.Minute
		if span > 10*24*time.Hour || window > 6*time.Hour {
			step = 10 * time.Minute
		}
	}
	return max(step, db.RuleStep(w.From.Add(-window)))
}

// PreviewRule tries a rule on the past.
func (e *Engine) PreviewRule(ctx context.Context, r Rule, w query.Window) (*Preview, error) {
	if err := e.ready(ctx, &r); err != nil {
		return nil, err
	}
	t, err := e.past(w, time.Duration(r.Window)*time.Second)
	if err != nil {
		return nil, err
	}
	points, units, err := e.ask(ctx, []job{{r, t}})
	if err != nil {
		return nil, err
	}
	return replay(&r, t, points[0], units[0]), nil
}

// past lays ticks over a window of the past.
func (e *Engine) past(w query.Window, window time.Duration) (query.RuleTicks, error) {
	if now := e.o.Now(); w.To.After(now) {
		w.To = now
	}
	switch {
	case !w.From.Before(w.To):
		return query.RuleTicks{}, wrong("from", "must lie before to, and in the past")
	case w.To.Sub(w.From) > mostPreview:
		return query.RuleTicks{}, wrong("from", "the range is longer than %d days", int(mostPreview.Hours()/24))
	}
	step := previewStep(e.o.DB, w, window)
	window = (window + step - 1).Truncate(step)
	first := w.From.Truncate(step).Add(step).UTC()
	return query.RuleTicks{First: first, Step: step, N: max(1, int(w.To.Sub(first)/step)+1), Window: window}, nil
}

func replay(r *Rule, t query.RuleTicks, points []query.RulePoint, unit string) *Preview {
	p := &Preview{Unit: unit, TS: []int64{}, Value: []*float64{}, Firing: []Stretch{}, StepMS: t.Step.Milliseconds()}
	every := (t.N + mostShown - 1) / mostShown
	var m machine
	policy := r.policy()
	for i, x := range points {
		at := t.At(i)
		if m.step(policy, at, x) {
			p.Firing = moved(p.Firing, m.Status == firing, at, "")
		}
		if i%every == 0 {
			p.TS, p.Value = append(p.TS, at.UnixMilli()), append(p.Value, nil)
		}
		last := &p.Value[len(p.Value)-1]
		if v := x.Value; m.judged && (*last == nil || holds(v, r.Operator, **last)) {
			*last = &v
		}
	}
	return p
}

// moved opens or closes the stretch of a name.
func moved(list []Stretch, fires bool, at time.Time, name string) []Stretch {
	if fires {
		return append(list, Stretch{From: at, Name: name})
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Name == name {
			if list[i].To == nil {
				list[i].To = &at
			}
			break
		}
	}
	return list
}

// PreviewObjective tries an objective on the past.
func (e *Engine) PreviewObjective(ctx context.Context, o Objective, w query.Window) (*ObjectivePreview, error) {
	o.normalize()
	if err := o.check(); err != nil {
		return nil, err
	}
	now := e.o.Now()
	if w.To.After(now) {
		w.To = now
	}
	if !w.From.Before(w.To) {
		return nil, wrong("from", "must lie before to, and in the past")
	}
	if w.To.Sub(w.From) > 92*24*time.Hour {
		return nil, wrong("from", "the range is longer than 92 days")
	}
	fine := time.Minute
	if w.To.Sub(w.From) > 2*24*time.Hour {
		fine = 5 * time.Minute
	}
	asked := []query.RuleObjective{o.counts()}
	end := w.To.Add(fine)
	recent, err := e.o.DB.RuleCounts(ctx, query.Window{From: w.From.Add(-burnBack), To: end}, fine, asked)
	if err != nil {
		return nil, err
	}
	hours, err := e.o.DB.RuleCounts(ctx, query.Window{From: w.From.Add(-o.window()), To: w.To.Add(time.Hour)}, time.Hour, asked)
	if err != nil {
		return nil, err
	}
	return tryObjective(&o, w, fine, recent[0], hours[0]), nil
}

// tryObjective replays counts by fine steps for the burn rates, and by the hour for the budget and for burn rates
// where nothing finer is kept.
func tryObjective(o *Objective, w query.Window, fine time.Duration, recent, hours []query.RuleCount) *ObjectivePreview {
	p := &ObjectivePreview{TS: []int64{}, Ratio: []*float64{}, BudgetLeft: []*float64{}, Firing: []Stretch{}}
	var burn anomaly.Burn
	var machines [len(anomaly.BurnWindows)]machine
	var total, bad float64 // of the hours in the window
	var early []query.RuleCount
	in, out, next := 0, 0, 0
	first := w.From.Truncate(fine).UTC()
	n := int(math.Ceil(float64(w.To.Sub(first)) / float64(fine)))
	every := max(1, (n+mostShown-1)/mostShown)
	for _, h := range hours {
		if !h.At.Before(w.From.Add(-burnBack)) && (len(recent) == 0 || !h.At.Add(time.Hour).After(recent[0].At)) {
			early = append(early, h)
		}
	}
	for i := range n {
		at := first.Add(time.Duration(i+1) * fine)
		for ; len(early) > 0 && early[0].At.Add(time.Hour-time.Minute).Before(at); early = early[1:] {
			spread(&burn, early[0], 60)
		}
		for ; next < len(recent) && recent[next].At.Before(at); next++ {
			spread(&burn, recent[next], int(fine/time.Minute))
		}
		last := at.Add(-time.Minute) // the minute that ends here
		var states []BurnStatus
		for k, r := range burn.Rates(last, o.Target) {
			requests := burn.Requests(r.Long)
			if at.After(w.From) && machines[k].step(burnPolicy, at, burnPoint(r, requests, burn.Failed(r.Long))) {
				p.Firing = moved(p.Firing, machines[k].Status == firing, at, burnNames[k])
			}
			states = append(states, burnStatus(k, r, requests > 0, machines[k].Status == firing))
		}
		p.State.Burn = states
		if i%every != 0 && i != n-1 {
			continue
		}
		for ; in < len(hours) && hours[in].At.Before(at); in++ {
			total, bad = total+hours[in].Total, bad+hours[in].Bad
		}
		for ; out < in && hours[out].At.Before(at.Add(-o.window()).Truncate(time.Hour)); out++ {
			total, bad = total-hours[out].Total, bad-hours[out].Bad
		}
		p.State.budget(o.Target, total, bad)
		p.TS = append(p.TS, at.UnixMilli())
		p.Ratio, p.BudgetLeft = append(p.Ratio, p.State.Ratio), append(p.BudgetLeft, p.State.BudgetLeft)
	}
	return p
}

// spread adds a step of several minutes to the minutes it covers.
func spread(b *anomaly.Burn, c query.RuleCount, minutes int) {
	for k := range minutes {
		b.Add(c.At.Add(time.Duration(k)*time.Minute), c.Total/float64(minutes), c.Bad/float64(minutes))
	}
}
