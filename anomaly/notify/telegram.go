package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"unicode/utf16"
)

// telegramCaption and telegramText bound a photo's caption and a message, in UTF-16 units after formatting.
const (
	telegramCaption = 1024
	telegramText    = 4096
)

// sendTelegram sends the chart as a photo with the message as its caption, or a plain message without a chart. What
// comes later of an incident is a reply to its first message.
// https://core.telegram.org/bots/api#sendphoto
func sendTelegram(ctx context.Context, p *post) Answer {
	m := p.message
	method, limit, field := "/sendMessage", telegramText, "text"
	if len(m.chart) > 0 {
		method, limit, field = "/sendPhoto", telegramCaption, "caption"
	}
	fields := [][2]string{{"chat_id", p.get("chat_id")}, {"parse_mode", "HTML"}, {field, telegramMessage(m, limit)}}
	if t := p.get("thread_id"); t != "" {
		fields = append(fields, [2]string{"message_thread_id", t})
	}
	if p.reply != "" {
		fields = append(fields, [2]string{"reply_parameters", `{"message_id":` + p.reply + `,"allow_sending_without_reply":true}`})
	}
	address := joinPath(p.get("url"), "/bot"+p.get("token")+method)
	var a Answer
	if len(m.chart) > 0 {
		contentType, body, err := form(fields, "photo", m.chart)
		if err != nil {
			return Answer{Text: "write the message: " + err.Error()}
		}
		a = p.do(ctx, address, contentType, body)
	} else {
		v := object{"link_preview_options": object{"is_disabled": true}}
		for _, f := range fields {
			if f[0] == "reply_parameters" {
				v[f[0]] = json.RawMessage(f[1])
				continue
			}
			v[f[0]] = f[1]
		}
		a = p.json(ctx, address, v)
	}
	return telegramAnswer(a)
}

// telegramAnswer takes the message's number, and the pause that is asked for, from the answer.
func telegramAnswer(a Answer) Answer {
	var said struct {
		Result struct {
			ID int64 `json:"message_id"`
		} `json:"result"`
	}
	// The number comes first in the answer, which may be cut off before it is valid JSON.
	if i := strings.Index(a.Text, `"message_id":`); a.OK && json.Unmarshal([]byte(a.Text), &said) != nil && i > 0 {
		_, _ = fmt.Sscanf(a.Text[i:], `"message_id":%d`, &said.Result.ID)
	}
	if said.Result.ID > 0 {
		a.ref = fmt.Sprint(said.Result.ID)
	}
	return a
}

// telegramMessage writes HTML of at most limit UTF-16 units, leaving out whole lines.
func telegramMessage(m *Message, limit int) string {
	must := fmt.Sprintf("%s <b>%s</b>", m.icon(), html.EscapeString(m.Headline()))
	links := []string{}
	for _, l := range m.links() {
		links = append(links, fmt.Sprintf(`<a href="%s">%s</a>`, html.EscapeString(l.Text), l.Label))
	}
	end := strings.Join(links, " · ")
	lines := []string{}
	if m.Summary != "" && m.Summary != m.Title {
		lines = append(lines, html.EscapeString(m.Summary))
	}
	for _, f := range m.Facts() {
		lines = append(lines, fmt.Sprintf("<b>%s</b> %s", f.Label, html.EscapeString(f.Text)))
	}
	for _, o := range m.Others {
		lines = append(lines, fmt.Sprintf(`Also: <a href="%s">%s</a>`, html.EscapeString(o.URL), html.EscapeString(o.headline())))
	}
	text := must
	for _, l := range lines {
		if units(text)+units(l)+units(end)+2 > limit {
			break
		}
		text += "\n" + l
	}
	if end != "" {
		text += "\n" + end
	}
	return text
}

func units(s string) int { return len(utf16.Encode([]rune(s))) }
