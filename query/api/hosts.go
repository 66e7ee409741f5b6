package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Visitors say what the HTTP port asks of a request besides a right.
type Visitors struct {
	// Known tells the names under which we are visited, without a port. A page whose name was pointed at our address
	// afterwards (DNS rebinding) comes under a name of its own, and its browser takes our answers for its own.
	Known func(host string) bool
	// Certificates asks for a client certificate that has been verified.
	Certificates bool
}

// Secured turns away requests that are not as Visitors want them. Health checks are answered always: they come under
// any name and without certificates, and tell nothing.
func Secured(next http.Handler, v Visitors) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
		case v.Certificates && (r.TLS == nil || len(r.TLS.VerifiedChains) == 0):
			refuse(w, r, Problem{Title: "A client certificate is needed", Status: http.StatusUnauthorized,
				Detail: "Install one of the authorities in --http-tls-client-ca into your browser, and try again."})
			return
		case v.Known != nil && !v.Known(hostname(r.Host)):
			refuse(w, r, Problem{Title: "Tidemark does not go by this name", Status: http.StatusMisdirectedRequest,
				Detail: "If " + clip(hostname(r.Host)) + " is meant to lead here, start with --allow-hosts " + clip(hostname(r.Host)) + "."})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, r *http.Request, p Problem) {
	secure(w.Header())
	p.RequestID = requestID(w, r)
	writeProblem(w, p)
}

func clip(s string) string { return s[:min(len(s), 253)] }

// hostname is a Host header without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// private are the endings of names that nobody can register, so that only one's own network resolves them.
var private = []string{".localhost", ".local", ".internal", ".home.arpa", ".svc"}

// KnownHosts tells the names of a product that listens on an address: localhost, every address as such, the machine's
// name, those that are allowed (*.example.com for all below) and those of allowed origins. Where other machines can
// reach it, names of a private network too: such as tidemark, or tidemark.monitoring.svc.
func KnownHosts(listen, machine string, allowed, origins []string) func(host string) bool {
	exact, below := map[string]bool{"localhost": true, strings.ToLower(machine): true}, []string{".localhost"}
	for _, o := range origins {
		if u, err := url.Parse(o); err == nil {
			allowed = append(allowed[:len(allowed):len(allowed)], u.Hostname())
		}
	}
	for _, a := range allowed {
		a = hostname(a)
		if rest, ok := strings.CutPrefix(a, "*"); ok && strings.HasPrefix(rest, ".") {
			below = append(below, rest)
		} else if a != "" {
			exact[a] = true
		}
	}
	open := true
	if h := hostname(listen); h == "localhost" {
		open = false
	} else if ip, err := netip.ParseAddr(h); err == nil && ip.IsLoopback() {
		open = false
	}
	if open {
		below = append(below, private...)
	}
	return func(host string) bool {
		if _, err := netip.ParseAddr(host); err == nil || exact[host] {
			return true
		}
		for _, ending := range below {
			if strings.HasSuffix(host, ending) && len(host) > len(ending) {
				return true
			}
		}
		return open && host != "" && !strings.Contains(host, ".")
	}
}
