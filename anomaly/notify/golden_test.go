package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 21, 12, 0, 30, 0, time.UTC)

// incident is one as detection makes it, with text that tries to be markup.
func incident() anomaly.Incident {
	version := "1.4.2"
	return anomaly.Incident{
		ID: "inc-1", Status: "open", Severity: anomaly.SeverityCritical, Title: "checkout <fails> & *burns*: @here POST /pay", Env: "prod",
		Services: []string{"checkout", "payment"}, StartedAt: noon.Add(-70 * time.Second), DetectedAt: noon.Add(-10 * time.Second),
		Affected: .084, Requests: 1840, Summary: "8.4 % of POST /pay fail since 11:59:20.",
		Alarms: []anomaly.Alarm{
			{Subject: anomaly.Subject{Service: "checkout", Operation: "POST /pay"}, Symptom: anomaly.SymptomErrors, Unit: "1", Observed: .084, Expected: .002, Upper: .01, Score: 40, Paging: true, Began: noon.Add(-70 * time.Second)},
			{Subject: anomaly.Subject{Service: "payment", Operation: "charge", Peer: "bank"}, Symptom: anomaly.SymptomLatency, Unit: "ns", Observed: 2.4e9, Expected: 180e6, Lower: 120e6, Upper: 260e6, Score: 60, Began: noon.Add(-70 * time.Second)},
		},
		RootCauses: []anomaly.RootCause{{Rank: 1, Service: "payment", Operation: "charge", Kind: anomaly.SymptomErrors, Version: &version, Attribute: &anomaly.Attribute{Key: "region", Value: "eu_west"}, Confidence: .91,
			Summary: "Version 1.4.2 fails where 1.4.1 does not.", Evidence: []anomaly.Evidence{{Type: "trace", Link: "/traces/abc?span=1"}}}},
	}
}

func resolved() anomaly.Incident {
	inc := incident()
	at := noon.Add(-5 * time.Second)
	inc.Status, inc.ResolvedAt = "resolved", &at
	return inc
}

// request is what a receiver got, in a form that can be compared.
func request(r *http.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL.RequestURI())
	for _, h := range []string{"Authorization", "Content-Type", "User-Agent", "X-Tidemark-Delivery", "X-Tidemark-State", "X-Tidemark-Timestamp", "X-Tidemark-Signature"} {
		if v := r.Header.Get(h); v != "" {
			kind, params, err := mime.ParseMediaType(v)
			if err == nil && params["boundary"] != "" {
				v = kind
			}
			fmt.Fprintf(&b, "%s: %s\n", h, v)
		}
	}
	b.WriteString("\n")
	body, _ := io.ReadAll(r.Body)
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		b.WriteString(pretty(body))
		return b.String()
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		p, err := parts.NextPart()
		if err != nil {
			return b.String()
		}
		content, _ := io.ReadAll(p)
		if p.FileName() != "" {
			content = fmt.Appendf(nil, "(%s %s, PNG: %v)", p.FileName(), p.Header.Get("Content-Type"), bytes.HasPrefix(content, []byte("\x89PNG")))
		}
		fmt.Fprintf(&b, "-- %s\n%s\n", p.FormName(), pretty(content))
	}
}

func pretty(b []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b) + "\n"
	}
	return out.String() + "\n"
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and read the difference):\n%s", file, got)
	}
}

// fieldsOf are a channel's fields for a local receiver.
func fieldsOf(kind, address string) map[string]string {
	switch kind {
	case "telegram":
		return map[string]string{"url": address, "token": "123456:ABCDEFGH", "chat_id": "-1001", "thread_id": "7"}
	case "pagerduty":
		return map[string]string{"url": address, "routing_key": "R0123456789abcdef0123456789abcde"}
	case "opsgenie":
		return map[string]string{"url": address, "api_key": "key-1234", "team": "payments"}
	case "webhook":
		return map[string]string{"url": address + "/hook", "secret": "s3cret-s3cret", "authorization": "Bearer abcdef"}
	case "discord", "googlechat":
		return map[string]string{"url": address + "/hook?key=k"}
	}
	return map[string]string{"url": address + "/hook"}
}

func loopback(t testing.TB) Networks {
	t.Helper()
	n, err := ParseNetworks("loopback")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newPost(t testing.TB, kind string, fields map[string]string, inc anomaly.Incident, state State) *post {
	c := &Channel{ID: "c1", Name: "team", Type: kind, Enabled: true, Fields: fields}
	if err := c.validate(); err != nil {
		t.Fatal(err)
	}
	m := describe(inc, state, noon, "https://tidemark.example.com")
	m.ID = "c1/" + inc.ID + "/" + string(state)
	m.ChartURL = "https://tidemark.example.com/charts/inc-1.abc.sig.png"
	m.chart = []byte("\x89PNG chart")
	if state == StateUpdated {
		m.Reason = "Now critical"
		m.Others = []Other{{IncidentID: "inc-2", State: StateFiring, Severity: anomaly.SeverityWarning, Title: "search is slow", URL: "https://tidemark.example.com/incidents/inc-2"}}
	}
	n := loopback(t)
	return &post{networks: n, client: n.client(5*time.Second, nil), channel: c, message: &m, now: noon, begins: "c1/" + inc.ID + "/firing", reply: "42"}
}

// answers are what the vendors document for success.
var answers = map[string]string{"slack": "ok", "teams": "", "discord": `{"id":"1"}`, "telegram": `{"ok":true,"result":{"message_id":77}}`, "pagerduty": `{"status":"success","message":"Event processed","dedup_key":"tidemark-inc-1"}`, "opsgenie": `{"result":"Request will be processed","took":0.1,"requestId":"x"}`}

func TestGoldenRequests(t *testing.T) {
	for _, k := range Kinds() {
		if k.Type == "email" { // in email_test.go
			continue
		}
		for _, state := range []State{StateFiring, StateUpdated, StateResolved} {
			t.Run(k.Type+"-"+string(state), func(t *testing.T) {
				var got []string
				s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					got = append(got, strings.ReplaceAll(request(r), r.Host, "receiver"))
					_, _ = io.WriteString(w, answers[k.Type])
				}))
				defer s.Close()
				inc := incident()
				if state == StateResolved {
					inc = resolved()
				}
				p := newPost(t, k.Type, fieldsOf(k.Type, s.URL), inc, state)
				a := senders[k.Type](context.Background(), p)
				if !a.OK || a.Code != 200 {
					t.Fatalf("%+v", a)
				}
				if k.Type == "telegram" && a.ref != "77" {
					t.Errorf("the message's number is %q", a.ref)
				}
				golden(t, k.Type+"-"+string(state)+".golden", strings.Join(got, "\n=====\n"))
			})
		}
	}
}

// What a receiver says is shown, and never with the channel's secret in it.
func TestAnswersAreShownWithoutSecrets(t *testing.T) {
	for _, tt := range []struct {
		status  int
		body    string
		head    string
		retry   bool
		after   time.Duration
		outcome string
	}{
		{400, "invalid_payload for SECRET", "", false, 0, "400 invalid_payload for •••"},
		{404, "channel_not_found", "", false, 0, "404 channel_not_found"},
		{429, "slow down", "7", true, 7 * time.Second, "429 slow down"},
		{500, "oops\n\n  twice", "", true, 0, "500 oops twice"},
		{501, "", "", false, 0, "501"},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tt.head != "" {
				w.Header().Set("Retry-After", tt.head)
			}
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, strings.ReplaceAll(tt.body, "SECRET", "/services/T0/B0/abcdefghijklmnop"))
		}))
		p := newPost(t, "slack", map[string]string{"url": s.URL + "/services/T0/B0/abcdefghijklmnop"}, incident(), StateFiring)
		a := sendSlack(context.Background(), p)
		s.Close()
		if a.OK || a.retry != tt.retry || a.after != tt.after || a.describe() != tt.outcome {
			t.Errorf("%d: %+v %q", tt.status, a, a.describe())
		}
	}
}

// Slack refuses a whole message when it cannot fetch the chart: it goes once more without.
func TestSlackWithoutItsImage(t *testing.T) {
	tries := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries++
		b, _ := io.ReadAll(r.Body)
		if strings.Contains(string(b), "image_url") {
			w.WriteHeader(400)
			_, _ = io.WriteString(w, "invalid_attachments")
			return
		}
		_, _ = io.WriteString(w, "ok")
	}))
	defer s.Close()
	a := sendSlack(context.Background(), newPost(t, "slack", fieldsOf("slack", s.URL), incident(), StateFiring))
	if !a.OK || tries != 2 {
		t.Errorf("%+v after %d tries", a, tries)
	}
}
