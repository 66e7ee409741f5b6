package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Reasons why a request is refused, as they are counted.
const (
	Missing = "missing_key"
	Unknown = "unknown_key"
	Revoked = "revoked_key"
	Expired = "expired_key"
	Scope   = "wrong_signal"
	Limited = "rate_limited"
)

// Refusal is why a request may not be sent, and whether it may later.
type Refusal struct {
	Reason     string        // one of the constants
	Text       string        // for whoever reads the sender's log
	Known      bool          // the key is good, but not for this
	RetryAfter time.Duration // when the key's rate admits again; 0: never
}

func (r *Refusal) Error() string { return r.Text }

// Sender is a key in use: what its requests are charged to. A nil Sender is somebody who needs no key.
type Sender struct {
	id   string
	hash [sha256.Size]byte
	key  atomic.Pointer[Key]

	items, bytes bucket
	use          counters
}

// counters are of this process since it began.
type counters struct {
	requests, items, bytes atomic.Int64
	lastMS                 atomic.Int64
	refused                [len(reasons)]atomic.Int64
}

// reasons are the refusals that can be told of a known key.
var reasons = [...]string{Revoked, Expired, Scope, Limited}

func (c *counters) refuse(reason string) {
	for i, r := range reasons {
		if r == reason {
			c.refused[i].Add(1)
		}
	}
}

// Charge counts what an admitted request held: bytes once they are read, items once they are stored.
func (s *Sender) Charge(bytes, items int) {
	if s == nil {
		return
	}
	now := time.Now()
	if bytes > 0 {
		s.use.requests.Add(1)
		s.use.bytes.Add(int64(bytes))
		s.bytes.charge(float64(bytes), now)
	}
	if items > 0 {
		s.use.items.Add(int64(items))
		s.items.charge(float64(items), now)
	}
}

// Keyring is every key, in memory.
type Keyring struct {
	conn     driver.Conn
	instance string // names this process among those that count uses
	required bool

	newDir string

	senders atomic.Pointer[map[string]*Sender] // by ID; never changed, only replaced
	mu      sync.Mutex                         // held while keys are replaced and uses are saved; guards the rest
	base    map[string]Use                     // by ID: what this process's predecessors have counted; nil until read
	saved   map[string]Use                     // by ID: what was saved last

	missing, unknown atomic.Int64 // requests refused for lack of a key that is known
	readMS           atomic.Int64 // when the keys were last read from the store, Unix ms
}

// Options configure a Keyring.
type Options struct {
	// Required refuses requests without a key. Otherwise they pass, and a key that is sent is held to its scope and rate.
	Required bool
	// Instance names this process among those on the same store, and stays the same when it restarts.
	Instance string
	// NewDir is where commands leave keys that were made while the product did not run; "" if nowhere.
	NewDir string
}

// NewKeyring makes a Keyring without keys; Refresh reads them.
func NewKeyring(conn driver.Conn, o Options) *Keyring {
	r := &Keyring{conn: conn, instance: o.Instance, required: o.Required, newDir: o.NewDir, saved: map[string]Use{}}
	r.senders.Store(&map[string]*Sender{})
	return r
}

// Required tells whether requests without a key are refused.
func (r *Keyring) Required() bool { return r.required }

// Admit says whether what is sent with a key may come in: as the sender to charge, or as a Refusal. signal "" is any.
func (r *Keyring) Admit(token, signal string, now time.Time) (*Sender, *Refusal) {
	id := idOf(token)
	if id == "" {
		return r.foreign(token)
	}
	s := (*r.senders.Load())[id]
	if s == nil {
		r.unknown.Add(1)
		return nil, errUnknown
	}
	var buf [tokenLen]byte // idOf has checked the length
	copy(buf[:], token)
	sum := sha256.Sum256(buf[:])
	if subtle.ConstantTimeCompare(sum[:], s.hash[:]) != 1 {
		r.unknown.Add(1)
		return nil, errUnknown
	}
	if err := s.admit(signal, now); err != nil {
		s.use.refuse(err.Reason)
		return nil, err
	}
	s.use.lastMS.Store(now.UnixMilli())
	return s, nil
}

var (
	errMissing = &Refusal{Reason: Missing, Text: "an ingest key is required: send it as \"Authorization: Bearer KEY\" or \"X-Api-Key: KEY\"; " +
		"keys are made in Settings or with `tidemark keys create`"}
	errUnknown = &Refusal{Reason: Unknown, Text: "there is no such ingest key"}
	errRevoked = &Refusal{Reason: Revoked, Text: "this ingest key has been revoked"}
	errExpired = &Refusal{Reason: Expired, Text: "this ingest key has expired"}
)

// foreign decides on what is no key of ours: none, or the credentials of another system, which are nobody's business
// as long as nobody needs a key.
func (r *Keyring) foreign(token string) (*Sender, *Refusal) {
	switch {
	case Ours(token), r.required && token != "": // cut short, or of another system
		r.unknown.Add(1)
		return nil, errUnknown
	case r.required:
		r.missing.Add(1)
		return nil, errMissing
	}
	return nil, nil
}

func (s *Sender) admit(signal string, now time.Time) *Refusal {
	k := s.key.Load()
	switch k.State(now) {
	case "revoked":
		return errRevoked
	case "expired":
		return errExpired
	}
	if !k.allows(signal) {
		return &Refusal{Reason: Scope, Known: true, Text: fmt.Sprintf("this ingest key (%s) may not send %s", k.Name, signal)}
	}
	if d := s.items.wait(now); d > 0 {
		return &Refusal{Reason: Limited, Known: true, RetryAfter: d, Text: fmt.Sprintf("this ingest key (%s) may send %g items a second", k.Name, k.ItemsPerSecond)}
	}
	if d := s.bytes.wait(now); d > 0 {
		return &Refusal{Reason: Limited, Known: true, RetryAfter: d, Text: fmt.Sprintf("this ingest key (%s) may send %g bytes a second", k.Name, k.BytesPerSecond)}
	}
	return nil
}

func (k *Key) allows(signal string) bool {
	if signal == "" {
		return true
	}
	for _, s := range k.Signals {
		if s == signal {
			return true
		}
	}
	return false
}

// replace puts keys in force. A key that stays keeps what it has counted and what is left of its rate.
func (r *Keyring) replace(keys []Key, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := *r.senders.Load()
	next := make(map[string]*Sender, len(keys))
	for _, k := range keys {
		hash, err := hex.DecodeString(k.Hash)
		if err != nil || len(hash) != sha256.Size || len(k.ID) != idLen {
			continue // not written by us; a key that nobody can use
		}
		s := old[k.ID]
		if s == nil || [sha256.Size]byte(hash) != s.hash {
			s = &Sender{id: k.ID, hash: [sha256.Size]byte(hash)}
		}
		s.key.Store(&k)
		s.items.set(k.ItemsPerSecond, now)
		s.bytes.set(k.BytesPerSecond, now)
		next[k.ID] = s
	}
	r.senders.Store(&next)
}

// Usable is how many keys admit anything now.
func (r *Keyring) Usable(now time.Time) int {
	n := 0
	for _, s := range *r.senders.Load() {
		if s.key.Load().State(now) == "active" {
			n++
		}
	}
	return n
}
