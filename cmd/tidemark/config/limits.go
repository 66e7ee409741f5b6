package config

import (
	"flag"
	"fmt"

	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/otlp"
)

// ingestFlags registers how requests are taken in and made durable.
func (c *Config) ingestFlags(fs *flag.FlagSet) {
	receiver := otlp.DefaultOptions()
	fs.IntVar(&c.MaxRequestBytes, "max-request-bytes", receiver.MaxBody, "bytes one OTLP request may have, compressed or not; larger ones are refused for good")
	fs.IntVar(&c.MaxRequests, "max-requests", receiver.MaxRequests, "OTLP requests under way at once; more are refused for now")
	fs.Int64Var(&c.MaxReading, "max-reading-bytes", receiver.MaxReading, "bytes held of HTTP requests that are still being read, and, over gRPC, how many may stall: four for each max-request-bytes in it; beyond it those that take longest are refused for now")
	fs.IntVar(&c.MaxConnections, "max-connections", receiver.MaxConnections, "connections each OTLP port keeps open; more are closed at once")
	fs.DurationVar(&c.ReadTimeout, "read-timeout", receiver.ReadTimeout, "how long a client may take to send one request")
	o := &c.Ingest
	*o = ingest.DefaultOptions()
	fs.BoolVar(&o.AckAfterCommit, "ack-after-commit", o.AckAfterCommit, "acknowledge only when ClickHouse has committed, not already when the request is safe in the spool")
	fs.DurationVar(&o.FlushInterval, "flush-interval", o.FlushInterval, "how long a batch stays open while little arrives")
	fs.DurationVar(&o.FlushIntervalBusy, "flush-interval-busy", o.FlushIntervalBusy, "how long a batch stays open while much arrives")
	fs.DurationVar(&o.FlushIntervalAway, "flush-interval-away", o.FlushIntervalAway, "how long a batch stays open while ClickHouse is away")
	fs.IntVar(&o.FlushRows, "flush-rows", o.FlushRows, "items one batch holds at most")
	fs.Int64Var(&o.SpoolBytes, "spool-bytes", o.SpoolBytes, "bytes the spool may hold while ClickHouse is away before requests are refused")
	fs.Int64Var(&o.SpoolReserve, "spool-reserve", o.SpoolReserve, "bytes of its disk that the spool leaves free")
	fs.DurationVar(&o.SpoolAfter, "spool-after", o.SpoolAfter, "how long inserts may fail before batches are left to the spool")
	fs.DurationVar(&o.InsertTimeout, "insert-timeout", o.InsertTimeout, "bound of one INSERT")
	fs.Int64Var(&o.InFlightBytes, "in-flight-bytes", o.InFlightBytes, "bytes of requests being taken in before further ones are refused for now")
	fs.DurationVar(&o.DuplicateWindow, "duplicate-window", o.DuplicateWindow, "how long a byte-identical request counts as the same one sent again; 0 never")
	fs.IntVar(&o.DuplicateRequests, "duplicate-requests", o.DuplicateRequests, "requests remembered to tell repetitions")
	fs.DurationVar(&o.EdgesInterval, "edges-interval", o.EdgesInterval, "how often who calls whom is computed for young minutes; 0 never")
	limitFlags(fs, &o.Limits)
}

// limitFlags registers what one request and one item may hold.
func limitFlags(fs *flag.FlagSet, l *ingest.Limits) {
	fs.DurationVar(&l.Oldest, "limit-oldest", l.Oldest, "how far in the past an item may lie before it is rejected; 0 accepts any age")
	fs.DurationVar(&l.Ahead, "limit-ahead", l.Ahead, "how far in the future an item may lie before it is rejected")
	fs.DurationVar(&l.OutOfOrder, "limit-out-of-order", l.OutOfOrder, "how much older than the newest point of its series a point of remote write may be before it is rejected")
	for _, f := range []struct {
		p           *int
		name, usage string
	}{
		{&l.Attributes, "limit-attributes", "attributes kept of one span, event, link, log record or point"},
		{&l.ResourceAttributes, "limit-resource-attributes", "attributes kept of one resource"},
		{&l.KeyBytes, "limit-key-bytes", "bytes kept of an attribute's key"},
		{&l.ValueBytes, "limit-value-bytes", "bytes kept of an attribute's value, a log's body or a status message"},
		{&l.NameBytes, "limit-name-bytes", "bytes kept of the name of a span, service, metric or scope"},
		{&l.Nesting, "limit-nesting", "how deep arrays and maps may nest"},
		{&l.Events, "limit-events", "events kept of one span"},
		{&l.Links, "limit-links", "links kept of one span"},
		{&l.Operations, "limit-operations", "span names a service may have in the rollups before further ones fold into (other)"},
		{&l.Values, "limit-values", "values kept of one attribute key for completion"},
		{&l.Series, "limit-series", "series one metric may have before points of further ones are rejected"},
		{&l.ProfileSamples, "limit-profile-samples", "samples one profile may have"},
		{&l.StackDepth, "limit-stack-depth", "locations one stack of a profile may have"},
		{&l.Buckets, "limit-buckets", "buckets or quantiles one histogram or summary point may have"},
	} {
		fs.IntVar(f.p, f.name, *f.p, f.usage)
	}
}

// checkLimits refuses limits that would reject everything.
func checkLimits(l *ingest.Limits) error {
	for name, v := range map[string]int{
		"limit-attributes": l.Attributes, "limit-resource-attributes": l.ResourceAttributes, "limit-key-bytes": l.KeyBytes,
		"limit-value-bytes": l.ValueBytes, "limit-name-bytes": l.NameBytes, "limit-nesting": l.Nesting, "limit-operations": l.Operations,
		"limit-series": l.Series, "limit-buckets": l.Buckets,
	} {
		if v < 1 {
			return fmt.Errorf("--%s is %d: it must be at least 1", name, v)
		}
	}
	if l.Oldest < 0 || l.Ahead < 0 || l.OutOfOrder < 0 {
		return fmt.Errorf("--limit-oldest, --limit-ahead and --limit-out-of-order must not be negative")
	}
	return nil
}
