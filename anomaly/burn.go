package anomaly

import "time"

// Burn keeps the last six hours of an SLO by the minute and tells how fast its
// error budget burns. The zero value is ready to use; it takes 2.9 KB.
type Burn struct {
	Total [burnMinutes]float32 `json:"total"`
	Bad   [burnMinutes]float32 `json:"bad"`
	Last  int64                `json:"last"` // the minute, since 1970, last written
}

const burnMinutes = 6 * 60

// BurnWindow is a pair of windows over which the budget must burn at Factor
// times the rate that would just use it up: the long one so that it matters,
// the short one so that it still goes on.
type BurnWindow struct {
	Long, Short time.Duration
	Factor      float64
}

// BurnWindows are those of the SRE Workbook for a page (2 % of a 30-day budget
// in an hour) and for an urgent ticket (5 % in six hours).
var BurnWindows = [2]BurnWindow{
	{Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4},
	{Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 6},
}

// BurnRate is how fast the budget burns over one BurnWindow.
type BurnRate struct {
	BurnWindow
	LongRate, ShortRate float64 // 1 uses the budget up exactly at the period's end
	Burning             bool
}

// Add takes in bad of total requests at t; times may come late by up to six
// hours, and what is older is left out.
func (b *Burn) Add(t time.Time, total, bad float64) {
	m := t.Unix() / 60
	if b.Last == 0 {
		b.Last = m
	}
	b.advance(m)
	if m <= b.Last-burnMinutes {
		return
	}
	i := m % burnMinutes
	b.Total[i] += float32(total)
	b.Bad[i] += float32(bad)
}

// Set is Add for a minute that is counted anew: what was known of it is replaced.
func (b *Burn) Set(t time.Time, total, bad float64) {
	m := t.Unix() / 60
	if b.Last == 0 {
		b.Last = m
	}
	b.advance(m)
	if m > b.Last-burnMinutes {
		b.Total[m%burnMinutes], b.Bad[m%burnMinutes] = float32(total), float32(bad)
	}
}

// advance empties the minutes from the last one written up to m.
func (b *Burn) advance(m int64) {
	for k := max(b.Last+1, m-burnMinutes+1); k <= m; k++ {
		b.Total[k%burnMinutes], b.Bad[k%burnMinutes] = 0, 0
	}
	b.Last = max(b.Last, m)
}

// Rates gives the burn rates at t for an objective such as 0.999.
func (b *Burn) Rates(t time.Time, objective float64) [len(BurnWindows)]BurnRate {
	var out [len(BurnWindows)]BurnRate
	b.advance(t.Unix() / 60)
	for i, w := range BurnWindows {
		r := BurnRate{BurnWindow: w, LongRate: b.rate(w.Long, objective), ShortRate: b.rate(w.Short, objective)}
		r.Burning = r.LongRate >= w.Factor && r.ShortRate >= w.Factor
		out[i] = r
	}
	return out
}

// Requests is how many requests came in the last d, up to six hours.
func (b *Burn) Requests(d time.Duration) float64 {
	total, _ := b.count(d)
	return total
}

// Failed is how many of them were bad.
func (b *Burn) Failed(d time.Duration) float64 {
	_, bad := b.count(d)
	return bad
}

func (b *Burn) count(d time.Duration) (total, bad float64) {
	for k := range min(int64(d/time.Minute), burnMinutes) {
		if m := b.Last - k; m >= 0 {
			total += float64(b.Total[m%burnMinutes])
			bad += float64(b.Bad[m%burnMinutes])
		}
	}
	return total, bad
}

// rate is the share of bad requests over the last d, in budgets.
func (b *Burn) rate(d time.Duration, objective float64) float64 {
	total, bad := b.count(d)
	if total == 0 || objective >= 1 {
		return 0
	}
	return bad / total / (1 - objective)
}
