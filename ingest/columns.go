package ingest

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/ClickHouse/ch-go/proto"
)

// varBytes is a column of byte strings of differing lengths, one after another in buf; end[i] is where row i ends.
type varBytes struct {
	buf []byte
	end []uint32
}

func (c *varBytes) row(i uint32) []byte {
	if i == 0 {
		return c.buf[:c.end[0]]
	}
	return c.buf[c.end[i-1]:c.end[i]]
}

func (c *varBytes) closeRow() { c.end = append(c.end, uint32(len(c.buf))) }

// add appends a row holding one String in native form.
func (c *varBytes) add(s []byte) {
	c.buf = appendString(c.buf, s)
	c.closeRow()
}

func (c *varBytes) reset() { c.buf, c.end = c.buf[:0], c.end[:0] }

// truncate drops the rows from n on and whatever was begun behind them.
func (c *varBytes) truncate(n int) {
	c.end = c.end[:n]
	if n == 0 {
		c.buf = c.buf[:0]
	} else {
		c.buf = c.buf[:c.end[n-1]]
	}
}

// attributes is the three parallel array columns attr.key, attr.value, attr.type. end counts elements.
type attributes struct {
	key   []uint32 // ids in keys
	value []uint32 // ids in values
	typ   []byte
	end   []uint32

	keys, values *dict

	// hint runs over the elements of an earlier row that the open one probably repeats, until hintEnd. Comparing
	// with what was there costs a third of looking it up.
	hint, hintEnd uint32
}

func newAttributes() attributes { return attributes{keys: newDict(), values: newDict()} }

func (c *attributes) reset() {
	c.truncate(0)
	c.keys.reset()
	c.values.reset()
}

func (c *attributes) add(key, value []byte, typ byte) {
	if c.hint < c.hintEnd {
		if k := c.key[c.hint]; bytes.Equal(c.keys.bytes(k), key) {
			v := c.value[c.hint]
			if !bytes.Equal(c.values.bytes(v), value) {
				v = c.values.id(value)
			}
			c.hint++
			c.append(k, v, typ)
			return
		}
		c.hint++
	}
	c.append(c.keys.id(key), c.values.id(value), typ)
}

func (c *attributes) append(key, value uint32, typ byte) {
	c.key = append(c.key, key)
	c.value = append(c.value, value)
	c.typ = append(c.typ, typ)
}

// expect hints that the open row is like row i, if there is such a row.
func (c *attributes) expect(i uint32) {
	if int(i) < len(c.end) {
		c.hint, c.hintEnd = c.span(i)
	}
}

func (c *attributes) closeRow() {
	c.end = append(c.end, uint32(len(c.key)))
	c.hint, c.hintEnd = 0, 0
}

func (c *attributes) truncate(n int) {
	c.end = c.end[:n]
	elements := uint32(0)
	if n > 0 {
		elements = c.end[n-1]
	}
	c.key, c.value, c.typ = c.key[:elements], c.value[:elements], c.typ[:elements]
	c.hint, c.hintEnd = 0, 0
}

// span is where row i's elements lie.
func (c *attributes) span(i uint32) (from, to uint32) {
	if i == 0 {
		return 0, c.end[0]
	}
	return c.end[i-1], c.end[i]
}

// column is one encoded column of a block: what ClickHouse's native format holds for it, including the prefix of
// LowCardinality. It is a proto.ColInput.
type column struct {
	name string
	typ  string
	rows int
	data []byte
}

func (c *column) Type() proto.ColumnType       { return proto.ColumnType(c.typ) }
func (c *column) Rows() int                    { return c.rows }
func (c *column) EncodeColumn(b *proto.Buffer) { b.Buf = append(b.Buf, c.data...) }
func (c *column) WriteColumn(w *proto.Writer)  { w.ChainWrite(c.data) }

// block is the rows of one INSERT. Its columns' bytes lie one after another in buf, which is reused.
type block struct {
	table   string
	rows    int
	buf     []byte
	columns []column
	starts  []int

	ids, remap, used []uint32 // scratch of LowCardinality columns
}

func (b *block) reset(table string, rows int) {
	b.table, b.rows = table, rows
	b.buf, b.columns, b.starts = b.buf[:0], b.columns[:0], b.starts[:0]
}

// begin opens the next column; everything appended to buf until the next begin or finish belongs to it.
func (b *block) begin(name, typ string) {
	b.columns = append(b.columns, column{name: name, typ: typ, rows: b.rows})
	b.starts = append(b.starts, len(b.buf))
}

// finish hands out the columns. buf no longer moves from here on.
func (b *block) finish() proto.Input {
	input := make(proto.Input, len(b.columns))
	for i := range b.columns {
		end := len(b.buf)
		if i+1 < len(b.starts) {
			end = b.starts[i+1]
		}
		b.columns[i].data = b.buf[b.starts[i]:end:end]
		input[i] = proto.InputColumn{Name: b.columns[i].name, Data: &b.columns[i]}
	}
	return input
}

func (b *block) u64(v uint64) { b.buf = binary.LittleEndian.AppendUint64(b.buf, v) }
func (b *block) u32(v uint32) { b.buf = binary.LittleEndian.AppendUint32(b.buf, v) }

// grow makes room for n more bytes at once.
func (b *block) grow(n int) { b.buf = slices.Grow(b.buf, n) }

// gather64, gather32 and gather8 append the numbers of the rows in perm.
func (b *block) gather64(perm []uint32, src []uint64) {
	b.grow(8 * len(perm))
	for _, r := range perm {
		b.buf = binary.LittleEndian.AppendUint64(b.buf, src[r])
	}
}

func (b *block) gatherTimes(perm []uint32, src []int64) {
	b.grow(8 * len(perm))
	for _, r := range perm {
		b.buf = binary.LittleEndian.AppendUint64(b.buf, uint64(src[r]))
	}
}

func (b *block) gather32(perm []uint32, src []uint32) {
	b.grow(4 * len(perm))
	for _, r := range perm {
		b.buf = binary.LittleEndian.AppendUint32(b.buf, src[r])
	}
}

func (b *block) gather8(perm []uint32, src []byte) {
	b.grow(len(perm))
	for _, r := range perm {
		b.buf = append(b.buf, src[r])
	}
}

// gatherFixed appends the width-byte strings of the rows in perm.
func (b *block) gatherFixed(perm []uint32, src []byte, width int) {
	b.grow(width * len(perm))
	for _, r := range perm {
		b.buf = append(b.buf, src[int(r)*width:int(r)*width+width]...)
	}
}

// gatherBytes appends what each row of perm holds, as it is.
func (b *block) gatherBytes(perm []uint32, src *varBytes) {
	b.grow(len(src.buf))
	for _, r := range perm {
		b.buf = append(b.buf, src.row(r)...)
	}
}

// gatherOffsets appends an Array's offsets: the running count of elements.
func (b *block) gatherOffsets(perm []uint32, end []uint32) (total int) {
	b.grow(8 * len(perm))
	for _, r := range perm {
		from := uint32(0)
		if r > 0 {
			from = end[r-1]
		}
		total += int(end[r] - from)
		b.buf = binary.LittleEndian.AppendUint64(b.buf, uint64(total))
	}
	return total
}

const (
	lcVersion        = 1            // of LowCardinality's prefix: dictionaries with additional keys
	lcAdditionalKeys = 1<<9 | 1<<10 // the dictionary comes with the block and replaces the one before
)

// gatherLC appends a LowCardinality(String) column of the rows in perm. Only the strings used are sent.
func (b *block) gatherLC(perm []uint32, ids []uint32, d *dict) {
	b.ids = slices.Grow(b.ids[:0], len(perm))
	for _, r := range perm {
		b.ids = append(b.ids, ids[r])
	}
	b.u64(lcVersion)
	b.lowCardinalityOf(b.ids, d)
}

// gatherArrayLC appends an Array(LowCardinality(String)) column.
func (b *block) gatherArrayLC(perm []uint32, ids, end []uint32, d *dict) {
	b.u64(lcVersion)
	total := b.gatherOffsets(perm, end)
	if total == 0 {
		return
	}
	b.ids = slices.Grow(b.ids[:0], total)
	for _, r := range perm {
		from := uint32(0)
		if r > 0 {
			from = end[r-1]
		}
		b.ids = append(b.ids, ids[from:end[r]]...)
	}
	b.lowCardinalityOf(b.ids, d)
}

// lowCardinalityOf writes the dictionary of the strings that ids name, in the order met, and the ids in it.
func (b *block) lowCardinalityOf(ids []uint32, d *dict) {
	b.remap = append(b.remap[:0], make([]uint32, d.len())...)
	b.used = b.used[:0]
	remap := b.remap
	for i, id := range ids {
		n := remap[id]
		if n == 0 {
			b.used = append(b.used, id)
			n = uint32(len(b.used))
			remap[id] = n
		}
		ids[i] = n - 1
	}
	width := uint64(0)
	if len(b.used) > 1<<8 {
		width = 1
	}
	if len(b.used) > 1<<16 {
		width = 2
	}
	b.u64(lcAdditionalKeys | width)
	b.u64(uint64(len(b.used)))
	for _, id := range b.used {
		b.buf = appendString(b.buf, d.bytes(id))
	}
	b.u64(uint64(len(ids)))
	b.grow(len(ids) << width)
	buf := b.buf
	switch width {
	case 0:
		for _, id := range ids {
			buf = append(buf, byte(id))
		}
	case 1:
		for _, id := range ids {
			buf = append(buf, byte(id), byte(id>>8))
		}
	default:
		for _, id := range ids {
			buf = binary.LittleEndian.AppendUint32(buf, id)
		}
	}
	b.buf = buf
}

// The following build small blocks, row by row of a slice, where speed matters less.

func (b *block) strings(name string, n int, at func(int) string) {
	b.begin(name, "String")
	for i := range n {
		s := at(i)
		b.buf = binary.AppendUvarint(b.buf, uint64(len(s)))
		b.buf = append(b.buf, s...)
	}
}

func (b *block) lowCardinality(name string, n int, at func(int) string) {
	d := newDict()
	ids, perm := make([]uint32, n), make([]uint32, n)
	for i := range n {
		ids[i], perm[i] = d.idString(at(i)), uint32(i)
	}
	b.begin(name, "LowCardinality(String)")
	if n > 0 {
		b.gatherLC(perm, ids, d)
	}
}

func (b *block) uint64s(name, typ string, n int, at func(int) uint64) {
	b.begin(name, typ)
	for i := range n {
		b.u64(at(i))
	}
}

func (b *block) uint32s(name, typ string, n int, at func(int) uint32) {
	b.begin(name, typ)
	for i := range n {
		b.u32(at(i))
	}
}

func (b *block) bytes(name, typ string, n int, at func(int) byte) {
	b.begin(name, typ)
	for i := range n {
		b.buf = append(b.buf, at(i))
	}
}

// stringMaps appends a Map(String, String) column.
func (b *block) stringMaps(name string, n int, at func(int) []keyValue) {
	b.begin(name, "Map(String, String)")
	total := 0
	for i := range n {
		total += len(at(i))
		b.u64(uint64(total))
	}
	for part := range 2 {
		for i := range n {
			for _, kv := range at(i) {
				s := kv.key
				if part == 1 {
					s = kv.value
				}
				b.buf = binary.AppendUvarint(b.buf, uint64(len(s)))
				b.buf = append(b.buf, s...)
			}
		}
	}
}

// days is a Date column of one day throughout.
func (b *block) days(name string, n int, day int64) {
	b.begin(name, "Date")
	for range n {
		b.buf = binary.LittleEndian.AppendUint16(b.buf, uint16(day))
	}
}
