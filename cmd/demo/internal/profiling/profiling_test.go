package profiling

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

//go:noinline
func burn(until <-chan struct{}) (n int) {
	for {
		select {
		case <-until:
			return n
		default:
			n += len(strings.Repeat("x", 100))
		}
	}
}

// Two instances work in this process, and each one's profile has its own work alone.
func TestInstancesAreProfiledApart(t *testing.T) {
	done := make(chan struct{})
	var working sync.WaitGroup
	for _, i := range []string{"a", "b"} {
		working.Go(func() { Do(context.Background(), i, "GET /"+i, func(context.Context) { burn(done) }) })
	}
	defer working.Wait()
	defer close(done)
	r := &Recorder{more: make(chan struct{})}
	profiles := map[string]*profile.Profile{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, i := range []string{"a", "b", "idle"} {
		s := httptest.NewServer(r.Handler(i))
		defer s.Close()
		asking.Go(func() {
			res, err := http.Get(s.URL + "/debug/pprof/profile?seconds=3")
			if err != nil {
				t.Error(err)
				return
			}
			defer res.Body.Close()
			p, err := profile.Parse(res.Body)
			if err != nil {
				t.Errorf("%s: %s: %v", i, res.Status, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			profiles[i] = p
		})
	}
	asking.Wait()
	for _, i := range []string{"a", "b"} {
		p := profiles[i]
		if p == nil || len(p.Sample) == 0 || p.DurationNanos < int64(2*time.Second) {
			t.Fatalf("%s: %v", i, p)
		}
		for _, s := range p.Sample {
			if !slices.Equal(s.Label["endpoint"], []string{"GET /" + i}) || s.Label[instanceLabel] != nil {
				t.Fatalf("%s has a sample labelled %v", i, s.Label)
			}
		}
	}
	if p := profiles["idle"]; p == nil || len(p.Sample) != 0 {
		t.Errorf("an idle instance: %v", p)
	}
}

func TestTargetsFollowTheInstances(t *testing.T) {
	var mu sync.Mutex
	have := map[string]target{"old": {ID: "old", URL: "http://127.0.0.1:1/debug/pprof", Labels: map[string]string{originKey: origin}}, "else": {ID: "else", URL: "http://10.0.0.1"}}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodGet:
			list := []target{}
			for _, x := range have {
				list = append(list, x)
			}
			json.NewEncoder(w).Encode(map[string]any{"targets": list})
		case http.MethodPost:
			var x target
			json.NewDecoder(r.Body).Decode(&x)
			x.ID = "new-" + x.Service
			have[x.ID] = x
		case http.MethodDelete:
			delete(have, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
		}
	}))
	defer api.Close()
	c := &client{base: api.URL, http: api.Client()}
	ids := func() (out []string) {
		for id := range have {
			out = append(out, id)
		}
		slices.Sort(out)
		return out
	}
	for _, step := range []struct {
		running []Instance
		want    []string
	}{
		{[]Instance{{Service: "cart", Version: "1", ID: "cart-1", Address: "127.0.0.1:7"}}, []string{"else", "new-cart"}},
		{[]Instance{{Service: "cart", Version: "1", ID: "cart-1", Address: "127.0.0.1:7"}, {Service: "pay", ID: "pay-1", Address: "127.0.0.1:8"}}, []string{"else", "new-cart", "new-pay"}},
		{nil, []string{"else"}},
	} {
		if err := c.reconcile(t.Context(), step.running); err != nil {
			t.Fatal(err)
		}
		if got := ids(); !slices.Equal(got, step.want) {
			t.Errorf("targets are %q, want %q", got, step.want)
		}
	}
}

// What is pushed is said whose it is, and goes to where the API says.
func TestProfilesArePushed(t *testing.T) {
	var got []string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, err := profile.Parse(r.Body); err != nil || len(p.SampleType) == 0 {
			t.Errorf("pushed: %v, %v", p, err)
		}
		q := r.URL.Query()
		got = append(got, r.URL.Path, q.Get("service"), q.Get("type"), q.Get("label.service.version"), q.Get("label.service.instance.id"))
	}))
	defer receiver.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(receiver.URL, "http://"), ":")
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(map[string]string{"otlp_http": "[::]:" + port})
	}))
	defer api.Close()
	p := &pusher{api: api.URL, http: api.Client(), cpu: func(context.Context, string, time.Duration) (*profile.Profile, error) {
		return &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}}, nil
	}}
	if err := p.round(t.Context(), []Instance{{Service: "payment", Version: "2", ID: "payment-1"}}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"/v1/pprof", "payment", "cpu", "2", "payment-1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
