package ingest

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// compilerProfile is the profile that every Go installation brings along: 8,565 stacks of its compiler.
func compilerProfile(b *testing.B) []byte {
	raw, err := os.ReadFile(filepath.Join(runtime.GOROOT(), "src", "cmd", "compile", "default.pgo"))
	if err != nil {
		b.Skip(err)
	}
	p, err := profile.ParseData(raw)
	if err != nil {
		b.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.WriteUncompressed(&out); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// BenchmarkProfileDecode reads a profile whose stacks are known into the columns of a batch.
func BenchmarkProfileDecode(b *testing.B) {
	raw := compilerProfile(b)
	limits := DefaultLimits()
	d := newDecoder(&limits, newResources(10), newSeriesCache(10))
	d.stacks = newStoredStacks(1_000_000)
	now := time.Now()
	d.begin(now.UnixNano())
	body := (&Profile{Resource: map[string]string{"service.name": "shop"}, Type: "cpu", Start: now.UnixNano(), Duration: int64(time.Minute), Pprof: raw}).Append(nil)
	c := newProfileColumns()
	if err := d.profiles(c, body); err != nil {
		b.Fatal(err)
	}
	d.stacks.add(c.batched, now.Unix())
	samples := c.rows()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		c.reset()
		if err := d.profiles(c, body); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(samples), "ns/sample")
}
