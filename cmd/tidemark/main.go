// Command tidemark is the whole product: with no arguments it runs every role in one process on the embedded
// ClickHouse; `tidemark ingest` and `tidemark query` run one role each against a shared one. See `tidemark help`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/tidemarkhq/tidemark/cmd/tidemark/config"
	"github.com/tidemarkhq/tidemark/store/engine"
)

// version is set by the build; a plain `go build` takes what the module knows.
var version = ""

const usage = `Tidemark: what your system does now, what is normal for it, and what has just stopped being normal.

  tidemark                        every role in one process, on the embedded ClickHouse
  tidemark ingest | query         one role, against --clickhouse-dsn
  tidemark sql [--format F] "…"   a read-only query on the running store; rows on stdout
  tidemark clickhouse-dsn         the running store's address with credentials
  tidemark backtest series [--kind K] FILE|-   what detection says about a series in a CSV file
  tidemark keys create|list|revoke|restore   who may send telemetry
  tidemark healthcheck            exit 0 when the running product can store and answer
  tidemark version
  tidemark help

Every flag is also an environment variable (--data-dir is TIDEMARK_DATA_DIR) and a key of the --config YAML file.

`

func main() {
	if version == "" {
		version = buildVersion()
	}
	if len(os.Args) > 1 && os.Args[1] == engine.Subcommand {
		os.Exit(engine.Main(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	default:
		fmt.Fprintln(os.Stderr, "tidemark:", err)
		os.Exit(1)
	}
}

// dispatch runs the subcommand named by the first argument.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	name := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	switch name {
	case "":
		return serve(ctx, config.All, args, stdout, stderr)
	case "ingest":
		return serve(ctx, config.Ingest, args, stdout, stderr)
	case "query":
		return serve(ctx, config.Query, args, stdout, stderr)
	case "sql":
		return sqlCommand(ctx, args, stdout, stderr)
	case "backtest":
		return backtestCommand(args, stdout, stderr)
	case "clickhouse-dsn":
		return dsnCommand(args, stdout, stderr)
	case "keys":
		return keysCommand(ctx, args, stdout, stderr)
	case "healthcheck":
		return healthCommand(ctx, args, stderr)
	case "version":
		fmt.Fprintln(stdout, "tidemark", version)
		return nil
	case "help":
		fmt.Fprint(stdout, usage)
		_, err := config.Parse(config.All, []string{"--help"}, stdout)
		return err
	}
	return fmt.Errorf("there is no command %q: see tidemark help", name)
}

func serve(ctx context.Context, role config.Role, args []string, stdout, stderr io.Writer) error {
	c, err := config.Parse(role, args, stderr)
	if err != nil {
		return err
	}
	p, err := start(ctx, c, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, p.ready())
	p.banner(stderr)
	return p.run(ctx)
}

func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "dev"
}
