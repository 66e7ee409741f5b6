package ingest

// spanColumns is the spans of a batch, in the order of arrival. All row columns have the same length; fixed-width
// strings lie back to back.
type spanColumns struct {
	start    []int64
	duration []uint64
	traceID  []byte
	spanID   []byte
	parentID []byte
	state    varBytes
	flags    []uint32
	resource []uint32
	name     []uint32
	kind     []byte
	status   []byte
	message  varBytes
	scope    []uint32
	attrs    attributes
	events   eventColumns
	links    linkColumns
	droppedA []uint32
	droppedE []uint32
	droppedL []uint32

	names, scopes, eventNames *dict
	resources                 resourceTable
	lastOf                    []uint32 // by name: its latest row + 1

	json jsonObject
}

type eventColumns struct {
	end   []uint32 // elements up to and with a row
	ts    []int64
	name  []uint32
	attrs varBytes // one row an event
}

type linkColumns struct {
	end     []uint32
	traceID []byte
	spanID  []byte
	attrs   varBytes // one row a link
}

func newSpanColumns() *spanColumns {
	return &spanColumns{names: newDict(), scopes: newDict(), attrs: newAttributes(), eventNames: newDict(), resources: newResourceTable()}
}

func (c *spanColumns) rows() int { return len(c.start) }

func (c *spanColumns) reset() {
	c.truncate(0)
	c.attrs.reset()
	c.names.reset()
	c.lastOf = c.lastOf[:0]
	c.scopes.reset()
	c.eventNames.reset()
	c.resources.reset()
}

// truncate drops the rows from n on, with anything begun behind them.
func (c *spanColumns) truncate(n int) {
	c.start, c.duration = c.start[:n], c.duration[:n]
	c.traceID, c.spanID, c.parentID = c.traceID[:16*n], c.spanID[:8*n], c.parentID[:8*n]
	c.flags, c.resource, c.name = c.flags[:n], c.resource[:n], c.name[:n]
	c.kind, c.status, c.scope = c.kind[:n], c.status[:n], c.scope[:n]
	c.droppedA, c.droppedE, c.droppedL = c.droppedA[:n], c.droppedE[:n], c.droppedL[:n]
	c.state.truncate(n)
	c.message.truncate(n)
	c.attrs.truncate(n)
	c.truncateChildren(n)
}

// truncateChildren drops events and links of the rows from n on, whether those are closed or not.
func (c *spanColumns) truncateChildren(n int) {
	last := func(end []uint32) int {
		if n == 0 {
			return 0
		}
		return int(end[n-1])
	}
	e, l := last(c.events.end), last(c.links.end)
	c.events.end, c.links.end = c.events.end[:n], c.links.end[:n]
	c.events.ts, c.events.name = c.events.ts[:e], c.events.name[:e]
	c.events.attrs.truncate(e)
	c.links.traceID, c.links.spanID = c.links.traceID[:16*l], c.links.spanID[:8*l]
	c.links.attrs.truncate(l)
}

// dropOpenRow removes what a span that is not stored has appended so far.
func (c *spanColumns) dropOpenRow() {
	n := c.rows()
	c.attrs.truncate(n)
	c.truncateChildren(n)
}

// traces appends an ExportTraceServiceRequest.
func (d *decoder) traces(c *spanColumns, body []byte) error {
	r := reader{b: body}
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.resourceSpans(c, r.bytes()) {
			return errMalformed
		}
	}
	if r.bad {
		return errMalformed
	}
	return nil
}

func (d *decoder) resourceSpans(c *spanColumns, b []byte) bool {
	res, ok := d.decodeResource(b)
	if !ok {
		return false
	}
	id := c.resources.id(res)
	before := d.tally.accepted
	r := reader{b: b}
	for r.more() {
		tag := r.tag()
		if tag != 2<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.scopeSpans(c, id, r.bytes()) {
			return false
		}
	}
	d.sent(res, Traces, before, len(b))
	return !r.bad
}

func (d *decoder) scopeSpans(c *spanColumns, res uint32, b []byte) bool {
	scope, ok := d.findScope(b)
	if !ok {
		return false
	}
	scopeID := c.scopes.id(scope)
	r := reader{b: b}
	for r.more() {
		tag := r.tag()
		if tag != 2<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.span(c, res, scopeID, r.bytes()) {
			return false
		}
	}
	return !r.bad
}

// findScope renders the scope of a ScopeSpans, ScopeLogs or ScopeMetrics, all of which carry it in field 1.
func (d *decoder) findScope(b []byte) (scope []byte, ok bool) {
	r := reader{b: b}
	d.scope = d.scope[:0]
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			if tag == 2<<3|wireBytes && len(d.scope) > 0 {
				break // the usual order: the scope, then its items
			}
			r.skip(tag)
			continue
		}
		if d.scope, ok = decodeScope(r.bytes(), d.scope); !ok {
			return nil, false
		}
	}
	return d.name(d.scope), !r.bad
}

// span appends one span, or counts why not. It reports false for damaged input.
func (d *decoder) span(c *spanColumns, res, scope uint32, b []byte) bool {
	var traceID, spanID, parentID, state, name, message []byte
	var kind, status, start, end uint64
	var flags, droppedA, droppedE, droppedL uint32
	attrs, events, links := 0, 0, 0
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			traceID = r.bytes()
		case 2<<3 | wireBytes:
			spanID = r.bytes()
		case 3<<3 | wireBytes:
			state = r.bytes()
		case 4<<3 | wireBytes:
			parentID = r.bytes()
		case 5<<3 | wireBytes:
			name = r.bytes()
			c.expectLike(name)
		case 6<<3 | wireVarint:
			kind = r.uvarint()
		case 7<<3 | wireFixed64:
			start = r.fixed64()
		case 8<<3 | wireFixed64:
			end = r.fixed64()
		case 9<<3 | wireBytes:
			if attrs++; attrs > d.limits.Attributes {
				r.bytes()
				droppedA++
			} else if !d.attribute(&c.attrs, r.bytes()) {
				return false
			}
		case 10<<3 | wireVarint:
			droppedA += uint32(r.uvarint())
		case 11<<3 | wireBytes:
			if events++; events > d.limits.Events {
				r.bytes()
				droppedE++
			} else if !d.event(c, r.bytes()) {
				return false
			}
		case 12<<3 | wireVarint:
			droppedE += uint32(r.uvarint())
		case 13<<3 | wireBytes:
			if links++; links > d.limits.Links {
				r.bytes()
				droppedL++
			} else if !d.link(c, r.bytes()) {
				return false
			}
		case 14<<3 | wireVarint:
			droppedL += uint32(r.uvarint())
		case 15<<3 | wireBytes:
			var ok bool
			if status, message, ok = decodeStatus(r.bytes(), status, message); !ok {
				return false
			}
		case 16<<3 | wireFixed32:
			flags = r.fixed32()
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	if reason := d.checkSpan(traceID, spanID, parentID, start); reason != "" {
		c.dropOpenRow()
		d.tally.reject(reason, name)
		if reason == rejectFuture {
			d.skew.rejected(c.resources.list[res], start, d.received)
		}
		return true
	}
	if end < start {
		if end != 0 {
			d.tally.truncated(alteredDuration, 1, string(cut(name, 100)))
		}
		end = start
	}
	if attrs > d.limits.Attributes {
		d.tally.truncated(truncatedAttributes, attrs-d.limits.Attributes, string(cut(name, 100)))
	}
	if events > d.limits.Events {
		d.tally.truncated(truncatedEvents, events-d.limits.Events, string(cut(name, 100)))
	}
	if links > d.limits.Links {
		d.tally.truncated(truncatedLinks, links-d.limits.Links, string(cut(name, 100)))
	}
	c.start = append(c.start, int64(start))
	c.duration = append(c.duration, end-start)
	c.traceID = append(c.traceID, traceID...)
	c.spanID = append(c.spanID, spanID...)
	if len(parentID) == 0 {
		parentID = zeroID[:8]
	}
	c.parentID = append(c.parentID, parentID...)
	c.state.add(d.name(state))
	c.flags = append(c.flags, flags)
	c.resource = append(c.resource, res)
	c.name = append(c.name, c.named(d.name(name)))
	c.kind = append(c.kind, enum(kind, 5))
	c.status = append(c.status, enum(status, 2))
	c.message.add(d.text(message))
	c.scope = append(c.scope, scope)
	c.attrs.closeRow()
	c.events.end = append(c.events.end, uint32(len(c.events.ts)))
	c.links.end = append(c.links.end, uint32(len(c.links.spanID)/8))
	c.droppedA = append(c.droppedA, droppedA)
	c.droppedE = append(c.droppedE, droppedE)
	c.droppedL = append(c.droppedL, droppedL)
	d.tally.accepted++
	return true
}

// expectLike hints that the open span has the attributes of the latest one of its name.
func (c *spanColumns) expectLike(name []byte) {
	if id, ok := c.names.find(name); ok && int(id) < len(c.lastOf) && c.lastOf[id] > 0 {
		c.attrs.expect(c.lastOf[id] - 1)
	}
}

// named is the id of the open span's name, which becomes the latest of that name.
func (c *spanColumns) named(name []byte) uint32 {
	id := c.names.id(name)
	for int(id) >= len(c.lastOf) {
		c.lastOf = append(c.lastOf, 0)
	}
	c.lastOf[id] = uint32(c.rows())
	return id
}

var zeroID [16]byte

// enum maps numbers that we do not know to 0, unspecified.
func enum(v uint64, max uint64) byte {
	if v > max {
		return 0
	}
	return byte(v)
}

func (d *decoder) checkSpan(traceID, spanID, parentID []byte, start uint64) string {
	switch {
	case len(traceID) != 16 || string(traceID) == string(zeroID[:]):
		return rejectTraceID
	case len(spanID) != 8 || string(spanID) == string(zeroID[:8]):
		return rejectSpanID
	case len(parentID) != 0 && len(parentID) != 8:
		return rejectSpanID
	}
	return d.checkTime(start)
}

func decodeStatus(b []byte, code uint64, message []byte) (uint64, []byte, bool) {
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 2<<3 | wireBytes:
			message = r.bytes()
		case 3<<3 | wireVarint:
			code = r.uvarint()
		default:
			r.skip(tag)
		}
	}
	return code, message, !r.bad
}

func (d *decoder) event(c *spanColumns, b []byte) bool {
	var ts uint64
	var name []byte
	attrs := 0
	c.json.reset()
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireFixed64:
			ts = r.fixed64()
		case 2<<3 | wireBytes:
			name = r.bytes()
		case 3<<3 | wireBytes:
			kv := r.bytes()
			if attrs++; attrs <= d.limits.Attributes && len(kv) <= 2*d.limits.ValueBytes {
				if !c.json.add(kv, d.limits.Nesting) {
					return false
				}
			} else {
				d.tally.truncated(truncatedAttributes, 1, "of an event")
			}
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	c.events.ts = append(c.events.ts, int64(ts))
	c.events.name = append(c.events.name, c.eventNames.id(d.name(name)))
	c.events.attrs.add(c.json.close())
	return true
}

func (d *decoder) link(c *spanColumns, b []byte) bool {
	var traceID, spanID []byte
	attrs := 0
	c.json.reset()
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			traceID = r.bytes()
		case 2<<3 | wireBytes:
			spanID = r.bytes()
		case 4<<3 | wireBytes:
			kv := r.bytes()
			if attrs++; attrs <= d.limits.Attributes && len(kv) <= 2*d.limits.ValueBytes {
				if !c.json.add(kv, d.limits.Nesting) {
					return false
				}
			} else {
				d.tally.truncated(truncatedAttributes, 1, "of a link")
			}
		default:
			r.skip(tag)
		}
	}
	if r.bad {
		return false
	}
	if len(traceID) != 16 || len(spanID) != 8 {
		d.tally.truncated(truncatedLinks, 1, "with invalid ids")
		return true
	}
	c.links.traceID = append(c.links.traceID, traceID...)
	c.links.spanID = append(c.links.spanID, spanID...)
	c.links.attrs.add(c.json.close())
	return true
}
