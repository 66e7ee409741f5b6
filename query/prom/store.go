package prom

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tidemarkhq/tidemark/query"
)

// columns reads results column by column: a sample costs a few nanoseconds here, a row of clickhouse-go some hundred.
type columns struct {
	db       *query.DB
	opts     ch.Options
	database string // named in every statement: a greeting that names none that exists ends the embedded engine
	idle     chan *ch.Client
}

// maxIdle is how many connections are kept open.
const maxIdle = 4

func newColumns(db *query.DB, dsn string) (*columns, error) {
	o, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the ClickHouse address: %w", err)
	}
	database := o.Auth.Database
	if database == "" || database == "default" {
		database = "tidemark"
	}
	opts := ch.Options{Address: o.Addr[0], User: o.Auth.Username, Password: o.Auth.Password, TLS: o.TLS, ClientName: "tidemark-prom",
		DialTimeout: 5 * time.Second, HandshakeTimeout: 5 * time.Second, Compression: ch.CompressionLZ4}
	if host, _, err := net.SplitHostPort(opts.Address); err == nil {
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			opts.Compression = ch.CompressionDisabled // loopback moves bytes faster than LZ4 saves them
		}
	}
	if opts.TLS != nil {
		opts.TLS = opts.TLS.Clone()
	} else if strings.Contains(dsn, "secure=true") {
		opts.TLS = &tls.Config{}
	}
	return &columns{db: db, opts: opts, database: database, idle: make(chan *ch.Client, maxIdle)}, nil
}

// statement is one question. Its text names tables as {{table}}; params are bound.
type statement struct {
	sql    string
	params map[string]any // string, []string, int64
	chosen []uint64       // the column fingerprint of the table chosen, where not nil
	result proto.Results
	block  func() error // called for every block
}

// run asks a statement. The slot is given back when the answer has been read.
func (c *columns) run(ctx context.Context, st statement) error {
	leave, err := c.db.Admit(ctx)
	if err != nil {
		return err
	}
	defer leave()
	timeout, memory := c.db.Limits()
	ctx, cancel := context.WithTimeout(ctx, timeout+time.Second)
	defer cancel()
	q := ch.Query{Body: strings.NewReplacer("{{", c.database+".", "}}", "").Replace(st.sql), Result: st.result, Settings: []ch.Setting{
		{Key: "readonly", Value: "2", Important: true},
		{Key: "max_execution_time", Value: fmt.Sprint(timeout.Seconds()), Important: true},
		{Key: "max_memory_usage", Value: fmt.Sprint(memory), Important: true},
		{Key: "timeout_before_checking_execution_speed", Value: "0", Important: true},
	}}
	for name, v := range st.params {
		q.Parameters = append(q.Parameters, proto.Parameter{Key: name, Value: parameter(v)})
	}
	if st.chosen != nil {
		data := proto.ColUInt64(st.chosen)
		q.ExternalTable, q.ExternalData = "chosen", []proto.InputColumn{{Name: "fingerprint", Data: &data}}
	}
	got := false
	q.OnResult = func(_ context.Context, b proto.Block) error {
		if b.Rows == 0 {
			return nil
		}
		got = true
		return st.block()
	}
	q.OnProgress = func(_ context.Context, p proto.Progress) error {
		c.db.Count(p.Rows, p.Bytes)
		return nil
	}
	for {
		client, pooled, err := c.get(ctx)
		if err != nil {
			return fmt.Errorf("connect to the store: %w", err)
		}
		if err = client.Do(ctx, q); err == nil {
			c.put(client)
			return nil
		}
		client.Close()
		if pooled && !got && !ch.IsException(err) && ctx.Err() == nil {
			continue // it had died while it idled
		}
		return fmt.Errorf("ask the store: %w", err)
	}
}

func (c *columns) get(ctx context.Context) (client *ch.Client, pooled bool, err error) {
	for {
		select {
		case client := <-c.idle:
			if !client.IsClosed() {
				return client, true, nil
			}
		default:
			client, err := ch.Dial(ctx, c.opts)
			return client, false, err
		}
	}
}

func (c *columns) put(client *ch.Client) {
	if client.IsClosed() {
		return
	}
	select {
	case c.idle <- client:
	default:
		client.Close()
	}
}

func (c *columns) close() {
	for {
		select {
		case client := <-c.idle:
			client.Close()
		default:
			return
		}
	}
}

var (
	tsv   = strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)
	field = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\t", `\t`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)
)

// parameter writes a value as the native protocol has query parameters: the quoted form of the text that ClickHouse
// reads the value from.
func parameter(v any) string {
	switch v := v.(type) {
	case string:
		return "'" + field.Replace(tsv.Replace(v)) + "'"
	case []string:
		q := make([]string, len(v))
		for i, s := range v {
			q[i] = "'" + field.Replace(s) + "'"
		}
		return "'" + field.Replace("["+strings.Join(q, ",")+"]") + "'"
	}
	return fmt.Sprintf("'%d'", v)
}
