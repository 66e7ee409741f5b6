package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// Formats are the output formats of Select that people use most; it takes every output format of ClickHouse.
var Formats = []string{"TSV", "TSVWithNames", "CSV", "CSVWithNames", "JSON", "JSONEachRow", "Pretty", "Markdown", "Parquet"}

// Select runs one statement against the store at dsn and writes its rows to w in one of ClickHouse's output formats,
// unless the statement names one itself. The server enforces reading only: readonly = 2 forbids every change, and to
// allow one by a setting, but leaves the settings of a query free. The native protocol carries columns and no text,
// so the statement goes over HTTP, to the port that the server names over the native one.
func Select(ctx context.Context, dsn, sql, format string, w io.Writer) error {
	opts, err := parse(dsn)
	if err != nil {
		return err
	}
	base, err := httpAddress(ctx, opts)
	if err != nil {
		return err
	}
	q := url.Values{"database": {opts.Auth.Database}, "default_format": {format}}
	for name, value := range opts.Settings {
		q.Set(name, fmt.Sprint(value))
	}
	q.Set("readonly", "2")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/?"+q.Encode(), strings.NewReader(sql))
	if err != nil {
		return fmt.Errorf("run the statement: %w", err)
	}
	req.Header.Set("X-ClickHouse-User", opts.Auth.Username)
	req.Header.Set("X-ClickHouse-Key", opts.Auth.Password)
	// No proxy: the native protocol, which everything else uses, goes straight to the server as well.
	// Compressed, the server would hold rows back, and could not mark where an error begins.
	transport := &http.Transport{TLSClientConfig: opts.TLS, DisableCompression: true}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("run the statement over ClickHouse's HTTP port: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w = io.Discard // rows the server had ready when the statement failed
	}
	return copyRows(w, res)
}

// httpAddress asks the server for its HTTP port.
func httpAddress(ctx context.Context, opts *clickhouse.Options) (string, error) {
	scheme, setting := "http", "http_port"
	if opts.TLS != nil {
		scheme, setting = "https", "https_port"
	}
	if opts.Protocol == clickhouse.HTTP {
		return scheme + "://" + opts.Addr[0], nil
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return "", fmt.Errorf("open ClickHouse at %s: %w", opts.Addr[0], err)
	}
	defer conn.Close()
	var port uint16
	if err := conn.QueryRow(ctx, "SELECT getServerPort(?)", setting).Scan(&port); err != nil {
		return "", fmt.Errorf("ask ClickHouse at %s for its %s: %w", opts.Addr[0], setting, err)
	}
	host, _, err := net.SplitHostPort(opts.Addr[0])
	if err != nil {
		return "", fmt.Errorf("read ClickHouse's address: %w", err)
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(int(port))), nil
}

// copyRows writes the answer's body. A statement that fails when rows have been sent cannot change the status: its
// error is at the body's end, between two marks with a tag from the header, and the body is cut off there.
func copyRows(w io.Writer, res *http.Response) error {
	tail := tailWriter{keep: 32 << 10}
	_, err := io.Copy(io.MultiWriter(w, &tail), res.Body)
	if tag := res.Header.Get("X-ClickHouse-Exception-Tag"); tag != "" {
		// __exception__ CRLF tag CRLF message LF length SPACE tag CRLF __exception__ CRLF
		if _, after, found := bytes.Cut(tail.b, []byte("__exception__\r\n"+tag+"\r\n")); found {
			message, _, _ := bytes.Cut(after, []byte(tag))
			message = message[:max(0, bytes.LastIndexByte(message, '\n'))]
			return fmt.Errorf("the statement failed: %s", oneLine(string(message)))
		}
	}
	if err != nil {
		return fmt.Errorf("read the rows: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		message := tail.b[max(0, bytes.LastIndex(tail.b, []byte("Code: "))):]
		return fmt.Errorf("the statement failed: %s", oneLine(string(message)))
	}
	return nil
}

// tailWriter keeps the last bytes written to it: between keep and twice as many.
type tailWriter struct {
	keep int
	b    []byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 2*t.keep {
		t.b = append(t.b[:0], t.b[len(t.b)-t.keep:]...)
	}
	return len(p), nil
}

var serverVersion = regexp.MustCompile(`\s*\(version [^)]*\)`)

// oneLine makes a server's error one line.
func oneLine(message string) string {
	return strings.Join(strings.Fields(serverVersion.ReplaceAllString(message, "")), " ")
}
