package notify

import (
	"errors"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

func TestWindows(t *testing.T) {
	office := Window{Days: []string{"mon", "tue", "wed", "thu", "fri"}, From: "09:00", To: "17:30", Zone: "Europe/Berlin"}
	night := Window{Days: []string{"sat"}, From: "22:00", To: "06:00", Zone: "America/New_York"}
	for _, tt := range []struct {
		w    Window
		at   string
		want bool
	}{
		{office, "2026-11-20T08:00:00Z", true}, // 09:00 in winter
		{office, "2026-11-20T07:59:59Z", false},
		{office, "2026-11-20T16:30:00Z", false},
		{office, "2026-07-17T07:00:00Z", true}, // 09:00 in summer
		{office, "2026-11-21T10:00:00Z", false},
		{night, "2026-11-22T02:59:59Z", false},
		{night, "2026-11-22T03:00:00Z", true}, // Saturday 22:00
		{night, "2026-11-22T10:59:00Z", true}, // Sunday 05:59, the night of Saturday
		{night, "2026-11-22T11:00:00Z", false},
		{night, "2026-11-23T04:00:00Z", false},
		{Window{}, "2026-11-22T11:00:00Z", true},
		{Window{From: "12:00", To: "12:00"}, "2026-11-22T11:00:00Z", true}, // the whole day
		{Window{From: "23:00", To: "24:00"}, "2026-11-22T23:59:59Z", true},
		// The night in which clocks go forward in Berlin: 02:30 is not there, the window ends at 03:30 all the same.
		{Window{From: "01:30", To: "03:30", Zone: "Europe/Berlin"}, "2026-03-29T00:45:00Z", true},
		{Window{From: "01:30", To: "03:30", Zone: "Europe/Berlin"}, "2026-03-29T01:29:00Z", true},
		{Window{From: "01:30", To: "03:30", Zone: "Europe/Berlin"}, "2026-03-29T01:31:00Z", false},
		// And back: 02:30 is there twice.
		{Window{From: "02:00", To: "03:00", Zone: "Europe/Berlin"}, "2026-10-25T00:30:00Z", true},
		{Window{From: "02:00", To: "03:00", Zone: "Europe/Berlin"}, "2026-10-25T01:30:00Z", true},
	} {
		at, err := time.Parse(time.RFC3339, tt.at)
		if err != nil {
			t.Fatal(err)
		}
		if err := tt.w.check("w"); err != nil {
			t.Fatal(err)
		}
		if got := tt.w.contains(at); got != tt.want {
			t.Errorf("%+v at %s: %v", tt.w, tt.at, got)
		}
	}
	for _, w := range []Window{{Days: []string{"Montag"}}, {From: "25:00"}, {To: "9"}, {Zone: "Mars/Base"}, {Zone: "Local"}} {
		var input *InputError
		if err := w.check("w"); !errors.As(err, &input) {
			t.Errorf("%+v is taken: %v", w, err)
		}
	}
}

func TestSilencesCoverTheOrigin(t *testing.T) {
	m := Match{Services: []string{"pay*"}}
	at := func(origin string, services ...string) *anomaly.Incident {
		inc := &anomaly.Incident{Severity: "critical", Services: services}
		if origin != "" {
			inc.RootCauses = []anomaly.RootCause{{Service: origin}}
		}
		return inc
	}
	for _, tt := range []struct {
		inc              *anomaly.Incident
		covered, touched bool
	}{
		{at("payment", "payment", "checkout"), true, true},
		{at("checkout", "payment", "checkout"), false, true}, // it begins elsewhere
		{at("", "payment", "checkout"), false, true},         // it may begin elsewhere
		{at("", "payment", "payout"), true, true},
		{at("search", "search"), false, false},
		{at(""), false, false},
	} {
		if got := m.covers(tt.inc); got != tt.covered {
			t.Errorf("%+v: covered %v", tt.inc, got)
		}
		if got := m.touches(tt.inc); got != tt.touched {
			t.Errorf("%+v: touched %v", tt.inc, got)
		}
	}
}

func TestMaintenanceWindow(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) // a Saturday
	s := Silence{Every: &Window{Days: []string{"sun"}, From: "02:00", To: "04:00", Zone: "UTC"}}
	if err := s.check(now); err != nil {
		t.Fatal(err)
	}
	inc := &anomaly.Incident{Services: []string{"x"}}
	for days, want := range map[int]bool{1: true, 2: false, 8: true, 15: true} {
		at := time.Date(2026, 11, 21+days, 3, 0, 0, 0, time.UTC)
		if got := s.holds(inc, at); got != want {
			t.Errorf("%v: %v", at, got)
		}
	}
	end := now.Add(9 * 24 * time.Hour)
	s.EndsAt = &end
	if s.holds(inc, time.Date(2026, 12, 6, 3, 0, 0, 0, time.UTC)) {
		t.Error("it goes on after its end")
	}
}

func TestRoutingThatIsRefused(t *testing.T) {
	for name, r := range map[string]Routing{
		"unknown channel":  {Routes: []Route{{Channels: []string{"c2"}}}},
		"unknown severity": {Routes: []Route{{Match: Match{Severities: []anomaly.Severity{"bad"}}}}},
		"bad pattern":      {Routes: []Route{{Match: Match{Services: []string{"[a"}}}}},
		"short repeat":     {Routes: []Route{{RepeatMinutes: 1}}},
		"long wait":        {Routes: []Route{{GroupWaitSeconds: 9999}}},
		"bad zone":         {Zone: "Mars"},
		"bad equal":        {Inhibit: []Inhibition{{Equal: []string{"pod"}}}},
	} {
		var input *InputError
		if err := r.check([]string{"c1"}); !errors.As(err, &input) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
