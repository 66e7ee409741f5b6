package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly/backtest"
	"github.com/tidemarkhq/tidemark/cmd/tidemark/config"
	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/engine"
)

// target is what the small commands need to find a running product.
type target struct {
	fs      *flag.FlagSet
	dataDir *string
	dsn     *string
}

func newTarget(name string, usage io.Writer) target {
	fs := flag.NewFlagSet("tidemark "+name, flag.ContinueOnError)
	fs.SetOutput(usage)
	return target{fs,
		fs.String("data-dir", config.DefaultDataDir(), "the running product's data directory"),
		fs.String("clickhouse-dsn", os.Getenv(config.EnvName("clickhouse-dsn")), "a ClickHouse of your own instead"),
	}
}

// find is the store's address: the one given, else the one the running product announced.
func (t target) find() (string, error) {
	if *t.dsn != "" {
		return *t.dsn, nil
	}
	r, err := engine.FindRunning(*t.dataDir)
	return r.DSN, err
}

func dsnCommand(args []string, stdout, stderr io.Writer) error {
	t := newTarget("clickhouse-dsn", stderr)
	if err := t.fs.Parse(args); err != nil {
		return err
	}
	dsn, err := t.find()
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, dsn)
	return nil
}

func sqlCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	t := newTarget("sql", stderr)
	format := t.fs.String("format", "TSV", "any of ClickHouse's output formats: "+strings.Join(store.Formats, ", ")+", …")
	if err := t.fs.Parse(args); err != nil {
		return err
	}
	statement := strings.Join(t.fs.Args(), " ")
	if statement == "-" {
		b, err := io.ReadAll(os.Stdin)
		if err != nil {
			return fmt.Errorf("read the statement: %w", err)
		}
		statement = string(b)
	}
	if strings.TrimSpace(statement) == "" {
		return errors.New(`which statement? For instance: tidemark sql "SELECT service, count() FROM spans GROUP BY service"`)
	}
	dsn, err := t.find()
	if err != nil {
		return err
	}
	if *t.dsn == "" {
		t.flush(ctx)
	}
	return store.Select(ctx, dsn, statement, *format, stdout)
}

// flush has the running product commit what it has acknowledged, so that the statement sees it. A product that does
// not answer is no reason not to ask the store.
func (t target) flush(ctx context.Context) {
	r, err := engine.FindRunning(*t.dataDir)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, localURL(r.HTTP, r.TLS)+"/api/v1/ingest/flush", nil)
	if err != nil {
		return
	}
	if res, err := local.Do(req); err == nil {
		res.Body.Close()
	}
}

// backtestCommand runs detection over a series in a file, as if each row had just arrived.
func backtestCommand(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 || args[0] != "series" {
		return errors.New("what is to be tested? tidemark backtest series [--kind auto|latency|count|ratio|gauge] FILE|-")
	}
	fs := flag.NewFlagSet("tidemark backtest series", flag.ContinueOnError)
	fs.SetOutput(stderr)
	kind := fs.String("kind", "auto", "auto, latency, count, ratio or gauge")
	if err := fs.Parse(args[1:]); err != nil {
		return err
	}
	if fs.NArg() != 1 {
		return errors.New("name one CSV file, or - for standard input")
	}
	in := io.Reader(os.Stdin)
	if name := fs.Arg(0); name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read the series: %w", err)
		}
		defer f.Close()
		in = f
	}
	return backtest.Series(in, stdout, *kind)
}

// healthCommand asks a product on this machine whether it is ready, for container health checks.
func healthCommand(ctx context.Context, args []string, stderr io.Writer) error {
	fs := flag.NewFlagSet("tidemark healthcheck", flag.ContinueOnError)
	fs.SetOutput(stderr)
	def := os.Getenv(config.EnvName("http-addr"))
	if def == "" {
		def = "127.0.0.1:8080"
	}
	addr := fs.String("http-addr", def, "address of the product's HTTP port")
	cert := fs.String("http-tls-cert", os.Getenv(config.EnvName("http-tls-cert")), "not empty: the port speaks TLS")
	if err := fs.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, localURL(*addr, *cert != "")+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := local.Do(req)
	if err != nil {
		return fmt.Errorf("not healthy: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1024))
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(body)))
	}
	return nil
}

// local asks a product on this machine. Its certificate bears the name that others know, not the address that is
// dialled here, so it is not verified: what is asked holds no secret, and the answer is whether there is one.
var local = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func localURL(addr string, secure bool) string {
	if secure {
		return "https://" + reachable(addr)
	}
	return "http://" + reachable(addr)
}
