package query

import (
	"context"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

// kept remembers for how long rollups are kept, which a person may change at any time.
type kept struct {
	mu   sync.Mutex // guards what follows
	days map[string]int
	read time.Time
}

// keptFor is how old what is remembered may be.
const keptFor = 30 * time.Second

// rollups answers how long the rollups of 10 s and of 1 minute reach back. While the store does not answer, what was
// known last counts, and before that the defaults.
func (db *DB) rollups() (ten, minute time.Duration) {
	k := &db.kept
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.read) > keptFor {
		k.read = time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if days, err := store.Retention(ctx, db.conn); err == nil {
			k.days = days
		}
	}
	if k.days == nil {
		k.days = map[string]int{}
		for _, s := range store.Signals {
			k.days[s.Name] = s.Default
		}
	}
	day := 24 * time.Hour
	return time.Duration(k.days["rollup_10s"]) * day, time.Duration(k.days["rollup_1m"]) * day
}
