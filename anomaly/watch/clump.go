package watch

// clump learns how many requests of a series come together. Those that one page or one loop makes resemble one another
// and say little more than one of them does. Where requests come one by one, the counts of successive minutes differ as
// those of a Poisson process do, by twice their mean in the square; where they come in clumps, by as many times that as
// a clump is large. What changes slowly, such as the load of the day, does not count.
type clump struct{ square, mean, n float32 }

const (
	clumpMemory = 1.0 / 5760 // a minute: four days
	clumpPrior  = 120        // requests that count as come one by one
)

// learn takes in the requests of two successive minutes.
func (c *clump) learn(before, now float32) {
	c.n = min(c.n+1, 1/clumpMemory)
	d := now - before
	c.square += (d*d/2 - c.square) / c.n
	c.mean += ((now+before)/2 - c.mean) / c.n
}

// size is how many requests come together.
func (c *clump) size() float64 {
	seen := float64(c.mean * c.n)
	return max(1, (float64(c.square*c.n)+clumpPrior)/(seen+clumpPrior))
}

// apart is how many requests that come one by one say as much as so many of these.
func (c *clump) apart(n float64) float64 { return n / c.size() }
