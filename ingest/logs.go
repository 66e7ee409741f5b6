package ingest

// logColumns is the log records of a batch, in the order of arrival.
type logColumns struct {
	ts, observed []int64
	severity     []byte
	severityText []uint32
	body         varBytes
	eventName    []uint32
	traceID      []byte
	spanID       []byte
	flags        []uint32
	resource     []uint32
	scope        []uint32
	attrs        attributes
	dropped      []uint32

	texts, eventNames, scopes *dict
	resources                 resourceTable
}

func newLogColumns() *logColumns {
	return &logColumns{texts: newDict(), eventNames: newDict(), scopes: newDict(), attrs: newAttributes(), resources: newResourceTable()}
}

func (c *logColumns) rows() int { return len(c.ts) }

func (c *logColumns) reset() {
	c.truncate(0)
	c.attrs.reset()
	c.texts.reset()
	c.eventNames.reset()
	c.scopes.reset()
	c.resources.reset()
}

func (c *logColumns) truncate(n int) {
	c.ts, c.observed, c.severity, c.severityText = c.ts[:n], c.observed[:n], c.severity[:n], c.severityText[:n]
	c.eventName, c.traceID, c.spanID = c.eventName[:n], c.traceID[:16*n], c.spanID[:8*n]
	c.flags, c.resource, c.scope, c.dropped = c.flags[:n], c.resource[:n], c.scope[:n], c.dropped[:n]
	c.body.truncate(n)
	c.attrs.truncate(n)
}

// logs appends an ExportLogsServiceRequest.
func (d *decoder) logs(c *logColumns, body []byte) error {
	r := reader{b: body}
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if !d.resourceLogs(c, r.bytes()) {
			return errMalformed
		}
	}
	if r.bad {
		return errMalformed
	}
	return nil
}

func (d *decoder) resourceLogs(c *logColumns, b []byte) bool {
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
		if !d.scopeLogs(c, id, r.bytes()) {
			return false
		}
	}
	d.sent(res, Logs, before, len(b))
	return !r.bad
}

func (d *decoder) scopeLogs(c *logColumns, res uint32, b []byte) bool {
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
		if !d.logRecord(c, res, scopeID, r.bytes()) {
			return false
		}
	}
	return !r.bad
}

// logRecord appends one record, or counts why not. It reports false for damaged input.
func (d *decoder) logRecord(c *logColumns, res, scope uint32, b []byte) bool {
	var ts, observed, severity uint64
	var text, body, traceID, spanID, eventName []byte
	var flags, dropped uint32
	attrs := 0
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireFixed64:
			ts = r.fixed64()
		case 2<<3 | wireVarint:
			severity = r.uvarint()
		case 3<<3 | wireBytes:
			text = r.bytes()
		case 5<<3 | wireBytes:
			body = mergeValue(body, r.bytes())
		case 6<<3 | wireBytes:
			if attrs++; attrs > d.limits.Attributes {
				r.bytes()
				dropped++
			} else if !d.attribute(&c.attrs, r.bytes()) {
				return false
			}
		case 7<<3 | wireVarint:
			dropped += uint32(r.uvarint())
		case 8<<3 | wireFixed32:
			flags = r.fixed32()
		case 9<<3 | wireBytes:
			traceID = r.bytes()
		case 10<<3 | wireBytes:
			spanID = r.bytes()
		case 11<<3 | wireFixed64:
			observed = r.fixed64()
		case 12<<3 | wireBytes:
			eventName = r.bytes()
		default:
			r.skip(tag)
		}
	}
	value, ok := parseValue(body)
	if r.bad || !ok || value.kind == typeJSON && !checkValue(body, d.limits.Nesting) {
		return false
	}
	if observed == 0 {
		observed = uint64(d.received)
	}
	if ts == 0 {
		ts = observed
	}
	if reason := d.checkTime(ts); reason != "" {
		c.attrs.truncate(c.rows())
		d.tally.reject(reason, value.raw)
		return true
	}
	if attrs > d.limits.Attributes {
		d.tally.truncated(truncatedAttributes, attrs-d.limits.Attributes, "of a log record")
	}
	c.ts = append(c.ts, int64(ts))
	c.observed = append(c.observed, int64(observed))
	c.severity = append(c.severity, enum(severity, 24))
	c.severityText = append(c.severityText, c.texts.id(d.name(text)))
	d.scratch = value.appendText(d.scratch[:0], d.limits.Nesting)
	c.body.add(d.text(d.scratch))
	c.eventName = append(c.eventName, c.eventNames.id(d.name(eventName)))
	c.traceID = append(c.traceID, sized(traceID, 16)...)
	c.spanID = append(c.spanID, sized(spanID, 8)...)
	c.flags = append(c.flags, flags)
	c.resource = append(c.resource, res)
	c.scope = append(c.scope, scope)
	c.attrs.closeRow()
	c.dropped = append(c.dropped, dropped)
	d.tally.accepted++
	return true
}

// sized is id, or zeroes if it does not have n bytes.
func sized(id []byte, n int) []byte {
	if len(id) != n {
		return zeroID[:n]
	}
	return id
}
