package anomaly

import "math"

// peaks remembers where the last few bursts went. One that goes where several
// before it went, to a few percent of the way, is a job that moves the same
// amount each time, whatever the hour: it surprises less with each.
type peaks struct {
	Value [peaksKept]float32
	Seen  [peaksKept]uint16 // hours since 1970, modulo 2^16
	Len   int32             // bursts kept
	Next  int32             // place of the next
	Since float64           // values since the last of them
}

const (
	peaksKept = 8
	peaksDays = 14
)

// observe gives the share that is left of the surprise at x, and learns x if it
// is a burst.
func (p *peaks) observe(x, expected float64, hour uint16, surprise float64) (left float64) {
	left = 1 / (1 + settings.Peak*max(0, p.alike(x, expected, hour)-1))
	p.Since++
	if surprise > settings.PeakAbove && p.Since >= runGap {
		p.Value[p.Next], p.Seen[p.Next] = float32(x), hour
		p.Next = (p.Next + 1) % peaksKept
		p.Len = min(p.Len+1, peaksKept)
		p.Since = 0
	}
	return left
}

// alike is how many of the bursts went where x went from what was expected.
func (p *peaks) alike(x, expected float64, hour uint16) (n float64) {
	near := settings.PeakNear * math.Abs(x-expected)
	for i, v := range p.Value[:p.Len] {
		if hour-p.Seen[i] < peaksDays*24 && math.Abs(x-float64(v)) <= near {
			n++
		}
	}
	return n
}
