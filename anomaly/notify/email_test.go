package notify

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"
)

// mailServer is an SMTP server for one session.
type mailServer struct {
	net.Listener
	tls      *tls.Config
	roots    *x509.CertPool
	implicit bool
	offers   string // EHLO's extensions, before TLS
	auth     string // the mechanisms after TLS
	refuse   map[string]string
	got      chan received
}

type received struct {
	encrypted bool
	auth      []string
	to        []string
	data      string
}

func newMailServer(t *testing.T, change ...func(*mailServer)) *mailServer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &mailServer{Listener: l, tls: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots: x509.NewCertPool(),
		offers: "STARTTLS", auth: "PLAIN LOGIN", refuse: map[string]string{}, got: make(chan received, 10)}
	s.roots.AddCert(cert)
	for _, f := range change {
		f(s)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *mailServer) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	var r received
	if s.implicit {
		c, r.encrypted = tls.Server(c, s.tls), true
	}
	in := bufio.NewReader(c)
	say := func(format string, args ...any) { fmt.Fprintf(c, format+"\r\n", args...) }
	read := func() string {
		line, err := in.ReadString('\n')
		if err != nil {
			return "QUIT"
		}
		return strings.TrimSpace(line)
	}
	say("220 mail ready")
	for {
		line := read()
		verb, rest, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			if r.encrypted && s.auth != "" {
				say("250-mail\r\n250 AUTH %s", s.auth)
			} else {
				say("250-mail\r\n250 %s", s.offers)
			}
		case "STARTTLS":
			say("220 go")
			c, r.encrypted = tls.Server(c, s.tls), true
			in = bufio.NewReader(c)
		case "AUTH":
			r.auth = append(r.auth, rest)
			if rest == "LOGIN" {
				for _, ask := range []string{"Username:", "Password:"} {
					say("334 %s", base64.StdEncoding.EncodeToString([]byte(ask)))
					b, _ := base64.StdEncoding.DecodeString(read())
					r.auth = append(r.auth, string(b))
				}
			}
			if strings.Contains(rest, base64.StdEncoding.EncodeToString([]byte("\x00me\x00wrong"))) {
				say("535 5.7.8 authentication failed")
				continue
			}
			say("235 welcome")
		case "MAIL":
			say("250 ok")
		case "RCPT":
			if why := s.refuse[strings.Trim(strings.TrimPrefix(rest, "TO:"), "<>")]; why != "" {
				say("%s", why)
				continue
			}
			r.to = append(r.to, rest)
			say("250 ok")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, err := in.ReadString('\n')
				if err != nil || l == ".\r\n" {
					break
				}
				b.WriteString(l)
			}
			r.data = b.String()
			s.got <- r
			say("250 2.0.0 queued as ABC123")
		case "QUIT":
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) fields(more ...string) map[string]string {
	host, port, _ := net.SplitHostPort(s.Addr().String())
	f := map[string]string{"host": host, "port": port, "from": "Tidemark <tidemark@example.com>", "to": "a@example.com, Bé <b@example.com>"}
	for i := 0; i+1 < len(more); i += 2 {
		f[more[i]] = more[i+1]
	}
	return f
}

func (s *mailServer) send(t *testing.T, f map[string]string) Answer {
	t.Helper()
	p := newPost(t, "email", f, incident(), StateFiring)
	p.roots = s.roots
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return sendEmail(ctx, p)
}

func TestEmail(t *testing.T) {
	s := newMailServer(t)
	a := s.send(t, s.fields("username", "me", "password", "secret"))
	if !a.OK || a.describe() != "250 2.0.0 queued as ABC123" {
		t.Fatalf("%+v", a)
	}
	got := <-s.got
	if !got.encrypted || len(got.auth) != 1 || got.auth[0] != "PLAIN "+base64.StdEncoding.EncodeToString([]byte("\x00me\x00secret")) || len(got.to) != 2 {
		t.Errorf("%+v", got)
	}
	golden(t, "email-firing.golden", readable(t, got.data))
}

// readable is an email with its parts decoded.
func readable(t *testing.T, data string) string {
	t.Helper()
	for line := range strings.SplitSeq(data, "\r\n") {
		if len(line) > 998 || strings.Contains(line, "\n") {
			t.Errorf("a line is not one of an email: %.60q", line)
		}
	}
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, h := range []string{"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Tidemark-Incident", "X-Tidemark-State", "In-Reply-To"} {
		v, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get(h))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s: %s\n", h, v)
	}
	parts(t, &b, m.Header.Get("Content-Type"), m.Body)
	return b.String()
}

func parts(t *testing.T, b *strings.Builder, contentType string, body io.Reader) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		content, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, body))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(kind, "image/") {
			content = fmt.Appendf(nil, "(%d bytes)", len(content))
		}
		fmt.Fprintf(b, "\n== %s\n%s\n", contentType, content)
		return
	}
	fmt.Fprintf(b, "\n== %s\n", kind)
	r := multipart.NewReader(body, params["boundary"])
	for {
		p, err := r.NextPart()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if id := p.Header.Get("Content-ID"); id != "" {
			fmt.Fprintf(b, "(%s)", id)
		}
		parts(t, b, p.Header.Get("Content-Type"), p)
	}
}

func TestEmailEncryption(t *testing.T) {
	t.Run("implicit, LOGIN", func(t *testing.T) {
		s := newMailServer(t, func(s *mailServer) { s.implicit, s.auth = true, "LOGIN" })
		a := s.send(t, s.fields("tls", "implicit", "username", "me", "password", "secret"))
		if !a.OK {
			t.Fatalf("%+v", a)
		}
		if got := <-s.got; !got.encrypted || strings.Join(got.auth, " ") != "LOGIN me secret" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("none, without a password", func(t *testing.T) {
		s := newMailServer(t)
		if a := s.send(t, s.fields("tls", "none")); !a.OK {
			t.Fatalf("%+v", a)
		}
		if got := <-s.got; got.encrypted || len(got.auth) > 0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a server without STARTTLS gets nothing", func(t *testing.T) {
		s := newMailServer(t, func(s *mailServer) { s.offers = "SIZE 1000" })
		if a := s.send(t, s.fields("username", "me", "password", "secret")); a.OK || a.retry || !strings.Contains(a.Text, "no STARTTLS") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("a certificate nobody vouches for", func(t *testing.T) {
		s := newMailServer(t)
		s.roots = x509.NewCertPool()
		if a := s.send(t, s.fields()); a.OK || !strings.Contains(a.Text, "certificate is not trusted") {
			t.Errorf("%+v", a)
		}
	})
	t.Run("a wrong password", func(t *testing.T) {
		s := newMailServer(t)
		if a := s.send(t, s.fields("username", "me", "password", "wrong")); a.OK || a.Code != 535 || a.retry {
			t.Errorf("%+v", a)
		}
	})
	t.Run("a password without encryption is not even stored", func(t *testing.T) {
		s := newMailServer(t)
		c := &Channel{Name: "x", Type: "email", Fields: s.fields("tls", "none", "username", "me", "password", "secret")}
		if err := c.validate(); err == nil {
			t.Error("it is taken")
		}
	})
}

func TestEmailRefusedRecipients(t *testing.T) {
	s := newMailServer(t, func(s *mailServer) { s.refuse["b@example.com"] = "550 no such user" })
	if a := s.send(t, s.fields()); !a.OK || !strings.Contains(a.Text, "refused: b@example.com: 550 no such user") {
		t.Errorf("%+v", a)
	}
	s = newMailServer(t, func(s *mailServer) {
		s.refuse["a@example.com"], s.refuse["b@example.com"] = "450 try later", "450 try later"
	})
	if a := s.send(t, s.fields()); a.OK || a.Code != 450 || !a.retry {
		t.Errorf("%+v", a)
	}
}

// What comes from telemetry cannot add headers or recipients.
func TestEmailHeadersCannotBeAdded(t *testing.T) {
	s := newMailServer(t)
	inc := incident()
	inc.Title = "bad\r\nBcc: evil@example.com\r\n\r\nhello"
	p := newPost(t, "email", s.fields(), inc, StateFiring)
	p.roots = s.roots
	if a := sendEmail(context.Background(), p); !a.OK {
		t.Fatalf("%+v", a)
	}
	m, err := mail.ReadMessage(strings.NewReader((<-s.got).data))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Get("Bcc") != "" || m.Header.Get("MIME-Version") != "1.0" {
		t.Errorf("%v", m.Header)
	}
}
