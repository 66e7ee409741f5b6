package telemetry

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseEndpoint(t *testing.T) {
	f := func(endpoint, address string, secure bool) {
		t.Helper()
		got, tls, err := parseEndpoint(endpoint)
		if err != nil || got != address || tls != secure {
			t.Errorf("parseEndpoint(%q) = %q, %v, %v", endpoint, got, tls, err)
		}
	}
	f("127.0.0.1:4317", "127.0.0.1:4317", false)
	f("localhost:4317", "localhost:4317", false)
	f("[::1]:4317", "[::1]:4317", false)
	f("http://collector:14317", "collector:14317", false)
	f("http://collector", "collector:4317", false)
	f("https://otlp.example.com:443/", "otlp.example.com:443", true)

	for _, endpoint := range []string{"", "4317", "collector", "ftp://collector:4317"} {
		if _, _, err := parseEndpoint(endpoint); err == nil || !strings.Contains(err.Error(), endpoint) {
			t.Errorf("parseEndpoint(%q): error %v should name it", endpoint, err)
		}
	}
}

func TestQuietSaysWhatMattersOnceInAWhile(t *testing.T) {
	var said strings.Builder
	now, away := time.Unix(0, 0), false
	q := &quiet{to: &said, interval: 30 * time.Second, away: func() bool { return away }, now: func() time.Time { return now }}
	says := func(want string) {
		t.Helper()
		if said.String() != want {
			t.Errorf("said %q, want %q", said.String(), want)
		}
		said.Reset()
	}

	q.handle(errors.New("OTLP partial success: 3 spans rejected"))
	says("telemetry: OTLP partial success: 3 spans rejected\n")
	q.handle(errors.New("again"))
	q.handle(errors.New("and again"))
	says("")
	now = now.Add(31 * time.Second)
	q.handle(errors.New("still"))
	says("telemetry: still (and 2 more before)\n")

	now = now.Add(time.Hour)
	q.handle(errors.New(`traces export: rpc error: code = Unavailable desc = connection refused`))
	q.handle(nil)
	says("")
	away = true
	q.handle(errors.New("anything while the endpoint is away"))
	says("")
}
