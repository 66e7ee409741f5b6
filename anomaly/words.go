package anomaly

import (
	"fmt"
	"strings"
	"time"
)

// Amount writes a value in its unit (UCUM, as in OpenTelemetry) for people: "1.2 ms", "13 %", "4.5 MiB".
func Amount(v float64, unit string) string {
	switch unit {
	case "ns":
		return Elapsed(v)
	case "s":
		return Elapsed(v * 1e9)
	case "1":
		return Percent(v)
	case "By":
		return Bytes(v)
	case "{cpu}":
		return fmt.Sprintf("%.2g cores", v)
	}
	if strings.HasPrefix(unit, "{") { // things that are counted: the name before it says which
		return Tenths(v)
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s", v, unit))
}

// Percent writes a ratio.
func Percent(v float64) string {
	switch v *= 100; {
	case v == 0:
		return "0 %"
	case v > 0 && v < 0.1:
		return "under 0.1 %"
	case v < 10:
		return Tenths(v) + " %"
	}
	return fmt.Sprintf("%.0f %%", v)
}

// Elapsed writes nanoseconds.
func Elapsed(ns float64) string {
	switch d := time.Duration(ns); {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d >= time.Second:
		return Tenths(d.Seconds()) + " s"
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", float64(d)/1e6)
	case d >= 100*time.Microsecond:
		return Tenths(float64(d)/1e6) + " ms"
	}
	return fmt.Sprintf("%.0f µs", ns/1e3)
}

// Bytes writes an amount of memory.
func Bytes(v float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if v < 999.5 {
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.4g TiB", v)
}

// Tenths writes a number with one decimal, or none where that would be 0.
func Tenths(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
