package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// amount writes a value in its unit.
func amount(v float64, unit string) string {
	if unit == "/s" {
		return rate(v)
	}
	return anomaly.Amount(v, unit)
}

// rate writes requests a second.
func rate(v float64) string {
	switch {
	case v == 0:
		return "none"
	case v < 1:
		return anomaly.Tenths(v*60) + "/min"
	case v < 10:
		return anomaly.Tenths(v) + "/s"
	}
	return fmt.Sprintf("%.0f/s", v)
}

// span writes how long something took.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 90*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 90*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return anomaly.Tenths(d.Hours()) + " h"
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

func thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// shorten cuts a text to n runes.
func shorten(s string, n int) string {
	s = strings.ToValidUTF8(s, "�")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
