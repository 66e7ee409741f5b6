package pprof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Target is a process whose profiles are fetched.
type Target struct {
	ID         string            `json:"id"`
	Source     string            `json:"-"` // api, configuration or self
	Service    string            `json:"service"`
	URL        string            `json:"url"`                // where net/http/pprof answers: http://host:6060, with /debug/pprof understood
	Types      []string          `json:"types,omitempty"`    // default cpu, heap, goroutine, mutex, block
	Interval   Duration          `json:"interval,omitempty"` // from one round to the next; default 1m
	Timeout    Duration          `json:"timeout,omitempty"`  // of each profile, without the time it takes by itself; default 10s
	CPUSeconds int               `json:"cpu_s,omitempty"`    // length of the CPU profile; default 10, at most half of the interval
	Labels     map[string]string `json:"labels,omitempty"`   // attributes of the resource: service.version and so on
	Paused     bool              `json:"paused,omitempty"`
	Auth       Auth              `json:"auth"`
	TLS        TLS               `json:"tls"`
}

// Duration is a time.Duration that JSON writes as text: "1m0s".
type Duration time.Duration

// MarshalText writes it as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// defaultTypes are fetched where a target says nothing else.
var defaultTypes = []string{"cpu", "heap", "goroutine", "mutex", "block"}

// paths are where net/http/pprof answers with a type.
var paths = map[string]string{"cpu": "profile", "heap": "heap", "goroutine": "goroutine", "mutex": "mutex", "block": "block", "threadcreate": "threadcreate", "allocs": "allocs"}

// Bounds of scraping.
const (
	defaultInterval = time.Minute
	leastInterval   = 5 * time.Second
	mostInterval    = 24 * time.Hour
	cpuSeconds      = 10 // of each interval, but at most half of it
	scrapePatience  = 10 * time.Second
)

// ParseTargets reads SERVICE=URL pairs separated by commas. ?interval=30s and ?types=cpu+heap may follow a URL.
func ParseTargets(text string) ([]Target, error) {
	var out []Target
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		service, address, ok := strings.Cut(part, "=")
		if !ok || service == "" {
			return nil, fmt.Errorf("%q is not SERVICE=URL", part)
		}
		u, err := url.Parse(address)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
		t := Target{Service: service}
		q := u.Query()
		if s := q.Get("interval"); s != "" {
			d, err := time.ParseDuration(s)
			if err != nil {
				return nil, fmt.Errorf("%s: interval: %w", part, err)
			}
			t.Interval = Duration(d)
		}
		if s := q.Get("types"); s != "" {
			t.Types = strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '+' })
		}
		u.RawQuery = ""
		t.URL = u.String()
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("%s: %w", part, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// TargetState is a target and how fetching from it goes.
type TargetState struct {
	Target
	progress
	Problem string // why it is not fetched from at all
	By      string // the process that fetches from it; "" for this one
}

// progress is how fetching from a target goes.
type progress struct {
	LastAt    time.Time `json:"last_at"` // of the last attempt; zero before the first
	NextAt    time.Time `json:"next_at"` // zero where none is planned
	TookMS    float64   `json:"took_ms"` // of the last successful round, without the CPU profile's own time
	Profiles  int64     `json:"profiles"`
	Bytes     int64     `json:"bytes"`
	LastBytes int64     `json:"last_bytes"` // of the last round
	Failures  int64     `json:"failures"`
	LastError string    `json:"last_error"` // of the last attempt; "" if it went well
}

// Scraper fetches profiles from targets and hands them to a Receiver.
type Scraper struct {
	receiver *Receiver
	dialer   *net.Dialer

	mu      sync.Mutex
	running map[string]*scrape
	wait    sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
}

type scrape struct {
	cancel context.CancelFunc
	fetch  func(ctx context.Context, kind string, seconds int) ([]byte, error)

	mu    sync.Mutex
	state TargetState
}

// NewScraper makes a Scraper that connects only to addresses that allow accepts: it is asked for what a name resolved
// to, at the moment of connecting.
func NewScraper(r *Receiver, allow func(netip.Addr) error) *Scraper {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address %q: %w", address, err)
		}
		return allow(ap.Addr())
	}}
	s := &Scraper{receiver: r, running: map[string]*scrape{}, dialer: dialer}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// client connects to what the allow-list names, as a target wants it. Redirects are not followed, and the environment's
// proxy is not used: behind one, the address would be the proxy's to check.
func (s *Scraper) client(t Target) (*http.Client, error) {
	config, err := t.TLS.config()
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{DialContext: s.dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// Close stops fetching.
func (s *Scraper) Close(context.Context) error {
	s.stop()
	s.wait.Wait()
	return nil
}

// Set fetches from these targets from now on. Those that stay as they are go on undisturbed.
func (s *Scraper) Set(targets []Target) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := map[string]bool{}
	for _, t := range targets {
		keep[t.ID] = true
		if r := s.running[t.ID]; r != nil {
			r.mu.Lock()
			same := sameTarget(r.state.Target, t)
			r.mu.Unlock()
			if same {
				continue
			}
			r.cancel()
		}
		s.begin(t, s.remote(t))
	}
	for id, r := range s.running {
		if !keep[id] && id != selfID {
			r.cancel()
			delete(s.running, id)
		}
	}
}

func sameTarget(a, b Target) bool {
	return reflect.DeepEqual(a, b)
}

const selfID = "self"

// Self profiles this process.
func (s *Scraper) Self(service string, labels map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := Target{ID: selfID, Source: SourceSelf, Service: service, URL: "in-process", Types: []string{"cpu", "heap", "goroutine"}, Interval: Duration(defaultInterval),
		Timeout: Duration(scrapePatience), CPUSeconds: cpuSeconds, Labels: labels}
	s.begin(t, own)
}

// begin starts fetching from one target. Called with mu held.
func (s *Scraper) begin(t Target, fetch func(context.Context, string, int) ([]byte, error)) {
	ctx, cancel := context.WithCancel(s.ctx)
	r := &scrape{cancel: cancel, fetch: fetch, state: TargetState{Target: t}}
	s.running[t.ID] = r
	if t.Paused {
		return
	}
	s.wait.Go(func() { s.run(ctx, r) })
}

// States lists the targets by service and address.
func (s *Scraper) States() []TargetState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]TargetState, 0, len(s.running))
	for _, r := range s.running {
		r.mu.Lock()
		out = append(out, r.state)
		r.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b TargetState) int { return strings.Compare(a.Service+"\x00"+a.ID, b.Service+"\x00"+b.ID) })
	return out
}

// run fetches at every interval, from a moment of the target's own, so that many targets do not answer at once.
func (s *Scraper) run(ctx context.Context, r *scrape) {
	interval := time.Duration(r.state.Interval)
	first := rand.N(min(interval, 5*time.Second))
	t := time.NewTimer(first)
	defer t.Stop()
	r.plan(first)
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		began := time.Now()
		s.round(ctx, r)
		rest := max(0, interval-time.Since(began))
		t.Reset(rest)
		r.plan(rest)
	}
}

// plan notes when the next round is.
func (r *scrape) plan(in time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.NextAt = time.Now().Add(in)
}

// round fetches every type of a target once.
func (s *Scraper) round(ctx context.Context, r *scrape) {
	target := r.state.Target
	seconds := target.CPUSeconds
	var failed error
	var took time.Duration
	var bytes, profiles int64
	for _, kind := range target.Types {
		wait := time.Duration(target.Timeout)
		if kind == "cpu" {
			wait += time.Duration(seconds) * time.Second
		}
		began := time.Now()
		one, cancel := context.WithTimeout(ctx, wait)
		body, err := r.fetch(one, kind, seconds)
		if err == nil {
			push := Push{Resource: identify(target.Labels, target.Service), Type: typeOf(kind), Source: "scrape", Body: body, Start: began.UnixNano()}
			if _, has := push.Resource["service.instance.id"]; !has && target.ID != selfID {
				push.Resource["service.instance.id"] = hostOf(target.URL)
			}
			_, err = s.receiver.Take(one, push)
		}
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", kind, err))
			continue
		}
		profiles++
		bytes += int64(len(body))
		if kind != "cpu" {
			took += time.Since(began)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	st := &r.state
	st.LastAt, st.LastError = time.Now(), ""
	st.Profiles, st.Bytes, st.LastBytes = st.Profiles+profiles, st.Bytes+bytes, bytes
	if failed != nil {
		st.Failures++
		st.LastError = failed.Error()
	} else {
		st.TookMS = float64(took) / 1e6
	}
}

func typeOf(kind string) string {
	if kind == "allocs" {
		return "heap"
	}
	return kind
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

// remote fetches over HTTP.
func (s *Scraper) remote(t Target) func(context.Context, string, int) ([]byte, error) {
	client, unfit := s.client(t)
	return func(ctx context.Context, kind string, seconds int) ([]byte, error) {
		address := t.URL + "/" + paths[kind]
		if kind == "cpu" {
			address += fmt.Sprintf("?seconds=%d", seconds)
		}
		if unfit != nil {
			return nil, unfit
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		switch t.Auth.Kind {
		case "basic":
			req.SetBasicAuth(t.Auth.Username, t.Auth.Secret)
		case "bearer":
			req.Header.Set("Authorization", "Bearer "+t.Auth.Secret)
		}
		resp, err := client.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		limit := int64(s.receiver.opts.MaxBody)
		body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("answered %s: %s", resp.Status, bytes.TrimSpace(body[:min(len(body), 200)]))
		case int64(len(body)) > limit:
			return nil, fmt.Errorf("answered with more than %d bytes (max-request-bytes)", limit)
		}
		return body, nil
	}
}

// own profiles this process.
func own(ctx context.Context, kind string, seconds int) ([]byte, error) {
	var b bytes.Buffer
	if kind != "cpu" {
		err := pprof.Lookup(kind).WriteTo(&b, 0)
		return b.Bytes(), err
	}
	if err := pprof.StartCPUProfile(&b); err != nil {
		return nil, err
	}
	defer pprof.StopCPUProfile()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(time.Duration(seconds) * time.Second):
	}
	pprof.StopCPUProfile()
	return b.Bytes(), nil
}
