package ingest

// dict numbers the distinct strings of one column of a batch: ClickHouse's LowCardinality dictionary, built here.
// A small direct-mapped cache in front of the map answers for the strings that come again and again.
type dict struct {
	ids   map[string]uint32
	strs  []string
	cache [1024]uint32 // id + 1
}

func newDict() *dict { return &dict{ids: make(map[string]uint32)} }

func (d *dict) reset() {
	clear(d.ids)
	clear(d.strs)
	d.strs = d.strs[:0]
	clear(d.cache[:])
}

// dictSlot mixes the length and the two ends of a string; it need not be good, only cheap.
func dictSlot(s []byte) uint64 {
	n := len(s)
	var h uint64
	if n >= 8 {
		h = le64(s) ^ le64(s[n-8:])*0x9E3779B97F4A7C15
		if n > 16 {
			h ^= le64(s[n/2-4:]) * 0xC2B2AE3D27D4EB4F
		}
	} else {
		for _, c := range s {
			h = h<<8 | uint64(c)
		}
	}
	h = (h ^ uint64(n)) * 0xD6E8FEB86659FD93
	return h >> 54
}

func le64(b []byte) uint64 {
	_ = b[7]
	return uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
		uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56
}

func (d *dict) id(s []byte) uint32 {
	slot := dictSlot(s)
	if c := d.cache[slot]; c != 0 && d.strs[c-1] == string(s) {
		return c - 1
	}
	id, ok := d.ids[string(s)]
	if !ok {
		id = d.add(string(s))
	}
	d.cache[slot] = id + 1
	return id
}

func (d *dict) idString(s string) uint32 {
	if id, ok := d.ids[s]; ok {
		return id
	}
	return d.add(s)
}

func (d *dict) add(s string) uint32 {
	id := uint32(len(d.strs))
	d.strs = append(d.strs, s)
	d.ids[s] = id
	return id
}

// ranks gives each id its place in byte order, the order in which ClickHouse sorts strings.
func (d *dict) ranks(scratch []uint32) []uint32 {
	order := make([]uint32, len(d.strs))
	for i := range order {
		order[i] = uint32(i)
	}
	sortBy(order, func(a, b uint32) bool { return d.strs[a] < d.strs[b] })
	scratch = append(scratch[:0], order...)
	for rank, id := range order {
		scratch[id] = uint32(rank)
	}
	return scratch
}
