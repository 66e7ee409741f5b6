package api

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestKnownHosts(t *testing.T) {
	for _, c := range []struct {
		listen, host string
		want         bool
	}{
		{"127.0.0.1:8080", "localhost:8080", true},
		{"127.0.0.1:8080", "LOCALHOST", true},
		{"127.0.0.1:8080", "127.0.0.1:8080", true},
		{"127.0.0.1:8080", "[::1]:8080", true},
		{"127.0.0.1:8080", "tidemark.localhost:8080", true},
		{"127.0.0.1:8080", "box:8080", true},
		{"127.0.0.1:8080", "obs.example.com", true},
		{"127.0.0.1:8080", "obs.example.com.", true},
		{"127.0.0.1:8080", "a.b.example.org", true},
		{"127.0.0.1:8080", "page.example.net:443", true},
		{"127.0.0.1:8080", "example.org", false},
		{"127.0.0.1:8080", "evil.example", false},
		{"127.0.0.1:8080", "localhost.evil.example", false},
		{"127.0.0.1:8080", "127.0.0.1.evil.example:8080", false},
		{"127.0.0.1:8080", "evilexample.org", false},
		{"127.0.0.1:8080", "tidemark", false},
		{"127.0.0.1:8080", "printer.local", false},
		{"127.0.0.1:8080", "", false},
		{"0.0.0.0:8080", "tidemark:8080", true},
		{"0.0.0.0:8080", "tidemark.monitoring.svc", true},
		{"0.0.0.0:8080", "tidemark.monitoring.svc.cluster.local:8080", true},
		{":8080", "10.1.2.3:8080", true},
		{":8080", "evil.example", false},
		{":8080", ".local", false},
	} {
		known := KnownHosts(c.listen, "Box", []string{"obs.example.com", "*.example.org"}, []string{"https://page.example.net"})
		if got := known(hostname(c.host)); got != c.want {
			t.Errorf("on %s, %q: %v", c.listen, c.host, got)
		}
	}
}

func TestSecured(t *testing.T) {
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	h := Secured(reached, Visitors{Known: func(host string) bool { return host == "localhost" }, Certificates: true})
	verified := &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{{}}}}
	for _, c := range []struct {
		path, host string
		tls        *tls.ConnectionState
		want       int
	}{
		{"/", "localhost:1", verified, http.StatusNoContent},
		{"/api/v1/status", "localhost:1", &tls.ConnectionState{}, http.StatusUnauthorized},
		{"/", "localhost:1", nil, http.StatusUnauthorized},
		{"/", "evil.example:1", verified, http.StatusMisdirectedRequest},
		{"/metrics", "evil.example:1", verified, http.StatusMisdirectedRequest},
		{"/healthz", "evil.example", nil, http.StatusNoContent},
		{"/readyz", "evil.example", nil, http.StatusNoContent},
	} {
		r, w := httptest.NewRequest("GET", c.path, nil), httptest.NewRecorder()
		r.Host, r.TLS = c.host, c.tls
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s of %s: %d, want %d: %s", c.path, c.host, w.Code, c.want, w.Body)
		}
	}
}
