package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tidemarkhq/tidemark/store"
)

// Leave writes a key into a directory from which the next product to start takes it over, so that a first key can be
// made before there is a store. Like the store, the file holds the secret's hash only.
func Leave(dir string, k Key) error {
	b, err := json.Marshal(k)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	file := filepath.Join(dir, k.ID+".json")
	if err == nil {
		err = os.WriteFile(file+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file) // whole or not at all
	}
	if err != nil {
		return fmt.Errorf("leave the ingest key for the next start: %w", err)
	}
	return nil
}

// takeNew moves keys that were left into the store.
func (r *Keyring) takeNew(ctx context.Context) error {
	if r.newDir == "" {
		return nil
	}
	entries, err := os.ReadDir(r.newDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for new ingest keys: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" {
			continue
		}
		file := filepath.Join(r.newDir, e.Name())
		if err := r.takeFile(ctx, file); err != nil {
			return fmt.Errorf("take over the ingest key in %s: %w", file, err)
		}
	}
	return nil
}

func (r *Keyring) takeFile(ctx context.Context, file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var k Key
	if err := json.Unmarshal(b, &k); err != nil || len(k.ID) != idLen {
		return errors.New("it is no key: remove it")
	}
	_, known, err := store.Setting(ctx, r.conn, keyPath+k.ID)
	if err != nil {
		return err
	}
	if !known { // else a crash came between saving and removing
		if err := Save(ctx, r.conn, k); err != nil {
			return err
		}
	}
	return os.Remove(file)
}
