package profiling

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/google/pprof/profile"
)

const (
	pushEvery  = 15 * time.Second
	pushLength = 10 * time.Second
)

// Push sends a CPU profile of each of some instances to Tidemark every 15 seconds, as a program does that cannot be
// reached from there, until the context ends. Where to, Tidemark's API says. Nothing depends on it: what could not be
// sent is given up.
func Push(ctx context.Context, api string, running func() []Instance) {
	p := &pusher{api: api, http: &http.Client{Timeout: 10 * time.Second}, cpu: Shared.cpu}
	tick := time.NewTicker(pushEvery)
	defer tick.Stop()
	for {
		_ = p.round(ctx, running())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

type pusher struct {
	api  string
	http *http.Client
	cpu  func(ctx context.Context, instance string, length time.Duration) (*profile.Profile, error)
}

// round takes and sends one profile of every instance.
func (p *pusher) round(ctx context.Context, running []Instance) error {
	if len(running) == 0 {
		return nil
	}
	to, err := p.receiver(ctx)
	if err != nil {
		return err
	}
	errs := make(chan error, len(running))
	var all sync.WaitGroup
	for _, i := range running {
		all.Go(func() {
			if err := p.one(ctx, to, i); err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}

// receiver is the address that telemetry goes to over HTTP. A wildcard is where the API is.
func (p *pusher) receiver(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+"/api/v1/status", nil)
	if err != nil {
		return "", err
	}
	res, err := p.http.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var status struct {
		Address string `json:"otlp_http"`
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, 4<<20)).Decode(&status); err != nil {
		return "", fmt.Errorf("ask where profiles go: %w", err)
	}
	host, port, err := net.SplitHostPort(status.Address)
	if err != nil {
		return "", fmt.Errorf("ask where profiles go: %w", err)
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	u, err := url.Parse(p.api)
	if err != nil {
		return "", err
	}
	return "http://" + net.JoinHostPort(cmp.Or(host, u.Hostname()), port), nil
}

func (p *pusher) one(ctx context.Context, to string, i Instance) error {
	began := time.Now()
	taken, err := p.cpu(ctx, i.ID, pushLength)
	if err != nil {
		return err
	}
	var body bytes.Buffer
	if err := taken.Write(&body); err != nil {
		return err
	}
	v := url.Values{"service": {i.Service}, "type": {"cpu"}, "from": {fmt.Sprint(began.UnixNano())}, "until": {fmt.Sprint(time.Now().UnixNano())},
		"label.service.version": {i.Version}, "label.service.instance.id": {i.ID}, "label.deployment.environment.name": {i.Env}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to+"/v1/pprof?"+v.Encode(), &body)
	if err != nil {
		return err
	}
	res, err := p.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("push a profile of %s: %s", i.Service, res.Status)
	}
	return nil
}
