package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// amount writes a value in its unit.
func amount(v float64, unit string) string {
	switch unit {
	case "ns":
		return elapsed(v)
	case "1":
		return percent(v)
	case "/s":
		return rate(v)
	case "By":
		return bytesText(v)
	case "s":
		return elapsed(v * 1e9)
	case "{cpu}":
		return fmt.Sprintf("%.2g cores", v)
	}
	if strings.HasPrefix(unit, "{") { // things that are counted: the name before it says which
		return trim(fmt.Sprintf("%.1f", v))
	}
	return strings.TrimSpace(fmt.Sprintf("%.4g %s", v, unit))
}

// percent writes a ratio.
func percent(v float64) string {
	switch v *= 100; {
	case v == 0:
		return "0 %"
	case v > 0 && v < 0.1:
		return "under 0.1 %"
	case v < 10:
		return trim(fmt.Sprintf("%.1f", v)) + " %"
	}
	return fmt.Sprintf("%.0f %%", v)
}

func trim(s string) string { return strings.TrimSuffix(s, ".0") }

// elapsed writes nanoseconds.
func elapsed(ns float64) string {
	switch d := time.Duration(ns); {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return trim(fmt.Sprintf("%.1f", d.Seconds())) + " s"
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= 100*time.Microsecond:
		return trim(fmt.Sprintf("%.1f", float64(d)/1e6)) + " ms"
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

// rate writes requests a second.
func rate(v float64) string {
	switch {
	case v == 0:
		return "none"
	case v < 1:
		return trim(fmt.Sprintf("%.1f", v*60)) + "/min"
	case v < 10:
		return trim(fmt.Sprintf("%.1f", v)) + "/s"
	}
	return fmt.Sprintf("%.0f/s", v)
}

func bytesText(v float64) string {
	for _, u := range []string{"B", "kB", "MB", "GB"} {
		if v < 999.5 {
			return fmt.Sprintf("%.3g %s", v, u)
		}
		v /= 1000
	}
	return fmt.Sprintf("%.4g TB", v)
}

// span writes how long something took.
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 90*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 90*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return trim(fmt.Sprintf("%.1f", d.Hours())) + " h"
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
