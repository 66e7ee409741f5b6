package notify

import (
	"context"
	"fmt"
	"html"
	"strings"
)

// sendGoogleChat posts a card to a space's webhook; all messages of an incident go to one thread.
// https://developers.google.com/workspace/chat/quickstart/webhooks
func sendGoogleChat(ctx context.Context, p *post) Answer {
	return p.json(ctx, withQuery(p.get("url"), "messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD"), googleChatMessage(p.message))
}

func googleChatMessage(m *Message) object {
	widgets := []object{}
	if m.Summary != "" && m.Summary != m.Title {
		widgets = append(widgets, object{"textParagraph": object{"text": html.EscapeString(m.Summary)}})
	}
	for _, f := range m.Facts() {
		text := strings.ReplaceAll(html.EscapeString(f.Text), "\n", "<br>")
		widgets = append(widgets, object{"decoratedText": object{"topLabel": f.Label, "text": text, "wrapText": true}})
	}
	for _, o := range m.Others {
		widgets = append(widgets, object{"textParagraph": object{"text": fmt.Sprintf(`Also: <a href="%s">%s</a>`, html.EscapeString(o.URL), html.EscapeString(o.headline()))}})
	}
	if strings.HasPrefix(m.ChartURL, "https://") { // nothing else is fetched
		widgets = append(widgets, object{"image": object{"imageUrl": m.ChartURL, "altText": m.chartText()}})
	}
	buttons := []object{}
	for _, l := range m.links() {
		buttons = append(buttons, object{"text": l.Label, "onClick": object{"openLink": object{"url": l.Text}}})
	}
	if len(buttons) > 0 {
		widgets = append(widgets, object{"buttonList": object{"buttons": buttons}})
	}
	headline := m.icon() + " " + m.Headline()
	card := object{"header": object{"title": shorten(headline, 200), "subtitle": subtitle(m)}, "sections": []object{{"widgets": widgets}}}
	v := object{"fallbackText": headline, "cardsV2": []object{{"cardId": "incident", "card": card}}}
	if m.IncidentID != "" {
		v["thread"] = object{"threadKey": m.IncidentID}
	}
	return v
}

func subtitle(m *Message) string {
	return strings.Trim(string(m.Severity)+" · "+shorten(strings.Join(m.Services, ", "), 150), " ·")
}
