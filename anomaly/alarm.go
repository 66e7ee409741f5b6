package anomaly

import "time"

// Subject is what a series measures: the thing that is or is not normal. Empty fields play no part.
type Subject struct {
	Env       string `json:"env,omitempty"`
	Service   string `json:"service"`
	Operation string `json:"operation,omitempty"` // span name; empty: the whole service
	SpanKind  string `json:"span_kind,omitempty"` // server, client, consumer, …
	Peer      string `json:"peer,omitempty"`      // the other end of an edge: a service, database, queue or host
	PeerKind  string `json:"peer_kind,omitempty"` // service, database, messaging, external
	Version   string `json:"version,omitempty"`
	Instance  string `json:"instance,omitempty"`
	Metric    string `json:"metric,omitempty"`   // a metric the service is known by
	Label     string `json:"label,omitempty"`    // the pool, queue or cache that the metric is about, where a service may have several
	Rule      string `json:"rule,omitempty"`     // id of the rule or objective a person wrote
	Function  string `json:"function,omitempty"` // a function, as profiles name it
}

// Symptom is the kind of trouble, as incidents name it.
type Symptom string

// The symptoms of an incident's root cause.
const (
	SymptomLatency    Symptom = "latency"
	SymptomErrors     Symptom = "errors"
	SymptomTraffic    Symptom = "traffic"
	SymptomSaturation Symptom = "saturation"
)

// Alarm is one series' stretch of not being normal, with what is needed to explain it to a person. Values are in
// Unit: "ns" for latency, "1" for ratios (0..1), "/s" for rates, a metric's own unit otherwise.
type Alarm struct {
	ID       string    `json:"id"`
	Subject  Subject   `json:"subject"`
	Symptom  Symptom   `json:"symptom"`
	Channel  Channel   `json:"channel"`
	Began    time.Time `json:"began"`    // the first abnormal step
	Detected time.Time `json:"detected"` // when the product knew: the end of the step that decided
	Ended    time.Time `json:"ended"`    // zero while it lasts
	Unit     string    `json:"unit"`
	Observed float64   `json:"observed"` // the worst step so far
	Expected float64   `json:"expected"`
	Lower    float64   `json:"lower"` // the expected band
	Upper    float64   `json:"upper"`
	Score    float64   `json:"score"`        // surprise in nats, −ln p, the highest so far
	Once     float64   `json:"once_in_days"` // as rare as once in so many days, if nothing were wrong
	Sample   float64   `json:"sample"`       // requests (or points) the observation stands on
	History  float64   `json:"history_days"` // how much of the series was known: the confidence
	Paging   bool      `json:"paging"`       // an entry point, an objective or a rule: worth a message by itself

	What string `json:"what,omitempty"` // what the metric measures, in words: "memory", "connections in use of pool orders"

	Code *CodeChange `json:"code,omitempty"` // of alarms about a function

	// What a person wrote in a rule or an objective; empty for what was learned.
	Name     string            `json:"name,omitempty"`
	Severity Severity          `json:"severity,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
}

// Supports says whether an alarm only adds to what others say: a metric that is not normal, without harm that anybody
// would notice, is evidence in an incident and none by itself.
func (a *Alarm) Supports() bool { return a.Subject.Metric != "" && a.Subject.Rule == "" && !a.Paging }

// Severity is how loudly an incident speaks.
type Severity string

// Severities, worst first.
const (
	SeverityCritical Severity = "critical"
	SeverityWarning  Severity = "warning"
	SeverityInfo     Severity = "info"
)

// Incident is one cause with its alarms, as the API and the messages show it.
type Incident struct {
	ID         string      `json:"id"`
	Status     string      `json:"status"` // open, resolved
	Severity   Severity    `json:"severity"`
	Title      string      `json:"title"`
	StartedAt  time.Time   `json:"started_at"`
	DetectedAt time.Time   `json:"detected_at"`
	ResolvedAt *time.Time  `json:"resolved_at"`
	UpdatedAt  time.Time   `json:"updated_at"`
	Env        string      `json:"env,omitempty"`
	Services   []string    `json:"services"`
	RootCauses []RootCause `json:"root_causes"`
	Alarms     []Alarm     `json:"alarms,omitempty"`   // likely cause first, symptoms after
	Affected   float64     `json:"affected,omitempty"` // share of the entry point's requests that suffered, 0..1
	Requests   uint64      `json:"requests,omitempty"` // how many those were
	Flaps      int         `json:"flaps,omitempty"`    // how often it closed and came back
	ByHand     bool        `json:"by_hand,omitempty"`  // somebody closed it: what went on then is told again only when it gets worse
	Summary    string      `json:"summary,omitempty"`  // one sentence a person understands
}

// RootCause is one guess at why, with its evidence.
type RootCause struct {
	Rank       int        `json:"rank"`
	Service    string     `json:"service"`
	Operation  string     `json:"operation"`
	Kind       Symptom    `json:"kind"`
	Attribute  *Attribute `json:"attribute"`
	Version    *string    `json:"version"`
	Function   *string    `json:"function"`
	Confidence float64    `json:"confidence"` // 0..1
	Summary    string     `json:"summary"`
	Evidence   []Evidence `json:"evidence"`
}

// Attribute is a key and value that the bad requests have in common.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Evidence is where a person can see it for themselves.
type Evidence struct {
	Type string `json:"type"` // trace, series, attribute, deployment, profile, log
	Link string `json:"link"`
	Text string `json:"text,omitempty"`
}
