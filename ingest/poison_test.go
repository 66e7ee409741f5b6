package ingest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// poisonedSpans are n spans of which every tenth is named poison.
func poisonedSpans(t *testing.T, n int) (body []byte, poisoned int) {
	req := ptraceotlp.NewExportRequest()
	if err := req.UnmarshalProto(spansOf(0, n)); err != nil {
		t.Fatal(err)
	}
	spans := req.Traces().ResourceSpans().At(0).ScopeSpans().At(0).Spans()
	for i := 3; i < n; i += 10 {
		spans.At(i).SetName("poison")
		poisoned++
	}
	body, err := req.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return body, poisoned
}

const noPoison = "ALTER TABLE spans ADD CONSTRAINT no_poison CHECK name != 'poison'"

// A batch that the engine rejects for what some of its rows hold: these are set aside, the rest is stored, once, in the
// rollups as well, and what comes after is not held up.
func TestPoisonRowsAreSetAside(t *testing.T) {
	conn, dsn := storetest.DB(t)
	if err := conn.Exec(t.Context(), noPoison); err != nil {
		t.Fatal(err)
	}
	o := testOptions(t, dsn)
	in := start(t, o)
	body, poisoned := poisonedSpans(t, 57)
	submit(t, in, Traces, body)
	if err := in.Flush(t.Context()); err != nil && !strings.Contains(err.Error(), "no_poison") {
		t.Fatal(err)
	}
	submit(t, in, Traces, spansOf(1000, 20))
	exactlyOnce(t, conn, uint64(57-poisoned+20))
	waitFor(t, "the batch is done with", func() bool { return in.replay.depth() == 0 })
	s := in.Stats()
	if s.Spool.SetAside != int64(poisoned) || s.Spool.Quarantined != 0 {
		t.Errorf("%d rows set aside, %d files quarantined; want %d and 0", s.Spool.SetAside, s.Spool.Quarantined, poisoned)
	}
	shown := false
	for _, r := range s.Reasons {
		shown = shown || r.Reason == rejectedByStore && r.Count == int64(poisoned) && strings.Contains(r.Example, "no_poison")
	}
	if !shown {
		t.Errorf("the reasons do not show them: %+v", s.Reasons)
	}
	// What was set aside can be read, and stored when the cause is gone.
	files, _ := filepath.Glob(filepath.Join(o.SpoolDir, "quarantine", "*.spans.*.native"))
	if len(files) != poisoned {
		t.Fatalf("%d files, want %d", len(files), poisoned)
	}
	if err := conn.Exec(t.Context(), "ALTER TABLE spans DROP CONSTRAINT no_poison"); err != nil {
		t.Fatal(err)
	}
	var columns string
	if err := conn.QueryRow(t.Context(), "SELECT arrayStringConcat(groupArray('`' || name || '`'), ', ') FROM system.columns WHERE database = currentDatabase() AND table = 'spans'").Scan(&columns); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Exec(t.Context(), fmt.Sprintf("INSERT INTO spans (%s) SELECT %s FROM format(Native, unhex('%s'))", columns, columns, hex.EncodeToString(b))); err != nil {
			t.Fatal(err)
		}
	}
	if n := count(t, conn, "SELECT uniqExact(span_id) FROM spans WHERE name = 'poison'"); n != uint64(poisoned) {
		t.Errorf("%d of %d rows stored again", n, poisoned)
	}
}

// A process dies at every insert of a salvage in turn, and the cause of the trouble is gone when the next one starts:
// what the first stored in parts is not stored again with the whole.
func TestCrashWhileSalvaging(t *testing.T) {
	for at := int64(4); at < 30; at += 4 {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			conn, dsn := storetest.DB(t)
			if err := conn.Exec(t.Context(), noPoison); err != nil {
				t.Fatal(err)
			}
			f := &faults{step: "none"}
			o := testOptions(t, dsn)
			var inserts atomic.Int64
			reached := make(chan struct{})
			o.insertFault = func(table, token string) (before, after error) {
				switch n := inserts.Add(1); {
				case n == at:
					close(reached)
				case n < at:
					return nil, nil
				}
				return errDead, nil
			}
			o.spoolFault = f.spool
			in := start(t, o)
			body, _ := poisonedSpans(t, 40)
			submit(t, in, Traces, body)
			<-reached
			f.crash(t, in)
			if err := conn.Exec(t.Context(), "ALTER TABLE spans DROP CONSTRAINT no_poison"); err != nil {
				t.Fatal(err)
			}
			o.insertFault = nil
			f.dead.Store(false)
			next := start(t, o)
			waitFor(t, "the batch is done with", func() bool { return next.replay.depth() == 0 })
			exactlyOnce(t, conn, 40)
		})
	}
}

// An error that nobody has an opinion about is no reason to try for ever either.
func TestBatchThatIsNeverTaken(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	o.SpoolAfter, o.patience = 20*time.Millisecond, 100*time.Millisecond
	o.insertFault = func(table, token string) (before, after error) {
		if table == "spans" && strings.Count(token, "-") == 1 { // the whole block; parts have a second dash
			return &ch.Exception{Code: 9999, Message: "never heard of"}, nil
		}
		return nil, nil
	}
	in := start(t, o)
	submit(t, in, Traces, spansOf(0, 20))
	deadline := time.Now().Add(60 * time.Second)
	for in.replay.depth() > 0 || in.Stats().Spool.Replayed == 0 {
		if time.Now().After(deadline) {
			t.Fatal("still being tried")
		}
		time.Sleep(50 * time.Millisecond)
	}
	exactlyOnce(t, conn, 20)
}

func TestRefusals(t *testing.T) {
	for err, want := range map[error]refusal{
		errors.New("connection reset"):                                  unreachable,
		&dialError{errors.New("refused")}:                               unreachable,
		&ch.Exception{Code: 241, Message: "MEMORY_LIMIT_EXCEEDED"}:      unreachable,
		&ch.Exception{Code: 60, Message: "UNKNOWN_TABLE"}:               unreachable,
		&ch.Exception{Code: 243, Message: "NOT_ENOUGH_SPACE"}:           unreachable,
		&ch.Exception{Code: 469, Message: "VIOLATED_CONSTRAINT"}:        poisoned,
		&ch.Exception{Code: 117, Message: "INCORRECT_DATA"}:             poisoned,
		&ch.Exception{Code: 9999, Message: "SOMETHING_NEW_IN_A_SERVER"}: unknown,
	} {
		if got := refusalOf(fmt.Errorf("inserting: %w", err)); got != want {
			t.Errorf("%v: %d, want %d", err, got, want)
		}
	}
}
