package pprof

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"net/netip"
	"net/url"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"github.com/grafana/pyroscope-go"

	"github.com/tidemarkhq/tidemark/ingest"
)

// taken remembers what was submitted.
type taken struct {
	mu     sync.Mutex
	bodies [][]byte
	err    error
}

func (k *taken) submit(_ context.Context, signal ingest.Signal, body []byte) (ingest.Result, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return ingest.Result{}, k.err
	}
	if signal != ingest.Profiles {
		return ingest.Result{}, fmt.Errorf("submitted as %s", signal)
	}
	k.bodies = append(k.bodies, bytes.Clone(body))
	return ingest.Result{Accepted: 1}, nil
}

// has says whether a submitted profile contains a text: a type, a label.
func (k *taken) has(text string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, b := range k.bodies {
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

func (k *taken) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.bodies)
}

func serve(t *testing.T, k *taken, change func(*Options)) (*Receiver, *httptest.Server) {
	t.Helper()
	o := DefaultOptions()
	if change != nil {
		change(&o)
	}
	r := New(k.submit, o)
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return r, s
}

func heap(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&b, 0); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zip(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func TestPushesAreAnsweredByWhatIsWrong(t *testing.T) {
	k := &taken{}
	_, s := serve(t, k, func(o *Options) { o.MaxBody = 1 << 20 })
	good := heap(t)
	for _, c := range []struct {
		name, query string
		body        []byte
		code        int
		says        string
	}{
		{"whole", "service=a", good, 200, "samples"},
		{"not compressed", "service=a", mustUnzip(t, good), 200, "samples"},
		{"no service", "", good, 400, "service is missing"},
		{"empty", "service=a", nil, 400, "is empty"},
		{"no profile", "service=a", []byte("hello"), 400, "not pprof's protobuf"},
		{"cut", "service=a", good[:len(good)/2], 400, "unpacking"},
		{"twice compressed", "service=a", zip(good), 400, "compressed more than once"},
		{"a bomb", "service=a", zip(make([]byte, 30<<20)), 413, "too large when unpacked"},
		{"too large", "service=a", make([]byte, 2<<20), 413, "larger than"},
		{"a time that is none", "service=a&from=yesterday", good, 400, "from=yesterday"},
		{"ends before it begins", "service=a&from=2&until=1", good, 400, "until lies before from"},
	} {
		resp, err := http.Post(s.URL+"/v1/pprof?"+c.query, "", bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != c.code || !strings.Contains(string(b), c.says) {
			t.Errorf("%s: %d %s; want %d with %q", c.name, resp.StatusCode, b, c.code, c.says)
		}
	}
	k.err = &ingest.OverloadError{Reason: "spool_full", RetryAfter: 3 * time.Second}
	resp, err := http.Post(s.URL+"/v1/pprof?service=a", "", bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "3" {
		t.Errorf("overload: %d, Retry-After %q", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
}

func mustUnzip(t *testing.T, b []byte) []byte {
	t.Helper()
	out, err := gunzip(b, 100<<20)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestKindAndTemporalityAreFound(t *testing.T) {
	for _, c := range []struct {
		types      string
		duration   int64
		kind       string
		cumulative bool
	}{
		{"samples/count,cpu/nanoseconds", 1e9, "cpu", false},
		{"alloc_objects/count,alloc_space/bytes,inuse_objects/count,inuse_space/bytes", 0, "heap", true},
		{"alloc_objects/count,alloc_space/bytes,inuse_objects/count,inuse_space/bytes", 3e10, "heap", false},
		{"goroutine/count", 0, "goroutine", false},
		{"contentions/count,delay/nanoseconds", 0, "mutex", true},
		{"wall/nanoseconds", 1e9, "wall", false},
		{"lines/count", 0, "lines", false},
	} {
		h := head{types: strings.Split(c.types, ","), duration: c.duration}
		if h.kind() != c.kind || h.cumulative() != c.cumulative {
			t.Errorf("%s of %d ns: %s, cumulative %v; want %s, %v", c.types, c.duration, h.kind(), h.cumulative(), c.kind, c.cumulative)
		}
	}
}

// Pyroscope's own SDK, as an application would use it.
func TestPyroscopeSDK(t *testing.T) {
	k := &taken{}
	_, s := serve(t, k, nil)
	p, err := pyroscope.Start(pyroscope.Config{ApplicationName: "shop", ServerAddress: s.URL, Tags: map[string]string{"version": "1.2", "region": "eu"}, UploadRate: 300 * time.Millisecond,
		ProfileTypes: []pyroscope.ProfileType{pyroscope.ProfileCPU, pyroscope.ProfileInuseSpace, pyroscope.ProfileAllocSpace, pyroscope.ProfileGoroutines}})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for !(k.has("cpu") && k.has("heap") && k.has("goroutine")) && time.Now().Before(deadline) {
		for i := range 1000 {
			_ = strings.Repeat("x", i)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"cpu", "heap", "goroutine", "service.version", "1.2", "region", "shop", "service.instance.id", "pyroscope"} {
		if !k.has(text) {
			t.Errorf("nothing that was submitted has %q", text)
		}
	}
}

func TestOlderPyroscopeSendsTheProfileBefore(t *testing.T) {
	k := &taken{}
	_, s := serve(t, k, nil)
	make := func(v int64) []byte {
		f := &profile.Function{ID: 1, Name: "f"}
		l := &profile.Location{ID: 1, Line: []profile.Line{{Function: f}}}
		p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "alloc_space", Unit: "bytes"}}, Function: []*profile.Function{f}, Location: []*profile.Location{l},
			Sample: []*profile.Sample{{Location: []*profile.Location{l}, Value: []int64{v}}}}
		var b bytes.Buffer
		p.Write(&b)
		return b.Bytes()
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for name, content := range map[string][]byte{"profile": make(900), "prev_profile": make(600), "sample_type_config": []byte(`{"alloc_space":{"units":"bytes","cumulative":true}}`)} {
		part, _ := w.CreateFormFile(name, name)
		part.Write(content)
	}
	w.Close()
	resp, err := http.Post(s.URL+"/ingest?name="+url.QueryEscape("old.app{host=h}")+"&from=1700000000&until=1700000010&format=pprof", w.FormDataContentType(), &form)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || k.count() != 1 {
		t.Fatalf("%d, %d submitted", resp.StatusCode, k.count())
	}
	p := submitted(t, k.bodies[0], "pyroscope")
	if v := p.Sample[0].Value; len(v) != 1 || v[0] != 300 {
		t.Errorf("the difference is %v, want 300", v)
	}
}

// submitted finds the profile in what was submitted: behind its source.
func submitted(t *testing.T, body []byte, source string) *profile.Profile {
	t.Helper()
	rest := body[bytes.LastIndex(body, []byte(source))+len(source)+1:] // behind the tag of the profile
	_, n := binary.Uvarint(rest)
	p, err := profile.ParseUncompressed(rest[n:])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTimesOfPyroscope(t *testing.T) {
	for in, want := range map[string]int64{"1700000000": 1700000000e9, "1700000000123": 1700000000123e6, "1700000000123456": 1700000000123456e3, "1700000000123456789": 1700000000123456789} {
		if got, err := pyroscopeTime(url.Values{"from": {in}}, "from"); err != nil || got != want {
			t.Errorf("%s: %d, want %d (%v)", in, got, want, err)
		}
	}
	if _, err := pyroscopeTime(url.Values{"from": {"soon"}}, "from"); err == nil {
		t.Error("soon is a time")
	}
}

// A process with net/http/pprof is fetched from, and one that the allow-list does not name is not connected to.
func TestScraping(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	mux.HandleFunc("/debug/pprof/profile", httppprof.Profile)
	program := httptest.NewServer(mux)
	defer program.Close()
	k := &taken{}
	r, _ := serve(t, k, nil)
	s := NewScraper(r, func(netip.Addr) error { return nil })
	targets, err := ParseTargets("shop=" + program.URL + "?types=heap+goroutine+cpu&interval=5s")
	if err != nil {
		t.Fatal(err)
	}
	s.Set(targets)
	wait(t, "three profiles", func() bool { return k.count() >= 3 })
	wait(t, "a round", func() bool { st := s.States(); return len(st) == 1 && st[0].Profiles == 3 && st[0].LastError == "" })
	s.Close(context.Background())

	refused := errors.New("not there")
	k2 := &taken{}
	r2, _ := serve(t, k2, nil)
	s2 := NewScraper(r2, func(netip.Addr) error { return refused })
	defer s2.Close(context.Background())
	s2.Set(targets)
	wait(t, "a refusal", func() bool { st := s2.States(); return len(st) == 1 && strings.Contains(st[0].LastError, "not there") })
	if k2.count() != 0 {
		t.Error("something was fetched from a refused address")
	}
	s2.Set(nil)
	if st := s2.States(); len(st) != 0 {
		t.Errorf("targets that were taken out are still there: %+v", st)
	}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(40 * time.Second); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %s", what)
		}
	}
}

func TestTargetsAreChecked(t *testing.T) {
	for text, says := range map[string]string{"nothing": "SERVICE=URL", "a=ftp://x": "want http", "a=http://x?types=blood": "types \"blood\"", "a=http://x?interval=1s": "from 5s", "a=http://x?interval=often": "interval"} {
		if _, err := ParseTargets(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want …%s…", text, err, says)
		}
	}
	list, err := ParseTargets(" a=http://x:1 , b=https://y/sub/debug/pprof/ ")
	if err != nil || len(list) != 2 || list[0].URL != "http://x:1/debug/pprof" || list[1].URL != "https://y/sub/debug/pprof" {
		t.Errorf("%+v %v", list, err)
	}
}
