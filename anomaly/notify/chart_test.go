package notify

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"testing"
	"time"
)

// look, when set, is a file the chart is written to for a person to look at.
var look = os.Getenv("TIDEMARK_LOOK")

func chartOf(t testing.TB) drawing {
	t.Helper()
	inc := exampleIncident(noon)
	a := inc.Alarms[0]
	return drawing{Series: exampleSeries(a, noon), title: chartTitle(a), began: a.Began, zone: time.UTC, color: chartColor(inc.Severity)}
}

func TestChartShowsLineBandAndMarker(t *testing.T) {
	d := chartOf(t)
	b, err := d.png()
	if err != nil {
		t.Fatal(err)
	}
	if look != "" {
		if err := os.WriteFile(look, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if s := img.Bounds().Size(); s.X != chartWidth || s.Y != chartHeight {
		t.Errorf("it is %v", s)
	}
	seen := map[[3]uint8]int{}
	for y := range chartHeight {
		for x := range chartWidth {
			r, g, bl, _ := img.At(x, y).RGBA()
			seen[[3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(bl >> 8)}]++
		}
	}
	for name, c := range map[string][3]uint8{"line": {line.R, line.G, line.B}, "band": {bandColor.R, bandColor.G, bandColor.B}, "abnormal": {d.color.R, d.color.G, d.color.B}} {
		if seen[c] < 200 {
			t.Errorf("%d pixels of the %s", seen[c], name)
		}
	}
	if len(b) > 16<<10 {
		t.Errorf("%d bytes: Teams takes no more than about 15 KB of an image", len(b))
	}
}

// A chart with gaps, without a band, of one value or of nothing must not fail.
func TestChartOfOddSeries(t *testing.T) {
	nan := math.NaN()
	times := []time.Time{noon.Add(-2 * time.Minute), noon.Add(-time.Minute), noon}
	for name, tt := range map[string]struct {
		series Series
		drawn  bool
	}{
		"nothing":  {Series{}, false},
		"unknown":  {Series{TS: times, Value: []float64{nan, nan, nan}}, false},
		"zeros":    {Series{TS: times, Value: []float64{0, 0, 0}, Unit: "1"}, true},
		"gap":      {Series{TS: times, Value: []float64{1, nan, 2}}, true},
		"negative": {Series{TS: times, Value: []float64{-5, -6, -7}, Lower: []float64{nan, -8, -8}, Upper: []float64{nan, -4, -4}}, true},
		"large":    {Series{TS: times, Value: []float64{1e15, 2e15, 1e18}, Unit: "By"}, true},
	} {
		b, err := drawing{Series: tt.series, title: "x", began: noon.Add(-time.Minute), zone: time.UTC, color: chartColor("critical")}.png()
		if err != nil || (len(b) > 0) != tt.drawn {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func BenchmarkChart(b *testing.B) {
	d := chartOf(b)
	for b.Loop() {
		if _, err := d.png(); err != nil {
			b.Fatal(err)
		}
	}
}

// What is told seconds after it began shows in the chart, although the step it began in is not complete.
func TestChartReachesTheAlarm(t *testing.T) {
	a := incident().Alarms[0]
	a.Detected = noon.Add(-5 * time.Second)
	s := Series{TS: []time.Time{noon.Add(-100 * time.Second), noon.Add(-90 * time.Second)}, Value: []float64{0, 0}, Expected: []float64{.002, .002}, Upper: []float64{.01, .01}}
	got := s.reach(a, noon)
	if n := len(got.TS); n != 3 || !got.TS[2].Equal(a.Detected) || got.Value[2] != a.Observed || got.Upper[2] != .01 || len(got.Lower) != 0 || len(s.TS) != 2 {
		t.Errorf("%+v", got)
	}
	s.TS[1] = a.Began
	if got := s.reach(a, noon); len(got.TS) != 2 {
		t.Errorf("it was reached already: %+v", got)
	}
}
