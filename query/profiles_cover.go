package query

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// profileCover says which tables hold a selection: sums by the day and by the hour where they have all profiles of it,
// the samples of single profiles elsewhere.
type profileCover struct {
	days, hours []int64 // Unix seconds of sums
	raw         []int64 // Unix seconds of hours
	all         bool    // only single profiles
}

const (
	hourSeconds = 3600
	daySeconds  = 24 * hourSeconds
)

// cover chooses the tables of a selection and rounds its bounds to hours where sums serve it. step is what a sum may
// span at most: seconds of an hour or a day.
func (db *DB) cover(ctx context.Context, s *ProfileSelection, step int64) (*profileCover, error) {
	if !s.rolled() {
		return &profileCover{all: true}, nil
	}
	s.From, s.To = s.From.Truncate(time.Hour), s.To.Add(time.Hour-1).Truncate(time.Hour)
	heads, err := db.headsByHour(ctx, s)
	if err != nil {
		return nil, err
	}
	sums, err := db.sumsBySpan(ctx, s)
	if err != nil {
		return nil, err
	}
	c := &profileCover{}
	from, to := s.From.Unix(), s.To.Unix()
	for at := from; at < to; at += hourSeconds {
		if step >= daySeconds && at%daySeconds == 0 && at+daySeconds <= to {
			day := uint64(0)
			for h := at; h < at+daySeconds; h += hourSeconds {
				day += heads[h]
			}
			if day > 0 && sums[spanAt{daySeconds, at}] == day {
				c.days = append(c.days, at)
				at += daySeconds - hourSeconds
				continue
			}
		}
		switch n := heads[at]; {
		case n == 0:
		case sums[spanAt{hourSeconds, at}] == n:
			c.hours = append(c.hours, at)
		default:
			c.raw = append(c.raw, at)
		}
	}
	return c, nil
}

type spanAt struct{ seconds, at int64 }

func (db *DB) headsByHour(ctx context.Context, s *ProfileSelection) (map[int64]uint64, error) {
	a := args{}
	out := map[int64]uint64{}
	return out, db.each(ctx, "SELECT intDiv(toInt64(toUnixTimestamp(toDateTime(ts))), 3600) * 3600 AS at, count() FROM profiles WHERE samples > 0 AND "+s.conditions(a)+" GROUP BY at", a, func(rows driver.Rows) error {
		var at int64
		var n uint64
		err := rows.Scan(&at, &n)
		out[at] = n
		return err
	})
}

func (db *DB) sumsBySpan(ctx context.Context, s *ProfileSelection) (map[spanAt]uint64, error) {
	a := args{}
	out := map[spanAt]uint64{}
	return out, db.each(ctx, "SELECT toInt64(span) AS w, toInt64(toUnixTimestamp(ts)) AS at, sum(profiles) FROM profile_rollups FINAL WHERE span IN (3600, 86400) AND "+s.conditions(a)+" GROUP BY w, at", a, func(rows driver.Rows) error {
		var k spanAt
		var n uint64
		err := rows.Scan(&k.seconds, &k.at, &n)
		out[k] = n
		return err
	})
}

// rows is SQL for a selection's samples: a row each with ts, service, resource, sample_types, stack and the value
// columns that are named (value1, increase2, …).
func (c *profileCover) rows(s *ProfileSelection, sh *profileShape, a args) string {
	cond := s.conditions(a)
	join := "stacks AS stack"
	for _, column := range sh.columns {
		array := strings.Replace(strings.Replace(column, "value", "values", 1), "increase", "increases", 1)
		if len(sh.signatures) > 1 { // not every row has it
			array = "arrayResize(" + array + ", length(stacks))"
		}
		join += ", " + array + " AS " + column
	}
	part := func(table, where string) string {
		return fmt.Sprintf("SELECT ts, resource, sample_types, stack, %s FROM (SELECT * FROM %s WHERE %s) ARRAY JOIN %s", strings.Join(sh.columns, ", "), table, where, join)
	}
	if c.all {
		return part("profile_values", s.labelled(cond, a))
	}
	var parts []string
	if len(c.days)+len(c.hours) > 0 {
		var spans []string
		for _, at := range c.days {
			spans = append(spans, fmt.Sprintf("(86400, %d)", at))
		}
		for _, at := range c.hours {
			spans = append(spans, fmt.Sprintf("(3600, %d)", at))
		}
		parts = append(parts, part("profile_rollups FINAL", cond+" AND (span, toUnixTimestamp(ts)) IN ("+strings.Join(spans, ", ")+")"))
	}
	if len(c.raw) > 0 {
		var hours []string
		for _, at := range c.raw {
			hours = append(hours, fmt.Sprint(at))
		}
		parts = append(parts, part("profile_values", fmt.Sprintf("%s AND toUnixTimestamp(toStartOfHour(ts)) IN (%s)", cond, strings.Join(hours, ", "))))
	}
	if len(parts) == 0 {
		return part("profile_values", cond+" AND 0")
	}
	return strings.Join(parts, " UNION ALL ")
}
