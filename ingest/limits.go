package ingest

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Limits bound what one request and one item may hold. What exceeds them is cut, folded or rejected item by item,
// counted by reason, and never affects its neighbours.
type Limits struct {
	// Oldest is how far in the past an item may lie before it is rejected. 0 accepts any age. Default 15 days, the
	// retention of raw data.
	Oldest time.Duration
	// Ahead is how far in the future an item may lie before it is rejected. Default 10 minutes.
	Ahead time.Duration
	// Attributes is how many attributes an item, event or link keeps; more are dropped and counted in
	// dropped_attributes. Default 128.
	Attributes int
	// ResourceAttributes is the same for a resource. Default 128.
	ResourceAttributes int
	// KeyBytes is the length at which an attribute's key is cut. Default 256.
	KeyBytes int
	// ValueBytes is the length at which an attribute's value, a log's body or a status message is cut. Default 32 KiB.
	ValueBytes int
	// NameBytes is the length at which names (of spans, services, metrics, scopes) are cut. Default 1024.
	NameBytes int
	// Nesting is how deep arrays and maps may nest; what lies deeper becomes null. Default 16.
	Nesting int
	// Events and Links are how many of them a span keeps; more are dropped and counted. Default 128 each.
	Events, Links int
	// Operations is how many span names a service may have in the rollups; further ones fold into "(other)".
	// Default 1000.
	Operations int
	// Values is how many values of one attribute key are kept for autocomplete. Default 1000.
	Values int
	// Series is how many series one metric may have; points of further ones are rejected. Default 20,000.
	Series int
	// OutOfOrder is how much older than the newest point of its series a point may be that comes by remote write; older
	// ones are rejected. Default 24 hours.
	OutOfOrder time.Duration
	// ProfileSamples is how many samples one profile may have; larger ones are refused. Default 200,000.
	ProfileSamples int
	// StackDepth is how many locations one stack may have; profiles with deeper ones are refused. Default 4096.
	StackDepth int
	// Buckets is how many buckets or quantiles one histogram or summary point may have; larger ones are rejected.
	// Default 1024.
	Buckets int
}

// DefaultLimits are the limits without any configuration.
func DefaultLimits() Limits {
	return Limits{
		Oldest: 15 * 24 * time.Hour, Ahead: 10 * time.Minute,
		Attributes: 128, ResourceAttributes: 128, KeyBytes: 256, ValueBytes: 32 << 10, NameBytes: 1024, Nesting: 16,
		Events: 128, Links: 128, Operations: 1000, Values: 1000, Series: 20_000, Buckets: 1024,
		OutOfOrder: 24 * time.Hour, ProfileSamples: 200_000, StackDepth: 4096,
	}
}

// Reasons for which an item is rejected or altered. They are the label values of the metrics.
const (
	rejectTooOld        = "too_old"
	rejectFuture        = "in_the_future"
	rejectNoTime        = "no_timestamp"
	rejectTraceID       = "invalid_trace_id"
	rejectSpanID        = "invalid_span_id"
	rejectNoName        = "no_metric_name"
	rejectSeries        = "too_many_series"
	rejectBuckets       = "too_many_buckets"
	rejectShape         = "invalid_histogram"
	rejectLabels        = "invalid_labels"
	rejectHistogram     = "invalid_native_histogram"
	rejectOutOfOrder    = "out_of_order"
	rejectDuplicate     = "duplicate_timestamp"
	truncatedExemplars  = "exemplars_dropped"
	truncatedAttributes = "attributes_dropped"
	truncatedValues     = "value_cut"
	truncatedEvents     = "events_dropped"
	truncatedLinks      = "links_dropped"
	alteredDuration     = "negative_duration"
	foldedOperations    = "operation_folded"
	foldedValues        = "values_capped"
	foldedKeys          = "keys_capped"
	malformedRequest    = "malformed"
	duplicateRequest    = "duplicate"
	rejectedByStore     = "refused_by_store"
)

// tally collects what one request lost. It is used by one goroutine and read when the request is done.
type tally struct {
	accepted int
	rejected int
	service  string // whose items are being read

	// Of what came by remote write. Exemplars are no items.
	samples, histograms, exemplars int
	reasons                        []reasonCount
}

type reasonCount struct {
	reason  string
	count   int
	service string
	example string
	final   bool // the items were rejected rather than altered
}

func (t *tally) reset() { *t = tally{reasons: t.reasons[:0]} }

// reject counts one item that is not stored; example names it.
func (t *tally) reject(reason string, example []byte) { t.rejectAll(reason, 1, example) }

// rejectAll counts n items that are not stored.
func (t *tally) rejectAll(reason string, n int, example []byte) {
	t.rejected += n
	for i := range t.reasons {
		if t.reasons[i].reason == reason {
			t.reasons[i].count += n
			return
		}
	}
	t.reasons = append(t.reasons, reasonCount{reason, n, t.service, string(cut(example, 200)), true})
}

// truncated counts what was cut from an item that is stored otherwise.
func (t *tally) truncated(reason string, n int, example string) {
	for i := range t.reasons {
		if t.reasons[i].reason == reason {
			t.reasons[i].count += n
			return
		}
	}
	t.reasons = append(t.reasons, reasonCount{reason, n, t.service, string(cut([]byte(example), 200)), false})
}

// message is what a client reads in partial_success.
func (t *tally) message(l *Limits) string {
	if t.rejected == 0 {
		return ""
	}
	var parts []string
	for _, r := range t.reasons {
		if r.final {
			parts = append(parts, fmt.Sprintf("%d %s (for example %q)", r.count, explain(r.reason, l), r.example))
		}
	}
	sort.Strings(parts)
	return fmt.Sprintf("rejected %d: %s", t.rejected, strings.Join(parts, "; "))
}

func explain(reason string, l *Limits) string {
	switch reason {
	case rejectTooOld:
		return fmt.Sprintf("older than %s", l.Oldest)
	case rejectFuture:
		return fmt.Sprintf("more than %s in the future", l.Ahead)
	case rejectNoTime:
		return "without a timestamp"
	case rejectTraceID:
		return "with an invalid trace id"
	case rejectSpanID:
		return "with an invalid span id"
	case rejectNoName:
		return "without a metric name"
	case rejectSeries:
		return "of a metric that has as many series as its cap allows"
	case rejectBuckets:
		return fmt.Sprintf("with more than %d buckets", l.Buckets)
	case rejectShape:
		return "with bounds and counts that do not fit together"
	case rejectLabels:
		return fmt.Sprintf("with labels that are no UTF-8, occur twice, or exceed %d labels, %d bytes a name or %d a value", l.Attributes, l.KeyBytes, l.ValueBytes)
	case rejectHistogram:
		return "whose native histogram contradicts itself or has an unknown schema"
	case rejectOutOfOrder:
		return fmt.Sprintf("more than %s older than the newest of their series", l.OutOfOrder)
	case rejectDuplicate:
		return "at the time of the newest of their series, with another value"
	}
	return reason
}
