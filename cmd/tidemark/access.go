package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"hash/crc32"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/otlp"
	"github.com/tidemarkhq/tidemark/query/api"
	"github.com/tidemarkhq/tidemark/query/auth"
)

// newKeysDir is where `tidemark keys create` leaves a key while the product does not run.
const newKeysDir = "new-ingest-keys"

// startCertificates reads the TLS files, so that wrong ones are said before the slow parts.
func (p *product) startCertificates(context.Context) error {
	var err error
	if p.otlpTLS, err = loadCertificates("otlp", p.config.OTLPTLS, tls.RequireAndVerifyClientCert, p.log); err != nil {
		return err
	}
	// Health checks have no certificates: who shows none is turned away above TLS.
	if p.httpTLS, err = loadCertificates("http", p.config.HTTPTLS, tls.VerifyClientCertIfGiven, p.log); err != nil {
		return err
	}
	var all allCertificates
	for _, c := range []*certificates{p.otlpTLS, p.httpTLS} {
		if c != nil {
			all = append(all, c)
		}
	}
	if len(all) > 0 {
		p.metrics.MustRegister(all)
	}
	return nil
}

// startKeys reads the ingest keys, and refuses to open a port to other machines before there is one.
func (p *product) startKeys(ctx context.Context) error {
	host, _ := os.Hostname()
	p.keys = auth.NewKeyring(p.conn, auth.Options{
		Required: p.config.KeysRequired(), NewDir: filepath.Join(p.dir.Path, newKeysDir),
		Instance: fmt.Sprintf("%s-%08x", host, crc32.ChecksumIEEE([]byte(p.dir.Path))),
	})
	if err := p.keys.Refresh(ctx); err != nil {
		return err
	}
	if p.config.Role.Writes() && p.config.KeysRequired() && p.keys.Usable(time.Now()) == 0 {
		if port := p.config.FirstKeyNeeded(); port != "" {
			return fmt.Errorf("other machines can reach %s, and there is no ingest key yet: make one with `tidemark keys create --name NAME "+
				"--data-dir %s` and start again; or let senders show certificates (--otlp-tls-client-ca); or put a proxy that authenticates "+
				"in front and start with --allow-open", port, p.config.DataDir)
		}
		p.log.Warn("every sender is refused until there is an ingest key: make one in Settings or with `tidemark keys create`")
	}
	p.metrics.MustRegister(p.keys)
	following, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.keys.Follow(following, func(err error) { p.log.Debug("ingest keys", "error", err) }) // the store is away; those in force stay
	}()
	p.onStop(func(context.Context) error {
		stop()
		<-done
		return nil
	})
	return nil
}

// authorize asks the keyring in the words of the receiver.
func (p *product) authorize(key, signal string) (otlp.Sender, error) {
	sender, refusal := p.keys.Admit(key, signal, time.Now())
	if refusal != nil {
		return nil, &otlp.Denied{Reason: refusal.Text, Known: refusal.Known, RetryAfter: refusal.RetryAfter}
	}
	return sender, nil
}

// metered makes durable what the further receivers take, and charges it to the key it came with.
func metered(in *ingest.Ingest) func(context.Context, ingest.Signal, []byte) (ingest.Result, error) {
	return otlp.Metered(in.Submit)
}

// secured is the handler of the HTTP port behind what it asks of its visitors: a name that is its own, and with mutual
// TLS a certificate. Health checks need neither.
func (p *product) secured(next http.Handler) http.Handler {
	host, _ := os.Hostname()
	return api.Secured(next, api.Visitors{
		Known:        api.KnownHosts(p.config.HTTPAddr, host, p.config.Hosts(), p.config.Origins()),
		Certificates: p.config.HTTPTLS.ClientCA != "",
	})
}

// scheme is how the addresses of a listener begin.
func (c *certificates) scheme() string {
	if c == nil {
		return "http://"
	}
	return "https://"
}
