package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// open is whether a channel of a series is in alarm.
type open struct {
	alarm  *anomaly.Alarm // nil: it is not
	habit  *habit         // the last times, yesterday perhaps; nil: there were none
	quiet  int64          // Unix seconds of the last step that said something
	closed int64          // Unix seconds at which the last alarm ended: windows before it are spent
	told   float32        // score that was last told
	worst  float32        // size of the alarm
	window int16          // minutes of the longest window that still says whether it goes on
	over   int8           // steps in a row over the threshold
	usual  bool           // the alarm comes at this time every day: it is followed, not told
}

// episode is a past alarm: from when to when, and how far from what was expected.
type episode struct {
	from, to int64 // Unix seconds
	size     float64
}

const (
	habitSlack  = 40 * 60 // seconds by which a nightly job may begin earlier or end later than the day before
	habitStart  = 20 * 60 // seconds by which it may begin earlier or later than on the one day that it is known from
	habitGrowth = 1.7     // times as far off as the day before is no habit any more
	habitDays   = 2       // for which one time is remembered that began as this one did
	habitWeek   = 7       // for which the others are
)

// habit is the last alarms of a series; the newest is written over the oldest.
type habit struct {
	last [4]episode
	n    uint8
}

func (h *habit) add(e episode) {
	h.last[int(h.n)%len(h.last)] = e
	h.n++
}

// daily says whether what began then and goes on now did so on one of so many days before, about as badly. What a clock
// starts begins at its time, so that one day is enough to know it; trouble comes whenever it likes, and that it was there
// at this hour once before says nothing. So what does not begin as it did, and what is severe, must have come on two of
// the last seven days; loose: it need not begin as it did, because it follows something that is daily.
func (h *habit) daily(began, now int64, size float64, loose, severe bool) bool {
	if h == nil {
		return false
	}
	seen := 0
	for ago := int64(1); ago <= habitWeek; ago++ {
		for _, e := range h.last {
			then := now - ago*86400
			if e.from == 0 || then < e.from-habitSlack || then > e.to+habitSlack || size > habitGrowth*e.size {
				continue
			}
			off := began - ago*86400 - e.from
			if !severe && (loose || ago <= habitDays && off <= habitStart && off >= -habitStart) {
				return true
			}
			seen++
			break
		}
	}
	return seen >= 2
}

// size is how far off an alarm is, as a factor of what is expected.
func size(observed, expected float64) float64 {
	return math.Abs(math.Log((observed + 1e-9) / (expected + 1e-9)))
}

const (
	closeBelow = 1.0 / 3 // of the threshold
	closeAfter = 300     // seconds without anything to say
	adoptAfter = 4 * 3600

	// Minutes of the longest window that says whether an alarm goes on: at least ten, but where one minute was enough to
	// find it, three are to see that it is over.
	shortWindow = 10
	briefWindow = 3
)

// move takes in what a channel found at a step and tells whether an alarm began, changed or ended.
func (o *open) move(now int64, f finding, threshold float64, loose bool, raise func(f finding) *anomaly.Alarm) (changed *anomaly.Alarm, ended bool) {
	if o.alarm == nil {
		if f.score < threshold {
			o.over = 0
			return nil, false
		}
		o.over++
		if f.minutes <= 1 && o.over < 2 && f.score < 3*threshold {
			return nil, false
		}
		o.alarm = raise(f)
		o.over, o.quiet, o.told, o.window = 0, now, float32(f.score), lasting(f.minutes)
		o.worst, o.usual = float32(size(f.observed, f.expected)), false
		if o.habit.daily(o.alarm.Began.Unix(), now, float64(o.worst), loose, severe(o.alarm)) {
			o.usual = true
			return nil, false
		}
		return o.alarm, false
	}
	a := o.alarm
	if f.score >= threshold*closeBelow {
		o.quiet = now
	}
	if now-o.quiet >= closeAfter || now-a.Began.Unix() >= adoptAfter {
		a.Ended = time.Unix(o.quiet, 0).UTC()
		o.alarm, o.closed = nil, now
		if now-a.Began.Unix() < adoptAfter && a.Symptom != anomaly.SymptomErrors {
			if o.habit == nil {
				o.habit = &habit{}
			}
			o.habit.add(episode{a.Began.Unix(), o.quiet, float64(o.worst)})
		}
		if o.usual {
			return nil, false
		}
		return a, true
	}
	if f.score >= threshold {
		o.worst = max(o.worst, float32(size(f.observed, f.expected)))
	}
	if o.usual && !o.habit.daily(a.Began.Unix(), now, float64(o.worst), loose, severe(a)) { // it lasts longer, or is worse
		o.usual, o.told = false, float32(f.score)
		a.Detected = time.Unix(now, 0).UTC()
		return a, false
	}
	if f.score > a.Score {
		a.Score, a.Observed, a.Sample = f.score, f.observed, f.sample
		a.Once = onceInDays(f.score)
	}
	if a.Score > 1.3*float64(o.told) && !o.usual {
		o.told = float32(a.Score)
		return a, false
	}
	return nil, false
}

// lasting is the longest window that says whether an alarm goes on which one of so many minutes found.
func lasting(minutes int64) int16 {
	if minutes <= 1 {
		return briefWindow
	}
	return int16(max(minutes, shortWindow))
}

// usable says whether a window may speak for a channel: not with what an earlier alarm was about, and while an alarm
// is open not for longer than it takes to see that it is over.
func (o *open) usable(now int64, w span) bool {
	if o.alarm != nil {
		return w.minutes <= int64(o.window)
	}
	return w.minutes <= 1 || now-60*w.minutes >= o.closed
}

func onceInDays(score float64) float64 { return math.Exp(min(score, 50)) / 400 }

// alarmID is the same for the same series and beginning, live and in a replay.
func alarmID(s anomaly.Subject, symptom anomaly.Symptom, began time.Time) string {
	h := sha256.New()
	for _, x := range []string{s.Env, s.Service, s.Operation, s.SpanKind, s.Peer, s.PeerKind, s.Version, s.Instance, s.Metric, s.Label, s.Rule, string(symptom), began.UTC().Format(time.RFC3339)} {
		h.Write([]byte(x))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
