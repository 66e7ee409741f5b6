package ingest

import "fmt"

// meaning explains a reason to a person, with the limit where there is one.
func meaning(reason string, l *Limits) string {
	switch reason {
	case rejectTooOld, rejectFuture, rejectNoTime, rejectTraceID, rejectSpanID, rejectNoName, rejectSeries, rejectBuckets, rejectShape:
		return explain(reason, l)
	case truncatedAttributes:
		return fmt.Sprintf("more than %d attributes of one item, or %d of a resource; the further ones are dropped", l.Attributes, l.ResourceAttributes)
	case truncatedValues:
		return fmt.Sprintf("values longer than %d bytes, keys than %d or names than %d; they are cut", l.ValueBytes, l.KeyBytes, l.NameBytes)
	case truncatedEvents:
		return fmt.Sprintf("more than %d events of one span; the further ones are dropped", l.Events)
	case truncatedLinks:
		return fmt.Sprintf("more than %d links of one span; the further ones are dropped", l.Links)
	case alteredDuration:
		return "spans that end before they begin; stored with no duration"
	case foldedOperations:
		return "spans whose name is beyond their service's cap of operations; counted under (other) in charts, stored as they are"
	case foldedValues:
		return "values beyond their key's cap; stored, but not offered for completion"
	case malformedRequest:
		return "not a well-formed OTLP request"
	case duplicateRequest:
		return "byte for byte a request that was stored before; acknowledged and not stored again"
	case "in_flight_full":
		return "more bytes under way than in-flight-bytes allows; the sender is asked to try again"
	case "spool_full":
		return "ClickHouse is away and the spool is full; the sender is asked to try again"
	case "store_unavailable":
		return "neither ClickHouse nor the spool could take it; the sender is asked to try again"
	case "shutting_down":
		return "this process is stopping; the sender is asked to try again"
	}
	return ""
}
