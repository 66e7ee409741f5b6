package notify

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// sendDiscord posts an embed to a webhook, the chart beside it as a file.
// https://discord.com/developers/docs/resources/webhook#execute-webhook
func sendDiscord(ctx context.Context, p *post) Answer {
	address := withQuery(p.get("url"), "wait", "true") // answers with the message instead of nothing
	m := p.message
	v := discordMessage(m)
	if len(m.chart) == 0 {
		return p.json(ctx, address, v)
	}
	b, err := marshal(v)
	if err != nil {
		return Answer{Text: "write the message: " + err.Error()}
	}
	contentType, body, err := form([][2]string{{"payload_json", string(b)}}, "files[0]", m.chart)
	if err != nil {
		return Answer{Text: "write the message: " + err.Error()}
	}
	return p.do(ctx, address, contentType, body)
}

func discordMessage(m *Message) object {
	color, _ := strconv.ParseInt(m.color()[1:], 16, 32) // a constant of ours
	fields := []object{}
	for _, f := range m.Facts() {
		fields = append(fields, object{"name": f.Label, "value": shorten(markdown(f.Text), 1024)})
	}
	links := []string{}
	for _, l := range m.links() {
		links = append(links, "["+l.Label+"]("+l.Text+")")
	}
	for _, o := range m.Others {
		links = append(links, "Also: ["+markdown(o.headline())+"]("+o.URL+")")
	}
	if len(links) > 0 {
		fields = append(fields, object{"name": "Links", "value": shorten(strings.Join(links, "\n"), 1024)})
	}
	embed := object{"title": shorten(m.icon()+" "+m.Headline(), 256), "color": color, "fields": fields, "timestamp": m.At.UTC().Format(time.RFC3339)}
	if m.Summary != "" && m.Summary != m.Title {
		embed["description"] = shorten(markdown(m.Summary), 2000)
	}
	if m.URL != "" {
		embed["url"] = m.URL
	}
	v := object{"username": "Tidemark", "embeds": []object{embed}, "allowed_mentions": object{"parse": []string{}}}
	if len(m.chart) > 0 {
		embed["image"] = object{"url": "attachment://chart.png"}
		v["attachments"] = []object{{"id": 0, "filename": "chart.png", "description": shorten(m.chartText(), 1024)}}
	}
	return v
}

// withQuery sets a parameter of an address.
func withQuery(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}
