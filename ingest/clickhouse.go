package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// pool keeps a few native connections to ClickHouse. A connection that failed is closed, and the next use dials anew,
// so that an engine restarted on the same address is found again.
type pool struct {
	opts     ch.Options
	database string // named in every query instead of in the greeting: a greeting that names none that exists kills the embedded engine
	idle     chan *ch.Client
	timeout  time.Duration

	// fault, set by tests only, fails an insert before it happens or reports failure although it happened.
	fault func(table, token string) (before, after error)
}

// parseDSN reads tcp://HOST:PORT?username=…&password=…&database=…[&secure=true&skip_verify=true&compress=lz4].
func parseDSN(dsn string) (ch.Options, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return ch.Options{}, fmt.Errorf("reading the ClickHouse DSN: %w", err)
	}
	if u.Host == "" || u.Scheme != "tcp" && u.Scheme != "clickhouse" {
		return ch.Options{}, fmt.Errorf("ClickHouse DSN: want tcp://HOST:PORT?username=…&password=…&database=…")
	}
	q := u.Query()
	o := ch.Options{
		Address: strings.Split(u.Host, ",")[0], Database: q.Get("database"), User: q.Get("username"), Password: q.Get("password"),
		ClientName: "tidemark-ingest", DialTimeout: 2 * time.Second, HandshakeTimeout: 5 * time.Second,
	}
	if u.User != nil {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	if o.Database == "" {
		o.Database = strings.Trim(u.Path, "/")
	}
	if q.Get("secure") == "true" {
		o.TLS = &tls.Config{InsecureSkipVerify: q.Get("skip_verify") == "true"}
	}
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return ch.Options{}, fmt.Errorf("ClickHouse DSN: %w", err)
	}
	o.Compression = ch.CompressionLZ4
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		o.Compression = ch.CompressionDisabled // loopback moves bytes faster than LZ4 saves them
	}
	switch q.Get("compress") {
	case "":
	case "none", "false", "0":
		o.Compression = ch.CompressionDisabled
	case "lz4", "true", "1":
		o.Compression = ch.CompressionLZ4
	case "zstd":
		o.Compression = ch.CompressionZSTD
	default:
		return ch.Options{}, fmt.Errorf("ClickHouse DSN: compress=%q: want none, lz4 or zstd", q.Get("compress"))
	}
	return o, nil
}

func newPool(dsn string, size int, timeout time.Duration) (*pool, error) {
	o, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	o.ReadTimeout = timeout
	database := o.Database
	if database == "" {
		database = "default"
	}
	o.Database = ""
	return &pool{opts: o, database: database, idle: make(chan *ch.Client, size), timeout: timeout}, nil
}

func (p *pool) get(ctx context.Context) (*ch.Client, bool, error) {
	select {
	case c := <-p.idle:
		return c, true, nil
	default:
	}
	c, err := ch.Dial(ctx, p.opts)
	return c, false, err
}

func (p *pool) put(c *ch.Client) {
	if c.IsClosed() {
		return
	}
	select {
	case p.idle <- c:
	default:
		c.Close()
	}
}

func (p *pool) close() {
	for {
		select {
		case c := <-p.idle:
			c.Close()
		default:
			return
		}
	}
}

// do runs one query. A pooled connection may have died while it idled; then a fresh one gets the query, which is safe
// because every insert carries its token.
func (p *pool) do(ctx context.Context, q ch.Query) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	for tried := false; ; tried = true {
		c, pooled, err := p.get(ctx)
		if err != nil && !tried {
			err = &dialError{err}
		}
		if err != nil {
			return fmt.Errorf("connecting to ClickHouse: %w", err)
		}
		err = c.Do(ctx, q)
		if err == nil {
			p.put(c)
			return nil
		}
		c.Close()
		if pooled && !ch.IsException(err) && ctx.Err() == nil {
			continue
		}
		return err
	}
}

// dialError is a connection that never came about: nothing of the query has happened.
type dialError struct{ error }

func (e *dialError) Unwrap() error { return e.error }

// table is a table's full name.
func (p *pool) table(name string) string {
	return "`" + strings.ReplaceAll(p.database, "`", "``") + "`." + name
}

// insert stores a block as one part, once: the token makes a repetition of the same insert a no-op.
func (p *pool) insert(ctx context.Context, b *block, token string) error {
	if p.fault == nil {
		return p.insertOnce(ctx, b, token)
	}
	before, after := p.fault(b.table, token)
	if before != nil {
		return before
	}
	return errors.Join(p.insertOnce(ctx, b, token), after)
}

func (p *pool) insertOnce(ctx context.Context, b *block, token string) error {
	input := b.finish()
	var body strings.Builder
	body.WriteString("INSERT INTO " + p.table(b.table) + " (")
	for i := range input {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString("`" + input[i].Name + "`")
	}
	body.WriteString(") VALUES")
	err := p.do(ctx, ch.Query{Body: body.String(), Input: input, Settings: []ch.Setting{
		{Key: "async_insert", Value: "0", Important: true},
		{Key: "insert_deduplicate", Value: "1", Important: true},
		{Key: "insert_deduplication_token", Value: token, Important: true},
		{Key: "deduplicate_blocks_in_dependent_materialized_views", Value: "1", Important: true},
		{Key: "max_insert_block_size", Value: "10000000"},
		{Key: "min_insert_block_size_rows", Value: "0"},
		{Key: "min_insert_block_size_bytes", Value: "0"},
		{Key: "insert_distributed_sync", Value: "1"},
	}})
	if err != nil {
		return fmt.Errorf("inserting %d rows into %s: %w", b.rows, b.table, err)
	}
	return nil
}

// permanent tells whether the server refuses the very content of an insert, so that trying again is in vain. Anything
// that may pass (network, memory, too many parts, a table that is still being migrated) is not.
func permanent(err error) bool {
	var e *ch.Exception
	if !errors.As(err, &e) {
		return false
	}
	return e.IsCode(proto.ErrTypeMismatch, proto.ErrIncorrectData, proto.ErrCannotParseText, proto.ErrSizesOfArraysDoesntMatch,
		proto.ErrCannotReadAllData, proto.ErrTooLargeStringSize, proto.ErrTooLargeArraySize, proto.ErrTooManyPartitions,
		proto.ErrUnknownTypeOfQuery, proto.ErrBadArguments, proto.ErrLogicalError,
		proto.ErrViolatedConstraint, proto.ErrFunctionThrowIfValueIsNonZero, proto.ErrValueIsOutOfRangeOfDataType, proto.ErrDecimalOverflow)
}
