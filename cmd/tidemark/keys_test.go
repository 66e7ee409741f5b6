package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A port that other machines reach does not open before there is a key; the key can be made before the first start,
// and from then on it is asked for everywhere.
func TestKeysFromTheFirstOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	refused(t, []string{"--otlp-grpc-addr", "0.0.0.0:0", "--data-dir", dir}, []string{"0.0.0.0:0", "no ingest key", "tidemark keys create", dir, "--otlp-tls-client-ca", "--allow-open"})

	offline := &product{dir: dir}
	first := offline.makeKey(t, "--name", "first")
	p := startProduct(t, dir, "--otlp-grpc-addr", "0.0.0.0:0")
	service := unique("keyed")
	p.expectPost(t, service, http.StatusUnauthorized)
	p.expectPost(t, service, http.StatusUnauthorized, "X-Api-Key", otherKey(first))
	p.expectPost(t, service, http.StatusOK, "X-Api-Key", first)
	p.expectPost(t, service, http.StatusOK, "Authorization", "Bearer "+first)

	s := newSender(t, p)
	if err := s.send(t.Context(), request(service, 3)); status.Code(err) != codes.Unauthenticated {
		t.Errorf("gRPC without a key: %v", err)
	}
	if err := s.send(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+first), request(service, 3)); err != nil {
		t.Errorf("gRPC with a key: %v", err)
	}
	if n := p.count(t, "SELECT count() FROM spans WHERE service = '"+service+"'"); n != 5 {
		t.Errorf("%d spans stored, want the 5 that came with a key", n)
	}
	if code, body := p.postTo(t, "/v1/pprof?service=x", nil); code != http.StatusUnauthorized {
		t.Errorf("a profile without a key: %d %s", code, body)
	}
	within(t, 20*time.Second, "own telemetry without a key", func() bool {
		return p.count(t, "SELECT count() FROM metric_samples") > 0
	})
	p.aScopedKey(t)
	p.aLimitedKey(t)
	p.revocation(t, first)
	p.theKeyIsCounted(t, first)
}

// makeKey makes a key by command.
func (p *product) makeKey(t *testing.T, args ...string) string {
	t.Helper()
	out, said, err := p.tidemark(t, append([]string{"keys", "create"}, args...)...)
	key := strings.TrimSpace(out)
	if err != nil || !strings.HasPrefix(key, "tmk_") || !strings.Contains(said, "shown this once") {
		t.Fatalf("keys create: %v: %q, %s", err, out, said)
	}
	return key
}

// otherKey is a key that is not right in its last letter.
func otherKey(key string) string {
	last := "2"
	if strings.HasSuffix(key, last) {
		last = "3"
	}
	return key[:len(key)-1] + last
}

// idOf is the part of a key that may be shown.
func idOf(key string) string { return strings.Split(key, "_")[1] }

func (p *product) aScopedKey(t *testing.T) {
	t.Helper()
	var made struct {
		Key    struct{ ID, Name, State string }
		Secret string
	}
	p.post(t, "/api/v1/settings/ingest-keys", `{"name":"logs of edge","signals":["logs"]}`, &made)
	if made.Key.State != "active" || idOf(made.Secret) != made.Key.ID {
		t.Fatalf("made %+v", made)
	}
	service := unique("scoped")
	p.expectPost(t, service, http.StatusForbidden, "X-Api-Key", made.Secret)
	if code, body := p.postTo(t, "/v1/logs", nil, "X-Api-Key", made.Secret); code != http.StatusOK {
		t.Errorf("logs with a key for logs: %d %s", code, body)
	}
	if code, body := p.fetch(t, "/api/v1/settings/ingest-keys"); code != http.StatusOK || bytes.Contains(body, []byte(made.Secret)) {
		t.Errorf("the list tells the secret: %d %s", code, body)
	}
}

func (p *product) aLimitedKey(t *testing.T) {
	t.Helper()
	key := p.makeKey(t, "--name", "slow", "--items-per-second", "0.01", "--signals", "traces", "--expires", "30d")
	service := unique("limited")
	within(t, 10*time.Second, "a key made by command", func() bool {
		code, _, _ := p.span(t, service, "X-Api-Key", key)
		return code == http.StatusOK
	})
	code, header, body := p.span(t, service, "X-Api-Key", key)
	if after := header.Get("Retry-After"); code != http.StatusTooManyRequests || after == "" || after == "0" {
		t.Errorf("beyond the rate: %d, Retry-After %q: %s", code, after, body)
	}
	err := newSender(t, p).send(metadata.AppendToOutgoingContext(t.Context(), "x-api-key", key), request(service, 1))
	if status.Code(err) != codes.ResourceExhausted || len(status.Convert(err).Details()) != 1 {
		t.Errorf("beyond the rate over gRPC: %v, want RESOURCE_EXHAUSTED with RetryInfo", err)
	}
}

// Whoever revokes it, and undoes that, every process follows.
func (p *product) revocation(t *testing.T, key string) {
	t.Helper()
	service := unique("revoked")
	comes := func(code int) func() bool {
		return func() bool { got, _, _ := p.span(t, service, "X-Api-Key", key); return got == code }
	}
	if out, said, err := p.tidemark(t, "keys", "revoke", idOf(key)); err != nil {
		t.Fatal(out, said, err)
	}
	within(t, 10*time.Second, "a revocation by command", comes(http.StatusUnauthorized))
	if out, said, err := p.tidemark(t, "keys", "restore", idOf(key)); err != nil {
		t.Fatal(out, said, err)
	}
	within(t, 10*time.Second, "its undoing", comes(http.StatusOK))
	var k struct{ State string }
	p.post(t, "/api/v1/settings/ingest-keys/"+idOf(key)+"/revoke", `{}`, &k)
	if k.State != "revoked" || !comes(http.StatusUnauthorized)() {
		t.Errorf("revoked by the API: %+v, not at once", k)
	}
	p.post(t, "/api/v1/settings/ingest-keys/"+idOf(key)+"/restore", `{}`, &k)
	if k.State != "active" || !comes(http.StatusOK)() {
		t.Errorf("restored by the API: %+v, not at once", k)
	}
	if _, said, err := p.tidemark(t, "keys", "revoke", "nonsense"); err == nil || !strings.Contains(said, "there is no such ingest key") {
		t.Errorf("revoked what is not there: %v %s", err, said)
	}
}

func (p *product) theKeyIsCounted(t *testing.T, key string) {
	t.Helper()
	_, body := p.fetch(t, "/metrics")
	for _, want := range []string{
		fmt.Sprintf(`tidemark_ingest_key_items_total{key="%s",name="first"}`, idOf(key)),
		fmt.Sprintf(`tidemark_ingest_key_refused_total{key="%s",name="first",reason="revoked_key"}`, idOf(key)),
		`tidemark_ingest_key_refused_total{key="",name="",reason="missing_key"} 3`,
		`tidemark_ingest_key_refused_total{key="",name="",reason="unknown_key"} `, // a key made by command is unknown for up to two seconds
		`tidemark_ingest_keys{state="active"} 3`,
	} {
		if !bytes.Contains(body, []byte(want)) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	var list []struct {
		ID      string
		Items   int
		Refused int
		LastUse *time.Time `json:"last_use"`
	}
	within(t, 30*time.Second, "uses by command", func() bool { // saved every 15 s
		out, said, err := p.tidemark(t, "keys", "list", "--format", "json")
		if err != nil || json.Unmarshal([]byte(out), &list) != nil {
			t.Fatal(out, said, err)
		}
		last := list[len(list)-1] // the first one made
		return len(list) == 3 && last.ID == idOf(key) && last.Items >= 7 && last.Refused >= 2 && last.LastUse != nil
	})
}

// span sends one over HTTP; headers are pairs.
func (p *product) span(t *testing.T, service string, headers ...string) (int, http.Header, string) {
	t.Helper()
	body, err := proto.Marshal(request(service, 1))
	if err != nil {
		t.Fatal(err)
	}
	code, head, answer := exchange(t, http.MethodPost, "http://"+p.otlpHTTP+"/v1/traces", body, append(headers, "Content-Type", "application/x-protobuf")...)
	return code, head, string(answer)
}

func (p *product) expectPost(t *testing.T, service string, want int, headers ...string) {
	t.Helper()
	if code, _, body := p.span(t, service, headers...); code != want {
		t.Errorf("with %v: %d %q, want %d", headers, code, body, want)
	}
}

func (p *product) postTo(t *testing.T, path string, body []byte, headers ...string) (int, string) {
	t.Helper()
	code, _, answer := exchange(t, http.MethodPost, "http://"+p.otlpHTTP+path, body, append(headers, "Content-Type", "application/x-protobuf")...)
	return code, string(answer)
}

// On loopback nobody needs a key, and another system's credentials do no harm; a key that is sent is held to its scope.
func TestKeysOnLoopback(t *testing.T) {
	p := share(t)
	service := unique("loopback")
	key := p.makeKey(t, "--name", unique("logs"), "--signals", "logs")
	p.expectPost(t, service, http.StatusOK)
	p.expectPost(t, service, http.StatusOK, "Authorization", "Basic cHJveHk6c2VjcmV0")
	within(t, 10*time.Second, "the scope of a key", func() bool {
		code, _, _ := p.span(t, service, "X-Api-Key", key)
		return code == http.StatusForbidden
	})
	for _, wrong := range []string{`{"name":""}`, `{"name":"a","signals":["spans"]}`, `{"name":"a","items_per_second":-1}`, `{"name":"a","expires_ms":1}`, `{"nam":"a"}`} {
		if code, body := p.ask(t, "POST", "/api/v1/settings/ingest-keys", wrong); code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", wrong, code, body)
		}
	}
}

// A page whose name was pointed at this machine is not let in, nor is one of another site, and none may send.
func TestForeignPages(t *testing.T) {
	p := share(t)
	for _, path := range []string{"/", "/api/v1/status", "/metrics", "/api/v1/live", "/prometheus/api/v1/labels"} {
		if code, _ := p.ask(t, "GET", path, "", "Host", "rebound.example:8080"); code != http.StatusMisdirectedRequest {
			t.Errorf("%s under a foreign name: %d", path, code)
		}
	}
	if code, _ := p.ask(t, "GET", "/healthz", "", "Host", "rebound.example"); code != http.StatusOK {
		t.Errorf("health under any name: %d", code)
	}
	if code, _ := p.ask(t, "POST", "/api/v1/settings/ingest-keys", `{"name":"evil"}`, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site", "Content-Type", "text/plain"); code != http.StatusForbidden {
		t.Errorf("a key made from another site: %d", code)
	}
	if code, body := p.postTo(t, "/v1/pprof?service=evil", nil, "Origin", "https://evil.example"); code != http.StatusForbidden {
		t.Errorf("a profile from a page: %d %s", code, body)
	}
}
