package pprof

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// town is a store that processes meet in, with its own clock, which the test moves.
type town struct {
	at     time.Time
	beats  map[string]string
	broken map[string]bool // processes that cannot reach it
}

func (w *town) join(name string) *crew {
	unreachable := func() error {
		if w.broken[name] {
			return errors.New("the store is not to be reached")
		}
		return nil
	}
	c := newCrew(&Peers{Name: name,
		Read: func(context.Context) (map[string]string, time.Time, error) {
			return maps.Clone(w.beats), w.at, unreachable()
		},
		Write: func(_ context.Context, b string) error {
			if err := unreachable(); err != nil {
				return err
			}
			w.beats[name] = b
			return nil
		},
		Leave: func(context.Context) error { delete(w.beats, name); return unreachable() },
	})
	skew := time.Duration(len(name)) * 7 * time.Second // no two clocks are alike
	c.clock = func() time.Time { return w.at.Add(skew) }
	return c
}

// TestATargetIsFetchedByOne moves processes that come, go, die and lose the store through ten minutes: no target is
// ever fetched from by two of them, and a while after the last change each by exactly one.
func TestATargetIsFetchedByOne(t *testing.T) {
	var targets []Target
	for i := range 40 {
		targets = append(targets, Target{ID: fmt.Sprintf("t%d", i), Source: SourceAPI})
	}
	own := Target{ID: "configured of b", Source: SourceConfiguration}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := &town{at: time.Unix(1e9, 0), beats: map[string]string{}, broken: map[string]bool{}}
		crews, has, phase := map[string]*crew{}, map[string][]Target{}, map[string]int{}
		names := []string{"a", "bb", "ccc", "dddd"}
		start := func(name string) { crews[name], phase[name] = w.join(name), r.IntN(10) }
		look := func(name string) {
			c, all, fixed := crews[name], targets, []string(nil)
			if name == "bb" {
				all, fixed = append(all[:len(all):len(all)], own), []string{own.ID}
			}
			_ = c.exchange(t.Context(), fixed, func() map[string]progress { return nil })
			has[name] = c.share(all)
		}
		events := map[int]func(){
			0:              func() { start("a") },
			1 + r.IntN(59): func() { start("bb") },
			60 + r.IntN(9): func() { start("ccc") },
			130:            func() { w.broken["a"] = true },
			260:            func() { w.broken["a"] = false },
			330:            func() { start("dddd"); has["dddd"] = nil },
			400:            func() { crews["ccc"].leave(t.Context()); delete(crews, "ccc"); delete(has, "ccc") },
			440:            func() { delete(crews, "bb"); delete(has, "bb") }, // killed
		}
		for second := range 600 {
			w.at = w.at.Add(time.Second)
			if e := events[second]; e != nil {
				e()
			}
			for _, name := range names {
				if c := crews[name]; c != nil && (c.owners == nil || second%10 == phase[name]) {
					look(name)
				}
			}
			by := map[string]string{}
			for name, list := range has {
				for _, x := range list {
					if by[x.ID] != "" {
						t.Fatalf("seed %d, second %d: %s is fetched by %s and %s", seed, second, x.ID, by[x.ID], name)
					}
					by[x.ID] = name
				}
			}
			if settled := second == 129 || second == 325 || second == 399 || second == 439 || second == 599; settled && len(by) < len(targets) {
				t.Errorf("seed %d, second %d: %d of %d targets are fetched", seed, second, len(by), len(targets))
			}
			if second == 399 && by[own.ID] != "bb" {
				t.Errorf("seed %d: the target that one process alone has is fetched by %q", seed, by[own.ID])
			}
			if second == 399 {
				if n := len(has["a"]); n < 2 || n > 25 {
					t.Errorf("seed %d: one of four processes has %d of %d targets", seed, n, len(targets))
				}
			}
		}
	}
}

func TestTryingATarget(t *testing.T) {
	server := program(t)
	k, m, ctx := &taken{}, &memory{values: map[string]string{}}, context.Background()
	r, _ := serve(t, k, nil)
	s := NewScraper(r, func(a netip.Addr) error {
		if !a.IsLoopback() {
			return errors.New("not allowed")
		}
		return nil
	})
	targets, err := NewTargets(ctx, s, nil, m.settings())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { targets.Close(ctx); s.Close(ctx) }()
	wish := Target{Service: "shop", URL: server.URL, Types: []string{"heap", "goroutine"}, Interval: Duration(mostInterval), Paused: true, Auth: Auth{Kind: "basic", Username: "scraper", Secret: "s3cret"}, TLS: TLS{Insecure: true}}
	made, err := targets.Add(ctx, wish)
	if err != nil {
		t.Fatal(err)
	}
	good := func(what string, list []Tried, err error) {
		t.Helper()
		if err != nil || len(list) != 2 {
			t.Fatalf("%s: %+v, %v", what, list, err)
		}
		for _, x := range list {
			if x.Err != nil || x.Samples == 0 || x.Bytes == 0 || len(x.SampleTypes) == 0 {
				t.Errorf("%s: %+v", what, x)
			}
		}
	}
	list, err := targets.Try(ctx, "", wish)
	good("a new one", list, err)
	wish.Auth.Secret = ""
	list, err = targets.Try(ctx, made.ID, wish)
	good("with the secret that is stored", list, err)
	if k.count() != 0 {
		t.Error("what was tried was kept")
	}

	elsewhere := wish
	elsewhere.URL = "http://192.0.2.7:6060"
	var field *FieldError
	if _, err := targets.Try(ctx, made.ID, elsewhere); !errors.As(err, &field) || field.Field != "auth.password" {
		t.Errorf("the secret of one host for another: %v", err)
	}
	wrong := wish
	wrong.Auth.Secret = "guess"
	if list, err = targets.Try(ctx, "", wrong); err != nil || list[0].Err == nil || !strings.Contains(list[0].Err.Error(), "401") {
		t.Errorf("a wrong password: %+v, %v", list, err)
	}
	wrong.URL, wrong.TLS = "http://192.0.2.7:6060", TLS{}
	if list, err = targets.Try(ctx, "", wrong); err != nil || list[0].Err == nil || !strings.Contains(list[0].Err.Error(), "not allowed") {
		t.Errorf("an address that is not allowed: %+v, %v", list, err)
	}
	if _, err = targets.Try(ctx, "nobody", wish); !errors.Is(err, ErrNoTarget) {
		t.Errorf("a target that is not there: %v", err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/heap", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello")) })
	mux.HandleFunc("/debug/pprof/profile", httppprof.Profile)
	plain := httptest.NewServer(mux)
	defer plain.Close()
	list, err = targets.Try(ctx, "", Target{Service: "x", URL: plain.URL, Types: []string{"heap", "cpu"}})
	if err != nil || list[0].Err == nil || !strings.Contains(list[0].Err.Error(), "no profile") || list[0].Bytes != 5 {
		t.Errorf("what is no profile: %+v, %v", list, err)
	}
	if list[1].Err != nil || len(list[1].SampleTypes) != 2 || list[1].Took < trySeconds*time.Second {
		t.Errorf("a CPU profile of a second: %+v", list[1])
	}
}
