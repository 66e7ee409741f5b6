package notify

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

// Keys of the settings.
const (
	channelKey = "channel/"
	silenceKey = "silence/"
	routingKey = "routing"
)

func (n *Notifier) loadSettings(ctx context.Context) error {
	all, err := store.Settings(ctx, n.o.Conn, channelKey)
	if err != nil {
		return err
	}
	for key, value := range all {
		if err := n.loadChannel(strings.TrimPrefix(key, channelKey), value); err != nil {
			return err
		}
	}
	if all, err = store.Settings(ctx, n.o.Conn, silenceKey); err != nil {
		return err
	}
	for key, value := range all {
		s := &Silence{}
		if err := json.Unmarshal([]byte(value), s); err != nil {
			return fmt.Errorf("read the setting %s: %w", key, err)
		}
		n.silences[s.ID] = s
	}
	value, ok, err := store.Setting(ctx, n.o.Conn, routingKey)
	if err != nil {
		return err
	}
	n.routing = defaultRouting()
	if ok {
		n.routing = Routing{}
		if err := json.Unmarshal([]byte(value), &n.routing); err != nil {
			return fmt.Errorf("read the setting %s: %w", routingKey, err)
		}
	}
	return nil
}

// loadChannel takes a stored channel. One whose secrets cannot be read (another key file) is kept and shown as
// broken: its messages wait until somebody enters the secrets again.
func (n *Notifier) loadChannel(id, value string) error {
	c := &Channel{}
	if err := json.Unmarshal([]byte(value), c); err != nil {
		return fmt.Errorf("read the channel %s: %w", id, err)
	}
	k := kinds[c.Type]
	if k == nil {
		n.o.Logger.Error("a channel is of a type this version does not know", "channel", id, "type", c.Type)
		return nil
	}
	for _, f := range k.Fields {
		v := c.Fields[f.Name]
		if !f.Secret || v == "" {
			continue
		}
		plain, err := n.o.Keys.open(channelKey+id+"/"+f.Name, v)
		if err != nil {
			n.broken[id] = fmt.Sprintf("%s cannot be read: %v", f.Label, err)
			n.o.Logger.Error("a channel's secret cannot be read", "channel", c.Name, "field", f.Name, "error", err)
		}
		c.Fields[f.Name] = plain
	}
	n.channels[id] = c
	return nil
}

// saveChannel stores a channel with its secrets encrypted.
func (n *Notifier) saveChannel(ctx context.Context, c Channel) error {
	sealedFields := maps.Clone(c.Fields)
	for _, f := range kinds[c.Type].Fields {
		if v := sealedFields[f.Name]; f.Secret && v != "" {
			sealedFields[f.Name] = n.o.Keys.seal(channelKey+c.ID+"/"+f.Name, v)
		}
	}
	c.Fields = sealedFields
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("store the channel: %w", err)
	}
	return store.SetSetting(ctx, n.o.Conn, channelKey+c.ID, string(b))
}

// Channels are all channels by name, secrets shortened.
func (n *Notifier) Channels() []Channel {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []Channel{}
	for _, c := range n.channels {
		out = append(out, n.shown(*c))
	}
	slices.SortFunc(out, func(a, b Channel) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	return out
}

func (n *Notifier) shown(c Channel) Channel {
	c.Problem = n.broken[c.ID]
	return c.redacted()
}

// AddChannel makes a channel.
func (n *Notifier) AddChannel(ctx context.Context, c Channel) (Channel, error) {
	now := n.now()
	c.ID, c.CreatedAt, c.UpdatedAt = newID(), now, now
	if err := c.validate(); err != nil {
		return Channel{}, err
	}
	n.mu.Lock()
	full := len(n.channels) >= maxChannels
	n.mu.Unlock()
	if full {
		return Channel{}, &InputError{"channels", fmt.Sprintf("are at most %d", maxChannels)}
	}
	return n.putChannel(ctx, c)
}

// SetChannel changes a channel. Secrets that come empty, or as they were shown, stay as they are.
func (n *Notifier) SetChannel(ctx context.Context, id string, c Channel) (Channel, error) {
	n.mu.Lock()
	old := n.channels[id]
	n.mu.Unlock()
	if old == nil {
		return Channel{}, &NotFoundError{"channel " + id}
	}
	if c.Type != old.Type {
		return Channel{}, &InputError{"type", "of a channel stays: make another channel"}
	}
	c.ID, c.CreatedAt, c.UpdatedAt = id, old.CreatedAt, n.now()
	if err := c.merge(*old); err != nil {
		return Channel{}, err
	}
	if err := c.validate(); err != nil {
		return Channel{}, err
	}
	return n.putChannel(ctx, c)
}

func (n *Notifier) putChannel(ctx context.Context, c Channel) (Channel, error) {
	c.Problem = ""
	if err := n.saveChannel(ctx, c); err != nil {
		return Channel{}, err
	}
	n.mu.Lock()
	n.channels[c.ID] = &c
	delete(n.broken, c.ID)
	n.mu.Unlock()
	n.poke()
	return c.redacted(), nil
}

// DeleteChannel removes a channel, from the routing too, and gives up what waits for it.
func (n *Notifier) DeleteChannel(ctx context.Context, id string) error {
	n.mu.Lock()
	_, ok := n.channels[id]
	routing, used := n.routing.without(id)
	n.mu.Unlock()
	if !ok {
		return &NotFoundError{"channel " + id}
	}
	if used {
		if err := n.saveRouting(ctx, routing); err != nil {
			return err
		}
	}
	if err := store.DeleteSetting(ctx, n.o.Conn, channelKey+id); err != nil {
		return err
	}
	n.mu.Lock()
	delete(n.channels, id)
	delete(n.broken, id)
	var given []*Delivery
	for _, t := range n.incidents {
		given = append(given, n.drop(t, id, "the channel was deleted", n.o.Now())...)
	}
	n.mu.Unlock()
	n.store(given)
	return nil
}

// without is the routing without a channel.
func (r Routing) without(id string) (Routing, bool) {
	used := false
	r.Routes = slices.Clone(r.Routes)
	for i := range r.Routes {
		route := &r.Routes[i]
		if slices.Contains(route.Channels, id) {
			used = true
			route.Channels = slices.DeleteFunc(slices.Clone(route.Channels), func(c string) bool { return c == id })
		}
	}
	return r, used
}

// Routing says who is told of what.
func (n *Notifier) Routing() Routing {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.routing
}

// SetRouting changes who is told of what.
func (n *Notifier) SetRouting(ctx context.Context, r Routing) (Routing, error) {
	n.mu.Lock()
	ids := slices.Collect(maps.Keys(n.channels))
	n.mu.Unlock()
	if err := r.check(ids); err != nil {
		return Routing{}, err
	}
	if err := n.saveRouting(ctx, r); err != nil {
		return Routing{}, err
	}
	n.poke()
	return r, nil
}

func (n *Notifier) saveRouting(ctx context.Context, r Routing) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("store the routing: %w", err)
	}
	if err := store.SetSetting(ctx, n.o.Conn, routingKey, string(b)); err != nil {
		return err
	}
	n.mu.Lock()
	n.routing = r
	n.mu.Unlock()
	return nil
}

// Silences are all silences, the newest first.
func (n *Notifier) Silences() []Silence {
	now := n.o.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []Silence{}
	for _, s := range n.silences {
		c := *s
		c.Active = s.active(now)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Silence) int { return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(a.ID, b.ID)) })
	return out
}

// AddSilence makes a silence.
func (n *Notifier) AddSilence(ctx context.Context, s Silence) (Silence, error) {
	n.mu.Lock()
	full := len(n.silences) >= maxSilences
	n.mu.Unlock()
	if full {
		return Silence{}, &InputError{"silences", fmt.Sprintf("are at most %d: delete those that are over", maxSilences)}
	}
	s.ID, s.CreatedAt = newID(), n.now()
	return n.putSilence(ctx, s)
}

// SetSilence changes a silence.
func (n *Notifier) SetSilence(ctx context.Context, id string, s Silence) (Silence, error) {
	n.mu.Lock()
	old := n.silences[id]
	n.mu.Unlock()
	if old == nil {
		return Silence{}, &NotFoundError{"silence " + id}
	}
	s.ID, s.CreatedAt = id, old.CreatedAt
	if s.StartsAt.IsZero() {
		s.StartsAt = old.StartsAt
	}
	return n.putSilence(ctx, s)
}

func (n *Notifier) putSilence(ctx context.Context, s Silence) (Silence, error) {
	now := n.now()
	s.UpdatedAt, s.Active = now, false
	if err := s.check(now); err != nil {
		return Silence{}, err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return Silence{}, fmt.Errorf("store the silence: %w", err)
	}
	if err := store.SetSetting(ctx, n.o.Conn, silenceKey+s.ID, string(b)); err != nil {
		return Silence{}, err
	}
	n.mu.Lock()
	stored := s
	n.silences[s.ID] = &stored
	n.mu.Unlock()
	n.poke()
	s.Active = s.active(now)
	return s, nil
}

// DeleteSilence ends a silence and removes it.
func (n *Notifier) DeleteSilence(ctx context.Context, id string) error {
	n.mu.Lock()
	_, ok := n.silences[id]
	n.mu.Unlock()
	if !ok {
		return &NotFoundError{"silence " + id}
	}
	if err := store.DeleteSetting(ctx, n.o.Conn, silenceKey+id); err != nil {
		return err
	}
	n.mu.Lock()
	delete(n.silences, id)
	n.mu.Unlock()
	n.poke()
	return nil
}

func (n *Notifier) now() time.Time { return n.o.Now().UTC().Truncate(time.Millisecond) }

// newID is 12 random bytes in hexadecimal.
func newID() string {
	b := make([]byte, 12)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
