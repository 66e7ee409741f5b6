package promrules

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/prom"
)

// Faults are told at the line where they are, as an editor shows them.
func TestFaultsAreToldAtTheirLine(t *testing.T) {
	e := checker(t)
	for _, c := range []struct {
		text string
		want []Problem
	}{
		{"groups:\n- name: g\n  rules:\n  - record: r\n    expr: sum by (\n", []Problem{{5, 19, "error", "r: unclosed left parenthesis"}}},
		{"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      up\n        == rate(x)\n", []Problem{{7, 17, "error", `A: expected type range vector in call to function "rate", got instant vector`}}},
		{"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: 'up == '\n", []Problem{{5, 18, "error", "A: unexpected end of input"}}},
		{"groups:\n- name: g\n  rules:\n  - alert: A\n", []Problem{{4, 0, "error", "A: field 'expr' must be set in rule"}}},
		{"groups:\n- name: g\n  rules:\n  - expr: up\n", []Problem{{4, 0, "error", "one of 'record' or 'alert' must be set"}}},
		{"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    annotations:\n      ok: yes\n      summary: '{{ $value '\n", []Problem{{8, 0, "error", `unclosed action`}}},
		{"groups:\n- name: g\n  intervall: 1m\n  rules: []\n", []Problem{{3, 0, "error", "there is no field intervall in a group"}}},
		{"groups:\n- name: g\n  rules:\n  - {alert: A, expr: up, fro: 5m}\n", []Problem{{4, 0, "error", "there is no field fro in a rule"}}},
		{"rules: []\n", []Problem{{1, 0, "error", "there is no field rules in the file, beside groups"}}},
		{"groups:\n- name: g\n- name: g\n", []Problem{{3, 0, "error", `there is a group named "g" already in this file`}}},
		{"groups:\n- rules: []\n", []Problem{{2, 0, "error", "a group needs a name"}}},
		{"groups:\n- name: g\n  rules: [\n  - {record: r}\n", []Problem{{3, 0, "error", "did not find expected node content"}}},
		{"groups:\n- name: g\n  rules:\n  - {record: r, expr: up}\n  - {record: r, expr: vector(1)}\n", []Problem{{5, 0, "warning", "r is there twice"}}},
		{"groups:\n- name: g\n  interval: soon\n  rules: []\n", []Problem{{0, 0, "error", `not a valid duration string: "soon"`}}},
		{"", nil},
	} {
		got := e.Check(c.text).Problems
		for i := range got {
			if i < len(c.want) && strings.Contains(got[i].Text, c.want[i].Text) {
				got[i].Text = c.want[i].Text
			}
		}
		if diff := cmp.Diff(append([]Problem{}, c.want...), got); diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", c.text, diff)
		}
	}
	c := e.Check(rulesYAML)
	if c.Groups != 1 || c.Recording != 1 || c.Alerting != 1 || len(c.Problems) != 0 {
		t.Errorf("good rules: %+v", c)
	}
}

func TestWhatCannotBeReadIsNotStored(t *testing.T) {
	b := open(t, "groups: []")
	var input *query.InputError
	if _, err := b.rules.SetFile(t.Context(), "a.yml", "groups:\n- name: g\n  rules:\n  - {record: r, expr: 'sum('}\n"); !errors.As(err, &input) || !strings.HasPrefix(input.Reason, "line 4: r: ") {
		t.Errorf("%v", err)
	}
	if slices.ContainsFunc(b.rules.Files(), func(f File) bool { return f.Source == "api" }) {
		t.Errorf("%+v", b.rules.Files())
	}
}

// checker is an engine that has nothing but the language.
func checker(t *testing.T) *Engine {
	t.Helper()
	engine, err := prom.New(query.New(nil, query.Options{}), prom.Options{DSN: "clickhouse://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	return &Engine{o: Options{Prom: engine}}
}
