package query

import (
	"context"
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ProfileFrame is one function call in a stack.
type ProfileFrame struct {
	Function string
	System   string // the linker's name
	File     string
	Line     int64
	Column   int64
	Start    int64 // first line of the function
}

// location is a place in a program: the frames inlined there, the innermost first.
type location struct {
	hash    uint64
	mapping uint64
	address uint64
	folded  bool
	lines   []ProfileFrame
}

// stacks remembers stacks and locations, which never change. It is emptied when it grows beyond its bound.
type stacks struct {
	mu        sync.RWMutex
	stacks    map[stackKey][]*location // from the root
	locations map[stackKey]*location
	elements  int
}

type stackKey struct {
	service string
	hash    uint64
}

// elementBytes is what an element takes, with the maps' slack.
const elementBytes = 16

func (c *stacks) get(k stackKey) ([]*location, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s, ok := c.stacks[k]
	return s, ok
}

// resolve returns the locations of each stack, loading what is not known yet. A stack that is not stored (its rows may
// still be under way) is missing.
func (db *DB) resolve(ctx context.Context, service string, hashes []uint64) (map[uint64][]*location, error) {
	c := &db.stacks
	out := make(map[uint64][]*location, len(hashes))
	var missing []uint64
	for _, h := range hashes {
		if s, ok := c.get(stackKey{service, h}); ok {
			out[h] = s
		} else {
			missing = append(missing, h)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	raw := map[uint64][]uint64{}
	need := map[uint64]bool{}
	err := db.byHash(ctx, service, missing, stackRows, func(rows driver.Rows) error {
		var s rawStack
		if err := s.scan(rows); err != nil {
			return err
		}
		raw[s.hash] = s.locations
		for _, x := range s.locations {
			need[x] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	known, err := db.loadLocations(ctx, service, need)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.elements > db.o.ProfileMemory/2/elementBytes {
		c.stacks, c.locations, c.elements = nil, nil, 0
	}
	if c.stacks == nil {
		c.stacks = map[stackKey][]*location{}
	}
	for h, ids := range raw {
		s := make([]*location, 0, len(ids))
		for _, id := range ids {
			if l := known[id]; l != nil {
				s = append(s, l)
			}
		}
		if len(s) == len(ids) { // else a location is still under way: look again next time
			c.stacks[stackKey{service, h}] = s
			c.elements += len(s) + 4
		}
		out[h] = s
	}
	return out, nil
}

// loadLocations returns the wanted locations, from memory or from the store.
func (db *DB) loadLocations(ctx context.Context, service string, need map[uint64]bool) (map[uint64]*location, error) {
	c := &db.stacks
	out := make(map[uint64]*location, len(need))
	var missing []uint64
	c.mu.RLock()
	for h := range need {
		if l := c.locations[stackKey{service, h}]; l != nil {
			out[h] = l
		} else {
			missing = append(missing, h)
		}
	}
	c.mu.RUnlock()
	if len(missing) == 0 {
		return out, nil
	}
	var loaded []*location
	err := db.byHash(ctx, service, missing, `
SELECT hash, any(mapping), any(address), any(folded), any(line.function), any(line.system_name), any(line.file), any(line.start), any(line.line), any(line.column)
FROM profile_locations WHERE service = {service:String}%s GROUP BY hash`, func(rows driver.Rows) error {
		l := &location{}
		var function, system, file []string
		var start, line, column []int64
		if err := rows.Scan(&l.hash, &l.mapping, &l.address, &l.folded, &function, &system, &file, &start, &line, &column); err != nil {
			return err
		}
		for i := range function {
			l.lines = append(l.lines, ProfileFrame{function[i], system[i], file[i], line[i], column[i], start[i]})
		}
		out[l.hash] = l
		loaded = append(loaded, l)
		return nil
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locations == nil {
		c.locations = map[stackKey]*location{}
	}
	for _, l := range loaded {
		c.locations[stackKey{service, l.hash}] = l
		c.elements += 8 + 8*len(l.lines)
	}
	return out, nil
}

// stackRows is a row a stack: its hash, and those of its locations from the root as eight bytes each, the lowest first. As
// an array of numbers each one would be read by reflection, a million for an hour of a varied service.
const stackRows = `SELECT hash, arrayStringConcat(arrayMap(l -> char(l, bitShiftRight(l, 8), bitShiftRight(l, 16), bitShiftRight(l, 24), bitShiftRight(l, 32), bitShiftRight(l, 40), bitShiftRight(l, 48), bitShiftRight(l, 56)), locations))
FROM (SELECT hash, any(locations) AS locations FROM profile_stacks WHERE service = {service:String}%s GROUP BY hash)`

// rawStack is a stack as it is stored: the hashes of its locations from the root.
type rawStack struct {
	hash      uint64
	locations []uint64
}

func (s *rawStack) scan(rows driver.Rows) error {
	var packed string
	if err := rows.Scan(&s.hash, &packed); err != nil {
		return err
	}
	s.locations = make([]uint64, len(packed)/8)
	for i := range s.locations {
		s.locations[i] = binary.LittleEndian.Uint64([]byte(packed[8*i : 8*i+8]))
	}
	return nil
}

// fewHashes is how many rows are asked for by name; beyond, all of the service are read.
const fewHashes = 2000

func (db *DB) byHash(ctx context.Context, service string, hashes []uint64, sql string, scan func(driver.Rows) error) error {
	a := args{"service": service}
	if len(hashes) > fewHashes {
		return db.each(ctx, fmt.Sprintf(sql, ""), a, scan)
	}
	a["hashes"] = hashes
	return db.each(ctx, fmt.Sprintf(sql, " AND hash IN {hashes:Array(UInt64)}"), a, scan)
}

// mapping is a binary or library of a process.
type mapping struct {
	hash                 uint64
	start, limit, offset uint64
	file, buildID        string
	flags                uint8
}

func (db *DB) mappings(ctx context.Context, hashes []uint64) (map[uint64]mapping, error) {
	out := map[uint64]mapping{}
	if len(hashes) == 0 {
		return out, nil
	}
	err := db.each(ctx, `SELECT hash, any(start), any(limit), any(offset), any(file), any(build_id), any(flags) FROM profile_mappings WHERE hash IN {hashes:Array(UInt64)} GROUP BY hash`,
		args{"hashes": hashes}, func(rows driver.Rows) error {
			var m mapping
			if err := rows.Scan(&m.hash, &m.start, &m.limit, &m.offset, &m.file, &m.buildID, &m.flags); err != nil {
				return err
			}
			out[m.hash] = m
			return nil
		})
	return out, err
}

// frames are a location's calls, the caller first. A location without symbols is named by its address.
func (l *location) frames(dst []ProfileFrame, files map[uint64]mapping) []ProfileFrame {
	if len(l.lines) == 0 {
		name := fmt.Sprintf("0x%x", l.address)
		if m, ok := files[l.mapping]; ok && m.file != "" {
			name = path.Base(m.file) + "+" + name
		}
		return append(dst, ProfileFrame{Function: name})
	}
	for i := len(l.lines) - 1; i >= 0; i-- {
		dst = append(dst, l.lines[i])
	}
	return dst
}

// FunctionPackage is the package, module or class that a function belongs to, by the form of its name.
func FunctionPackage(function string) string {
	name := function
	if i := strings.IndexByte(name, '('); i > 0 && strings.Contains(name[:i], "::") {
		name = name[:i]
	}
	if i := strings.LastIndex(name, "::"); i > 0 { // C++, Rust
		return name[:i]
	}
	slash := strings.LastIndexByte(name, '/')
	if dot := strings.IndexByte(name[slash+1:], '.'); dot > 0 { // Go: path/pkg.Func, path/pkg.(*T).Method
		return name[:slash+1+dot]
	}
	if slash > 0 {
		return name[:slash]
	}
	return ""
}
