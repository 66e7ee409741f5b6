package ingest

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// keyValue is one attribute as text.
type keyValue struct {
	key, value string
	typ        uint8
}

// resource is who sent a signal. It is decoded once for each distinct encoding and shared by all batches.
type resource struct {
	fingerprint uint64
	place       uint64  // the highest bits of the fingerprints of its series
	sender      *sender // counts what the service sends
	service     string
	env         string
	version     string
	instance    string
	attributes  []keyValue // sorted by key

	// The times that the stored row covers already, Unix seconds; both 0 before the first row.
	firstStored, lastStored atomic.Int64
}

// maxIdentity is the length at which the names that rollups are kept by are cut.
const maxIdentity = 256

// unknownService stands for a resource without service.name, as the OpenTelemetry SDKs say it.
const unknownService = "unknown_service"

func newResource(attrs []keyValue) *resource {
	slices.SortStableFunc(attrs, func(a, b keyValue) int { return strings.Compare(a.key, b.key) })
	r := &resource{attributes: attrs, service: unknownService}
	get := func(key string) string {
		for _, kv := range attrs {
			if kv.key == key {
				return kv.value
			}
		}
		return ""
	}
	first := func(keys ...string) string {
		for _, k := range keys {
			if v := get(k); v != "" {
				return v
			}
		}
		return ""
	}
	if s := get("service.name"); s != "" {
		r.service = s
	}
	r.env = first("deployment.environment.name", "deployment.environment")
	r.version = get("service.version")
	r.instance = first("service.instance.id", "k8s.pod.name")
	if r.instance == "" {
		r.instance = get("host.name")
		if pid := get("process.pid"); pid != "" && r.instance != "" {
			r.instance += ":" + pid
		}
	}
	for _, s := range []*string{&r.service, &r.env, &r.version, &r.instance} {
		*s = string(cut([]byte(*s), maxIdentity))
	}
	r.fingerprint = fingerprint(r.service, attrs)
	r.place = place(r.service, r.instance)
	return r
}

// placeBits are the bits of a series' fingerprint that tell where it lies among those of its metric, half of them by its
// service and half by its instance: dashboards ask for one service or one instance, whose series then lie together
// instead of in every granule. The 52 bits that remain tell a million series of one instance apart but for 1 in 9,000.
const placeBits = 12

func place(service, instance string) uint64 {
	const half = 1<<(placeBits/2) - 1
	return (xxhash.Sum64String(service)&half<<(placeBits/2) | xxhash.Sum64String(instance)&half) << (64 - placeBits)
}

// placed is the fingerprint of a series of this resource.
func (r *resource) placed(hash uint64) uint64 { return r.place | hash<<placeBits>>placeBits }

// fingerprint is xxhash64 over a name and sorted attributes.
func fingerprint(name string, attrs []keyValue) uint64 {
	h := xxhash.New()
	h.WriteString(name)
	for _, kv := range attrs {
		h.WriteString("\x00")
		h.WriteString(kv.key)
		h.WriteString("\x00")
		h.Write([]byte{kv.typ})
		h.WriteString(kv.value)
	}
	return h.Sum64()
}

// resources remembers decoded resources by the hash of their encoding. It holds two generations of at most max/2
// each: when the young one is full it becomes the old one and the old one is forgotten.
type resources struct {
	max     int
	senders *senders

	mu         sync.RWMutex
	young, old map[uint64]*resource // guarded by mu
	canonical  map[uint64]*resource // by fingerprint, guarded by mu, so that one resource has one state
}

func newResources(max int) *resources {
	return &resources{max: max, senders: newSenders(), young: map[uint64]*resource{}, canonical: map[uint64]*resource{}}
}

func (c *resources) get(hash uint64) *resource {
	c.mu.RLock()
	r := c.young[hash]
	if r == nil {
		r = c.old[hash]
	}
	c.mu.RUnlock()
	return r
}

func (c *resources) put(hash uint64, r *resource) *resource {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.canonical[r.fingerprint]; known != nil {
		r = known
	} else {
		r.sender = c.senders.get(r.service)
		c.canonical[r.fingerprint] = r
	}
	if len(c.young) >= c.max/2 {
		c.old, c.young = c.young, make(map[uint64]*resource)
		c.canonical = make(map[uint64]*resource, len(c.old))
		for _, o := range c.old {
			c.canonical[o.fingerprint] = o
		}
		c.canonical[r.fingerprint] = r
	}
	c.young[hash] = r
	return r
}

// resourceTable numbers the resources of one batch.
type resourceTable struct {
	ids  map[*resource]uint32
	list []*resource
}

func newResourceTable() resourceTable { return resourceTable{ids: map[*resource]uint32{}} }

func (t *resourceTable) id(r *resource) uint32 {
	id, ok := t.ids[r]
	if !ok {
		id = uint32(len(t.list))
		t.list = append(t.list, r)
		t.ids[r] = id
	}
	return id
}

func (t *resourceTable) reset() {
	clear(t.ids)
	clear(t.list)
	t.list = t.list[:0]
}

// decodeResource finds the resource of a ResourceSpans, ResourceLogs or ResourceMetrics. What is counted from here on
// is its service's.
func (d *decoder) decodeResource(msg []byte) (*resource, bool) {
	r, ok := d.findResource(msg)
	if ok {
		d.tally.service = r.service
	}
	return r, ok
}

// findResource reads the resource, which is in field 1 of all three.
func (d *decoder) findResource(msg []byte) (*resource, bool) {
	r := reader{b: msg}
	var raw []byte
	for r.more() {
		tag := r.tag()
		if tag != 1<<3|wireBytes {
			r.skip(tag)
			continue
		}
		if part := r.bytes(); raw == nil {
			raw = part
		} else {
			raw = append(slices.Clip(raw), part...) // concatenation merges protobuf messages
		}
	}
	if r.bad {
		return nil, false
	}
	hash := xxhash.Sum64(raw)
	if res := d.resources.get(hash); res != nil {
		return res, true
	}
	var attrs []keyValue
	f := reader{b: raw}
	for f.more() {
		tag := f.tag()
		if tag != 1<<3|wireBytes {
			f.skip(tag)
			continue
		}
		kv, ok := d.textAttribute(f.bytes())
		if !ok {
			return nil, false
		}
		if len(attrs) < d.limits.ResourceAttributes {
			attrs = append(attrs, kv)
		} else {
			d.tally.truncated(truncatedAttributes, 1, kv.key)
		}
	}
	if f.bad {
		return nil, false
	}
	return d.resources.put(hash, newResource(attrs)), true
}

// textAttribute renders one KeyValue to strings of its own.
func (d *decoder) textAttribute(b []byte) (keyValue, bool) {
	key, raw, ok := parseKeyValue(b)
	if !ok {
		return keyValue{}, false
	}
	v, ok := parseValue(raw)
	if !ok || v.kind == typeJSON && !checkValue(raw, d.limits.Nesting) {
		return keyValue{}, false
	}
	d.scratch = v.appendText(d.scratch[:0], d.limits.Nesting)
	text := cut(d.scratch, d.limits.ValueBytes)
	if len(text) < len(d.scratch) {
		d.tally.truncated(truncatedValues, 1, string(key))
	}
	return keyValue{key: string(cut(key, d.limits.KeyBytes)), value: string(text), typ: v.kind}, true
}

// decodeScope renders an InstrumentationScope as name@version.
func decodeScope(b []byte, dst []byte) ([]byte, bool) {
	var name, version []byte
	r := reader{b: b}
	for r.more() {
		switch tag := r.tag(); tag {
		case 1<<3 | wireBytes:
			name = r.bytes()
		case 2<<3 | wireBytes:
			version = r.bytes()
		default:
			r.skip(tag)
		}
	}
	dst = append(dst[:0], name...)
	if len(version) > 0 {
		dst = append(dst, '@')
		dst = append(dst, version...)
	}
	return dst, !r.bad
}
