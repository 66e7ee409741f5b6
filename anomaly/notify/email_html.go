package notify

import (
	"bytes"
	"html/template"
	"mime"
	"strings"
)

// encoded writes a header's text (RFC 2047) folded to lines.
func encoded(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.ReplaceAll(mime.QEncoding.Encode("utf-8", s), "?= =?", "?=\r\n =?")
}

// emailPage is plain HTML as mail programs show it: tables and styles at the elements.
var emailPage = template.Must(template.New("email").Funcs(template.FuncMap{"lines": func(s string) []string { return strings.Split(s, "\n") }}).Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.M.Headline}}</title></head>
<body style="margin:0;padding:16px;background:#f4f5f7;font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;font-size:14px;line-height:1.45;color:#1d2430">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">
<table role="presentation" width="600" cellpadding="0" cellspacing="0" style="max-width:600px;width:100%;background:#ffffff;border:1px solid #d9dee5;border-top:4px solid {{.Color}}">
<tr><td style="padding:16px 20px 4px"><h1 style="margin:0;font-size:18px;line-height:1.3">{{.Headline}}</h1></td></tr>
{{- if .Summary}}
<tr><td style="padding:4px 20px">{{.Summary}}</td></tr>
{{- end}}
<tr><td style="padding:8px 20px"><table role="presentation" cellpadding="0" cellspacing="0">
{{- range .M.Facts}}
<tr><td valign="top" style="padding:3px 16px 3px 0;color:#5b6675;white-space:nowrap">{{.Label}}</td><td valign="top" style="padding:3px 0">{{range $i, $l := lines .Text}}{{if $i}}<br>{{end}}{{$l}}{{end}}</td></tr>
{{- end}}
{{- range .Others}}
<tr><td valign="top" style="padding:3px 16px 3px 0;color:#5b6675">Also</td><td valign="top" style="padding:3px 0"><a href="{{.URL}}" style="color:#1864ab">{{.Title}}</a></td></tr>
{{- end}}
</table></td></tr>
{{- if .Chart}}
<tr><td style="padding:8px 20px"><img src="cid:chart" width="560" alt="{{.Alt}}" style="width:100%;max-width:560px;height:auto;border:1px solid #e6e9ee"></td></tr>
{{- end}}
{{- if .Links}}
<tr><td style="padding:8px 20px 20px">{{range $i, $l := .Links}}{{if $i}} &nbsp; {{end}}<a href="{{$l.Text}}" style="color:#1864ab;font-weight:600">{{$l.Label}}</a>{{end}}</td></tr>
{{- end}}
</table></td></tr></table></body></html>
`))

func emailHTML(m *Message) ([]byte, error) {
	summary := m.Summary
	if summary == m.Title {
		summary = ""
	}
	others := make([]Other, len(m.Others))
	for i, o := range m.Others {
		others[i] = Other{Title: o.headline(), URL: o.URL}
	}
	var b bytes.Buffer
	err := emailPage.Execute(&b, map[string]any{"M": m, "Color": template.CSS(m.color()), "Headline": m.icon() + " " + m.Headline(), "Summary": summary,
		"Others": others, "Chart": len(m.chart) > 0, "Alt": m.chartText(), "Links": m.links()})
	return b.Bytes(), err
}
