package anomaly

// incident is the time from an alarm of one series until it is over. What comes
// meanwhile is not learned; if it lasts, it is the new normal.
type incident struct {
	Open   bool
	Since  int64 // Unix seconds
	Points int32 // since then
	Quiet  int32 // points in a row without surprise
	Shift  float64
}

// observe takes in a residual and its score and tells whether what has gone on
// is now to be adopted as normal.
func (i *incident) observe(at int64, residual, score, threshold float64) (adopt bool) {
	if !i.Open {
		if score >= threshold {
			*i = incident{Open: true, Since: at, Points: 1, Shift: residual}
		}
		return false
	}
	i.Points++
	i.Shift += 0.3 * (residual - i.Shift)
	i.Quiet++
	if score >= threshold*settings.CloseBelow {
		i.Quiet = 0
	}
	if float64(i.Quiet) >= settings.CloseAfter {
		i.Open = false
		return false
	}
	if at-i.Since >= int64(settings.AdoptAfter) && float64(i.Points) >= settings.AdoptPoints {
		i.Open = false
		return true
	}
	return false
}

// points is how many points the incident lasts, 0 without one.
func (i *incident) points() int32 {
	if !i.Open {
		return 0
	}
	return i.Points
}
