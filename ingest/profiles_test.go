package ingest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// pprofTestdata are the profiles that google/pprof tests itself with.
func pprofTestdata(t testing.TB) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/google/pprof").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "profile", "testdata", "*"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files of google/pprof's test data: %v", len(files), err)
	}
	return files
}

// readProfiles returns the profiles among files in protobuf encoding, by name.
func readProfiles(t testing.TB) map[string][]byte {
	out := map[string][]byte{}
	for _, f := range pprofTestdata(t) {
		b, err := os.ReadFile(f)
		if err != nil || strings.HasSuffix(f, ".string") {
			continue
		}
		p, err := profile.ParseData(b)
		if err != nil {
			continue
		}
		var buf bytes.Buffer
		if err := p.WriteUncompressed(&buf); err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = buf.Bytes()
	}
	return out
}

// What is read in one pass from the wire is what google/pprof reads.
func TestPprofReaderAgreesWithTheLibrary(t *testing.T) {
	limits := DefaultLimits()
	var r pprofReader
	all := readProfiles(t)
	if len(all) < 10 {
		t.Fatalf("only %d profiles", len(all))
	}
	for name, raw := range all {
		want, err := profile.ParseUncompressed(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.read(raw, &limits); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(r.samples) != len(want.Sample) || len(r.locations) != len(want.Location) || len(r.functions) != len(want.Function) || len(r.mappings) != len(want.Mapping) {
			t.Errorf("%s: %d samples, %d locations, %d functions, %d mappings; the library reads %d, %d, %d, %d", name,
				len(r.samples), len(r.locations), len(r.functions), len(r.mappings), len(want.Sample), len(want.Location), len(want.Function), len(want.Mapping))
			continue
		}
		for i, s := range want.Sample {
			got := r.samples[i]
			if n := int(got.stackEnd - got.stack); n != len(s.Location) {
				t.Fatalf("%s: sample %d has %d locations, want %d", name, i, n, len(s.Location))
			}
			for j, l := range s.Location {
				x := r.locations[r.stack[int(got.stack)+j]]
				if x.address != l.Address || int(x.linesEnd-x.lines) != len(l.Line) || x.folded != l.IsFolded {
					t.Fatalf("%s: sample %d, location %d: %+v, want %+v", name, i, j, x, l)
				}
				for k, ln := range l.Line {
					y := r.lines[int(x.lines)+k]
					if f := r.functions[y.function]; string(r.text(f.name)) != ln.Function.Name || string(r.text(f.file)) != ln.Function.Filename || y.line != ln.Line || y.column != ln.Column {
						t.Fatalf("%s: sample %d, location %d, line %d differs", name, i, j, k)
					}
				}
			}
			for j, v := range s.Value {
				if r.values[int(got.values)+j] != v {
					t.Fatalf("%s: sample %d, value %d differs", name, i, j)
				}
			}
			if n := int(got.labelsEnd - got.labels); n != labelCount(s) {
				t.Fatalf("%s: sample %d has %d labels, want %d", name, i, n, labelCount(s))
			}
		}
	}
}

func labelCount(s *profile.Sample) (n int) {
	for _, v := range s.Label {
		n += len(v)
	}
	for _, v := range s.NumLabel {
		n += len(v)
	}
	return n
}

func TestDamagedProfilesAreRefusedByField(t *testing.T) {
	limits := DefaultLimits()
	good := func() *profile.Profile {
		f := &profile.Function{ID: 1, Name: "main.work"}
		m := &profile.Mapping{ID: 1, Start: 0x1000, Limit: 0x9000, File: "/bin/x"}
		l := &profile.Location{ID: 1, Mapping: m, Address: 0x1234, Line: []profile.Line{{Function: f, Line: 7}}}
		return &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, Function: []*profile.Function{f},
			Mapping: []*profile.Mapping{m}, Location: []*profile.Location{l}, Sample: []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{1}}}}
	}
	encode := func(p *profile.Profile) []byte {
		var b bytes.Buffer
		if err := p.WriteUncompressed(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	whole := encode(good())
	twice := good()
	twice.Location = append(twice.Location, &profile.Location{ID: 1, Address: 9})
	for _, c := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"nothing", nil, "string_table"},
		{"cut", whole[:len(whole)-3], "malformed"},
		{"another value", append(bytes.Clone(whole), 0x12, 6, 0x0a, 1, 1, 0x12, 1, 1, 0x12, 2, 0x12, 0), "sample 2 has 0 values"},
		{"no such location", append(bytes.Clone(whole), 0x12, 6, 0x0a, 1, 77, 0x12, 1, 1), "refers to location 77"},
		{"no such string", append(bytes.Clone(whole), 0x2a, 4, 8, 9, 16, 120), "function 1 refers to a string"},
		{"no such mapping", append(bytes.Clone(whole), 0x22, 4, 8, 9, 16, 44), "refers to mapping 44"},
		{"an id twice", encode(twice), "the id 1, which is 0 or taken"},
	} {
		var r pprofReader
		err := r.read(c.raw, &limits)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want …%s…", c.name, err, c.want)
		}
	}
	limits.StackDepth, limits.ProfileSamples = 0, 10
	var r pprofReader
	if err := r.read(whole, &limits); err == nil || !strings.Contains(err.Error(), "limit-stack-depth") {
		t.Errorf("a stack beyond the limit: %v", err)
	}
	limits.ProfileSamples = 0
	if err := r.read(whole, &limits); err == nil || !strings.Contains(err.Error(), "limit-profile-samples") {
		t.Errorf("too many samples: %v", err)
	}
}

func FuzzPprof(f *testing.F) {
	for _, raw := range readProfiles(f) {
		if len(raw) < 20_000 {
			f.Add(raw)
		}
	}
	limits := DefaultLimits()
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r pprofReader
		if r.read(raw, &limits) != nil {
			return
		}
		d := newDecoder(&limits, newResources(10), newSeriesCache(10))
		d.begin(time.Now().UnixNano())
		p := Profile{Resource: map[string]string{"service.name": "x"}, Type: "cpu", Start: time.Now().UnixNano(), Pprof: raw}
		c := newProfileColumns()
		if err := d.profiles(c, p.Append(nil)); err != nil {
			t.Fatalf("read but not stored: %v", err)
		}
		if c.rows() != len(r.samples)*max(1, (len(r.types)+profileValues-1)/profileValues) {
			t.Fatalf("%d rows of %d samples", c.rows(), len(r.samples))
		}
	})
}

func TestProfilesAreStoredOnceAStack(t *testing.T) {
	conn, dsn := storetest.DB(t)
	in := start(t, testOptions(t, dsn))
	ctx := context.Background()
	raw := readProfiles(t)["go.crc32.cpu"]
	want, err := profile.ParseUncompressed(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		p := Profile{Resource: map[string]string{"service.name": "shop", "service.version": "1"}, Type: "cpu", Pprof: raw,
			Start: time.Now().Add(time.Duration(i-3) * time.Minute).UnixNano(), Duration: int64(time.Minute), Source: "push"}
		if _, err := in.Submit(ctx, Profiles, p.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if err := in.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stacks := map[string]bool{}
	for _, s := range want.Sample {
		key := ""
		for _, l := range s.Location {
			key += " " + string(rune(l.ID))
		}
		stacks[key] = true
	}
	if n := count(t, conn, "SELECT count() FROM profile_stacks"); n != uint64(len(stacks)) {
		t.Errorf("%d stacks stored, want %d", n, len(stacks))
	}
	if n := count(t, conn, "SELECT count() FROM profile_samples"); n != uint64(3*len(want.Sample)) {
		t.Errorf("%d samples stored, want %d", n, 3*len(want.Sample))
	}
	var total int64
	for _, s := range want.Sample {
		total += s.Value[1]
	}
	if n := count(t, conn, "SELECT toUInt64(sum(value2)) FROM profile_samples"); n != uint64(3*total) {
		t.Errorf("%d stored, want %d", n, 3*total)
	}
	if n := count(t, conn, "SELECT count() FROM profile_values"); n != 3 {
		t.Errorf("%d rows of three profiles without labels", n)
	}
	if n := count(t, conn, "SELECT count() FROM profiles WHERE sample_types = 'samples/count,cpu/nanoseconds' AND duration_ns = 60000000000 AND service = 'shop'"); n != 3 {
		t.Errorf("%d profiles, want 3", n)
	}
}

// Hours and days that are over are added up, again when something comes late, and after a restart.
func TestProfilesAreAddedUp(t *testing.T) {
	conn, dsn := storetest.DB(t)
	o := testOptions(t, dsn)
	in := start(t, o)
	ctx := context.Background()
	all := readProfiles(t)
	day := time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour)
	push := func(name, instance string, at time.Time, cumulative bool) {
		t.Helper()
		raw := all[name]
		if cumulative {
			p, err := profile.ParseUncompressed(raw)
			if err != nil {
				t.Fatal(err)
			}
			p.SampleType = append(p.SampleType, p.SampleType...)
			for _, s := range p.Sample {
				s.Value = append(s.Value, s.Value...)
			}
			var b bytes.Buffer
			if err := p.WriteUncompressed(&b); err != nil {
				t.Fatal(err)
			}
			raw = b.Bytes()
		}
		x := Profile{Resource: map[string]string{"service.name": "shop", "service.instance.id": instance}, Type: map[bool]string{false: "cpu", true: "heap"}[cumulative], Pprof: raw,
			Start: at.UnixNano(), Duration: int64(time.Minute), Source: "push", Cumulative: cumulative}
		if _, err := in.Submit(ctx, Profiles, x.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if err := in.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}
	later := time.Now().Add(time.Hour)
	add := func() {
		t.Helper()
		for range 3 { // hours, then their day
			if err := in.rollUp(ctx, later); err != nil {
				t.Fatal(err)
			}
			later = later.Add(time.Hour)
		}
	}
	for i := range 4 {
		push("go.crc32.cpu", "a", day.Add(time.Duration(i)*25*time.Minute), false)
		push("go.crc32.cpu", "b", day.Add(time.Duration(i)*25*time.Minute), false)
	}
	push("gobench.heap", "a", day.Add(time.Minute), true)
	add()
	same := func(when string) {
		t.Helper()
		for _, span := range []string{"3600", "86400"} {
			for _, c := range []string{"1", "2", "3", "4"} {
				sums := "SELECT toUInt64(sum(arraySum(values" + c + ")) + sum(arraySum(increases" + c + "))) FROM "
				got, want := count(t, conn, sums+"profile_rollups FINAL WHERE span = "+span), count(t, conn, sums+"profile_values")
				if got != want {
					t.Errorf("%s: the sums of %s s hold %d of value %s, the profiles %d", when, span, got, c, want)
				}
			}
			if got, want := count(t, conn, "SELECT toUInt64(sum(profiles)) FROM profile_rollups FINAL WHERE span = "+span), count(t, conn, "SELECT count() FROM profiles"); got != want {
				t.Errorf("%s: the sums of %s s are of %d profiles, want %d", when, span, got, want)
			}
		}
	}
	same("at first")
	if n := count(t, conn, "SELECT uniqExact(length(stacks)) FROM profile_rollups WHERE type = 'cpu'"); n != 1 {
		t.Error("equal profiles added up have different stacks")
	}
	push("go.crc32.cpu", "a", day.Add(30*time.Minute), false)
	add()
	same("after one came late")
	push("go.crc32.cpu", "b", day.Add(31*time.Minute), false)
	in.spans = newDirtySpans() // as after a restart
	if err := in.unfinishedRollups(ctx, time.Now()); err != nil {
		t.Fatal(err)
	}
	add()
	same("after a restart")
}
