// Package rules judges what people set: thresholds on requests, metrics and log counts, and objectives whose error
// budget must not burn too fast. Its main type is Engine: it keeps the rules, reads what they need for all of them in
// a few statements every ten seconds, and gives alarms to whoever makes incidents of them. Its invariant: a rule's
// state follows from what is stored and from its transitions, which are stored too, so that it goes on after a
// restart, and a preview decides as the rule would have.
package rules

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// Options say what an Engine stands on. Zero fields take the defaults in brackets.
type Options struct {
	DB         *query.DB
	Conn       driver.Conn           // rules and their states are written through it
	Now        func() time.Time      // (time.Now)
	Settle     time.Duration         // how old telemetry must be before it is judged (5 s)
	Registerer prometheus.Registerer // nil: nothing is counted
	Logger     *slog.Logger          // (slog.Default())
}

// Engine keeps and judges rules and objectives.
type Engine struct {
	o       Options
	began   time.Time
	failed  prometheus.Counter
	seconds prometheus.Counter

	evaluating sync.Mutex // one evaluation at a time

	mu         sync.Mutex // guards what follows
	rules      map[string]*ruled
	objectives map[string]*promised
	ended      []anomaly.Alarm // of late, so that nobody misses the end
	budgets    time.Time       // when the budgets were read last
}

// ruled is a rule with its state.
type ruled struct {
	rule    Rule
	machine machine
	unit    string
	err     string
}

// promised is an objective with its state: one machine for each pair of windows.
type promised struct {
	objective Objective
	burn      anomaly.Burn
	read      time.Time // minutes up to here are in burn
	machines  [len(anomaly.BurnWindows)]machine
	state     ObjectiveState
}

// Keys of the settings.
const (
	ruleKey       = "rule/"
	objectiveKey  = "slo/"
	ruleStateKey  = "rulestate/"
	sloStateKey   = "slostate/"
	rememberEnded = 5 * time.Minute
)

// New reads the rules and where they stood.
func New(ctx context.Context, o Options) (*Engine, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Settle == 0 {
		o.Settle = 5 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	e := &Engine{o: o, began: o.Now(), rules: map[string]*ruled{}, objectives: map[string]*promised{},
		failed:  prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_rules_failed_total", Help: "Evaluations of rules and objectives that did not work."}),
		seconds: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_rules_seconds_total", Help: "Time spent on evaluating rules and objectives."}),
	}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{e.failed, e.seconds} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register the metrics of rules: %w", err)
			}
		}
	}
	return e, e.load(ctx)
}

func (e *Engine) load(ctx context.Context) error {
	err := each(ctx, e, ruleKey, func(id string, r Rule) {
		r.ID = id
		e.rules[id] = &ruled{rule: r, unit: r.unit()}
	})
	if err == nil {
		err = each(ctx, e, objectiveKey, func(id string, o Objective) {
			o.ID = id
			e.objectives[id] = &promised{objective: o}
		})
	}
	if err == nil {
		err = each(ctx, e, ruleStateKey, func(id string, m machine) {
			if r := e.rules[id]; r != nil {
				r.machine = m
			}
		})
	}
	if err == nil {
		err = each(ctx, e, sloStateKey, func(id string, m [len(anomaly.BurnWindows)]machine) {
			if o := e.objectives[id]; o != nil {
				o.machines = m
			}
		})
	}
	return err
}

// each reads all settings of a kind. One that cannot be read is left out, and said.
func each[T any](ctx context.Context, e *Engine, prefix string, f func(id string, v T)) error {
	list, err := store.Settings(ctx, e.o.Conn, prefix)
	if err != nil {
		return err
	}
	for key, value := range list {
		var v T
		if err := json.Unmarshal([]byte(value), &v); err != nil {
			e.o.Logger.Warn("a stored rule cannot be read and is left out", "key", key, "error", err)
			continue
		}
		f(key[len(prefix):], v)
	}
	return nil
}

func (e *Engine) put(ctx context.Context, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return store.SetSetting(ctx, e.o.Conn, key, string(b))
}

// Rules are all rules with how they stand, by name.
func (e *Engine) Rules() []Rule {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []Rule{}
	for _, r := range e.rules {
		out = append(out, r.view())
	}
	slices.SortFunc(out, func(a, b Rule) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out
}

func (r *ruled) view() Rule {
	v := r.rule.clone()
	if !v.Enabled || r.machine.Status == "" && r.err == "" {
		return v
	}
	m := r.machine
	s := &RuleState{Status: m.Status, Unit: r.unit, Error: r.err}
	if r.err != "" {
		s.Status = failed
	}
	if m.judged {
		s.Value = &m.value
	}
	if at := m.Since; !at.IsZero() {
		if m.Status == firing || m.Status == pending {
			at = m.Bad
		}
		s.Since = &at
	}
	v.State = s
	return v
}

// Rule is one rule.
func (e *Engine) Rule(id string) (Rule, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rules[id]; r != nil {
		return r.view(), nil
	}
	return Rule{}, fmt.Errorf("rule %s: %w", id, query.ErrNotFound)
}

// AddRule stores a new rule, which is judged from now on.
func (e *Engine) AddRule(ctx context.Context, r Rule) (Rule, error) {
	e.mu.Lock()
	n := len(e.rules)
	e.mu.Unlock()
	if n >= mostRules {
		return Rule{}, wrong("name", "there are %d rules already, which is the most", mostRules)
	}
	r.ID = newID()
	return e.putRule(ctx, r)
}

// SetRule replaces a rule. Its state goes on where it still measures the same.
func (e *Engine) SetRule(ctx context.Context, id string, r Rule) (Rule, error) {
	if _, err := e.Rule(id); err != nil {
		return Rule{}, err
	}
	r.ID = id
	return e.putRule(ctx, r)
}

func (e *Engine) putRule(ctx context.Context, r Rule) (Rule, error) {
	if err := e.ready(ctx, &r); err != nil {
		return Rule{}, err
	}
	if err := e.put(ctx, ruleKey+r.ID, r); err != nil {
		return Rule{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.rules[r.ID]
	if old != nil && old.machine.Status != "" && !old.rule.same(&r) {
		if err := store.DeleteSetting(ctx, e.o.Conn, ruleStateKey+r.ID); err != nil {
			return Rule{}, err
		}
	}
	next := &ruled{rule: r.clone(), unit: r.unit()}
	if old != nil && old.rule.same(&r) {
		next.machine, next.unit, next.err = old.machine, old.unit, old.err
	} else if old != nil {
		e.end(old)
	}
	e.rules[r.ID] = next
	return next.view(), nil
}

// ready fills in and checks a rule, also against what is stored.
func (e *Engine) ready(ctx context.Context, r *Rule) error {
	r.normalize()
	if err := r.check(); err != nil {
		return err
	}
	if r.Signal != "logs" {
		return nil
	}
	if err := e.o.DB.CheckSearch(ctx, "logs", r.Query); err != nil {
		return renamed(err, "q", "query")
	}
	return nil
}

// DeleteRule removes a rule; what it opened ends.
func (e *Engine) DeleteRule(ctx context.Context, id string) error {
	if _, err := e.Rule(id); err != nil {
		return err
	}
	for _, key := range []string{ruleKey + id, ruleStateKey + id} {
		if err := store.DeleteSetting(ctx, e.o.Conn, key); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.rules[id]; r != nil {
		e.end(r)
	}
	delete(e.rules, id)
	return nil
}

// end closes the alarm of a rule that is no longer judged. e.mu is held.
func (e *Engine) end(r *ruled) {
	if r.machine.Status == firing {
		a := r.alarm()
		a.Ended = e.o.Now().UTC()
		e.ended = append(e.ended, a)
	}
}

// Objectives are all objectives with how they stand, by name.
func (e *Engine) Objectives(ctx context.Context) ([]Objective, error) {
	if err := e.readBudgets(ctx, time.Minute); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []Objective{}
	for _, o := range e.objectives {
		out = append(out, o.view())
	}
	slices.SortFunc(out, func(a, b Objective) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func (o *promised) view() Objective {
	v := o.objective.clone()
	s := o.state
	s.Burn = slices.Clone(s.Burn)
	if s.Burn == nil {
		s.Burn = []BurnStatus{}
	}
	v.State = &s
	return v
}

// Objective is one objective.
func (e *Engine) Objective(ctx context.Context, id string) (Objective, error) {
	if err := e.readBudgets(ctx, time.Minute); err != nil {
		return Objective{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if o := e.objectives[id]; o != nil {
		return o.view(), nil
	}
	return Objective{}, fmt.Errorf("objective %s: %w", id, query.ErrNotFound)
}

// AddObjective stores a new objective.
func (e *Engine) AddObjective(ctx context.Context, o Objective) (Objective, error) {
	e.mu.Lock()
	n := len(e.objectives)
	e.mu.Unlock()
	if n >= mostObjective {
		return Objective{}, wrong("name", "there are %d objectives already, which is the most", mostObjective)
	}
	o.ID = newID()
	return e.putObjective(ctx, o)
}

// SetObjective replaces an objective. Its state goes on where it still counts the same.
func (e *Engine) SetObjective(ctx context.Context, id string, o Objective) (Objective, error) {
	e.mu.Lock()
	_, found := e.objectives[id]
	e.mu.Unlock()
	if !found {
		return Objective{}, fmt.Errorf("objective %s: %w", id, query.ErrNotFound)
	}
	o.ID = id
	return e.putObjective(ctx, o)
}

func (e *Engine) putObjective(ctx context.Context, o Objective) (Objective, error) {
	o.normalize()
	if err := o.check(); err != nil {
		return Objective{}, err
	}
	if err := e.put(ctx, objectiveKey+o.ID, o); err != nil {
		return Objective{}, err
	}
	e.mu.Lock()
	if old := e.objectives[o.ID]; old != nil && !old.objective.same(&o) {
		if err := store.DeleteSetting(ctx, e.o.Conn, sloStateKey+o.ID); err != nil {
			e.mu.Unlock()
			return Objective{}, err
		}
	}
	next := &promised{objective: o.clone()}
	if old := e.objectives[o.ID]; old != nil && old.objective.same(&o) {
		next.burn, next.read, next.machines, next.state.Burn = old.burn, old.read, old.machines, old.state.Burn
	} else if old != nil {
		e.endBurning(old)
	}
	e.objectives[o.ID] = next
	e.mu.Unlock()
	if err := e.readBudgets(ctx, 0); err != nil {
		e.o.Logger.Warn("the error budget of a new objective is not known yet", "objective", o.ID, "error", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return next.view(), nil
}

// DeleteObjective removes an objective; what it opened ends.
func (e *Engine) DeleteObjective(ctx context.Context, id string) error {
	e.mu.Lock()
	_, found := e.objectives[id]
	e.mu.Unlock()
	if !found {
		return fmt.Errorf("objective %s: %w", id, query.ErrNotFound)
	}
	for _, key := range []string{objectiveKey + id, sloStateKey + id} {
		if err := store.DeleteSetting(ctx, e.o.Conn, key); err != nil {
			return err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if o := e.objectives[id]; o != nil {
		e.endBurning(o)
	}
	delete(e.objectives, id)
	return nil
}

func (e *Engine) endBurning(o *promised) {
	for i := range o.machines {
		if o.machines[i].Status == firing {
			a := o.alarm(i)
			a.Ended = e.o.Now().UTC()
			e.ended = append(e.ended, a)
		}
	}
}

// newID is 12 random bytes in hexadecimal.
func newID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
