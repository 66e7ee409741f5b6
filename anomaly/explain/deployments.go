package explain

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

// Restart is instances of a service that were replaced by ones of the same version.
type Restart struct {
	TS        time.Time `json:"ts"`
	Service   string    `json:"service"`
	Env       string    `json:"env"`
	Version   string    `json:"version"`
	Instances int       `json:"instances"`
}

// How changes of versions are read.
const (
	serving = 3 * time.Minute  // an instance that was heard of so recently still serves
	rollout = 30 * time.Minute // instances of one version that start within it are one deployment, or one restart
)

// changes reads deployments and restarts out of the versions that instances reported, oldest first. An instance that
// starts with a version none of those serving has is a deployment; one with a version that others have is part of a
// deployment under way, or, when one has just gone, a restart. What was there when the runs begin is neither.
func changes(runs []query.VersionRun, since time.Time) (deployments []query.Deployment, restarts []Restart) {
	byService := map[string][]query.VersionRun{}
	for _, r := range runs {
		k := r.Service + "\x00" + r.Env
		byService[k] = append(byService[k], r)
	}
	for _, list := range byService {
		slices.SortStableFunc(list, func(a, b query.VersionRun) int {
			return cmp.Or(a.From.Compare(b.From), strings.Compare(a.Instance, b.Instance), strings.Compare(a.Version, b.Version))
		})
		d, r := serviceChanges(list, since)
		deployments, restarts = append(deployments, d...), append(restarts, r...)
	}
	slices.SortFunc(deployments, func(a, b query.Deployment) int {
		return cmp.Or(a.TS.Compare(b.TS), strings.Compare(a.Service, b.Service), strings.Compare(a.Version, b.Version))
	})
	slices.SortFunc(restarts, func(a, b Restart) int { return cmp.Or(a.TS.Compare(b.TS), strings.Compare(a.Service, b.Service)) })
	return deployments, restarts
}

// serviceChanges reads the runs of one service, sorted by their beginning.
func serviceChanges(runs []query.VersionRun, since time.Time) (deployments []query.Deployment, restarts []Restart) {
	first := runs[0].From
	for i, r := range runs {
		if r.From.Sub(first) < serving || r.From.Before(since) {
			continue // it was there when we began to look
		}
		active := servingAt(runs[:i], r.From)
		if len(active) == 0 {
			continue
		}
		same := slices.IndexFunc(active, func(o query.VersionRun) bool { return o.Version == r.Version }) >= 0
		if slices.ContainsFunc(active, func(o query.VersionRun) bool { return o.Version == r.Version && o.Instance == r.Instance }) {
			continue // it was only silent
		}
		if rollingOut(deployments, r) {
			continue
		}
		if !same {
			deployments = append(deployments, query.Deployment{TS: r.From, Service: r.Service, Env: r.Env, Version: r.Version, Previous: commonest(active), Source: "noticed"})
			continue
		}
		gone := slices.ContainsFunc(runs, func(o query.VersionRun) bool {
			return o.Version == r.Version && o.Instance != r.Instance && o.To.Sub(r.From).Abs() <= serving && o.From.Before(r.From)
		})
		if !gone {
			continue // one instance more
		}
		if n := len(restarts) - 1; n >= 0 && restarts[n].Version == r.Version && r.From.Sub(restarts[n].TS) <= rollout {
			restarts[n].Instances++
			continue
		}
		restarts = append(restarts, Restart{TS: r.From, Service: r.Service, Env: r.Env, Version: r.Version, Instances: 1})
	}
	return deployments, restarts
}

// rollingOut says whether a start belongs to a deployment under way.
func rollingOut(deployments []query.Deployment, r query.VersionRun) bool {
	n := len(deployments) - 1
	return n >= 0 && deployments[n].Version == r.Version && r.From.Sub(deployments[n].TS) <= rollout
}

// servingAt are the runs that go on at a moment; of a service that was silent then, those heard of last.
func servingAt(runs []query.VersionRun, at time.Time) []query.VersionRun {
	var out []query.VersionRun
	last := time.Time{}
	for _, r := range runs {
		if !r.From.Before(at) {
			continue
		}
		if r.To.After(last) {
			last = r.To
		}
		if !r.To.Before(at.Add(-serving)) {
			out = append(out, r)
		}
	}
	if len(out) > 0 {
		return out
	}
	for _, r := range runs {
		if r.From.Before(at) && !r.To.Before(last.Add(-serving)) {
			out = append(out, r)
		}
	}
	return out
}

// commonest is the version that most of the runs have.
func commonest(runs []query.VersionRun) string {
	counts, best := map[string]int{}, ""
	for _, r := range runs {
		if counts[r.Version]++; counts[r.Version] > counts[best] || counts[r.Version] == counts[best] && r.Version > best {
			best = r.Version
		}
	}
	return best
}

// deploymentsNear are the deployments of the incident's time, noticed in what the services reported and posted. They
// are read afresh rather than from the table alone, so that a backtest sees what live detection saw.
func (e *Explainer) deploymentsNear(ctx context.Context, c *investigation) ([]query.Deployment, error) {
	w := query.Window{From: c.during.From.Add(-deployBefore - time.Hour), To: c.during.From.Add(deployAfter)}
	if c.during.To.Before(w.To) {
		w.To = c.during.To
	}
	names := c.path()
	runs, err := e.o.DB.VersionRuns(ctx, w, names, c.inc.Env)
	if err != nil {
		return nil, err
	}
	noticed, _ := changes(runs, w.From.Add(30*time.Minute))
	stored, err := e.o.DB.Deployments(ctx, w, names, c.inc.Env)
	if err != nil {
		return nil, err
	}
	for _, d := range stored {
		if d.Source == "posted" {
			noticed = append(noticed, d)
		}
	}
	return noticed, nil
}

// path lists the services of the traces that were read.
func (c *investigation) path() []string {
	seen := map[string]bool{}
	for _, t := range c.traces {
		for _, s := range t.spans {
			seen[s.Service] = true
		}
	}
	out := slices.Clone(c.inc.Services)
	for s := range seen {
		out = appendNew(out, s)
	}
	slices.Sort(out)
	return out
}
