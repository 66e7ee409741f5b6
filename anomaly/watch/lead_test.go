package watch

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// stored is a store with some hours of requests of three services, and processes that watch it on a clock of their own.
type stored struct {
	t    *testing.T
	conn driver.Conn
	db   *query.DB
	now  time.Time

	mu   sync.Mutex // guards told
	told []string
}

func newStored(t *testing.T) *stored {
	conn, _ := storetest.DB(t)
	s := &stored{t: t, conn: conn, now: time.Now().Truncate(time.Minute)}
	s.db = query.New(conn, query.Options{})
	s.requests(s.now.Add(-3*time.Hour), s.now, "", 0)
	return s
}

// requests stores two requests a second of cart, search and mail, of which a share fails at one of them.
func (s *stored) requests(from, to time.Time, failing string, share float64) {
	s.t.Helper()
	for _, level := range []string{"service", "operation"} {
		name, kind, instance := "", "unspecified", "concat(service, '-1')"
		if level == "operation" {
			name, kind, instance = "GET /", "server", "''"
		}
		err := s.conn.Exec(s.t.Context(), fmt.Sprintf(`
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT '%s', toDateTime(%d + 10 * number) AS ts, arrayJoin(['cart', 'search', 'mail']) AS service, '%s', '%s', 'prod', '1', %s,
       20, if(service = '%s', toUInt64(20 * %f), 0), 20 * 20000000, 40000000,
       map(toInt16(770), toUInt64(4), toInt16(776), toUInt64(6), toInt16(782), toUInt64(6), toInt16(790), toUInt64(4))
FROM numbers(%d)`, level, from.Unix(), name, kind, instance, failing, share, to.Sub(from)/(10*time.Second)))
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// pass lets time go by, with requests.
func (s *stored) pass(d time.Duration, failing string, share float64, watching ...*Watch) {
	s.t.Helper()
	s.requests(s.now, s.now.Add(d), failing, share)
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(tick)
		for _, w := range watching {
			w.round(s.now)
			w.explaining.Wait()
		}
	}
}

// process starts to watch, as New does, but for its clock.
func (s *stored) process(name string) *Watch {
	s.t.Helper()
	w, err := prepare(s.t.Context(), Options{DB: s.db, Conn: s.conn, Holder: name, Now: func() time.Time { return s.now.Add(lag) },
		Explain: explain.New(explain.Options{DB: s.db, Now: func() time.Time { return s.now }}),
		Publish: func(inc anomaly.Incident, c Change) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, name+" "+string(c)+" "+strings.Join(inc.Services, ","))
		}})
	if err != nil {
		s.t.Fatal(err)
	}
	w.lease.length, w.lease.renew, w.lease.settle = 10*time.Minute, 9*time.Minute, 600*time.Millisecond
	s.t.Cleanup(w.cancel)
	if !w.learnHistory() {
		s.t.Fatal("history is not learned")
	}
	for range 20 { // a claim that took long on a busy machine is looked at again
		if w.leads(s.t.Context(), s.now) {
			break
		}
		if h, _, _ := w.lease.read(s.t.Context()); h.Holder != name && h.Holder != "" {
			break
		}
	}
	return w
}

// opened are the processes that told of a new incident.
func (s *stored) opened() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.told {
		if strings.Contains(x, string(Opened)) {
			out = append(out, x)
		}
	}
	return out
}

func (s *stored) incidents(w *Watch, status string) []anomaly.Incident {
	s.t.Helper()
	list, err := w.List(s.t.Context(), Filter{Window: query.Window{From: s.now.Add(-24 * time.Hour), To: s.now.Add(time.Minute)}, Status: status})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// TestTwoProcessesOnOneStore: one of them tells; when it goes, the other takes over, and tells nothing twice.
func TestTwoProcessesOnOneStore(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	a, b := s.process("a"), s.process("b")
	if !a.State().Leads || b.State().Leads {
		t.Fatalf("a leads: %v, b leads: %v", a.State().Leads, b.State().Leads)
	}
	s.pass(time.Minute, "cart", 0.5, a, b)
	if got := s.opened(); len(got) != 1 || got[0] != "a opened cart" {
		t.Fatalf("told: %v", s.told)
	}
	a.cancel()
	if err := a.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !b.State().Leads; {
		if time.Since(began) > 30*time.Second {
			t.Fatal("b does not take over")
		}
		s.pass(tick, "cart", 0.5, b)
	}
	s.pass(time.Minute, "cart", 0.5, b)
	if got := s.opened(); len(got) != 1 {
		t.Errorf("told: %v", s.told)
	}
	if open := s.incidents(b, "open"); len(open) != 1 {
		t.Errorf("%d are open", len(open))
	}
	s.pass(20*time.Minute, "", 0, b)
	if all := s.incidents(b, ""); len(all) != 1 || all[0].Status != "resolved" {
		t.Errorf("after it was over: %+v", all)
	}
	over := 0
	for _, x := range s.told {
		if strings.Contains(x, string(Resolved)) {
			over++
		}
	}
	if over != 1 {
		t.Errorf("told to be over %d times: %v", over, s.told)
	}
}

// TestClosedByHand: an incident that somebody closes while it goes on is listed as resolved, and does not come back
// while it is no worse, neither by itself nor through a restart; it does when it gets worse.
func TestClosedByHand(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	a := s.process("a")
	s.pass(90*time.Second, "cart", 0.3, a)
	open := s.incidents(a, "open")
	if len(open) != 1 {
		t.Fatalf("%d incidents", len(open))
	}
	id := open[0].ID
	if _, err := a.Resolve(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	quiet := func(w *Watch, when string) {
		t.Helper()
		s.pass(time.Minute, "cart", 0.3, w)
		if n := s.incidents(w, "open"); len(n) > 0 {
			t.Fatalf("%s: open again: %+v", when, n[0].Alarms)
		}
		if list := s.incidents(w, "resolved"); len(list) != 1 || list[0].ID != id || list[0].ResolvedAt == nil || !list[0].ByHand {
			t.Fatalf("%s: resolved are %+v", when, list)
		}
	}
	quiet(a, "after it was closed")
	a = s.process("a")
	quiet(a, "after a restart")
	other := s.process("b") // beside it
	s.pass(2*time.Minute, "cart", 0.95, a)
	if list := s.incidents(a, "open"); len(list) != 1 {
		t.Fatalf("three times as bad: %d are open; told: %v", len(list), s.told)
	}
	if _, err := other.Resolve(t.Context(), s.incidents(a, "open")[0].ID); err != nil { // through the one that does not lead
		t.Fatal(err)
	}
	s.pass(time.Minute, "cart", 0.95, a)
	if list := s.incidents(a, "open"); len(list) != 0 {
		t.Errorf("closed through another process: %d are open", len(list))
	}
}

// TestTeaching: "this is normal" keeps silent what is no worse, through another process as well, until it is taken
// back; a mute keeps silent what it is about until it is lifted.
func TestTeaching(t *testing.T) {
	t.Parallel()
	s := newStored(t)
	a := s.process("a")
	s.pass(90*time.Second, "cart", 0.3, a)
	open := s.incidents(a, "open")
	if len(open) != 1 {
		t.Fatalf("%d incidents", len(open))
	}
	if _, err := a.Normal(t.Context(), open[0].ID); err != nil {
		t.Fatal(err)
	}
	s.pass(time.Minute, "cart", 0.3, a)
	if n := len(s.incidents(a, "open")); n != 0 {
		t.Fatalf("said to be normal: %d are open", n)
	}
	if _, err := a.NotNormal(t.Context(), open[0].ID); err != nil {
		t.Fatal(err)
	}
	s.pass(30*time.Second, "cart", 0.3, a)
	if list := s.incidents(a, "open"); len(list) != 1 || list[0].ID != open[0].ID {
		t.Fatalf("taken back while it goes on: %d are open", len(list))
	}
	m, err := a.Mute(t.Context(), Mute{Subject: MuteSubject{Service: "search"}, Reason: "migration"})
	if err != nil {
		t.Fatal(err)
	}
	s.pass(2*time.Minute, "search", 0.5, a)
	for _, inc := range s.incidents(a, "") {
		if strings.Contains(strings.Join(inc.Services, " "), "search") {
			t.Errorf("muted, but told: %s", inc.Title)
		}
	}
	if err := a.Unmute(t.Context(), m.ID); err != nil {
		t.Fatal(err)
	}
	s.pass(30*time.Second, "search", 0.5, a)
	found := false
	for _, inc := range s.incidents(a, "open") {
		found = found || strings.Contains(strings.Join(inc.Services, " "), "search")
	}
	if !found {
		t.Error("the mute is lifted while it goes on, and it is not told")
	}
}

// TestSensitivityOfOneService: the same trouble is told or not by what is set for a service and an operation.
func TestSensitivityOfOneService(t *testing.T) {
	t.Parallel()
	e := newEngine(time.Minute, Settings{Default: 0.1, Overrides: []Override{{Service: "cart", Budget: 10}, {Service: "cart", Operation: "GET /", Budget: 1e-5}}})
	e.know(1, query.WatchSeries{Env: "prod", Service: "cart", Name: "GET /", Kind: "server"})
	e.know(2, query.WatchSeries{Entry: true, Env: "prod", Service: "cart"})
	e.know(3, query.WatchSeries{Entry: true, Env: "prod", Service: "search"})
	at := func(service, name, kind string) float64 {
		i, ok := e.find(key{"prod", service, name, kind})
		if !ok {
			t.Fatal("no such series")
		}
		return e.threshold(e.series[i])
	}
	if o, c, s := at("cart", "GET /", "server"), at("cart", "", ""), at("search", "", ""); !(o > s && s > c) {
		t.Errorf("the threshold is %.1f for the operation, %.1f for its service and %.1f for another", o, c, s)
	}
}
