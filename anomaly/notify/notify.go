// Package notify tells people of incidents where they are: chat, paging services, email, webhooks. Notifier is its
// main type: Notify takes each change of an incident and returns at once; what there is to tell follows from the
// incidents, the routing and the silences as they are now, and is worked out again every few seconds, so that the end
// of a silence or the beginning of an on-call window needs no event. Each message is a row of table deliveries, with
// an id made of channel, incident and state, written before it is sent: nothing is told twice, and a restart goes on
// where it stopped.
//
//	Notify ──▶ inbox ──▶ plan (routing, silences, inhibition) ──▶ deliveries ──▶ one sender a channel ──▶ receiver
//	                       ▲ every 5 s                                 ▲                 │
//	                       └───────────────────────────────────────────┴──── answer ◀────┘
package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// Options configure a Notifier.
type Options struct {
	Conn      driver.Conn
	Keys      *Keys
	Networks  Networks      // where messages may go
	BaseURL   func() string // address of the web application as people reach it
	Reachable bool          // receivers elsewhere can fetch charts from there

	// Series reads what an alarm's chart shows; nil: messages have no chart.
	Series func(ctx context.Context, alarm anomaly.Alarm, from, to time.Time) (Series, error)

	// Example finds the path of a trace's page that shows an incident, for one that was told before it was explained;
	// nil, or an empty path: the message has none.
	Example func(ctx context.Context, inc anomaly.Incident) (path string, err error)

	Roots      *x509.CertPool        // whom to trust for TLS (the system's)
	Logger     *slog.Logger          // (slog.Default())
	Registerer prometheus.Registerer // nil: nothing is counted
	Now        func() time.Time      // (time.Now)
	Tick       time.Duration         // how often what there is to tell is worked out without a change (5 s)
}

// Notifier tells incidents to channels.
type Notifier struct {
	o      Options
	client *http.Client
	charts *charts
	counts counts

	wake   chan struct{}
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu         sync.Mutex // guards what follows
	inbox      map[string]arrival
	channels   map[string]*Channel // secrets in the clear
	broken     map[string]string   // why channels' secrets cannot be read, by id
	routing    Routing
	silences   map[string]*Silence
	incidents  map[string]*told
	sending    map[string]bool      // channels with a message on its way
	lastSent   map[string]time.Time // by channel
	unwritten  map[string]*Delivery // what could not be stored yet
	lastFailed time.Time            // of storing
	lastLooked time.Time            // when it was last read who looks after what
}

// arrival is a change of an incident that has not been looked at; of several the last counts.
type arrival struct {
	incident anomaly.Incident
	fresh    bool // it has just been opened: there can be no deliveries of it
}

// told is an incident with what was told of it, by delivery id.
type told struct {
	incident   anomaly.Incident
	deliveries map[string]*Delivery
	changed    time.Time
	looked     bool // somebody has said that they look after it: it is not repeated
}

// Bounds.
const (
	maxChannels = 50
	maxInbox    = 10_000          // incidents not looked at yet
	keepFor     = 2 * time.Hour   // how long a resolved incident is kept at hand: it may come back
	lookBack    = 24 * time.Hour  // of incidents resolved while nobody was running
	sendTimeout = 8 * time.Second // of one try
	spacing     = time.Second     // between messages to one channel: what Slack, for one, asks for
)

type counts struct {
	sent    *prometheus.CounterVec
	pending prometheus.GaugeFunc
	dropped prometheus.Counter
}

// New reads channels, routing, silences and what was still to be sent, and begins to send.
func New(ctx context.Context, o Options) (*Notifier, error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tick == 0 {
		o.Tick = 5 * time.Second
	}
	n := &Notifier{o: o, client: o.Networks.client(sendTimeout, o.Roots), wake: make(chan struct{}, 1), inbox: map[string]arrival{}, channels: map[string]*Channel{},
		broken: map[string]string{}, silences: map[string]*Silence{}, incidents: map[string]*told{}, sending: map[string]bool{}, lastSent: map[string]time.Time{}, unwritten: map[string]*Delivery{}}
	n.charts = newCharts()
	if err := n.register(); err != nil {
		return nil, err
	}
	if err := n.load(ctx); err != nil {
		return nil, err
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.ended.Add(1)
	go n.run()
	return n, nil
}

func (n *Notifier) register() error {
	n.counts.sent = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tidemark_notify_attempts_total",
		Help: "Tries of messages, by type of channel, state told and outcome: delivered, retried, failed."}, []string{"type", "state", "outcome"})
	n.counts.dropped = prometheus.NewCounter(prometheus.CounterOpts{Name: "tidemark_notify_dropped_total", Help: "Changes of incidents that were not looked at, for there were too many."})
	n.counts.pending = prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "tidemark_notify_pending", Help: "Messages waiting to be sent, or to be sent again."}, func() float64 {
		n.mu.Lock()
		defer n.mu.Unlock()
		return float64(len(n.pending()))
	})
	if n.o.Registerer == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{n.counts.sent, n.counts.dropped, n.counts.pending} {
		if err := n.o.Registerer.Register(c); err != nil {
			return fmt.Errorf("register the metrics of messages: %w", err)
		}
	}
	return nil
}

// load reads the state: settings, unsent deliveries, and the incidents they and others are about.
func (n *Notifier) load(ctx context.Context) error {
	if err := n.loadSettings(ctx); err != nil {
		return err
	}
	unsent, err := n.unsent(ctx)
	if err != nil {
		return err
	}
	ids := []string{}
	for _, d := range unsent {
		if d.State == StateTest { // nobody waits for it any more
			continue
		}
		ids = append(ids, d.Incident)
	}
	recent, err := loadIncidents(ctx, n.o.Conn, `id IN (
	SELECT id FROM incidents GROUP BY id
	HAVING argMax(resolved_at, incidents.updated_at) < '1971-01-01' OR max(incidents.updated_at) > ? OR has(?, id))`, n.o.Now().Add(-lookBack), ids)
	if err != nil {
		return err
	}
	all := make([]string, len(recent))
	for i, inc := range recent {
		all[i] = inc.ID
		n.incidents[inc.ID] = &told{incident: inc, deliveries: map[string]*Delivery{}, changed: n.o.Now()}
	}
	deliveries, err := n.deliveriesOf(ctx, all)
	if err != nil {
		return err
	}
	for _, d := range append(deliveries, unsent...) {
		n.remember(d)
	}
	return nil
}

// remember keeps a delivery at hand with its incident. Callers hold mu, or are alone.
func (n *Notifier) remember(d *Delivery) {
	if d.State == StateTest {
		return
	}
	t := n.incidents[d.Incident]
	if t == nil {
		t = &told{incident: d.body.Incident, deliveries: map[string]*Delivery{}, changed: n.o.Now()}
		n.incidents[d.Incident] = t
	}
	t.deliveries[d.ID] = d
}

// Notify takes a change of an incident: "opened", "updated" or "resolved". It never waits for a receiver or the store.
func (n *Notifier) Notify(_ context.Context, inc anomaly.Incident, change string) {
	n.mu.Lock()
	_, known := n.inbox[inc.ID]
	if !known && len(n.inbox) >= maxInbox {
		n.mu.Unlock()
		n.counts.dropped.Inc()
		return
	}
	n.inbox[inc.ID] = arrival{incident: plain(inc), fresh: change == "opened" || known && n.inbox[inc.ID].fresh}
	n.mu.Unlock()
	n.poke()
}

// plain is the incident with numbers that JSON can hold.
func plain(inc anomaly.Incident) anomaly.Incident {
	inc.Affected = finite(inc.Affected)
	inc.Alarms = append([]anomaly.Alarm(nil), inc.Alarms...)
	for i := range inc.Alarms {
		a := &inc.Alarms[i]
		for _, v := range []*float64{&a.Observed, &a.Expected, &a.Lower, &a.Upper, &a.Score, &a.Once, &a.Sample, &a.History} {
			*v = finite(*v)
		}
	}
	inc.RootCauses = append([]anomaly.RootCause(nil), inc.RootCauses...)
	for i := range inc.RootCauses {
		inc.RootCauses[i].Confidence = finite(inc.RootCauses[i].Confidence)
	}
	return inc
}

// base is the web application's address without a slash at its end.
func (n *Notifier) base() string { return strings.TrimRight(n.o.BaseURL(), "/") }

func (n *Notifier) poke() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Close stops sending. What is on its way may end within ctx; what waits is sent after the next start.
func (n *Notifier) Close(ctx context.Context) error {
	n.cancel()
	done := make(chan struct{})
	go func() { n.ended.Wait(); close(done) }()
	select {
	case <-done:
		n.client.CloseIdleConnections()
		return nil
	case <-ctx.Done():
		return errors.New("messages were still on their way")
	}
}

// run works out what there is to tell, and has it sent, until Close.
func (n *Notifier) run() {
	defer n.ended.Done()
	tick := time.NewTicker(n.o.Tick)
	defer tick.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		case <-n.wake:
		case <-timer.C:
		}
		n.receive()
		n.acknowledged()
		n.plan()
		n.store(nil)
		if next := n.dispatch(); next > 0 {
			timer.Reset(next)
		}
	}
}

// receive takes what has arrived, with what was told of it before.
func (n *Notifier) receive() {
	n.mu.Lock()
	arrived := n.inbox
	n.inbox = map[string]arrival{}
	var unknown []string
	for id, a := range arrived {
		if n.incidents[id] == nil && !a.fresh {
			unknown = append(unknown, id)
		}
	}
	n.mu.Unlock()
	var before []*Delivery
	if len(unknown) > 0 {
		var err error
		if before, err = n.deliveriesOf(n.ctx, unknown); err != nil { // told before or not: better twice than never
			n.o.Logger.Warn("what was told of incidents before is not known", "error", err)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, d := range before {
		n.remember(d)
	}
	now := n.o.Now()
	for id, a := range arrived {
		t := n.incidents[id]
		if t == nil {
			t = &told{deliveries: map[string]*Delivery{}}
			n.incidents[id] = t
		}
		t.incident, t.changed = a.incident, now
	}
}

// lookEvery is how often it is read which incidents somebody looks after.
const lookEvery = 30 * time.Second

// acknowledged notes which open incidents somebody looks after.
func (n *Notifier) acknowledged() {
	n.mu.Lock()
	now := n.o.Now()
	var ids []string
	for id, t := range n.incidents {
		if t.incident.Status == "open" && !t.looked && len(t.deliveries) > 0 {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 || now.Sub(n.lastLooked) < lookEvery {
		n.mu.Unlock()
		return
	}
	n.lastLooked = now
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(n.ctx, 5*time.Second)
	defer cancel()
	var looked []string
	if err := n.o.Conn.QueryRow(ctx, "SELECT groupUniqArray(incident) FROM incident_events WHERE has(?, incident) AND kind = 'acknowledged'", ids).Scan(&looked); err != nil {
		n.o.Logger.Warn("who looks after incidents is not known", "error", err)
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range looked {
		if t := n.incidents[id]; t != nil {
			t.looked = true
		}
	}
}

// store writes deliveries, and those that could not be written before. Sending goes on without: detection stands on
// the same store, and a message that is late is worse than one that may be told again after a crash.
func (n *Notifier) store(list []*Delivery) {
	n.mu.Lock()
	now := time.Now()
	for _, d := range list {
		c := *d
		n.unwritten[d.ID] = &c
	}
	if len(n.unwritten) == 0 || len(list) == 0 && now.Sub(n.lastFailed) < 5*time.Second {
		n.mu.Unlock()
		return
	}
	batch := make([]*Delivery, 0, len(n.unwritten))
	for _, d := range n.unwritten {
		batch = append(batch, d)
	}
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), 5*time.Second)
	defer cancel()
	err := n.write(ctx, batch)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err != nil {
		n.lastFailed = now
		n.o.Logger.Error("the log of messages is behind", "messages", len(n.unwritten), "error", err)
		return
	}
	for _, d := range batch {
		if n.unwritten[d.ID] == d {
			delete(n.unwritten, d.ID)
		}
	}
}

// touch changes a delivery so that its new row is newer than the one before.
func touch(d *Delivery, now time.Time) {
	now = now.UTC().Truncate(time.Millisecond)
	if !now.After(d.UpdatedAt) {
		now = d.UpdatedAt.Add(time.Millisecond)
	}
	d.UpdatedAt = now
}

// Waiting before the next try: doubling from firstRetry to lastRetry, each half as long to as long again by chance,
// until giveUp after the decision to tell.
const (
	firstRetry = 2 * time.Second
	lastRetry  = 10 * time.Minute
	giveUp     = 6 * time.Hour
)

func backoff(attempts uint32, asked time.Duration) time.Duration {
	d := min(firstRetry<<min(attempts-1, 20), lastRetry)
	d = time.Duration(float64(d) * (0.5 + rand.Float64()))
	return max(d, asked)
}
