package notify

import (
	"context"
	"net/url"
)

// sendOpsgenie creates an alert, adds a note to it when it is told again, and closes it; the alias is our incident.
// https://docs.opsgenie.com/docs/alert-api
func sendOpsgenie(ctx context.Context, p *post) Answer {
	m := p.message
	address := joinPath(p.get("url"), "/v2/alerts")
	head := []string{"Authorization", "GenieKey " + p.get("api_key")}
	alias := url.PathEscape(dedup(m))
	switch m.State {
	case StateResolved:
		return p.json(ctx, address+"/"+alias+"/close?identifierType=alias", object{"source": "Tidemark", "note": shorten(m.Headline(), 25000)}, head...)
	case StateUpdated:
		if a := p.json(ctx, address+"/"+alias+"/notes?identifierType=alias", object{"source": "Tidemark", "note": shorten(m.Text(), 25000)}, head...); !a.OK {
			return a
		}
	}
	return p.json(ctx, address, opsgenieAlert(m, p.get("team")), head...)
}

func opsgenieAlert(m *Message, team string) object {
	details := object{"severity": string(m.Severity)}
	for _, l := range m.links() {
		details[l.Label] = l.Text
	}
	v := object{"message": shorten(m.Headline(), 130), "alias": dedup(m), "description": shorten(m.Text(), 15000), "source": "Tidemark",
		"priority": priority(m.Severity), "tags": tags(m), "details": details}
	if len(m.Services) > 0 {
		v["entity"] = shorten(m.Services[0], 512)
	}
	if team != "" {
		v["responders"] = []object{{"type": "team", "name": team}}
	}
	return v
}

// tags are the services, as many and as long as Opsgenie takes.
func tags(m *Message) []string {
	out := []string{"tidemark"}
	for _, s := range m.Services {
		if len(out) < maxServices {
			out = append(out, shorten(s, 50))
		}
	}
	return out
}
