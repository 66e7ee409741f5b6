package dashboards

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/tidemarkhq/tidemark/query"
)

// Note is one thing of an imported dashboard that is not, or not quite, as it was.
type Note struct {
	Panel string `json:"panel"` // its title; empty: about the dashboard
	Level string `json:"level"` // changed: it looks or behaves otherwise; lost: it is not there
	Text  string `json:"text"`
}

// Import is what a document became.
type Import struct {
	Dashboard Dashboard `json:"dashboard"`
	From      string    `json:"from"` // tidemark or grafana
	Notes     []Note    `json:"notes"`
}

// Read makes a dashboard of a document: one of ours as it was exported, or one of Grafana's (its JSON model, also
// wrapped as its API answers it).
func Read(document []byte) (Import, error) { return read(document, mostWrapped) }

// mostWrapped is how often a document may be wrapped in another: each time all of it is read.
const mostWrapped = 2

func read(document []byte, wrapped int) (Import, error) {
	var probe struct {
		Dashboard     json.RawMessage `json:"dashboard"`
		APIVersion    string          `json:"apiVersion"` // of a resource, as Grafana's newer API answers it
		Spec          json.RawMessage `json:"spec"`
		SchemaVersion json.RawMessage `json:"schemaVersion"`
		Templating    json.RawMessage `json:"templating"`
		Rows          json.RawMessage `json:"rows"`
		Panels        []struct {
			GridPos json.RawMessage `json:"gridPos"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(document, &probe); err != nil && skipped(err) == "" {
		return Import{}, &query.InputError{Field: "body", Reason: "is no dashboard in JSON: " + err.Error()}
	}
	if strings.HasPrefix(probe.APIVersion, "dashboard.grafana.app/") && wrapped > 0 {
		if strings.HasPrefix(probe.APIVersion, "dashboard.grafana.app/v2") {
			return Import{}, &query.InputError{Field: "body", Reason: "is in version 2 of Grafana's schema: export it there as classic JSON"}
		}
		return read(probe.Spec, wrapped-1)
	}
	if len(probe.Dashboard) > 0 && probe.Dashboard[0] == '{' && wrapped > 0 {
		return read(probe.Dashboard, wrapped-1)
	}
	if probe.SchemaVersion != nil || probe.Templating != nil || probe.Rows != nil || slices.ContainsFunc(probe.Panels, func(p struct {
		GridPos json.RawMessage `json:"gridPos"`
	}) bool {
		return p.GridPos != nil
	}) {
		return readGrafana(document)
	}
	var d Dashboard
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Import{}, &query.InputError{Field: "body", Reason: "is neither a dashboard of Tidemark nor of Grafana: " + err.Error()}
	}
	d.ID, d.Version, d.ReadyMade = "", 0, false
	return Import{Dashboard: d, From: "tidemark", Notes: []Note{}}, d.Check()
}

// skipped names the first field that was passed over because its value is of another type than Grafana's own, as
// generated dashboards have ("hide": "2"); empty where nothing could be read.
func skipped(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return wrong.Field
	}
	return ""
}

// The parts of Grafana's JSON model that have a place here.
type (
	grafanaDashboard struct {
		Title       string   `json:"title"`
		Description string   `json:"description"`
		Tags        []string `json:"tags"`
		Time        struct{ From, To string }
		Panels      []grafanaPanel `json:"panels"`
		Rows        []grafanaRow   `json:"rows"`
		Links       []grafanaLink  `json:"links"`
		Templating  struct {
			List []grafanaVariable `json:"list"`
		} `json:"templating"`
		Annotations struct {
			List []struct {
				Name    string `json:"name"`
				BuiltIn int    `json:"builtIn"`
				Enable  bool   `json:"enable"`
				Expr    string `json:"expr"`
			} `json:"list"`
		} `json:"annotations"`
	}
	grafanaRow struct {
		Title    string          `json:"title"`
		Collapse bool            `json:"collapse"`
		Height   json.RawMessage `json:"height"`
		Panels   []grafanaPanel  `json:"panels"`
	}
	grafanaLink struct {
		Title    string `json:"title"`
		URL      string `json:"url"`
		Type     string `json:"type"`
		KeepTime bool   `json:"keepTime"`
	}
	grafanaVariable struct {
		Name       string          `json:"name"`
		Label      string          `json:"label"`
		Type       string          `json:"type"`
		Query      json.RawMessage `json:"query"`
		Definition string          `json:"definition"`
		Regex      string          `json:"regex"`
		Multi      bool            `json:"multi"`
		IncludeAll bool            `json:"includeAll"`
		AllValue   string          `json:"allValue"`
		Hide       json.RawMessage `json:"hide"` // 2, or "2" of generators: not to be seen
		Current    struct {
			Value json.RawMessage `json:"value"`
		} `json:"current"`
	}
	grafanaPanel struct {
		Type        string          `json:"type"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Datasource  json.RawMessage `json:"datasource"`
		GridPos     struct{ X, Y, W, H int }
		Span        float64         `json:"span"`
		Collapsed   bool            `json:"collapsed"`
		Panels      []grafanaPanel  `json:"panels"`
		Targets     []grafanaTarget `json:"targets"`
		Repeat      string          `json:"repeat"`
		TimeFrom    string          `json:"timeFrom"`
		TimeShift   string          `json:"timeShift"`
		Links       []grafanaLink   `json:"links"`
		Content     string          `json:"content"` // of old text panels
		Stack       bool            `json:"stack"`   // of old graphs, as the next four
		Bars        bool            `json:"bars"`
		Format      string          `json:"format"`
		YAxes       []struct {
			Format  string          `json:"format"`
			LogBase int             `json:"logBase"`
			Min     json.RawMessage `json:"min"`
			Max     json.RawMessage `json:"max"`
		} `json:"yaxes"`
		Alert           json.RawMessage `json:"alert"`
		Transformations []struct {
			ID string `json:"id"`
		} `json:"transformations"`
		LibraryPanel json.RawMessage `json:"libraryPanel"`
		Options      struct {
			Content       string `json:"content"`
			Mode          string `json:"mode"`
			GraphMode     string `json:"graphMode"`
			ReduceOptions struct {
				Calcs []string `json:"calcs"`
			} `json:"reduceOptions"`
			Legend struct {
				DisplayMode string `json:"displayMode"`
				ShowLegend  *bool  `json:"showLegend"`
			} `json:"legend"`
		} `json:"options"`
		FieldConfig struct {
			Defaults struct {
				Unit       string           `json:"unit"`
				Decimals   *int             `json:"decimals"`
				Min        *float64         `json:"min"`
				Max        *float64         `json:"max"`
				Mappings   []grafanaMapping `json:"mappings"`
				Links      []grafanaLink    `json:"links"`
				Thresholds struct {
					Mode  string `json:"mode"`
					Steps []struct {
						Color string   `json:"color"`
						Value *float64 `json:"value"`
					} `json:"steps"`
				} `json:"thresholds"`
				Custom struct {
					DrawStyle         string  `json:"drawStyle"`
					FillOpacity       float64 `json:"fillOpacity"`
					Stacking          struct{ Mode string }
					ScaleDistribution struct{ Type string }
				} `json:"custom"`
			} `json:"defaults"`
			Overrides []struct {
				Properties []struct {
					ID string `json:"id"`
				} `json:"properties"`
			} `json:"overrides"`
		} `json:"fieldConfig"`
	}
	grafanaMapping struct {
		Type    string `json:"type"`
		Options struct {
			Match string `json:"match"` // of type special
		} `json:"options"`
		Value json.RawMessage `json:"value"`
	}
	grafanaTarget struct {
		Expr         string          `json:"expr"`
		LegendFormat string          `json:"legendFormat"`
		Instant      bool            `json:"instant"`
		Hide         bool            `json:"hide"`
		Datasource   json.RawMessage `json:"datasource"`
	}
)

// carrying is one import under way.
type carrying struct {
	out   Import
	at    string // the panel
	bands int    // rows of the grid taken so far, for dashboards without places
}

func (c *carrying) changed(format string, a ...any) {
	c.out.Notes = append(c.out.Notes, Note{c.at, "changed", fmt.Sprintf(format, a...)})
}

func (c *carrying) lost(format string, a ...any) {
	c.out.Notes = append(c.out.Notes, Note{c.at, "lost", fmt.Sprintf(format, a...)})
}

func readGrafana(document []byte) (Import, error) {
	var g grafanaDashboard
	c := carrying{out: Import{From: "grafana", Notes: []Note{}}}
	if err := json.Unmarshal(document, &g); err != nil {
		field := skipped(err)
		if field == "" || len(g.Rows) == 0 && !slices.ContainsFunc(g.Panels, func(p grafanaPanel) bool { return p.Type != "" }) {
			return Import{}, &query.InputError{Field: "body", Reason: "is not Grafana's JSON model of a dashboard: " + err.Error()}
		}
		c.lost("%s, and what else is of another type than Grafana's own", field)
	}
	d := &c.out.Dashboard
	d.Title, d.Description, d.Tags = clip(cmp.Or(g.Title, "Imported from Grafana"), mostTitle), g.Description, c.tags(g.Tags)
	d.Annotations = Annotations{Deploys: true, Incidents: true}
	if from := strings.ReplaceAll(g.Time.From, " ", ""); g.Time.To == "now" && relative.MatchString(from) {
		d.Range = from
	}
	for _, v := range g.Templating.List {
		c.variable(v)
	}
	d.Links = c.links(g.Links)
	for _, a := range g.Annotations.List {
		if a.BuiltIn == 0 && a.Enable {
			c.lost("Annotations %q%s: only deploys and incidents are marked", a.Name, asked(a.Expr))
		}
	}
	for _, r := range g.Rows {
		c.row(r)
	}
	for _, p := range g.Panels {
		c.panel(p, 0)
		for _, inner := range p.Panels { // of a collapsed row
			c.panel(inner, 0)
		}
	}
	c.at = ""
	return c.out, d.Check()
}

// asked is the query of annotations, so that the report says what to add as a panel.
func asked(expr string) string {
	if expr == "" {
		return ""
	}
	return " (" + clip(strings.Join(strings.Fields(expr), " "), 200) + ")"
}

func (c *carrying) tags(tags []string) []string {
	kept := []string{}
	for _, t := range tags {
		if t != "" && len(t) <= mostTagBytes && len(kept) < 20 {
			kept = append(kept, t)
		}
	}
	return kept
}

// row places the panels of a dashboard from before Grafana 5, which were laid out in rows of twelve.
func (c *carrying) row(r grafanaRow) {
	height := 7
	if r.Title != "" {
		c.panel(grafanaPanel{Type: "row", Title: r.Title, Collapsed: r.Collapse, GridPos: struct{ X, Y, W, H int }{0, c.bands, Columns, 1}}, 0)
		c.bands++
	}
	x := 0
	for _, p := range r.Panels {
		w := int(cmp.Or(p.Span, 4) * 2)
		if x+w > Columns {
			x, c.bands = 0, c.bands+height
		}
		p.GridPos = struct{ X, Y, W, H int }{x, c.bands, min(w, Columns), height}
		c.panel(p, 0)
		x += w
	}
	c.bands += height
}

func (c *carrying) links(links []grafanaLink) []Link {
	kept := []Link{}
	for _, l := range links {
		switch {
		case l.Type == "dashboards":
			c.lost("Links to all dashboards with a tag")
		case !safeURL.MatchString(l.URL):
			c.lost("The link %q: its address is neither a path nor http(s)", cmp.Or(l.Title, l.URL))
		case strings.HasPrefix(l.URL, "/d/") || strings.HasPrefix(l.URL, "/explore"):
			c.lost("The link %q leads to a page of Grafana", cmp.Or(l.Title, l.URL))
		default:
			kept = append(kept, Link{Title: cmp.Or(l.Title, l.URL), URL: l.URL, Range: l.KeepTime})
		}
	}
	return kept
}

// grafanaKinds are the types of variables with their kind here.
var grafanaKinds = map[string]string{"query": "query", "custom": "custom", "constant": "constant", "textbox": "text", "interval": "interval"}

func (c *carrying) variable(g grafanaVariable) {
	c.at = ""
	kind, ok := grafanaKinds[g.Type]
	if !ok {
		if g.Type != "datasource" { // there is one source here: nothing is lost
			c.lost("The variable $%s of type %s", g.Name, g.Type)
		}
		return
	}
	if !name.MatchString(g.Name) || slices.ContainsFunc(c.out.Dashboard.Variables, func(v Variable) bool { return v.Name == g.Name }) {
		c.lost("The variable %q: its name is not one of letters, digits and _, or there are two", g.Name)
		return
	}
	v := Variable{Name: g.Name, Label: g.Label, Kind: kind, Multi: g.Multi, IncludeAll: g.IncludeAll, AllValue: g.AllValue, Hidden: strings.Trim(string(g.Hide), `"`) == "2", Current: texts(g.Current.Value)}
	text := textOf(g.Query, "query")
	switch kind {
	case "query":
		v.Query = cmp.Or(text, g.Definition)
		if v.Regex = strings.TrimSuffix(strings.TrimPrefix(g.Regex, "/"), "/"); v.Regex != "" {
			if _, err := regexp.Compile(v.Regex); err != nil {
				c.lost("The regular expression of $%s: %v", g.Name, err)
				v.Regex = ""
			}
		}
		if !queryForm.MatchString(v.Query) {
			c.changed("The variable $%s asks %q, which is none of label_values(…), label_names(), metrics(…) and query_result(…): it has no values", g.Name, v.Query)
		}
	case "custom", "interval":
		for _, o := range strings.Split(text, ",") {
			if o = strings.TrimSpace(o); o != "" && o != "auto" && len(v.Options) < mostOptions {
				_, value, named := strings.Cut(o, " : ")
				if !named {
					value = o
				}
				v.Options = append(v.Options, strings.TrimSpace(value))
			}
		}
	default:
		v.Current = []string{text}
	}
	if slices.Equal(v.Current, []string{"$__all"}) {
		v.IncludeAll = true
	}
	c.out.Dashboard.Variables = append(c.out.Dashboard.Variables, v)
}

var queryForm = regexp.MustCompile(`^\s*(label_values|label_names|metrics|query_result)\s*\(`)

// textOf reads a string, or the field of an object that has one.
func textOf(raw json.RawMessage, field string) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var o map[string]json.RawMessage
	if json.Unmarshal(raw, &o) == nil {
		_ = json.Unmarshal(o[field], &s)
	}
	return s
}

func texts(raw json.RawMessage) []string {
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return filled(many)
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	return []string{}
}

func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}

func finite(raw json.RawMessage) *float64 {
	var f float64
	if json.Unmarshal(raw, &f) == nil && !math.IsInf(f, 0) && len(raw) > 0 && string(raw) != "null" {
		return &f
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if json.Unmarshal([]byte(s), &f) == nil && s != "" {
			return &f
		}
	}
	return nil
}
