package ingest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// A poison batch is one that ClickHouse refuses because of what it holds: a constraint that someone added, a view that
// throws, a value that a column cannot take. It is salvaged: cut in halves until only rows that are refused by
// themselves are left, which are set aside in the spool's quarantine as files in ClickHouse's Native format.
const (
	poisonAfter  = 3   // refusals that name the data until a batch is salvaged
	unknownAfter = 10  // refusals for other reasons until it is
	poisonRows   = 200 // rows set aside one by one; after that, refused parts are set aside as they are
)

// refusal says how ClickHouse failed an insert.
type refusal uint8

const (
	unreachable refusal = iota // or it may pass: memory, parts, disk, rights, a migration
	unknown                    // it answered, with an error that we have no opinion about
	poisoned                   // the error names the data
)

// passing are the errors of a server that has trouble of its own; trying again will help one day.
var passing = []proto.Error{
	proto.ErrNoSuchColumnInTable, proto.ErrUnknownIdentifier, proto.ErrUnknownTable, proto.ErrUnknownDatabase, proto.ErrCannotWriteToFileDescriptor,
	proto.ErrCannotOpenFile, proto.ErrCannotWriteToFile, proto.ErrCannotReadFromSocket, proto.ErrCannotWriteToSocket, proto.ErrTimeoutExceeded,
	proto.ErrReadonly, proto.ErrQuotaExceeded, proto.ErrTooManySimultaneousQueries, proto.ErrCannotFsync, proto.ErrSocketTimeout,
	proto.ErrNetworkError, proto.ErrNoZookeeper, proto.ErrAborted, proto.ErrMemoryLimitExceeded, proto.ErrTableIsReadOnly,
	proto.ErrNotEnoughSpace, proto.ErrUnexpectedZookeeperError, proto.ErrTooManyParts, proto.ErrDatabaseAccessDenied,
	proto.ErrQueryWasCancelled, proto.ErrAccessDenied, proto.ErrAuthenticationFailed, proto.ErrKeeperException,
}

func refusalOf(err error) refusal {
	var e *ch.Exception
	switch {
	case permanent(err):
		return poisoned
	case !errors.As(err, &e) || e.IsCode(passing...):
		return unreachable
	}
	return unknown
}

// patience counts the refusals of one batch and tells when it is poison.
type patience struct{ poisoned, unknown int }

func (p *patience) exhausted(err error) bool {
	switch refusalOf(err) {
	case poisoned:
		p.poisoned++
	case unknown:
		p.unknown++
	}
	return p.poisoned >= poisonAfter || p.unknown >= unknownAfter
}

// salvage is what a writer needs to store a poison batch in parts. That a part is cut is noted durably before its
// halves are inserted: after a crash the part must not be tried whole again, since its own token would then let in
// what a half has stored.
type salvage struct {
	in    *Ingest
	batch string
	cuts  map[string]bool
	note  func(part string) error
	rows  int // set aside
	last  error
}

// newSalvage begins to salvage a batch; one without a file leaves no notes, because it does not outlive the process.
func (in *Ingest) newSalvage(batch string, file bool) *salvage {
	s := &salvage{in: in, batch: batch, cuts: map[string]bool{}, note: func(string) error { return nil }}
	if file {
		s.cuts = in.spool.Splits(batch)
		s.note = func(part string) error { return in.spool.Split(batch, part) }
	}
	return s
}

// putRows stores one table's rows of one day and returns those that were not set aside.
func putRows[T any](w *writer, day int64, rows []T, encode func([]T)) ([]T, error) {
	if len(rows) == 0 {
		return rows, nil
	}
	if w.salvage == nil {
		encode(rows)
		return rows, w.insert(&w.block, fmt.Sprintf("%s/%s/%d", w.batch, w.block.table, day))
	}
	encode(rows)
	c := cutter[T]{w: w, table: w.block.table, day: day, rows: rows, encode: encode}
	err := c.put(0, len(rows))
	return c.good, err
}

type cutter[T any] struct {
	w      *writer
	table  string
	day    int64
	rows   []T
	encode func([]T)
	good   []T
}

func (c *cutter[T]) put(lo, hi int) error {
	s := c.w.salvage
	part := fmt.Sprintf("%s/%d/%d-%d", c.table, c.day, lo, hi)
	token := c.w.batch + "/" + part
	if lo == 0 && hi == len(c.rows) { // the token under which it was tried before
		token = fmt.Sprintf("%s/%s/%d", c.w.batch, c.table, c.day)
	}
	if !s.cuts[part] {
		c.encode(c.rows[lo:hi])
		err := c.w.insert(&c.w.block, token)
		if err == nil {
			c.good = append(c.good, c.rows[lo:hi]...)
			return nil
		}
		if refusalOf(err) == unreachable {
			return err
		}
		if hi-lo == 1 || s.rows >= poisonRows {
			return s.setAside(&c.w.block, part, err)
		}
		if err := s.note(part); err != nil {
			return err
		}
		s.cuts[part] = true
	}
	mid := lo + (hi-lo)/2
	if err := c.put(lo, mid); err != nil {
		return err
	}
	return c.put(mid, hi)
}

// setAside keeps the rows of a refused block where a person finds them, with the reason beside them.
func (s *salvage) setAside(b *block, part string, cause error) error {
	name := s.batch + "." + strings.ReplaceAll(part, "/", ".")
	if err := s.in.spool.SetAside(name+".native", b.native()); err != nil {
		return err
	}
	if err := s.in.spool.SetAside(name+".txt", []byte(cause.Error()+"\n")); err != nil {
		return err
	}
	s.rows += b.rows
	s.last = cause
	s.in.stats.setAside(b.table, b.rows, cause)
	s.in.opts.Logger.Error("rows that ClickHouse refuses were set aside", "batch", s.batch, "table", b.table, "rows", b.rows,
		"file", name+".native", "error", cause)
	return nil
}

// native is the block as ClickHouse reads it from a file: INSERT INTO table FROM INFILE '…' FORMAT Native.
func (b *block) native() []byte {
	input := b.finish()
	out := binary.AppendUvarint(nil, uint64(len(input)))
	out = binary.AppendUvarint(out, uint64(b.rows))
	for i := range b.columns {
		out = appendString(out, []byte(b.columns[i].name))
		out = appendString(out, []byte(b.columns[i].typ))
		out = append(out, b.columns[i].data...)
	}
	return out
}
