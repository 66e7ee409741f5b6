package ingest

import (
	"cmp"
	"slices"

	"github.com/tidemarkhq/tidemark/store"
)

const (
	levelService   = 1
	levelOperation = 2
	rollupStep     = 10 // seconds

	kindServer   = 2
	kindConsumer = 5
	statusError  = 2

	foldedOperation = "(other)"
)

// redKey is one row of red_10s.
type redKey struct {
	step     uint32 // Unix seconds / rollupStep
	level    uint8
	kind     uint8
	resource uint32 // for the service level; otherwise the first resource with the same service, env and version
	name     uint32 // id in the batch's names; noName for the service level
}

const (
	noName    = ^uint32(0)
	otherName = noName - 1
)

type redRow struct {
	redKey
	calls, errors, sum, max uint64
	hist                    []bucketCount // sorted by bucket when done
}

type bucketCount struct {
	bucket int16
	count  uint64
}

// rollup aggregates the spans of one day of a batch into RED rows.
type rollup struct {
	rows  []redRow
	index map[redKey]uint32
	// cache answers for most spans before index is asked.
	cache [1024]struct {
		key redKey
		row uint32
		ok  bool
	}
	hist histogramTable
	twin []uint32 // resource id -> first id with the same service, env and version
}

func newRollup() *rollup { return &rollup{index: map[redKey]uint32{}} }

// aggregate counts the rows of one day.
func (r *rollup) aggregate(c *spanColumns, perm []uint32, ops *operations) {
	r.rows = r.rows[:0]
	clear(r.index)
	clear(r.cache[:])
	r.hist.reset()
	r.findTwins(c.resources.list)
	folded := ops.fold(c, perm)
	for _, i := range perm {
		step := uint32(c.start[i] / (rollupStep * nanosPerSecond))
		kind, res, name := c.kind[i], c.resource[i], c.name[i]
		if folded != nil && folded[opKey{c.resources.list[res].service, name}] {
			name = otherName
		}
		bucket := store.LatencyBucket(c.duration[i])
		isError := c.status[i] == statusError
		r.add(redKey{step, levelOperation, kind, r.twin[res], name}, c.duration[i], bucket, isError)
		if kind == kindServer || kind == kindConsumer || le64(c.parentID[8*i:]) == 0 {
			r.add(redKey{step, levelService, 0, res, noName}, c.duration[i], bucket, isError)
		}
	}
	r.hist.spill(r.rows)
}

func (r *rollup) add(k redKey, ns uint64, bucket int16, isError bool) {
	last := &r.cache[(uint64(k.name)*0x9E3779B97F4A7C15^uint64(k.resource)*0xC2B2AE3D27D4EB4F^uint64(k.step)*0xD6E8FEB86659FD93+uint64(k.kind))>>32%1024]
	if !last.ok || last.key != k {
		row, ok := r.index[k]
		if !ok {
			row = uint32(len(r.rows))
			r.rows = append(r.rows, redRow{redKey: k})
			r.index[k] = row
		}
		last.key, last.row, last.ok = k, row, true
	}
	row := &r.rows[last.row]
	row.calls++
	if isError {
		row.errors++
	}
	row.sum += ns
	row.max = max(row.max, ns)
	r.hist.add(last.row, bucket)
}

func (r *rollup) findTwins(list []*resource) {
	type group struct{ service, env, version string }
	first := make(map[group]uint32, len(list))
	r.twin = r.twin[:0]
	for i, res := range list {
		g := group{res.service, res.env, res.version}
		id, ok := first[g]
		if !ok {
			id = uint32(i)
			first[g] = id
		}
		r.twin = append(r.twin, id)
	}
}

// histogramTable counts (row, bucket) pairs by open addressing.
type histogramTable struct {
	keys   []uint64 // (row << 12 | bucket) + 1; 0 is free
	counts []uint32
	n      int
}

func (h *histogramTable) reset() {
	clear(h.keys)
	h.n = 0
}

func (h *histogramTable) add(row uint32, bucket int16) {
	if 2*h.n >= len(h.keys) {
		h.growTable()
	}
	key := uint64(row)<<12 | uint64(bucket) + 1
	mask := uint64(len(h.keys) - 1)
	for i := (key * 0x9E3779B97F4A7C15 >> 20) & mask; ; i = (i + 1) & mask {
		switch h.keys[i] {
		case key:
			h.counts[i]++
			return
		case 0:
			h.keys[i], h.counts[i] = key, 1
			h.n++
			return
		}
	}
}

func (h *histogramTable) growTable() {
	old := *h
	size := max(1<<14, 4*len(old.keys))
	h.keys, h.counts = make([]uint64, size), make([]uint32, size)
	mask := uint64(size - 1)
	for j, key := range old.keys {
		if key == 0 {
			continue
		}
		i := (key * 0x9E3779B97F4A7C15 >> 20) & mask
		for h.keys[i] != 0 {
			i = (i + 1) & mask
		}
		h.keys[i], h.counts[i] = key, old.counts[j]
	}
}

// spill moves the counts to their rows.
func (h *histogramTable) spill(rows []redRow) {
	for i, key := range h.keys {
		if key != 0 {
			key--
			row := &rows[key>>12]
			row.hist = append(row.hist, bucketCount{int16(key & 0xfff), uint64(h.counts[i])})
		}
	}
	for i := range rows {
		slices.SortFunc(rows[i].hist, func(a, b bucketCount) int { return int(a.bucket) - int(b.bucket) })
	}
}

// redBlock encodes rows for red_10s, in its order.
func (b *block) redBlock(c *spanColumns, rows []redRow) {
	text := func(r *redRow) (service, name, env, version, instance string) {
		res := c.resources.list[r.resource]
		service, env, version = res.service, res.env, res.version
		switch r.name {
		case noName:
			instance = res.instance
		case otherName:
			name = foldedOperation
		default:
			name = c.names.string(r.name)
		}
		return
	}
	slices.SortFunc(rows, func(x, y redRow) int {
		s1, n1, e1, v1, i1 := text(&x)
		s2, n2, e2, v2, i2 := text(&y)
		return cmp.Or(cmp.Compare(x.level, y.level), cmp.Compare(x.step/360, y.step/360), cmp.Compare(s1, s2), cmp.Compare(n1, n2),
			cmp.Compare(x.kind, y.kind), cmp.Compare(e1, e2), cmp.Compare(v1, v2), cmp.Compare(i1, i2), cmp.Compare(x.step, y.step))
	})
	n := len(rows)
	b.reset("red_10s", n)
	b.bytes("level", "Enum8('service' = 1, 'operation' = 2)", n, func(i int) byte { return rows[i].level })
	b.uint32s("ts", "DateTime", n, func(i int) uint32 { return rows[i].step * rollupStep })
	b.lowCardinality("service", n, func(i int) string { s, _, _, _, _ := text(&rows[i]); return s })
	b.lowCardinality("name", n, func(i int) string { _, s, _, _, _ := text(&rows[i]); return s })
	b.bytes("kind", kindEnum, n, func(i int) byte { return rows[i].kind })
	b.lowCardinality("env", n, func(i int) string { _, _, s, _, _ := text(&rows[i]); return s })
	b.lowCardinality("version", n, func(i int) string { _, _, _, s, _ := text(&rows[i]); return s })
	b.lowCardinality("instance", n, func(i int) string { _, _, _, _, s := text(&rows[i]); return s })
	b.uint64s("calls", "UInt64", n, func(i int) uint64 { return rows[i].calls })
	b.uint64s("errors", "UInt64", n, func(i int) uint64 { return rows[i].errors })
	b.uint64s("duration_sum", "UInt64", n, func(i int) uint64 { return rows[i].sum })
	b.uint64s("duration_max", "UInt64", n, func(i int) uint64 { return rows[i].max })
	b.begin("duration_hist", "Map(Int16, UInt64)")
	total := 0
	for i := range rows {
		total += len(rows[i].hist)
		b.u64(uint64(total))
	}
	for i := range rows {
		for _, h := range rows[i].hist {
			b.buf = append(b.buf, byte(h.bucket), byte(h.bucket>>8))
		}
	}
	for i := range rows {
		for _, h := range rows[i].hist {
			b.u64(h.count)
		}
	}
}
