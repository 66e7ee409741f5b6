package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/pprof"
	"github.com/tidemarkhq/tidemark/query/api"
)

// profileReceiver takes profiles that are pushed.
func (p *product) profileReceiver(in *ingest.Ingest) *pprof.Receiver {
	o := pprof.DefaultOptions()
	o.Refused = func(reason, example string) { in.Refuse(ingest.Profiles, reason, example) }
	o.OTLP = p.config.OTLPProfiles
	o.MaxBody, o.Logger = p.config.MaxRequestBytes, p.log
	return pprof.New(metered(in), o)
}

// startProfiles fetches profiles: from the configured targets, and of this process itself.
func (p *product) startProfiles(context.Context) error {
	if p.ingest == nil {
		return nil
	}
	networks, err := notify.ParseNetworks(p.config.ScrapeAllow)
	if err != nil {
		return fmt.Errorf("--scrape-allow: %w", err)
	}
	targets, err := pprof.ParseTargets(p.config.ProfileTargets)
	if err != nil {
		return fmt.Errorf("--profile-targets: %w", err)
	}
	p.scraper = pprof.NewScraper(p.profiles, networks.Check)
	p.onStop(p.scraper.Close)
	p.scraper.Set(targets)
	if p.config.SelfTelemetry {
		host, _ := os.Hostname()
		p.scraper.Self(selfService, map[string]string{"service.version": version, "service.instance.id": fmt.Sprintf("%s-%d", host, os.Getpid())})
	}
	return nil
}

// profileTargets is the state of the processes that profiles are fetched from.
func (p *product) profileTargets() []api.ProfileTarget {
	out := []api.ProfileTarget{}
	for _, s := range p.scraper.States() {
		t := api.ProfileTarget{ID: s.ID, Service: s.Service, URL: s.URL, Types: s.Types, IntervalS: time.Duration(s.Interval).Seconds(), TookMS: s.TookMS,
			Profiles: s.Profiles, Bytes: s.Bytes, Failures: s.Failures, LastError: s.LastError}
		if !s.LastAt.IsZero() {
			t.LastMS = s.LastAt.UnixMilli()
		}
		out = append(out, t)
	}
	return out
}
