package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store"
)

// Where keys and what they have sent lie among the settings: ingest-key/ID and ingest-key-use/ID/INSTANCE.
const (
	keyPath = "ingest-key/"
	usePath = "ingest-key-use/"
)

// ErrNotFound is a key that does not exist; ErrFinal a revocation that can no longer be undone.
var (
	ErrNotFound = errors.New("there is no such ingest key")
	ErrFinal    = fmt.Errorf("a revocation can be undone for %s only: make a new key", undoWithin)
)

// Use is what was sent with a key.
type Use struct {
	LastMS   int64            `json:"last_ms"` // 0: never
	Requests int64            `json:"requests"`
	Items    int64            `json:"items"`
	Bytes    int64            `json:"bytes"`
	Refused  map[string]int64 `json:"refused"` // requests, by reason
}

func (u *Use) add(o Use) {
	u.LastMS = max(u.LastMS, o.LastMS)
	u.Requests, u.Items, u.Bytes = u.Requests+o.Requests, u.Items+o.Items, u.Bytes+o.Bytes
	if u.Refused == nil {
		u.Refused = map[string]int64{}
	}
	for reason, n := range o.Refused {
		u.Refused[reason] += n
	}
}

func (c *counters) snapshot() Use {
	u := Use{LastMS: c.lastMS.Load(), Requests: c.requests.Load(), Items: c.items.Load(), Bytes: c.bytes.Load(), Refused: map[string]int64{}}
	for i, reason := range reasons {
		if n := c.refused[i].Load(); n > 0 {
			u.Refused[reason] = n
		}
	}
	return u
}

// Load reads every key, the newest first.
func Load(ctx context.Context, conn driver.Conn) ([]Key, error) {
	settings, err := store.Settings(ctx, conn, keyPath)
	if err != nil {
		return nil, fmt.Errorf("read the ingest keys: %w", err)
	}
	keys := []Key{}
	for path, value := range settings {
		var k Key
		if err := json.Unmarshal([]byte(value), &k); err != nil {
			return nil, fmt.Errorf("read the ingest key %s: %w", path, err)
		}
		k.ID = strings.TrimPrefix(path, keyPath)
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return keys, nil
}

// Save writes a key.
func Save(ctx context.Context, conn driver.Conn, k Key) error {
	b, err := json.Marshal(k)
	if err == nil {
		err = store.SetSetting(ctx, conn, keyPath+k.ID, string(b))
	}
	if err != nil {
		return fmt.Errorf("store the ingest key: %w", err)
	}
	return nil
}

// Create makes a key and stores it. The token is shown now or never.
func Create(ctx context.Context, conn driver.Conn, w Wish, now time.Time) (Key, string, error) {
	k, token, err := New(w, now)
	if err != nil {
		return Key{}, "", err
	}
	all, err := Load(ctx, conn)
	if err != nil {
		return Key{}, "", err
	}
	if n, err := forget(ctx, conn, all, now); err != nil {
		return Key{}, "", err
	} else if n >= maxKeys {
		return Key{}, "", &InputError{"name", fmt.Sprintf("is one too many: there are %d keys; revoke some", n)}
	}
	return k, token, Save(ctx, conn, k)
}

// forget removes keys that were revoked long ago and what was counted of them, and returns how many are left.
func forget(ctx context.Context, conn driver.Conn, all []Key, now time.Time) (int, error) {
	left := len(all)
	for _, k := range all {
		if k.RevokedAt == nil || now.Sub(*k.RevokedAt) < keepFor {
			continue
		}
		uses, err := store.Settings(ctx, conn, usePath+k.ID+"/")
		if err != nil {
			return 0, err
		}
		for _, path := range append(slices.Collect(maps.Keys(uses)), keyPath+k.ID) {
			if err := store.DeleteSetting(ctx, conn, path); err != nil {
				return 0, err
			}
		}
		left--
	}
	return left, nil
}

// Revoke ends a key. Revoking it again changes nothing.
func Revoke(ctx context.Context, conn driver.Conn, id string, now time.Time) (Key, error) {
	return change(ctx, conn, id, func(k *Key) error {
		if k.RevokedAt == nil {
			t := now.UTC()
			k.RevokedAt = &t
		}
		return nil
	})
}

// Restore undoes a revocation while it is fresh.
func Restore(ctx context.Context, conn driver.Conn, id string, now time.Time) (Key, error) {
	return change(ctx, conn, id, func(k *Key) error {
		if k.RevokedAt != nil && now.Sub(*k.RevokedAt) > undoWithin {
			return ErrFinal
		}
		k.RevokedAt = nil
		return nil
	})
}

func change(ctx context.Context, conn driver.Conn, id string, f func(*Key) error) (Key, error) {
	value, ok, err := store.Setting(ctx, conn, keyPath+id)
	if err != nil {
		return Key{}, fmt.Errorf("read the ingest key: %w", err)
	}
	if !ok {
		return Key{}, ErrNotFound
	}
	var k Key
	if err := json.Unmarshal([]byte(value), &k); err != nil {
		return Key{}, fmt.Errorf("read the ingest key %s: %w", id, err)
	}
	k.ID = id
	if err := f(&k); err != nil {
		return k, err
	}
	return k, Save(ctx, conn, k)
}
