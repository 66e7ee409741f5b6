package ingest

import "slices"

// sortLogs orders rows as the table logs does and returns them cut into days.
func (s *sorter) sortLogs(c *logColumns) []dayRows {
	s.rankServices(c.resources.list)
	s.keys = slices.Grow(s.keys[:0], c.rows())
	for i, ts := range c.ts {
		group := uint64(ts/quarterHour)<<32 | uint64(s.ranks[c.resource[i]])
		s.keys = append(s.keys, sortKey{group, ts, uint32(i)})
	}
	s.perm = sortRows(s.keys, s.perm)
	return cutDays(s.perm, c.ts)
}

// logBlock encodes the rows of one day for the table logs.
func (b *block) logBlock(c *logColumns, perm []uint32) {
	b.reset("logs", len(perm))
	b.begin("ts", "DateTime64(9)")
	b.gatherTimes(perm, c.ts)
	b.begin("observed_ts", "DateTime64(9)")
	b.gatherTimes(perm, c.observed)
	b.resourceColumns(perm, c.resource, c.resources.list)
	b.begin("severity", "UInt8")
	b.gather8(perm, c.severity)
	b.begin("severity_text", "LowCardinality(String)")
	b.gatherLC(perm, c.severityText, c.texts)
	b.begin("body", "String")
	b.gatherBytes(perm, &c.body)
	b.begin("event_name", "LowCardinality(String)")
	b.gatherLC(perm, c.eventName, c.eventNames)
	b.begin("trace_id", "FixedString(16)")
	b.gatherFixed(perm, c.traceID, 16)
	b.begin("span_id", "FixedString(8)")
	b.gatherFixed(perm, c.spanID, 8)
	b.begin("flags", "UInt32")
	b.gather32(perm, c.flags)
	b.begin("scope", "LowCardinality(String)")
	b.gatherLC(perm, c.scope, c.scopes)
	b.attributeColumns(perm, &c.attrs)
	b.begin("dropped_attributes", "UInt32")
	b.gather32(perm, c.dropped)
}
