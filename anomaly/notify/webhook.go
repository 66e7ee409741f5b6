package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// sendWebhook posts the message as JSON, or what the channel's template makes of it. The signature covers the time,
// so that an old message cannot be sent again by somebody who saw it.
func sendWebhook(ctx context.Context, p *post) Answer {
	body, err := webhookBody(p.message, p.get("template"))
	if err != nil {
		return Answer{Text: "the template failed: " + p.clean(err.Error())}
	}
	if p.get("content_type") == "application/json" && !json.Valid(body) {
		return Answer{Text: "the template made no valid JSON: write values as {{json .title}}"}
	}
	head := []string{"X-Tidemark-Delivery", p.message.ID, "X-Tidemark-State", string(p.message.State)}
	if secret := p.get("secret"); secret != "" {
		at := strconv.FormatInt(p.now.Unix(), 10)
		head = append(head, "X-Tidemark-Timestamp", at, "X-Tidemark-Signature", Sign(secret, p.now, body))
	}
	if a := p.get("authorization"); a != "" {
		head = append(head, "Authorization", a)
	}
	return p.do(ctx, p.get("url"), p.get("content_type"), body, head...)
}

// Sign is the signature of a webhook's body sent at a time: "sha256=" and, in hexadecimal, the HMAC-SHA256 of the
// time in Unix seconds, a dot and the body.
func Sign(secret string, at time.Time, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(h, "%d.", at.Unix())
	h.Write(body)
	return "sha256=" + hex.EncodeToString(h.Sum(nil))
}

func webhookBody(m *Message, text string) ([]byte, error) {
	b, err := marshal(m)
	if err != nil || text == "" {
		return b, err
	}
	t, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	var data map[string]any
	if err := json.Unmarshal(b, &data); err != nil {
		return nil, err
	}
	var out bounded
	if err := t.Execute(&out, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Bounds of a template: bytes it may write, and how deep its loops may lie in one another. With them, and with loops
// over lists of the message only and no templates that call templates, every template ends soon.
const (
	maxBody  = 256 << 10
	maxLoops = 3
)

var errLong = errors.New("it writes more than 256 KiB")

// bounded is a buffer that refuses more than maxBody bytes.
type bounded struct{ bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxBody {
		return 0, errLong
	}
	return b.Buffer.Write(p)
}

var templateFuncs = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := marshal(v)
		return string(b), err
	},
	"join":  join,
	"upper": strings.ToUpper,
	"lower": strings.ToLower,
}

// join writes a list with a separator.
func join(sep string, list []any) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, sep)
}

func parseTemplate(text string) (*template.Template, error) {
	t, err := template.New("body").Funcs(templateFuncs).Option("missingkey=zero").Parse(text)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	if len(t.Templates()) > 1 {
		return nil, errors.New("define and block are not available")
	}
	if t.Tree == nil {
		return t, nil
	}
	return t, checkNodes(t.Root, 0)
}

// checkNodes refuses what could run for long.
func checkNodes(n parse.Node, loops int) error {
	var lists []*parse.ListNode
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := checkNodes(child, loops); err != nil {
				return err
			}
		}
	case *parse.TemplateNode:
		return errors.New("template is not available")
	case *parse.RangeNode:
		if loops++; loops > maxLoops {
			return fmt.Errorf("more than %d loops in one another", maxLoops)
		}
		if !fieldOnly(n.Pipe) {
			return errors.New("range takes a list of the message, such as .symptoms")
		}
		lists = []*parse.ListNode{n.List, n.ElseList}
	case *parse.IfNode:
		lists = []*parse.ListNode{n.List, n.ElseList}
	case *parse.WithNode:
		lists = []*parse.ListNode{n.List, n.ElseList}
	}
	for _, l := range lists {
		if err := checkNodes(l, loops); err != nil {
			return err
		}
	}
	return nil
}

// fieldOnly reports whether a loop goes over a field, never over a number.
func fieldOnly(p *parse.PipeNode) bool {
	if len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return false
	}
	switch arg := p.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		return true
	case *parse.VariableNode:
		return len(arg.Ident) > 1
	}
	return false
}

// checkTemplate tries a template on an example.
func checkTemplate(text string) error {
	m := example(time.Now())
	if _, err := webhookBody(&m, text); err != nil {
		return &InputError{"fields.template", "is not usable: " + shorten(err.Error(), 300)}
	}
	return nil
}
