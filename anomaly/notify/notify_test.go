package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// bench is a notifier on a database of its own, with a clock that a test moves and a receiver that remembers.
type bench struct {
	*testing.T
	*Notifier
	conn   driver.Conn
	keys   *Keys
	server *httptest.Server

	mu     sync.Mutex
	now    time.Time
	status int
	got    []Message
	tries  int
}

func newBench(t *testing.T) *bench {
	t.Helper()
	conn, _ := storetest.DB(t)
	keys, err := NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, conn: conn, keys: keys, now: time.Now().UTC().Truncate(time.Second), status: 200}
	b.server = httptest.NewServer(http.HandlerFunc(b.receive))
	t.Cleanup(b.server.Close)
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	b.poke()
}

func (b *bench) receive(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tries++
	if b.status != 200 {
		w.WriteHeader(b.status)
		return
	}
	var m Message
	if err := json.Unmarshal(body, &m); err != nil {
		b.Errorf("not a message: %v", err)
	}
	b.got = append(b.got, m)
}

func (b *bench) answerWith(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

func (b *bench) start() {
	b.Helper()
	n, err := New(context.Background(), Options{Conn: b.conn, Keys: b.keys, Networks: loopback(b), BaseURL: func() string { return "https://tidemark.example.com/" }, Now: b.clock, Tick: 20 * time.Millisecond})
	if err != nil {
		b.Fatal(err)
	}
	b.Notifier = n
}

func (b *bench) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		b.Error(err)
	}
}

// webhook adds a channel to the receiver.
func (b *bench) webhook(name string) Channel {
	b.Helper()
	c, err := b.AddChannel(context.Background(), Channel{Name: name, Type: "webhook", Enabled: true, Fields: map[string]string{"url": b.server.URL + "/" + name, "secret": "0123456789abcdefghij"}})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// incidentAt is a new incident, detected now.
func (b *bench) incidentAt(id string, severity anomaly.Severity, services ...string) anomaly.Incident {
	inc := incident()
	now := b.clock()
	inc.ID, inc.Title, inc.Severity, inc.Services, inc.RootCauses = id, "trouble "+id, severity, services, nil
	inc.StartedAt, inc.DetectedAt, inc.UpdatedAt = now.Add(-10*time.Second), now, now
	return inc
}

func over(inc anomaly.Incident, at time.Time) anomaly.Incident {
	inc.Status, inc.ResolvedAt, inc.UpdatedAt = "resolved", &at, at
	return inc
}

// told is what the receiver got, as "state title".
func (b *bench) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []string{}
	for _, m := range b.got {
		out = append(out, strings.TrimSpace(string(m.State)+" "+m.IncidentID+" "+m.Reason))
	}
	return out
}

// busy reports whether something has arrived that was not looked at, or is being sent or stored.
func (b *bench) busy() bool {
	b.Notifier.mu.Lock()
	defer b.Notifier.mu.Unlock()
	if len(b.inbox)+len(b.sending)+len(b.unwritten) > 0 {
		return true
	}
	for _, d := range b.pending() {
		if !d.NextTry.After(b.clock()) {
			return true
		}
	}
	return false
}

// settle moves the clock on by seconds, which lets messages to one channel follow one another, until nothing is due.
func (b *bench) settle() {
	b.Helper()
	calm := 0
	for deadline := time.Now().Add(30 * time.Second); calm < 4; {
		if time.Now().After(deadline) {
			b.Fatal("it does not come to rest")
		}
		b.pass(time.Second)
		time.Sleep(30 * time.Millisecond) // longer than a tick: what is due is decided
		if calm++; b.busy() {
			calm = 0
		}
	}
}

// expect makes sure that the receiver has been told this and nothing else.
func (b *bench) expect(want ...string) {
	b.Helper()
	b.settle()
	if got := b.told(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.Fatalf("told %q, want %q", got, want)
	}
}

func (b *bench) route(r Routing) {
	b.Helper()
	if _, err := b.SetRouting(context.Background(), r); err != nil {
		b.Fatal(err)
	}
}

func TestOneMessageAnIncidentAndState(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	ctx := context.Background()
	inc := b.incidentAt("a", anomaly.SeverityWarning, "checkout")
	b.Notify(ctx, inc, "opened")
	b.expect("firing a")
	for range 5 {
		inc.UpdatedAt, inc.Affected = b.clock(), inc.Affected+.01
		b.Notify(ctx, inc, "updated")
		b.expect("firing a")
	}
	inc.Severity = anomaly.SeverityCritical
	b.Notify(ctx, inc, "updated")
	b.expect("firing a", "updated a Now critical")
	b.stop()
	b.start() // a restart repeats nothing
	b.Notify(ctx, inc, "updated")
	b.expect("firing a", "updated a Now critical")
	b.Notify(ctx, over(inc, b.clock()), "resolved")
	b.Notify(ctx, over(inc, b.clock()), "resolved")
	b.expect("firing a", "updated a Now critical", "resolved a")

	list, err := b.Deliveries(ctx, "a", 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%v %v", list, err)
	}
	for _, d := range list {
		if d.Status != StatusDelivered || d.Attempts != 1 || d.Answer != "200" || d.Title != "trouble a" {
			t.Errorf("%+v", d)
		}
	}
	b.stop() // what is under way is finished
	b.start()
	var events uint64
	if err := b.conn.QueryRow(ctx, "SELECT count() FROM incident_events WHERE incident = 'a' AND kind = 'notified'").Scan(&events); err != nil || events != 3 {
		t.Errorf("%d events in the timeline, %v", events, err)
	}
}

func TestInfoIsNotTold(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	inc := b.incidentAt("a", anomaly.SeverityInfo, "checkout")
	b.Notify(context.Background(), inc, "opened")
	b.expect()
	inc.Severity = anomaly.SeverityWarning
	b.Notify(context.Background(), inc, "updated")
	b.expect("firing a")
}

// What failed is tried again, and a restart goes on with it.
func TestRetriesSurviveARestart(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	b.answerWith(503)
	inc := b.incidentAt("a", anomaly.SeverityWarning, "checkout")
	b.Notify(context.Background(), inc, "opened")
	deadline := time.Now().Add(10 * time.Second)
	tries := func() int { b.mu.Lock(); defer b.mu.Unlock(); return b.tries }
	for tries() < 3 && time.Now().Before(deadline) {
		b.pass(2 * time.Second)
		time.Sleep(10 * time.Millisecond)
	}
	if tries() < 3 {
		t.Fatalf("%d tries", tries())
	}
	b.stop()
	list, err := b.Deliveries(context.Background(), "a", 10)
	if err != nil || len(list) != 1 || list[0].Status != StatusPending || list[0].Attempts < 3 || list[0].Answer != "503" {
		t.Fatalf("%+v %v", list, err)
	}
	b.answerWith(200)
	b.start()
	b.pass(15 * time.Minute)
	b.expect("firing a")
}

func TestGivingUp(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	b.answerWith(404) // nothing that another try could change
	inc := b.incidentAt("a", anomaly.SeverityWarning, "checkout")
	b.Notify(context.Background(), inc, "opened")
	b.expect()
	if b.tries != 1 {
		t.Errorf("%d tries", b.tries)
	}
	list, err := b.Deliveries(context.Background(), "", 10)
	if err != nil || len(list) != 1 || list[0].Status != StatusFailed || list[0].Answer != "404" {
		t.Errorf("%+v %v", list, err)
	}
}

func TestBackoff(t *testing.T) {
	for attempts, want := range map[uint32]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 12: lastRetry, 1000: lastRetry} {
		for range 50 {
			if d := backoff(attempts, 0); d < want/2 || d > want*3/2 {
				t.Errorf("after %d tries: %v", attempts, d)
			}
		}
	}
	if d := backoff(1, time.Minute); d != time.Minute {
		t.Errorf("asked for a minute: %v", d)
	}
}

func TestSilences(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	ctx := context.Background()
	end := b.clock().Add(10 * time.Minute)
	s, err := b.AddSilence(ctx, Silence{Comment: "we know", Match: Match{Services: []string{"pay*"}}, EndsAt: &end})
	if err != nil || !s.Active {
		t.Fatalf("%+v %v", s, err)
	}
	b.Notify(ctx, b.incidentAt("a", anomaly.SeverityWarning, "payment"), "opened")
	b.Notify(ctx, b.incidentAt("b", anomaly.SeverityWarning, "search"), "opened")
	short := b.incidentAt("c", anomaly.SeverityWarning, "payment")
	b.Notify(ctx, short, "opened")
	b.expect("firing b")
	list, err := b.Deliveries(ctx, "a", 10)
	if err != nil || len(list) != 1 || list[0].Status != StatusSuppressed || list[0].Answer != "silenced: we know" {
		t.Errorf("%+v %v", list, err)
	}
	b.Notify(ctx, over(short, b.clock()), "resolved") // began and ended unnoticed
	b.expect("firing b")
	b.pass(10 * time.Minute) // what is still open is told when the silence ends
	b.expect("firing b", "firing a")
	if err := b.DeleteSilence(ctx, s.ID); err != nil {
		t.Error(err)
	}
	if err := b.DeleteSilence(ctx, s.ID); err == nil {
		t.Error("it was deleted twice")
	}
}

func TestInhibitionGroupingAndRoutes(t *testing.T) {
	b := newBench(t)
	team, night := b.webhook("team"), b.webhook("night")
	ctx := context.Background()
	b.route(Routing{
		Routes: []Route{
			{Name: "payments at other times", Match: Match{Services: []string{"payment"}}, Times: []Window{{Days: []string{"mon"}, From: "00:00", To: "00:01", Zone: "UTC"}}, Channels: []string{night.ID}},
			{Name: "critical", Match: Match{Severities: []anomaly.Severity{"critical"}}, Channels: []string{team.ID}, Continue: true, RepeatMinutes: 60, SkipResolved: true},
			{Name: "prod", Match: Match{Envs: []string{"prod"}, Severities: []anomaly.Severity{"warning"}}, Channels: []string{team.ID}},
		},
		Inhibit: []Inhibition{{Source: Match{Severities: []anomaly.Severity{"critical"}}, Target: Match{Severities: []anomaly.Severity{"warning"}}, Equal: []string{"service", "env"}}},
	})
	for b.clock().Weekday() == time.Monday && b.clock().Hour() == 0 {
		b.pass(time.Hour)
	}
	big := b.incidentAt("big", anomaly.SeverityCritical, "payment", "checkout")
	b.Notify(ctx, big, "opened")
	b.expect("firing big")
	b.Notify(ctx, b.incidentAt("small", anomaly.SeverityWarning, "checkout"), "opened")
	b.Notify(ctx, b.incidentAt("other", anomaly.SeverityWarning, "search"), "opened")
	b.expect("firing big", "firing other")
	b.pass(time.Hour)
	b.expect("firing big", "firing other", "repeated big")
	b.Notify(ctx, over(big, b.clock()), "resolved") // told to nobody, and small is told now
	b.expect("firing big", "firing other", "repeated big", "firing small")
}

// Incidents that are due at the same time share a message where the channel shows them so.
func TestIncidentsShareAMessage(t *testing.T) {
	b := newBench(t)
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		defer b.mu.Unlock()
		bodies = append(bodies, string(body))
		b.got = append(b.got, Message{State: "one"})
	}))
	defer s.Close()
	c, err := b.AddChannel(context.Background(), Channel{Name: "chat", Type: "slack", Enabled: true, Fields: map[string]string{"url": s.URL + "/hook"}})
	if err != nil {
		t.Fatal(err)
	}
	b.route(Routing{Routes: []Route{{Channels: []string{c.ID}, GroupWaitSeconds: 30}}})
	for i := range 3 {
		b.Notify(context.Background(), b.incidentAt(fmt.Sprint("i", i), anomaly.SeverityWarning, "s"), "opened")
	}
	b.expect()
	b.pass(30 * time.Second)
	b.expect("one")
	for i := range 3 {
		if !strings.Contains(bodies[0], fmt.Sprint("trouble i", i)) {
			t.Errorf("incident %d is missing in %s", i, bodies[0])
		}
	}
	list, err := b.Deliveries(context.Background(), "", 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v %v", list, err)
	}
	for _, d := range list {
		if d.Status != StatusDelivered {
			t.Errorf("%+v", d)
		}
	}
}

// An incident that goes and comes is not told each time.
func TestFlappingIsDamped(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	ctx := context.Background()
	inc := b.incidentAt("a", anomaly.SeverityWarning, "checkout")
	b.Notify(ctx, inc, "opened")
	b.expect("firing a")
	b.Notify(ctx, over(inc, b.clock()), "resolved")
	b.expect("firing a", "resolved a")
	inc.Flaps = 1
	b.Notify(ctx, inc, "updated")
	b.expect("firing a", "resolved a", "updated a Back again")
	for flaps := 2; flaps < 5; flaps++ { // over for a minute, and back
		b.Notify(ctx, over(inc, b.clock()), "resolved")
		b.expect("firing a", "resolved a", "updated a Back again")
		b.pass(time.Minute)
		inc.Flaps = flaps
		b.Notify(ctx, inc, "updated")
		b.expect("firing a", "resolved a", "updated a Back again")
	}
	b.Notify(ctx, over(inc, b.clock()), "resolved")
	b.expect("firing a", "resolved a", "updated a Back again")
	b.pass(time.Hour)
	b.expect("firing a", "resolved a", "updated a Back again", "resolved a")
}

// A channel is not told of what was detected before it was made, unless more joins that.
func TestNewChannelsHearOfNewIncidents(t *testing.T) {
	b := newBench(t)
	old := b.incidentAt("old", anomaly.SeverityWarning, "checkout")
	b.Notify(context.Background(), old, "opened")
	b.pass(time.Minute)
	b.webhook("team")
	b.Notify(context.Background(), b.incidentAt("new", anomaly.SeverityWarning, "checkout"), "opened")
	b.expect("firing new")
	old.Alarms = append(old.Alarms, anomaly.Alarm{ID: "late", Subject: anomaly.Subject{Service: "payment"}, Symptom: anomaly.SymptomErrors, Detected: b.clock()})
	b.pass(2 * time.Second)
	b.Notify(context.Background(), old, "updated")
	b.expect("firing new", "firing old")
}

// put stores an incident as detection does.
func (b *bench) put(inc anomaly.Incident) {
	b.Helper()
	body, err := json.Marshal(inc)
	if err != nil {
		b.Fatal(err)
	}
	at := time.Unix(0, 0)
	if inc.ResolvedAt != nil {
		at = *inc.ResolvedAt
	}
	if err := b.conn.Exec(context.Background(), "INSERT INTO incidents (id, started_at, detected_at, resolved_at, severity, services, title, body, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		inc.ID, inc.StartedAt, inc.DetectedAt, at, string(inc.Severity), inc.Services, inc.Title, string(body), inc.UpdatedAt); err != nil {
		b.Fatal(err)
	}
}

// An incident that was written but not told when the process died is told after the start; one that was over long ago
// is not, although the row that says it was open may still be there.
func TestIncidentsOfTheStoreAreTold(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	b.stop()
	b.pass(time.Second)
	old := b.incidentAt("old", anomaly.SeverityWarning, "checkout")
	b.put(old)
	b.put(over(old, b.clock().Add(time.Minute)))
	b.pass(3 * 24 * time.Hour)
	b.put(b.incidentAt("a", anomaly.SeverityWarning, "checkout"))
	b.start()
	b.expect("firing a")
}

// What somebody looks after is not repeated, and told when it is over.
func TestAcknowledgedIncidentsAreNotRepeated(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	ctx := context.Background()
	a, c := b.incidentAt("a", anomaly.SeverityWarning, "checkout"), b.incidentAt("c", anomaly.SeverityWarning, "search")
	b.Notify(ctx, a, "opened")
	b.expect("firing a")
	b.Notify(ctx, c, "opened")
	b.expect("firing a", "firing c")
	if err := b.conn.Exec(ctx, "INSERT INTO incident_events (incident, ts, kind, text, body) VALUES ('a', now64(3), 'acknowledged', '', '')"); err != nil {
		t.Fatal(err)
	}
	b.pass(5 * time.Hour)
	b.expect("firing a", "firing c", "repeated c")
	b.Notify(ctx, over(a, b.clock()), "resolved")
	b.expect("firing a", "firing c", "repeated c", "resolved a")
}
