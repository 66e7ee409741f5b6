package ingest

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// storedStacks remembers which stacks, locations and mappings are in ClickHouse, in two generations of at most max/2
// each, by their hash and the service.
type storedStacks struct {
	max int

	mu         sync.RWMutex
	young, old map[uint64]int64 // Unix seconds of the row's last_seen, guarded by mu
}

// stackRefresh is how stale the stored last_seen of a stack, location or mapping may be, in seconds.
const stackRefresh = 12 * 3600

func newStoredStacks(max int) *storedStacks {
	return &storedStacks{max: max, young: map[uint64]int64{}}
}

// fresh says whether something is stored and its row young enough at a time, Unix seconds.
func (s *storedStacks) fresh(key uint64, now int64) bool {
	s.mu.RLock()
	at, young := s.young[key]
	if !young {
		at = s.old[key]
	}
	s.mu.RUnlock()
	if at == 0 || now >= at+stackRefresh {
		return false
	}
	if !young {
		s.mu.Lock()
		s.keep(key, at)
		s.mu.Unlock()
	}
	return true
}

// add notes what a batch has stored.
func (s *storedStacks) add(keys map[uint64]struct{}, now int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range keys {
		s.keep(k, now)
	}
}

// keep is called with mu held.
func (s *storedStacks) keep(key uint64, at int64) {
	if len(s.young) >= s.max/2 {
		s.old, s.young = s.young, make(map[uint64]int64, 1024)
	}
	s.young[key] = at
}

// sampleHour is the coarse time in the order of profile_values.
const sampleHour = 3600 * nanosPerSecond

// sortSamples orders groups of samples as the table profile_values does and returns them cut into days.
func (s *sorter) sortSamples(c *profileColumns) []dayRows {
	s.rankServices(c.resources.list)
	s.perm = s.perm[:0]
	for i := range c.groups {
		s.perm = append(s.perm, uint32(i))
	}
	slices.SortFunc(s.perm, func(a, b uint32) int {
		x, y := &c.heads[c.groups[a].head], &c.heads[c.groups[b].head]
		day := cmp.Compare(x.start/nanosPerDay, y.start/nanosPerDay)
		return cmp.Or(day, cmp.Compare(s.ranks[x.resource], s.ranks[y.resource]), cmp.Compare(x.typ, y.typ), cmp.Compare(x.start/sampleHour, y.start/sampleHour),
			cmp.Compare(c.resources.list[x.resource].fingerprint, c.resources.list[y.resource].fingerprint), cmp.Compare(x.start, y.start), cmp.Compare(a, b))
	})
	return cutDaysBy(s.perm, func(r uint32) int64 { return c.heads[c.groups[r].head].start })
}

// cutDaysBy is cutDays with a function for the time.
func cutDaysBy(perm []uint32, at func(uint32) int64) []dayRows {
	var days []dayRows
	for from := 0; from < len(perm); {
		day := at(perm[from]) / nanosPerDay
		to := from + 1
		for to < len(perm) && at(perm[to])/nanosPerDay == day {
			to++
		}
		days = append(days, dayRows{day, perm[from:to]})
		from = to
	}
	return days
}

// headDays orders the heads by time and cuts them into days.
func (c *profileColumns) headDays() []dayRows {
	perm := make([]uint32, len(c.heads))
	for i := range perm {
		perm[i] = uint32(i)
	}
	slices.SortStableFunc(perm, func(a, b uint32) int { return cmp.Compare(c.heads[a].start, c.heads[b].start) })
	return cutDaysBy(perm, func(r uint32) int64 { return c.heads[r].start })
}

var valueNames = [profileValues]string{"values1", "values2", "values3", "values4"}
var grownNames = [profileValues]string{"increases1", "increases2", "increases3", "increases4"}

// profileValueBlock encodes the samples of one day for the table profile_values.
func (b *block) profileValueBlock(c *profileColumns, perm []uint32) {
	b.reset("profile_values", len(perm))
	head := func(i int) *profileHead { return &c.heads[c.groups[perm[i]].head] }
	n := len(perm)
	b.uint32s("ts", "DateTime", n, func(i int) uint32 { return uint32(head(i).start / nanosPerSecond) })
	b.lowCardinality("service", n, func(i int) string { return c.resources.list[head(i).resource].service })
	b.lowCardinality("type", n, func(i int) string { return head(i).typ })
	b.lowCardinality("sample_types", n, func(i int) string { return head(i).sampleTypes })
	b.uint64s("resource", "UInt64", n, func(i int) uint64 { return c.resources.list[head(i).resource].fingerprint })
	b.begin("stacks", "Array(UInt64)")
	groupArrays(b, c, perm, c.stack, func(*profileHead) bool { return true })
	for j := range profileValues {
		b.begin(valueNames[j], "Array(Int64)")
		groupArrays(b, c, perm, c.values[j], func(h *profileHead) bool { return j < h.values })
	}
	for j := range profileValues {
		b.begin(grownNames[j], "Array(Int64)")
		groupArrays(b, c, perm, c.grown[j], func(h *profileHead) bool { return h.cumulative && j < h.values })
	}
	b.begin("label.key", "Array(LowCardinality(String))")
	b.gatherArrayLC(perm, c.labels.key, c.labels.end, c.labels.keys)
	b.begin("label.value", "Array(String)")
	b.gatherOffsets(perm, c.labels.end)
	for _, r := range perm {
		for from, to := c.labels.span(r); from < to; from++ {
			b.buf = appendString(b.buf, c.labels.values.bytes(c.labels.value[from]))
		}
	}
	b.begin("label.unit", "Array(LowCardinality(String))")
	b.gatherArrayLC(perm, c.units, c.labels.end, c.labels.values)
	b.begin("label.type", "Array(UInt8)")
	b.gatherOffsets(perm, c.labels.end)
	for _, r := range perm {
		from, to := c.labels.span(r)
		b.buf = append(b.buf, c.labels.typ[from:to]...)
	}
}

// profileBlock encodes the heads of one day for the table profiles.
func (b *block) profileBlock(c *profileColumns, perm []uint32) {
	b.reset("profiles", len(perm))
	n := len(perm)
	head := func(i int) *profileHead { return &c.heads[perm[i]] }
	b.uint64s("ts", "DateTime64(9)", n, func(i int) uint64 { return uint64(head(i).start) })
	b.uint64s("duration_ns", "UInt64", n, func(i int) uint64 { return uint64(head(i).duration) })
	b.lowCardinality("service", n, func(i int) string { return c.resources.list[head(i).resource].service })
	b.lowCardinality("type", n, func(i int) string { return head(i).typ })
	b.lowCardinality("sample_types", n, func(i int) string { return head(i).sampleTypes })
	b.uint64s("resource", "UInt64", n, func(i int) uint64 { return c.resources.list[head(i).resource].fingerprint })
	b.bytes("cumulative", "Bool", n, func(i int) byte { return boolByte(head(i).cumulative) })
	b.lowCardinality("source", n, func(i int) string { return head(i).source })
	b.lowCardinality("period_type", n, func(i int) string { return head(i).periodType })
	b.uint64s("period", "Int64", n, func(i int) uint64 { return uint64(head(i).period) })
	b.lowCardinality("default_sample_type", n, func(i int) string { return head(i).defaultType })
	b.strings("drop_frames", n, func(i int) string { return head(i).dropFrames })
	b.strings("keep_frames", n, func(i int) string { return head(i).keepFrams })
	b.strings("doc_url", n, func(i int) string { return head(i).docURL })
	b.begin("comments", "Array(String)")
	arrays(b, n, func(i int) []string { return head(i).comments }, func(s string) { b.buf = appendString(b.buf, []byte(s)) })
	b.uint64s("mapping", "UInt64", n, func(i int) uint64 { return head(i).mapping })
	b.uint32s("samples", "UInt32", n, func(i int) uint32 { return head(i).samples })
	b.uint32s("bytes", "UInt32", n, func(i int) uint32 { return head(i).bytes })
	b.begin("totals", "Array(Int64)")
	arrays(b, n, func(i int) []int64 { return head(i).totals[:] }, func(v int64) { b.u64(uint64(v)) })
}

// groupArrays appends one value a sample, an array a group; empty where the profile has no such value.
func groupArrays[T int64 | uint64](b *block, c *profileColumns, perm []uint32, values []T, has func(*profileHead) bool) {
	total := 0
	for _, g := range perm {
		if x := &c.groups[g]; has(&c.heads[x.head]) {
			total += int(x.to - x.from)
		}
		b.u64(uint64(total))
	}
	b.grow(8 * total)
	for _, g := range perm {
		if x := &c.groups[g]; has(&c.heads[x.head]) {
			for _, v := range values[x.from:x.to] {
				b.u64(uint64(v))
			}
		}
	}
}

// arrays appends an Array column: the offsets, then every element.
func arrays[T any](b *block, n int, at func(int) []T, put func(T)) {
	total := 0
	for i := range n {
		total += len(at(i))
		b.u64(uint64(total))
	}
	for i := range n {
		for _, v := range at(i) {
			put(v)
		}
	}
}

func boolByte(v bool) byte {
	if v {
		return 1
	}
	return 0
}

func (b *block) stackBlock(rows []stackRow, now int64) {
	b.reset("profile_stacks", len(rows))
	n := len(rows)
	b.lowCardinality("service", n, func(i int) string { return rows[i].service })
	b.uint64s("hash", "UInt64", n, func(i int) uint64 { return rows[i].hash })
	b.begin("locations", "Array(UInt64)")
	arrays(b, n, func(i int) []uint64 { return rows[i].locations }, b.u64)
	b.uint32s("last_seen", "DateTime", n, func(int) uint32 { return uint32(now) })
}

func (b *block) locationBlock(rows []locationRow, now int64) {
	b.reset("profile_locations", len(rows))
	n := len(rows)
	b.lowCardinality("service", n, func(i int) string { return rows[i].service })
	b.uint64s("hash", "UInt64", n, func(i int) uint64 { return rows[i].hash })
	b.uint64s("mapping", "UInt64", n, func(i int) uint64 { return rows[i].mapping })
	b.uint64s("address", "UInt64", n, func(i int) uint64 { return rows[i].address })
	b.bytes("folded", "Bool", n, func(i int) byte { return boolByte(rows[i].folded) })
	lines := func(i int) []lineRow { return rows[i].lines }
	for _, f := range []struct {
		name string
		of   func(*lineRow) string
	}{{"line.function", func(l *lineRow) string { return l.function }}, {"line.system_name", func(l *lineRow) string { return l.system }},
		{"line.file", func(l *lineRow) string { return l.file }}} {
		b.arrayLC(f.name, n, func(i int) int { return len(rows[i].lines) }, func(i, j int) string { return f.of(&rows[i].lines[j]) })
	}
	for _, f := range []struct {
		name string
		of   func(lineRow) int64
	}{{"line.start", func(l lineRow) int64 { return l.start }}, {"line.line", func(l lineRow) int64 { return l.line }},
		{"line.column", func(l lineRow) int64 { return l.column }}} {
		b.begin(f.name, "Array(Int64)")
		arrays(b, n, lines, func(l lineRow) { b.u64(uint64(f.of(l))) })
	}
	b.uint32s("last_seen", "DateTime", n, func(int) uint32 { return uint32(now) })
}

// arrayLC appends an Array(LowCardinality(String)) column of small blocks.
func (b *block) arrayLC(name string, n int, length func(int) int, at func(i, j int) string) {
	d := newDict()
	var ids, end, perm []uint32
	for i := range n {
		for j := range length(i) {
			ids = append(ids, d.idString(at(i, j)))
		}
		end, perm = append(end, uint32(len(ids))), append(perm, uint32(i))
	}
	b.begin(name, "Array(LowCardinality(String))")
	b.gatherArrayLC(perm, ids, end, d)
}

func (b *block) mappingBlock(rows []mappingRow, now int64) {
	b.reset("profile_mappings", len(rows))
	n := len(rows)
	b.uint64s("hash", "UInt64", n, func(i int) uint64 { return rows[i].hash })
	b.uint64s("start", "UInt64", n, func(i int) uint64 { return rows[i].start })
	b.uint64s("limit", "UInt64", n, func(i int) uint64 { return rows[i].limit })
	b.uint64s("offset", "UInt64", n, func(i int) uint64 { return rows[i].offset })
	b.strings("file", n, func(i int) string { return rows[i].file })
	b.strings("build_id", n, func(i int) string { return rows[i].buildID })
	b.bytes("flags", "UInt8", n, func(i int) byte { return rows[i].flags })
	b.uint32s("last_seen", "DateTime", n, func(int) uint32 { return uint32(now) })
}

// writeProfiles stores mappings, locations and stacks before the samples that refer to them.
func (w *writer) writeProfiles(b *batch) error {
	c := b.profiles
	if len(c.heads) == 0 {
		return nil
	}
	w.values = w.values[:0]
	first, last := c.heads[0].start, c.heads[0].start
	for i := range c.heads {
		first, last = min(first, c.heads[i].start), max(last, c.heads[i].start)
	}
	if err := w.putResources(Profiles, c.resources.list, first/nanosPerSecond, last/nanosPerSecond); err != nil {
		return err
	}
	now := last / nanosPerSecond
	if _, err := putRows(w, 0, c.mappings, func(rows []mappingRow) { w.block.mappingBlock(rows, now) }); err != nil {
		return err
	}
	if _, err := putRows(w, 0, c.locations, func(rows []locationRow) { w.block.locationBlock(rows, now) }); err != nil {
		return err
	}
	slices.SortFunc(c.stacks, func(a, b stackRow) int {
		return cmp.Or(cmp.Compare(a.service, b.service), slices.Compare(a.locations, b.locations))
	})
	if _, err := putRows(w, 0, c.stacks, func(rows []stackRow) { w.block.stackBlock(rows, now) }); err != nil {
		return err
	}
	w.in.stacks.add(c.batched, now)
	for _, d := range w.sort.sortSamples(c) {
		if _, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.profileValueBlock(c, perm) }); err != nil {
			return err
		}
	}
	for _, d := range c.headDays() {
		if _, err := putRows(w, d.day, d.perm, func(perm []uint32) { w.block.profileBlock(c, perm) }); err != nil {
			return err
		}
	}
	w.in.spans.touch(c, time.Now())
	return w.finishSignal(Profiles)
}
