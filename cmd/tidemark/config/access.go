package config

import (
	"flag"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Access is who may come in: over which transport, with which key, from which pages and under which names.
type Access struct {
	IngestKeys       string // auto, required or optional
	AllowOpen        bool
	AllowOrigins     string
	AllowHosts       string
	OTLPAllowOrigins string
	OTLPTLS, HTTPTLS TLSFiles
}

// TLSFiles are the PEM files of a listener. Without Cert it speaks plain text; with ClientCA it asks clients for a
// certificate of their own.
type TLSFiles struct{ Cert, Key, ClientCA string }

func (c *Config) accessFlags(fs *flag.FlagSet) {
	a := &c.Access
	fs.StringVar(&a.IngestKeys, "ingest-keys", "auto", "whether senders need an ingest key: required, optional, or auto, which requires one as soon as other machines can reach an OTLP port, unless clients show certificates or --allow-open is given")
	fs.BoolVar(&a.AllowOpen, "allow-open", false, "listen on addresses other than loopback although nobody has to log in or needs a key: for what lies behind a proxy that authenticates")
	fs.StringVar(&a.AllowOrigins, "allow-origins", "", "further browser origins that may use the API, separated by commas")
	fs.StringVar(&a.AllowHosts, "allow-hosts", "", "names under which browsers reach the web application besides localhost, addresses and, on other addresses than loopback, names of a private network; separated by commas, *.example.com for all below")
	fs.StringVar(&a.OTLPAllowOrigins, "otlp-allow-origins", "", "origins of web pages whose browsers may send telemetry, separated by commas; https://*.example.com for all below, * for every one")
	for _, l := range []struct {
		name, what string
		files      *TLSFiles
	}{{"otlp", "both OTLP ports", &a.OTLPTLS}, {"http", "the web application and its API", &a.HTTPTLS}} {
		fs.StringVar(&l.files.Cert, l.name+"-tls-cert", "", "PEM file with the certificate chain of "+l.what+"; read again when it changes; empty for plain text")
		fs.StringVar(&l.files.Key, l.name+"-tls-key", "", "PEM file with the private key of --"+l.name+"-tls-cert")
		fs.StringVar(&l.files.ClientCA, l.name+"-tls-client-ca", "", "PEM file with the authorities whose certificates clients of "+l.what+" must show; empty asks for none")
	}
}

func (c *Config) checkAccess() error {
	if !oneOf(c.IngestKeys, "auto", "required", "optional") {
		return fmt.Errorf("--ingest-keys is %q: use auto, required or optional", c.IngestKeys)
	}
	for name, f := range map[string]TLSFiles{"otlp": c.OTLPTLS, "http": c.HTTPTLS} {
		if (f.Cert == "") != (f.Key == "") {
			return fmt.Errorf("--%s-tls-cert and --%s-tls-key belong together: give both or neither", name, name)
		}
		if f.ClientCA != "" && f.Cert == "" {
			return fmt.Errorf("--%s-tls-client-ca needs --%s-tls-cert: without TLS no client shows a certificate", name, name)
		}
	}
	for _, o := range c.SenderOrigins() {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			return fmt.Errorf("--otlp-allow-origins has %q: use origins such as https://shop.example.com, without a path", o)
		}
	}
	return c.checkAddrs()
}

// checkAddrs refuses addresses that cannot be parsed, and those that others can reach while nothing tells who they are.
func (c *Config) checkAddrs() error {
	for _, a := range []struct{ flag, addr string }{{"http-addr", c.HTTPAddr}, {"otlp-grpc-addr", c.OTLPGRPCAddr}, {"otlp-http-addr", c.OTLPHTTPAddr}} {
		if a.flag != "http-addr" && !c.Role.Writes() {
			continue
		}
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			return fmt.Errorf("--%s is %q: use HOST:PORT, for instance 127.0.0.1:8080", a.flag, a.addr)
		}
	}
	if !c.AllowOpen && Reachable(c.HTTPAddr) && c.HTTPTLS.ClientCA == "" {
		return fmt.Errorf("--http-addr is %q, which other machines can reach, and nobody has to log in: use 127.0.0.1, let browsers show "+
			"certificates (--http-tls-client-ca), or put a proxy that authenticates in front and start with --allow-open", c.HTTPAddr)
	}
	if addr := c.openSenders(); addr != "" && !c.KeysRequired() && !c.AllowOpen && c.OTLPTLS.ClientCA == "" {
		return fmt.Errorf("other machines can reach %s, and --ingest-keys=optional lets anybody send: require keys, let senders show "+
			"certificates (--otlp-tls-client-ca), or put a proxy that authenticates in front and start with --allow-open", addr)
	}
	return nil
}

// Reachable tells whether other machines can reach an address.
func Reachable(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return false
	}
	ip := net.ParseIP(host)
	return ip == nil || !ip.IsLoopback()
}

// openSenders is the flag and address of an OTLP port that other machines can reach, "" if there is none.
func (c *Config) openSenders() string {
	switch {
	case !c.Role.Writes():
	case Reachable(c.OTLPGRPCAddr):
		return "--otlp-grpc-addr " + c.OTLPGRPCAddr
	case Reachable(c.OTLPHTTPAddr):
		return "--otlp-http-addr " + c.OTLPHTTPAddr
	}
	return ""
}

// KeysRequired tells whether senders need an ingest key.
func (c *Config) KeysRequired() bool {
	switch c.IngestKeys {
	case "required":
		return true
	case "optional":
		return false
	}
	return c.openSenders() != "" && !c.AllowOpen && c.OTLPTLS.ClientCA == ""
}

// FirstKeyNeeded is the port that must not open before there is a key, as its flag and address; "" if there is none.
func (c *Config) FirstKeyNeeded() string {
	if !c.KeysRequired() || c.AllowOpen || c.OTLPTLS.ClientCA != "" {
		return ""
	}
	return c.openSenders()
}

// Origins, SenderOrigins and Hosts are the settings of these names as lists.
func (c *Config) Origins() []string       { return commas(c.AllowOrigins) }
func (c *Config) SenderOrigins() []string { return commas(c.OTLPAllowOrigins) }
func (c *Config) Hosts() []string         { return commas(c.AllowHosts) }

func commas(s string) []string {
	var out []string
	for _, o := range strings.Split(s, ",") {
		if o = strings.TrimSpace(o); o != "" {
			out = append(out, o)
		}
	}
	return out
}
