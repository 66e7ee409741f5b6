package explain

import (
	"math"
	"slices"
)

// failures is a place where failures begin, and how many more than before.
type failures struct {
	node
	before, during float64 // traces in which a failure began here, of all there were
	expected       float64 // during, had nothing changed
	llr            float64 // how much likelier the excess is than chance, nats
	ochiai         float64 // how closely passing here and failing go together, 0..1
	usual          float64 // share of the excess that comes at this time of every day, 0..1
	spans          []*span // failed spans during the incident
}

// excess is how many traces failed here beyond what was usual.
func (f *failures) excess() float64 { return max(0, f.during-f.expected) }

// population says what a sample of failing traces stands for.
type population struct {
	sampled, all float64 // failing traces
	requests     float64 // of the subjects, failing or not
}

// scale is how many failing traces one of the sample stands for.
func (p population) scale() float64 {
	if p.sampled == 0 {
		return 0
	}
	return max(1, p.all/p.sampled)
}

// locate finds where failures begin: the failed span without a failed child, counted once a trace. failing are the
// failing traces of both sides, passing those of the general sample; Ochiai over the two says how specific a place is.
func locate(failing, passing []*tree, before, during population) []*failures {
	places := map[node]*failures{}
	failed := 0.0
	through := map[node][2]float64{} // failing and passing traces of the incident's time that come through
	for _, t := range failing {
		if t.during {
			failed++
		}
		seen := map[node]bool{}
		for _, s := range t.origins() {
			n := s.node
			f := places[n]
			if f == nil {
				f = &failures{node: n}
				places[n] = f
			}
			if t.during {
				f.spans = append(f.spans, s)
			}
			if seen[n] {
				continue
			}
			seen[n] = true
			if t.during {
				f.during++
			} else {
				f.before++
			}
		}
		pass(t, through, 0)
	}
	for _, t := range passing {
		if len(t.origins()) == 0 {
			pass(t, through, 1)
		}
	}
	var out []*failures
	exposure := 1.0
	if before.requests > 0 {
		exposure = during.requests / before.requests
	}
	for n, f := range places {
		f.before *= before.scale()
		f.during *= during.scale()
		f.expected = (f.before + 0.5) * exposure
		f.llr = poisson(f.during, f.expected)
		if c := through[n]; c[0] > 0 {
			f.ochiai = c[0] / math.Sqrt(max(failed, 1)*(c[0]+c[1]))
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *failures) int {
		if c := compare(b.excess(), a.excess()); c != 0 {
			return c
		}
		if c := compare(b.ochiai, a.ochiai); c != 0 {
			return c
		}
		return compareNodes(a.node, b.node)
	})
	return out
}

func pass(t *tree, through map[node][2]float64, side int) {
	if !t.during {
		return
	}
	seen := map[node]bool{}
	for _, s := range t.spans {
		if !seen[s.node] {
			seen[s.node] = true
			c := through[s.node]
			c[side]++
			through[s.node] = c
		}
	}
}

// poisson is how much likelier n is under its own rate than under the expected one, nats; 0 for less than expected.
func poisson(n, expected float64) float64 {
	if n <= expected || n == 0 {
		return 0
	}
	expected = max(expected, 1e-9)
	return n*math.Log(n/expected) - (n - expected)
}
