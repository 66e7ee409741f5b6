package promrules

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"
)

// Checked is what is to be said of the text of a file before it is stored.
type Checked struct {
	Groups    int       `json:"groups"`
	Recording int       `json:"recording"` // rules
	Alerting  int       `json:"alerting"`
	Problems  []Problem `json:"problems"` // by line
}

// Problem is one thing that is wrong, or looks so.
type Problem struct {
	Line   int    `json:"line"`   // from 1; 0: the file as a whole
	Column int    `json:"column"` // in characters from 1; 0: the whole line
	Level  string `json:"level"`  // error: the file cannot be in force; warning: it can, and probably means something else
	Text   string `json:"text"`
}

// Check reads the text of a file as Prometheus' parser of rules does, and says where in it each fault is. What
// promtool warns of, rules of one name and equal labels, is a warning.
func (e *Engine) Check(content string) Checked {
	c := Checked{Problems: []Problem{}}
	parsed, errs := rulefmt.Parse([]byte(content), false, model.UTF8Validation, e.o.Prom.Parser(), slog.New(slog.DiscardHandler))
	o := outlineOf(content)
	for _, err := range errs {
		for _, p := range o.problems(err) {
			if !slices.Contains(c.Problems, p) { // the text is decoded twice, and a fault of its syntax told twice
				c.Problems = append(c.Problems, p)
			}
		}
	}
	if parsed != nil {
		c.count(parsed, o)
	}
	slices.SortStableFunc(c.Problems, func(a, b Problem) int { return a.Line - b.Line })
	return c
}

// count counts the rules and finds those that are there twice.
func (c *Checked) count(parsed *rulefmt.RuleGroups, o outline) {
	c.Groups = len(parsed.Groups)
	seen := map[string]bool{}
	for i, g := range parsed.Groups {
		for j, r := range g.Rules {
			name := r.Record
			if name != "" {
				c.Recording++
			} else {
				c.Alerting++
				name = r.Alert
			}
			merged := maps.Clone(g.Labels)
			if merged == nil {
				merged = map[string]string{}
			}
			maps.Copy(merged, r.Labels)
			key := name + labels.FromMap(merged).String()
			if name != "" && seen[key] {
				c.Problems = append(c.Problems, Problem{Line: o.rule(i, j).Line, Level: "warning", Text: fmt.Sprintf("%s is there twice with equal labels: the series would overwrite each other", name)})
			}
			seen[key] = true
		}
	}
}

// fault is what stands in the way of a file, in one line each.
func (c Checked) fault() string {
	var lines []string
	for _, p := range c.Problems {
		if p.Level != "error" {
			continue
		}
		if p.Line > 0 {
			lines = append(lines, fmt.Sprintf("line %d: %s", p.Line, p.Text))
		} else {
			lines = append(lines, p.Text)
		}
	}
	return strings.Join(lines, "\n")
}

// outline is where the groups and rules of a text are; empty where it is no YAML.
type outline struct {
	text   []string // lines
	groups []*yaml.Node
}

func outlineOf(content string) outline {
	o := outline{text: strings.Split(content, "\n")}
	var document struct {
		Groups []yaml.Node `yaml:"groups"`
	}
	if yaml.Unmarshal([]byte(content), &document) == nil {
		for i := range document.Groups {
			o.groups = append(o.groups, &document.Groups[i])
		}
	}
	return o
}

var nowhere = &yaml.Node{}

// field is the value of a key of a mapping.
func field(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return nowhere
}

func (o outline) rule(group, rule int) *yaml.Node {
	if group < len(o.groups) {
		if rules := field(o.groups[group], "rules"); rule < len(rules.Content) {
			return rules.Content[rule]
		}
	}
	return nowhere
}

// group is the last group of a name: of two with one name, the one that is too many.
func (o outline) group(name string) int {
	for i := len(o.groups) - 1; i >= 0; i-- {
		if field(o.groups[i], "name").Value == name {
			return i
		}
	}
	return len(o.groups)
}

var (
	place      = regexp.MustCompile(`^(\d+:\d+: )+`)
	ofYAML     = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
	ofType     = regexp.MustCompile(`field (\S+) not found in type rulefmt\.(Rule|RuleGroup)s?$`)
	ofGroup    = regexp.MustCompile(`^groupname: "(.*)" is repeated`)
	expression = regexp.MustCompile(`^could not parse expression: (\d+):(\d+): (?:parse error: )?`)
	ofLabel    = regexp.MustCompile(`^(?:(label|annotation) "([^"]*)":|invalid (label|annotation) (?:name|value): (.*)$)`)
)

// problems are what one error of the parser comes to, with their places.
func (o outline) problems(err error) []Problem {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		var out []Problem
		for _, text := range typed.Errors {
			out = append(out, ofText(text))
		}
		return out
	}
	var of *rulefmt.Error
	if errors.As(err, &of) {
		return []Problem{o.ofRule(of)}
	}
	text := place.ReplaceAllString(err.Error(), "")
	if m := ofGroup.FindStringSubmatch(text); m != nil {
		p := Problem{Level: "error", Text: fmt.Sprintf("there is a group named %q already in this file", m[1])}
		if i := o.group(m[1]); i < len(o.groups) {
			p.Line = o.groups[i].Line
		}
		return []Problem{p}
	}
	if text == "Groupname must not be empty" {
		p := Problem{Level: "error", Text: "a group needs a name"}
		if i := o.group(""); i < len(o.groups) {
			p.Line = o.groups[i].Line
		}
		return []Problem{p}
	}
	return []Problem{ofText(text)}
}

// ofText is an error of YAML, whose text tells the line.
func ofText(text string) Problem {
	p := Problem{Level: "error", Text: text}
	if m := ofYAML.FindStringSubmatch(text); m != nil {
		p.Line, _ = strconv.Atoi(m[1])
		p.Text = m[2]
	}
	if m := ofType.FindStringSubmatch(p.Text); m != nil {
		where := map[string]string{"Rule": "a rule", "RuleGroup": "a group"}[m[2]]
		if strings.HasSuffix(m[0], "RuleGroups") {
			where = "the file, beside groups"
		}
		p.Text = fmt.Sprintf("there is no field %s in %s", m[1], where)
	}
	return p
}

// ofRule finds the part of a rule that an error is about.
func (o outline) ofRule(err *rulefmt.Error) Problem {
	text := err.Error()
	if inner := errors.Unwrap(&err.Err); inner != nil {
		text = inner.Error()
	}
	node := o.rule(o.group(err.Group), err.Rule-1)
	p := Problem{Line: node.Line, Level: "error", Text: text}
	if err.RuleName != "" {
		p.Text = err.RuleName + ": " + text
	}
	if m := expression.FindStringSubmatch(text); m != nil {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		p.Line, p.Column = o.within(field(node, "expr"), line, column)
		p.Text = err.RuleName + ": " + text[len(m[0]):]
	} else if m := ofLabel.FindStringSubmatch(text); m != nil {
		kind, key := m[1]+m[3], m[2]+m[4]
		if at := keyOf(field(node, kind+"s"), key); at.Line > 0 {
			p.Line = at.Line
		}
	}
	return p
}

// keyOf is a key of a mapping, or the one whose value is meant.
func keyOf(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key || n.Content[i+1].Value == key {
			return n.Content[i]
		}
	}
	return nowhere
}

// within is where a place in a value is in the text. A folded value's lines are not known: its first line is told.
func (o outline) within(n *yaml.Node, line, column int) (int, int) {
	switch {
	case n.Line == 0:
		return 0, 0
	case n.Style&yaml.LiteralStyle != 0:
		at, value := n.Line+line, strings.Split(n.Value, "\n")
		if at > len(o.text) || line > len(value) {
			return n.Line, 0
		}
		return at, len(o.text[at-1]) - len(value[line-1]) + column // the indentation is no part of the value
	case n.Style&yaml.FoldedStyle != 0 || strings.Contains(n.Value, "\n"):
		return n.Line, 0
	case n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0:
		return n.Line, n.Column + column
	}
	return n.Line, n.Column + column - 1
}
