package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migration is one numbered file. Its statements are idempotent, so that a file cut off in the middle is run again
// as a whole, and two processes running the same file at once do no harm; the lease below only keeps the second from
// doing the first's work.
type migration struct {
	number     int
	name       string
	checksum   string // of the file's text, before templating
	statements []string
}

const versionTable = `CREATE TABLE IF NOT EXISTS schema_migrations%s (
    number UInt32, name String, checksum String, applied_at DateTime64(3) DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(applied_at) ORDER BY number`

const leaseTable = `CREATE TABLE IF NOT EXISTS schema_lease%s (
    holder String, until DateTime64(3), taken DateTime64(6) DEFAULT now64(6)
) ENGINE = MergeTree ORDER BY taken TTL toDateTime(until) + INTERVAL 1 DAY`

// leaseFor bounds how long a crashed migration keeps others waiting; settle, how long a lease may take from its time
// stamp to being seen by others.
const (
	leaseFor = 10 * time.Second
	settle   = 200 * time.Millisecond
)

// Migrate brings the connection's database to this program's schema. cluster names a ClickHouse cluster over whose
// shards tables are spread, or is empty. It may be called by several processes at once and again after a crash. A
// database written by a newer program is refused; so is one whose applied files differ from this program's.
// holder names this process to others that migrate at the same time.
func Migrate(ctx context.Context, conn driver.Conn, cluster, holder string) error {
	if err := migrate(ctx, conn, embedded, cluster, holder); err != nil {
		return err
	}
	return applyRetention(ctx, conn, cluster)
}

func migrate(ctx context.Context, conn driver.Conn, files fs.FS, cluster, holder string) error {
	all, err := load(files, cluster)
	if err != nil {
		return err
	}
	for _, table := range []string{versionTable, leaseTable} {
		if err := conn.Exec(ctx, fmt.Sprintf(table, onCluster(cluster))); err != nil {
			return fmt.Errorf("prepare the schema's own tables: %w", err)
		}
	}
	if todo, err := pending(ctx, conn, all); err != nil || len(todo) == 0 {
		return err
	}
	release, err := lease(ctx, conn, holder)
	if err != nil {
		return err
	}
	defer release()
	todo, err := pending(ctx, conn, all) // another process may have done it while we waited
	if err != nil {
		return err
	}
	for _, m := range todo {
		for i, statement := range m.statements {
			if err := conn.Exec(ctx, statement); err != nil {
				return fmt.Errorf("migration %s, statement %d: %w", m.name, i+1, err)
			}
		}
		if err := conn.Exec(ctx, "INSERT INTO schema_migrations (number, name, checksum) VALUES (?, ?, ?)", m.number, m.name, m.checksum); err != nil {
			return fmt.Errorf("record migration %s: %w", m.name, err)
		}
	}
	return nil
}

// pending lists what has not been applied yet.
func pending(ctx context.Context, conn driver.Conn, all []migration) ([]migration, error) {
	rows, err := conn.Query(ctx, "SELECT number, argMax(name, applied_at), argMax(checksum, applied_at) FROM schema_migrations GROUP BY number ORDER BY number")
	if err != nil {
		return nil, fmt.Errorf("read which migrations were applied: %w", err)
	}
	defer rows.Close()
	applied := map[int]string{}
	for rows.Next() {
		var number uint32
		var name, checksum string
		if err := rows.Scan(&number, &name, &checksum); err != nil {
			return nil, fmt.Errorf("read which migrations were applied: %w", err)
		}
		if int(number) > len(all) {
			return nil, fmt.Errorf("the database was written by a newer Tidemark (schema %d, this one knows %d): install that version", number, len(all))
		}
		applied[int(number)] = checksum
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read which migrations were applied: %w", err)
	}
	var todo []migration
	for _, m := range all {
		switch checksum, ok := applied[m.number]; {
		case !ok:
			todo = append(todo, m)
		case checksum != m.checksum:
			return nil, fmt.Errorf("migration %s was applied from another text than this program's: install the version that made this database", m.name)
		}
	}
	return todo, nil
}

// lease waits until this holder's is the oldest lease that has not run out. ClickHouse has no locks; leases are rows,
// ordered by the server's clock, and a second look after writing one's own decides.
func lease(ctx context.Context, conn driver.Conn, holder string) (release func(), err error) {
	release = func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = conn.Exec(ctx, "DELETE FROM schema_lease WHERE holder = ?", holder) // else it runs out
	}
	for {
		if err := conn.Exec(ctx, "INSERT INTO schema_lease (holder, until) SELECT ?, now64(3) + INTERVAL ? SECOND", holder, int(leaseFor.Seconds())); err != nil {
			return nil, fmt.Errorf("take the lease for migrating: %w", err)
		}
		since := time.Time{} // when this holder was seen to be first
		for began := time.Now(); time.Since(began) < leaseFor/2; {
			var first string
			if err := conn.QueryRow(ctx, "SELECT argMin(holder, (taken, holder)) FROM schema_lease WHERE until > now64(3)").Scan(&first); err != nil {
				return nil, fmt.Errorf("read who is migrating: %w", err)
			}
			switch {
			case first != holder:
				since = time.Time{}
			case since.IsZero():
				since = time.Now()
			case time.Since(since) > settle:
				return release, nil
			}
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("wait for another process to migrate: %w", ctx.Err())
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

var fileName = regexp.MustCompile(`^(\d{4})_[a-z0-9_]+\.sql$`)

// load reads, renders and splits the files, which must be numbered 1, 2, 3, ….
func load(files fs.FS, cluster string) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all []migration
	for i, file := range names {
		m := fileName.FindStringSubmatch(path.Base(file))
		if m == nil {
			return nil, fmt.Errorf("migration %s: the name must look like 0001_what.sql", file)
		}
		if n, _ := strconv.Atoi(m[1]); n != i+1 {
			return nil, fmt.Errorf("migration %s: number %d expected", file, i+1)
		}
		text, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		statements, err := render(string(text), cluster)
		if err != nil {
			return nil, fmt.Errorf("migration %s: %w", file, err)
		}
		sum := sha256.Sum256(text)
		all = append(all, migration{i + 1, path.Base(file), hex.EncodeToString(sum[:8]), statements})
	}
	if len(all) == 0 {
		return nil, errors.New("no migrations")
	}
	return all, nil
}

func onCluster(cluster string) string {
	if cluster == "" {
		return ""
	}
	return " ON CLUSTER " + quote(cluster)
}

// render fills in what differs between one server and a cluster. On a cluster `spans` is a Distributed table over
// each shard's replicated `spans_local`:
//
//	{{table "spans"}}               the name to create: spans, or spans_local ON CLUSTER c
//	{{local "spans"}}               the name to use in a view: spans, or spans_local
//	{{view "red_1m_mv"}}            the view's name, ON CLUSTER c
//	{{engine "MergeTree" "ver"}}    MergeTree(ver), or ReplicatedMergeTree(ver)
//	{{distributed "spans" "key"}}   nothing, or the statement that makes the Distributed table
func render(text, cluster string) ([]string, error) {
	local := func(name string) string {
		if cluster == "" {
			return name
		}
		return name + "_local"
	}
	t, err := template.New("").Funcs(template.FuncMap{
		"list":  func(s ...string) []string { return s },
		"local": local,
		"table": func(name string) string { return local(name) + onCluster(cluster) },
		"view":  func(name string) string { return name + onCluster(cluster) },
		"engine": func(name string, args ...string) string {
			if cluster != "" {
				name = "Replicated" + name
			}
			return name + "(" + strings.Join(args, ", ") + ")"
		},
		"distributed": func(name, key string) string {
			if cluster == "" {
				return ""
			}
			return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s ENGINE = Distributed(%s, currentDatabase(), %s, %s);",
				name, onCluster(cluster), local(name), quote(cluster), local(name), key)
		},
	}).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, nil); err != nil {
		return nil, err
	}
	return split(out.String()), nil
}

// split separates statements at semicolons that end a line and drops comment lines.
func split(text string) []string {
	var statements []string
	var b strings.Builder
	flush := func() {
		if s := strings.TrimSpace(b.String()); s != "" {
			statements = append(statements, s)
		}
		b.Reset()
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			continue
		}
		if s, ok := strings.CutSuffix(line, ";"); ok {
			b.WriteString(s)
			flush()
			continue
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	flush()
	return statements
}
