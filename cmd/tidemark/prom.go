package main

import (
	"fmt"

	"github.com/prometheus/otlptranslator"

	"github.com/tidemarkhq/tidemark/query/prom"
)

// promOptions say how PromQL is answered.
func (p *product) promOptions() prom.Options {
	c := &p.config.Prom
	return prom.Options{
		DSN: p.dsn, Version: version, Logger: p.log, Registerer: p.metrics,
		Translation: otlptranslator.TranslationStrategyOption(c.Translation), Promote: p.config.Promoted(), CustomHistograms: c.CustomHistogram, StartTimestamps: c.StartTimestamps,
		Lookback: c.Lookback, Timeout: c.PromTimeout, MaxSamples: c.PromMaxSamples, MaxBytes: c.PromMaxBytes, MaxSeries: c.PromMaxSeries,
		Flags: map[string]string{
			"prom-translation": c.Translation, "prom-promote": c.Promote, "prom-nhcb": fmt.Sprint(c.CustomHistogram), "prom-start-timestamps": fmt.Sprint(c.StartTimestamps),
			"query.lookback-delta": c.Lookback.String(), "query.timeout": c.PromTimeout.String(), "query.max-samples": fmt.Sprint(c.PromMaxSamples),
		},
	}
}
