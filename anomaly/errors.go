package anomaly

import "math"

// Errors judges the share of failed requests of one operation, online. It
// learns the usual share as decayed counts and is surprised by a number of
// errors that neither that share nor its own uncertainty explains
// (beta-binomial). Because with a million requests the smallest change is
// certain, it also asks for a change that matters: the Wilson lower bound of
// the share now must lie above the usual share by MinRise or by that share
// itself, whichever is more. The zero value is ready to use.
type Errors struct {
	Good float64 `json:"good"` // decayed count of requests that did not fail
	Bad  float64 `json:"bad"`  // decayed count of requests that failed
}

const (
	// MinRise is the least increase of an error share worth an alarm: half a
	// percentage point.
	MinRise = 0.005
	// Before anything is known, two requests in a thousand fail, which counts
	// as much as 250 requests seen.
	priorGood, priorBad = 249.5, 0.5
	// The usual share varies by itself: however many requests were counted, it
	// is never held for surer than this many would make it.
	maxErrorTrials = 5000
	wilsonZ        = 2.576 // 99 % confidence, two-sided
)

// Usual is the learned share of failed requests.
func (e *Errors) Usual() float64 {
	return (e.Bad + priorBad) / (e.Good + e.Bad + priorGood + priorBad)
}

// Judge gives the verdict on bad failures among n requests, without learning.
// Score is 0 unless the rise also matters.
func (e *Errors) Judge(n, bad, threshold float64) Verdict {
	usual := e.Usual()
	v := Verdict{Expected: usual, Upper: usual + max(MinRise, usual), Threshold: threshold, Channel: ChannelErrors}
	if !(n > 0) || bad < 0 || bad > n {
		return v
	}
	v.Value = bad / n
	if WilsonLower(bad, n) <= v.Upper {
		return v
	}
	trials := min(e.Good+e.Bad+priorGood+priorBad, maxErrorTrials)
	v.Score = betaBinomialTail(bad, n, usual*trials, (1-usual)*trials)
	v.Anomalous = v.Score >= threshold
	return v
}

// Learn takes in bad failures among n requests; decay in (0, 1] is what the
// older counts are multiplied with (half-life h and step s: 2^(−s/h)).
func (e *Errors) Learn(n, bad, decay float64) {
	if !(n >= bad) || bad < 0 {
		return
	}
	e.Good = e.Good*decay + n - bad
	e.Bad = e.Bad*decay + bad
}

// WilsonLower is the lower end of the 99 % confidence interval for the share
// when bad of n failed.
func WilsonLower(bad, n float64) float64 {
	if !(n > 0) {
		return 0
	}
	const z = wilsonZ
	p := bad / n
	half := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max(0, (p+z*z/(2*n)-half)/(1+z*z/n))
}

// betaBinomialTail is −ln P(X ≥ bad) for n trials whose share is drawn from a
// beta distribution (a, b). For many trials the sum is replaced by a beta
// distribution with the same mean and variance, so that the cost is bounded.
func betaBinomialTail(bad, n, a, b float64) float64 {
	mean := n * a / (a + b)
	if bad <= mean {
		return 0
	}
	const exact = 2000
	if n > exact {
		p := a / (a + b)
		precision := 1/(1/n+1/(a+b+1)) - 1
		return max(0, -logBetaInc((1-p)*precision, p*precision, 1-(bad-0.5)/n))
	}
	log := lgamma(n+1) - lgamma(bad+1) - lgamma(n-bad+1) +
		lgamma(bad+a) + lgamma(n-bad+b) - lgamma(n+a+b) + lgamma(a+b) - lgamma(a) - lgamma(b)
	sum, term := 1.0, 1.0
	for x := bad; x < n && term > 1e-9*sum; x++ {
		term *= (n - x) / (x + 1) * (x + a) / (n - x - 1 + b)
		sum += term
	}
	return max(0, -log-math.Log(sum))
}
