package backtest

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func replay(t *testing.T, in, kind string) string {
	t.Helper()
	var out strings.Builder
	if err := Series(strings.NewReader(in), &out, kind); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// made is a series of so many minutes with a spike of ten times the usual at
// the end of every second day.
func made(minutes int) string {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range minutes {
		v := 100 + 20*math.Sin(float64(i)/1440*2*math.Pi) + 3*math.Sin(float64(i*i))
		if i%2880 == 2879 {
			v *= 10
		}
		fmt.Fprintf(&b, "%d,%.3f\n", 1767225600+60*i, v)
	}
	return b.String()
}

func TestEveryRowIsAnswered(t *testing.T) {
	got := replay(t, "region,VALUE,timestamp,label\n"+
		"eu,1.50,2026-03-02T00:00:00Z,0\n"+
		"eu,2,1772409660,1\n"+
		"eu,2,1772409660,1\n"+ // a timestamp again
		"eu,,1772409720,0\n"+ // no value
		"eu,NaN,1772409780.5,0\n"+
		"eu,3e2,2026-03-09T01:00:00+01:00,0\n"+ // a gap
		"eu,4,1772409600,0\n", "auto") // out of order
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	if lines[0] != "timestamp,value,expected,lower,upper,score,anomalous" {
		t.Errorf("header %q", lines[0])
	}
	want := []string{"2026-03-02T00:00:00Z,1.50,", "1772409660,2,", "1772409660,2,", "1772409720,,", "1772409780.5,NaN,", "2026-03-09T01:00:00+01:00,3e2,", "1772409600,4,"}
	if len(lines)-1 != len(want) {
		t.Fatalf("%d rows for %d:\n%s", len(lines)-1, len(want), got)
	}
	for i, w := range want {
		if !strings.HasPrefix(lines[i+1], w) || strings.Count(lines[i+1], ",") != 6 || strings.Contains(lines[i+1][len(w):], "NaN") {
			t.Errorf("row %d is %q, want it to begin with %q", i+1, lines[i+1], w)
		}
	}
}

func TestNoLookAhead(t *testing.T) {
	in := made(4000)
	all := replay(t, in, "auto")
	part := replay(t, strings.Join(strings.SplitAfter(in, "\n")[:2500], ""), "auto")
	if !strings.HasPrefix(all, part) {
		t.Error("rows to come change an answer")
	}
}

func TestSpikesAreFound(t *testing.T) {
	for _, kind := range []string{"auto", "latency", "count", "gauge"} {
		rows := strings.Split(replay(t, made(4*2880), kind), "\n")[1:]
		found, other := 0, 0
		for i, row := range rows {
			if !strings.HasSuffix(row, ",1") {
				continue
			}
			if i%2880 == 2879 {
				found++
			} else {
				other++
			}
		}
		if found < 3 || other > 2 {
			t.Errorf("%s: %d of 4 spikes and %d other points", kind, found, other)
		}
	}
}

func TestBadInput(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "header",
		"time,value\n1,2\n":             "want columns timestamp and value",
		"timestamp,value\nmonday,1\n":   "line 2: timestamp \"monday\"",
		"timestamp,value\n1,2\n3,x\n":   "line 3: value \"x\"",
		"timestamp,value\n1\n":          "line 2 has 1 columns",
		"timestamp,value\n1,\"2\n3,4\n": "read series",
	} {
		err := Series(strings.NewReader(in), &strings.Builder{}, "auto")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", in, err, want)
		}
	}
	if err := Series(strings.NewReader(made(1)), &strings.Builder{}, "speed"); err == nil {
		t.Error("an unknown kind is accepted")
	}
}

func BenchmarkSeries(b *testing.B) {
	in := made(10000)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		if err := Series(strings.NewReader(in), &strings.Builder{}, "auto"); err != nil {
			b.Fatal(err)
		}
	}
}
