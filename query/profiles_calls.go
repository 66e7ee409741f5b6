package query

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// callIndex holds the stacks of a service that were asked for as one tree of calls, in which a stack is the number of
// its last call: merging profiles adds each stack's value to a call, and then every call to the one above it. Calls are
// only ever added, and a call comes after its caller, so that what was read once stays true without a lock.
type callIndex struct {
	mu     sync.RWMutex
	frames frameTable
	places map[uint64][]int32 // frames of a location by its hash, the caller first
	stacks map[uint64]int32   // last call by the stack's hash
	below  map[uint64]int32   // call by the one above and its frame
	calls  calls
	used   int64 // by callIndexes: when it was asked for last
}

// calls are a tree as parallel arrays; 0 is the root.
type calls struct {
	of     *callIndex
	parent []int32
	frame  []int32 // -1: the root
	again  []bool  // the function is further up as well
	frames []Frame
	rank   []int32 // of frames, by name
}

// frameTable numbers functions.
type frameTable struct {
	frames []Frame
	ids    map[frameID]int32
}

type frameID struct{ function, file string }

func (t *frameTable) frame(f *ProfileFrame) int32 {
	k := frameID{f.Function, f.File}
	id, ok := t.ids[k]
	if !ok {
		if t.ids == nil {
			t.ids = map[frameID]int32{}
		}
		id = int32(len(t.frames))
		t.frames = append(t.frames, Frame{Function: f.Function, Package: FunctionPackage(f.Function), File: f.File, Line: f.Start})
		t.ids[k] = id
	}
	return id
}

func newCallIndex() *callIndex {
	x := &callIndex{places: map[uint64][]int32{}, stacks: map[uint64]int32{}, below: map[uint64]int32{}}
	x.calls = calls{of: x, parent: []int32{-1}, frame: []int32{-1}, again: []bool{false}}
	return x
}

// Bytes of memory that each takes, with the maps' slack.
const (
	callBytes  = 48
	stackBytes = 32
	frameBytes = 320
)

func (x *callIndex) bytes() int {
	return callBytes*len(x.calls.parent) + stackBytes*(len(x.stacks)+len(x.places)) + frameBytes*len(x.frames.frames)
}

// call is the number of a call from another one; it is added where it is new. The lock is held.
func (x *callIndex) call(parent, frame int32) int32 {
	key := uint64(parent)<<32 | uint64(uint32(frame))
	n, ok := x.below[key]
	if ok {
		return n
	}
	c := &x.calls
	n = int32(len(c.parent))
	again := false
	for up := parent; up > 0 && !again; up = c.parent[up] {
		again = c.frame[up] == frame
	}
	c.parent, c.frame, c.again = append(c.parent, parent), append(c.frame, frame), append(c.again, again)
	x.below[key] = n
	return n
}

// lookup sets the last call of each known stack and returns the others' places in the list.
func (x *callIndex) lookup(hashes []uint64, last []int32) (missing []int) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	for i, h := range hashes {
		n, ok := x.stacks[h]
		if !ok {
			missing = append(missing, i)
		}
		last[i] = n
	}
	return missing
}

// view is the calls as they are now, with their frames in order.
func (x *callIndex) view() calls {
	x.mu.RLock()
	c, frames := x.calls, len(x.frames.frames)
	x.mu.RUnlock()
	if len(c.rank) == frames {
		return c
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls.frames, x.calls.rank = x.frames.frames, ranked(x.frames.frames)
	return x.calls
}

// ranked is each frame's place in the order of their names.
func ranked(frames []Frame) []int32 {
	order, rank := make([]int32, len(frames)), make([]int32, len(frames))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(frames[a].Function, frames[b].Function), cmp.Compare(frames[a].File, frames[b].File))
	})
	for at, f := range order {
		rank[f] = int32(at)
	}
	return rank
}

// callIndexes are the services' calls, those asked for last, in bounded memory.
type callIndexes struct {
	mu     sync.Mutex
	byName map[string]*callIndex
	clock  int64
}

func (all *callIndexes) of(service string) *callIndex {
	all.mu.Lock()
	defer all.mu.Unlock()
	x := all.byName[service]
	if x == nil {
		if all.byName == nil {
			all.byName = map[string]*callIndex{}
		}
		x = newCallIndex()
		all.byName[service] = x
	}
	all.clock++
	x.used = all.clock
	return x
}

// trim forgets the services that were asked for longest ago until the rest fits.
func (all *callIndexes) trim(most int) {
	all.mu.Lock()
	defer all.mu.Unlock()
	sum := 0
	for _, x := range all.byName {
		sum += x.size()
	}
	for sum > most {
		oldest := ""
		for name, x := range all.byName {
			if oldest == "" || x.used < all.byName[oldest].used {
				oldest = name
			}
		}
		sum -= all.byName[oldest].size()
		delete(all.byName, oldest)
	}
}

func (x *callIndex) size() int {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.bytes()
}

// stackCalls returns a service's calls and the last one of each stack, reading what is not known yet. A stack whose row
// is still under way is the root alone.
func (db *DB) stackCalls(ctx context.Context, service string, hashes []uint64) (calls, []int32, error) {
	return db.callsIn(ctx, service, db.calls.of(service), hashes)
}

// callsIn is stackCalls with the index that gave earlier numbers: it may have been forgotten since.
func (db *DB) callsIn(ctx context.Context, service string, x *callIndex, hashes []uint64) (calls, []int32, error) {
	last := make([]int32, len(hashes))
	missing := x.lookup(hashes, last)
	if len(missing) > 0 {
		want := make(map[uint64]int, len(missing))
		for _, i := range missing {
			want[hashes[i]] = i
		}
		if err := db.readStacks(ctx, service, x, want, last); err != nil {
			return calls{}, nil, err
		}
		db.calls.trim(db.o.ProfileMemory / 2)
	}
	return x.view(), last, nil
}

// readStacks reads the wanted stacks into the index. Stacks are remembered once all their locations and mappings are
// there; until then they are looked for again.
func (db *DB) readStacks(ctx context.Context, service string, x *callIndex, want map[uint64]int, last []int32) error {
	var raw []rawStack
	list := make([]uint64, 0, len(want))
	for h := range want {
		list = append(list, h)
	}
	err := db.byHash(ctx, service, list, stackRows, func(rows driver.Rows) error {
		var s rawStack
		if err := s.scan(rows); err != nil {
			return err
		}
		if _, ok := want[s.hash]; !ok {
			return nil
		}
		raw = append(raw, s)
		return nil
	})
	if err != nil {
		return err
	}
	known, err := db.loadLocations(ctx, service, x.unplaced(raw))
	if err != nil {
		return err
	}
	files, err := db.namelessFiles(ctx, maps.Values(known))
	if err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.place(known, files)
	for _, s := range raw {
		n, whole := x.walk(s.locations, known, files)
		if whole {
			x.stacks[s.hash] = n
		}
		last[want[s.hash]] = n
	}
	return nil
}

// unplaced are the locations of stacks whose frames are not known yet.
func (x *callIndex) unplaced(raw []rawStack) map[uint64]bool {
	need := map[uint64]bool{}
	x.mu.RLock()
	defer x.mu.RUnlock()
	for _, s := range raw {
		for _, l := range s.locations {
			if _, ok := x.places[l]; !ok {
				need[l] = true
			}
		}
	}
	return need
}

// place remembers the frames of locations whose names are certain.
func (x *callIndex) place(known map[uint64]*location, files map[uint64]mapping) {
	var frames []ProfileFrame
	for h, l := range known {
		if _, ok := files[l.mapping]; len(l.lines) > 0 || l.mapping == 0 || ok {
			frames = l.frames(frames[:0], files)
			x.places[h] = x.numbered(frames)
		}
	}
}

func (x *callIndex) numbered(frames []ProfileFrame) []int32 {
	ids := make([]int32, len(frames))
	for i := range frames {
		ids[i] = x.frames.frame(&frames[i])
	}
	return ids
}

// walk adds a stack's calls and returns the last one, and whether all of its locations are certain.
func (x *callIndex) walk(locations []uint64, known map[uint64]*location, files map[uint64]mapping) (n int32, whole bool) {
	whole = true
	for _, h := range locations {
		ids, ok := x.places[h]
		if l := known[h]; !ok {
			whole = false
			if l != nil {
				ids = x.numbered(l.frames(nil, files))
			}
		}
		for _, f := range ids {
			n = x.call(n, f)
		}
	}
	return n, whole
}

// namelessFiles loads the mappings of locations that have no symbols.
func (db *DB) namelessFiles(ctx context.Context, locations iter.Seq[*location]) (map[uint64]mapping, error) {
	need := map[uint64]bool{}
	for l := range locations {
		if len(l.lines) == 0 && l.mapping != 0 {
			need[l.mapping] = true
		}
	}
	var hashes []uint64
	for h := range need {
		hashes = append(hashes, h)
	}
	return db.mappings(ctx, hashes)
}

// locationsOf are the locations of stacks, each as often as it occurs.
func locationsOf(stacks map[uint64][]*location) iter.Seq[*location] {
	return func(yield func(*location) bool) {
		for _, s := range stacks {
			for _, l := range s {
				if !yield(l) {
					return
				}
			}
		}
	}
}
