package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// authority issues certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t}
	a.key = newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// issue writes a certificate with a serial number for 127.0.0.1, and its key.
func (a *authority) issue(serial int64, certFile, keyFile string) {
	key := newKey(a.t)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "tidemark"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	write(a.t, certFile, "CERTIFICATE", der)
	write(a.t, keyFile, "EC PRIVATE KEY", secret)
}

func write(t *testing.T, file, kind string, der []byte) {
	if err := os.WriteFile(file+".new", pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// client is a TLS configuration that trusts a, with a certificate of from's, where there is one.
func (a *authority) client(from *authority) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.cert)
	if from != nil {
		dir := a.t.TempDir()
		from.issue(99, filepath.Join(dir, "c"), filepath.Join(dir, "k"))
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "c"), filepath.Join(dir, "k"))
		if err != nil {
			a.t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// serial is the serial number of the certificate that a new connection sees.
func serial(t *testing.T, addr string, c *tls.Config) int64 {
	t.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, c)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// Every listener with certificates on both sides, which are replaced while it runs.
func TestTLS(t *testing.T) {
	ours, theirs, stranger := newAuthority(t, "servers"), newAuthority(t, "clients"), newAuthority(t, "strangers")
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	ours.issue(1, file("cert"), file("key"))
	write(t, file("ca"), "CERTIFICATE", theirs.cert.Raw)
	p := startProduct(t, filepath.Join(t.TempDir(), "data"),
		"--otlp-tls-cert", file("cert"), "--otlp-tls-key", file("key"), "--otlp-tls-client-ca", file("ca"),
		"--http-tls-cert", file("cert"), "--http-tls-key", file("key"), "--http-tls-client-ca", file("ca"))
	good, none, wrong := ours.client(theirs), ours.client(nil), ours.client(stranger)

	service := unique("tls")
	export := func(c *tls.Config) error {
		conn, err := grpc.NewClient(p.grpc, grpc.WithTransportCredentials(credentials.NewTLS(c)))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err = collectortrace.NewTraceServiceClient(conn).Export(ctx, request(service, 1))
		return err
	}
	get := func(url string, c *tls.Config) (int, error) {
		transport := &http.Transport{TLSClientConfig: c.Clone(), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get(url)
		if err != nil {
			return 0, err
		}
		res.Body.Close()
		if res.ProtoMajor != 2 {
			t.Errorf("%s answers by %s, want HTTP/2", url, res.Proto)
		}
		return res.StatusCode, nil
	}
	if err := export(good); err != nil {
		t.Errorf("gRPC with a certificate: %v", err)
	}
	for name, c := range map[string]*tls.Config{"without a certificate": none, "with a stranger's": wrong} {
		if err := export(c); err == nil {
			t.Errorf("gRPC %s is taken", name)
		}
		if code, err := get("https://"+p.otlpHTTP+"/v1/traces", c); err == nil {
			t.Errorf("OTLP/HTTP %s is answered: %d", name, code)
		}
	}
	if code, err := get("https://"+p.otlpHTTP+"/v1/traces", good); err != nil || code != http.StatusMethodNotAllowed {
		t.Errorf("OTLP/HTTP with a certificate: %d %v", code, err)
	}
	for path, want := range map[string]int{"/api/v1/status": http.StatusUnauthorized, "/": http.StatusUnauthorized, "/readyz": http.StatusOK} {
		if code, err := get("https://"+p.http+path, none); err != nil || code != want {
			t.Errorf("%s without a certificate: %d %v, want %d", path, code, err, want)
		}
	}
	if code, err := get("https://"+p.http+"/api/v1/status", good); err != nil || code != http.StatusOK {
		t.Errorf("the web with a certificate: %d %v", code, err)
	}
	if out, said, err := p.tidemark(t, "healthcheck", "--http-addr", p.http, "--http-tls-cert", file("cert")); err != nil {
		t.Errorf("healthcheck: %v %s %s", err, out, said)
	}
	old := ours.client(theirs)
	old.MaxVersion = tls.VersionTLS11
	if conn, err := tls.Dial("tcp", p.http, old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	within(t, 20*time.Second, "spans over TLS", func() bool { return p.count(t, "SELECT count() FROM spans WHERE service = '"+service+"'") == 1 })
	p.rotates(t, ours, file, good)
}

// rotates replaces the certificate, breaks it and replaces it again.
func (p *product) rotates(t *testing.T, ours *authority, file func(string) string, c *tls.Config) {
	t.Helper()
	addrs := []string{p.grpc, p.otlpHTTP, p.http}
	sees := func(want int64) {
		t.Helper()
		for _, addr := range addrs {
			within(t, 15*time.Second, "a new certificate", func() bool { return serial(t, addr, c) == want })
		}
	}
	sees(1)
	kept, err := tls.Dial("tcp", p.http, c)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	ours.issue(2, file("cert"), file("key"))
	sees(2)
	if err := os.WriteFile(file("cert"), []byte("half a certif"), 0o600); err != nil {
		t.Fatal(err)
	}
	within(t, 15*time.Second, "a broken certificate to be counted", func() bool {
		sees(2)
		return p.metricOverTLS(t, c, `tidemark_tls_reload_failures_total{listener="http"} 1`)
	})
	ours.issue(3, file("cert"), file("key"))
	sees(3)
	_ = kept.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(kept, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	answer := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(kept, answer); err != nil || string(answer) != "HTTP/1.1 200" {
		t.Errorf("a connection did not outlive the rotation: %q %v", answer, err)
	}
}

// metricOverTLS tells whether /metrics has a line.
func (p *product) metricOverTLS(t *testing.T, c *tls.Config, line string) bool {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: c.Clone()}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Timeout: 20 * time.Second}).Get("https://" + p.http + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(body), line)
}
