package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkhq/tidemark/cmd/tidemark/config"
)

// certificatesEvery is how often files are looked at, and only when somebody connects.
const certificatesEvery = time.Second

// certificates are the key pair of a listener and the authorities of its clients. Their files are read again when
// their content changes, so that new connections see new certificates without a restart; files that do not fit
// together, as while they are being replaced, leave those in force that were there.
type certificates struct {
	listener string // otlp or http, as in the flags
	files    config.TLSFiles
	ask      tls.ClientAuthType // with authorities
	log      *slog.Logger

	mu       sync.Mutex // guards the rest
	looked   time.Time
	content  [sha256.Size]byte // of what is in force, or was tried last
	config   *tls.Config
	expires  time.Time
	failures int
}

// loadCertificates reads the files of a listener, which must be right at start. It returns nil without files.
func loadCertificates(listener string, files config.TLSFiles, ask tls.ClientAuthType, log *slog.Logger) (*certificates, error) {
	if files.Cert == "" {
		return nil, nil
	}
	c := &certificates{listener: listener, files: files, ask: ask, log: log, looked: time.Now()}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("TLS of --%s-tls-cert: %w", listener, err)
	}
	return c, nil
}

// server is the TLS configuration of the listener. It asks for the certificates at each new connection.
func (c *certificates) server() *tls.Config {
	if c == nil {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(time.Now()), nil }}
}

func (c *certificates) current(now time.Time) *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) >= certificatesEvery {
		c.looked = now
		if err := c.read(); err != nil {
			c.failures++
			c.log.Error("TLS certificates not taken over; those before stay in force", "listener", c.listener, "error", err)
		}
	}
	return c.config
}

// read takes over the files if they have changed since they were last tried. Called with mu held, or before anybody else
// knows c.
func (c *certificates) read() error {
	var parts [3][]byte
	for i, file := range []string{c.files.Cert, c.files.Key, c.files.ClientCA} {
		if file == "" {
			continue
		}
		var err error
		if parts[i], err = os.ReadFile(file); err != nil {
			return err
		}
	}
	content := sha256.Sum256(bytes.Join(parts[:], []byte{0}))
	if content == c.content {
		return nil
	}
	c.content = content
	pair, err := tls.X509KeyPair(parts[0], parts[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.files.Cert, c.files.Key, err)
	}
	next := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if c.files.ClientCA != "" {
		next.ClientAuth, next.ClientCAs = c.ask, x509.NewCertPool()
		if !next.ClientCAs.AppendCertsFromPEM(parts[2]) {
			return fmt.Errorf("%s: %w", c.files.ClientCA, errors.New("it holds no certificate"))
		}
	}
	if c.config != nil {
		c.log.Info("TLS certificates taken over", "listener", c.listener, "expires", pair.Leaf.NotAfter)
	}
	c.config, c.expires = next, pair.Leaf.NotAfter
	return nil
}

var (
	descExpiry  = prometheus.NewDesc("tidemark_tls_certificate_expiry_timestamp_seconds", "When the certificate in force expires, by listener.", []string{"listener"}, nil)
	descReloads = prometheus.NewDesc("tidemark_tls_reload_failures_total", "Changed certificate files that could not be taken over, by listener.", []string{"listener"}, nil)
)

// allCertificates are those of every listener with TLS, as a collector of Prometheus.
type allCertificates []*certificates

func (allCertificates) Describe(ch chan<- *prometheus.Desc) { ch <- descExpiry; ch <- descReloads }

func (all allCertificates) Collect(ch chan<- prometheus.Metric) {
	for _, c := range all {
		c.mu.Lock()
		expires, failures := c.expires, c.failures
		c.mu.Unlock()
		ch <- prometheus.MustNewConstMetric(descExpiry, prometheus.GaugeValue, float64(expires.Unix()), c.listener)
		ch <- prometheus.MustNewConstMetric(descReloads, prometheus.CounterValue, float64(failures), c.listener)
	}
}
