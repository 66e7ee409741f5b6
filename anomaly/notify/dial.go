package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// DefaultAllow is where messages may go unless it is said otherwise: the public Internet.
const DefaultAllow = "public"

// Networks is the allow-list of addresses that messages may be sent to. It is asked for the address a name resolved
// to, at the moment of connecting, so that neither a name nor a redirect leads elsewhere.
type Networks struct {
	text   string
	flag   string // that sets the list
	what   string // goes there
	public bool
	allow  []netip.Prefix
}

var (
	privateNetworks  = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
	loopbackNetworks = prefixes("127.0.0.0/8", "::1/128")
	// neverAllowed are addresses that no chat lives at and that answer with secrets: link-local addresses, with the
	// metadata service of most clouds among them, and the metadata services that lie elsewhere.
	neverAllowed = prefixes("0.0.0.0/8", "169.254.0.0/16", "fe80::/10", "::/128", "224.0.0.0/4", "ff00::/8", "240.0.0.0/4",
		"100.100.100.200/32", "168.63.129.16/32", "192.0.0.0/24", "fd00:ec2::254/128", "fd20:ce::254/128")
	// reserved is neither public nor private (RFC 6890).
	reserved = prefixes("192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// ParseNetworks reads an allow-list: "public", "private", "loopback", networks (10.1.0.0/16) and single addresses,
// separated by commas.
func ParseNetworks(text string) (Networks, error) {
	n := Networks{text: text, flag: "--notify-allow", what: "messages never go to"}
	for part := range strings.SplitSeq(text, ",") {
		switch part = strings.TrimSpace(part); part {
		case "":
		case "public":
			n.public = true
		case "private":
			n.allow = append(n.allow, privateNetworks...)
		case "loopback":
			n.allow = append(n.allow, loopbackNetworks...)
		default:
			p, err := parsePrefix(part)
			if err != nil {
				return Networks{}, fmt.Errorf("%q is neither public, private, loopback, an address nor a network such as 10.1.0.0/16", part)
			}
			n.allow = append(n.allow, p)
		}
	}
	return n, nil
}

// For is the list of another purpose, which another flag sets.
func (n Networks) For(flag, what string) Networks {
	n.flag, n.what = flag, what
	return n
}

func parsePrefix(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// DeniedError says that an address is not on the allow-list.
type DeniedError struct {
	Addr netip.Addr
	Why  string
}

func (e *DeniedError) Error() string { return fmt.Sprintf("%s %s", e.Addr, e.Why) }

// Check refuses addresses that messages may not go to.
func (n Networks) Check(a netip.Addr) error {
	a = unwrap(a)
	switch {
	case contains(neverAllowed, a):
		return &DeniedError{a, "is a link-local, metadata or reserved address, which " + n.what}
	case contains(n.allow, a):
		return nil
	case contains(loopbackNetworks, a):
		return &DeniedError{a, "is this machine itself: allow it with " + n.flag + "=" + n.with("loopback")}
	case contains(privateNetworks, a):
		return &DeniedError{a, fmt.Sprintf("is a private address: allow it with %s=%s or %s=%s", n.flag, n.with("private"), n.flag, n.with(a.String()))}
	case n.public && a.IsGlobalUnicast() && !contains(reserved, a):
		return nil
	}
	return &DeniedError{a, "is not among the addresses that " + n.flag + " names"}
}

func (n Networks) with(more string) string {
	if n.text == "" {
		return more
	}
	return n.text + "," + more
}

// unwrap finds the IPv4 address that an IPv6 address stands for: mapped, translated (NAT64) or tunnelled (6to4).
func unwrap(a netip.Addr) netip.Addr {
	a = a.WithZone("").Unmap()
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a), netip.MustParsePrefix("::/96").Contains(a) && a != netip.IPv6Loopback() && a != netip.IPv6Unspecified():
		return netip.AddrFrom4([4]byte(b[12:]))
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// dialer connects to allowed addresses only: Control sees each resolved address before a packet goes to it.
func (n Networks) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("read the address %q: %w", address, err)
		}
		return n.Check(ap.Addr())
	}}
}

// maxRedirects is how many redirects one message follows.
const maxRedirects = 3

// client is an HTTP client that connects to allowed addresses only. It follows redirects that keep method, body and
// host name (a receiver that moved to https); any other one is the receiver's answer, for a person to act upon. The
// environment's proxy is not used: behind one, the address would be the proxy's to check.
func (n Networks) client(timeout time.Duration, roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext:     n.dialer().DialContext, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 5 * time.Second,
			MaxIdleConns: 32, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			first := via[0]
			same := r.URL.Hostname() == first.URL.Hostname() && r.Method == first.Method
			if !same || len(via) > maxRedirects || first.URL.Scheme == "https" && r.URL.Scheme != "https" {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// denied finds the refusal of an address in the error of a connection.
func denied(err error) (*DeniedError, bool) {
	var d *DeniedError
	ok := errors.As(err, &d)
	return d, ok
}

// dial connects to host:port over TCP, to allowed addresses only.
func (n Networks) dial(ctx context.Context, address string) (net.Conn, error) {
	return n.dialer().DialContext(ctx, "tcp", address)
}
