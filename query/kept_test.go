package query

import (
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestResolutionFollowsWhatIsKept(t *testing.T) {
	conn, _ := storetest.DB(t)
	if _, err := store.SetRetention(t.Context(), conn, "", map[string]int{"rollup_10s": 1, "rollup_1m": 10}); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	db := New(conn, Options{Now: func() time.Time { return now }})
	for ago, want := range map[time.Duration]string{time.Hour: "10s", 30 * time.Hour: "1m", 11 * 24 * time.Hour: "1h"} {
		from := now.Add(-ago)
		if r := db.lay(Window{from, from.Add(15 * time.Minute)}, 0, 0); r.Resolution != want {
			t.Errorf("%v ago: %s, want %s", ago, r.Resolution, want)
		}
	}
}
