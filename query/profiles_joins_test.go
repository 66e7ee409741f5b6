package query

import (
	"bytes"
	"context"
	"fmt"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

// labelled is made with labels: a stack, and behind a colon key=value pairs.
func labelled(t testing.TB, stacks map[string]int64) []byte {
	t.Helper()
	plain := map[string]int64{}
	for s, v := range stacks {
		stack, _, _ := strings.Cut(s, ":")
		plain[strings.ReplaceAll(stack, " ", ";")] += v
	}
	p, err := profile.ParseData(made(t, plain))
	if err != nil {
		t.Fatal(err)
	}
	var samples []*profile.Sample
	for s, v := range stacks {
		stack, labels, _ := strings.Cut(s, ":")
		for _, x := range p.Sample {
			var names []string
			for _, l := range slices.Backward(x.Location) {
				names = append(names, l.Line[0].Function.Name)
			}
			if strings.Join(names, " ") != stack {
				continue
			}
			one := &profile.Sample{Location: x.Location, Value: make([]int64, len(x.Value))}
			one.Value[len(one.Value)-1] = v
			for _, pair := range strings.Fields(labels) {
				k, v, _ := strings.Cut(pair, "=")
				if one.Label == nil {
					one.Label = map[string][]string{}
				}
				one.Label[k] = []string{v}
			}
			samples = append(samples, one)
		}
	}
	p.Sample = samples
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const joinTrace = "0123456789abcdef0123456789abcdef"

// joined is a database with one trace of two requests of the service shop, and its traffic.
func joined(t *testing.T, at time.Time) *profiled {
	t.Helper()
	p := newProfiled(t)
	ns := at.UnixNano()
	for _, sql := range []string{
		fmt.Sprintf(`INSERT INTO trace_index (day, trace_id, start, end) VALUES ('%s', unhex('%s'), fromUnixTimestamp64Nano(%d), fromUnixTimestamp64Nano(%d))`, at.UTC().Format(time.DateOnly), joinTrace, ns, ns+1e9),
		fmt.Sprintf(`INSERT INTO spans (ts, duration_ns, trace_id, span_id, parent_span_id, service, name, kind, resource) VALUES
 (fromUnixTimestamp64Nano(%[1]d), 1000000000, unhex('%[2]s'), unhex('00000000000000a1'), unhex('0000000000000000'), 'shop', 'POST /pay', 'server', 77),
 (fromUnixTimestamp64Nano(%[1]d), 500000000, unhex('%[2]s'), unhex('00000000000000a2'), unhex('00000000000000a1'), 'shop', 'charge', 'internal', 77),
 (fromUnixTimestamp64Nano(%[1]d), 500000000, unhex('%[2]s'), unhex('00000000000000a3'), unhex('0000000000000000'), 'shop', 'GET /', 'server', 77)`, ns, joinTrace),
		`INSERT INTO resources (fingerprint, service, version, instance, attributes, first_seen, last_seen) VALUES (77, 'shop', '2', 'shop-1', {'service.version': '2', 'service.instance.id': 'shop-1'}, now(), now())`,
		fmt.Sprintf(`INSERT INTO red_10s (ts, level, service, name, kind, calls) SELECT toStartOfMinute(toDateTime(%d)), 'operation', 'shop', x.1, 'server', x.2 FROM (SELECT arrayJoin([('POST /pay', 10), ('GET /', 90)]) AS x)`, at.Unix()),
	} {
		if err := p.conn.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *profiled) at(start time.Time, version string, body []byte) {
	p.t.Helper()
	q := fmt.Sprintf("service=shop&type=cpu&from=%d&until=%d&label.service.version=%s&label.service.instance.id=shop-1", start.UnixNano(), start.Add(time.Minute).UnixNano(), version)
	if code, answer := p.push(q, body); code != 200 {
		p.t.Fatalf("%d %s", code, answer)
	}
	p.flush()
}

func TestProfileOfASpan(t *testing.T) {
	at := time.Now().Add(-time.Hour).Truncate(time.Minute).Add(20 * time.Second)
	ask := func(p *profiled, span string) *SpanProfile {
		t.Helper()
		a, err := p.db.SpanProfile(context.Background(), joinTrace, span, "cpu")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	p := joined(t, at)
	if a := ask(p, "00000000000000a2"); a.Found || !strings.Contains(a.Sentence, "no cpu profile of shop 2 within 5 minutes") {
		t.Errorf("without a profile: %+v", a)
	}
	p.at(at.Add(2*time.Minute), "2", labelled(t, map[string]int64{"main later": 3}))
	if a := ask(p, "00000000000000a2"); !a.Found || a.Exact || a.By != "minute" || !strings.Contains(a.Sentence, "none was taken while the span ran") || a.Total != 3 {
		t.Errorf("the nearest: %+v", a)
	}
	p.at(at.Add(-20*time.Second), "1", labelled(t, map[string]int64{"main old": 4}))
	p.at(at.Add(-10*time.Second), "2", labelled(t, map[string]int64{"main work": 7}))
	if a := ask(p, "00000000000000a2"); a.By != "minute" || a.Choice.Version != "2" || a.Choice.Instance != "shop-1" || a.Total != 7 || !strings.Contains(a.Sentence, "other requests included") || a.Profiles != 1 {
		t.Errorf("the minute: %+v", a)
	}
	p.at(at.Add(-11*time.Second), "2", labelled(t, map[string]int64{"main work:endpoint=/pay": 5, "main work:endpoint=/other": 11}))
	if a := ask(p, "00000000000000a2"); a.By != "endpoint" || !slices.Equal(a.Choice.Label, []string{"endpoint:/pay"}) || !strings.Contains(a.Sentence, "all requests to /pay") {
		t.Errorf("the endpoint: %+v", a)
	}
	p.at(at.Add(9*time.Second), "2", labelled(t, map[string]int64{"main idle": 13})) // nearer, of the same process, without that endpoint
	if a := ask(p, "00000000000000a3"); a.By != "minute" {
		t.Errorf("another request: %+v", a)
	}
	p.at(at.Add(-12*time.Second), "2", labelled(t, map[string]int64{"main work:trace_id=" + joinTrace: 2}))
	if a := ask(p, "00000000000000a2"); a.By != "trace_id" || a.Exact || a.Total != 2 {
		t.Errorf("the trace: %+v", a)
	}
	p.at(at.Add(-13*time.Second), "2", labelled(t, map[string]int64{"main work:span_id=00000000000000a1": 6}))
	if a := ask(p, "00000000000000a2"); a.By != "span_id" || a.Exact || a.Total != 6 || !strings.Contains(a.Sentence, "the whole of POST /pay") {
		t.Errorf("the request: %+v", a)
	}
	if a := ask(p, "00000000000000a1"); !a.Exact || a.Total != 6 {
		t.Errorf("the request's own span: %+v", a)
	}
	if _, err := p.db.SpanProfile(context.Background(), joinTrace, "00000000000000ff", "cpu"); err == nil {
		t.Error("a span that is not there has a profile")
	}
}

func TestOperationsOfAFunction(t *testing.T) {
	at := time.Now().Add(-time.Hour).Truncate(time.Minute).Add(20 * time.Second)
	w := Window{at.Add(-5 * time.Minute), at.Add(5 * time.Minute)}
	ask := func(p *profiled, function string) *FrameOperations {
		t.Helper()
		a, err := p.db.FrameOperations(context.Background(), ProfileSelection{Window: w, Service: "shop", Type: "cpu"}, function, "")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	shown := func(a *FrameOperations) (out []string) {
		for _, o := range a.Operations {
			v := "?"
			if o.Value != nil {
				v = fmt.Sprint(*o.Value)
			}
			out = append(out, fmt.Sprintf("%s %s %v", o.Name, v, o.Requests))
		}
		return out
	}
	p := joined(t, at)
	p.at(at.Add(-20*time.Second), "2", labelled(t, map[string]int64{"main work": 7, "main idle": 1}))
	if a := ask(p, "work"); a.By != "traffic" || a.Total != 7 || !slices.Equal(shown(a), []string{"GET / ? 90", "POST /pay ? 10"}) || !strings.Contains(a.Sentence, "do not say") {
		t.Errorf("without labels: %+v %q", a, shown(a))
	}
	p.at(at.Add(-21*time.Second), "2", labelled(t, map[string]int64{"main work:span_id=00000000000000a1": 20, "main work:span_id=00000000000000a3": 5, "main idle:span_id=00000000000000a3": 50}))
	if a := ask(p, "work"); a.By != "span_id" || a.Total != 32 || a.Labelled != 25 || !slices.Equal(shown(a), []string{"POST /pay 20 10", "GET / 5 90"}) || *a.Operations[0].Share != .8 {
		t.Errorf("by spans: %+v %q", a, shown(a))
	}
	p.at(at.Add(-22*time.Second), "2", labelled(t, map[string]int64{"main work:endpoint=/pay": 40, "main deep work:endpoint=cron": 2}))
	if a := ask(p, "work"); a.By != "endpoint" || a.Labelled != 42 || !slices.Equal(shown(a), []string{"POST /pay 40 10", "cron 2 0"}) {
		t.Errorf("by endpoints: %+v %q", a, shown(a))
	}
	if a := ask(p, "nowhere"); a.Total != 0 || len(a.Operations) != 0 || !strings.Contains(a.Sentence, "No sample") {
		t.Errorf("a function that is not there: %+v", a)
	}
}

var (
	dotEdge = regexp.MustCompile(`(?m)^N(\d+) -> N(\d+) \[label="([^"]*)"(.*)\]`)
)

// The graph is the one that go tool pprof draws of the same profile: the same functions and the same calls.
func TestGraphIsThatOfPprof(t *testing.T) {
	p := newProfiled(t)
	file := filepath.Join(runtime.GOROOT(), "src", "cmd", "compile", "default.pgo")
	raw, err := osexec.Command("go", "tool", "pprof", "-proto", "-output=/dev/stdout", file).Output()
	if err != nil {
		t.Skipf("Go's compiler has no profile here: %v", err)
	}
	at := time.Now().Add(-time.Minute).UnixNano()
	if code, answer := p.push(fmt.Sprintf("service=compile&type=cpu&from=%d&until=%d", at, at+1e9), raw); code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	p.flush()
	g, err := p.db.ProfileGraph(context.Background(), ProfileSelection{Window: Window{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, Service: "compile", Type: "cpu"}, DefaultGraphOptions())
	if err != nil {
		t.Fatal(err)
	}
	dot, err := osexec.Command("go", "tool", "pprof", "-dot", "-nodecount=80", "-nodefraction=0.005", "-edgefraction=0.001", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	short := func(name string) string {
		return regexp.MustCompile(`[^A-Za-z0-9]`).ReplaceAllString(name[strings.LastIndexByte(name, '/')+1:], "")
	}
	names := map[string]string{}
	var wantNodes, wantEdges, gotNodes, gotEdges []string
	nodeLine := regexp.MustCompile(`(?m)^N(\d+) \[label="(.*?)\\n(?:0 of|[0-9.]+(?:ns|us|ms|s|mins|hrs)\b)`)
	for _, m := range nodeLine.FindAllStringSubmatch(string(dot), -1) {
		names[m[1]] = short(strings.NewReplacer(`\n`, "", "…", "").Replace(m[2]))
		wantNodes = append(wantNodes, names[m[1]])
	}
	for _, m := range dotEdge.FindAllStringSubmatch(string(dot), -1) {
		wantEdges = append(wantEdges, names[m[1]]+" "+names[m[2]])
	}
	for _, n := range g.Nodes {
		gotNodes = append(gotNodes, short(n.Function))
	}
	for _, e := range g.Edges {
		gotEdges = append(gotEdges, short(g.Nodes[e.From].Function)+" "+short(g.Nodes[e.To].Function))
	}
	for what, lists := range map[string][2][]string{"functions": {gotNodes, wantNodes}, "calls": {gotEdges, wantEdges}} {
		missing, extra := difference(lists[1], lists[0]), difference(lists[0], lists[1])
		if len(lists[1]) < 40 || len(missing) > 0 || len(extra) > 0 {
			t.Errorf("%s: %d, pprof draws %d; missing %q, more than there %q", what, len(lists[0]), len(lists[1]), missing, extra)
		}
	}
	series, err := p.db.ProfileSeries(context.Background(), ProfileSelection{Window: Window{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, Service: "compile", Type: "cpu"}, "function", 3)
	if err != nil || len(series.Series) != 4 || series.Series[0].Name != "runtime.gcDrain" { // of more stacks than are told apart
		t.Errorf("%+v %v", series, err)
	}
	focused, err := p.db.ProfileGraph(context.Background(), ProfileSelection{Window: Window{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, Service: "compile", Type: "cpu"},
		GraphOptions{NodeCount: 20, Focus: "scanobject", Ignore: "findObject"})
	if err != nil || focused.Total >= g.Total || focused.Total == 0 || len(focused.Nodes) > 20 {
		t.Errorf("focused on a function: %v of %v, %v", focused.Total, g.Total, err)
	}
	if _, err := p.db.ProfileGraph(context.Background(), ProfileSelection{Window: always, Service: "compile", Type: "cpu"}, GraphOptions{Focus: "("}); err == nil {
		t.Error("( is a regular expression")
	}
}

func difference(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}

// Ranges of days are read from sums where those have every profile, and from the profiles elsewhere. The sums here are
// ten times (hours) and a hundred times (days) what they should be, so that it shows which were read.
func TestSumsServeDays(t *testing.T) {
	p := newProfiled(t)
	ctx := context.Background()
	day := time.Now().UTC().Truncate(24 * time.Hour).Add(-48 * time.Hour)
	for _, at := range []time.Duration{time.Hour, time.Hour + time.Minute, 5 * time.Hour, 30 * time.Hour, 31 * time.Hour} {
		p.at(day.Add(at), "1", made(t, map[string]int64{"main;work": 1, "main;rest": 2}))
	}
	whole := Window{day.Add(20 * time.Minute), day.Add(47*time.Hour + time.Minute)} // becomes whole hours, which hold the day from its beginning
	total := func() (sum float64) {
		t.Helper()
		f, err := p.db.Flame(ctx, ProfileSelection{Window: whole, Service: "shop", Type: "cpu"}, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		if f.Profiles != 5 || f.Range.Resolution != "1h" {
			t.Errorf("%d profiles, %+v", f.Profiles, f.Range)
		}
		s, err := p.db.ProfileSeries(ctx, ProfileSelection{Window: whole, Service: "shop", Type: "cpu"}, "function", 5)
		if err != nil || len(s.Series) != 3 {
			t.Fatalf("%+v %v", s, err)
		}
		return f.Total
	}
	add := func(span, profiles, times int, from time.Duration) {
		t.Helper()
		at := day.Add(from).Unix()
		if err := p.conn.Exec(ctx, fmt.Sprintf(`INSERT INTO profile_rollups (span, ts, service, type, sample_types, resource, profiles, stacks, values1)
SELECT %[1]d, toDateTime(%[2]d), service, type, sample_types, resource, %[3]d, groupArray(stack), groupArray(v * %[4]d)
FROM (SELECT service, type, sample_types, resource, stack, sum(value1) AS v FROM profile_samples WHERE ts >= toDateTime(%[2]d) AND ts < toDateTime(%[2]d + %[1]d) GROUP BY ALL) GROUP BY ALL`, span, at, profiles, times)); err != nil {
			t.Fatal(err)
		}
	}
	if got := total(); got != 15 {
		t.Errorf("without sums: %v", got)
	}
	add(3600, 2, 10, time.Hour)
	if got := total(); got != 2*30+9 {
		t.Errorf("one hour added up: %v", got)
	}
	add(3600, 0, 10, 5*time.Hour)
	if got := total(); got != 2*30+9 {
		t.Errorf("a sum that lacks a profile was read: %v", got)
	}
	add(86400, 3, 100, 0)
	if got := total(); got != 3*300+6 {
		t.Errorf("a day added up: %v", got)
	}
}
