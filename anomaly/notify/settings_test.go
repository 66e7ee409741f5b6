package notify

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/store"
)

// Secrets are in the store encrypted, leave the product shortened, and survive a restart.
func TestSecretsAtRest(t *testing.T) {
	b := newBench(t)
	ctx := context.Background()
	const secret = "correct-horse-battery-staple-9876"
	c, err := b.AddChannel(ctx, Channel{Name: "hook", Type: "webhook", Enabled: true, Fields: map[string]string{"url": b.server.URL + "/T0/B0/" + secret, "secret": secret, "authorization": "short-one"}})
	if err != nil {
		t.Fatal(err)
	}
	stored, ok, err := store.Setting(ctx, b.conn, "channel/"+c.ID)
	if err != nil || !ok || strings.Contains(stored, secret) || strings.Contains(stored, "short-one") || !strings.Contains(stored, "enc:v1:") {
		t.Errorf("stored as %s (%v)", stored, err)
	}
	shown, _ := json.Marshal([]any{c, b.Channels()})
	if strings.Contains(string(shown), secret) || strings.Contains(string(shown), "short-one") {
		t.Errorf("shown as %s", shown)
	}
	if got := c.Fields["url"]; got != b.server.URL+"/…9876" {
		t.Errorf("the address is shown as %q", got)
	}

	// What is shown, sent back, changes nothing; so does leaving it out.
	c.Name = "renamed"
	delete(c.Fields, "secret")
	if c, err = b.SetChannel(ctx, c.ID, c); err != nil || c.Name != "renamed" {
		t.Fatalf("%+v %v", c, err)
	}
	b.stop()
	b.start()
	if now := b.channels[c.ID]; now.Fields["secret"] != secret || !strings.HasSuffix(now.Fields["url"], secret) || now.Fields["authorization"] != "short-one" {
		t.Errorf("after a restart: %+v", now.Fields)
	}

	// Secrets do not follow to another host.
	moved := Channel{Name: "x", Type: "webhook", Fields: map[string]string{"url": "https://evil.example.com/"}}
	var input *InputError
	if _, err := b.SetChannel(ctx, c.ID, moved); !errors.As(err, &input) {
		t.Errorf("moved to another host: %v", err)
	}
	moved.Fields["secret"], moved.Fields["authorization"] = "new", "new"
	if _, err := b.SetChannel(ctx, c.ID, moved); err != nil {
		t.Errorf("moved with new secrets: %v", err)
	}
}

// With another key file nothing is lost but the secrets, and the channel says so.
func TestAnotherKey(t *testing.T) {
	b := newBench(t)
	c := b.webhook("team")
	b.stop()
	other := make([]byte, 32)
	other[0] = 1
	b.keys, _ = NewKeys(other)
	b.start()
	if got := b.Channels(); len(got) != 1 || !strings.Contains(got[0].Problem, "another key") {
		t.Errorf("%+v", got)
	}
	if a, err := b.Test(context.Background(), c.ID); err != nil || a.OK || b.tries > 0 {
		t.Errorf("%+v %v", a, err)
	}
}

func TestKeyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret.key")
	a, err := LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	b, err := LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := b.open("channel/1/url", a.seal("channel/1/url", "hello")); err != nil || v != "hello" {
		t.Errorf("%q %v", v, err)
	}
	if _, err := b.open("channel/2/url", a.seal("channel/1/url", "hello")); err == nil {
		t.Error("a secret was moved from one channel to another")
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(file); err == nil {
		t.Error("a key that everyone can read is taken")
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(file); err == nil {
		t.Error("nonsense is taken")
	}
}

// The test says what the receiver said.
func TestTheTestButton(t *testing.T) {
	b := newBench(t)
	status := 200
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("the receiver speaks"))
	}))
	defer s.Close()
	c, err := b.AddChannel(context.Background(), Channel{Name: "chat", Type: "slack", Enabled: true, Fields: map[string]string{"url": s.URL + "/hook"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, status = range []int{200, 403} {
		a, err := b.Test(context.Background(), c.ID)
		if err != nil || a.Code != status || a.Text != "the receiver speaks" || a.OK != (status == 200) {
			t.Errorf("%+v %v", a, err)
		}
	}
	list, err := b.Deliveries(context.Background(), "", 10)
	if err != nil || len(list) != 2 || list[0].State != StateTest {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := b.Test(context.Background(), "nobody"); err == nil {
		t.Error("a channel that is not there was tested")
	}
}

// Charts are drawn for whoever has the address that was sent, and nobody else.
func TestChartAddresses(t *testing.T) {
	b := newBench(t)
	c := b.webhook("team")
	if _, err := b.Test(context.Background(), c.ID); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	address := b.got[0].ChartURL
	b.mu.Unlock()
	name, ok := strings.CutPrefix(address, "https://tidemark.example.com/charts/")
	if !ok {
		t.Fatalf("the chart's address is %q", address)
	}
	b.Notifier.charts = newCharts() // nothing is at hand: it is drawn again
	png, err := b.Chart(context.Background(), name)
	if err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
		t.Errorf("%d bytes, %v", len(png), err)
	}
	flipped := []byte(name) // one letter of the signature
	at := strings.LastIndexByte(strings.TrimSuffix(name, ".png"), '.') + 1
	if flipped[at]++; flipped[at] > 'z' {
		flipped[at] = 'a'
	}
	for _, other := range []string{"", ".png", "test.png", strings.Replace(name, "test", "inc-1", 1), strings.TrimSuffix(name, ".png"), string(flipped), "a.b.c.png"} {
		var missing *NotFoundError
		if _, err := b.Chart(context.Background(), other); !errors.As(err, &missing) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestDeletingAChannelTakesItOutOfTheRouting(t *testing.T) {
	b := newBench(t)
	c, d := b.webhook("a"), b.webhook("b")
	b.route(Routing{Routes: []Route{{Channels: []string{c.ID, d.ID}}}})
	if err := b.DeleteChannel(context.Background(), c.ID); err != nil {
		t.Fatal(err)
	}
	if got := b.Routing().Routes[0].Channels; len(got) != 1 || got[0] != d.ID {
		t.Errorf("%v", got)
	}
	b.Notify(context.Background(), b.incidentAt("x", "warning", "s"), "opened")
	b.expect("firing x")
}

func TestChannelsThatAreRefused(t *testing.T) {
	long := strings.Repeat("x", maxField+1)
	for name, c := range map[string]Channel{
		"no name":         {Type: "slack", Fields: map[string]string{"url": "https://a.example"}},
		"no type":         {Name: "a", Type: "fax"},
		"no url":          {Name: "a", Type: "slack"},
		"not http":        {Name: "a", Type: "slack", Fields: map[string]string{"url": "file:///etc/passwd"}},
		"with a password": {Name: "a", Type: "slack", Fields: map[string]string{"url": "https://u:p@a.example"}},
		"two lines":       {Name: "a", Type: "telegram", Fields: map[string]string{"token": "1:a\r\nX: y", "chat_id": "1"}},
		"unknown field":   {Name: "a", Type: "slack", Fields: map[string]string{"url": "https://a.example", "x": "y"}},
		"too long":        {Name: "a", Type: "slack", Fields: map[string]string{"url": "https://a.example/" + long}},
		"bad port":        {Name: "a", Type: "email", Fields: map[string]string{"host": "m", "port": "x", "from": "a@b.c", "to": "a@b.c"}},
		"bad from":        {Name: "a", Type: "email", Fields: map[string]string{"host": "m", "from": "a", "to": "a@b.c"}},
	} {
		var input *InputError
		if err := c.validate(); !errors.As(err, &input) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTemplates(t *testing.T) {
	for text, want := range map[string]string{
		`{"text": {{json .title}}, "n": {{len .symptoms}}}`:                         `{"text": "checkout <fails> & *burns*: @here POST /pay", "n": 2}`,
		`{{range .symptoms}}{{.kind}} {{end}}`:                                      `errors latency `,
		`{{range $s := $.services}}{{upper $s}};{{end}}`:                            `CHECKOUT;PAYMENT;`,
		`{{join ", " .services}}{{with .cause}} {{.version}}{{end}}`:                `checkout, payment 1.4.2`,
		`{{if eq .state "resolved"}}over{{else}}{{printf "%.1f" .affected}}{{end}}`: `0.1`,
	} {
		m := describe(incident(), StateFiring, noon, "")
		if got, err := webhookBody(&m, text); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	began := time.Now()
	for _, text := range []string{
		`{{`, `{{.title | nothing}}`, `{{range 1000000000}}{{end}}`, `{{$n := 1000000000}}{{range $n}}x{{end}}`, `{{with 1000000000}}{{range .}}{{end}}{{end}}`,
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, `{{block "a" .}}{{end}}`, `{{range len .title}}{{end}}`, `{{call .title}}`,
		`{{range .a}}{{range .a}}{{range .a}}{{range .a}}{{end}}{{end}}{{end}}{{end}}`, `{{printf "%900000d" 1}}`,
	} {
		if err := checkTemplate(text); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("refusing took %v", d)
	}
}

// The signature is what other tools make of time and body:
// printf '1795262430.{"a":1}' | openssl dgst -sha256 -hmac s3cret
func TestSignature(t *testing.T) {
	if got := Sign("s3cret", time.Unix(1795262430, 0), []byte(`{"a":1}`)); got != "sha256=c4938431c77dfbb2bd42646b1884c0682a58d80d18b8bcfc9ea6bb6639c994c3" {
		t.Error(got)
	}
}

// An incident that is told before it was explained has an example all the same.
func TestExampleOfTheUnexplained(t *testing.T) {
	b := newBench(t)
	b.webhook("team")
	b.stop()
	b.start()
	b.Notifier.o.Example = func(context.Context, anomaly.Incident) (string, error) { return "/traces/found", nil }
	b.Notify(context.Background(), b.incidentAt("a", anomaly.SeverityWarning, "s"), "opened")
	b.expect("firing a")
	if got := b.got[0].TraceURL; got != "https://tidemark.example.com/traces/found" {
		t.Errorf("the example is %q", got)
	}
}
