// Package auth decides who may send telemetry: ingest keys. A Keyring holds every key in memory and answers from
// there, so that no request waits for the store; it follows what is created, changed and revoked within seconds,
// whichever process did it. Its one invariant: what is kept of a secret, in memory as in the store, is its hash.
//
// A key is written tmk_ID_SECRET. The ID finds it and is no secret; the SECRET is 256 random bits, of which SHA-256 is
// kept: there is nothing to guess in it that a slow password hash would protect, and one is computed for each request.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Signals are what a key can be scoped to.
var Signals = []string{"traces", "metrics", "logs", "profiles"}

const (
	prefix     = "tmk_"
	idBytes    = 8
	idLen      = 13 // base32 of 8 bytes
	secretLen  = 52 // base32 of 32 bytes
	tokenLen   = len(prefix) + idLen + 1 + secretLen
	maxName    = 100       // characters
	maxRate    = 1e12      // items or bytes per second
	maxKeys    = 1000      // alive at once
	undoWithin = time.Hour // how long a revocation can be undone
	keepFor    = 30 * 24 * time.Hour
)

// alphabet is base32 in lower case: a double click selects the whole key.
var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Key is an ingest key as it is stored: all but its secret.
type Key struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	Hash           string     `json:"hash"`             // SHA-256 of the whole key, hex
	Signals        []string   `json:"signals"`          // what it may send; never empty
	ItemsPerSecond float64    `json:"items_per_second"` // spans, records, points and profiles; 0: no limit
	BytesPerSecond float64    `json:"bytes_per_second"` // of decompressed requests; 0: no limit
	CreatedAt      time.Time  `json:"created_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	RevokedAt      *time.Time `json:"revoked_at"`
}

// Wish is what a key should be like.
type Wish struct {
	Name           string
	Signals        []string // none: all
	ItemsPerSecond float64
	BytesPerSecond float64
	ExpiresAt      *time.Time
}

// InputError says what is wrong with a wish.
type InputError struct{ Field, Reason string }

func (e *InputError) Error() string { return e.Field + " " + e.Reason }

func (w *Wish) check(now time.Time) error {
	w.Name = strings.TrimSpace(w.Name)
	if w.Name == "" || utf8.RuneCountInString(w.Name) > maxName || strings.IndexFunc(w.Name, unicode.IsControl) >= 0 || !utf8.ValidString(w.Name) {
		return &InputError{"name", fmt.Sprintf("is missing, longer than %d characters or not plain text", maxName)}
	}
	if len(w.Signals) == 0 {
		w.Signals = Signals
	}
	var signals []string
	for _, s := range Signals { // in their usual order, each once
		if slices.Contains(w.Signals, s) {
			signals = append(signals, s)
		}
	}
	for _, s := range w.Signals {
		if !slices.Contains(Signals, s) {
			return &InputError{"signals", fmt.Sprintf("has %q: there are %s", s, strings.Join(Signals, ", "))}
		}
	}
	w.Signals = signals
	for field, v := range map[string]float64{"items_per_second": w.ItemsPerSecond, "bytes_per_second": w.BytesPerSecond} {
		if !(v >= 0 && v <= maxRate) {
			return &InputError{field, "must be 0 (no limit) or a positive number"}
		}
	}
	if w.ExpiresAt != nil && !w.ExpiresAt.After(now) {
		return &InputError{"expires_at", "lies in the past"}
	}
	return nil
}

// New makes a key and its secret, which is nowhere else from then on.
func New(w Wish, now time.Time) (Key, string, error) {
	if err := w.check(now); err != nil {
		return Key{}, "", err
	}
	random := make([]byte, idBytes+32)
	if _, err := rand.Read(random); err != nil {
		return Key{}, "", fmt.Errorf("make a key: %w", err)
	}
	id := alphabet.EncodeToString(random[:idBytes])
	token := prefix + id + "_" + alphabet.EncodeToString(random[idBytes:])
	sum := sha256.Sum256([]byte(token))
	return Key{ID: id, Name: w.Name, Hash: hex.EncodeToString(sum[:]), Signals: w.Signals, ItemsPerSecond: w.ItemsPerSecond,
		BytesPerSecond: w.BytesPerSecond, CreatedAt: now.UTC(), ExpiresAt: w.ExpiresAt}, token, nil
}

// idOf is the ID within a key, "" if it does not look like one of ours.
func idOf(token string) string {
	if len(token) != tokenLen || token[:len(prefix)] != prefix || token[len(prefix)+idLen] != '_' {
		return ""
	}
	return token[len(prefix) : len(prefix)+idLen]
}

// Ours tells whether a text has the form of an ingest key. What other systems' agents send does not.
func Ours(token string) bool { return strings.HasPrefix(token, prefix) }

// State is what a key is at a moment: active, expired or revoked.
func (k *Key) State(now time.Time) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && !now.Before(*k.ExpiresAt):
		return "expired"
	}
	return "active"
}
