// Package store is Tidemark's ClickHouse: the numbered .sql files that make its tables, connecting to it, how long
// each signal is kept, and what it takes on disk. clickhouse-go's connection is the storage interface: callers write
// SQL with unqualified table names against the connection's default database, and the same SQL runs on the embedded
// engine, on a server and on a cluster. One invariant: after Migrate returns, every table the program names exists.
package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// DefaultDatabase is used when a DSN names none.
const DefaultDatabase = "tidemark"

// Options tune a connection pool. Zero fields take the defaults in brackets.
type Options struct {
	MaxConns    int           // open connections (16)
	DialTimeout time.Duration // (5 s)
	Name        string        // shown in ClickHouse's process list ("tidemark")
}

// Open connects to the database named by dsn, tcp://HOST:PORT?username=…&password=…&database=…, and creates it where
// it is missing. It does not wait: WaitReady does.
func Open(dsn string, o Options) (driver.Conn, error) {
	opts, err := parse(dsn)
	if err != nil {
		return nil, err
	}
	opts.MaxOpenConns = max(o.MaxConns, 0)
	if o.MaxConns == 0 {
		opts.MaxOpenConns = 16
	}
	opts.MaxIdleConns = opts.MaxOpenConns
	opts.ConnMaxLifetime = time.Hour
	opts.DialTimeout = o.DialTimeout
	if o.DialTimeout == 0 {
		opts.DialTimeout = 5 * time.Second
	}
	opts.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
	name := o.Name
	if name == "" {
		name = "tidemark"
	}
	opts.ClientInfo.Products = append(opts.ClientInfo.Products, struct{ Name, Version string }{name, "1"})
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, fmt.Errorf("open ClickHouse at %s: %w", opts.Addr[0], err)
	}
	return conn, nil
}

func parse(dsn string) (*clickhouse.Options, error) {
	opts, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return nil, fmt.Errorf("the ClickHouse address is not understood: use tcp://HOST:PORT?username=…&password=…&database=… (%w)", redact(err))
	}
	if opts.Auth.Database == "" || opts.Auth.Database == "default" {
		opts.Auth.Database = DefaultDatabase
	}
	if !identifier.MatchString(opts.Auth.Database) {
		return nil, fmt.Errorf("the database name %q is not usable: letters, digits and underscores only", opts.Auth.Database)
	}
	return opts, nil
}

var (
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	passwords  = regexp.MustCompile(`(password=)[^&\s"]*|(://[^:/@\s]*:)[^@\s]*@`)
)

// redact hides passwords that an error text may repeat.
func redact(err error) error {
	s := passwords.ReplaceAllString(err.Error(), "${1}${2}***")
	return fmt.Errorf("%s", s)
}

// WithDatabase is dsn with its database replaced.
func WithDatabase(dsn, database string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", fmt.Errorf("the ClickHouse address is not understood: %w", redact(err))
	}
	q := u.Query()
	q.Set("database", database)
	u.RawQuery = q.Encode()
	u.Path = ""
	return u.String(), nil
}

// WaitReady creates the database where it is missing and returns when the server answers in it.
func WaitReady(ctx context.Context, dsn string) error {
	opts, err := parse(dsn)
	if err != nil {
		return err
	}
	database := opts.Auth.Database
	opts.Auth.Database = "default"
	opts.DialTimeout = 2 * time.Second
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return fmt.Errorf("open ClickHouse at %s: %w", opts.Addr[0], err)
	}
	defer conn.Close()
	for {
		err := createDatabase(ctx, conn, database)
		if err == nil {
			return checkVersion(ctx, conn)
		}
		if why := final(err, database); why != nil {
			return fmt.Errorf("use ClickHouse at %s: %w", opts.Addr[0], why)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ClickHouse at %s does not answer: %w", opts.Addr[0], err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// createDatabase makes the database where it is missing; where it is there, no right to make one is needed.
func createDatabase(ctx context.Context, conn driver.Conn, database string) error {
	var there uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = ?", database).Scan(&there); err != nil || there > 0 {
		return err
	}
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(database))
}

// final explains errors that waiting does not cure: the server answered and said no.
func final(err error, database string) error {
	var e *clickhouse.Exception
	if !errors.As(err, &e) {
		return nil
	}
	switch e.Code {
	case 516, 192, 193, 194: // AUTHENTICATION_FAILED, UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD
		return errors.New("it refuses the user name or password: correct --clickhouse-dsn")
	case 497: // ACCESS_DENIED
		return fmt.Errorf("the user may not create the database %s: create it, or grant CREATE DATABASE (%s)", database, oneLine(e.Message))
	}
	return nil
}

// checkVersion refuses servers whose text indexes are known to answer wrongly.
func checkVersion(ctx context.Context, conn driver.Conn) error {
	v, err := conn.ServerVersion()
	if err != nil {
		return fmt.Errorf("ask ClickHouse for its version: %w", err)
	}
	have := [3]uint64{v.Version.Major, v.Version.Minor, v.Version.Patch}
	if old(have) {
		return fmt.Errorf("ClickHouse %d.%d.%d is too old: use 26.3.17 (LTS) or 26.7.2 or newer", have[0], have[1], have[2])
	}
	return nil
}

func old(v [3]uint64) bool {
	less := func(a, b [3]uint64) bool {
		for i := range a {
			if a[i] != b[i] {
				return a[i] < b[i]
			}
		}
		return false
	}
	if v[0] == 26 && v[1] == 3 {
		return less(v, [3]uint64{26, 3, 17})
	}
	return less(v, [3]uint64{26, 7, 2})
}

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
