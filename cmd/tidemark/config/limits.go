package config

import (
	"flag"
	"fmt"

	"github.com/tidemarkhq/tidemark/ingest"
)

// limitFlags registers what one request and one item may hold.
func limitFlags(fs *flag.FlagSet, l *ingest.Limits) {
	*l = ingest.DefaultLimits()
	fs.DurationVar(&l.Oldest, "limit-oldest", l.Oldest, "how far in the past an item may lie before it is rejected; 0 accepts any age")
	fs.DurationVar(&l.Ahead, "limit-ahead", l.Ahead, "how far in the future an item may lie before it is rejected")
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
	if l.Oldest < 0 || l.Ahead < 0 {
		return fmt.Errorf("--limit-oldest and --limit-ahead must not be negative")
	}
	return nil
}
