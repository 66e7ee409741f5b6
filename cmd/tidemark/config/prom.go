package config

import (
	"flag"
	"fmt"
	"time"
)

// Prom is how PromQL is answered.
type Prom struct {
	Translation     string
	Promote         string
	CustomHistogram bool
	StartTimestamps bool
	Lookback        time.Duration
	PromTimeout     time.Duration
	PromMaxSamples  int
	PromMaxBytes    int64
	PromMaxSeries   int
	RuleFiles       string
}

// The ways in which OTLP names become names in PromQL.
const (
	translated = "UnderscoreEscapingWithSuffixes"
	bare       = "UnderscoreEscapingWithoutSuffixes"
	utf8       = "NoUTF8EscapingWithSuffixes"
	untouched  = "NoTranslation"
)

func (c *Config) promFlags(fs *flag.FlagSet) {
	p := &c.Prom
	fs.StringVar(&p.Translation, "prom-translation", translated, "how OTLP names become names in PromQL, as in Prometheus' otlp.translation_strategy: "+translated+", "+bare+", "+utf8+" or "+untouched)
	fs.StringVar(&p.Promote, "prom-promote", promoted, "resource attributes that become labels of every series in PromQL, separated by commas; * for all; the others are in target_info")
	fs.BoolVar(&p.CustomHistogram, "prom-nhcb", false, "show explicit histograms in PromQL as native ones with custom buckets too, under their bare name")
	fs.BoolVar(&p.StartTimestamps, "prom-start-timestamps", false, "let rate and increase in PromQL heed when series began, as Prometheus does with its feature use-start-timestamps")
	fs.DurationVar(&p.Lookback, "prom-lookback", 5*time.Minute, "how long a sample stands for its series in PromQL")
	fs.DurationVar(&p.PromTimeout, "prom-timeout", 2*time.Minute, "how long one PromQL question may take")
	fs.IntVar(&p.PromMaxSamples, "prom-max-samples", 50_000_000, "samples that one PromQL question may load")
	fs.Int64Var(&p.PromMaxBytes, "prom-max-bytes", 1<<30, "bytes of samples that one PromQL question may load")
	fs.IntVar(&p.PromMaxSeries, "prom-max-series", 1_000_000, "series whose labels are kept in memory for PromQL, about 500 bytes each")
	fs.StringVar(&p.RuleFiles, "prom-rule-files", "", "files with recording and alerting rules in Prometheus' format, separated by commas; * and ? match")
}

func (c *Config) checkProm() error {
	p := &c.Prom
	if !oneOf(p.Translation, translated, bare, utf8, untouched) {
		return fmt.Errorf("--prom-translation is %q: use %s, %s, %s or %s", p.Translation, translated, bare, utf8, untouched)
	}
	if p.Lookback <= 0 || p.PromTimeout <= 0 {
		return fmt.Errorf("--prom-lookback and --prom-timeout must be positive")
	}
	if p.PromMaxSamples < 1 || p.PromMaxBytes < 1 || p.PromMaxSeries < 1 {
		return fmt.Errorf("--prom-max-samples, --prom-max-bytes and --prom-max-series must be positive")
	}
	return nil
}

// promoted tell the series of the Collector's receivers apart: without them the nodes of a cluster, its deployments and
// the databases of a server would be one series each.
const promoted = "k8s.cluster.name,k8s.namespace.name,k8s.node.name,k8s.pod.name,k8s.container.name,k8s.deployment.name,k8s.statefulset.name,k8s.daemonset.name," +
	"k8s.job.name,k8s.cronjob.name,container.name,postgresql.database.name,postgresql.table.name"

// Promoted lists the resource attributes of --prom-promote.
func (c *Config) Promoted() []string { return commas(c.Prom.Promote) }

// Rules lists the patterns of --prom-rule-files.
func (c *Config) Rules() []string { return commas(c.Prom.RuleFiles) }
