package watch

import (
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// History that arrives after the start is learned once no more of it comes, and an incident that is open stays what it
// is meanwhile.
func TestLateHistory(t *testing.T) {
	conn, _ := storetest.DB(t)
	s := &stored{t: t, conn: conn, now: time.Now().Truncate(time.Minute)}
	s.db = query.New(conn, query.Options{})
	began := s.now
	w := s.process("one")
	var l looking
	if w.look(&l) || w.look(&l) {
		t.Fatal("learned though nothing has come")
	}
	s.requests(began.Add(-4*time.Hour), began.Add(-2*time.Hour), "", 0)
	if w.look(&l) {
		t.Fatal("learned while history is still coming")
	}
	s.requests(began.Add(-2*time.Hour), began, "", 0)
	if w.look(&l) {
		t.Fatal("learned while history is still coming")
	}
	if !w.look(&l) {
		t.Fatal("history that came late is not learned")
	}
	if w.look(&l) || w.look(&l) {
		t.Fatal("learned twice")
	}
	s.pass(2*time.Minute, "cart", 0.5, w)
	if open := s.incidents(w, "open"); len(open) != 1 || len(s.opened()) != 1 {
		t.Fatalf("%d incidents are open, %v", len(open), s.opened())
	}
	s.requests(began.Add(-10*time.Hour), began.Add(-4*time.Hour), "", 0)
	l.until = time.Time{}
	if w.look(&l) || !w.look(&l) {
		t.Fatal("more history that came late is not learned")
	}
	s.pass(time.Minute, "cart", 0.5, w)
	if open := s.incidents(w, "open"); len(open) != 1 || len(s.opened()) != 1 {
		t.Fatalf("once more is learned, %d incidents are open, %v", len(open), s.opened())
	}
}
