// Package config is Tidemark's configuration: every setting is a command-line flag, an environment variable
// (TIDEMARK_ and the flag's name in capitals with underscores) and a key of the same name in the YAML file given
// with --config; the command line wins over the environment, which wins over the file. Parse returns a Config that
// has been validated as a whole, so that nothing after start has to doubt it.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffyaml"

	"github.com/tidemarkhq/tidemark/ingest"
)

// Role says which half of the product a process runs.
type Role string

// The roles. All is the default: both halves in one process.
const (
	All    Role = "all"
	Ingest Role = "ingest"
	Query  Role = "query"
)

// Writes and Reads report which halves the role includes.
func (r Role) Writes() bool { return r != Query }
func (r Role) Reads() bool  { return r != Ingest }

// EnvPrefix precedes every environment variable.
const EnvPrefix = "TIDEMARK"

// Config is everything a process can be told at start.
type Config struct {
	Role Role

	DataDir       string
	HTTPAddr      string
	OTLPGRPCAddr  string
	OTLPHTTPAddr  string
	ClickHouseDSN string
	Cluster       string

	EngineLib         string
	EngineMemoryRatio float64

	LogLevel      string
	LogFormat     string
	SelfTelemetry bool
	StopTimeout   time.Duration
	MemoryTarget  int64 // bytes
	ProfileMemory int   // bytes

	ProfileTargets, ProfileTargetsFile, ScrapeAllow string
	OTLPProfiles                                    bool

	PublicURL             string
	NotifyAllow           string
	DetectionMetricSeries int
	SecretKeyFile         string

	Access
	Prom

	MaxRequestBytes int
	MaxRequests     int
	MaxReading      int64 // bytes
	MaxConnections  int
	ReadTimeout     time.Duration
	Ingest          ingest.Options // Limits included; what it stands on is filled in at start
}

// Parse reads args (without the program's name), the environment and the file. It returns flag.ErrHelp after
// printing the flags to usage.
func Parse(role Role, args []string, usage io.Writer) (Config, error) {
	c := Config{Role: role}
	fs := c.flags()
	fs.SetOutput(usage)
	err := ff.Parse(fs, args,
		ff.WithEnvVarPrefix(EnvPrefix),
		ff.WithConfigFileFlag("config"),
		ff.WithConfigFileParser(ffyaml.Parse))
	switch {
	case errors.Is(err, ff.ErrHelp), errors.Is(err, flag.ErrHelp):
		fmt.Fprint(usage, "Flags:\n\n")
		fs.PrintDefaults()
		return c, flag.ErrHelp
	case errors.Is(err, os.ErrNotExist):
		return c, fmt.Errorf("the configuration file cannot be read (%w): correct --config", err)
	case err != nil:
		return c, fmt.Errorf("%s: see tidemark help", strings.TrimPrefix(err.Error(), "parse args: "))
	}
	if err := fs.Parse(args); err != nil { // once more, for what is left over
		return c, err
	}
	if fs.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q: see tidemark help", fs.Arg(0))
	}
	return c, c.validate()
}

// Flags lists every flag with its default and meaning, for documentation and for tests of deployment files.
func Flags() []*flag.Flag {
	var all []*flag.Flag
	new(Config).flags().VisitAll(func(f *flag.Flag) { all = append(all, f) })
	return all
}

// EnvName is the environment variable of a flag.
func EnvName(flagName string) string {
	return EnvPrefix + "_" + strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(flagName))
}

func (c *Config) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("tidemark", flag.ContinueOnError)
	fs.StringVar(&c.DataDir, "data-dir", "./tidemark-data", "directory of the embedded store, the spool and the generated secrets")
	fs.StringVar(&c.HTTPAddr, "http-addr", "127.0.0.1:8080", "address of the web application and its API; port 0 picks a free one")
	fs.StringVar(&c.OTLPGRPCAddr, "otlp-grpc-addr", "127.0.0.1:4317", "address for OTLP over gRPC")
	fs.StringVar(&c.OTLPHTTPAddr, "otlp-http-addr", "127.0.0.1:4318", "address for OTLP over HTTP")
	fs.StringVar(&c.ClickHouseDSN, "clickhouse-dsn", "", "ClickHouse to use, as tcp://HOST:PORT?username=…&password=…&database=…; empty starts the embedded one")
	fs.StringVar(&c.Cluster, "clickhouse-cluster", "", "name of the ClickHouse cluster to spread tables over; empty for a single server")
	fs.String("config", "", "YAML file with any of these settings")
	fs.StringVar(&c.EngineLib, "engine-lib", "", "the engine library; empty looks for lib/libchdb beside the program")
	fs.Float64Var(&c.EngineMemoryRatio, "engine-memory-ratio", 0.5, "part of the machine's memory that the embedded engine may use, 0.05 to 0.95")
	fs.StringVar(&c.LogLevel, "log-level", "info", "debug, info, warn or error")
	fs.StringVar(&c.LogFormat, "log-format", "text", "text or json")
	fs.BoolVar(&c.SelfTelemetry, "self-telemetry", true, "send Tidemark's own traces, metrics and logs to itself")
	fs.DurationVar(&c.StopTimeout, "stop-timeout", 20*time.Second, "how long a stop may take to write what was accepted")
	fs.Int64Var(&c.MemoryTarget, "memory-target", 430<<20, "bytes the process (without the engine) is held to by collecting garbage earlier; exceeded when more is in use; 0 leaves it to GOGC")
	fs.IntVar(&c.ProfileMemory, "profile-memory", 128<<20, "bytes of the stacks of profiles that are kept in memory for the next flame graph, about; those of services that were looked at longest ago go first")
	c.notifyFlags(fs)
	c.detectionFlags(fs)
	c.profileFlags(fs)
	c.accessFlags(fs)
	c.promFlags(fs)
	c.ingestFlags(fs)
	return fs
}

func (c *Config) validate() error {
	if err := c.checkAccess(); err != nil {
		return err
	}
	if c.Role != All && c.ClickHouseDSN == "" {
		return fmt.Errorf("tidemark %s needs --clickhouse-dsn: the embedded store serves one process only", c.Role)
	}
	if c.EngineMemoryRatio < 0.05 || c.EngineMemoryRatio > 0.95 {
		return fmt.Errorf("--engine-memory-ratio is %v: it must lie between 0.05 and 0.95", c.EngineMemoryRatio)
	}
	if !oneOf(c.LogLevel, "debug", "info", "warn", "error") {
		return fmt.Errorf("--log-level is %q: use debug, info, warn or error", c.LogLevel)
	}
	if !oneOf(c.LogFormat, "text", "json") {
		return fmt.Errorf("--log-format is %q: use text or json", c.LogFormat)
	}
	if err := c.checkDetection(); err != nil {
		return err
	}
	if err := c.checkNotify(); err != nil {
		return err
	}
	if err := c.checkProfiles(); err != nil {
		return err
	}
	if err := c.checkProm(); err != nil {
		return err
	}
	return checkLimits(&c.Ingest.Limits)
}

// DefaultDataDir is the data directory when nothing else is said: the environment's, else ./tidemark-data.
func DefaultDataDir() string {
	if d := os.Getenv(EnvName("data-dir")); d != "" {
		return d
	}
	return "./tidemark-data"
}

func oneOf(s string, allowed ...string) bool {
	for _, a := range allowed {
		if s == a {
			return true
		}
	}
	return false
}
