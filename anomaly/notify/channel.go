package notify

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Channel is one place that messages go to.
type Channel struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	Type      string            `json:"type"` // slack, teams, …: the id of a Kind
	Enabled   bool              `json:"enabled"`
	Fields    map[string]string `json:"fields"` // by the kind's fields; secrets are shown shortened and never in full
	CreatedAt time.Time         `json:"created_at"`
	UpdatedAt time.Time         `json:"updated_at"`
	Problem   string            `json:"problem,omitempty"` // why it cannot be used: its secrets cannot be read
}

// Kind describes a type of channel and what a person has to enter for one.
type Kind struct {
	Type   string  `json:"type"`
	Label  string  `json:"label"`
	Image  bool    `json:"image"` // it can show the chart
	Fields []Field `json:"fields"`

	// alone: every message stands for itself, several are never put into one
	alone bool
}

// Field is one thing to enter.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Help     string   `json:"help"`
	Secret   bool     `json:"secret"`
	Required bool     `json:"required"`
	Default  string   `json:"default"`
	Options  []string `json:"options"` // the only values possible; empty: any

	url bool // an http or https address
}

// InputError says which part of what a person entered is not usable.
type InputError struct{ Field, Reason string }

func (e *InputError) Error() string { return e.Field + " " + e.Reason }

// NotFoundError says that there is no such channel, silence or chart.
type NotFoundError struct{ What string }

func (e *NotFoundError) Error() string { return "there is no " + e.What }

var hook = Field{Name: "url", Label: "Webhook URL", Secret: true, Required: true, url: true}

func hookOf(help string) Field { f := hook; f.Help = help; return f }

// Kinds are the types of channels.
func Kinds() []Kind {
	all := []Kind{
		{Type: "slack", Label: "Slack", Image: true, Fields: []Field{
			hookOf("https://hooks.slack.com/services/… of an app's incoming webhook")}},
		{Type: "teams", Label: "Microsoft Teams", Image: true, Fields: []Field{
			hookOf("of the workflow “Post to a channel when a webhook request is received”")}},
		{Type: "discord", Label: "Discord", Image: true, Fields: []Field{
			hookOf("https://discord.com/api/webhooks/…")}},
		{Type: "googlechat", Label: "Google Chat", Image: true, Fields: []Field{
			hookOf("https://chat.googleapis.com/v1/spaces/…/messages?key=…&token=…")}},
		{Type: "mattermost", Label: "Mattermost", Image: true, Fields: []Field{
			hookOf("https://mattermost.example.com/hooks/…"),
			{Name: "channel", Label: "Channel", Help: "another channel than the webhook's own, where that is allowed"}}},
		{Type: "rocketchat", Label: "Rocket.Chat", Image: true, Fields: []Field{
			hookOf("https://chat.example.com/hooks/…/…"),
			{Name: "channel", Label: "Channel", Help: "#room or @user, other than the integration's own"}}},
		{Type: "telegram", Label: "Telegram", Image: true, Fields: []Field{
			{Name: "token", Label: "Bot token", Help: "from @BotFather, 123456:ABC…", Secret: true, Required: true},
			{Name: "chat_id", Label: "Chat", Help: "id of the chat (-100…) or @name of the channel", Required: true},
			{Name: "thread_id", Label: "Topic", Help: "number of the topic in a group with topics"},
			{Name: "url", Label: "API address", Default: "https://api.telegram.org", Help: "of a Bot API server of your own", url: true}}},
		{Type: "pagerduty", Label: "PagerDuty", Image: true, alone: true, Fields: []Field{
			{Name: "routing_key", Label: "Integration key", Help: "32 characters, of an Events API v2 integration", Secret: true, Required: true},
			{Name: "url", Label: "Events API", Default: "https://events.pagerduty.com", Help: "https://events.eu.pagerduty.com for accounts in the EU", url: true}}},
		{Type: "opsgenie", Label: "Opsgenie", alone: true, Fields: []Field{
			{Name: "api_key", Label: "API key", Help: "of an API integration", Secret: true, Required: true},
			{Name: "team", Label: "Team", Help: "name of the team responsible"},
			{Name: "url", Label: "API address", Default: "https://api.opsgenie.com", Help: "https://api.eu.opsgenie.com for accounts in the EU", url: true}}},
		{Type: "email", Label: "Email", Image: true, Fields: []Field{
			{Name: "host", Label: "SMTP server", Required: true},
			{Name: "port", Label: "Port", Default: "587"},
			{Name: "tls", Label: "Encryption", Default: "starttls", Options: []string{"starttls", "implicit", "none"}, Help: "implicit is usual on port 465"},
			{Name: "username", Label: "User name"},
			{Name: "password", Label: "Password", Secret: true},
			{Name: "from", Label: "From", Required: true, Help: "Tidemark <tidemark@example.com>"},
			{Name: "to", Label: "To", Required: true, Help: "addresses separated by commas"}}},
		{Type: "webhook", Label: "Webhook", Image: true, alone: true, Fields: []Field{
			hookOf("receives a signed POST with JSON"),
			{Name: "secret", Label: "Signing secret", Secret: true, Help: "signs timestamp and body with HMAC-SHA256"},
			{Name: "authorization", Label: "Authorization header", Secret: true, Help: "for instance Bearer …"},
			{Name: "template", Label: "Body template", Help: "Go template over the documented JSON; empty sends that JSON"},
			{Name: "content_type", Label: "Content type", Default: "application/json"}}},
	}
	for i := range all {
		for j := range all[i].Fields {
			if all[i].Fields[j].Options == nil {
				all[i].Fields[j].Options = []string{}
			}
		}
	}
	return all
}

// kinds by type, made once.
var kinds = func() map[string]*Kind {
	m := map[string]*Kind{}
	for _, k := range Kinds() {
		m[k.Type] = &k
	}
	return m
}()

// get is a field's value, or its default.
func (c *Channel) get(name string) string {
	if v := c.Fields[name]; v != "" {
		return v
	}
	for _, f := range kinds[c.Type].Fields {
		if f.Name == name {
			return f.Default
		}
	}
	return ""
}

// maxField is how many bytes one entered field may have.
const maxField = 16 << 10

// validate checks a channel with its secrets in the clear.
func (c *Channel) validate() error {
	k := kinds[c.Type]
	if k == nil {
		return &InputError{"type", fmt.Sprintf("%q is none of %s", c.Type, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))}
	}
	if c.Name = strings.TrimSpace(c.Name); c.Name == "" || len(c.Name) > 200 {
		return &InputError{"name", "must have 1 to 200 characters"}
	}
	for name := range c.Fields {
		if !slices.ContainsFunc(k.Fields, func(f Field) bool { return f.Name == name }) {
			return &InputError{"fields." + name, "is not a field of " + k.Label}
		}
	}
	for _, f := range k.Fields {
		if err := f.check(c.Fields[f.Name]); err != nil {
			return err
		}
	}
	switch c.Type {
	case "webhook":
		return checkTemplate(c.Fields["template"])
	case "email":
		return checkEmail(c)
	}
	return nil
}

func (f Field) check(v string) error {
	at := "fields." + f.Name
	switch {
	case v == "" && f.Required:
		return &InputError{at, "is missing"}
	case v == "":
		return nil
	case len(v) > maxField:
		return &InputError{at, fmt.Sprintf("has more than %d bytes", maxField)}
	case len(f.Options) > 0 && !slices.Contains(f.Options, v):
		return &InputError{at, "must be one of " + strings.Join(f.Options, ", ")}
	case f.Name != "template" && strings.ContainsAny(v, "\r\n\x00"):
		return &InputError{at, "must be one line"}
	}
	if f.url {
		u, err := url.Parse(v)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
			return &InputError{at, "must be an address that begins with https:// or http://, without user and password"}
		}
	}
	return nil
}

// redacted is the channel as it may be shown.
func (c Channel) redacted() Channel {
	fields := map[string]string{}
	for _, f := range kinds[c.Type].Fields {
		if v := c.Fields[f.Name]; v != "" && f.Secret {
			fields[f.Name] = redact(v, f.url)
		} else if v != "" {
			fields[f.Name] = v
		}
	}
	c.Fields = fields
	return c
}

// redact shows enough of a secret to tell it from another one: the host of an address, and the last four characters
// of what is long enough to keep its secret without them.
func redact(v string, address bool) string {
	tail := ""
	if len(v) >= 20 {
		tail = v[len(v)-4:]
	}
	if u, err := url.Parse(v); address && err == nil && u.Host != "" {
		return u.Scheme + "://" + u.Host + "/…" + tail
	}
	return "…" + tail
}

// secrets lists the channel's secret values, for removing them from what receivers answer.
func (c *Channel) secrets() []string {
	var out []string
	for _, f := range kinds[c.Type].Fields {
		if v := c.Fields[f.Name]; f.Secret && len(v) >= 4 {
			out = append(out, v)
			if u, err := url.Parse(v); f.url && err == nil && len(u.RequestURI()) > 8 {
				out = append(out, u.RequestURI(), u.EscapedPath())
			}
		}
	}
	return slices.DeleteFunc(out, func(s string) bool { return len(s) < 4 })
}

// merge takes over the stored secrets where the new version of a channel leaves them empty or as they were shown. They
// do not follow to another host: whoever may change a channel but not read its secrets could have them sent there.
func (c *Channel) merge(old Channel) error {
	shown := old.redacted()
	fields := map[string]string{}
	maps.Copy(fields, c.Fields)
	c.Fields = fields
	if v := fields["url"]; v == "" || v == shown.Fields["url"] {
		fields["url"] = old.Fields["url"]
	}
	if fields["url"] == "" {
		delete(fields, "url")
	}
	moved := c.host() != old.host()
	for _, f := range kinds[old.Type].Fields {
		v := fields[f.Name]
		if !f.Secret || f.Name == "url" || old.Fields[f.Name] == "" || v != "" && v != shown.Fields[f.Name] {
			continue
		}
		if moved {
			return &InputError{"fields." + f.Name, "must be entered again, for the channel goes to another host"}
		}
		fields[f.Name] = old.Fields[f.Name]
	}
	return nil
}

// host is where the channel's secrets go.
func (c *Channel) host() string {
	if c.Type == "email" {
		return c.get("host")
	}
	u, err := url.Parse(c.get("url"))
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
