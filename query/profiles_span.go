package query

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// SpanProfile says where the profile of a span is: what to select, and what that is, honestly.
type SpanProfile struct {
	Found    bool          `json:"found"`
	Exact    bool          `json:"exact"`    // samples carry this span's id: nothing else is in it
	By       string        `json:"by"`       // span_id, trace_id, endpoint, minute, or "" if nothing was found
	Sentence string        `json:"sentence"` // for a person
	Choice   ProfileChoice `json:"choice"`
	FromMS   int64         `json:"from_ms"`
	ToMS     int64         `json:"to_ms"`
	Total    float64       `json:"total"`
	Unit     string        `json:"unit"`
	Profiles int           `json:"profiles"`

	whole string // the sentence without regard to the endpoint
}

// ProfileChoice is a selection as the API names it.
type ProfileChoice struct {
	Service    string   `json:"service"`
	Type       string   `json:"type"`
	SampleType string   `json:"sample_type"`
	Version    string   `json:"version"`
	Instance   string   `json:"instance"`
	Label      []string `json:"label"` // KEY:VALUE
}

// Labels under which profilers write for whom a sample worked, the usual one first: those of Pyroscope's and OTel's SDKs.
var (
	spanKeys     = []string{"span_id", "profile_id", "span id"}
	traceKeys    = []string{"trace_id", "trace id"}
	endpointKeys = []string{"endpoint", "span_name", "http.route", "operation"}
)

// A profile is looked for that began at most profileBefore before a span, or lies at most profileNear from it.
const (
	profileBefore = 15 * time.Minute
	profileNear   = 5 * time.Minute
)

// spanContext is what profiles can be told by.
type spanContext struct {
	span, entry       *Span // entry: the first span of the request in the same service
	traceID           string
	version, instance string
	start, end        time.Time
}

// SpanProfile finds the profile of a span: by its labels, or else of its service, version and minute.
func (db *DB) SpanProfile(ctx context.Context, traceID, spanID, typ string) (*SpanProfile, error) {
	c, err := db.spanContext(ctx, traceID, spanID)
	if err != nil {
		return nil, err
	}
	out := &SpanProfile{Choice: ProfileChoice{Service: c.span.Service, Type: typ, Label: []string{}}}
	labels, err := db.spanLabels(ctx, c, typ)
	if err != nil {
		return nil, err
	}
	byID := out.labelled(c, labels)
	if !byID {
		if err := db.spanMinute(ctx, c, typ, labels, out); err != nil || !out.Found {
			return out, err
		}
	}
	if err := db.spanValue(ctx, out); err != nil {
		return nil, err
	}
	if out.By == "endpoint" && out.Total == 0 { // other profiles have that endpoint; this one does not
		out.By, out.Choice.Label, out.Sentence = "minute", []string{}, out.whole
		err = db.spanValue(ctx, out)
	}
	return out, err
}

// spanValue adds up what was chosen.
func (db *DB) spanValue(ctx context.Context, out *SpanProfile) error {
	s := ProfileSelection{Window: Window{From: time.UnixMilli(out.FromMS), To: time.UnixMilli(out.ToMS)}, Service: out.Choice.Service, Type: out.Choice.Type, Version: out.Choice.Version, Instance: out.Choice.Instance}
	for _, l := range out.Choice.Label {
		k, v, _ := strings.Cut(l, ":")
		s.Labels = append(s.Labels, ProfileLabel{k, v})
	}
	sh, err := db.shape(ctx, &s)
	if err != nil {
		return err
	}
	values, err := db.stackValues(ctx, &s, sh)
	if err != nil {
		return err
	}
	out.Total = 0
	for _, v := range values {
		out.Total += v
	}
	_, out.Unit = ProfileUnit(sh.sampleType)
	out.Choice.SampleType, out.Profiles = sh.sampleType, sh.profiles
	return nil
}

func (db *DB) spanContext(ctx context.Context, traceID, spanID string) (*spanContext, error) {
	if _, err := id("span_id", spanID, 8); err != nil {
		return nil, err
	}
	t, err := db.Trace(ctx, traceID)
	if err != nil {
		return nil, err
	}
	byID := map[string]*Span{}
	for i := range t.Spans {
		byID[t.Spans[i].SpanID] = &t.Spans[i]
	}
	c := &spanContext{span: byID[lower(spanID)], traceID: t.TraceID}
	if c.span == nil {
		return nil, fmt.Errorf("span %s: %w", spanID, ErrNotFound)
	}
	c.entry = c.span
	for range t.Spans { // as deep as the trace has spans, in case of a cycle
		parent := byID[c.entry.ParentSpanID]
		if parent == nil || parent.Service != c.span.Service || c.entry.Kind == "server" || c.entry.Kind == "consumer" {
			break
		}
		c.entry = parent
	}
	resource := t.Resources[c.span.Resource]
	c.version, c.instance = resource["service.version"], cmp.Or(resource["service.instance.id"], resource["host.name"], resource["k8s.pod.name"])
	ns, err := strconv.ParseInt(c.span.TS, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("read the start of span %s: %w", spanID, err)
	}
	c.start = time.Unix(0, ns)
	c.end = c.start.Add(time.Duration(c.span.DurationNS))
	return c, nil
}

// spanLabel is a label that some samples around a span carry.
type spanLabel struct{ key, value string }

type spanLabels struct {
	have map[spanLabel]bool
	ids  bool // some samples carry ids of spans
}

// spanLabels looks for labels of the span, its request, its trace and its endpoint in the profiles around it.
func (db *DB) spanLabels(ctx context.Context, c *spanContext, typ string) (*spanLabels, error) {
	out := &spanLabels{have: map[spanLabel]bool{}}
	a := args{"keys": slices.Concat(spanKeys, traceKeys, endpointKeys), "values": slices.Concat([]string{c.span.SpanID, c.entry.SpanID, c.traceID}, c.endpoints())}
	s := ProfileSelection{Window: c.around(), Service: c.span.Service, Type: typ}
	err := db.each(ctx, `SELECT k, v FROM (SELECT label.key, label.value FROM profile_values WHERE `+s.conditions(a)+` AND hasAny(label.value, {values:Array(String)}))
ARRAY JOIN label.key AS k, label.value AS v WHERE k IN {keys:Array(String)} AND v IN {values:Array(String)} GROUP BY k, v LIMIT 100`, a, func(rows driver.Rows) error {
		var l spanLabel
		err := rows.Scan(&l.key, &l.value)
		out.have[l] = true
		return err
	})
	if err != nil {
		return nil, err
	}
	a = args{"spans": spanKeys}
	return out, db.each(ctx, "SELECT count() > 0 FROM (SELECT 1 FROM profile_values WHERE "+s.conditions(a)+" AND hasAny(arrayMap(x -> toString(x), label.key), {spans:Array(String)}) LIMIT 1)", a, func(rows driver.Rows) error {
		return rows.Scan(&out.ids)
	})
}

// around is where a profile that was taken while the span ran may begin.
func (c *spanContext) around() Window {
	return Window{From: c.start.Add(-profileBefore), To: c.end.Add(time.Second)}
}

// endpoints are the names that the request's endpoint may have in a profile.
func (c *spanContext) endpoints() []string {
	out := []string{c.entry.Name}
	for _, key := range []string{"http.route", "http.target", "url.path", "rpc.method"} {
		for _, a := range c.entry.Attributes {
			if a.Key == key && a.Value != "" {
				out = append(out, a.Value)
			}
		}
	}
	if _, path, ok := strings.Cut(c.entry.Name, " "); ok { // "POST /pay"
		out = append(out, path)
	}
	return out
}

func (l *spanLabels) find(keys []string, values ...string) (string, bool) {
	for _, v := range values {
		for _, k := range keys {
			if l.have[spanLabel{k, v}] {
				return k + ":" + v, true
			}
		}
	}
	return "", false
}

// labelled fills in a profile that is told by an id.
func (out *SpanProfile) labelled(c *spanContext, l *spanLabels) bool {
	w := c.around()
	out.FromMS, out.ToMS = w.From.UnixMilli(), w.To.UnixMilli()+1000
	set := func(by, label, sentence string, args ...any) bool {
		out.Found, out.By, out.Choice.Label, out.Sentence = true, by, []string{label}, fmt.Sprintf(sentence, args...)
		return true
	}
	if label, ok := l.find(spanKeys, c.span.SpanID); ok {
		out.Exact = true
		return set("span_id", label, "Only the samples that were taken for this span: they carry its id.")
	}
	if label, ok := l.find(spanKeys, c.entry.SpanID); ok {
		return set("span_id", label, "The profiler labels requests, not single spans: this is the whole of %s in %s, of which this span is a part.", c.entry.Name, c.span.Service)
	}
	if label, ok := l.find(traceKeys, c.traceID); ok {
		return set("trace_id", label, "Samples carry the trace, not the span: this is all that %s did for this trace.", c.span.Service)
	}
	return false
}

// spanMinute falls back on what the process, or else the version, did while the span ran.
func (db *DB) spanMinute(ctx context.Context, c *spanContext, typ string, l *spanLabels, out *SpanProfile) error {
	what, who, err := db.profilesAt(ctx, c, typ, out)
	if err != nil || !out.Found {
		return err
	}
	why := fmt.Sprintf("The profiles of %s do not say for which request a sample worked: this", c.span.Service)
	if l.ids {
		why = "No sample carries this span's id (it was shorter than the time between two samples, or none was taken while it ran): this"
	}
	out.By, out.whole = "minute", fmt.Sprintf("%s is everything that %s did %s, other requests included.", why, who, what)
	if label, ok := l.find(endpointKeys, c.endpoints()...); ok {
		out.By, out.Choice.Label = "endpoint", []string{label}
		_, endpoint, _ := strings.Cut(label, ":")
		out.Sentence = fmt.Sprintf("No sample carries this span's id: this is what all requests to %s took in %s %s.", endpoint, who, what)
		return nil
	}
	out.Sentence = out.whole
	return nil
}

// profilesAt chooses the profiles taken while a span ran, of its process if there are any, else of its version, else of
// its service; or the nearest. what and who are words for when and whose they are.
func (db *DB) profilesAt(ctx context.Context, c *spanContext, typ string, out *SpanProfile) (what, who string, err error) {
	service := c.span.Service
	tries := []struct{ version, instance, who string }{{c.version, c.instance, fmt.Sprintf("the process %s of %s", c.instance, service)}, {c.version, "", fmt.Sprintf("%s %s", service, c.version)}, {"", "", service}}
	if c.version == "" {
		tries[1].who = service
	}
	for _, near := range []time.Duration{0, profileNear} {
		for i, x := range tries {
			if i == 0 && c.instance == "" || i == 2 && c.version == "" {
				continue
			}
			from, to, err := db.headsBetween(ctx, ProfileSelection{Service: service, Type: typ, Version: x.version, Instance: x.instance}, c.start.Add(-near), c.end.Add(near), c.start)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return "", "", err
			}
			out.Found, out.Choice.Version, out.Choice.Instance = true, x.version, x.instance
			out.FromMS, out.ToMS = from.Truncate(time.Second).UnixMilli(), from.Truncate(time.Second).Add(time.Second).UnixMilli()
			what = fmt.Sprintf("from %s to %s UTC", from.UTC().Format("15:04:05"), to.UTC().Format("15:04:05"))
			if near > 0 {
				what += ", the nearest profile, as none was taken while the span ran"
			}
			who = x.who
			if i == 2 {
				who += " (of other versions: none is of " + c.version + ")"
			}
			return what, who, nil
		}
	}
	version := ""
	if c.version != "" {
		version = " " + c.version
	}
	out.Sentence = fmt.Sprintf("There is no %s profile of %s%s within %.0f minutes of this span.", typ, service, version, profileNear.Minutes())
	return "", "", nil
}

// headsBetween finds the profile that covers a stretch of time, the one nearest to a moment if there are several.
func (db *DB) headsBetween(ctx context.Context, s ProfileSelection, from, to, at time.Time) (begun, ended time.Time, err error) {
	s.From, s.To = from.Add(-profileBefore), to.Add(time.Second)
	a := args{"a": from.UnixNano(), "b": to.UnixNano(), "at": at.UnixNano()}
	found := false
	err = db.each(ctx, `SELECT toUnixTimestamp64Nano(ts) AS t, toInt64(duration_ns) AS d FROM profiles
WHERE `+s.conditions(a)+` AND t < {b:Int64} AND t + d >= {a:Int64} ORDER BY abs(t + intDiv(d, 2) - {at:Int64}), t LIMIT 1`, a, func(rows driver.Rows) error {
		var t, d int64
		err := rows.Scan(&t, &d)
		found, begun, ended = true, time.Unix(0, t), time.Unix(0, t+d)
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return begun, ended, err
}
