package config

import (
	"flag"
	"fmt"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/ingest/pprof"
)

func (c *Config) profileFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.ProfileTargets, "profile-targets", "", "processes to fetch profiles from, as SERVICE=URL separated by commas, where net/http/pprof answers: checkout=http://10.0.0.7:6060?interval=1m&types=cpu+heap")
	fs.StringVar(&c.ProfileTargetsFile, "profile-targets-file", "", "JSON file with more of them, {\"targets\": […]} as POST /api/v1/profiles/targets takes them: with authentication, TLS, labels")
	fs.BoolVar(&c.OTLPProfiles, "otlp-profiles", false, "take OTLP profiles (v1development) over gRPC and HTTP, whose protocol is still changing")
	fs.StringVar(&c.ScrapeAllow, "scrape-allow", "loopback,private", "where profiles may be fetched from: public, private, loopback, networks and addresses, separated by commas")
}

func (c *Config) checkProfiles() error {
	if _, err := pprof.ParseTargets(c.ProfileTargets); err != nil {
		return fmt.Errorf("--profile-targets: %w", err)
	}
	if _, err := notify.ParseNetworks(c.ScrapeAllow); err != nil {
		return fmt.Errorf("--scrape-allow: %w", err)
	}
	return nil
}
