package query

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "profile", "testdata", "*"))
	if err != nil {
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
		if err != nil {
			continue
		}
		name := strings.ReplaceAll(filepath.Base(f), ".", "-")
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
	if len(all) < 10 {
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
	kinds, err := p.db.ProfileKinds(ctx, always, "")
	if err != nil || len(kinds) != 1 || kinds[0].Type != "cpu" || kinds[0].Default != "cpu/nanoseconds" || kinds[0].Versions[0] != "7" || kinds[0].Instances[0] != "a" {
		t.Fatalf("%+v %v", kinds, err)
	}
	for _, w := range []Window{{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, always} { // raw, and the hourly rollup
		f, err := p.db.Flame(ctx, ProfileSelection{Window: w, Service: "self", Type: "cpu", Version: "7"}, 0)
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
		if f.Unit != "nanoseconds" || f.Total < 1e8 || at("query.spin") < .8*f.Total {
			t.Errorf("%s: spin took %g of %g %s", f.Range.Resolution, at("query.spin"), f.Total, f.Unit)
		}
	}
	if _, err := p.db.Flame(ctx, ProfileSelection{Window: always, Service: "self", Type: "cpu", Version: "8"}, 0); err == nil {
		t.Error("profiles of a version that was never seen")
	}
}
