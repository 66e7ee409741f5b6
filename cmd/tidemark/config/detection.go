package config

import (
	"flag"
	"fmt"

	"github.com/tidemarkhq/tidemark/anomaly/watch"
)

func (c *Config) detectionFlags(fs *flag.FlagSet) {
	fs.IntVar(&c.DetectionMetricSeries, "detection-metric-series", watch.DefaultMetricSeries, "stored series of CPU, memory, runtime, pool, queue and cache metrics that detection watches at most")
}

func (c *Config) checkDetection() error {
	if c.DetectionMetricSeries < 1 {
		return fmt.Errorf("--detection-metric-series must be positive")
	}
	return nil
}
