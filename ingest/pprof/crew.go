package pprof

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Several processes may have the same targets; each target is fetched from by one of them. They tell each other that
// they are there in the settings, and every one works out alone who fetches from what: of those that have the target,
// the one whose name and the target's make the largest hash. Who comes takes over only what is its own by that rule,
// and waits until the others must have noticed; who goes says so, or is taken for gone once its word is no longer
// valid. A process that cannot reach the store any more stops before that. All times that are stored are the store's.
const (
	beatLength = time.Minute
	beatRenew  = 40 * time.Second // left of it, under which it is renewed
	beatSettle = 2*reloadEvery + 5*time.Second
	beatDoubt  = 15 * time.Second // before the end of its own word, in which a process that cannot renew it stops
)

// Peers is how processes that fetch from the same targets hear of each other.
type Peers struct {
	Name  string // of this process, unlike any other's
	Read  func(ctx context.Context) (beats map[string]string, now time.Time, err error)
	Write func(ctx context.Context, beat string) error // of this process
	Leave func(ctx context.Context) error
}

// beat is what a process says of itself.
type beat struct {
	Until  int64               `json:"until"`            // Unix milliseconds by the store's clock
	Fixed  []string            `json:"fixed,omitempty"`  // targets of its configuration, which others may not have
	States map[string]progress `json:"states,omitempty"` // of what it fetches from, where there are others to know it
}

// crew is the processes that are there, as one of them sees it. Its owner guards it.
type crew struct {
	peers  *Peers // nil: there is none but this one
	length time.Duration
	renew  time.Duration
	settle time.Duration
	doubt  time.Duration
	clock  func() time.Time

	offset time.Duration // of the store's clock to this one's
	until  time.Time     // by the store's clock: the end of what this process last said
	alive  map[string]beat
	owners map[string]string    // of targets, at the last look
	begin  map[string]time.Time // when what has come to this process may be begun with
}

func newCrew(p *Peers) *crew {
	return &crew{peers: p, length: beatLength, renew: beatRenew, settle: beatSettle, doubt: beatDoubt, clock: time.Now, begin: map[string]time.Time{}}
}

// exchange says that this process is there, and reads who else is.
func (c *crew) exchange(ctx context.Context, fixed []string, states func() map[string]progress) error {
	if c.peers == nil {
		return nil
	}
	if c.until.IsZero() { // what time it is there
		if err := c.read(ctx); err != nil {
			return err
		}
	}
	if now := c.clock().Add(c.offset); c.until.Sub(now) < c.renew {
		b := beat{Until: now.Add(c.length).UnixMilli(), Fixed: fixed}
		if c.others() {
			b.States = states()
		}
		text, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("say that profiles are fetched here: %w", err)
		}
		if err := c.peers.Write(ctx, string(text)); err != nil {
			return fmt.Errorf("say that profiles are fetched here: %w", err)
		}
		c.until = time.UnixMilli(b.Until)
	}
	return c.read(ctx)
}

func (c *crew) read(ctx context.Context) error {
	texts, now, err := c.peers.Read(ctx)
	if err != nil {
		return fmt.Errorf("read who fetches profiles: %w", err)
	}
	c.offset = now.Sub(c.clock())
	c.alive = map[string]beat{}
	for name, text := range texts {
		var b beat
		if json.Unmarshal([]byte(text), &b) == nil && b.Until > now.UnixMilli() {
			c.alive[name] = b
		}
	}
	return nil
}

// others says whether there are other processes.
func (c *crew) others() bool {
	if c.peers == nil {
		return false
	}
	_, own := c.alive[c.peers.Name]
	return len(c.alive) > 1 || len(c.alive) == 1 && !own
}

// owner is the process that fetches from a target.
func (c *crew) owner(t Target) string {
	best, most := c.peers.Name, rank(c.peers.Name, t.ID)
	for name, b := range c.alive {
		if t.Source == SourceConfiguration && !slices.Contains(b.Fixed, t.ID) {
			continue
		}
		if n := rank(name, t.ID); n > most || n == most && name > best {
			best, most = name, n
		}
	}
	return best
}

func rank(process, target string) uint64 {
	h := sha256.Sum256([]byte(process + "\x00" + target))
	return binary.BigEndian.Uint64(h[:])
}

// share is the part of the targets that this process fetches from at present.
func (c *crew) share(all []Target) []Target {
	if c.peers == nil {
		return all
	}
	now := c.clock()
	if c.others() && now.Add(c.offset).After(c.until.Add(-c.doubt)) {
		c.owners = nil
		return nil // the others may soon believe that this process is gone
	}
	owners, mine := map[string]string{}, []Target{}
	for _, t := range all {
		owner := c.owner(t)
		owners[t.ID] = owner
		if owner != c.peers.Name {
			delete(c.begin, t.ID)
			continue
		}
		before, known := c.owners[t.ID]
		_, there := c.alive[before]
		if known && before != owner && there || c.owners == nil && c.others() {
			c.begin[t.ID] = now.Add(c.settle)
		}
		if !now.Before(c.begin[t.ID]) {
			mine = append(mine, t)
		}
	}
	maps.DeleteFunc(c.begin, func(id string, _ time.Time) bool { return owners[id] == "" })
	c.owners = owners
	return mine
}

// elsewhere is who else fetches from a target, "" for this process, and how that goes as far as it has said.
func (c *crew) elsewhere(id string) (string, progress) {
	owner := c.owners[id]
	if c.peers == nil || owner == "" || owner == c.peers.Name {
		return "", progress{}
	}
	return owner, c.alive[owner].States[id]
}

// leave tells the others that this process is gone.
func (c *crew) leave(ctx context.Context) error {
	if c.peers == nil || c.until.IsZero() {
		return nil
	}
	return c.peers.Leave(ctx)
}

// progress is how fetching goes, for others to know.
func (s *Scraper) progress() map[string]progress {
	out := map[string]progress{}
	for _, x := range s.States() {
		if x.ID != selfID {
			x.LastError = x.LastError[:min(len(x.LastError), longestText)]
			out[x.ID] = x.progress
		}
	}
	return out
}
