package notify

import (
	"context"
	"net/http"
	"strings"
)

// object is a JSON object as a chat's documentation writes it.
type object map[string]any

// slackEscape keeps text from being read as a link, a mention or a command.
var slackEscape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// sendSlack posts Block Kit blocks to an incoming webhook. Slack fetches the chart while it takes the message and
// refuses the whole of it when it cannot, so that such a message goes once more without.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
func sendSlack(ctx context.Context, p *post) Answer {
	a := p.json(ctx, p.get("url"), slackMessage(p.message, p.message.ChartURL))
	if a.Code == http.StatusBadRequest && p.message.ChartURL != "" && strings.Contains(a.Text, "invalid_") {
		return p.json(ctx, p.get("url"), slackMessage(p.message, ""))
	}
	return a
}

func slackMessage(m *Message, chart string) object {
	text := func(kind, s string) object { return object{"type": kind, "text": s} }
	blocks := []object{}
	if m.Summary != "" && m.Summary != m.Title {
		blocks = append(blocks, object{"type": "section", "text": text("mrkdwn", slackText(m.Summary))})
	}
	lines := []string{}
	for _, f := range m.Facts() {
		lines = append(lines, "*"+f.Label+"*  "+slackText(f.Text))
	}
	for _, o := range m.Others {
		lines = append(lines, "*Also*  "+slackLink(o.URL, o.headline()))
	}
	if len(lines) > 0 {
		blocks = append(blocks, object{"type": "section", "text": text("mrkdwn", shorten(strings.Join(lines, "\n"), 3000))})
	}
	if chart != "" {
		blocks = append(blocks, object{"type": "image", "image_url": chart, "alt_text": shorten(m.chartText(), 2000)})
	}
	buttons := []object{}
	for _, b := range m.links() {
		buttons = append(buttons, object{"type": "button", "text": text("plain_text", b.Label), "url": b.Text})
	}
	if len(buttons) > 0 {
		blocks = append(blocks, object{"type": "actions", "elements": buttons})
	}
	// The text is the headline, and what a phone shows of the message; what is in the attachment has a coloured edge.
	headline := slackLink(m.URL, m.Headline())
	if !strings.Contains(headline, "*") {
		headline = "*" + headline + "*"
	}
	return object{"text": m.icon() + " " + headline, "attachments": []object{{"color": m.color(), "fallback": m.Headline(), "blocks": blocks}}}
}

func slackText(s string) string { return slackEscape.Replace(s) }

func slackLink(address, text string) string {
	if address == "" {
		return slackText(text)
	}
	return "<" + address + "|" + strings.ReplaceAll(slackText(text), "|", "/") + ">"
}

// links are the message's buttons: the one page, the example, and where code changed.
func (m *Message) links() []Fact {
	out := []Fact{}
	if m.URL != "" {
		out = append(out, Fact{"Open incident", m.URL})
	}
	if m.TraceURL != "" {
		out = append(out, Fact{"Example trace", m.TraceURL})
	}
	if m.ProfileURL != "" {
		out = append(out, Fact{"Flame graph", m.ProfileURL})
	}
	return out
}
