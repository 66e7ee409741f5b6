// Package sqlite opens the shop's databases: real SQLite files, instrumented
// with otelsql so that each statement is a client span after the database
// conventions (db.system.name, db.namespace, db.query.text, db.operation.name,
// db.collection.name) and counts in db.client metrics. Work before Instrument
// leaves no spans: schemas and seeds are made on a plain connection.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/XSAM/otelsql"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// maxConns bounds the connections a service instance holds to a database.
const maxConns = 4

// Plain opens the database file name.db in dir without telemetry, for seeding
// and for administration. The file is made if it is not there.
func Plain(dir, name string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", dsn(dir, name))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	return db, nil
}

// Open opens the database file name.db in dir on behalf of a service.
func Open(ctx context.Context, p *telemetry.Providers, dir, name string) (*sql.DB, error) {
	attributes := otelsql.WithAttributes(semconv.DBSystemNameSQLite, semconv.DBNamespace(name))
	db, err := otelsql.Open("sqlite", dsn(dir, name),
		otelsql.WithTracerProvider(p.Traces),
		otelsql.WithMeterProvider(p.Metrics),
		attributes,
		otelsql.WithSpanNameFormatter(spanName),
		otelsql.WithAttributesGetter(statementAttributes),
		otelsql.WithSpanOptions(otelsql.SpanOptions{
			OmitConnResetSession: true, OmitConnPrepare: true, OmitRows: true, OmitConnectorConnect: true,
			DisableErrSkip: true,
		}))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", name, err)
	}
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	if err := db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", name, err)
	}
	if _, err := otelsql.RegisterDBStatsMetrics(db, otelsql.WithMeterProvider(p.Metrics), attributes); err != nil {
		return nil, fmt.Errorf("register pool metrics of database %s: %w", name, err)
	}
	return db, nil
}

// dsn asks for WAL, so that readers do not wait for the writer, and for no
// automatic indexes, so that a missing index is felt as it would be elsewhere.
func dsn(dir, name string) string {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)", "automatic_index(OFF)", "foreign_keys(ON)",
	}, "_txlock": {"immediate"}}
	return "file:" + filepath.ToSlash(filepath.Join(dir, name+".db")) + "?" + pragmas.Encode()
}

// spanName follows the database conventions: "{operation} {collection}".
func spanName(_ context.Context, method otelsql.Method, query string) string {
	switch method {
	case otelsql.MethodConnBeginTx:
		return "BEGIN"
	case otelsql.MethodTxCommit:
		return "COMMIT"
	case otelsql.MethodTxRollback:
		return "ROLLBACK"
	}
	if operation, collection := summarize(query); collection != "" {
		return operation + " " + collection
	}
	return string(method)
}

func statementAttributes(_ context.Context, _ otelsql.Method, query string, _ []driver.NamedValue) []attribute.KeyValue {
	operation, collection := summarize(query)
	if collection == "" {
		return nil
	}
	return []attribute.KeyValue{
		semconv.DBOperationName(operation),
		semconv.DBCollectionName(collection),
		semconv.DBQuerySummary(operation + " " + collection),
	}
}

var mainTable = regexp.MustCompile(`(?i)\b(?:FROM|INTO|UPDATE)\s+([a-z_]+)`)

// summarize finds the operation and the table of a statement, not of its subqueries.
func summarize(query string) (operation, collection string) {
	fields := strings.Fields(query)
	if len(fields) == 0 {
		return "", ""
	}
	if found := mainTable.FindStringSubmatch(withoutParentheses(query)); found != nil {
		collection = found[1]
	}
	return strings.ToUpper(fields[0]), collection
}

func withoutParentheses(query string) string {
	var b strings.Builder
	depth := 0
	for _, r := range query {
		switch {
		case r == '(':
			depth++
		case r == ')':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}
