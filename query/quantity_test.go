package query

import "testing"

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{1010 << 10, "bytes", "0.986 MiB"},
		{1 << 20, "bytes/request", "1 MiB a request"},
		{512, "bytes", "512 B"},
		{52.2e6, "nanoseconds/request", "52.2 ms a request"},
		{1500e9, "nanoseconds", "1500 s"},
		{2.5e9, "nanoseconds/s", "2.5 cores"},
		{12345, "objects/s", "12345 objects a second"},
	} {
		if got := quantity(c.v, c.unit); got != c.want {
			t.Errorf("%g %s: %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}
