package ingest

import (
	"bytes"
	"slices"
)

// traceRow is one row of trace_index: what a batch knows of a trace on one day.
type traceRow struct {
	id            [16]byte
	start, end    int64
	root          uint32 // row of the root span + 1; 0 if the batch lacks it
	spans, errors uint64
}

// traceIndex groups the spans of a batch by trace through open addressing.
type traceIndex struct {
	rows  []traceRow
	slots []uint32 // row + 1; 0 is free
}

func (t *traceIndex) aggregate(c *spanColumns, perm []uint32) {
	t.rows = t.rows[:0]
	if len(t.slots) < 2*len(perm) {
		size := 1024
		for size < 2*len(perm) {
			size *= 2
		}
		t.slots = make([]uint32, size)
	}
	clear(t.slots)
	mask := uint64(len(t.slots) - 1)
	for _, i := range perm {
		id := (*[16]byte)(c.traceID[16*i:])
		slot := (le64(id[:])*0x9E3779B97F4A7C15 ^ le64(id[8:])*0xC2B2AE3D27D4EB4F) >> 17 & mask
		for t.slots[slot] != 0 && t.rows[t.slots[slot]-1].id != *id {
			slot = (slot + 1) & mask
		}
		start, end := c.start[i], c.start[i]+int64(c.duration[i])
		if t.slots[slot] == 0 {
			t.rows = append(t.rows, traceRow{id: *id, start: start, end: end})
			t.slots[slot] = uint32(len(t.rows))
		}
		row := &t.rows[t.slots[slot]-1]
		row.start, row.end = min(row.start, start), max(row.end, end)
		row.spans++
		if c.status[i] == statusError {
			row.errors++
		}
		if le64(c.parentID[8*i:]) == 0 {
			row.root = i + 1
		}
	}
	slices.SortFunc(t.rows, func(a, b traceRow) int { return bytes.Compare(a.id[:], b.id[:]) })
}

// traceBlock encodes rows for trace_index, in its order.
func (b *block) traceBlock(c *spanColumns, day int64, rows []traceRow) {
	n := len(rows)
	b.reset("trace_index", n)
	b.begin("trace_id", "FixedString(16)")
	for i := range rows {
		b.buf = append(b.buf, rows[i].id[:]...)
	}
	b.days("day", n, day)
	b.uint64s("start", "DateTime64(9)", n, func(i int) uint64 { return uint64(rows[i].start) })
	b.uint64s("end", "DateTime64(9)", n, func(i int) uint64 { return uint64(rows[i].end) })
	b.lowCardinality("root_service", n, func(i int) string {
		if rows[i].root == 0 {
			return ""
		}
		return c.resources.list[c.resource[rows[i].root-1]].service
	})
	b.lowCardinality("root_name", n, func(i int) string {
		if rows[i].root == 0 {
			return ""
		}
		return c.names.string(c.name[rows[i].root-1])
	})
	b.uint64s("spans", "UInt64", n, func(i int) uint64 { return rows[i].spans })
	b.uint64s("errors", "UInt64", n, func(i int) uint64 { return rows[i].errors })
}
