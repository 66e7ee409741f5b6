package notify

import (
	"fmt"
	"slices"
	"time"
)

// Window is a part of every week: hours on some days in a time zone. It follows the clock on the wall there, daylight
// saving included.
type Window struct {
	Days []string `json:"days"` // mon … sun, by the day it begins on; empty: every day
	From string   `json:"from"` // 22:00; empty: 00:00
	To   string   `json:"to"`   // 06:00, the next day when not after From; empty: 24:00
	Zone string   `json:"zone"` // Europe/Berlin; empty: UTC
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // by time.Weekday

func (w *Window) check(field string) error {
	if w.Days == nil {
		w.Days = []string{}
	}
	for _, d := range w.Days {
		if !slices.Contains(weekdays, d) {
			return &InputError{field + ".days", fmt.Sprintf("holds %q: use mon, tue, wed, thu, fri, sat, sun", d)}
		}
	}
	for name, v := range map[string]string{"from": w.From, "to": w.To} {
		if _, err := clock(v, 0); err != nil {
			return &InputError{field + "." + name, "must be a time of day such as 09:30"}
		}
	}
	if _, err := time.LoadLocation(w.Zone); err != nil || w.Zone == "Local" {
		return &InputError{field + ".zone", "must be a time zone such as Europe/Berlin"}
	}
	return nil
}

// clock reads a time of day in minutes.
func clock(s string, empty int) (int, error) {
	switch s {
	case "":
		return empty, nil
	case "24:00":
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}

// contains reports whether t lies in the window, which must have been checked. The end is not part of it.
func (w *Window) contains(t time.Time) bool {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil {
		return false
	}
	from, _ := clock(w.From, 0)
	to, _ := clock(w.To, 24*60)
	if to <= from {
		to += 24 * 60
	}
	local := t.In(zone)
	minute := local.Hour()*60 + local.Minute()
	for back, at := range []int{minute, minute + 24*60} { // today's, and yesterday's that goes on past midnight
		day := weekdays[(int(local.Weekday())+7-back)%7]
		if (len(w.Days) == 0 || slices.Contains(w.Days, day)) && from <= at && at < to {
			return true
		}
	}
	return false
}

// within reports whether t lies in one of the windows; no windows: always.
func within(windows []Window, t time.Time) bool {
	return len(windows) == 0 || slices.ContainsFunc(windows, func(w Window) bool { return w.contains(t) })
}
