package ingest

import "time"

// decoder turns requests into the rows of a batch. One decoder belongs to one lane and is used under its lock.
type decoder struct {
	limits    *Limits
	resources *resources
	series    *seriesCache
	skew      *skews        // nil while replaying
	caps      *caps         // nil while replaying
	families  *families     // what remote write said about metrics
	stacks    *storedStacks // nil while replaying

	pprof pprofReader
	write writeRequest

	tally   tally
	scratch []byte
	scope   []byte

	// The window of acceptable timestamps for the request at hand, Unix nanoseconds.
	oldest, newest int64
	received       int64
}

func newDecoder(limits *Limits, resources *resources, series *seriesCache) *decoder {
	return &decoder{limits: limits, resources: resources, series: series, families: newFamilies()}
}

// begin prepares for a request received at a time.
func (d *decoder) begin(received int64) {
	d.tally.reset()
	d.received = received
	d.oldest = 0
	if d.limits.Oldest > 0 {
		d.oldest = received - int64(d.limits.Oldest)
	}
	d.newest = received + int64(d.limits.Ahead)
}

// checkTime says why an item at ts is not accepted; "" if it is.
func (d *decoder) checkTime(ts uint64) string {
	switch {
	case ts == 0:
		return rejectNoTime
	case int64(ts) < 0 || int64(ts) > d.newest:
		return rejectFuture
	case int64(ts) < d.oldest:
		return rejectTooOld
	}
	return ""
}

// attribute appends one KeyValue to the row under construction. It reports false for damaged input.
func (d *decoder) attribute(c *attributes, b []byte) bool {
	key, raw, ok := parseKeyValue(b)
	if !ok {
		return false
	}
	if len(key) > d.limits.KeyBytes {
		d.tally.truncated(truncatedValues, 1, string(cut(key, 100)))
		key = cut(key, d.limits.KeyBytes)
	}
	if n := len(raw); n >= 2 && raw[0] == 1<<3|wireBytes && raw[1] < 0x80 && int(raw[1])+2 == n {
		c.add(key, cut(raw[2:], d.limits.ValueBytes), typeString)
		return true
	}
	return d.attributeSlow(c, key, raw)
}

func (d *decoder) attributeSlow(c *attributes, key, raw []byte) bool {
	v, ok := parseValue(raw)
	if !ok || v.kind == typeJSON && !checkValue(raw, d.limits.Nesting) {
		return false
	}
	text := v.raw
	if v.kind != typeString {
		d.scratch = v.appendText(d.scratch[:0], d.limits.Nesting)
		text = d.scratch
	}
	if len(text) > d.limits.ValueBytes {
		d.tally.truncated(truncatedValues, 1, string(key))
		text = cut(text, d.limits.ValueBytes)
	}
	c.add(key, text, v.kind)
	return true
}

func (d *decoder) name(b []byte) []byte {
	if len(b) <= d.limits.NameBytes {
		return b
	}
	d.tally.truncated(truncatedValues, 1, string(cut(b, 100)))
	return cut(b, d.limits.NameBytes)
}

func (d *decoder) text(b []byte) []byte {
	if len(b) <= d.limits.ValueBytes {
		return b
	}
	d.tally.truncated(truncatedValues, 1, string(cut(b, 100)))
	return cut(b, d.limits.ValueBytes)
}

// jsonObject renders repeated KeyValues, given as a list of their encodings, as one JSON object.
type jsonObject struct {
	buf []byte
	n   int
}

func (o *jsonObject) reset() { o.buf, o.n = append(o.buf[:0], '{'), 0 }

func (o *jsonObject) add(b []byte, depth int) bool {
	key, raw, ok := parseKeyValue(b)
	if !ok {
		return false
	}
	v, ok := parseValue(raw)
	if !ok || v.kind == typeJSON && !checkValue(raw, depth) {
		return false
	}
	if o.n > 0 {
		o.buf = append(o.buf, ',')
	}
	o.n++
	o.buf = appendJSONString(o.buf, key)
	o.buf = append(o.buf, ':')
	o.buf = v.appendJSON(o.buf, depth)
	return true
}

func (o *jsonObject) close() []byte {
	o.buf = append(o.buf, '}')
	return o.buf
}

const (
	nanosPerSecond = int64(time.Second)
	secondsPerDay  = int64(24 * 60 * 60)
	nanosPerDay    = secondsPerDay * nanosPerSecond
)
