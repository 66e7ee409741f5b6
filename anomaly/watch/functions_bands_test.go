package watch

import (
	"math"
	"testing"
)

// TestWhatAFunctionIsExpectedToCost: what is usual lies within the band, a step out of it, and after four hours it is
// what is usual.
func TestWhatAFunctionIsExpectedToCost(t *testing.T) {
	var points []costPoint
	for i := range 120 { // ten hours of blocks
		n := 200.0 + float64(i*7%11) - 5
		if i >= 48 {
			n *= 3
		}
		points = append(points, costPoint{at: int64(i) * costBlock, value: n * 1e7, whole: 1000e7 + n*1e7, samples: 1000 + n, requests: 600})
	}
	expectCosts(points)
	for i, p := range points {
		v := p.value / p.requests
		within := v >= p.lower && v <= p.upper
		switch {
		case i < leastCostPoints:
			if !math.IsNaN(p.expected) {
				t.Errorf("point %d: %g is expected of nothing", i, p.expected)
			}
		case i < 48 && !within:
			t.Errorf("point %d: %g is not between %g and %g", i, v, p.lower, p.upper)
		case i >= 48 && i < 48+adoptAfter/costBlock && v <= p.upper:
			t.Errorf("point %d: %g is threefold and expected: up to %g", i, v, p.upper)
		case i > 48+adoptAfter/costBlock && !within:
			t.Errorf("point %d, after it has become normal: %g is not between %g and %g", i, v, p.lower, p.upper)
		}
		if i >= leastCostPoints && (p.upper-p.lower) > 1.5*p.expected {
			t.Errorf("point %d: the band from %g to %g is wide for %g", i, p.lower, p.upper, p.expected)
		}
	}
}
