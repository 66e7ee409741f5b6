package ingest

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configure an Ingest. Start from DefaultOptions.
type Options struct {
	// DSN is the ClickHouse to store into: tcp://HOST:PORT?username=…&password=…&database=…. Required.
	DSN string
	// SpoolDir is where requests lie until ClickHouse has them. Required.
	SpoolDir string
	// SpoolBytes is how much the spool may hold before ingest refuses. Bytes, default 8 GiB.
	SpoolBytes int64
	// SpoolReserve is how much of its disk the spool leaves free, for the engine's merges and for everyone else; it
	// counts as full when less is left. Bytes, default 512 MiB.
	SpoolReserve int64
	// SyncDelay is how long an acknowledgement waits for others to share its fsync. Default 3 ms.
	SyncDelay time.Duration
	// AckAfterCommit answers only when ClickHouse has committed, for machines whose disk may vanish with them.
	// Otherwise an answer is given when the request is fsynced in the spool. Default false.
	AckAfterCommit bool

	// FlushRows is how many items a batch holds at most. Default 150,000.
	FlushRows int
	// FlushBytes is how many request bytes a batch holds at most. Default 72 MiB.
	FlushBytes int64
	// FlushInterval is how long a batch stays open while little arrives. Default 400 ms.
	FlushInterval time.Duration
	// FlushIntervalBusy is the same while batches are large (10,000 items or more). Default 1 s.
	FlushIntervalBusy time.Duration
	// FlushIntervalAway is the same while ClickHouse is away: batches are then files of the spool, which had better be
	// few and large when they are replayed. Default 10 s.
	FlushIntervalAway time.Duration
	// Flushers is how many batches are inserted at once. Default 2.
	Flushers int
	// Lanes is how many batches may be open at once; a second is opened only when requests meet at the first.
	// Default half the CPUs, between 1 and 4.
	Lanes int
	// InsertTimeout bounds one INSERT. Default 60 s.
	InsertTimeout time.Duration
	// SpoolAfter is how long inserts may fail before a batch is left to the spool. Default 2 s.
	SpoolAfter time.Duration

	// InFlightBytes bounds the bytes of requests that are being read, decoded or not yet stored or spooled. More is
	// refused retryably. Default 256 MiB.
	InFlightBytes int64
	// DuplicateWindow is how long a byte-identical request counts as a repetition. 0 turns it off. Default 10 min.
	DuplicateWindow time.Duration
	// DuplicateRequests bounds how many requests are remembered for that. Default 1,000,000.
	DuplicateRequests int

	// Limits bound single items.
	Limits Limits
	// EdgesInterval is how often caller-callee edges of young minutes are recomputed. 0 turns the job off.
	// Default 10 s.
	EdgesInterval time.Duration

	// Tap is told the signal ("traces", "logs", "metrics") of which rows have just been committed. It must not block.
	Tap func(signal string)
	// Registerer receives the metrics tidemark_ingest_…. nil: none.
	Registerer prometheus.Registerer
	// Logger. Default slog.Default().
	Logger *slog.Logger

	// keep is how long the file of a stored batch stays: keepStored, less in tests.
	keep time.Duration
	// stuck is flushersStuck, less in tests.
	stuck time.Duration
	// patience is the longest time between two attempts to replay one batch: 5 s, less in tests.
	patience time.Duration
	// spoolFault and insertFault, set by tests only, fail a write step before it happens, or report failure although
	// it happened.
	spoolFault  func(step string) (before, after error)
	insertFault func(table, token string) (before, after error)
}

// DefaultOptions are the options without any configuration; DSN and SpoolDir are still to be set.
func DefaultOptions() Options {
	return Options{
		SpoolBytes: 8 << 30, SpoolReserve: 512 << 20, SyncDelay: 3 * time.Millisecond,
		FlushRows: 150_000, FlushBytes: 72 << 20, FlushInterval: 400 * time.Millisecond, FlushIntervalBusy: time.Second, FlushIntervalAway: 10 * time.Second,
		Flushers: 2, Lanes: min(max(runtime.GOMAXPROCS(0)/2, 1), 4),
		InsertTimeout: time.Minute, SpoolAfter: 2 * time.Second,
		InFlightBytes: 256 << 20, DuplicateWindow: 10 * time.Minute, DuplicateRequests: 1_000_000,
		Limits: DefaultLimits(), EdgesInterval: 10 * time.Second, Logger: slog.Default(), keep: keepStored, stuck: flushersStuck, patience: 5 * time.Second,
	}
}

func (o *Options) check() error {
	switch {
	case o.DSN == "":
		return errors.New("ingest: no ClickHouse DSN")
	case o.SpoolDir == "":
		return errors.New("ingest: no spool directory")
	case o.FlushRows < 1 || o.FlushRows > 2_000_000:
		return fmt.Errorf("ingest: FlushRows %d: want 1 to 2,000,000", o.FlushRows)
	case o.FlushBytes < 1 || o.FlushBytes > 1<<30:
		return fmt.Errorf("ingest: FlushBytes %d: want 1 to 1 GiB", o.FlushBytes)
	case o.Flushers < 1 || o.Lanes < 1:
		return errors.New("ingest: Flushers and Lanes must be at least 1")
	case o.FlushInterval <= 0 || o.FlushIntervalBusy <= 0 || o.FlushIntervalAway <= 0 || o.InsertTimeout <= 0:
		return errors.New("ingest: FlushInterval, FlushIntervalBusy, FlushIntervalAway and InsertTimeout must be positive")
	case o.InFlightBytes < 1<<20:
		return fmt.Errorf("ingest: InFlightBytes %d: want at least 1 MiB", o.InFlightBytes)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}
