package notify

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sender tells one message in the way of one kind of channel.
type sender func(ctx context.Context, p *post) Answer

// senders by the type of channel.
var senders = map[string]sender{
	"slack": sendSlack, "teams": sendTeams, "discord": sendDiscord, "googlechat": sendGoogleChat, "mattermost": sendMattermost,
	"rocketchat": sendRocketChat, "telegram": sendTelegram, "pagerduty": sendPagerDuty, "opsgenie": sendOpsgenie,
	"email": sendEmail, "webhook": sendWebhook,
}

// post is one try of one message.
type post struct {
	networks Networks
	roots    *x509.CertPool // whom to trust for TLS; nil: the system's
	client   *http.Client
	channel  *Channel // secrets in the clear
	message  *Message
	now      time.Time
	reply    string // what the channel called the incident's first message, where it said so
	begins   string // id of the incident's first message to this channel: the head of an email's thread
}

// Answer is what came of a try, as the delivery log and the test show it.
type Answer struct {
	OK   bool   `json:"ok"`
	Code int    `json:"code"` // HTTP or SMTP status; 0: there was no answer
	Text string `json:"text"` // what the receiver said, shortened and without the channel's secrets

	retry bool          // trying again may help
	after time.Duration // when the receiver asked to be left alone for that long
	ref   string        // how the receiver calls the message
}

// describe is the answer in one line, for the log of deliveries.
func (a Answer) describe() string {
	if a.Code == 0 {
		return a.Text
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.Code, a.Text))
}

// Bounds of an answer: what is read of it in bytes, and what is kept of it in characters.
const (
	answerRead = 64 << 10
	answerKept = 500
)

func (p *post) get(field string) string { return p.channel.get(field) }

// json posts a value as JSON.
func (p *post) json(ctx context.Context, address string, v any, head ...string) Answer {
	b, err := marshal(v)
	if err != nil {
		return Answer{Text: "write the message: " + err.Error()}
	}
	return p.do(ctx, address, "application/json", b, head...)
}

// marshal writes JSON without escaping <, > and &, which are meant for pages.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// do posts a body and reads the answer.
func (p *post) do(ctx context.Context, address, contentType string, body []byte, head ...string) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Answer{Text: "the channel's address is not usable"}
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", "Tidemark")
	for i := 0; i+1 < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	res, err := p.client.Do(req)
	if err != nil {
		return p.unreachable(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(res.Body, answerRead))
	a := Answer{OK: res.StatusCode/100 == 2, Code: res.StatusCode, Text: p.clean(string(text))}
	switch {
	case a.OK:
	case res.StatusCode/100 == 3:
		where := "elsewhere"
		if u, err := url.Parse(res.Header.Get("Location")); err == nil && u.Host != "" {
			where = u.Scheme + "://" + u.Host
		}
		a.Text = "the receiver redirects to " + p.clean(where) + ", which is not followed: enter the final address"
	default:
		a.retry = retryable(res.StatusCode)
		a.after = retryAfter(res.Header.Get("Retry-After"), p.now)
	}
	return a
}

func retryable(status int) bool {
	return status >= 500 && status != http.StatusNotImplemented || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status == http.StatusTooEarly
}

// retryAfter reads the header: seconds (Discord gives fractions) or a date.
func retryAfter(v string, now time.Time) time.Duration {
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 {
		return time.Duration(min(s, 3600) * float64(time.Second))
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return min(t.Sub(now), time.Hour)
	}
	return 0
}

// unreachable explains a failed connection. The error's text is not repeated whole: it holds the address, and for
// most channels the address is the secret.
func (p *post) unreachable(err error) Answer {
	if d, ok := denied(err); ok {
		return Answer{Text: d.Error()}
	}
	a := Answer{retry: true}
	var dns *net.DNSError
	var op *net.OpError
	var timeout interface{ Timeout() bool }
	var urlErr *url.Error
	switch {
	case errors.As(err, &dns):
		a.Text = fmt.Sprintf("the name %s cannot be resolved", dns.Name)
	case errors.As(err, &timeout) && timeout.Timeout():
		a.Text = "the receiver did not answer in time"
	case errors.As(err, &op):
		a.Text = fmt.Sprintf("%s failed: %v", op.Op, op.Err)
	case errors.As(err, &urlErr):
		a.Text = urlErr.Err.Error()
	default:
		a.Text = err.Error()
	}
	a.Text = p.clean(a.Text)
	return a
}

// clean shortens what a receiver said to one line and takes the channel's secrets out of it.
func (p *post) clean(text string) string {
	for _, s := range p.channel.secrets() {
		text = strings.ReplaceAll(text, s, "•••")
		text = strings.ReplaceAll(text, url.QueryEscape(s), "•••")
	}
	return shorten(strings.Join(strings.Fields(text), " "), answerKept)
}

// form is a multipart body: fields, then the chart as a file.
func form(fields [][2]string, fileField string, png []byte) (contentType string, body []byte, err error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q`, f[0])}}
		if strings.HasSuffix(f[0], "_json") {
			h.Set("Content-Type", "application/json")
		}
		part, err := w.CreatePart(h)
		if err != nil {
			return "", nil, err
		}
		if _, err := io.WriteString(part, f[1]); err != nil {
			return "", nil, err
		}
	}
	h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename="chart.png"`, fileField)}, "Content-Type": {"image/png"}}
	part, err := w.CreatePart(h)
	if err != nil {
		return "", nil, err
	}
	if _, err := part.Write(png); err != nil {
		return "", nil, err
	}
	return w.FormDataContentType(), b.Bytes(), w.Close()
}

// joinPath appends a path to a base address.
func joinPath(base, path string) string { return strings.TrimRight(base, "/") + path }
