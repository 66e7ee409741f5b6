package notify

import (
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// example is a message about no incident, for trying a channel or a template.
func example(now time.Time) Message {
	version := "1.4.2"
	began := now.Add(-90 * time.Second)
	m := describe(anomaly.Incident{
		Severity: anomaly.SeverityWarning, Title: "checkout is slow: POST /charge at payment", Env: "production",
		Summary: "This is what a message of this channel looks like. Nothing is wrong.", Services: []string{"payment", "checkout"},
		StartedAt: began, DetectedAt: now.Add(-75 * time.Second), Affected: 0.12, Requests: 1840,
		Alarms: []anomaly.Alarm{{Subject: anomaly.Subject{Service: "checkout", Operation: "POST /checkout"}, Symptom: anomaly.SymptomLatency, Unit: "ns",
			Observed: 1.9e9, Expected: 310e6, Lower: 240e6, Upper: 420e6, Began: began, Paging: true}},
		RootCauses: []anomaly.RootCause{{Rank: 1, Service: "payment", Operation: "POST /charge", Kind: anomaly.SymptomLatency, Version: &version, Confidence: .93,
			Summary: "The time is spent in POST /charge itself, since version 1.4.2."}},
	}, StateTest, now, "")
	return m
}
