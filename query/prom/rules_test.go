package prom

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// A client that asks for groups by pages sees each of them once, in order, as with Prometheus.
func TestRulesByPages(t *testing.T) {
	e, _ := open(t, Options{})
	e.SetRules(func() []RuleGroup {
		var groups []RuleGroup
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			g := RuleGroup{Name: name, File: "f.yml", Rules: []any{RecordingRule{Name: "r" + name, Type: "recording"}}}
			if name == "c" { // has nothing of the type that is asked for
				g.Rules = []any{AlertingRule{Name: "A", Type: "alerting"}}
			}
			groups = append(groups, g)
		}
		return groups
	})
	token, pages := "", []string{}
	for range 5 {
		q := url.Values{"group_limit": {"2"}, "type": {"record"}}
		if token != "" {
			q.Set("group_next_token", token)
		}
		code, body := get(t, e, "/api/v1/rules?"+q.Encode(), nil)
		var a struct {
			Data struct {
				Groups []struct{ Name string }
				Next   string `json:"groupNextToken"`
			}
		}
		if err := json.Unmarshal([]byte(body), &a); err != nil || code != 200 {
			t.Fatalf("%d %s: %v", code, body, err)
		}
		page := ""
		for _, g := range a.Data.Groups {
			page += g.Name
		}
		pages = append(pages, page)
		if token = a.Data.Next; token == "" {
			break
		}
	}
	if got := strings.Join(pages, " "); got != "ab de" {
		t.Errorf("pages %q", got)
	}
	for query, want := range map[string]string{
		"group_next_token=x":               "group_limit needs to be present in order to paginate over the groups",
		"group_limit=0":                    "group_limit needs to be greater than 0",
		"group_limit=many":                 "group_limit needs to be a valid number",
		"group_limit=1&group_next_token=x": "invalid group_next_token 'x'. were rule groups changed?",
	} {
		if code, body := get(t, e, "/api/v1/rules?"+query, nil); code != 400 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
}
