package explain

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/query"
)

// NoticerOptions say what a Noticer stands on. Zero fields take the defaults in brackets.
type NoticerOptions struct {
	DB         *query.DB
	Conn       driver.Conn           // for changes
	Every      time.Duration         // how often is looked for new versions (15 s)
	Logger     *slog.Logger          // (slog.Default())
	Now        func() time.Time      // (time.Now)
	Registerer prometheus.Registerer // nil: nothing is counted
}

// Noticer keeps the table of deployments: those it notices in the versions that services report, live or from a history
// that arrives in bulk, and those that are posted. What it remembers is a cache; after a restart it looks at everything
// again and stores nothing twice.
type Noticer struct {
	o       NoticerOptions
	noticed prometheus.Counter
	stop    context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex // guards what follows, and that one pass runs at a time
	known  map[query.RunningInstance]bool
	counts map[string]uint64
}

// How far back a Noticer looks: as long as rollups of a minute are surely kept with default settings, and for what just
// started only as far as is needed to know what ran before.
const (
	noticeAll    = 16 * 24 * time.Hour
	noticeRecent = 3 * time.Hour
	liveWindow   = 2 * time.Minute
	mostKnown    = 300_000 // instances remembered; beyond it all is forgotten and read again
	sameDeploy   = rollout // deployments of one version so close together are one
)

// NewNoticer starts looking; Close ends it.
func NewNoticer(o NoticerOptions) (*Noticer, error) {
	if o.Every == 0 {
		o.Every = 15 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	n := &Noticer{o: o, done: make(chan struct{}), known: map[query.RunningInstance]bool{}, counts: map[string]uint64{}}
	n.noticed = prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_deployments_noticed_total", Help: "Deployments noticed in the versions that services report."})
	if o.Registerer != nil {
		if err := o.Registerer.Register(n.noticed); err != nil {
			return nil, fmt.Errorf("register the deployments' metrics: %w", err)
		}
	}
	ctx, stop := context.WithCancel(query.Batch(context.Background()))
	n.stop = stop
	go n.run(ctx)
	return n, nil
}

// Close ends the looking; a pass under way is cancelled.
func (n *Noticer) Close(ctx context.Context) error {
	n.stop()
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop looking for deployments: %w", ctx.Err())
	}
}

func (n *Noticer) run(ctx context.Context) {
	defer close(n.done)
	tick := time.NewTicker(n.o.Every)
	defer tick.Stop()
	for {
		if _, err := n.Notice(ctx); err != nil && ctx.Err() == nil {
			n.o.Logger.Warn("deployments not looked for", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Notice looks once and stores what is new; it answers how many that were.
func (n *Noticer) Notice(ctx context.Context) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.o.Now()
	started, err := n.started(ctx, now)
	if err != nil {
		return 0, err
	}
	counts, err := n.o.DB.ResourceCounts(ctx)
	if err != nil {
		return 0, fmt.Errorf("count who reports: %w", err)
	}
	var grown []string
	for service, c := range counts {
		if c != n.counts[service] && !slices.Contains(started, service) {
			grown = append(grown, service)
		}
	}
	slices.Sort(grown)
	stored := 0
	for _, part := range []struct {
		services []string
		back     time.Duration
	}{{started, noticeRecent}, {grown, noticeAll}} {
		if len(part.services) == 0 {
			continue
		}
		k, err := n.store(ctx, query.Window{From: now.Add(-part.back), To: now.Add(time.Minute)}, part.services)
		if stored += k; err != nil {
			clear(n.known) // so that the next pass looks again
			return stored, err
		}
	}
	n.counts = counts
	return stored, nil
}

// started lists the services of which an instance reports a version it did not at the last pass. At the first pass
// nothing is known, and everything is left to the look at all of history.
func (n *Noticer) started(ctx context.Context, now time.Time) ([]string, error) {
	running, err := n.o.DB.Running(ctx, query.Window{From: now.Add(-liveWindow), To: now.Add(time.Minute)})
	if err != nil {
		return nil, fmt.Errorf("ask which versions run: %w", err)
	}
	first := len(n.counts) == 0
	if len(n.known) > mostKnown {
		clear(n.known)
	}
	var services []string
	for _, r := range running {
		if !n.known[r] {
			n.known[r] = true
			if !first {
				services = appendNew(services, r.Service)
			}
		}
	}
	slices.Sort(services)
	return services, nil
}

// store writes the deployments of some services in a window that the table has not.
func (n *Noticer) store(ctx context.Context, w query.Window, services []string) (int, error) {
	runs, err := n.o.DB.VersionRuns(ctx, w, services, "")
	if err != nil {
		return 0, fmt.Errorf("read which versions ran: %w", err)
	}
	found, _ := changes(runs, w.From)
	if len(found) == 0 {
		return 0, nil
	}
	have, err := n.o.DB.Deployments(ctx, query.Window{From: w.From.Add(-sameDeploy), To: w.To}, services, "")
	if err != nil {
		return 0, fmt.Errorf("read the deployments known: %w", err)
	}
	var fresh []query.Deployment
	for _, d := range found {
		if !slices.ContainsFunc(have, func(h query.Deployment) bool { return sameRollout(h, d) }) {
			fresh = append(fresh, d)
		}
	}
	if err := n.insert(ctx, fresh); err != nil {
		return 0, err
	}
	n.noticed.Add(float64(len(fresh)))
	for _, d := range fresh {
		n.o.Logger.Info("deployment noticed", "deployed", d.Service, "version", d.Version, "previous", d.Previous, "at", d.TS)
	}
	return len(fresh), nil
}

// sameRollout says whether two rows are about one deployment.
func sameRollout(a, b query.Deployment) bool {
	return a.Service == b.Service && a.Version == b.Version && (a.Env == b.Env || a.Env == "" || b.Env == "") && a.TS.Sub(b.TS).Abs() <= sameDeploy
}

func (n *Noticer) insert(ctx context.Context, list []query.Deployment) error {
	if len(list) == 0 {
		return nil
	}
	batch, err := n.o.Conn.PrepareBatch(ctx, "INSERT INTO deployments (service, env, version, ts, previous, source, text, link)")
	if err != nil {
		return fmt.Errorf("store deployments: %w", err)
	}
	defer batch.Close()
	for _, d := range list {
		if err := batch.Append(d.Service, d.Env, d.Version, d.TS, d.Previous, d.Source, d.Text, d.Link); err != nil {
			return fmt.Errorf("store the deployment of %s %s: %w", d.Service, d.Version, err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("store deployments: %w", err)
	}
	return nil
}

// Post stores a deployment that somebody told. One of the same version that was noticed within half an hour is the same:
// its row gets the text and the link, and keeps its time.
func (n *Noticer) Post(ctx context.Context, d query.Deployment) (query.Deployment, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d.Source, d.TS = "posted", d.TS.UTC().Truncate(time.Millisecond)
	have, err := n.o.DB.Deployments(ctx, query.Window{From: d.TS.Add(-noticeRecent), To: d.TS.Add(sameDeploy)}, []string{d.Service}, d.Env)
	if err != nil {
		return d, fmt.Errorf("read the deployments known: %w", err)
	}
	for _, h := range have {
		if sameRollout(h, d) {
			d.TS, d.Env, d.Previous = h.TS, h.Env, h.Previous
			return d, n.insert(ctx, []query.Deployment{d})
		}
	}
	runs, err := n.o.DB.VersionRuns(ctx, query.Window{From: d.TS.Add(-noticeRecent), To: d.TS}, []string{d.Service}, d.Env)
	if err != nil {
		return d, fmt.Errorf("read which versions ran: %w", err)
	}
	if v := commonest(servingAt(runs, d.TS)); v != d.Version {
		d.Previous = v
	}
	return d, n.insert(ctx, []query.Deployment{d})
}
