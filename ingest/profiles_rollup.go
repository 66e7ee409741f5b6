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

// Profiles are added up by the hour and by the day once those are over, and again after profiles of them came late. A
// question about days compares the profiles that a sum has with those there are, and reads the samples themselves where
// it has fewer: nothing is missing while a sum is still due.
const (
	rollupQuiet    = 20 * time.Second // after the last profile of an hour that is over
	rollupPatience = 10 * time.Minute // an hour of the past that never falls quiet is added up this often
	rollupEvery    = 5 * time.Second
	rollupPerTick  = 20        // sums made in one go
	rollupSamples  = 5_000_000 // read for one sum; a service of more is added up some processes at a time
	rollupRestart  = 3 * 24 * time.Hour
	maxDirtySpans  = 100_000
	hourSeconds    = 3600
	daySeconds     = 86400
)

// profileSpan is an hour or a day of one type of profile of a service.
type profileSpan struct {
	service, typ string
	seconds, at  int64 // at: Unix seconds of its beginning
}

// dirtySpans remembers which hours and days have to be added up.
type dirtySpans struct {
	mu    sync.Mutex
	spans map[profileSpan]*dirtySpan // guarded by mu
}

type dirtySpan struct{ since, touched time.Time }

func newDirtySpans() *dirtySpans { return &dirtySpans{spans: map[profileSpan]*dirtySpan{}} }

// touch marks the hours of profiles that were stored.
func (d *dirtySpans) touch(c *profileColumns, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var last profileSpan
	for i := range c.heads {
		h := &c.heads[i]
		at := h.start / nanosPerSecond
		s := profileSpan{c.resources.list[h.resource].service, h.typ, hourSeconds, at - at%hourSeconds}
		if s != last {
			d.mark(s, now)
			last = s
		}
	}
}

// mark is called with mu held. Beyond its bound, spans wait for their next profile or the next start.
func (d *dirtySpans) mark(s profileSpan, now time.Time) {
	x := d.spans[s]
	if x == nil {
		if len(d.spans) >= maxDirtySpans {
			return
		}
		x = &dirtySpan{since: now}
		d.spans[s] = x
	}
	x.touched = now
}

// due takes out what is to be added up at a time: hours that are over and quiet, and days none of whose hours is dirty.
func (d *dirtySpans) due(now time.Time) []profileSpan {
	d.mu.Lock()
	defer d.mu.Unlock()
	var hours, days []profileSpan
	waiting := map[profileSpan]bool{}
	for s, x := range d.spans {
		over := now.Unix() >= s.at+s.seconds
		ripe := over && (now.Sub(x.touched) >= rollupQuiet || now.Sub(x.since) >= rollupPatience)
		if s.seconds == hourSeconds {
			day := s
			day.seconds, day.at = daySeconds, s.at-s.at%daySeconds
			waiting[day] = true
			if ripe {
				hours = append(hours, s)
			}
		} else if ripe {
			days = append(days, s)
		}
	}
	days = slices.DeleteFunc(days, func(s profileSpan) bool { return waiting[s] })
	out := append(hours, days...)
	slices.SortFunc(out, func(a, b profileSpan) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return strings.Compare(a.service+"\x00"+a.typ, b.service+"\x00"+b.typ)
	})
	out = out[:min(len(out), rollupPerTick)]
	for _, s := range out {
		delete(d.spans, s)
	}
	return out
}

func (d *dirtySpans) again(s profileSpan, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark(s, now)
}

// rollups adds profiles up until the ingest closes.
func (in *Ingest) rollups() {
	tick := time.NewTicker(rollupEvery)
	defer tick.Stop()
	known := false
	for {
		var now time.Time
		select {
		case <-in.ctx.Done():
			return
		case now = <-tick.C:
		}
		if in.away.Load() {
			continue
		}
		if !known {
			err := in.unfinishedRollups(in.ctx, now)
			if known = err == nil; err != nil {
				in.rollupFailed(err)
				continue
			}
		}
		if err := in.rollUp(in.ctx, now); err != nil {
			in.rollupFailed(err)
		}
	}
}

func (in *Ingest) rollupFailed(err error) {
	if in.ctx.Err() == nil {
		in.stats.insertFailed("profile_rollups", err)
		in.opts.Logger.Warn("profiles not added up", "error", err)
	}
}

// rollUp makes the sums that are due.
func (in *Ingest) rollUp(ctx context.Context, now time.Time) error {
	due := in.spans.due(now)
	for i, s := range due {
		if err := in.rollUpSpan(ctx, s); err != nil {
			for _, x := range due[i:] {
				in.spans.again(x, now)
			}
			return fmt.Errorf("adding up the %s profiles of %s from %s: %w", s.typ, s.service, time.Unix(s.at, 0).UTC().Format(time.RFC3339), err)
		}
		if s.seconds == hourSeconds {
			s.seconds, s.at = daySeconds, s.at-s.at%daySeconds
			in.spans.again(s, now)
		}
	}
	return nil
}

// rollupPart is the processes of a span that are added up in one go.
type rollupPart struct {
	sampleTypes string
	cumulative  bool
	resources   []string
	samples     uint64
}

func (in *Ingest) rollUpSpan(ctx context.Context, s profileSpan) error {
	parts, err := in.rollupParts(ctx, s)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := in.pool.do(ctx, in.rollupQuery(s, p)); err != nil {
			return err
		}
	}
	return nil
}

// rollupParts lists the processes of a span by their sample types.
func (in *Ingest) rollupParts(ctx context.Context, s profileSpan) ([]*rollupPart, error) {
	var types proto.ColStr
	var cumulative proto.ColUInt8
	var resource, samples proto.ColUInt64
	body := fmt.Sprintf(`SELECT CAST(sample_types AS String) AS t, toUInt8(max(cumulative)) AS c, resource AS r, toUInt64(sum(samples)) AS n FROM %s
WHERE service = {service:String} AND type = {type:String} AND ts >= toDateTime(%d) AND ts < toDateTime(%d) AND samples > 0 GROUP BY t, r ORDER BY t, r`, in.pool.table("profiles"), s.at, s.at+s.seconds)
	var parts []*rollupPart
	err := in.pool.do(ctx, ch.Query{Body: body, Parameters: ch.Parameters(map[string]any{"service": s.service, "type": s.typ}),
		Result: proto.Results{{Name: "t", Data: &types}, {Name: "c", Data: &cumulative}, {Name: "r", Data: &resource}, {Name: "n", Data: &samples}},
		OnResult: func(context.Context, proto.Block) error {
			for i := range resource.Rows() {
				p := &rollupPart{}
				if len(parts) > 0 {
					p = parts[len(parts)-1]
				}
				if len(parts) == 0 || p.sampleTypes != types.Row(i) || p.cumulative != (cumulative.Row(i) != 0) || p.samples > rollupSamples {
					p = &rollupPart{sampleTypes: types.Row(i), cumulative: cumulative.Row(i) != 0}
					parts = append(parts, p)
				}
				p.resources = append(p.resources, fmt.Sprint(resource.Row(i)))
				p.samples += samples.Row(i)
			}
			return nil
		}})
	return parts, err
}

// rollupQuery adds up an hour from its samples, or a day from its hours.
func (in *Ingest) rollupQuery(s profileSpan, p *rollupPart) ch.Query {
	var into, join, sums, arrays strings.Builder
	for i := range strings.Count(p.sampleTypes, ",") + 1 {
		columns := []string{valueNames[i]}
		if p.cumulative {
			columns = append(columns, grownNames[i])
		}
		for _, c := range columns {
			fmt.Fprintf(&into, ", %s", c)
			fmt.Fprintf(&join, ", %s AS x_%s", c, c)
			fmt.Fprintf(&sums, ", sum(x_%s) AS s_%s", c, c)
			fmt.Fprintf(&arrays, ", groupArray(s_%s)", c)
		}
	}
	where := fmt.Sprintf("service = {service:String} AND type = {type:String} AND sample_types = {types:String} AND ts >= toDateTime(%d) AND ts < toDateTime(%d) AND resource IN (%s)",
		s.at, s.at+s.seconds, strings.Join(p.resources, ","))
	from, profiles := in.pool.table("profile_values"), fmt.Sprintf("SELECT resource AS r, toUInt32(count()) AS n FROM %s WHERE %s AND samples > 0 GROUP BY r", in.pool.table("profiles"), where)
	if s.seconds == daySeconds {
		where += " AND span = 3600"
		from = in.pool.table("profile_rollups") + " FINAL"
		profiles = fmt.Sprintf("SELECT resource AS r, toUInt32(sum(profiles)) AS n FROM %s WHERE %s GROUP BY r", from, where)
	}
	return ch.Query{
		Body: fmt.Sprintf(`INSERT INTO %s (span, ts, service, type, sample_types, resource, profiles, stacks%s)
SELECT %d, toDateTime(%d), {service:String}, {type:String}, {types:String}, s.r, any(p.n), groupArray(s.h)%s
FROM (SELECT resource AS r, h%s FROM (SELECT * FROM %s WHERE %s) ARRAY JOIN stacks AS h%s GROUP BY r, h ORDER BY r, h) AS s
INNER JOIN (%s) AS p ON p.r = s.r
GROUP BY s.r`, in.pool.table("profile_rollups"), into.String(), s.seconds, s.at, arrays.String(), sums.String(), from, where, join.String(), profiles),
		Parameters: ch.Parameters(map[string]any{"service": s.service, "type": s.typ, "types": p.sampleTypes}),
		Settings: []ch.Setting{{Key: "max_threads", Value: "1"}, {Key: "async_insert", Value: "0"}, {Key: "max_execution_time", Value: "60"},
			{Key: "max_memory_usage", Value: "1500000000"}, {Key: "max_insert_threads", Value: "1"}},
	}
}

// unfinishedRollups marks what the process before left to be added up.
func (in *Ingest) unfinishedRollups(ctx context.Context, now time.Time) error {
	from := now.Add(-rollupRestart).Unix()
	from -= from % daySeconds
	var service, typ proto.ColStr
	var span, at proto.ColInt64
	body := fmt.Sprintf(`SELECT CAST(service AS String) AS s, CAST(type AS String) AS t, w AS w, toInt64(at) AS at FROM
  (SELECT service, type, arrayJoin([3600, 86400])::Int64 AS w, intDiv(toInt64(toUnixTimestamp(toDateTime(ts))), w) * w AS at, toInt64(count()) AS n FROM %s WHERE ts >= toDateTime(%d) AND samples > 0 GROUP BY service, type, w, at
   UNION ALL
   SELECT service, type, toInt64(span) AS w, toInt64(toUnixTimestamp(ts)) AS at, -toInt64(sum(profiles)) AS n FROM %s FINAL WHERE ts >= toDateTime(%d) GROUP BY service, type, w, at)
GROUP BY s, t, w, at HAVING sum(n) > 0`, in.pool.table("profiles"), from, in.pool.table("profile_rollups"), from)
	return in.pool.do(ctx, ch.Query{Body: body, Result: proto.Results{{Name: "s", Data: &service}, {Name: "t", Data: &typ}, {Name: "w", Data: &span}, {Name: "at", Data: &at}},
		OnResult: func(context.Context, proto.Block) error {
			in.spans.mu.Lock()
			defer in.spans.mu.Unlock()
			for i := range span.Rows() {
				in.spans.mark(profileSpan{service.Row(i), typ.Row(i), span.Row(i), at.Row(i)}, now)
			}
			return nil
		}})
}
