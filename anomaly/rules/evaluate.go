package rules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

const (
	tickStep  = 10 * time.Second
	catchUp   = 10 * time.Minute // of ticks missed by a rule at rest, beyond the time it waits; of others an hour
	grace     = time.Minute      // after a start, beyond a rule's window, in which missing data means nothing
	together  = 64               // rules whose questions share a statement
	burnBack  = 6 * time.Hour    // what burn windows look back on
	burnAgain = 3 * time.Minute
)

// Evaluate judges all rules and objectives at now and gives the alarms that go on, and those that ended in the last
// five minutes. An alarm's ID stays the same while it lasts. A rule that cannot be judged keeps its state; the error
// tells of the first.
func (e *Engine) Evaluate(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	e.evaluating.Lock()
	defer e.evaluating.Unlock()
	began := time.Now()
	defer func() { e.seconds.Add(time.Since(began).Seconds()) }()
	ctx = query.Batch(ctx)
	tick := now.UTC().Add(-e.o.Settle).Truncate(tickStep)
	err := e.judgeRules(ctx, tick)
	if sloErr := e.judgeObjectives(ctx, tick); err == nil {
		err = sloErr
	}
	if err == nil {
		err = e.readBudgets(ctx, 5*time.Minute)
	}
	return e.alarms(now), err
}

// alarms are those that go on, and those that ended of late.
func (e *Engine) alarms(now time.Time) []anomaly.Alarm {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = slices.DeleteFunc(e.ended, func(a anomaly.Alarm) bool { return now.Sub(a.Ended) > rememberEnded })
	out := slices.Clone(e.ended)
	for _, r := range e.rules {
		if r.rule.Enabled && r.machine.Status == firing {
			out = append(out, r.alarm())
		}
	}
	for _, o := range e.objectives {
		for i := range o.machines {
			if o.objective.Enabled && o.machines[i].Status == firing {
				out = append(out, o.alarm(i))
			}
		}
	}
	slices.SortFunc(out, func(a, b anomaly.Alarm) int {
		return cmp.Or(a.Began.Compare(b.Began), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// job is one rule at the ticks it has not seen.
type job struct {
	rule  Rule
	ticks query.RuleTicks
}

// due are the ticks a rule has not seen, up to tick. Rules over more than an hour look once a minute.
func due(r *Rule, m *machine, tick time.Time) (query.RuleTicks, bool) {
	step := tickStep
	if r.Window > 3600 {
		step = time.Minute
	}
	tick = tick.Truncate(step)
	t := query.RuleTicks{First: tick, Step: step, N: 1, Window: time.Duration(r.Window) * time.Second}
	if !m.Last.IsZero() {
		n := int(tick.Sub(m.Last) / step)
		if n <= 0 {
			return t, false
		}
		most := catchUp + time.Duration(r.For)*time.Second
		if m.Status == firing || m.Status == pending {
			most = time.Hour + time.Duration(r.For+r.KeepFiring)*time.Second
		}
		t.N = min(n, int(most/step))
		t.First = tick.Add(-time.Duration(t.N-1) * step)
	}
	return t, true
}

func (e *Engine) judgeRules(ctx context.Context, tick time.Time) error {
	groups := map[string][]job{}
	e.mu.Lock()
	for _, r := range e.rules {
		if t, ok := due(&r.rule, &r.machine, tick); ok && r.rule.Enabled {
			key := fmt.Sprint(r.rule.Signal, t)
			groups[key] = append(groups[key], job{r.rule.clone(), t})
		}
	}
	e.mu.Unlock()
	var first error
	for _, jobs := range groups {
		for part := range slices.Chunk(jobs, together) {
			if err := e.judge(ctx, part); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}

// judge asks for several rules at once; where that fails, for each alone, so that one does not stop the others.
func (e *Engine) judge(ctx context.Context, jobs []job) error {
	points, units, err := e.ask(ctx, jobs)
	switch {
	case err == nil:
		for i, j := range jobs {
			err = errors.Join(err, e.take(ctx, j, points[i], units[i]))
		}
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case len(jobs) > 1:
		var all error
		for _, j := range jobs {
			all = errors.Join(all, e.judge(ctx, []job{j}))
		}
		return all
	}
	e.failed.Inc()
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rules[jobs[0].rule.ID]; r != nil {
		r.err = reason(err)
	}
	return fmt.Errorf("evaluate rule %q: %w", jobs[0].rule.Name, err)
}

// reason is what a person is told of an error.
func reason(err error) string {
	var input *query.InputError
	if errors.As(err, &input) {
		return input.Error()
	}
	return "the store did not answer"
}

// take moves a rule's state over its ticks, and stores it where it changed.
func (e *Engine) take(ctx context.Context, j job, points []query.RulePoint, unit string) error {
	e.mu.Lock()
	r := e.rules[j.rule.ID]
	if r == nil || !r.rule.same(&j.rule) {
		e.mu.Unlock()
		return nil // it was changed meanwhile
	}
	r.err, r.unit = "", unit
	changed := false
	p := r.rule.policy()
	for i, x := range points {
		at := j.ticks.At(i)
		q := p
		if q.noData == "firing" && at.Before(e.began.Add(j.ticks.Window+grace)) {
			q.noData = "keep" // nothing came in since nobody listened
		}
		before := r.machine
		if r.machine.step(q, at, x) {
			changed = true
			if before.Status == firing {
				a := r.alarmOf(before)
				a.Ended = at
				e.ended = append(e.ended, a)
			}
		}
	}
	id, m := r.rule.ID, r.machine
	e.mu.Unlock()
	if !changed {
		return nil
	}
	return e.put(ctx, ruleStateKey+id, m)
}

// ask reads what rules of one signal see at the same ticks.
func (e *Engine) ask(ctx context.Context, jobs []job) (points [][]query.RulePoint, units []string, err error) {
	t := jobs[0].ticks
	units = make([]string, len(jobs))
	for i := range jobs {
		units[i] = jobs[i].rule.unit()
	}
	switch jobs[0].rule.Signal {
	case "red":
		questions := make([]query.RuleRedQuestion, len(jobs))
		for i, j := range jobs {
			questions[i] = query.RuleRedQuestion{Selection: query.Selection{Service: j.rule.Service, Operation: j.rule.Operation, Env: j.rule.Env}, Measure: j.rule.Measure, Quantile: j.rule.Quantile}
		}
		points, err = e.o.DB.RuleRed(ctx, t, questions)
	case "logs":
		searches := make([]string, len(jobs))
		for i, j := range jobs {
			searches[i] = j.rule.Query
		}
		points, err = e.o.DB.RuleLogs(ctx, t, searches)
		err = renamed(err, "q", "query")
	default:
		questions := make([]query.RuleMetricQuestion, len(jobs))
		for i, j := range jobs {
			questions[i] = query.RuleMetricQuestion{Name: j.rule.Metric, Agg: j.rule.Agg, Filter: j.rule.Filter}
		}
		var set *query.RuleMetricSet
		if set, err = e.o.DB.RuleMetricSeries(ctx, questions); err != nil {
			return nil, nil, renamed(renamed(err, "metric.aggregation", "agg"), "metric.filter", "filter")
		}
		for i := range units {
			units[i] = set.Unit(i)
		}
		points, err = e.o.DB.RuleMetrics(ctx, t, set)
	}
	return points, units, err
}

// renamed gives the wrong part of an input the name it has here.
func renamed(err error, from, to string) error {
	var input *query.InputError
	if errors.As(err, &input) && input.Field == from {
		return &query.InputError{Field: to, Reason: input.Reason}
	}
	return err
}

// judgeObjectives reads the minutes that are new or may still change, for all objectives in one statement.
func (e *Engine) judgeObjectives(ctx context.Context, tick time.Time) error {
	type due struct {
		o    Objective
		from time.Time
	}
	var fresh, known []due
	e.mu.Lock()
	for _, o := range e.objectives {
		switch {
		case !o.objective.Enabled || !tick.After(o.read):
		case tick.Sub(o.read) > burnBack:
			fresh = append(fresh, due{o.objective.clone(), tick.Add(-burnBack)})
		default:
			known = append(known, due{o.objective.clone(), o.read.Add(-burnAgain)})
		}
	}
	e.mu.Unlock()
	for _, list := range [][]due{fresh, known} {
		if len(list) == 0 {
			continue
		}
		from := list[0].from
		asked := make([]query.RuleObjective, len(list))
		for i, d := range list {
			asked[i] = d.o.counts()
			if d.from.Before(from) {
				from = d.from
			}
		}
		from = from.Truncate(time.Minute)
		counts, err := e.o.DB.RuleCounts(ctx, query.Window{From: from, To: tick.Add(time.Minute)}, time.Minute, asked)
		if err != nil {
			e.failed.Inc()
			return fmt.Errorf("evaluate objectives: %w", err)
		}
		for i, d := range list {
			if err := e.takeCounts(ctx, d.o, tick, counts[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *Engine) takeCounts(ctx context.Context, of Objective, tick time.Time, counts []query.RuleCount) error {
	e.mu.Lock()
	o := e.objectives[of.ID]
	if o == nil || !o.objective.same(&of) {
		e.mu.Unlock()
		return nil
	}
	for _, c := range counts {
		if !c.At.After(tick) {
			o.burn.Set(c.At, c.Total, c.Bad)
		}
	}
	o.read = tick
	changed := false
	o.state.Burn = o.state.Burn[:0:0]
	for i, r := range o.burn.Rates(tick, of.Target) {
		m := &o.machines[i]
		before := *m
		total := o.burn.Requests(r.Long)
		if m.step(burnPolicy, tick, burnPoint(r, total, o.burn.Failed(r.Long))) && (before.Status == firing || m.Status == firing) {
			changed = true
			if before.Status == firing {
				a := o.alarmOf(i, before)
				a.Ended = tick
				e.ended = append(e.ended, a)
			}
		}
		o.state.Burn = append(o.state.Burn, burnStatus(i, r, total > 0, m.Status == firing))
	}
	machines := o.machines
	e.mu.Unlock()
	if !changed {
		return nil
	}
	return e.put(ctx, sloStateKey+of.ID, machines)
}

// readBudgets reads how much of every error budget is left, unless that is younger than so much.
func (e *Engine) readBudgets(ctx context.Context, age time.Duration) error {
	now := e.o.Now()
	byDays := map[int][]Objective{}
	e.mu.Lock()
	if now.Sub(e.budgets) < age {
		e.mu.Unlock()
		return nil
	}
	e.budgets = now
	for _, o := range e.objectives {
		byDays[o.objective.WindowDays] = append(byDays[o.objective.WindowDays], o.objective.clone())
	}
	e.mu.Unlock()
	for _, list := range byDays {
		asked := make([]query.RuleObjective, len(list))
		for i := range list {
			asked[i] = list[i].counts()
		}
		counts, err := e.o.DB.RuleCounts(ctx, query.Window{From: now.Add(-list[0].window()), To: now.Add(time.Hour)}, time.Hour, asked)
		if err != nil {
			e.mu.Lock()
			e.budgets = time.Time{}
			e.mu.Unlock()
			return fmt.Errorf("read error budgets: %w", err)
		}
		e.mu.Lock()
		for i := range list {
			if o := e.objectives[list[i].ID]; o != nil && o.objective.same(&list[i]) {
				total, bad := totals(counts[i])
				o.state.budget(o.objective.Target, total, bad)
			}
		}
		e.mu.Unlock()
	}
	return nil
}

func totals(list []query.RuleCount) (total, bad float64) {
	for _, c := range list {
		total, bad = total+c.Total, bad+c.Bad
	}
	return total, bad
}

// ruleScore ranks what a person asked for above most of what was learned, nats.
const ruleScore = 20

func (r *ruled) alarm() anomaly.Alarm { return r.alarmOf(r.machine) }

func (r *ruled) alarmOf(m machine) anomaly.Alarm {
	a := anomaly.Alarm{
		ID: fmt.Sprintf("rule-%s-%d", r.rule.ID, m.Bad.Unix()), Subject: r.rule.subject(), Symptom: r.rule.symptom(), Channel: anomaly.ChannelRule,
		Began: m.Bad, Detected: detected(m), Unit: r.unit, Observed: m.Worst, Expected: r.rule.Threshold, Score: ruleScore, Sample: m.Sample,
		Paging: true, Name: r.rule.Name, Severity: r.rule.Severity, Labels: r.rule.Labels,
	}
	if m.Empty {
		a.Channel, a.Observed = anomaly.ChannelNoData, 0
	}
	if r.rule.above() {
		a.Lower, a.Upper = math.Min(0, r.rule.Threshold), r.rule.Threshold
	} else {
		a.Lower = r.rule.Threshold // without an upper limit
	}
	return a
}

// detected is when a machine that fires began to.
func detected(m machine) time.Time { return m.Since }

func (o *promised) alarm(i int) anomaly.Alarm { return o.alarmOf(i, o.machines[i]) }

func (o *promised) alarmOf(i int, m machine) anomaly.Alarm {
	w := anomaly.BurnWindows[i]
	objective := &o.objective
	a := anomaly.Alarm{
		ID:      fmt.Sprintf("slo-%s-%s-%d", objective.ID, burnNames[i], m.Bad.Unix()),
		Subject: anomaly.Subject{Env: objective.Env, Service: objective.Service, Operation: objective.Operation, Rule: objective.ID}, Channel: anomaly.ChannelBudget,
		Symptom: anomaly.SymptomErrors, Began: m.Bad, Detected: detected(m), Unit: "1", Score: ruleScore, Sample: m.Sample, Paging: true,
		Name: strings.TrimSpace(objective.Name), Severity: cmp.Or(objective.Severity, burnSeverities[i]), Labels: objective.Labels,
	}
	if objective.Kind == "latency" {
		a.Symptom = anomaly.SymptomLatency
	}
	// What is observed is the share of bad requests; expected is the one that uses the budget up exactly in time.
	a.Expected = 1 - objective.Target
	a.Upper = min(1, w.Factor*a.Expected)
	a.Observed = min(1, m.Worst*w.Factor*a.Expected)
	return a
}
