package notify

import (
	"context"
	"time"
)

// sendRocketChat posts an attachment to an incoming integration.
// https://docs.rocket.chat/docs/integrations
func sendRocketChat(ctx context.Context, p *post) Answer {
	return p.json(ctx, p.get("url"), rocketChatMessage(p.message, p.get("channel")))
}

func rocketChatMessage(m *Message, channel string) object {
	fields := []object{}
	for _, f := range m.Facts() {
		fields = append(fields, object{"short": false, "title": f.Label, "value": markdown(f.Text)})
	}
	a := object{"color": m.color(), "text": attachmentText(m), "fields": fields, "ts": m.At.UTC().Format(time.RFC3339)}
	if m.ChartURL != "" {
		a["image_url"] = m.ChartURL
	}
	headline := markdown(m.Headline())
	if m.URL != "" {
		headline = "[" + headline + "](" + m.URL + ")"
	}
	v := object{"alias": "Tidemark", "text": m.icon() + " " + headline, "attachments": []object{a}}
	if channel != "" {
		v["channel"] = channel
	}
	return v
}
