package anomaly

// tuning are the constants of the detector. There is one set for all series of
// all users; it was chosen on part of the development series (docs/detection.md
// names them and what the others say).
type tuning struct {
	// Baseline. Rates are per point; those with a …Step grow with the step as
	// (step/60 s)^…Step.
	LevelRate, LevelRateStep float64
	NoiseRate                float64
	SeasonRate               float64
	SeasonBias               float64 // the season is used while its error is under so many times that without it
	SeasonDays               float64 // from which on the season is corrected rather than taken
	SeasonClip               float64 // spreads by which one value teaches the season at most
	Clip                     float64 // deviations by which one value teaches at most
	LevelFloor               float64 // sigma is at least this part of the level
	Yesterday, YesterdayFade float64 // share of what came at this time that excuses it today; kept per day
	Once                     float64 // share of itself that what came a single time excuses
	Power, PowerPrior        float64 // share of the learned power; variance of ln(level) that it needs

	// Tails of deviations.
	Own, Gate, PoolXi, PoolCap      float64
	OwnPrior, XiMin, XiMax, XiPrior float64
	TailFirst, TailInIncident       float64 // weight of the deviation that opened an incident, and of those during one

	// Short context.
	ShortShare, ShortShareStep float64
	ShortOwn, ShortGate        float64
	ShortNoiseRate, ShortFloor float64
	ShortInIncident            float64 // weight of the first jumps of an incident in the tail
	Hold                       float64 // share of a jump's surprise that is left one value later, while the value stays away

	ShortAlone, SmoothBelow float64

	// Novelty.
	NovelUnit, NovelOwn, NovelXi float64
	Novel                        float64 // weight
	HourRate, HourRateStep       float64 // of the hourly mean, at 5 minutes
	HourShare                    float64
	SpreadRate, SpreadFloor      float64 // the spread is at least this part of the mean
	Grain                        float64 // spreads closer than which two values are the same, at most

	// Combination.
	TrustLow, TrustHigh, TrustLeast float64
	MostError, MostSpread           float64 // deviations, and spreads, by which one value teaches trust at most
	Agree                           float64 // share of the lesser of two surprises
	Ties, TiesWidth                 float64 // share of repeated values at which half of the context counts; none or all of it this much above or below
	Fatigue, FatigueFrom            float64 // per contextual alarm of late beyond so many
	NovelFatigue, NovelFatigueFrom  float64 // the same for novelty, per run of alarms of late
	Sustained, SustainedFrom        float64 // share of what the least of three surprises in a row has beyond so many nats
	Habit, HabitFrom, HabitRate     float64 // share of what a series' habit of scores beyond so many nats takes off; their usual rate
	HabitJobs, HabitJobsPrior       float64 // the same for its minutes of the hour; values at the rate of all of them, to begin with
	Peak, PeakNear, PeakAbove       float64 // per burst before beyond one that went as far, to that part of the way; bursts have a surprise above
	Warm                            float64 // values

	// Incidents.
	CloseBelow, CloseAfter  float64 // part of the threshold; points
	AdoptAfter, AdoptPoints float64 // seconds; points
}

var settings = tuning{
	LevelRate: 0.0228, LevelRateStep: 0.36, NoiseRate: 0.0075, SeasonRate: 0.05, Clip: 3, SeasonDays: 3, SeasonBias: 1.3, SeasonClip: 0.852, LevelFloor: 0.0275,
	Yesterday: 1, YesterdayFade: 0.37, Once: 0.25, Power: 0.56, PowerPrior: 0.0797,

	Own: 0.7, Gate: 1.94, PoolXi: 0.215, PoolCap: 53, OwnPrior: 0, XiMin: 0.246, XiMax: 0.7, XiPrior: 0.17, TailFirst: 0.2, TailInIncident: 0.15,

	ShortShare: 0.6, ShortShareStep: 0.18, ShortOwn: 0.5, ShortGate: 1.07, ShortNoiseRate: 0.0022, ShortFloor: 0.004, ShortInIncident: 0.2, Hold: 0.7,

	ShortAlone: 1, SmoothBelow: 0.2,

	NovelUnit: 7, NovelOwn: 0.35, NovelXi: 0.25, Novel: 1.05, HourRate: 0.204, HourRateStep: 1.2, HourShare: 0.86, SpreadRate: 0.0002, SpreadFloor: 0.001, Grain: 0.2,

	TrustLow: 0.461, TrustHigh: 0.6, TrustLeast: 0.63, MostError: 10, MostSpread: 6, Agree: 0.2, Ties: 0.65, TiesWidth: 0.2, Fatigue: 0.233, FatigueFrom: 11.1,
	NovelFatigue: 0.18, NovelFatigueFrom: 4, Sustained: 0.5, SustainedFrom: 5, Habit: 0.5, HabitFrom: 5, HabitRate: 0.003, HabitJobs: 0.5, HabitJobsPrior: 500, Peak: 0.3, PeakNear: 0.02, PeakAbove: 6, Warm: 60,

	CloseBelow: 0.15, CloseAfter: 10, AdoptAfter: 14400, AdoptPoints: 24,
}
