package ingest

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
)

// dict numbers the distinct strings of one column of a batch: ClickHouse's LowCardinality dictionary, built here.
// The strings lie one after another in one buffer and are found by open addressing; nothing is allocated for a string.
type dict struct {
	text  []byte
	end   []uint32 // where string i ends in text
	slots []dictEntry
}

type dictEntry struct {
	hash uint32
	id   uint32 // + 1; 0 is free
}

func newDict() *dict { return &dict{slots: make([]dictEntry, 256)} }

// keptSlots is the largest table that a reset keeps: clearing a larger one would cost small batches more than they do.
const keptSlots = 1 << 12

func (d *dict) reset() {
	if len(d.slots) > keptSlots && 8*len(d.end) < len(d.slots) {
		d.slots = make([]dictEntry, keptSlots)
	} else {
		clear(d.slots)
	}
	d.text, d.end = d.text[:0], d.end[:0]
}

func (d *dict) len() int { return len(d.end) }

func (d *dict) bytes(id uint32) []byte {
	if id == 0 {
		return d.text[:d.end[0]]
	}
	return d.text[d.end[id-1]:d.end[id]]
}

func (d *dict) string(id uint32) string { return string(d.bytes(id)) }

func (d *dict) id(s []byte) uint32 {
	h := xxhash.Sum64(s)
	hash := uint32(h >> 32)
	mask := uint64(len(d.slots) - 1)
	for i := h & mask; ; i = (i + 1) & mask {
		e := d.slots[i]
		if e.id == 0 {
			return d.add(s, i, hash)
		}
		if e.hash == hash && bytes.Equal(d.bytes(e.id-1), s) {
			return e.id - 1
		}
	}
}

// find is the id of a string that is there.
func (d *dict) find(s []byte) (uint32, bool) {
	h := xxhash.Sum64(s)
	hash := uint32(h >> 32)
	mask := uint64(len(d.slots) - 1)
	for i := h & mask; d.slots[i].id != 0; i = (i + 1) & mask {
		if e := d.slots[i]; e.hash == hash && bytes.Equal(d.bytes(e.id-1), s) {
			return e.id - 1, true
		}
	}
	return 0, false
}

func (d *dict) idString(s string) uint32 { return d.id([]byte(s)) }

func (d *dict) add(s []byte, slot uint64, hash uint32) uint32 {
	id := uint32(len(d.end))
	d.text = append(d.text, s...)
	d.end = append(d.end, uint32(len(d.text)))
	d.slots[slot] = dictEntry{hash, id + 1}
	if 2*len(d.end) > len(d.slots) {
		d.growTable()
	}
	return id
}

func (d *dict) growTable() {
	old := d.slots
	d.slots = make([]dictEntry, 4*len(old))
	mask := uint64(len(d.slots) - 1)
	for id := range d.end {
		h := xxhash.Sum64(d.bytes(uint32(id)))
		i := h & mask
		for d.slots[i].id != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = dictEntry{uint32(h >> 32), uint32(id) + 1}
	}
}

// ranks gives each id its place in byte order, the order in which ClickHouse sorts strings.
func (d *dict) ranks(scratch []uint32) []uint32 {
	order := make([]uint32, d.len())
	for i := range order {
		order[i] = uint32(i)
	}
	sortBy(order, func(a, b uint32) bool { return bytes.Compare(d.bytes(a), d.bytes(b)) < 0 })
	scratch = append(scratch[:0], order...)
	for rank, id := range order {
		scratch[id] = uint32(rank)
	}
	return scratch
}
