package ingest

import "fmt"

// Reasons for which a receiver refuses a request before it reaches Submit; see Ingest.Refuse.
const (
	RefusedTooLarge        = "too_large"
	RefusedType            = "unsupported_type"
	RefusedBody            = "unreadable"
	RefusedTooMany         = "too_many_requests"
	RefusedConnections     = "too_many_connections"
	RefusedUnauthenticated = "unauthenticated"
	RefusedPermission      = "permission_denied"
	RefusedRate            = "rate_limited"
)

// Reasons for which a request is refused retryably.
const (
	refusedInFlight = "in_flight_full"
	refusedSpool    = "spool_full"
	refusedStore    = "store_unavailable"
	refusedStopping = "shutting_down"
)

// allReasons is every reason there is.
var allReasons = []string{
	rejectTooOld, rejectFuture, rejectNoTime, rejectTraceID, rejectSpanID, rejectNoName, rejectSeries, rejectBuckets, rejectShape,
	rejectLabels, rejectHistogram, rejectOutOfOrder, rejectDuplicate, truncatedExemplars,
	truncatedAttributes, truncatedValues, truncatedEvents, truncatedLinks, alteredDuration, foldedOperations, foldedValues, foldedKeys,
	malformedRequest, duplicateRequest, rejectedByStore, refusedInFlight, refusedSpool, refusedStore, refusedStopping,
	RefusedTooLarge, RefusedType, RefusedBody, RefusedTooMany, RefusedConnections, RefusedUnauthenticated, RefusedPermission, RefusedRate,
}

// meaning explains a reason to a person, with the limit where there is one.
func meaning(reason string, l *Limits) string {
	switch reason {
	case rejectTooOld, rejectFuture, rejectNoTime, rejectTraceID, rejectSpanID, rejectNoName, rejectSeries, rejectBuckets, rejectShape,
		rejectLabels, rejectHistogram, rejectOutOfOrder, rejectDuplicate:
		return explain(reason, l)
	case truncatedExemplars:
		return "exemplars of remote write that are too old or name strings that are not there; left out"
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
	case foldedKeys:
		return fmt.Sprintf("attribute keys beyond %d in use; stored and found by search, but neither they nor their values are offered for completion", maxValueKeys)
	case malformedRequest:
		return "not a well-formed OTLP or remote write request"
	case duplicateRequest:
		return "byte for byte a request that was stored before; acknowledged and not stored again"
	case rejectedByStore:
		return "rows that ClickHouse refuses one by one; set aside in files of their own under spool/quarantine"
	case refusedInFlight:
		return "more bytes under way than in-flight-bytes allows; the sender is asked to try again"
	case refusedSpool:
		return "ClickHouse is away and the spool is full; the sender is asked to try again"
	case refusedStore:
		return "neither ClickHouse nor the spool could take it; the sender is asked to try again"
	case refusedStopping:
		return "this process is stopping; the sender is asked to try again"
	case RefusedTooLarge:
		return "a request larger than max-request-bytes, before or after decompression"
	case RefusedType:
		return "a content type, encoding or method that is not received here"
	case RefusedBody:
		return "a body that cannot be read: broken compression, broken JSON, or cut off"
	case RefusedTooMany:
		return "more requests under way than max-requests allows, more bytes of unfinished ones than max-reading-bytes, or one that took longer than read-timeout to arrive; the sender is asked to try again"
	case RefusedConnections:
		return "more connections than max-connections allows; closed at once"
	case RefusedUnauthenticated:
		return "no ingest key, or one that is not known"
	case RefusedPermission:
		return "an ingest key that does not cover this signal"
	case RefusedRate:
		return "an ingest key that has used up its rate; the sender is asked to try again"
	}
	return ""
}

// remedy says what to do about a reason.
func remedy(reason string) string {
	switch reason {
	case rejectTooOld:
		return "Look for senders with wrong clocks or long queues. To load history, raise limit-oldest, and the retention with it."
	case rejectFuture:
		return "Set the sender's clock (NTP); Clocks, below, says which senders are off and by how much."
	case rejectNoTime:
		return "Set the time at the sender: a span needs start_time_unix_nano, a point time_unix_nano."
	case rejectTraceID, rejectSpanID:
		return "Trace ids have 16 bytes, span ids 8, not all zero. Look at what creates them; JSON has them in hexadecimal, not in base64."
	case rejectNoName:
		return "Name the instrument at the sender."
	case rejectSeries:
		return "Take ids, addresses and the like out of the metric's attributes, or raise the metric's cap under Cardinality."
	case rejectBuckets:
		return "Use fewer buckets or an exponential histogram (max_size 160 is usual), or raise limit-buckets."
	case rejectShape:
		return "Update the sender's SDK or exporter: there must be one bucket count more than bounds."
	case rejectLabels:
		return "Look at the sender's relabelling; the example is the metric, or its labels where it has no name."
	case rejectHistogram:
		return "Update the sender; a native histogram's count is the sum of its buckets, and its schema -53 or -4 to 8."
	case rejectOutOfOrder:
		return "Usually nothing: a sender with a long queue. To load history, raise limit-out-of-order."
	case rejectDuplicate:
		return "Give replicas that send the same series a label of their own (external_labels), or stop one of them."
	case truncatedExemplars:
		return "Usually nothing: senders keep the newest exemplars for as long as a series has no newer one."
	case truncatedAttributes:
		return "Record fewer attributes, or raise limit-attributes or limit-resource-attributes."
	case truncatedValues:
		return "Keep bodies and statements short (OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT), or raise limit-value-bytes, limit-key-bytes or limit-name-bytes."
	case truncatedEvents:
		return "Record events as logs or as spans of their own, or raise limit-events."
	case truncatedLinks:
		return "Link to fewer spans, or raise limit-links."
	case alteredDuration:
		return "Take both times from one clock, a monotonic one, at the sender."
	case foldedOperations:
		return "Put a route (GET /orders/{id}) into span names instead of a path or an id, or raise the service's cap under Cardinality."
	case foldedValues:
		return "Usually nothing: ids need no completion, and search finds them. Otherwise raise the key's cap under Cardinality."
	case foldedKeys:
		return "Look for a sender that puts ids into keys, and put them into values."
	case malformedRequest:
		return "Send OTLP as protobuf or JSON to the path of its signal; the example says what is wrong."
	case duplicateRequest:
		return "Nothing: a sender that missed the answer has tried again. If there are many, its timeout is too short."
	case rejectedByStore:
		return "Report it with the example: ingest should have refused these rows. The rows are kept."
	case refusedInFlight:
		return "More arrives than can be stored. Add a process or cores, sample at the sender, or raise in-flight-bytes to ride out peaks."
	case refusedSpool:
		return "Bring ClickHouse back; meanwhile raise spool-bytes if the disk has room."
	case refusedStore:
		return "Look at the newest fault of the store, and at the free space of the data directory."
	case refusedStopping:
		return "Nothing: senders try again at the process that takes over."
	case RefusedTooLarge:
		return "Send smaller batches (OTEL_BSP_MAX_EXPORT_BATCH_SIZE, a Collector's send_batch_max_size), or raise max-request-bytes."
	case RefusedType:
		return "Send application/x-protobuf or application/json, plain or with gzip, zstd or deflate, by POST."
	case RefusedBody:
		return "Look at the sender or a proxy on the way; the example says where reading stopped."
	case RefusedTooMany:
		return "Use fewer connections with larger batches, for instance a Collector between, or raise max-requests or max-reading-bytes."
	case RefusedConnections:
		return "Find out who opens them; put a Collector between if they are yours, or raise max-connections."
	case RefusedUnauthenticated:
		return "Send the key as Authorization: Bearer KEY, in OTEL_EXPORTER_OTLP_HEADERS for SDKs."
	case RefusedPermission:
		return "Use a key made for this signal."
	case RefusedRate:
		return "Raise the key's rate, or sample at the sender."
	}
	return ""
}
