package explain

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// mostMetrics is how many metrics of its service a cause names.
const mostMetrics = 3

// metricsOf lists the watched metrics of a service that are not normal, the most surprising first.
func (c *investigation) metricsOf(service string) []anomaly.Alarm {
	var out []anomaly.Alarm
	for _, a := range c.inc.Alarms {
		if a.Symptom == anomaly.SymptomSaturation && a.What != "" && a.Subject.Service == service {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b anomaly.Alarm) int { return cmp.Compare(b.Score, a.Score) })
	return out[:min(len(out), mostMetrics)]
}

// saturated says whether an alarm tells that something is used up: by its own word, or all but a tenth of the CPU. That
// a metric is merely higher than usual may as well come of what is slow.
func saturated(a anomaly.Alarm) bool {
	return a.Symptom == anomaly.SymptomSaturation && (!a.Supports() || a.Unit == "1" && strings.HasPrefix(a.What, "CPU") && a.Observed >= 0.9)
}

// beside says what the metrics of a cause's service show.
func beside(alarms []anomaly.Alarm) string {
	if len(alarms) == 0 {
		return ""
	}
	said := make([]string, len(alarms))
	for i, a := range alarms {
		said[i] = fmt.Sprintf("%s %s instead of %s", a.What, amount(a.Observed, a.Unit), amount(a.Expected, a.Unit))
	}
	return alarms[0].Subject.Service + " shows " + strings.Join(said, ", ") + "."
}

// metricEvidence links to the chart of a metric, with what was expected of it.
func (c *investigation) metricEvidence(a anomaly.Alarm) anomaly.Evidence {
	v := c.around()
	v.Set("tab", "metrics")
	v.Set("metric", a.Subject.Metric)
	return anomaly.Evidence{Type: "series", Link: "/services/" + url.PathEscape(a.Subject.Service) + "?" + v.Encode(), Text: a.Subject.Service + ": " + a.What}
}
