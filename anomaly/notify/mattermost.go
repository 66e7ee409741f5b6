package notify

import (
	"context"
	"strings"
)

// sendMattermost posts an attachment to an incoming webhook.
// https://developers.mattermost.com/integrate/reference/message-attachments/
func sendMattermost(ctx context.Context, p *post) Answer {
	return p.json(ctx, p.get("url"), mattermostMessage(p.message, p.get("channel")))
}

func mattermostMessage(m *Message, channel string) object {
	fields := []object{}
	for _, f := range m.Facts() {
		fields = append(fields, object{"short": false, "title": f.Label, "value": markdown(f.Text)})
	}
	headline := m.icon() + " " + m.Headline()
	a := object{"fallback": headline, "color": m.color(), "title": headline, "title_link": m.URL, "text": attachmentText(m), "fields": fields}
	if m.ChartURL != "" {
		a["image_url"] = m.ChartURL
	}
	v := object{"username": "Tidemark", "attachments": []object{a}}
	if channel != "" {
		v["channel"] = channel
	}
	return v
}

// attachmentText is the summary, the links and what else is told, in Markdown.
func attachmentText(m *Message) string {
	lines := []string{}
	if m.Summary != "" && m.Summary != m.Title {
		lines = append(lines, markdown(m.Summary))
	}
	links := []string{}
	for _, l := range m.links() {
		links = append(links, "["+l.Label+"]("+l.Text+")")
	}
	if len(links) > 0 {
		lines = append(lines, strings.Join(links, " · "))
	}
	for _, o := range m.Others {
		lines = append(lines, "Also: ["+markdown(o.headline())+"]("+o.URL+")")
	}
	return strings.Join(lines, "\n")
}
