package watch

// cell is what came in one step of time: requests, failures, and where the latencies of those requests lie in the
// distribution that is usual for the series. It adds up, so that a window is a sum.
type cell struct {
	n    float32 // requests
	bad  float32 // of them failed
	rank float32 // Σ (usual share of faster requests − ½): 0 on average when nothing has changed
	tail float32 // requests beyond the usual 90th percentile
	log  float32 // Σ ln(latency)
}

func (c *cell) add(o cell) {
	c.n += o.n
	c.bad += o.bad
	c.rank += o.rank
	c.tail += o.tail
	c.log += o.log
}

const (
	fineStep  = 10 // seconds
	fineCells = 18 // three minutes
	minutes   = 32
)

// spans are the windows that are judged, in minutes. Those of 20 and 60 s exist only where steps are of 10 s.
var spans = [...]int64{1, 3, 10, 30}

// ring holds the last three minutes of a series in steps of 10 s and its last half hour by the minute. A minute is
// settled once no more of it is expected; until then it is read from the fine steps.
type ring struct {
	fine    [fineCells]packed
	minute  [minutes]packed
	mu      [minutes]small // requests expected in it
	newest  int64          // the newest fine step, Unix seconds / 10
	settled int64          // the newest settled minute, Unix seconds / 60
}

// reach empties the fine steps up to one that time has reached.
func (r *ring) reach(step int64) {
	for s := max(r.newest+1, step-fineCells+1); s <= step; s++ {
		r.fine[s%fineCells] = packed{}
	}
	r.newest = max(r.newest, step)
}

// add adds to a fine step.
func (r *ring) add(step int64, c cell) {
	r.reach(step)
	if step > r.newest-fineCells {
		at := &r.fine[step%fineCells]
		if at.n != 0 {
			c.add(at.cell())
		}
		*at = c.pack()
	}
}

// clear empties so many fine steps up to last, which are about to be read again.
func (r *ring) clear(last, steps int64) {
	r.reach(last)
	for s := last - steps + 1; s <= last; s++ {
		if s > r.newest-fineCells && s >= 0 {
			r.fine[s%fineCells] = packed{}
		}
	}
}

// settle closes a minute: c in all, where mu requests were expected. What lies between the last one and this one was
// not seen.
func (r *ring) settle(minute int64, c cell, mu float64) {
	for m := max(r.settled+1, minute-minutes+1); m < minute; m++ {
		r.minute[m%minutes], r.mu[m%minutes] = packed{}, 0
	}
	r.minute[minute%minutes], r.mu[minute%minutes] = c.pack(), pack(float32(mu))
	r.settled = max(r.settled, minute)
}

// fineMinute adds up the fine steps of a minute.
func (r *ring) fineMinute(minute int64) cell {
	var c cell
	for s := minute * 6; s < minute*6+6; s++ {
		if s <= r.newest && s > r.newest-fineCells {
			c.add(r.fine[s%fineCells].cell())
		}
	}
	return c
}

// span is one window: what came, what was expected, and how many minutes it covers.
type span struct {
	cell
	mu      float64
	minutes int64
	fine    bool
}

// windows adds up the windows that end at now, up to the longest, in minutes, that is wanted. perMinute are the requests
// expected in a minute by now.
func (r *ring) windows(now, longest int64, fine bool, perMinute float64, out []span) []span {
	var sum cell
	mu := 0.0
	if fine {
		var short cell
		for back := range int64(6) {
			if s := now/fineStep - 1 - back; s > r.newest-fineCells && s <= r.newest {
				short.add(r.fine[s%fineCells].cell())
			}
			if back == 1 || back == 5 {
				out = append(out, span{cell: short, mu: perMinute * float64(back+1) / 6, fine: true})
			}
		}
		for s := (r.settled + 1) * 6; s < now/fineStep; s++ {
			if s > r.newest-fineCells && s <= r.newest {
				sum.add(r.fine[s%fineCells].cell())
			}
			mu += perMinute / 6
		}
	}
	last := now/60 - 1
	k := 0
	for back := range int64(minutes) {
		m := last - back
		if m <= r.settled && m > r.settled-minutes {
			sum.add(r.minute[m%minutes].cell())
			mu += float64(r.mu[m%minutes].float())
		}
		if back+1 == spans[k] {
			out = append(out, span{cell: sum, mu: mu, minutes: spans[k]})
			if k++; back+1 >= longest {
				break
			}
		}
	}
	return out
}

// closed adds up the windows that end with a settled minute and do not overlap those of their length before.
func (r *ring) closed(minute int64, out []span) []span {
	var sum cell
	mu := 0.0
	k := 0
	for back := range int64(minutes) {
		if m := minute - back; m <= r.settled && m > r.settled-minutes {
			sum.add(r.minute[m%minutes].cell())
			mu += float64(r.mu[m%minutes].float())
		}
		if back+1 < spans[k] {
			continue
		}
		out = append(out, span{cell: sum, mu: mu, minutes: spans[k]})
		for k++; k < len(spans) && (minute+1)%spans[k] != 0; k++ {
			out = append(out, span{minutes: spans[k]}) // not now
		}
		if k == len(spans) {
			break
		}
	}
	return out
}

// unsettled is how many requests came since the newest settled minute.
func (r *ring) unsettled(now int64) float64 {
	n := 0.0
	for s := max((r.settled+1)*6, r.newest-fineCells+1); s <= min(r.newest, now/fineStep-1); s++ {
		n += float64(r.fine[s%fineCells].n.float())
	}
	return n
}

// onset looks back over a window of so many minutes for the minute from which on badness, whose sum measures what is
// wrong and whose weight is its variance, is most marked. It gives Unix seconds.
func (r *ring) onset(now, window int64, badness func(c cell, mu float64) (sum, weight float64)) int64 {
	last := now/60 - 1
	best, at := 0.0, now-60*window
	var sum, weight float64
	for back := range max(window, 1) {
		m := last - back
		var c cell
		var mu float64
		switch {
		case m > r.settled:
			c = r.fineMinute(m)
		case m > r.settled-minutes:
			c, mu = r.minute[m%minutes].cell(), float64(r.mu[m%minutes].float())
		}
		s, w := badness(c, mu)
		sum, weight = sum+s, weight+w
		if sum > 0 && weight > 0 && sum*sum/weight > best {
			best, at = sum*sum/weight, m*60
		}
	}
	return at
}

// onsetFine is the same by steps of 10 s, over the last three minutes.
func (r *ring) onsetFine(now int64, badness func(c cell, mu float64) (sum, weight float64)) int64 {
	best, at := 0.0, now/fineStep-1
	var sum, weight float64
	for s := now/fineStep - 1; s > r.newest-fineCells; s-- {
		if s > r.newest {
			continue
		}
		more, of := badness(r.fine[s%fineCells].cell(), 0)
		sum, weight = sum+more, weight+of
		if sum > 0 && weight > 0 && sum*sum/weight > best {
			best, at = sum*sum/weight, s
		}
	}
	return at * fineStep
}
