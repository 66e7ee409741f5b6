package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

const (
	refreshEvery = 2 * time.Second  // how long what another process changed takes to get here
	saveEvery    = 15 * time.Second // how much of the uses a crash may lose
)

// Refresh reads the keys from the store and puts them in force. When it fails, those in force stay.
func (r *Keyring) Refresh(ctx context.Context) error {
	if err := r.takeNew(ctx); err != nil {
		return err
	}
	keys, err := Load(ctx, r.conn)
	if err != nil {
		return err
	}
	r.replace(keys, time.Now())
	r.readMS.Store(time.Now().UnixMilli())
	return nil
}

// Follow keeps the keys fresh and saves their uses until ctx ends; then it saves a last time. failed hears of what did
// not work; the next round tries again.
func (r *Keyring) Follow(ctx context.Context, failed func(error)) {
	refresh, save := time.NewTicker(refreshEvery), time.NewTicker(saveEvery)
	defer refresh.Stop()
	defer save.Stop()
	for {
		var err error
		select {
		case <-refresh.C:
			err = r.Refresh(ctx)
		case <-save.C:
			err = r.SaveUses(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			defer cancel()
			if err := r.SaveUses(last); err != nil {
				failed(err)
			}
			return
		}
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// uses are what every process has saved: by key and instance.
func (r *Keyring) uses(ctx context.Context) (map[string]map[string]Use, error) {
	settings, err := store.Settings(ctx, r.conn, usePath)
	if err != nil {
		return nil, fmt.Errorf("read the uses of ingest keys: %w", err)
	}
	all := map[string]map[string]Use{}
	for path, value := range settings {
		id, instance, _ := strings.Cut(strings.TrimPrefix(path, usePath), "/")
		var u Use
		if err := json.Unmarshal([]byte(value), &u); err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if all[id] == nil {
			all[id] = map[string]Use{}
		}
		all[id][instance] = u
	}
	return all, nil
}

// predecessors reads, once, what this process's predecessors have counted. Called with mu held.
func (r *Keyring) predecessors(all map[string]map[string]Use) {
	if r.base != nil {
		return
	}
	r.base = map[string]Use{}
	for id, of := range all {
		if u, ok := of[r.instance]; ok {
			r.base[id] = u
		}
	}
}

// SaveUses writes what has changed since it was last called.
func (r *Keyring) SaveUses(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.base == nil {
		all, err := r.uses(ctx)
		if err != nil {
			return err
		}
		r.predecessors(all)
	}
	var errs []error
	for id, s := range *r.senders.Load() {
		u := s.use.snapshot()
		if old := r.saved[id]; u.same(old) {
			continue
		}
		total := u
		total.Refused = maps.Clone(u.Refused)
		total.add(r.base[id])
		b, err := json.Marshal(total)
		if err == nil {
			err = store.SetSetting(ctx, r.conn, usePath+id+"/"+r.instance, string(b))
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("save the use of an ingest key: %w", err))
			continue
		}
		r.saved[id] = u
	}
	return errors.Join(errs...)
}

func (u Use) same(o Use) bool {
	return u.LastMS == o.LastMS && u.Requests == o.Requests && u.Items == o.Items && u.Bytes == o.Bytes && maps.Equal(u.Refused, o.Refused)
}

// Listed is a key with what has been sent with it, by every process.
type Listed struct {
	Key
	Use Use
}

// List reads every key that was not revoked long ago, the newest first.
func (r *Keyring) List(ctx context.Context, now time.Time) ([]Listed, error) {
	keys, err := Load(ctx, r.conn)
	if err != nil {
		return nil, err
	}
	all, err := r.uses(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.predecessors(all)
	senders := *r.senders.Load()
	list := []Listed{}
	for _, k := range keys {
		if k.RevokedAt != nil && now.Sub(*k.RevokedAt) > keepFor {
			continue
		}
		var u Use
		u.add(r.base[k.ID])
		for instance, saved := range all[k.ID] {
			if instance != r.instance {
				u.add(saved)
			}
		}
		if s := senders[k.ID]; s != nil {
			u.add(s.use.snapshot())
		}
		list = append(list, Listed{k, u})
	}
	return list, nil
}

// Create, Revoke and Restore do what the functions of that name do, in force here at once.
func (r *Keyring) Create(ctx context.Context, w Wish) (Key, string, error) {
	k, token, err := Create(ctx, r.conn, w, time.Now())
	if err != nil {
		return k, "", err
	}
	return k, token, r.Refresh(ctx)
}

func (r *Keyring) Revoke(ctx context.Context, id string) (Key, error) {
	k, err := Revoke(ctx, r.conn, id, time.Now())
	if err != nil {
		return k, err
	}
	return k, r.Refresh(ctx)
}

func (r *Keyring) Restore(ctx context.Context, id string) (Key, error) {
	k, err := Restore(ctx, r.conn, id, time.Now())
	if err != nil {
		return k, err
	}
	return k, r.Refresh(ctx)
}
