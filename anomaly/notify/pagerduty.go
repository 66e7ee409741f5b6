package notify

import (
	"context"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// sendPagerDuty sends an event: PagerDuty keeps one incident for ours by its dedup key.
// https://developer.pagerduty.com/docs/send-alert-event
func sendPagerDuty(ctx context.Context, p *post) Answer {
	address := p.get("url")
	if !strings.HasSuffix(strings.TrimRight(address, "/"), "/v2/enqueue") {
		address = joinPath(address, "/v2/enqueue")
	}
	return p.json(ctx, address, pagerDutyEvent(p.message, p.get("routing_key")))
}

func pagerDutyEvent(m *Message, key string) object {
	action := "trigger"
	if m.State == StateResolved {
		action = "resolve"
	}
	v := object{"routing_key": key, "event_action": action, "dedup_key": dedup(m)}
	if action == "resolve" {
		return v
	}
	details := object{}
	for _, f := range m.Facts() {
		details[strings.ToLower(f.Label)] = f.Text
	}
	source := "tidemark"
	if len(m.Services) > 0 {
		source = m.Services[0]
	}
	payload := object{"summary": shorten(m.Headline(), 1024), "source": source, "severity": string(m.Severity), "custom_details": details}
	if !m.StartedAt.IsZero() {
		payload["timestamp"] = m.StartedAt.Format(time.RFC3339)
	}
	if m.Cause != nil {
		payload["component"], payload["class"] = m.Cause.Service, string(m.Cause.Kind)
	}
	if m.Env != "" {
		payload["group"] = m.Env
	}
	v["payload"], v["client"] = payload, "Tidemark"
	links := []object{}
	for _, l := range m.links() {
		links = append(links, object{"href": l.Text, "text": l.Label})
	}
	if len(links) > 0 {
		v["client_url"], v["links"] = m.links()[0].Text, links
	}
	if strings.HasPrefix(m.ChartURL, "https://") { // nothing else is shown
		v["images"] = []object{{"src": m.ChartURL, "href": m.URL, "alt": m.chartText()}}
	}
	return v
}

// dedup names our incident to services that keep incidents of their own.
func dedup(m *Message) string {
	if m.IncidentID == "" {
		return "tidemark-test-" + m.ID
	}
	return "tidemark-" + m.IncidentID
}

// priority is Opsgenie's.
func priority(s anomaly.Severity) string {
	switch s {
	case anomaly.SeverityCritical:
		return "P1"
	case anomaly.SeverityWarning:
		return "P3"
	}
	return "P5"
}
