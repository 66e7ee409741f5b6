package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/pprof"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/api"
	"github.com/tidemarkhq/tidemark/store"
)

// profileReceiver takes profiles that are pushed.
func (p *product) profileReceiver(in *ingest.Ingest) *pprof.Receiver {
	o := pprof.DefaultOptions()
	o.Refused = func(reason, example string) { in.Refuse(ingest.Profiles, reason, example) }
	o.OTLP = p.config.OTLPProfiles
	o.MaxBody, o.Logger = p.config.MaxRequestBytes, p.log
	return pprof.New(metered(in), o)
}

// targetKey precedes the ids of targets in the settings.
const targetKey = "profile_target/"

// scraperKey precedes the names of processes that fetch from targets.
const scraperKey = "profile_scraper/"

// startProfiles fetches profiles: from the configured targets, and of this process itself.
func (p *product) startProfiles(ctx context.Context) error {
	if p.ingest == nil {
		return nil
	}
	networks, err := notify.ParseNetworks(p.config.ScrapeAllow)
	if err != nil {
		return fmt.Errorf("--scrape-allow: %w", err)
	}
	fixed, err := p.configuredTargets()
	if err != nil {
		return err
	}
	keys, err := p.secretKeys()
	if err != nil {
		return err
	}
	p.scraper = pprof.NewScraper(p.profiles, networks.For("--scrape-allow", "are never fetched from").Check)
	p.onStop(p.scraper.Close)
	p.targets, err = pprof.NewTargets(ctx, p.scraper, fixed, pprof.Settings{
		Load: func(ctx context.Context) (map[string]string, error) {
			stored, err := store.Settings(ctx, p.conn, targetKey)
			out := map[string]string{}
			for k, v := range stored {
				out[k[len(targetKey):]] = v
			}
			return out, err
		},
		Save: func(ctx context.Context, id, value string) error {
			return store.SetSetting(ctx, p.conn, targetKey+id, value)
		},
		Delete: func(ctx context.Context, id string) error { return store.DeleteSetting(ctx, p.conn, targetKey+id) },
		Seal:   func(place, secret string) string { return keys.Seal(targetKey+place, secret) },
		Open:   func(place, sealed string) (string, error) { return keys.Open(targetKey+place, sealed) },
		Logger: p.log,
		Peers:  p.scraperPeers(),
	})
	if err != nil {
		return err
	}
	p.onStop(p.targets.Close)
	if p.config.SelfTelemetry {
		p.scraper.Self(selfService, map[string]string{"service.version": version, "service.instance.id": instanceName()})
	}
	return nil
}

func instanceName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// scraperPeers is how processes that fetch from the same targets hear of each other: in the settings.
func (p *product) scraperPeers() *pprof.Peers {
	name := instanceName() + "-" + strings.ToLower(rand.Text()[:6]) // containers may have the same host name and process id
	return &pprof.Peers{
		Name: name,
		Read: func(ctx context.Context) (map[string]string, time.Time, error) {
			var now time.Time
			if err := p.conn.QueryRow(ctx, "SELECT now64(3)").Scan(&now); err != nil {
				return nil, now, err
			}
			stored, err := store.Settings(ctx, p.conn, scraperKey)
			out := map[string]string{}
			for k, v := range stored {
				out[k[len(scraperKey):]] = v
			}
			return out, now, err
		},
		Write: func(ctx context.Context, beat string) error {
			return store.SetSetting(ctx, p.conn, scraperKey+name, beat)
		},
		Leave: func(ctx context.Context) error { return store.DeleteSetting(ctx, p.conn, scraperKey+name) },
	}
}

// configuredTargets are those of the flags: in short form, and in a file that holds what the API takes.
func (p *product) configuredTargets() ([]pprof.Target, error) {
	fixed, err := pprof.ParseTargets(p.config.ProfileTargets)
	if err != nil {
		return nil, fmt.Errorf("--profile-targets: %w", err)
	}
	name := p.config.ProfileTargetsFile
	if name == "" {
		return fixed, nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--profile-targets-file: %w", err)
	}
	var file struct {
		Targets []api.ProfileTargetWish `json:"targets"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("--profile-targets-file: %s: %w", name, err)
	}
	for i, w := range file.Targets {
		t := targetOf(w)
		if err := t.Check(); err != nil {
			return nil, fmt.Errorf("--profile-targets-file: %s: target %d: %w", name, i+1, err)
		}
		fixed = append(fixed, t)
	}
	return fixed, nil
}

// profileTargets is what the API may do with the targets.
func (p *product) profileTargets() *api.ProfileTargets {
	return &api.ProfileTargets{
		List: func() api.TargetsAnswer {
			a := api.TargetsAnswer{Targets: []api.ProfileTarget{}, Types: pprof.Types(), Allow: p.config.ScrapeAllow}
			for _, s := range p.targets.List() {
				a.Targets = append(a.Targets, shownTarget(s))
			}
			return a
		},
		Add: func(ctx context.Context, w api.ProfileTargetWish) (api.ProfileTarget, error) {
			s, err := p.targets.Add(ctx, targetOf(w))
			return shownTarget(s), targetError(err)
		},
		Change: func(ctx context.Context, id string, w api.ProfileTargetWish) (api.ProfileTarget, error) {
			s, err := p.targets.Change(ctx, id, targetOf(w))
			return shownTarget(s), targetError(err)
		},
		Remove: func(ctx context.Context, id string) error { return targetError(p.targets.Remove(ctx, id)) },
		Try: func(ctx context.Context, id string, w api.ProfileTargetWish) (api.TargetTrial, error) {
			list, err := p.targets.Try(ctx, id, targetOf(w))
			return shownTrial(list), targetError(err)
		},
	}
}

func shownTrial(list []pprof.Tried) api.TargetTrial {
	out := api.TargetTrial{OK: true, Profiles: []api.TriedProfile{}}
	for _, x := range list {
		p := api.TriedProfile{Type: x.Type, SampleTypes: append([]string{}, x.SampleTypes...), Samples: x.Samples, Bytes: x.Bytes, TookMS: float64(x.Took) / 1e6}
		if x.Err != nil {
			p.Error, out.OK = x.Err.Error(), false
		}
		out.Profiles = append(out.Profiles, p)
	}
	return out
}

func targetError(err error) error {
	var field *pprof.FieldError
	switch {
	case errors.As(err, &field):
		return &query.InputError{Field: field.Field, Reason: field.Reason}
	case errors.Is(err, pprof.ErrNoTarget):
		return fmt.Errorf("%w: %w", query.ErrNotFound, err)
	case errors.Is(err, pprof.ErrFixed):
		return api.ErrFixedTarget
	}
	return err
}

func targetOf(w api.ProfileTargetWish) pprof.Target {
	seconds := func(s float64) pprof.Duration { return pprof.Duration(s * float64(time.Second)) }
	secret := w.Auth.Token
	if w.Auth.Kind == "basic" {
		secret = w.Auth.Password
	}
	kind := w.Auth.Kind
	if kind == "none" {
		kind, secret = "", ""
	}
	return pprof.Target{Service: w.Service, URL: w.URL, Types: w.Types, Labels: w.Labels, Interval: seconds(w.IntervalS), Timeout: seconds(w.TimeoutS), CPUSeconds: w.CPUS, Paused: w.Paused,
		Auth: pprof.Auth{Kind: kind, Username: w.Auth.Username, Secret: secret},
		TLS:  pprof.TLS{CA: w.TLS.CA, Cert: w.TLS.Cert, Key: w.TLS.Key, ServerName: w.TLS.ServerName, Insecure: w.TLS.Insecure}}
}

// shownTarget leaves the secrets out.
func shownTarget(s pprof.TargetState) api.ProfileTarget {
	t := api.ProfileTarget{ID: s.ID, Source: s.Source, Service: s.Service, URL: s.URL, Types: s.Types, Labels: s.Labels, Paused: s.Paused, CPUS: s.CPUSeconds,
		IntervalS: time.Duration(s.Interval).Seconds(), TimeoutS: time.Duration(s.Timeout).Seconds(),
		Auth:    api.TargetAuth{Kind: cmp.Or(s.Auth.Kind, "none"), Username: s.Auth.Username, HasSecret: s.Auth.Secret != ""},
		TLS:     api.TargetTLS{CA: s.TLS.CA, Cert: s.TLS.Cert, HasKey: s.TLS.Key != "", ServerName: s.TLS.ServerName, Insecure: s.TLS.Insecure},
		Problem: s.Problem, By: s.By, TookMS: s.TookMS, Profiles: s.Profiles, Bytes: s.Bytes, LastBytes: s.LastBytes, Failures: s.Failures, LastError: s.LastError}
	if t.Labels == nil {
		t.Labels = map[string]string{}
	}
	if !s.LastAt.IsZero() {
		t.LastMS = s.LastAt.UnixMilli()
	}
	if !s.NextAt.IsZero() && !s.Paused {
		t.NextMS = s.NextAt.UnixMilli()
	}
	return t
}
