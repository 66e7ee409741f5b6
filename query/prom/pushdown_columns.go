package prom

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/prometheus/model/value"
)

// looked is the condition that some step looks at a sample. Where steps overlap there is none, nor where what a sample
// is worth depends on those before.
func (p *plan) looked(part *pushed, delta bool) string {
	span := p.span(part)
	if span >= p.step || delta {
		return ""
	}
	first := p.start - part.vector.OriginalOffset.Milliseconds()
	return fmt.Sprintf(" AND positiveModulo(%d - toUnixTimestamp64Milli(ts), %d) < %d", first, p.step, span)
}

// rows are the columns that all readers have: half of the fingerprint, the milliseconds since the beginning of the
// window, and of increases when they began.
type rows struct {
	series, ts proto.ColUInt32
	start      proto.ColInt64
}

// ask begins a statement for the samples of the chunk's entries: from a table, a few more columns, on a condition.
func (c *chunk) ask(v *evaluation, p picked, w window, table, more, condition string) (statement, *rows, error) {
	if w.to-w.from > math.MaxUint32 {
		return statement{}, nil, errNotPushed
	}
	r, delta := &rows{}, p.temporality == "delta"
	least, most := c.entries[0].fingerprint, c.entries[0].fingerprint
	for _, e := range c.entries {
		least, most = min(least, e.fingerprint), max(most, e.fingerprint)
	}
	st := statement{params: map[string]any{"name": p.stored}, result: proto.Results{{Name: "s", Data: &r.series}, {Name: "t", Data: &r.ts}}}
	begun := ""
	if delta {
		begun, st.result = ", toUnixTimestamp64Milli(start_ts) AS b", append(st.result, proto.ResultColumn{Name: "b", Data: &r.start})
	}
	st.sql = fmt.Sprintf(`SELECT toUInt32(bitAnd(series, 4294967295)) AS s, toUInt32(toUnixTimestamp64Milli(ts) - %d) AS t%s%s FROM {{%s}}
WHERE name = {name:String} AND series >= %d AND series <= %d AND ts >= fromUnixTimestamp64Milli(toInt64(%d)) AND ts <= fromUnixTimestamp64Milli(toInt64(%d))`,
		w.from, begun, more, table, least, most, w.from, w.to) + condition + v.plan.looked(v.part, delta)
	switch {
	case p.whole: // those between the first and the last are these
	case len(c.entries) <= fewSeries:
		list := make([]string, len(c.entries))
		for i, e := range c.entries {
			list[i] = strconv.FormatUint(e.fingerprint, 10)
		}
		st.sql += " AND series IN (" + strings.Join(list, ",") + ")"
	default:
		st.sql += " AND series IN (SELECT fingerprint FROM chosen)"
		st.chosen = make([]uint64, len(c.entries))
		for i, e := range c.entries {
			st.chosen[i] = e.fingerprint
		}
	}
	return st, r, nil
}

// times takes in the times of a block and tells where they begin.
func (c *chunk) times(r *rows, w window) int {
	base := len(c.t)
	c.t = slices.Grow(c.t, len(r.ts))[:base+len(r.ts)]
	t := c.t[base:]
	for i, x := range r.ts {
		t[i] = w.from + int64(x)
	}
	c.start = append(c.start, r.start...)
	return base
}

// floatColumn is where the floats of a kind are, and a condition: native histograms end the statement. A stale value is
// the marker.
func (k kind) floatColumn() (table, expr, condition string) {
	stale := fmt.Sprintf("if(bitAnd(flags, %d) != 0, reinterpretAsFloat64(toUInt64(%d)), ", FlagStale, uint64(value.StaleNaN))
	switch k {
	case kindSum:
		return "metric_distributions", stale + "sum)", ""
	case kindCount:
		return "metric_distributions", stale + "toFloat64(count))", ""
	}
	return "metric_samples", "value", fmt.Sprintf(" AND throwIf(bitAnd(flags, %d) != 0) = 0", FlagShape)
}

// readFloats asks for the samples of the chunk's entries: 16 bytes a sample.
func (c *chunk) readFloats(ctx context.Context, v *evaluation, p picked, at map[uint32]int, w window) error {
	expect := int(min(int64(len(c.entries))*(w.to-w.from)/usualInterval, 2*chunkSamples)) // growing costs as much as reading
	c.t, c.v = slices.Grow(c.t, expect), slices.Grow(c.v, expect)
	table, expr, condition := p.kind.floatColumn()
	st, r, err := c.ask(v, p, w, table, ", "+expr+" AS v", condition)
	if err != nil {
		return err
	}
	var values proto.ColFloat64
	st.result = append(st.result, proto.ResultColumn{Name: "v", Data: &values})
	st.block = func() error {
		base := c.times(r, w)
		if c.v = append(c.v, values...); c.full(v.plan.e) {
			return errSplit
		}
		for from := 0; from < len(r.ts); {
			to := from + 1
			for to < len(r.ts) && r.series[to] == r.series[from] && r.ts[to] > r.ts[to-1] {
				to++
			}
			if i, ok := at[r.series[from]]; ok {
				c.runs[i] = append(c.runs[i], piece{from: base + from, to: base + to, values: base + from})
			}
			from = to
		}
		return nil
	}
	err = v.plan.e.columns.run(ctx, st)
	if ch.IsErr(err, proto.ErrFunctionThrowIfValueIsNonZero) {
		return errNotPushed
	}
	return err
}
