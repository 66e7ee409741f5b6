package notify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// State is what a message says of its incident.
type State string

// The states of an incident that are told, each once: that it began, that it got worse or its cause is now seen
// elsewhere, that it still lasts, and that it is over. A test says nothing of any incident.
const (
	StateFiring   State = "firing"
	StateUpdated  State = "updated"
	StateRepeated State = "repeated"
	StateResolved State = "resolved"
	StateTest     State = "test"
)

// Message is what every channel tells in its own way, and the JSON that webhooks receive (docs/notifications.md).
type Message struct {
	Version  int              `json:"version"` // of this schema: 1
	ID       string           `json:"id"`      // the same for every try of one delivery
	State    State            `json:"state"`
	At       time.Time        `json:"at"` // when the product decided to tell
	Title    string           `json:"title"`
	Severity anomaly.Severity `json:"severity"`
	Summary  string           `json:"summary"`
	Reason   string           `json:"reason"` // why an update is told

	IncidentID string     `json:"incident_id"`
	Env        string     `json:"env"`
	Services   []string   `json:"services"`
	StartedAt  time.Time  `json:"started_at"`
	DetectedAt time.Time  `json:"detected_at"`
	ResolvedAt *time.Time `json:"resolved_at"`
	Affected   float64    `json:"affected"` // share of requests, 0..1
	Requests   uint64     `json:"requests"` // how many those were

	Symptoms []Symptom `json:"symptoms"` // the worst first, at most three
	Cause    *Cause    `json:"cause"`    // the first guess; null while there is none

	URL      string `json:"url"`       // of the incident's page
	TraceURL string `json:"trace_url"` // an example; empty where none is known
	ChartURL string `json:"chart_url"` // a PNG; empty where there is none, or no receiver could fetch it

	ProfileURL string `json:"profile_url,omitempty"` // flame graph of what a function takes now and took before

	Others []Other `json:"others,omitempty"` // further incidents told by the same message

	location *time.Location
	chart    []byte // PNG
}

// Symptom is one thing that is off.
type Symptom struct {
	Subject  string          `json:"subject"`
	Kind     anomaly.Symptom `json:"kind"`
	Unit     string          `json:"unit"`
	Observed float64         `json:"observed"`
	Expected float64         `json:"expected"`
	Lower    float64         `json:"lower"`
	Upper    float64         `json:"upper"`
	Text     string          `json:"text"`
}

// Cause is where it probably starts.
type Cause struct {
	Service    string             `json:"service"`
	Operation  string             `json:"operation"`
	Kind       anomaly.Symptom    `json:"kind"`
	Version    string             `json:"version"`
	Function   string             `json:"function"`
	Attribute  *anomaly.Attribute `json:"attribute"`
	Confidence float64            `json:"confidence"`
	Summary    string             `json:"summary"`
}

// Other is an incident that shares a message with another one.
type Other struct {
	IncidentID string           `json:"incident_id"`
	State      State            `json:"state"`
	Severity   anomaly.Severity `json:"severity"`
	Title      string           `json:"title"`
	URL        string           `json:"url"`
}

// describe makes the message about an incident in a state.
func describe(inc anomaly.Incident, state State, at time.Time, base string) Message {
	m := Message{Version: 1, State: state, At: at.UTC(), Title: shorten(inc.Title, 240), Severity: inc.Severity, Summary: shorten(inc.Summary, 1000),
		IncidentID: inc.ID, Env: inc.Env, Services: slices.Clone(inc.Services), StartedAt: inc.StartedAt.UTC(), DetectedAt: inc.DetectedAt.UTC(),
		ResolvedAt: inc.ResolvedAt, Affected: inc.Affected, Requests: inc.Requests, Symptoms: symptoms(inc.Alarms), Cause: cause(inc.RootCauses)}
	if m.Services == nil {
		m.Services = []string{}
	}
	if len(m.Services) > maxServices {
		m.Services = m.Services[:maxServices]
	}
	if inc.ID != "" {
		m.URL = base + "/incidents/" + inc.ID
	}
	if link := evidenceLink(inc.RootCauses, "trace"); link != "" {
		m.TraceURL = base + link
	}
	if link := evidenceLink(inc.RootCauses, "profile"); link != "" {
		m.ProfileURL = base + link
	}
	return m
}

// Bounds of a message: what more there is stands on the incident's page.
const (
	maxSymptoms = 3
	maxServices = 20
)

// symptoms picks what to tell: what was worth a message first, then the most surprising.
func symptoms(alarms []anomaly.Alarm) []Symptom {
	out := []Symptom{}
	seen := map[string]bool{}
	for _, a := range byWeight(alarms) {
		s := Symptom{Subject: subjectName(a.Subject), Kind: a.Symptom, Unit: a.Unit, Observed: finite(a.Observed), Expected: finite(a.Expected), Lower: finite(a.Lower), Upper: finite(a.Upper)}
		s.Text = symptomText(a, s.Subject)
		if key := s.Subject + string(s.Kind); !seen[key] && len(out) < maxSymptoms {
			seen[key] = true
			out = append(out, s)
		}
	}
	return out
}

// byWeight sorts alarms: those worth a message by themselves first, then by surprise.
func byWeight(alarms []anomaly.Alarm) []anomaly.Alarm {
	sorted := slices.Clone(alarms)
	slices.SortStableFunc(sorted, func(a, b anomaly.Alarm) int {
		if a.Paging != b.Paging {
			if a.Paging {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Score, a.Score)
	})
	return sorted
}

func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func subjectName(s anomaly.Subject) string {
	name := s.Service
	if s.Operation != "" {
		name += " " + s.Operation
	}
	if s.Function != "" {
		name += " " + anomaly.ShortFunction(s.Function)
	}
	if s.Peer != "" {
		name += " → " + s.Peer
	}
	return shorten(name, 200)
}

func symptomText(a anomaly.Alarm, name string) string {
	if a.Channel == anomaly.ChannelNoData && a.Subject.Rule == "" {
		return fmt.Sprintf("%s: no telemetry, expected %s", name, amount(a.Expected, a.Unit))
	}
	return fmt.Sprintf("%s: %s %s, expected %s", name, symptomName(a), amount(a.Observed, a.Unit), expectation(a))
}

func symptomName(a anomaly.Alarm) string {
	if a.Code != nil {
		name := "CPU time"
		if a.Symptom == anomaly.SymptomAlloc {
			name = "memory allocated"
		}
		if a.Unit == "1" {
			return "share of " + name
		}
		return name + " a request"
	}
	if a.What != "" {
		return a.What
	}
	if a.Subject.Metric != "" {
		return a.Subject.Metric
	}
	return string(a.Symptom)
}

// expectation is the expected value, or band where it says more.
func expectation(a anomaly.Alarm) string {
	usual := amount(a.Expected, a.Unit)
	switch {
	case a.Upper > a.Expected && a.Observed > a.Upper:
		return usual + ", at most " + amount(a.Upper, a.Unit)
	case a.Lower < a.Expected && a.Observed < a.Lower && a.Lower > 0:
		return usual + ", at least " + amount(a.Lower, a.Unit)
	}
	return usual
}

// cause is the first guess.
func cause(causes []anomaly.RootCause) *Cause {
	if len(causes) == 0 {
		return nil
	}
	r := causes[0]
	c := &Cause{Service: r.Service, Operation: r.Operation, Kind: r.Kind, Attribute: r.Attribute, Confidence: finite(r.Confidence), Summary: shorten(r.Summary, 500)}
	if r.Version != nil {
		c.Version = *r.Version
	}
	if r.Function != nil {
		c.Function = *r.Function
	}
	return c
}

// name is the cause in one line.
func (c *Cause) name() string {
	text := c.Service
	if c.Operation != "" {
		text += " " + c.Operation
	}
	for _, more := range []string{prefixed("version ", c.Version), prefixed("in ", c.Function)} {
		if more != "" {
			text += ", " + more
		}
	}
	if c.Attribute != nil {
		text += fmt.Sprintf(", %s=%s", c.Attribute.Key, c.Attribute.Value)
	}
	return shorten(text, 300)
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// evidenceLink is the first evidence of a type.
func evidenceLink(causes []anomaly.RootCause, of string) string {
	for _, c := range causes {
		for _, e := range c.Evidence {
			if e.Type == of && strings.HasPrefix(e.Link, "/") {
				return e.Link
			}
		}
	}
	return ""
}

// Headline is the title with what became of it.
func (m *Message) Headline() string {
	switch m.State {
	case StateResolved:
		return "Resolved: " + m.Title
	case StateUpdated:
		return m.Reason + ": " + m.Title
	case StateRepeated:
		return "Still going on: " + m.Title
	case StateTest:
		return "Test: " + m.Title
	}
	return m.Title
}

// icon marks the severity for channels that show nothing but text.
func (m *Message) icon() string {
	switch {
	case m.State == StateResolved:
		return "✅"
	case m.Severity == anomaly.SeverityCritical:
		return "🔴"
	case m.Severity == anomaly.SeverityWarning:
		return "🟠"
	}
	return "🔵"
}

// color is the severity's colour as #rrggbb.
func (m *Message) color() string {
	switch {
	case m.State == StateResolved:
		return "#2f9e44"
	case m.Severity == anomaly.SeverityCritical:
		return "#e03131"
	case m.Severity == anomaly.SeverityWarning:
		return "#f08c00"
	}
	return "#1c7ed6"
}

// Fact is one line of a message: a label and what there is to say.
type Fact struct{ Label, Text string }

// Facts are the message's lines, the same in every channel.
func (m *Message) Facts() []Fact {
	facts := []Fact{}
	add := func(label, text string) {
		if text != "" {
			facts = append(facts, Fact{label, text})
		}
	}
	lines := []string{}
	for _, s := range m.Symptoms {
		lines = append(lines, s.Text)
	}
	add("What", strings.Join(lines, "\n"))
	add("Since", m.since())
	add("Affected", m.share())
	if m.Cause != nil {
		text := m.Cause.name()
		if m.Cause.Confidence > 0 {
			text += fmt.Sprintf(" (%.0f %% sure)", 100*m.Cause.Confidence)
		}
		if s := m.Cause.Summary; s != "" && !strings.EqualFold(strings.TrimSuffix(s, "."), m.Title) && s != m.Summary {
			text += "\n" + s
		}
		add("Likely origin", text)
	}
	add("Environment", m.Env)
	return facts
}

func (m *Message) since() string {
	if m.StartedAt.IsZero() {
		return ""
	}
	loc := m.location
	if loc == nil {
		loc = time.UTC
	}
	began := m.StartedAt.In(loc)
	layout := "15:04:05 MST"
	if y, d := m.At.In(loc).Year(), m.At.In(loc).YearDay(); began.Year() != y || began.YearDay() != d {
		layout = "2 Jan 15:04:05 MST"
	}
	text := began.Format(layout)
	if m.State == StateResolved && m.ResolvedAt != nil {
		return text + ", over after " + span(m.ResolvedAt.Sub(m.StartedAt))
	}
	if d := m.At.Sub(m.StartedAt); d >= time.Second {
		text += " (" + span(d) + " ago)"
	}
	return text
}

func (m *Message) share() string {
	switch {
	case m.Affected > 0 && m.Requests > 0:
		return fmt.Sprintf("%s of requests (%s)", anomaly.Percent(m.Affected), thousands(m.Requests))
	case m.Affected > 0:
		return anomaly.Percent(m.Affected) + " of requests"
	case m.Requests > 0:
		return thousands(m.Requests) + " requests"
	}
	return ""
}

// Text is the message as plain lines.
func (m *Message) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", m.icon(), m.Headline())
	if m.Summary != "" && m.Summary != m.Title {
		fmt.Fprintf(&b, "%s\n", m.Summary)
	}
	for _, f := range m.Facts() {
		fmt.Fprintf(&b, "%s: %s\n", f.Label, strings.ReplaceAll(f.Text, "\n", "; "))
	}
	if m.TraceURL != "" {
		fmt.Fprintf(&b, "Example trace: %s\n", m.TraceURL)
	}
	if m.ProfileURL != "" {
		fmt.Fprintf(&b, "Flame graph: %s\n", m.ProfileURL)
	}
	for _, o := range m.Others {
		fmt.Fprintf(&b, "Also: %s %s\n", o.headline(), o.URL)
	}
	if m.URL != "" {
		fmt.Fprintf(&b, "%s\n", m.URL)
	}
	return b.String()
}

func (o Other) headline() string {
	if o.State == StateResolved {
		return "resolved: " + o.Title
	}
	return o.Title
}

// chartText is what a screen reader says of the chart.
func (m *Message) chartText() string {
	if len(m.Symptoms) > 0 {
		return "Chart: " + m.Symptoms[0].Text
	}
	return "Chart of " + m.Title
}
