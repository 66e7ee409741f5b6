// Package fault keeps the switches that break the demo shop on purpose. A
// Board holds one switch per fault, safe for concurrent use; services read a
// switch on their hot path with one atomic load, and a watcher is told when a
// switch changes so that faults which need work (dropping an index, rolling a
// release) can do it. A switch only states what is wanted: it never fails.
package fault

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Name identifies a fault on the command line, in the API and on the page.
type Name string

// The faults the shop knows.
const (
	SlowQuery        Name = "slow-query"
	NPlusOne         Name = "n-plus-one"
	DependencyErrors Name = "dependency-errors"
	SlowRelease      Name = "slow-release"
)

// descriptions also fixes the order in which faults are listed.
var descriptions = []struct {
	name Name
	text string
}{
	{SlowQuery, "catalog loses the index on its reviews: every search scans the whole table for each hit"},
	{NPlusOne, "cart loads each product by a SQL query of its own instead of one join"},
	{DependencyErrors, "the card network behind payment answers 503 to about 30 % of authorizations"},
	{SlowRelease, "recommendation rolls out version 1.5.0, whose new ranking burns far more CPU"},
}

// State is one switch as shown to people.
type State struct {
	Name        Name       `json:"name"`
	Description string     `json:"description"`
	On          bool       `json:"on"`
	Since       *time.Time `json:"since"` // when it was last switched; nil if never
}

// Board is a set of switches, all off at first.
type Board struct {
	now      func() time.Time
	switches map[Name]*lever

	mu       sync.Mutex // guards lever.since and watchers
	watchers []func(Name, bool)
}

type lever struct {
	on    atomic.Bool
	since time.Time
}

// NewBoard returns a board with every fault off. now is the clock for State.Since.
func NewBoard(now func() time.Time) *Board {
	b := &Board{now: now, switches: map[Name]*lever{}}
	for _, d := range descriptions {
		b.switches[d.name] = &lever{}
	}
	return b
}

// On reports whether the fault is switched on.
func (b *Board) On(name Name) bool {
	s, ok := b.switches[name]
	return ok && s.on.Load()
}

// Watch calls fn after each change, in order, until the board is forgotten.
// fn must not block and must not call the board.
func (b *Board) Watch(fn func(name Name, on bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, fn)
}

// Set switches a fault. Setting what is already so changes nothing.
func (b *Board) Set(name Name, on bool) (State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, ok := b.switches[name]
	if !ok {
		return State{}, fmt.Errorf("no fault is called %q; there are %v", name, Names())
	}
	if s.on.Swap(on) != on {
		s.since = b.now()
		for _, fn := range b.watchers {
			fn(name, on)
		}
	}
	return b.state(name), nil
}

// States lists every switch in a fixed order.
func (b *Board) States() []State {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]State, 0, len(descriptions))
	for _, d := range descriptions {
		out = append(out, b.state(d.name))
	}
	return out
}

// state needs b.mu.
func (b *Board) state(name Name) State {
	s := b.switches[name]
	out := State{Name: name, Description: describe(name), On: s.on.Load()}
	if !s.since.IsZero() {
		since := s.since
		out.Since = &since
	}
	return out
}

// Names lists every fault in a fixed order.
func Names() []Name {
	out := make([]Name, 0, len(descriptions))
	for _, d := range descriptions {
		out = append(out, d.name)
	}
	return out
}

func describe(name Name) string {
	for _, d := range descriptions {
		if d.name == name {
			return d.text
		}
	}
	return ""
}
