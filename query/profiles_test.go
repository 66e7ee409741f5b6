package query

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/pprof/profile"

	"github.com/tidemarkhq/tidemark/ingest"
	receiver "github.com/tidemarkhq/tidemark/ingest/pprof"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// profiled is a database with a receiver of profiles before it.
type profiled struct {
	t    testing.TB
	db   *DB
	conn driver.Conn
	in   *ingest.Ingest
	http *httptest.Server
}

func newProfiled(t testing.TB) *profiled {
	t.Helper()
	conn, dsn := storetest.DB(t)
	o := ingest.DefaultOptions()
	o.DSN, o.SpoolDir, o.EdgesInterval, o.Limits.Oldest = dsn, t.TempDir(), 0, 0
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	in, err := ingest.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	p := &profiled{t: t, db: New(conn, Options{}), conn: conn, in: in, http: httptest.NewServer(receiver.New(in.Submit, receiver.DefaultOptions()))}
	t.Cleanup(func() {
		p.http.Close()
		in.Close(context.Background())
	})
	return p
}

func (p *profiled) push(query string, body []byte) (int, string) {
	p.t.Helper()
	resp, err := http.Post(p.http.URL+"/v1/pprof?"+query, "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func (p *profiled) flush() {
	p.t.Helper()
	if err := p.in.Flush(context.Background()); err != nil {
		p.t.Fatal(err)
	}
}

var always = Window{time.Now().Add(-24 * time.Hour), time.Now().Add(24 * time.Hour)}

// Every profile of google/pprof's test data, taken in twice and given out, is what google/pprof makes of two of them:
// the same totals, and the same pprof -top of every sample type.
func TestMergedProfilesAreWhatPprofMerges(t *testing.T) {
	out, err := osexec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/pprof").Output()
	if err != nil {
		t.Fatal(err)
	}
	module := strings.TrimSpace(string(out))
	var files []string
	if err := filepath.WalkDir(module, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(path, "testdata") {
			files = append(files, path)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	p := newProfiled(t)
	type pair struct {
		name string
		want *profile.Profile
	}
	var all []pair
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil || strings.HasSuffix(f, ".string") {
			continue
		}
		original, err := profile.ParseData(b)
		if err != nil || original.CheckValid() != nil {
			continue
		}
		name := strings.NewReplacer(".", "-", "/", "-").Replace(strings.TrimPrefix(f, module+"/"))
		want, err := profile.Merge([]*profile.Profile{original, original.Copy()})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pair{name, want})
		for i := range 2 {
			at := time.Now().Add(time.Duration(i-10) * time.Minute).UnixNano()
			if code, answer := p.push(fmt.Sprintf("service=%s&type=t&from=%d&until=%d", name, at, at+int64(time.Second)), b); code != 200 {
				t.Fatalf("%s: %d %s", name, code, answer)
			}
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d profiles", len(all))
	}
	p.flush()
	for _, x := range all {
		got, err := p.db.ProfileMerge(context.Background(), ProfileSelection{Window: always, Service: x.name, Type: "t"})
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		for i, ty := range x.want.SampleType {
			if g := got.SampleType[i]; g.Type != ty.Type || g.Unit != ty.Unit || totalOf(got, i) != totalOf(x.want, i) {
				t.Errorf("%s: %s/%s is %d, want %s/%s %d", x.name, g.Type, g.Unit, totalOf(got, i), ty.Type, ty.Unit, totalOf(x.want, i))
			}
			if a, b := top(t, got, ty.Type), top(t, x.want, ty.Type); a != b {
				t.Errorf("%s, %s: pprof -top differs:\n%s\nwant\n%s", x.name, ty.Type, head(a), head(b))
			}
		}
	}
}

func totalOf(p *profile.Profile, i int) (total int64) {
	for _, s := range p.Sample {
		total += s.Value[i]
	}
	return total
}

var volatile = regexp.MustCompile(`(?m)^(File|Time|Duration|Build ID|Type|Doc).*\n`)

// top is what pprof -top prints, with its rows in an order that does not depend on ties.
func top(t *testing.T, p *profile.Profile, sampleType string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "p.pb.gz")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Write(f); err != nil {
		t.Fatal(err)
	}
	f.Close()
	cmd := osexec.Command("go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", "-symbolize=none", "-sample_index="+sampleType, file)
	cmd.Env = append(os.Environ(), "PPROF_BINARY_PATH=/nonexistent")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pprof -top: %v\n%s", err, err.(*osexec.ExitError).Stderr)
	}
	rows := strings.Split(volatile.ReplaceAllString(string(out), ""), "\n")
	for i, r := range rows { // the running percentage depends on the order of ties
		if c := strings.Fields(r); len(c) > 5 && strings.HasSuffix(c[2], "%") {
			rows[i] = strings.Join(append(c[:2:2], c[3:]...), " ")
		}
	}
	sortStrings(rows)
	return strings.Join(rows, "\n")
}

func sortStrings(s []string) {
	for i := range s {
		for j := i; j > 0 && s[j] < s[j-1]; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

func head(s string) string { return s[:min(len(s), 1500)] }

// spin uses the CPU in a function of its own for a while.
//
//go:noinline
func spin(d time.Duration) (n int) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		for i := range 10000 {
			n += i
		}
	}
	return n
}

func cpuProfile(t testing.TB, d time.Duration) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		t.Fatal(err)
	}
	spin(d)
	pprof.StopCPUProfile()
	return b.Bytes()
}

func TestFlameOfARunningProgram(t *testing.T) {
	p := newProfiled(t)
	if code, answer := p.push("service=self&label.service.version=7&label.instance=a", cpuProfile(t, 300*time.Millisecond)); code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	p.flush()
	ctx := context.Background()
	kinds, err := p.db.ProfileKinds(ctx, always, "", "")
	if err != nil || len(kinds) != 1 || kinds[0].Type != "cpu" || kinds[0].Default != "cpu/nanoseconds" || kinds[0].Versions[0] != "7" || kinds[0].Instances[0] != "a" {
		t.Fatalf("%+v %v", kinds, err)
	}
	for _, w := range []Window{{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, always} { // raw, and the hourly rollup
		f, err := p.db.Flame(ctx, ProfileSelection{Window: w, Service: "self", Type: "cpu", Version: "7"}, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		at := func(function string) float64 {
			for i, fr := range f.Nodes.Frame {
				if fr >= 0 && strings.HasSuffix(f.Frames[fr].Function, function) {
					return f.Nodes.Total[i]
				}
			}
			return 0
		}
		if f.Unit != "nanoseconds" || f.Total <= 0 || at("query.spin") < .8*f.Total {
			t.Errorf("%s: spin took %g of %g %s", f.Range.Resolution, at("query.spin"), f.Total, f.Unit)
		}
	}
	if _, err := p.db.Flame(ctx, ProfileSelection{Window: always, Service: "self", Type: "cpu", Version: "8"}, "", 0); err == nil {
		t.Error("profiles of a version that was never seen")
	}
}

// made is a profile of one process: every key is a stack, written from the root, worth its value in nanoseconds.
func made(t testing.TB, stacks map[string]int64) []byte {
	t.Helper()
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, DurationNanos: int64(time.Minute)}
	functions := map[string]*profile.Location{}
	for stack, v := range stacks {
		s := &profile.Sample{Value: []int64{v}}
		for name := range strings.SplitSeq(stack, ";") {
			l := functions[name]
			if l == nil {
				f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, Filename: name + ".go"}
				l = &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f, Line: 3}}}
				p.Function, p.Location, functions[name] = append(p.Function, f), append(p.Location, l), l
			}
			s.Location = append([]*profile.Location{l}, s.Location...)
		}
		p.Sample = append(p.Sample, s)
	}
	var b bytes.Buffer
	if err := p.WriteUncompressed(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Version 2 encodes in twice the time, and has moved half of what b.load took to b.fetch: the first is what changed,
// the second is no news.
func TestComparisonNamesTheFunctionThatGotSlower(t *testing.T) {
	p := newProfiled(t)
	begin := time.Now().Truncate(time.Minute).Add(-40 * time.Minute)
	ms := func(v float64, i int) int64 { return int64(v * (1 + .01*float64(i%5)) * 1e6) }
	for i := range 20 {
		stacks := map[string]int64{"main.run;a.encode": ms(100, i), "main.run;main.get;b.load": ms(300, i), "main.run": ms(20, i)}
		version := "1"
		if i >= 10 {
			version = "2"
			stacks = map[string]int64{"main.run;a.encode": ms(200, i), "main.run;main.get;b.load": ms(150, i), "main.run;main.get;b.fetch": ms(150, i), "main.run": ms(20, i)}
		}
		at := begin.Add(time.Duration(i) * time.Minute).UnixNano()
		if code, answer := p.push(fmt.Sprintf("service=shop&type=cpu&from=%d&label.service.version=%s", at, version), made(t, stacks)); code != 200 {
			t.Fatal(answer)
		}
	}
	p.flush()
	ctx := context.Background()
	w := Window{begin, begin.Add(20 * time.Minute)}
	compare := func() *ProfileComparison {
		t.Helper()
		c, err := p.db.CompareProfiles(ctx, ProfileSelection{Window: w, Service: "shop", Type: "cpu", Version: "2"}, ProfileSelection{Window: w, Service: "shop", Type: "cpu", Version: "1"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := compare()
	if c.PerRequest || c.Note == "" || !c.Significance {
		t.Errorf("without requests: %+v", c)
	}
	exec(t, p.conn, fmt.Sprintf(`INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls)
SELECT 'service', toStartOfMinute(toDateTime(%d) + 60 * number), 'shop', '', 'unspecified', '', if(number < 10, '1', '2'), '', 100 FROM numbers(20)`, begin.Unix()))
	c = compare()
	if !c.PerRequest || c.This.Requests != 1000 || c.MoverUnit != "nanoseconds/request" {
		t.Fatalf("%+v %+v", c.This, c.MoverUnit)
	}
	moves := map[string]FunctionMove{}
	for _, m := range c.Movers {
		moves[m.Function] = m
	}
	if m := moves["a.encode"]; !m.Moved || m.Shift || m.Self < 1.9*m.BaseSelf || m.Self > 2.1*m.BaseSelf {
		t.Errorf("encode: %+v", m)
	}
	for _, name := range []string{"b.load", "b.fetch"} {
		if m := moves[name]; !m.Shift || !m.Moved {
			t.Errorf("%s: %+v", name, m)
		}
	}
	if m := moves["main.run"]; m.Moved {
		t.Errorf("run did not change: %+v", m)
	}
	want := "24 % more than before (5.3 ms a request instead of 4.28 ms a request); a.encode takes 1.02 ms a request more, 100 % of the difference."
	if c.Summary != want {
		t.Errorf("said %q\nwant %q", c.Summary, want)
	}
	s, err := p.db.ProfileSeries(ctx, ProfileSelection{Window: w, Service: "shop", Type: "cpu"}, "function", 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Series) != 3 || s.Series[0].Name != "b.load" || s.Unit != "cores" || s.Total[0] == nil || *s.Total[0] != .42/60 || *s.Series[1].Values[0] != .1/60 {
		t.Errorf("%+v", s)
	}
}

// What counts since a process began is told by what it grew; a restart begins anew; what is a state is averaged.
func TestCumulativeProfiles(t *testing.T) {
	p := newProfiled(t)
	begin := time.Now().Truncate(time.Minute).Add(-10 * time.Minute)
	heap := func(alloc, inuse int64) []byte {
		q, err := profile.ParseUncompressed(made(t, map[string]int64{"main.run;main.alloc": alloc}))
		if err != nil {
			t.Fatal(err)
		}
		q.SampleType = []*profile.ValueType{{Type: "alloc_space", Unit: "bytes"}, {Type: "inuse_space", Unit: "bytes"}}
		q.Sample[0].Value = append(q.Sample[0].Value, inuse)
		q.DurationNanos = 0
		var b bytes.Buffer
		if err := q.Write(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for i, v := range [][2]int64{{1000, 10}, {1500, 20}, {1700, 30}, {100, 40}, {150, 50}} { // grew by –, 500, 200, (restarted) 100, 50
		at := begin.Add(time.Duration(i) * time.Minute).UnixNano()
		if code, answer := p.push(fmt.Sprintf("service=shop&from=%d&label.instance=a", at), heap(v[0], v[1])); code != 200 {
			t.Fatal(answer)
		}
	}
	p.flush()
	for sampleType, want := range map[string]float64{"alloc_space": 850, "inuse_space": 30, "": 30} {
		f, err := p.db.Flame(context.Background(), ProfileSelection{Window: always, Service: "shop", Type: "heap", SampleType: sampleType}, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		if f.Total != want {
			t.Errorf("%s: %g, want %g", sampleType, f.Total, want)
		}
	}
	m, err := p.db.ProfileMerge(context.Background(), ProfileSelection{Window: always, Service: "shop", Type: "heap"})
	if err != nil {
		t.Fatal(err)
	}
	if totalOf(m, 0) != 1000+1500+1700+100+150 || len(m.SampleType) != 2 {
		t.Errorf("the merged profile has %d of %d types", totalOf(m, 0), len(m.SampleType))
	}
}
