package notify

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestAllowList(t *testing.T) {
	for _, tt := range []struct {
		allow, addr string
		ok          bool
	}{
		{"public", "8.8.8.8", true},
		{"public", "2606:4700::1111", true},
		{"public", "127.0.0.1", false},
		{"public", "::1", false},
		{"public", "10.1.2.3", false},
		{"public", "192.168.1.1", false},
		{"public", "100.64.0.1", false},
		{"public", "fd12::1", false},
		{"public", "::ffff:127.0.0.1", false},
		{"public", "::ffff:10.0.0.1", false},
		{"public", "64:ff9b::7f00:1", false}, // NAT64 of 127.0.0.1
		{"public", "2002:7f00:1::", false},   // 6to4 of 127.0.0.1
		{"public", "::7f00:1", false},
		{"public", "169.254.169.254", false},
		{"public", "192.0.2.1", false},
		{"public", "0.0.0.0", false},
		{"public", "fe80::1", false},
		{"public,private", "10.1.2.3", true},
		{"public,loopback", "127.0.0.1", true},
		{"public,loopback", "10.1.2.3", false},
		{"public,10.1.0.0/16", "10.1.2.3", true},
		{"public,10.1.0.0/16", "10.2.2.3", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "8.8.8.8", false},
		{"private,0.0.0.0/0,::/0", "169.254.169.254", false}, // never
		{"private,0.0.0.0/0,::/0", "::ffff:169.254.169.254", false},
		{"0.0.0.0/0", "100.100.100.200", false},
		{"::/0", "fd00:ec2::254", false},
		{"", "8.8.8.8", false},
	} {
		n, err := ParseNetworks(tt.allow)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Check(netip.MustParseAddr(tt.addr)); (err == nil) != tt.ok {
			t.Errorf("--notify-allow=%s: %s: %v", tt.allow, tt.addr, err)
		}
	}
	if _, err := ParseNetworks("public,nonsense"); err == nil {
		t.Error("nonsense is taken")
	}
}

// A name is checked by what it resolves to, at the moment of connecting.
func TestNamesThatLeadInside(t *testing.T) {
	hit := atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit.Add(1) }))
	defer s.Close()
	n, err := ParseNetworks("public")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, address := range []string{s.URL, "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0x7f000001:" + port, "http://127.1:" + port} {
		p := newPost(t, "webhook", map[string]string{"url": address + "/hook"}, incident(), StateFiring)
		p.networks, p.client = n, n.client(2*time.Second, nil)
		if a := sendWebhook(context.Background(), p); a.OK || a.Code != 0 {
			t.Errorf("%s: %+v", address, a)
		}
	}
	p := newPost(t, "email", map[string]string{"host": "localhost", "port": port, "from": "a@example.com", "to": "b@example.com"}, incident(), StateFiring)
	p.networks = n
	if a := sendEmail(context.Background(), p); a.OK || !strings.Contains(a.Text, "--notify-allow") {
		t.Errorf("email: %+v", a)
	}
	if hit.Load() > 0 {
		t.Error("a message went to this machine")
	}
}

// A name that answers with a public address first and with a private one later (DNS rebinding) leads nowhere: what is
// checked is the address that is dialled, each time.
func TestRebinding(t *testing.T) {
	n, err := ParseNetworks("public")
	if err != nil {
		t.Fatal(err)
	}
	control := n.dialer().Control
	if err := control("tcp4", "93.184.216.34:443", nil); err != nil {
		t.Errorf("the first address: %v", err)
	}
	err = control("tcp4", "192.168.0.1:443", nil)
	if _, ok := denied(err); !ok {
		t.Errorf("the second address: %v", err)
	}
	if err := control("tcp6", "[fe80::1%eth0]:443", nil); err == nil {
		t.Error("an address with a zone is taken")
	}
}

// Redirects are followed to the same host only, and each hop's address is checked.
func TestRedirects(t *testing.T) {
	inside := atomic.Int32{}
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer target.Close()
	for name, tt := range map[string]struct {
		location string
		status   int
		ok       bool
	}{
		"same host keeps the body":       {"/other", 308, true},
		"same host turns it into a GET":  {"/other", 302, false},
		"another host name":              {strings.Replace(target.URL, "127.0.0.1", "localhost", 1), 307, false},
		"an address that is never taken": {"http://169.254.169.254/latest/meta-data/", 307, false},
	} {
		t.Run(name, func(t *testing.T) {
			posts := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/other" {
					if r.Method == http.MethodPost && r.ContentLength > 0 {
						posts++
					}
					return
				}
				w.Header().Set("Location", tt.location)
				w.WriteHeader(tt.status)
			}))
			defer s.Close()
			a := sendWebhook(context.Background(), newPost(t, "webhook", map[string]string{"url": s.URL + "/hook"}, incident(), StateFiring))
			if a.OK != tt.ok || (posts == 1) != tt.ok {
				t.Errorf("%+v after %d posts", a, posts)
			}
			if !tt.ok && !strings.Contains(a.Text, "redirects") {
				t.Errorf("the answer is %q", a.Text)
			}
		})
	}
	if inside.Load() > 0 {
		t.Error("a redirect to another host was followed")
	}
	// The same host name, now resolving to what is not allowed: the hop is checked although it looks the same.
	n, err := ParseNetworks("10.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	p := newPost(t, "webhook", map[string]string{"url": target.URL}, incident(), StateFiring)
	p.networks, p.client = n, n.client(time.Second, nil)
	if a := sendWebhook(context.Background(), p); a.OK || !strings.Contains(a.Text, "--notify-allow") {
		t.Errorf("%+v", a)
	}
}
