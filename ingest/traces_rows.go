package ingest

import "slices"

const (
	quarterHour = 15 * 60 * nanosPerSecond

	kindEnum   = "Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5)"
	statusEnum = "Enum8('unset' = 0, 'ok' = 1, 'error' = 2)"
)

// sorter holds the scratch space for ordering the rows of a batch.
type sorter struct {
	keys  []sortKey
	perm  []uint32
	ranks []uint32
	aux   []uint32

	points []pointKey
}

// sortSpans orders rows as the table spans does and returns them cut into days.
func (s *sorter) sortSpans(c *spanColumns) []dayRows {
	s.rankServices(c.resources.list)
	s.keys = slices.Grow(s.keys[:0], c.rows())
	for i, ts := range c.start {
		group := uint64(ts/quarterHour)<<32 | uint64(s.ranks[c.resource[i]])
		s.keys = append(s.keys, sortKey{group, ts, uint32(i)})
	}
	s.perm = sortRows(s.keys, s.perm)
	return cutDays(s.perm, c.start)
}

// rankServices sets ranks to the place of each resource's service in byte order; equal services share one.
func (s *sorter) rankServices(list []*resource) {
	names := make([]string, 0, len(list))
	for _, r := range list {
		names = append(names, r.service)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	s.ranks = s.ranks[:0]
	for _, r := range list {
		rank, _ := slices.BinarySearch(names, r.service)
		s.ranks = append(s.ranks, uint32(rank))
	}
}

// dayRows is the rows of one partition, in the table's order.
type dayRows struct {
	day  int64 // since 1970-01-01
	perm []uint32
}

// cutDays cuts rows that are sorted by coarse time first into days.
func cutDays(perm []uint32, ts []int64) []dayRows {
	var days []dayRows
	for from := 0; from < len(perm); {
		day := ts[perm[from]] / nanosPerDay
		to := from + 1
		for to < len(perm) && ts[perm[to]]/nanosPerDay == day {
			to++
		}
		days = append(days, dayRows{day, perm[from:to]})
		from = to
	}
	return days
}

// spanBlock encodes the rows of one day for the table spans.
func (b *block) spanBlock(c *spanColumns, perm []uint32) {
	b.reset("spans", len(perm))
	b.grow(12*len(c.attrs.key) + 200*len(perm))
	b.begin("ts", "DateTime64(9)")
	b.gatherTimes(perm, c.start)
	b.begin("duration_ns", "UInt64")
	b.gather64(perm, c.duration)
	b.begin("trace_id", "FixedString(16)")
	b.gatherFixed(perm, c.traceID, 16)
	b.begin("span_id", "FixedString(8)")
	b.gatherFixed(perm, c.spanID, 8)
	b.begin("parent_span_id", "FixedString(8)")
	b.gatherFixed(perm, c.parentID, 8)
	b.begin("trace_state", "String")
	b.gatherBytes(perm, &c.state)
	b.begin("flags", "UInt32")
	b.gather32(perm, c.flags)
	b.resourceColumns(perm, c.resource, c.resources.list)
	b.begin("name", "LowCardinality(String)")
	b.gatherLC(perm, c.name, c.names)
	b.begin("kind", kindEnum)
	b.gather8(perm, c.kind)
	b.begin("status", statusEnum)
	b.gather8(perm, c.status)
	b.begin("status_message", "String")
	b.gatherBytes(perm, &c.message)
	b.begin("scope", "LowCardinality(String)")
	b.gatherLC(perm, c.scope, c.scopes)
	b.attributeColumns(perm, &c.attrs)
	b.eventColumns(perm, c)
	b.linkColumns(perm, c)
	b.begin("dropped_attributes", "UInt32")
	b.gather32(perm, c.droppedA)
	b.begin("dropped_events", "UInt32")
	b.gather32(perm, c.droppedE)
	b.begin("dropped_links", "UInt32")
	b.gather32(perm, c.droppedL)
}

// resourceColumns appends service and resource.
func (b *block) resourceColumns(perm, ids []uint32, list []*resource) {
	services := newDict()
	service := make([]uint32, len(list))
	for i, r := range list {
		service[i] = services.idString(r.service)
	}
	b.begin("service", "LowCardinality(String)")
	b.u64(lcVersion)
	b.ids = slices.Grow(b.ids[:0], len(perm))
	for _, r := range perm {
		b.ids = append(b.ids, service[ids[r]])
	}
	b.lowCardinalityOf(b.ids, services)
	b.begin("resource", "UInt64")
	b.grow(8 * len(perm))
	for _, r := range perm {
		b.u64(list[ids[r]].fingerprint)
	}
}

func (b *block) attributeColumns(perm []uint32, a *attributes) {
	b.begin("attr.key", "Array(LowCardinality(String))")
	b.gatherArrayLC(perm, a.key, a.end, a.keys)
	b.begin("attr.value", "Array(LowCardinality(String))")
	b.gatherArrayLC(perm, a.value, a.end, a.values)
	b.begin("attr.type", "Array(UInt8)")
	b.gatherOffsets(perm, a.end)
	for _, r := range perm {
		from, to := a.span(r)
		b.buf = append(b.buf, a.typ[from:to]...)
	}
}

func (b *block) eventColumns(perm []uint32, c *spanColumns) {
	e := &c.events
	elements := elementsOf(perm, e.end)
	b.begin("event.ts", "Array(DateTime64(9))")
	b.gatherOffsets(perm, e.end)
	b.gatherTimes(elements, e.ts)
	b.begin("event.name", "Array(LowCardinality(String))")
	b.gatherArrayLC(perm, e.name, e.end, c.eventNames)
	b.begin("event.attributes", "Array(String)")
	b.gatherOffsets(perm, e.end)
	for _, i := range elements {
		b.buf = append(b.buf, e.attrs.row(i)...)
	}
}

func (b *block) linkColumns(perm []uint32, c *spanColumns) {
	l := &c.links
	elements := elementsOf(perm, l.end)
	b.begin("link.trace_id", "Array(FixedString(16))")
	b.gatherOffsets(perm, l.end)
	b.gatherFixed(elements, l.traceID, 16)
	b.begin("link.span_id", "Array(FixedString(8))")
	b.gatherOffsets(perm, l.end)
	b.gatherFixed(elements, l.spanID, 8)
	b.begin("link.attributes", "Array(String)")
	b.gatherOffsets(perm, l.end)
	for _, i := range elements {
		b.buf = append(b.buf, l.attrs.row(i)...)
	}
}

// elementsOf lists the array elements of the rows in perm; usually few rows have any.
func elementsOf(perm, end []uint32) []uint32 {
	var out []uint32
	for _, r := range perm {
		from := uint32(0)
		if r > 0 {
			from = end[r-1]
		}
		for i := from; i < end[r]; i++ {
			out = append(out, i)
		}
	}
	return out
}
