// Package promrules evaluates recording and alerting rules in Prometheus' format, from files and from the API: the
// groups of promtool and its YAML. Its main type is Engine: Evaluate starts the groups that are due and gives the
// alarms that go on; what rules record, and ALERTS with ALERTS_FOR_STATE, is stored as series. Its invariants: a group
// is evaluated at moments that follow from its name and interval alone, its rules one after the other; a rule that
// fails keeps the others going and says why; how long an alert has been active is known again after a restart.
package promrules

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store"
)

// Options say what an Engine stands on. Zero fields take the defaults in brackets.
type Options struct {
	Prom        *prom.Engine
	Conn        driver.Conn           // what is recorded, and rules of the API, are written through it
	Files       []string              // patterns of files with rules
	Interval    time.Duration         // of groups that say none (1 min)
	Offset      time.Duration         // how far back groups that say nothing look, so that what was sent is stored (5 s)
	Reread      time.Duration         // how often files and what the API stored are looked at (30 s)
	ExternalURL string                // for templates
	Registerer  prometheus.Registerer // nil: nothing is counted
	Logger      *slog.Logger          // (slog.Default())
}

// Engine evaluates groups of rules.
type Engine struct {
	o        Options
	external *url.URL
	failures prometheus.Counter
	recorded prometheus.Counter
	running  sync.WaitGroup
	stop     context.Context
	cancel   context.CancelFunc

	mu      sync.Mutex // guards what follows
	read    time.Time
	sources map[string]string // text of each file that was read last, by name
	broken  map[string]string // why a file is not in force
	groups  []*group
	written map[uint64]time.Time // series whose row is stored, and when
}

// keyPrefix begins the settings that hold the rules of the API.
const keyPrefix = "promrules/"

// New reads the rules. A file that cannot be read or understood is an error.
func New(ctx context.Context, o Options) (*Engine, error) {
	o.Interval = cmp.Or(o.Interval, time.Minute)
	o.Offset = cmp.Or(o.Offset, 5*time.Second)
	o.Reread = cmp.Or(o.Reread, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	external, err := url.Parse(o.ExternalURL)
	if err != nil {
		return nil, fmt.Errorf("read the external URL of rules: %w", err)
	}
	e := &Engine{o: o, external: external, written: map[uint64]time.Time{},
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_prom_rule_failures_total", Help: "Evaluations of recording and alerting rules that did not work."}),
		recorded: prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_prom_rule_samples_total", Help: "Samples written by recording and alerting rules."})}
	if o.Registerer != nil {
		for _, c := range []prometheus.Collector{e.failures, e.recorded} {
			if err := o.Registerer.Register(c); err != nil {
				return nil, fmt.Errorf("register the metrics of rules: %w", err)
			}
		}
	}
	e.stop, e.cancel = context.WithCancel(context.Background())
	if err := e.reload(ctx); err != nil {
		return nil, err
	}
	for name, why := range e.broken {
		if !strings.HasPrefix(name, keyPrefix) {
			return nil, fmt.Errorf("read the rules in %s: %s", name, why)
		}
	}
	o.Prom.SetRules(e.Groups)
	return e, nil
}

// Close ends what is being evaluated.
func (e *Engine) Close(context.Context) error {
	e.cancel()
	e.running.Wait()
	return nil
}

// reload reads files and settings; groups whose text did not change keep their state.
func (e *Engine) reload(ctx context.Context) error {
	sources := map[string]string{}
	broken := map[string]string{}
	for _, pattern := range e.o.Files {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return fmt.Errorf("find the rule files %q: %w", pattern, err)
		}
		if len(names) == 0 && !strings.ContainsAny(pattern, "*?[") {
			broken[pattern] = "there is no such file"
		}
		for _, name := range names {
			b, err := os.ReadFile(name)
			if err != nil {
				broken[name] = err.Error()
				continue
			}
			sources[name] = string(b)
		}
	}
	stored, err := store.Settings(ctx, e.o.Conn, keyPrefix)
	if err != nil {
		return err
	}
	for key, text := range stored {
		sources[key] = text
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.read = time.Now()
	var groups []*group
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		text := sources[name]
		if text == e.sources[name] && e.broken[name] == "" {
			groups = append(groups, e.of(name)...)
			continue
		}
		parsed, err := e.parse(name, text)
		if err != nil {
			broken[name] = err.Error()
			if e.broken[name] != err.Error() {
				e.o.Logger.Warn("rules cannot be understood; those read before stay in force", "file", name, "error", err)
			}
			groups = append(groups, e.of(name)...)
			continue
		}
		groups = append(groups, keepState(parsed, e.of(name))...)
	}
	e.sources, e.broken, e.groups = sources, broken, groups
	return nil
}

// of are the groups of one file. Called with mu held.
func (e *Engine) of(file string) []*group {
	var out []*group
	for _, g := range e.groups {
		if g.file == file {
			out = append(out, g)
		}
	}
	return out
}

// parse understands the text of a file as promtool does.
func (e *Engine) parse(file, text string) ([]*group, error) {
	parsed, errs := rulefmt.Parse([]byte(text), false, model.UTF8Validation, e.o.Prom.Parser(), e.o.Logger)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	var out []*group
	for _, g := range parsed.Groups {
		out = append(out, e.newGroup(file, g))
	}
	return out, nil
}

// keepState hands the state of rules on to those of the same name and expression.
func keepState(groups, before []*group) []*group {
	for _, g := range groups {
		for _, was := range before {
			if was.name != g.name {
				continue
			}
			g.last = was.last
			for _, r := range g.rules {
				for _, old := range was.rules {
					if old.spec.Alert == r.spec.Alert && old.spec.Record == r.spec.Record && old.spec.Expr == r.spec.Expr {
						old.mu.Lock()
						r.restored, r.before = old.restored, maps.Clone(old.before)
						for h, a := range old.active { // the old rule may still be being evaluated
							kept := *a
							r.active[h] = &kept
						}
						old.mu.Unlock()
						break
					}
				}
			}
		}
	}
	return groups
}

// Evaluate starts the groups that are due at now, without waiting for them, and gives the alarms of alerting rules
// that go on, and those that ended in the last fifteen minutes.
func (e *Engine) Evaluate(ctx context.Context, now time.Time) ([]anomaly.Alarm, error) {
	e.mu.Lock()
	old := time.Since(e.read) >= e.o.Reread
	e.mu.Unlock()
	var err error
	if old {
		err = e.reload(ctx)
	}
	e.mu.Lock()
	groups := slices.Clone(e.groups)
	e.mu.Unlock()
	var alarms []anomaly.Alarm
	for _, g := range groups {
		if ts, due := g.due(now); due && g.busy.CompareAndSwap(false, true) {
			e.running.Go(func() {
				defer g.busy.Store(false)
				e.evaluate(query.Batch(e.stop), g, ts)
			})
		}
		alarms = append(alarms, g.alarms()...)
	}
	return alarms, err
}

// Settle waits for the groups that are being evaluated.
func (e *Engine) Settle() { e.running.Wait() }

// due is the newest moment at which a group is to be evaluated, and whether it has not been.
func (g *group) due(now time.Time) (time.Time, bool) {
	h := fnv.New64a()
	h.Write([]byte(g.file + ";" + g.name))
	shift := time.Duration(h.Sum64() % uint64(g.interval))
	ts := now.Add(-shift).Truncate(g.interval).Add(shift)
	g.mu.Lock()
	defer g.mu.Unlock()
	return ts, g.last.IsZero() || ts.After(g.last)
}

// evaluate runs a group's rules one after the other.
func (e *Engine) evaluate(ctx context.Context, g *group, ts time.Time) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, max(g.interval, 10*time.Second))
	defer cancel()
	for _, r := range g.rules {
		start := time.Now()
		vector, err := e.eval(ctx, g, r, ts)
		if err == nil {
			err = e.record(ctx, r, vector, ts.Add(-g.offset))
		}
		if ctx.Err() != nil && e.stop.Err() != nil {
			return
		}
		if err != nil {
			e.failures.Inc()
			e.o.Logger.Warn("a rule cannot be evaluated", "file", g.file, "group", g.name, "rule", r.name(), "error", err)
		}
		r.done(ts, time.Since(start), err)
	}
	g.mu.Lock()
	g.last, g.took = ts, time.Since(began)
	g.mu.Unlock()
}

// query is how expressions and templates ask.
func (e *Engine) query(ctx context.Context, expr string, at time.Time) (promql.Vector, error) {
	a, err := e.o.Prom.Instant(ctx, expr, at)
	if err != nil {
		return nil, err
	}
	switch v := a.Value.(type) {
	case promql.Vector:
		return v, nil
	case promql.Scalar:
		return promql.Vector{{T: v.T, F: v.V}}, nil
	}
	return nil, errors.New("rule result is not a vector or scalar")
}
