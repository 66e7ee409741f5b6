package query

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Window is the span of time a question is about: from (included) to (excluded).
type Window struct{ From, To time.Time }

// Range is how an answer over time is laid out: point i covers [From+i·Step, From+(i+1)·Step).
type Range struct {
	FromMS       int64  `json:"from_ms"`
	ToMS         int64  `json:"to_ms"`
	StepMS       int64  `json:"step_ms"`
	Resolution   string `json:"resolution"` // the rollup that was read: 10s, 1m, 1h, or raw
	NowMS        int64  `json:"now_ms"`
	CompleteToMS int64  `json:"complete_to_ms"` // points from here on are still filling
}

// Points is how many points a range has.
func (r Range) Points() int { return int((r.ToMS - r.FromMS) / r.StepMS) }

func (r Range) step() time.Duration { return time.Duration(r.StepMS) * time.Millisecond }
func (r Range) seconds() float64    { return float64(r.StepMS) / 1000 }

// steps are the widths a point may have.
var steps = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}

// ParseWindow reads the bounds of a question: RFC 3339, Unix milliseconds, or relative to now ("now", "now-15m",
// "now-7d"). Empty bounds mean the last 15 minutes.
func ParseWindow(from, to string, now time.Time) (Window, error) {
	w := Window{now.Add(-15 * time.Minute), now}
	var err error
	if to != "" {
		if w.To, err = ParseTime(to, now); err != nil {
			return w, &InputError{"to", err.Error()}
		}
		w.From = w.To.Add(-15 * time.Minute)
	}
	if from != "" {
		if w.From, err = ParseTime(from, now); err != nil {
			return w, &InputError{"from", err.Error()}
		}
	}
	switch {
	case !w.From.Before(w.To):
		return w, &InputError{"from", "must lie before to"}
	case w.To.Sub(w.From) > 10*366*24*time.Hour:
		return w, &InputError{"from", "the range is longer than ten years"}
	}
	return w, nil
}

var relative = regexp.MustCompile(`^now(?:([+-])(\d{1,6})(ms|s|m|h|d|w))?$`)

// ParseTime reads one bound.
func ParseTime(s string, now time.Time) (time.Time, error) {
	if m := relative.FindStringSubmatch(s); m != nil {
		if m[1] == "" {
			return now, nil
		}
		n, _ := strconv.Atoi(m[2])
		d := time.Duration(n) * map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute,
			"h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}[m[3]]
		if m[1] == "-" {
			d = -d
		}
		return now.Add(d), nil
	}
	if ms, err := strconv.ParseInt(s, 10, 64); err == nil && ms >= 0 && ms < 1<<43 {
		return time.UnixMilli(ms), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, nil
	}
	return now, fmt.Errorf("%q is not a time: use RFC 3339, Unix milliseconds, or for instance now-15m", s)
}

// most is how many points a chart gets unless a step is asked for.
const most = 180

// lay aligns a window to steps of the finest width that needs no more than `points` points, and picks the coarsest
// rollup that serves it and still holds its beginning.
func (db *DB) lay(w Window, step time.Duration, points int) Range {
	if points == 0 {
		points = most
	}
	if step == 0 {
		for _, step = range steps {
			if w.To.Sub(w.From) <= time.Duration(points)*step {
				break
			}
		}
	}
	now := db.o.Now()
	resolution := time.Hour
	switch {
	case step%time.Hour == 0:
	case step%time.Minute == 0:
		resolution = time.Minute
	default:
		resolution = 10 * time.Second
	}
	// What is no longer kept that finely is read, and shown, more coarsely.
	ten, minute := db.rollups()
	if resolution == 10*time.Second && now.Sub(w.From) > ten {
		resolution, step = time.Minute, max(step, time.Minute)
	}
	if resolution == time.Minute && now.Sub(w.From) > minute {
		resolution, step = time.Hour, max(step, time.Hour)
	}
	from := w.From.Truncate(step)
	to := w.To.Truncate(step)
	if to.Before(w.To) {
		to = to.Add(step)
	}
	return Range{
		FromMS: from.UnixMilli(), ToMS: to.UnixMilli(), StepMS: step.Milliseconds(), NowMS: now.UnixMilli(),
		Resolution:   map[time.Duration]string{10 * time.Second: "10s", time.Minute: "1m", time.Hour: "1h"}[resolution],
		CompleteToMS: min(to.UnixMilli(), now.Add(-3*time.Second).Truncate(step).UnixMilli()),
	}
}

// Lay is how an answer over a window in steps of a width is laid out; without a width, as charts are.
func (db *DB) Lay(w Window, step time.Duration) Range { return db.lay(w, step, 0) }

// StepFor is the width of a point that a window gets when none is asked for.
func (db *DB) StepFor(w Window) time.Duration { return db.lay(w, 0, 0).step() }
