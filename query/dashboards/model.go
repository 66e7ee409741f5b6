// Package dashboards keeps what people arrange to look at: dashboards with their versions, the ready-made ones that
// come with the product, and what can be carried over from Grafana. Its main type is Library, over the product's
// settings in the store. Its invariants: whatever is stored has passed Check, so that a browser can draw it as it is;
// a save names the version it was made from, so that nobody overwrites what another has saved meanwhile; and a
// ready-made dashboard that was changed can always be had back by deleting the change.
package dashboards

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

// Dashboard is panels on a grid of 24 columns, with what they have in common.
type Dashboard struct {
	ID          string      `json:"id"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	Tags        []string    `json:"tags"`
	ReadyMade   bool        `json:"ready_made"` // comes with the product
	Version     int         `json:"version"`    // 0: as it came with the product, or never saved
	UpdatedAt   time.Time   `json:"updated_at"`
	Range       string      `json:"range"` // it opens with: now-6h; empty: the page's
	Variables   []Variable  `json:"variables"`
	Annotations Annotations `json:"annotations"`
	Links       []Link      `json:"links"`
	Panels      []Panel     `json:"panels"`
}

// Variable is a choice above the panels; $name in queries, titles, texts and links stands for it.
type Variable struct {
	Name       string   `json:"name"`
	Label      string   `json:"label"`
	Kind       string   `json:"kind"`  // see variableKinds
	Query      string   `json:"query"` // label_values(metric, label), label_names(), metrics(pattern), query_result(expr)
	Regex      string   `json:"regex"` // narrows what the query answers; its first group is the value
	Options    []string `json:"options"`
	Multi      bool     `json:"multi"`
	IncludeAll bool     `json:"include_all"`
	AllValue   string   `json:"all_value"` // what All stands for in queries; empty: all options joined by |
	Current    []string `json:"current"`
	Hidden     bool     `json:"hidden"`
}

// Annotations are what is marked on every chart.
type Annotations struct {
	Deploys   bool `json:"deploys"`
	Incidents bool `json:"incidents"`
}

// Link leads elsewhere.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
	Range bool   `json:"range"` // takes the time range along
}

// Panel is one picture.
type Panel struct {
	ID          string      `json:"id"`
	Type        string      `json:"type"` // see panelTypes
	Title       string      `json:"title"`
	Description string      `json:"description"`
	X           int         `json:"x"`
	Y           int         `json:"y"`
	W           int         `json:"w"`
	H           int         `json:"h"` // rows of 38 px, as Grafana's
	Queries     []Query     `json:"queries"`
	Red         *Red        `json:"red"`     // requests, errors and latency of a service, instead of queries
	Search      string      `json:"search"`  // of logs and traces
	Profile     *Profile    `json:"profile"` // of a flame graph
	Text        string      `json:"text"`    // Markdown
	Unit        string      `json:"unit"`
	Decimals    *int        `json:"decimals"`
	Min         *float64    `json:"min"`
	Max         *float64    `json:"max"`
	Log         bool        `json:"log"`
	Style       string      `json:"style"`  // line, stacked, bars
	Fill        bool        `json:"fill"`   // a soft fill below lines
	Legend      string      `json:"legend"` // list, table, hidden
	Reduce      string      `json:"reduce"` // what a series comes down to in a stat, gauge, bar or table
	Sparkline   bool        `json:"sparkline"`
	Thresholds  []Threshold `json:"thresholds"`
	Links       []Link      `json:"links"`
	Repeat      string      `json:"repeat"` // variable: once for each value chosen
	Range       string      `json:"range"`  // its own: now-1h; empty: the page's
	Collapsed   bool        `json:"collapsed"`
}

// Query is one PromQL expression of a panel.
type Query struct {
	Expr    string `json:"expr"`
	Legend  string `json:"legend"` // {{label}} stands for a label's value; empty: what tells the series apart
	Instant bool   `json:"instant"`
	Hidden  bool   `json:"hidden"`
}

// Red chooses requests, errors and latency as traces tell them.
type Red struct {
	Service   string `json:"service"`
	Operation string `json:"operation"`
	Measure   string `json:"measure"` // see measures
	By        string `json:"by"`      // none, service, operation, version, instance
}

// Profile chooses profiles.
type Profile struct {
	Service string `json:"service"`
	Type    string `json:"type"`
}

// Threshold is where a value begins to mean something; the first begins everywhere.
type Threshold struct {
	From  *float64 `json:"from"`  // nil: from below
	Level string   `json:"level"` // ok, warn, bad
}

var (
	panelTypes    = []string{"timeseries", "bar", "heatmap", "histogram", "stat", "gauge", "table", "logs", "traces", "flamegraph", "text", "row"}
	variableKinds = []string{"query", "custom", "text", "constant", "interval"}
	measures      = []string{"rate", "error_ratio", "p50_ns", "p95_ns", "p99_ns", "latency"}
	styles        = []string{"line", "stacked", "bars"}
	legends       = []string{"list", "table", "hidden"}
	reducers      = []string{"last", "mean", "min", "max", "sum", "count"}
	groupings     = []string{"none", "service", "operation", "version", "instance"}
	levels        = []string{"ok", "warn", "bad"}
	name          = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	identifier    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)
	relative      = regexp.MustCompile(`^(now-[1-9][0-9]{0,5}(s|m|h|d|w))?$`)
)

// What one dashboard may have. A browser draws what is on the screen only, but loads and lays out all of it.
const (
	Columns      = 24
	mostPanels   = 300
	mostQueries  = 26
	mostVars     = 50
	mostLinks    = 50
	mostText     = 64 << 10 // bytes of a panel's text
	mostExpr     = 16 << 10
	mostRows     = 10_000
	mostHeight   = 100
	mostOptions  = 1000
	mostTitle    = 300
	mostTagBytes = 60
)

// Check fills in what was left out and says what cannot be.
func (d *Dashboard) Check() error {
	if d.Title == "" || len(d.Title) > mostTitle {
		return &query.InputError{Field: "title", Reason: fmt.Sprintf("needs 1 to %d bytes", mostTitle)}
	}
	if !relative.MatchString(d.Range) {
		return &query.InputError{Field: "range", Reason: fmt.Sprintf("%q is not like now-6h", d.Range)}
	}
	d.Tags, d.Variables, d.Links, d.Panels = filled(d.Tags), filled(d.Variables), filled(d.Links), filled(d.Panels)
	for _, tag := range d.Tags {
		if tag == "" || len(tag) > mostTagBytes {
			return &query.InputError{Field: "tags", Reason: fmt.Sprintf("%q is not a tag of 1 to %d bytes", tag, mostTagBytes)}
		}
	}
	for _, n := range []struct {
		field     string
		has, most int
	}{{"panels", len(d.Panels), mostPanels}, {"variables", len(d.Variables), mostVars}, {"links", len(d.Links), mostLinks}, {"tags", len(d.Tags), 20}} {
		if n.has > n.most {
			return &query.InputError{Field: n.field, Reason: fmt.Sprintf("are %d: at most %d", n.has, n.most)}
		}
	}
	if err := d.checkVariables(); err != nil {
		return err
	}
	ids := map[string]bool{}
	for i := range d.Panels {
		p := &d.Panels[i]
		if err := p.check(fmt.Sprintf("panels[%d]", i)); err != nil {
			return err
		}
		if ids[p.ID] {
			return &query.InputError{Field: fmt.Sprintf("panels[%d].id", i), Reason: fmt.Sprintf("%q is another panel's too", p.ID)}
		}
		ids[p.ID] = true
	}
	return checkLinks("links", d.Links)
}

func (d *Dashboard) checkVariables() error {
	seen := map[string]bool{}
	for i := range d.Variables {
		v, field := &d.Variables[i], fmt.Sprintf("variables[%d]", i)
		v.Kind = cmp.Or(v.Kind, "query")
		v.Options, v.Current = filled(v.Options), filled(v.Current)
		switch {
		case !name.MatchString(v.Name) || seen[v.Name]:
			return &query.InputError{Field: field + ".name", Reason: fmt.Sprintf("%q is not a name of its own of letters, digits and _", v.Name)}
		case !slices.Contains(variableKinds, v.Kind):
			return &query.InputError{Field: field + ".kind", Reason: fmt.Sprintf("%q is none of %v", v.Kind, variableKinds)}
		case len(v.Options) > mostOptions || len(v.Current) > mostOptions:
			return &query.InputError{Field: field + ".options", Reason: fmt.Sprintf("are more than %d", mostOptions)}
		case len(v.Query) > mostExpr:
			return &query.InputError{Field: field + ".query", Reason: "is too long"}
		}
		if _, err := regexp.Compile(v.Regex); err != nil {
			return &query.InputError{Field: field + ".regex", Reason: err.Error()}
		}
		seen[v.Name] = true
	}
	return nil
}

// check names what is wrong by its place in the dashboard.
func (p *Panel) check(field string) error {
	p.Queries, p.Thresholds, p.Links = filled(p.Queries), filled(p.Thresholds), filled(p.Links)
	p.Style, p.Legend, p.Reduce = cmp.Or(p.Style, "line"), cmp.Or(p.Legend, "list"), cmp.Or(p.Reduce, "last")
	bad := func(what, reason string, a ...any) error {
		return &query.InputError{Field: field + "." + what, Reason: fmt.Sprintf(reason, a...)}
	}
	switch {
	case !identifier.MatchString(p.ID):
		return bad("id", "%q is not 1 to 80 letters, digits, _ and -", p.ID)
	case !slices.Contains(panelTypes, p.Type):
		return bad("type", "%q is none of %v", p.Type, panelTypes)
	case p.X < 0 || p.W < 1 || p.X+p.W > Columns || p.Y < 0 || p.Y > mostRows || p.H < 1 || p.H > mostHeight:
		return bad("x", "it lies outside of the grid: columns 0 to %d, heights 1 to %d", Columns, mostHeight)
	case !slices.Contains(styles, p.Style):
		return bad("style", "%q is none of %v", p.Style, styles)
	case !slices.Contains(legends, p.Legend):
		return bad("legend", "%q is none of %v", p.Legend, legends)
	case !slices.Contains(reducers, p.Reduce):
		return bad("reduce", "%q is none of %v", p.Reduce, reducers)
	case len(p.Queries) > mostQueries:
		return bad("queries", "are %d: at most %d", len(p.Queries), mostQueries)
	case len(p.Text) > mostText || len(p.Search) > mostExpr || len(p.Title) > mostTitle || len(p.Description) > mostText:
		return bad("text", "is too long")
	case p.Decimals != nil && (*p.Decimals < 0 || *p.Decimals > 12):
		return bad("decimals", "is not 0 to 12")
	case !relative.MatchString(p.Range):
		return bad("range", "%q is not like now-1h", p.Range)
	case p.Repeat != "" && !name.MatchString(p.Repeat):
		return bad("repeat", "%q is no variable's name", p.Repeat)
	}
	for i, q := range p.Queries {
		if len(q.Expr) > mostExpr || len(q.Legend) > mostTitle {
			return bad(fmt.Sprintf("queries[%d]", i), "is too long")
		}
	}
	for i, t := range p.Thresholds {
		if !slices.Contains(levels, t.Level) || i > 0 && t.From == nil {
			return bad(fmt.Sprintf("thresholds[%d]", i), "needs a level of %v, and a value where it begins", levels)
		}
	}
	if r := p.Red; r != nil {
		r.By = cmp.Or(r.By, "none")
		if !slices.Contains(measures, r.Measure) || !slices.Contains(groupings, r.By) {
			return bad("red", "needs a measure of %v, and by one of %v", measures, groupings)
		}
	}
	return checkLinks(field+".links", p.Links)
}

// checkLinks lets pages of ours and of the web through, and nothing that runs.
func checkLinks(field string, links []Link) error {
	for i, l := range links {
		if len(links) > mostLinks || len(l.URL) > 4096 || !safeURL.MatchString(l.URL) {
			return &query.InputError{Field: fmt.Sprintf("%s[%d].url", field, i), Reason: "is not a path of ours (/traces?q=…) or an address with http:// or https://"}
		}
	}
	return nil
}

var safeURL = regexp.MustCompile(`^(/([^/\\]|$)|https?://)`)

func filled[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
