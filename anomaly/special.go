package anomaly

import "math"

// logBetaInc is ln I_x(a, b), the logarithm of the regularized incomplete beta
// function, which holds its digits where the function itself would underflow
// (a burst of errors is e^-900, not 0).
func logBetaInc(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return math.Inf(-1)
	case x >= 1:
		return 0
	case x > (a+1)/(a+b+2):
		return log1mexp(logBetaTail(b, a, 1-x))
	}
	return logBetaTail(a, b, x)
}

// logBetaTail is ln I_x(a, b) by its continued fraction, which converges
// quickly for x below the mean of the distribution.
func logBetaTail(a, b, x float64) float64 {
	front := a*math.Log(x) + b*math.Log1p(-x) + lgamma(a+b) - lgamma(a) - lgamma(b) - math.Log(a)
	return min(0, front+math.Log(betaFraction(a, b, x)))
}

// betaFraction evaluates the continued fraction of the incomplete beta function
// by the method of Lentz (Numerical Recipes, 6.4).
func betaFraction(a, b, x float64) float64 {
	const tiny, enough, terms = 1e-300, 1e-12, 400
	away := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	h := d
	for i := 1; i <= terms; i++ {
		m := float64(i)
		for _, t := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			d = 1 / away(1+t*d)
			c = away(1 + t/c)
			h *= c * d
		}
		if math.Abs(c*d-1) < enough {
			break
		}
	}
	return h
}

// log1mexp is ln(1 − e^x) for x ≤ 0.
func log1mexp(x float64) float64 {
	if x > -math.Ln2 {
		return math.Log(-math.Expm1(x))
	}
	return math.Log1p(-math.Exp(x))
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// nats is the surprise of a one-sided Gaussian deviation of z, −ln P(Z ≥ z).
func nats(z float64) float64 {
	if z > 25 { // Erfc would underflow
		return z*z/2 + math.Log(z) + math.Log(2*math.Pi)/2
	}
	return max(0, -math.Log(math.Erfc(z/math.Sqrt2)/2))
}

// clamp keeps x between lo and hi.
func clamp(x, lo, hi float64) float64 { return max(lo, min(hi, x)) }
