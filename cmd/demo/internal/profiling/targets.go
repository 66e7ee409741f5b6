package profiling

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Instance is a server that profiles can be fetched from.
type Instance struct {
	Service, Version, ID, Address, Env string
}

// origin marks the targets that are ours: those of a run before are removed by it.
const (
	originKey = "shop.origin"
	origin    = "tidemark-demo"
)

// followEvery is how soon a new instance is announced.
const followEvery = 3 * time.Second

type target struct {
	ID        string            `json:"id,omitempty"`
	Service   string            `json:"service"`
	URL       string            `json:"url"`
	Types     []string          `json:"types,omitempty"`
	Labels    map[string]string `json:"labels"`
	IntervalS float64           `json:"interval_s,omitempty"`
	CPUS      int               `json:"cpu_s,omitempty"`
}

func (i Instance) target() target {
	return target{Service: i.Service, URL: "http://" + i.Address + "/debug/pprof", Types: []string{"cpu", "goroutine"}, IntervalS: 15, CPUS: 10,
		Labels: map[string]string{originKey: origin, "service.version": i.Version, "service.instance.id": i.ID, "deployment.environment.name": i.Env}}
}

// Follow has Tidemark fetch profiles from the running instances, through its API, until the context ends. Nothing
// depends on it: a Tidemark that cannot be reached is tried again.
func Follow(ctx context.Context, api string, running func() []Instance) {
	c := &client{base: api + "/api/v1/profiles/targets", http: &http.Client{Timeout: 5 * time.Second}}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		_ = c.reconcile(ctx, running())
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			_ = c.reconcile(last, nil)
			cancel()
			return
		case <-tick.C:
		}
	}
}

type client struct {
	base string
	http *http.Client
}

// reconcile adds targets that are missing and removes ours that are gone.
func (c *client) reconcile(ctx context.Context, running []Instance) error {
	var have struct{ Targets []target }
	if err := c.do(ctx, http.MethodGet, "", nil, &have); err != nil {
		return err
	}
	wanted := map[string]target{}
	for _, i := range running {
		t := i.target()
		wanted[t.URL+" "+i.ID] = t
	}
	for _, t := range have.Targets {
		if t.Labels[originKey] != origin {
			continue
		}
		key := t.URL + " " + t.Labels["service.instance.id"]
		if _, ok := wanted[key]; ok {
			delete(wanted, key)
			continue
		}
		if err := c.do(ctx, http.MethodDelete, "/"+t.ID, nil, nil); err != nil {
			return err
		}
	}
	for _, t := range wanted {
		if err := c.do(ctx, http.MethodPost, "", t, nil); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) do(ctx context.Context, method, path string, body, into any) error {
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, &b)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s", method, c.base+path, res.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(res.Body, 16<<20)).Decode(into)
}
