package notify

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// teamsBytes is what Teams takes of a message: documented as 28 KB, measured by others as less.
const teamsBytes = 21_000

// sendTeams posts an Adaptive Card to a workflow. The chart goes inside the message where it fits, so that nobody has
// to reach this product from outside.
// https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
func sendTeams(ctx context.Context, p *post) Answer {
	m := p.message
	image := ""
	if len(m.chart) > 0 {
		image = "data:image/png;base64," + base64.StdEncoding.EncodeToString(m.chart)
		if b, err := marshal(teamsMessage(m, image)); err != nil || len(b) > teamsBytes {
			image = m.ChartURL
		}
	}
	return p.json(ctx, p.get("url"), teamsMessage(m, image))
}

func teamsMessage(m *Message, image string) object {
	style := map[anomaly.Severity]string{anomaly.SeverityCritical: "attention", anomaly.SeverityWarning: "warning"}[m.Severity]
	if style == "" {
		style = "accent"
	}
	if m.State == StateResolved {
		style = "good"
	}
	body := []object{{"type": "Container", "style": style, "bleed": true, "items": []object{
		{"type": "TextBlock", "text": markdown(m.icon() + " " + m.Headline()), "weight": "bolder", "size": "medium", "wrap": true}}}}
	if m.Summary != "" && m.Summary != m.Title {
		body = append(body, object{"type": "TextBlock", "text": markdown(m.Summary), "wrap": true})
	}
	facts := []object{}
	for _, f := range m.Facts() {
		facts = append(facts, object{"title": f.Label, "value": strings.ReplaceAll(markdown(f.Text), "\n", "\n\n")})
	}
	for _, o := range m.Others {
		facts = append(facts, object{"title": "Also", "value": "[" + markdown(o.headline()) + "](" + o.URL + ")"})
	}
	body = append(body, object{"type": "FactSet", "facts": facts})
	if image != "" {
		body = append(body, object{"type": "Image", "url": image, "altText": m.chartText(), "size": "stretch"})
	}
	actions := []object{}
	for _, l := range m.links() {
		actions = append(actions, object{"type": "Action.OpenUrl", "title": l.Label, "url": l.Text})
	}
	card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
		"fallbackText": m.icon() + " " + m.Headline(), "msteams": object{"width": "Full"}, "body": body, "actions": actions}
	return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": nil, "content": card}}}
}

var markdownEscape = strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`, "`", "\\`", "<", `\<`, "~", `\~`, "|", `\|`, "#", `\#`)

// markdown keeps text from being formatted, and from calling everybody with an @.
func markdown(s string) string { return strings.ReplaceAll(markdownEscape.Replace(s), "@", "@\u200b") }
