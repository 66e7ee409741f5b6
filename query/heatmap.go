package query

import (
	"context"
	"math"

	"github.com/tidemarkhq/tidemark/store"
)

// HeatmapAnswer is a latency distribution over time: Cells[x*n+y] counts what took BoundsNS[y] to BoundsNS[y+1] in
// step x, with n = len(BoundsNS)-1.
type HeatmapAnswer struct {
	Range    Range      `json:"range"`
	BoundsNS []float64  `json:"bounds_ns"`
	Cells    []uint64   `json:"cells"`
	P50      []*float64 `json:"p50_ns"`
	P95      []*float64 `json:"p95_ns"`
	P99      []*float64 `json:"p99_ns"`
}

// heatRows is about how many latency rows a heatmap has.
const heatRows = 40

// Heatmap answers the latency distribution of a selection over time.
func (db *DB) Heatmap(ctx context.Context, w Window, s Selection) (*HeatmapAnswer, error) {
	r := db.lay(w, 0, 120)
	var cells []cell
	if err := db.cells(ctx, r, s, "", func(c cell) { cells = append(cells, c) }); err != nil {
		return nil, err
	}
	return layHeat(r, cells), nil
}

// layHeat folds fine buckets into rows of equal ratio that span what occurred.
func layHeat(r Range, cells []cell) *HeatmapAnswer {
	n := r.Points()
	ans := &HeatmapAnswer{Range: r, BoundsNS: []float64{}, Cells: []uint64{}, P50: make([]*float64, n), P95: make([]*float64, n), P99: make([]*float64, n)}
	low, high := int16(math.MaxInt16), int16(0)
	for _, c := range cells {
		if len(c.buckets) > 0 {
			low, high = min(low, c.buckets[0]), max(high, c.buckets[len(c.buckets)-1])
		}
	}
	if low > high {
		return ans
	}
	width := int16(1)
	for (high-low)/width+1 > heatRows {
		width *= 2
	}
	first := (low - 1) - ((low-1)%width+width)%width // the bucket below the first row
	rows := int((high-first-1)/width) + 1
	for y := 0; y <= rows; y++ {
		ans.BoundsNS = append(ans.BoundsNS, store.LatencyBound(first+int16(y)*width))
	}
	ans.Cells = make([]uint64, n*rows)
	for _, c := range cells {
		for k, b := range c.buckets {
			ans.Cells[c.i*rows+int((b-first-1)/width)] += c.counts[k]
		}
		q := quantiles(c.buckets, c.counts, .5, .95, .99)
		ans.P50[c.i], ans.P95[c.i], ans.P99[c.i] = q[0], q[1], q[2]
	}
	return ans
}
