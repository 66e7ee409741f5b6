package explain

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// longestTrait is how many bytes what the bad requests have in common may take in a title; a statement, say, is told
// with the cause alone.
const longestTrait = 60

// conclude writes what was found into the incident.
func (c *investigation) conclude(inc *anomaly.Incident, causes []*candidate) {
	if len(causes) == 0 {
		return
	}
	inc.RootCauses = make([]anomaly.RootCause, len(causes))
	for i, x := range causes {
		inc.RootCauses[i] = c.cause(i+1, x)
	}
	first := causes[0]
	slices.SortStableFunc(inc.Alarms, func(a, b anomaly.Alarm) int { return first.about(a) - first.about(b) })
	inc.Services = services(inc.Alarms)
	inc.Title = titleOf(lead(*inc), first.called())
	if first.blame != nil && first.blame.confidence > 0.5 {
		inc.Title += ", since version " + first.blame.Version
	} else if len(first.traits) > 0 && first.traits[0].bad > 0.6 && len(first.traits[0].text()) <= longestTrait {
		inc.Title += ", with " + first.traits[0].text()
	}
	if first.code != nil {
		inc.Title += ", in " + anomaly.ShortFunction(first.code.Function.Name)
	}
	inc.Affected, inc.Requests = c.impact.share, uint64(c.impact.requests+0.5)
	inc.Summary = strings.TrimSpace(c.suffering() + " " + inc.RootCauses[0].Summary)
}

// called is what a candidate's service calls, where that is where it happens.
func (x *candidate) called() string {
	switch {
	case x.grown != nil && x.symptom != anomaly.SymptomErrors:
		return x.grown.peer
	case x.failures != nil:
		return x.failures.peer
	}
	return ""
}

// about is 0 for alarms of the candidate's own place and symptom, more for others.
func (x *candidate) about(a anomaly.Alarm) int {
	switch {
	case a.Supports():
		return 4
	case a.Subject.Service != x.nodeService() && a.Subject.Service != x.service && a.Subject.Peer != x.service:
		return 3
	case a.Symptom != x.symptom:
		return 2
	case a.Subject.Operation != "" && a.Subject.Operation != x.operation:
		return 1
	}
	return 0
}

// cause writes a candidate as the API shows it.
func (c *investigation) cause(rank int, x *candidate) anomaly.RootCause {
	r := anomaly.RootCause{Rank: rank, Service: x.service, Operation: x.operation, Kind: x.symptom, Confidence: x.confidence}
	if x.symptom == anomaly.SymptomLatency && slices.ContainsFunc(c.inc.Alarms, func(a anomaly.Alarm) bool {
		return saturated(a) && a.Subject.Service == x.service
	}) {
		r.Kind = anomaly.SymptomSaturation
	}
	said := []string{sentence(c.reason(x))}
	if len(x.traits) > 0 && !(x.blame != nil && onlyVersion(x.traits[0])) {
		t := x.traits[0]
		said = append(said, fmt.Sprintf("%s of %s requests have %s, %s of the others do.", anomaly.Percent(t.bad), badly(x.symptom), t.text(), anomaly.Percent(t.normal)))
	}
	if x.pair != nil {
		r.Attribute = &anomaly.Attribute{Key: x.pair.key, Value: x.pair.value}
	}
	if b := x.blame; b != nil {
		v := b.Version
		r.Version = &v
		said = append(said, c.deployed(b))
	} else if v := versionOf(x.traits); v != "" {
		r.Version = &v
	}
	metrics := c.metricsOf(x.service)
	if text := beside(metrics); text != "" {
		said = append(said, text)
	}
	r.Evidence = c.evidence(x)
	for _, a := range metrics {
		r.Evidence = append(r.Evidence, c.metricEvidence(a))
	}
	r.Summary = strings.Join(said, " ")
	if x.code != nil {
		nameFunction(&r, x.code)
	}
	return r
}

func versionOf(traits []trait) string {
	if len(traits) == 0 {
		return ""
	}
	for _, p := range traits[0].pairs {
		if p.key == "service.version" {
			return p.value
		}
	}
	return ""
}

// onlyVersion says whether a trait is a version and nothing else.
func onlyVersion(t trait) bool { return len(t.pairs) == 1 && t.pairs[0].key == "service.version" }

func badly(s anomaly.Symptom) string {
	if s == anomaly.SymptomErrors {
		return "failing"
	}
	return "slow"
}

// deployed says when a blamed version came, and how it compares.
func (c *investigation) deployed(b *blame) string {
	ago := c.inc.StartedAt.Sub(b.TS)
	when := "as it began"
	switch {
	case ago.Minutes() >= 1.5:
		when = fmt.Sprintf("%.0f minutes before", ago.Minutes())
	case ago.Minutes() <= -1.5:
		when = fmt.Sprintf("%.0f minutes after it began", -ago.Minutes())
	}
	than := "than before"
	if b.same {
		than = "than of the old version in the same minutes"
	}
	return fmt.Sprintf("Version %s of %s was deployed %s; %s of its requests are bad, more %s (%s).", b.Version, b.Service, when, anomaly.Percent(b.now), than, anomaly.Percent(b.was))
}

// sentence begins with a capital and ends with a full stop, unless it begins with a name.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	first := strings.Fields(s)[0]
	if strings.IndexFunc(first, func(r rune) bool { return !unicode.IsLower(r) }) < 0 && (first == "between") {
		s = strings.ToUpper(s[:1]) + s[1:]
	}
	return s + "."
}

// evidence are links to where a person can see it: an example trace, the series, the requests, the deployment.
func (c *investigation) evidence(x *candidate) []anomaly.Evidence {
	out := []anomaly.Evidence{}
	if s := x.example(); s != nil {
		out = append(out, anomaly.Evidence{Type: "trace", Link: "/traces/" + hex.EncodeToString([]byte(s.Trace)) + "?span=" + spanHex(s.ID), Text: fmt.Sprintf("%s %s, %s", s.Service, s.Name, anomaly.Elapsed(float64(s.Duration)))})
	}
	v := c.around()
	service := x.nodeService()
	if x.peerKind == "caller" {
		service = x.service
	}
	if x.peer != "" && x.peerKind != "caller" {
		v.Set("tab", "dependencies")
	} else if x.operation != "" {
		v.Set("operation", x.operation)
	}
	out = append(out, anomaly.Evidence{Type: "series", Link: "/services/" + url.PathEscape(service) + "?" + v.Encode(), Text: service})
	if len(x.traits) > 0 {
		v = c.around()
		q := []string{term("service", service)}
		if x.symptom == anomaly.SymptomErrors {
			q = append(q, "status:error")
		}
		for _, p := range x.traits[0].pairs {
			q = append(q, term(p.key, p.value))
		}
		v.Set("q", strings.Join(q, " "))
		out = append(out, anomaly.Evidence{Type: "attribute", Link: "/traces?" + v.Encode(), Text: x.traits[0].text()})
	}
	if x.blame != nil {
		v = c.around()
		v.Set("tab", "versions")
		out = append(out, anomaly.Evidence{Type: "deployment", Link: "/services/" + url.PathEscape(x.blame.Service) + "?" + v.Encode(), Text: x.blame.Service + " " + x.blame.Version})
	}
	return out
}

// around is the time range of a link: the incident with as much before it, ten minutes at least.
func (c *investigation) around() url.Values {
	before := max(c.during.To.Sub(c.during.From), guard)
	return url.Values{"from": {strconv.FormatInt(c.during.From.Add(-before).UnixMilli(), 10)}, "to": {strconv.FormatInt(c.during.To.Add(guard/2).UnixMilli(), 10)}}
}

var word = regexp.MustCompile(`^[\w.\-/]+$`)

// term is key:value in the search language.
func term(key, value string) string {
	if word.MatchString(value) {
		return key + ":" + value
	}
	return key + `:"` + quotes.Replace(value) + `"`
}

var quotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// example is a span that shows the trouble: a failed one, or the slowest.
func (x *candidate) example() *span {
	if x.failures != nil && x.symptom == anomaly.SymptomErrors && len(x.failures.spans) > 0 {
		return x.failures.spans[0]
	}
	if x.grown == nil || len(x.grown.spans) == 0 {
		return nil
	}
	return slices.MaxFunc(x.grown.spans, func(a, b *span) int { return compare(a.self, b.self) })
}

// spanHex writes a span's id as the address of a trace page has it.
func spanHex(id uint64) string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], id)
	return hex.EncodeToString(b[:])
}
