package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/query/auth"
	"github.com/tidemarkhq/tidemark/store"
)

const keysUsage = `which? tidemark keys create --name NAME [--signals traces,logs,…] [--items-per-second N] [--bytes-per-second N] [--expires 90d|DATE]
       tidemark keys list [--format table|json]
       tidemark keys revoke ID
       tidemark keys restore ID     undoes a revocation, within an hour`

// keysCommand makes, lists and revokes ingest keys in the running product's store. A key made while nothing runs waits
// in the data directory for the next start.
func keysCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errors.New(keysUsage)
	}
	verb, args := args[0], args[1:]
	t := newTarget("keys "+verb, stderr)
	switch verb {
	case "create":
		return createKey(ctx, t, args, stdout, stderr)
	case "list":
		return listKeys(ctx, t, args, stdout)
	case "revoke", "restore":
		return changeKey(ctx, t, verb, args, stdout)
	}
	return fmt.Errorf("there is no `tidemark keys %s`: %s", verb, keysUsage)
}

// open connects to the store that the flags name.
func (t target) open() (driver.Conn, error) {
	dsn, err := t.find()
	if err != nil {
		return nil, err
	}
	return store.Open(dsn, store.Options{})
}

func createKey(ctx context.Context, t target, args []string, stdout, stderr io.Writer) error {
	var w auth.Wish
	t.fs.StringVar(&w.Name, "name", "", "what the key is for: a team, a cluster, a service")
	signals := t.fs.String("signals", "", "what may be sent with it, of "+strings.Join(auth.Signals, ",")+"; empty for all")
	t.fs.Float64Var(&w.ItemsPerSecond, "items-per-second", 0, "spans, records, points and profiles a second; 0 for no limit")
	t.fs.Float64Var(&w.BytesPerSecond, "bytes-per-second", 0, "bytes of decompressed requests a second; 0 for no limit")
	expires := t.fs.String("expires", "", "how long it is good for (90d, 12h) or until when (RFC 3339 or YYYY-MM-DD); empty for ever")
	if err := parseAll(t, args, 0); err != nil {
		return err
	}
	for s := range strings.SplitSeq(*signals, ",") {
		if s = strings.TrimSpace(s); s != "" {
			w.Signals = append(w.Signals, s)
		}
	}
	now := time.Now()
	var err error
	if w.ExpiresAt, err = until(*expires, now); err != nil {
		return err
	}
	k, secret, where, err := makeKey(ctx, t, w, now)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, secret)
	fmt.Fprintf(stderr, "\nThis is the key %s (%s). It is shown this once: only its hash is kept.\n%s\n\nSenders set one of these:\n"+
		"  Authorization: Bearer KEY\n  export OTEL_EXPORTER_OTLP_HEADERS=x-api-key=KEY\n", k.ID, k.Name, where)
	return nil
}

// makeKey stores a new key, or leaves it for the next start where nothing runs.
func makeKey(ctx context.Context, t target, w auth.Wish, now time.Time) (k auth.Key, secret, where string, err error) {
	conn, missing := t.open()
	if missing == nil {
		defer conn.Close()
		k, secret, err = auth.Create(ctx, conn, w, now)
		return k, secret, "It is in force within 3 seconds.", err
	}
	if *t.dsn != "" {
		return k, "", "", missing
	}
	dir, err := filepath.Abs(*t.dataDir)
	if err != nil {
		return k, "", "", err
	}
	if k, secret, err = auth.New(w, now); err == nil {
		err = auth.Leave(filepath.Join(dir, newKeysDir), k)
	}
	return k, secret, "No product runs on " + dir + ": it is in force from the next start there.", err
}

func listKeys(ctx context.Context, t target, args []string, stdout io.Writer) error {
	format := t.fs.String("format", "table", "table or json")
	if err := parseAll(t, args, 0); err != nil {
		return err
	}
	conn, err := t.open()
	if err != nil {
		return err
	}
	defer conn.Close()
	now := time.Now()
	list, err := auth.NewKeyring(conn, auth.Options{}).List(ctx, now)
	if err != nil {
		return err
	}
	if *format == "json" {
		return json.NewEncoder(stdout).Encode(plain(list, now))
	}
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tNAME\tSTATE\tSIGNALS\tLAST USE\tITEMS\tREFUSED")
	for _, k := range plain(list, now) {
		last := "never"
		if k.LastUse != nil {
			last = k.LastUse.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\n", k.ID, k.Name, k.State, strings.Join(k.Signals, ","), last, k.Items, k.Refused)
	}
	return w.Flush()
}

// listedKey is a key as `tidemark keys list --format json` writes it.
type listedKey struct {
	ID             string     `json:"id"`
	Name           string     `json:"name"`
	State          string     `json:"state"`
	Signals        []string   `json:"signals"`
	ItemsPerSecond float64    `json:"items_per_second"`
	BytesPerSecond float64    `json:"bytes_per_second"`
	CreatedAt      time.Time  `json:"created_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	RevokedAt      *time.Time `json:"revoked_at"`
	LastUse        *time.Time `json:"last_use"`
	Items          int64      `json:"items"`
	Bytes          int64      `json:"bytes"`
	Refused        int64      `json:"refused"`
}

func plain(list []auth.Listed, now time.Time) []listedKey {
	out := []listedKey{}
	for _, l := range list {
		k := listedKey{ID: l.ID, Name: l.Name, State: l.State(now), Signals: l.Signals, ItemsPerSecond: l.ItemsPerSecond, BytesPerSecond: l.BytesPerSecond,
			CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt, RevokedAt: l.RevokedAt, Items: l.Use.Items, Bytes: l.Use.Bytes}
		if l.Use.LastMS > 0 {
			last := time.UnixMilli(l.Use.LastMS).UTC()
			k.LastUse = &last
		}
		for _, n := range l.Use.Refused {
			k.Refused += n
		}
		out = append(out, k)
	}
	return out
}

func changeKey(ctx context.Context, t target, verb string, args []string, stdout io.Writer) error {
	if err := parseAll(t, args, 1); err != nil {
		return err
	}
	conn, err := t.open()
	if err != nil {
		return err
	}
	defer conn.Close()
	change, done := auth.Revoke, "revoked"
	if verb == "restore" {
		change, done = auth.Restore, "restored"
	}
	k, err := change(ctx, conn, t.fs.Arg(0), time.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", t.fs.Arg(0), err)
	}
	fmt.Fprintf(stdout, "%s (%s) is %s; every process follows within 3 seconds\n", k.ID, k.Name, done)
	return nil
}

// parseAll reads flags before and after the n arguments that a command wants.
func parseAll(t target, args []string, n int) error {
	var words []string
	for {
		if err := t.fs.Parse(args); err != nil {
			return err
		}
		if t.fs.NArg() == 0 {
			break
		}
		words, args = append(words, t.fs.Arg(0)), t.fs.Args()[1:]
	}
	if len(words) != n {
		return errors.New(keysUsage)
	}
	return t.fs.Parse(words)
}

// until reads how long something is good for: 90d, 12h, RFC 3339 or a date, whose whole day still counts.
func until(s string, now time.Time) (*time.Time, error) {
	if s == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if day, bad := time.Parse(time.DateOnly, s); bad == nil {
		at, err = day.AddDate(0, 0, 1), nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, bad := strconv.ParseFloat(days, 64); bad == nil {
			at, err = now.Add(time.Duration(n*24*float64(time.Hour))), nil
		}
	} else if d, bad := time.ParseDuration(s); bad == nil {
		at, err = now.Add(d), nil
	}
	if err != nil {
		return nil, fmt.Errorf("--expires is %q: use a time such as 90d, 12h, 2027-01-31 or 2027-01-31T12:00:00Z", s)
	}
	return &at, nil
}
