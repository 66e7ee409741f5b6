package ingest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Edges are computed minute by minute over what is stored, so that a call whose two sides arrived in different batches
// is found. A minute is computed again, and replaces its older rows, after it received spans: while it is young every
// EdgesInterval if it is small, else once it has been quiet for edgesQuiet.
const (
	edgesQuiet    = 15 * time.Second
	edgesPatience = time.Minute      // a minute that never falls quiet is computed this often
	edgesYoung    = 75 * time.Second // age up to which a minute is worth computing while it still fills
	edgesSmall    = 50_000           // spans up to which that is cheap
	edgesSample   = 300_000          // spans of a minute beyond which only a slice of it is looked at
	edgesPerTick  = 150              // minutes computed in one go
	edgesBlock    = 15               // minutes that lie together in the store, and are computed together when several are due
	edgesRestart  = 10               // minutes computed again after a start, for what the process before left open
)

// dirtyMinutes remembers which minutes have received spans since their edges were computed.
type dirtyMinutes struct {
	mu      sync.Mutex
	minutes map[int64]*dirtyMinute // by Unix minute, guarded by mu
}

type dirtyMinute struct {
	since, touched, computed time.Time
	fresh                    bool // touched since computed
}

// maxDirty bounds the minutes remembered; a flood of late spans beyond it waits for its next touch.
const maxDirty = 50_000

func newDirtyMinutes() *dirtyMinutes { return &dirtyMinutes{minutes: map[int64]*dirtyMinute{}} }

// touch marks the minutes of spans that start between first and last.
func (d *dirtyMinutes) touch(first, last int64, starts []int64) {
	const minute = 60 * nanosPerSecond
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if last/minute-first/minute <= 2 {
		for m := first / minute; m <= last/minute; m++ {
			d.mark(m, now)
		}
		return
	}
	previous := int64(-1)
	for _, ts := range starts {
		if m := ts / minute; m != previous {
			d.mark(m, now)
			previous = m
		}
	}
}

func (d *dirtyMinutes) mark(minute int64, now time.Time) {
	m := d.minutes[minute]
	if m == nil {
		if len(d.minutes) >= maxDirty {
			return
		}
		m = &dirtyMinute{since: now}
		d.minutes[minute] = m
	}
	if !m.fresh {
		m.fresh, m.since = true, now
	}
	m.touched = now
}

// due lists the minutes to compute at a time, newest first; young ones are among them only to be looked at.
func (d *dirtyMinutes) due(now time.Time, interval time.Duration) (settled, young []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for minute, m := range d.minutes {
		age := now.Sub(time.Unix(minute*60, 0))
		switch {
		case !m.fresh:
			if age > edgesYoung {
				delete(d.minutes, minute)
			}
		case age > time.Minute+edgesQuiet && (now.Sub(m.touched) >= edgesQuiet || now.Sub(m.since) >= edgesPatience),
			age > time.Minute+edgesQuiet && age < 2*time.Minute+edgesQuiet && m.computed.Before(time.Unix(minute*60+60, 0)):
			settled = append(settled, minute)
		case age <= edgesYoung && now.Sub(m.computed) >= interval:
			young = append(young, minute)
		}
	}
	newest := func(a, b int64) int { return int(b - a) }
	slices.SortFunc(settled, newest)
	slices.SortFunc(young, newest)
	return settled[:min(len(settled), edgesPerTick)], young
}

// begin marks a minute computed as of now; what arrives from here on makes it dirty again.
func (d *dirtyMinutes) begin(minute int64, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if m := d.minutes[minute]; m != nil {
		m.computed, m.fresh = now, false
	}
}

// edges computes what is due until the ingest closes.
func (in *Ingest) edges() {
	tick := time.NewTicker(in.opts.EdgesInterval)
	defer tick.Stop()
	now := time.Now()
	in.dirty.mu.Lock()
	for m := now.Unix()/60 - edgesRestart; m <= now.Unix()/60; m++ {
		in.dirty.mark(m, now)
	}
	in.dirty.mu.Unlock()
	for {
		select {
		case <-in.ctx.Done():
			return
		case now = <-tick.C:
		}
		if in.away.Load() {
			continue
		}
		if err := in.catchUpEdges(in.ctx, now); err != nil && in.ctx.Err() == nil {
			in.stats.insertFailed("edges", err)
			in.opts.Logger.Warn("edges not computed", "error", err)
		}
	}
}

// catchUpEdges computes what is due. When days of history arrive at once it goes on for up to half of the time, which
// leaves the engine the other half.
func (in *Ingest) catchUpEdges(ctx context.Context, now time.Time) error {
	for began := time.Now(); ; {
		more, err := in.computeEdges(ctx, now)
		if err != nil || !more || time.Since(began) > in.opts.EdgesInterval/2 {
			return err
		}
	}
}

// computeEdges computes a batch of what is due, and says whether there is more.
func (in *Ingest) computeEdges(ctx context.Context, now time.Time) (more bool, err error) {
	settled, young := in.dirty.due(now, in.opts.EdgesInterval)
	more = len(settled) == edgesPerTick
	for _, minute := range young {
		spans, err := in.countSpans(ctx, minute, minute+1)
		if err != nil {
			return false, err
		}
		if spans <= edgesSmall {
			if err := in.computeMinutes(ctx, now, minute, minute+1, spans); err != nil {
				return false, err
			}
		}
	}
	for len(settled) > 0 {
		block := settled[0] - settled[0]%edgesBlock
		n := 1
		for n < len(settled) && settled[n] >= block {
			n++
		}
		if err := in.computeBlock(ctx, now, block, settled[:n]); err != nil {
			return false, err
		}
		settled = settled[n:]
	}
	return more, nil
}

// computeBlock computes settled minutes of one block: together, when that is worth it and all of it is over.
func (in *Ingest) computeBlock(ctx context.Context, now time.Time, block int64, minutes []int64) error {
	if len(minutes) > 2 && now.Sub(time.Unix((block+edgesBlock)*60, 0)) > edgesQuiet {
		spans, err := in.countSpans(ctx, block, block+edgesBlock)
		if err != nil {
			return err
		}
		if spans <= edgesSample {
			return in.computeMinutes(ctx, now, block, block+edgesBlock, spans)
		}
	}
	for _, minute := range minutes {
		spans, err := in.countSpans(ctx, minute, minute+1)
		if err != nil {
			return err
		}
		if err := in.computeMinutes(ctx, now, minute, minute+1, spans); err != nil {
			return err
		}
	}
	return nil
}

// computeMinutes computes the minutes from first to before end, which have so many spans.
func (in *Ingest) computeMinutes(ctx context.Context, now time.Time, first, end int64, spans uint64) error {
	for m := first; m < end; m++ {
		in.dirty.begin(m, now)
	}
	if spans == 0 {
		return nil
	}
	if err := in.pool.do(ctx, in.edgesQuery(first, end, spans)); err != nil {
		in.dirty.touch(first*60*nanosPerSecond, (end-1)*60*nanosPerSecond, minuteStarts(first, end))
		return fmt.Errorf("computing the edges of %d minutes from %s: %w", end-first, time.Unix(first*60, 0).UTC().Format(time.RFC3339), err)
	}
	return nil
}

func minuteStarts(first, end int64) []int64 {
	out := make([]int64, 0, end-first)
	for m := first; m < end; m++ {
		out = append(out, m*60*nanosPerSecond)
	}
	return out
}

func (in *Ingest) countSpans(ctx context.Context, first, end int64) (uint64, error) {
	var spans proto.ColUInt64
	err := in.pool.do(ctx, ch.Query{
		Body:   fmt.Sprintf("SELECT sum(calls) AS n FROM %s WHERE level = 'operation' AND ts >= toDateTime(%d) AND ts < toDateTime(%d)", in.pool.table("red_10s"), first*60, end*60),
		Result: proto.Results{{Name: "n", Data: &spans}},
	})
	if err != nil || spans.Rows() == 0 {
		return 0, err
	}
	return spans.Row(0), nil
}

// edgesQuery computes some minutes of one block. Of a minute with more than edgesSample spans, a slice of time is looked at whose
// place changes with the minute, and counts are scaled by the same rate: reading a slice reads fewer granules, which
// sampling by trace would not.
func (in *Ingest) edgesQuery(first, end int64, spans uint64) ch.Query {
	rate := max(1, (spans+edgesSample-1)/edgesSample)
	length := (end - first) * 60_000 / int64(rate) // ms
	from := first * 60_000
	if rate > 1 {
		from += (first * 7919 % int64(rate)) * length
	}
	return ch.Query{
		Body: strings.NewReplacer("INTO edges", "INTO "+in.pool.table("edges"), "FROM spans", "FROM "+in.pool.table("spans"),
			"FROM resources", "FROM "+in.pool.table("resources")).Replace(edgesSQL),
		Parameters: ch.Parameters(map[string]any{
			"from": from, "to": from + length, "rate": rate,
		}),
		Settings: []ch.Setting{{Key: "max_threads", Value: "1"}, {Key: "async_insert", Value: "0"}, {Key: "max_execution_time", Value: "30"},
			{Key: "join_algorithm", Value: "hash"}, {Key: "max_memory_usage", Value: "1000000000"}},
	}
}

// edgesSQL: p is a caller, c its child in another process. A client or producer span without such a child calls
// something that does not report itself; its attributes name it. What takes messages from a queue is called by the queue,
// whose client is messaging:NAME; the sender calls the queue, also where the two spans are parent and child.
const edgesSQL = `
INSERT INTO edges (ts, env, client, target, target_kind, target_system, calls, errors, duration_sum, duration_hist, sample_rate, computed)
WITH
    {rate:UInt64} AS rate,
    callers AS
    (
        SELECT toStartOfMinute(toDateTime(ts)) AS minute, trace_id, span_id, service, kind, status, duration_ns, resource,
            attr.value[indexOf(attr.key, 'db.system.name')] AS db_system_name, attr.value[indexOf(attr.key, 'db.system')] AS db_system_old,
            attr.value[indexOf(attr.key, 'db.namespace')] AS db_namespace, attr.value[indexOf(attr.key, 'db.name')] AS db_name_old,
            attr.value[indexOf(attr.key, 'messaging.system')] AS messaging,
            attr.value[indexOf(attr.key, 'messaging.destination.name')] AS destination, attr.value[indexOf(attr.key, 'messaging.destination')] AS destination_old,
            if(destination != '', destination, destination_old) AS topic,
            messaging != '' AND (kind = 'consumer' OR kind = 'client' AND 'receive' IN (attr.value[indexOf(attr.key, 'messaging.operation.type')], attr.value[indexOf(attr.key, 'messaging.operation')])) AS takes,
            attr.value[indexOf(attr.key, 'peer.service')] AS peer, attr.value[indexOf(attr.key, 'server.address')] AS address,
            attr.value[indexOf(attr.key, 'net.peer.name')] AS address_old, attr.value[indexOf(attr.key, 'url.full')] AS url,
            attr.value[indexOf(attr.key, 'rpc.system')] AS rpc,
            hasAny(attr.key, ['http.request.method', 'http.method']) AS http
        FROM spans
        WHERE ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64})
            AND toStartOfFifteenMinutes(toDateTime(ts)) = toStartOfFifteenMinutes(toDateTime(intDiv({from:Int64}, 1000)))
    ),
    children AS
    (
        SELECT trace_id, parent_span_id, service, status, duration_ns
        FROM spans
        WHERE ts >= fromUnixTimestamp64Milli({from:Int64} - 5000) AND ts < fromUnixTimestamp64Milli({to:Int64} + 5000)
            AND toStartOfFifteenMinutes(toDateTime(ts)) BETWEEN toStartOfFifteenMinutes(toDateTime(intDiv({from:Int64}, 1000) - 5)) AND toStartOfFifteenMinutes(toDateTime(intDiv({to:Int64}, 1000) + 5))
            AND kind IN ('server', 'consumer', 'unspecified') AND parent_span_id != toFixedString('', 8)
            AND NOT (kind = 'consumer' AND has(attr.key, 'messaging.system'))
    ),
    calls AS
    (
        SELECT p.*, c.service AS child, c.status AS child_status, c.duration_ns AS child_ns
        FROM callers AS p LEFT JOIN children AS c ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id
        WHERE (child != '' AND (child != service OR kind IN ('client', 'producer'))) OR (child = '' AND kind IN ('client', 'producer') AND NOT takes)
    ),
    consumed AS
    (
        SELECT minute, resource, concat('messaging:', if(topic != '', topic, messaging)) AS client, 'service' AS target_kind, service AS target, messaging AS target_system,
            duration_ns AS ns, status = 'error' AS failed
        FROM callers WHERE takes
    ),
    named AS
    (
        SELECT minute, resource, service AS client,
            if(db_system_name != '', db_system_name, db_system_old) AS db_system,
            if(db_namespace != '', db_namespace, db_name_old) AS db,
            if(address != '', address, address_old) AS host,
            multiIf(child != '', 'service', db_system != '', 'database', messaging != '', 'messaging', 'external') AS target_kind,
            multiIf(child != '', child,
                db_system != '', multiIf(host != '' AND db != '', concat(host, '/', db), host != '', host, db != '', db, db_system),
                messaging != '', if(topic != '', topic, messaging),
                peer != '', peer, host != '', host, domain(url)) AS target,
            multiIf(child != '', '', db_system != '', db_system, messaging != '', messaging, http, 'http', rpc) AS target_system,
            if(kind IN ('client', 'producer') OR child = '', duration_ns, child_ns) AS ns,
            status = 'error' OR child_status = 'error' AND child != '' AS failed
        FROM calls
    )
SELECT minute AS ts, r.env AS env, client, target, target_kind, target_system,
    count() * rate AS calls, countIf(failed) * rate AS errors, sum(ns) * rate AS duration_sum,
    sumMap(map(toInt16(if(ns <= 1, 0, ceil(32 * log2(ns)))), rate)) AS duration_hist, toFloat64(rate) AS sample_rate, now64(3) AS computed
FROM
(
    SELECT minute, resource, client, target_kind, target, target_system, ns, failed FROM named
    UNION ALL
    SELECT minute, resource, client, target_kind, target, target_system, ns, failed FROM consumed
) AS named LEFT JOIN (SELECT fingerprint, max(env) AS env FROM resources GROUP BY fingerprint) AS r ON named.resource = r.fingerprint
WHERE target != ''
GROUP BY minute, env, client, target, target_kind, target_system`
