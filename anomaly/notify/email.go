package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// maxRecipients is how many addresses one email goes to.
const maxRecipients = 50

func checkEmail(c *Channel) error {
	if port, err := strconv.Atoi(c.get("port")); err != nil || port < 1 || port > 65535 {
		return &InputError{"fields.port", "must be a number from 1 to 65535"}
	}
	if strings.ContainsAny(c.get("host"), ":/ @") {
		return &InputError{"fields.host", "must be the name or address of a server, without its port"}
	}
	if _, err := mail.ParseAddress(c.get("from")); err != nil {
		return &InputError{"fields.from", "must be an address such as Tidemark <tidemark@example.com>"}
	}
	to, err := mail.ParseAddressList(c.get("to"))
	if err != nil || len(to) > maxRecipients {
		return &InputError{"fields.to", fmt.Sprintf("must be 1 to %d addresses separated by commas", maxRecipients)}
	}
	if c.get("tls") == "none" && c.get("password") != "" {
		return &InputError{"fields.tls", "must be starttls or implicit: a password is never sent unencrypted"}
	}
	return nil
}

// sendEmail hands one email to the channel's SMTP server (RFC 5321). The password goes over TLS only.
func sendEmail(ctx context.Context, p *post) Answer {
	from, err := mail.ParseAddress(p.get("from"))
	if err != nil {
		return Answer{Text: "the sender's address is not usable"}
	}
	to, err := mail.ParseAddressList(p.get("to"))
	if err != nil {
		return Answer{Text: "the recipients' addresses are not usable"}
	}
	body, err := emailBody(p, from, to)
	if err != nil {
		return Answer{Text: "write the email: " + err.Error()}
	}
	c, err := p.smtp(ctx)
	if err != nil {
		return p.smtpFailed(err)
	}
	defer c.Close()
	a, err := deliverEmail(c, from, to, body)
	if err != nil {
		return p.smtpFailed(err)
	}
	_ = c.Quit() // it has the email
	a.Text = p.clean(a.Text)
	return a
}

// smtp is a session that is encrypted and logged in as the channel asks.
func (p *post) smtp(ctx context.Context) (*smtp.Client, error) {
	host := p.get("host")
	conn, err := p.networks.dial(ctx, net.JoinHostPort(host, p.get("port")))
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	secure := &tls.Config{ServerName: host, RootCAs: p.roots, MinVersion: tls.VersionTLS12}
	if p.get("tls") == "implicit" {
		conn = tls.Client(conn, secure)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, err
	}
	if err := p.logIn(c, secure); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (p *post) logIn(c *smtp.Client, secure *tls.Config) error {
	if p.get("tls") == "starttls" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return errors.New("the server offers no STARTTLS: choose implicit encryption, or none for a relay on a trusted network")
		}
		if err := c.StartTLS(secure); err != nil {
			return fmt.Errorf("STARTTLS: %w", err)
		}
	}
	if p.get("username") == "" {
		return nil
	}
	if _, encrypted := c.TLSConnectionState(); !encrypted {
		return errors.New("a password is never sent unencrypted")
	}
	ok, offered := c.Extension("AUTH")
	if !ok {
		return errors.New("the server takes no login: leave the user name empty")
	}
	var auth smtp.Auth = plainAuth{p.get("username"), p.get("password")}
	if methods := strings.Fields(offered); !contained(methods, "PLAIN") && contained(methods, "LOGIN") {
		auth = &loginAuth{p.get("username"), p.get("password")}
	}
	return c.Auth(auth)
}

func contained(list []string, s string) bool {
	for _, x := range list {
		if strings.EqualFold(x, s) {
			return true
		}
	}
	return false
}

// plainAuth is RFC 4616; the caller has seen to it that the connection is encrypted.
type plainAuth struct{ user, password string }

func (a plainAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + a.user + "\x00" + a.password), nil
}

func (a plainAuth) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks for more than user name and password")
	}
	return nil, nil
}

// loginAuth is what servers offer that know no PLAIN: user name, then password.
type loginAuth struct{ user, password string }

func (a *loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a *loginAuth) Next(asked []byte, more bool) ([]byte, error) {
	switch {
	case !more:
		return nil, nil
	case strings.Contains(strings.ToLower(string(asked)), "user"):
		return []byte(a.user), nil
	}
	return []byte(a.password), nil
}

// deliverEmail sends one email to all who may have it. When the server refuses some of them the others get it, and
// the answer says who was refused: another try would reach the others twice.
func deliverEmail(c *smtp.Client, from *mail.Address, to []*mail.Address, body []byte) (Answer, error) {
	if err := c.Mail(from.Address); err != nil {
		return Answer{}, err
	}
	var refused []string
	var last error
	for _, a := range to {
		if err := c.Rcpt(a.Address); err != nil {
			why := err.Error()
			if said := (*textproto.Error)(nil); errors.As(err, &said) {
				why = fmt.Sprintf("%d %s", said.Code, said.Msg)
			}
			refused, last = append(refused, a.Address+": "+why), err
		}
	}
	if len(refused) == len(to) {
		return Answer{}, last
	}
	if id, err := c.Text.Cmd("DATA"); err != nil {
		return Answer{}, err
	} else {
		c.Text.StartResponse(id)
		_, _, err = c.Text.ReadResponse(354)
		c.Text.EndResponse(id)
		if err != nil {
			return Answer{}, err
		}
	}
	w := c.Text.DotWriter()
	if _, err := w.Write(body); err != nil {
		return Answer{}, err
	}
	if err := w.Close(); err != nil {
		return Answer{}, err
	}
	code, text, err := c.Text.ReadResponse(250)
	if err != nil {
		return Answer{}, err
	}
	if len(refused) > 0 {
		text += " (refused: " + strings.Join(refused, "; ") + ")"
	}
	return Answer{OK: true, Code: code, Text: text}, nil
}

// smtpFailed explains a failure; 4xx replies, like lost connections, may pass.
func (p *post) smtpFailed(err error) Answer {
	var said *textproto.Error
	if errors.As(err, &said) {
		return Answer{Code: said.Code, Text: p.clean(said.Msg), retry: said.Code/100 == 4}
	}
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return Answer{Text: p.clean("the server's certificate is not trusted: " + cert.Err.Error())}
	}
	a := p.unreachable(err)
	if strings.HasPrefix(a.Text, "the server ") || strings.HasPrefix(a.Text, "a password ") {
		a.retry = false
	}
	return a
}

// emailBody writes the headers and the parts: text, HTML, and the chart inside the HTML.
func emailBody(p *post, from *mail.Address, to []*mail.Address) ([]byte, error) {
	m := p.message
	head := [][2]string{{"From", from.String()}, {"To", addressList(to)}, {"Subject", encoded(shorten(emailSubject(m), 200))},
		{"Date", p.now.UTC().Format(time.RFC1123Z)}, {"Message-ID", messageID(m.ID, from)}, {"Auto-Submitted", "auto-generated"},
		{"X-Tidemark-Incident", m.IncidentID}, {"X-Tidemark-State", string(m.State)}, {"MIME-Version", "1.0"}}
	if p.begins != "" && p.begins != m.ID {
		head = append(head, [2]string{"In-Reply-To", messageID(p.begins, from)}, [2]string{"References", messageID(p.begins, from)})
	}
	var b bytes.Buffer
	for _, h := range head {
		if h[1] != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
		}
	}
	html, err := emailHTML(m)
	if err != nil {
		return nil, err
	}
	// The boundaries hold a character that base64 has not.
	outer, inner := "_tidemark_related", "_tidemark_alternative"
	fmt.Fprintf(&b, "Content-Type: multipart/related; type=\"multipart/alternative\"; boundary=%q\r\n\r\n", outer)
	fmt.Fprintf(&b, "--%s\r\nContent-Type: multipart/alternative; boundary=%q\r\n\r\n", outer, inner)
	part(&b, inner, "text/plain; charset=utf-8", "", []byte(m.Text()))
	part(&b, inner, "text/html; charset=utf-8", "", html)
	fmt.Fprintf(&b, "--%s--\r\n", inner)
	if len(m.chart) > 0 {
		part(&b, outer, "image/png; name=\"chart.png\"", "Content-ID: <chart>\r\nContent-Disposition: inline; filename=\"chart.png\"\r\n", m.chart)
	}
	fmt.Fprintf(&b, "--%s--\r\n", outer)
	return b.Bytes(), nil
}

// part writes one part in base64, lines of 76 characters.
func part(b *bytes.Buffer, boundary, contentType, head string, content []byte) {
	fmt.Fprintf(b, "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n%s\r\n", boundary, contentType, head)
	text := base64.StdEncoding.EncodeToString(content)
	for len(text) > 0 {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
}

func emailSubject(m *Message) string {
	if m.Severity == "" || m.State == StateResolved {
		return m.Headline()
	}
	return "[" + string(m.Severity) + "] " + m.Headline()
}

func addressList(list []*mail.Address) string {
	all := make([]string, len(list))
	for i, a := range list {
		all[i] = a.String()
	}
	return strings.Join(all, ",\r\n ")
}

// messageID is the same for every try of one delivery, so that mail programs show a doubled one once.
func messageID(id string, from *mail.Address) string {
	_, domain, ok := strings.Cut(from.Address, "@")
	if !ok {
		domain = "tidemark"
	}
	return "<" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '.'
	}, id) + "@" + domain + ">"
}
