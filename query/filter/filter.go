// Package filter is the search language of traces and logs: text becomes a tree of plain structs, which the query
// package turns into SQL with bound parameters. Parse is the whole door; it is pure. Terms stand side by side (and),
// OR joins alternatives, a leading - negates, parentheses group:
//
//	service:checkout status:error duration>500ms (region:eu OR region:us) -http.route:"/health" has:db.query.text "timed out"
//
// Every error names the byte offset in the text at which it was found.
package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Node is And, Or, Not, Term or Text.
type Node interface{ node() }

// And is true when all are; an empty And is always true.
type And []Node

// Or is true when one is.
type Or []Node

// Not is true when X is not.
type Not struct{ X Node }

// Term compares a field: Op is one of = != > >= < <= has. In the value of =, an unquoted * stands for any text.
type Term struct {
	Key, Op, Value string
	Wildcard       bool
	Pos            int
}

// Text is a free word or quoted phrase.
type Text struct {
	Value string
	Pos   int
}

func (And) node()  {}
func (Or) node()   {}
func (Not) node()  {}
func (Term) node() {}
func (Text) node() {}

// Error is a text that cannot be understood, and where.
type Error struct {
	Pos    int // byte offset
	Reason string
}

func (e *Error) Error() string { return fmt.Sprintf("at %d: %s", e.Pos, e.Reason) }

// Bounds of what is accepted.
const (
	maxLength = 4096
	maxTerms  = 100
	maxDepth  = 20
)

// Parse reads a search. An empty text is an empty And.
func Parse(text string) (Node, error) {
	if len(text) > maxLength {
		return nil, &Error{maxLength, fmt.Sprintf("the search is longer than %d bytes", maxLength)}
	}
	if !utf8.ValidString(text) {
		return nil, &Error{0, "the search is not valid UTF-8"}
	}
	p := &parser{text: text}
	n, err := p.or(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.pos < len(p.text) {
		return nil, &Error{p.pos, "a ) without its ("}
	}
	return simplify(n), nil
}

type parser struct {
	text  string
	pos   int
	terms int
}

func (p *parser) space() {
	for p.pos < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

// word reports whether the upper-case word w comes next, alone.
func (p *parser) word(w string) bool {
	rest := p.text[p.pos:]
	return strings.HasPrefix(rest, w) && (len(rest) == len(w) || strings.IndexByte(" \t\r\n()", rest[len(w)]) >= 0)
}

func (p *parser) or(depth int) (Node, error) {
	if depth > maxDepth {
		return nil, &Error{p.pos, fmt.Sprintf("parentheses nest deeper than %d", maxDepth)}
	}
	var alternatives Or
	for {
		n, err := p.and(depth)
		if err != nil {
			return nil, err
		}
		alternatives = append(alternatives, n)
		p.space()
		if !p.word("OR") {
			return alternatives, nil
		}
		if a, ok := n.(And); ok && len(a) == 0 {
			return nil, &Error{p.pos, "OR needs a term before it"}
		}
		at := p.pos
		p.pos += 2
		if p.space(); p.pos >= len(p.text) || p.text[p.pos] == ')' || p.word("OR") {
			return nil, &Error{at, "OR needs a term after it"}
		}
	}
}

func (p *parser) and(depth int) (Node, error) {
	all := And{}
	for {
		p.space()
		if p.pos >= len(p.text) || p.text[p.pos] == ')' || p.word("OR") {
			return all, nil
		}
		if p.word("AND") {
			p.pos += 3
			continue
		}
		n, err := p.unary(depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
}

func (p *parser) unary(depth int) (Node, error) {
	negate := false
	for p.word("NOT") || p.text[p.pos] == '-' && p.pos+1 < len(p.text) && strings.IndexByte(" \t-", p.text[p.pos+1]) < 0 {
		if p.text[p.pos] == '-' {
			p.pos++
		} else {
			p.pos += 3
			p.space()
		}
		negate = !negate
		if p.pos >= len(p.text) {
			return nil, &Error{p.pos, "nothing to negate"}
		}
	}
	var n Node
	var err error
	if p.text[p.pos] == '(' {
		at := p.pos
		p.pos++
		if n, err = p.or(depth + 1); err != nil {
			return nil, err
		}
		if p.space(); p.pos >= len(p.text) {
			return nil, &Error{at, "a ( without its )"}
		}
		p.pos++
	} else if n, err = p.term(); err != nil {
		return nil, err
	}
	if negate {
		return Not{n}, nil
	}
	return n, nil
}

func (p *parser) term() (Node, error) {
	at := p.pos
	if p.terms++; p.terms > maxTerms {
		return nil, &Error{at, fmt.Sprintf("more than %d terms", maxTerms)}
	}
	if p.text[p.pos] == '"' {
		s, err := p.quoted()
		return Text{s, at}, err
	}
	key := p.until(" \t\r\n()\":=<>!")
	op := p.operator()
	if op == "" {
		if key == "" {
			return nil, &Error{at, fmt.Sprintf("%q is not understood here", p.text[at:at+1])}
		}
		return Text{key, at}, nil
	}
	if key == "" {
		return nil, &Error{at, "a field's name is missing before " + op}
	}
	valueAt := p.pos
	t := Term{Key: key, Op: op, Pos: at}
	if p.pos < len(p.text) && p.text[p.pos] == '"' {
		s, err := p.quoted()
		if err != nil {
			return nil, err
		}
		t.Value = s
	} else {
		t.Value = p.until(" \t\r\n()\"")
		t.Wildcard = strings.Contains(t.Value, "*") && (op == "=" || op == "!=")
		if t.Value == "" {
			return nil, &Error{valueAt, fmt.Sprintf("a value is missing after %s", key)}
		}
	}
	if key == "has" && op == "=" {
		t.Key, t.Op, t.Value, t.Wildcard = t.Value, "has", "", false
	}
	if t.Op == "!=" {
		t.Op = "="
		return Not{t}, nil
	}
	return t, nil
}

func (p *parser) until(stops string) string {
	at := p.pos
	for p.pos < len(p.text) && strings.IndexByte(stops, p.text[p.pos]) < 0 {
		p.pos++
	}
	return p.text[at:p.pos]
}

// operator reads : = != > >= < <= or nothing; : means =, and may be followed by a comparison (duration:>1s).
func (p *parser) operator() string {
	rest := p.text[p.pos:]
	skip := 0
	if strings.HasPrefix(rest, ":") {
		rest, skip = rest[1:], 1
	}
	for _, op := range []string{"!=", ">=", "<=", ">", "<", "="} {
		if strings.HasPrefix(rest, op) {
			p.pos += skip + len(op)
			return op
		}
	}
	p.pos += skip
	if skip == 1 {
		return "="
	}
	return ""
}

func (p *parser) quoted() (string, error) {
	at := p.pos
	var b strings.Builder
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch c := p.text[p.pos]; {
		case c == '"':
			p.pos++
			return b.String(), nil
		case c == '\\' && p.pos+1 < len(p.text):
			p.pos++
			b.WriteByte(p.text[p.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", &Error{at, "the quotation is not closed"}
}

// simplify unwraps single alternatives and conjunctions and joins nested ones.
func simplify(n Node) Node {
	switch n := n.(type) {
	case And:
		out := And{}
		for _, x := range n {
			if a, ok := simplify(x).(And); ok {
				out = append(out, a...)
			} else {
				out = append(out, simplify(x))
			}
		}
		if len(out) == 1 {
			return out[0]
		}
		return out
	case Or:
		out := Or{}
		for _, x := range n {
			if o, ok := simplify(x).(Or); ok {
				out = append(out, o...)
			} else {
				out = append(out, simplify(x))
			}
		}
		if len(out) == 1 {
			return out[0]
		}
		return out
	case Not:
		if inner, ok := simplify(n.X).(Not); ok {
			return inner.X
		}
		return Not{simplify(n.X)}
	}
	return n
}

// Walk calls f for every Term and Text of a tree.
func Walk(n Node, f func(Node)) {
	switch n := n.(type) {
	case And:
		for _, x := range n {
			Walk(x, f)
		}
	case Or:
		for _, x := range n {
			Walk(x, f)
		}
	case Not:
		Walk(n.X, f)
	default:
		f(n)
	}
}
