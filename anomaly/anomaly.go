// Package anomaly decides online whether a number is normal for its series. It
// is pure: functions of numbers and times, no I/O and no clock, so that a
// replay of stored history decides exactly as the live product did. Its main
// type is Detector, one per series in a few kilobytes: it learns the level, the
// shape of the day and the noise, and says with how much surprise (in nats,
// −ln p) each new value comes. Beside it stand the channels for requests that
// come as counts and distributions: CountSurprise, Errors, Latency, Drift and
// Burn. Invariant: a verdict depends on what was observed before it and on
// nothing else. How a verdict comes about is told in docs/detection.md.
package anomaly

import (
	"fmt"
	"math"
)

// Kind is what the numbers of a series are.
type Kind string

// Kinds. Auto makes no assumption: how the noise grows with the level is
// learned.
const (
	KindAuto    Kind = "auto"
	KindLatency Kind = "latency" // positive, judged by ratios: ln x
	KindCount   Kind = "count"   // not negative, noise like a root: 2√(x + 3/8)
	KindRatio   Kind = "ratio"   // a share, usually within 0 and 1
	KindGauge   Kind = "gauge"   // anything else
)

// ParseKind reads a Kind by its name; the empty name is KindAuto.
func ParseKind(name string) (Kind, error) {
	switch k := Kind(name); k {
	case "":
		return KindAuto, nil
	case KindAuto, KindLatency, KindCount, KindRatio, KindGauge:
		return k, nil
	}
	return "", fmt.Errorf("kind %q: want auto, latency, count, ratio or gauge", name)
}

// Channel is what made a value surprising.
type Channel string

// Channels, as a verdict names them.
const (
	ChannelResidual   Channel = "residual"   // far from what the level and the time of day lead one to expect
	ChannelNovelty    Channel = "novelty"    // nothing this close was seen in 14 days
	ChannelThroughput Channel = "throughput" // too many or too few requests
	ChannelErrors     Channel = "errors"     // too large a share failed
	ChannelLatency    Channel = "latency"    // the latency distribution moved
	ChannelDrift      Channel = "drift"      // many small deviations to one side
	ChannelRule       Channel = "rule"       // a threshold that a person set
	ChannelBudget     Channel = "budget"     // an objective's error budget burns too fast
	ChannelNoData     Channel = "no_data"    // nothing came in, which a rule asked to hear of
)

// DefaultBudget is the default sensitivity: expected false alarms a day for
// one series.
const DefaultBudget = 0.1

// Verdict is what a channel says about one value.
type Verdict struct {
	Value       float64
	Expected    float64
	Lower       float64 // of the expected band; an anomalous value lies outside
	Upper       float64
	Score       float64 // surprise in nats, −ln p; never negative
	Threshold   float64 // Score from which on the value is anomalous
	Anomalous   bool
	Open        bool    // an incident of this series goes on; baselines are frozen
	ChangePoint bool    // with this value a new level was adopted as normal
	Channel     Channel // that made the most of it
	Confidence  float64 // 0 to 1: how much history stands behind the band
}

// Threshold is the surprise from which on a point of a series with this step
// (seconds) is anomalous, for a budget of false alarms a day: ln(points a day /
// budget) and a little. Points closer than about three minutes resemble one
// another and alarm together: a day has no more than 450 that count.
func Threshold(stepSeconds, budget float64) float64 {
	const independent, margin = 450, 0.08
	perDay := min(day/max(1, stepSeconds), independent)
	return max(1, math.Log(perDay/max(budget, 1e-6))+margin)
}

// OnceInDays is how rarely a value this surprising comes in a series with this
// step by chance: about once in so many days.
func OnceInDays(score, stepSeconds float64) float64 {
	return math.Exp(min(score, 50)) * max(1, stepSeconds) / day
}

const day = 86400 // seconds
