package dashboards

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// grafanaTypes are the panels that have a counterpart; the second word is what is said of those that change.
var grafanaTypes = map[string]struct{ to, note string }{
	"timeseries":     {"timeseries", ""},
	"graph":          {"timeseries", ""},
	"stat":           {"stat", ""},
	"singlestat":     {"stat", ""},
	"gauge":          {"gauge", ""},
	"bargauge":       {"bar", ""},
	"barchart":       {"bar", ""},
	"table":          {"table", ""},
	"table-old":      {"table", ""},
	"heatmap":        {"heatmap", ""},
	"histogram":      {"histogram", ""},
	"text":           {"text", ""},
	"row":            {"row", ""},
	"logs":           {"logs", "Its query is not carried over: write the search anew"},
	"traces":         {"traces", "Its query is not carried over: write the search anew"},
	"piechart":       {"bar", "A pie became bars"},
	"state-timeline": {"timeseries", "A state timeline became a time series"},
	"status-history": {"timeseries", "A status history became a time series"},
	"trend":          {"timeseries", "A trend became a time series"},
}

// panel carries one panel over. What has no counterpart becomes a text panel in its place that says so.
func (c *carrying) panel(g grafanaPanel, dy int) {
	c.at = cmp.Or(g.Title, "(untitled)")
	d := &c.out.Dashboard
	p := Panel{ID: fmt.Sprintf("p%d", len(d.Panels)+1), Title: clip(g.Title, mostTitle), Description: g.Description, X: min(max(g.GridPos.X, 0), Columns-1), Y: max(g.GridPos.Y, 0) + dy,
		H: min(max(g.GridPos.H, 1), mostHeight), Collapsed: g.Collapsed}
	p.W = min(max(g.GridPos.W, 1), Columns-p.X)
	kind, ok := grafanaTypes[g.Type]
	switch {
	case len(g.LibraryPanel) > 0 && g.Type == "":
		c.lost("A library panel: export the dashboard with its library panels")
		kind.to, p.Text = "text", "This was a panel of a library, which an export does not contain."
	case !ok:
		c.lost("Panels of type %q do not exist here", g.Type)
		kind.to, p.Text = "text", fmt.Sprintf("This was a panel of type “%s”, which does not exist here.", g.Type)
	case kind.note != "":
		c.changed("%s", kind.note)
	}
	p.Type = kind.to
	if p.Type == "row" {
		p.X, p.W, p.H = 0, Columns, 1
	}
	if p.Text == "" {
		p.Text = clip(c.text(g), mostText)
	}
	if p.Type != "text" && p.Type != "row" {
		c.look(&p, g)
		if p.Type != "logs" && p.Type != "traces" {
			c.targets(&p, g)
		}
	}
	p.Links = c.links(g.Links)
	if name.MatchString(g.Repeat) {
		p.Repeat = g.Repeat
	}
	if from := "now-" + g.TimeFrom; g.TimeFrom != "" && relative.MatchString(from) {
		p.Range = from
	}
	if g.TimeShift != "" {
		c.lost("The time shift of %s: write offset %s into the query", g.TimeShift, g.TimeShift)
	}
	d.Panels = append(d.Panels, p)
}

func (c *carrying) text(g grafanaPanel) string {
	if g.Type != "text" {
		return ""
	}
	if g.Options.Mode == "html" {
		c.changed("HTML is shown as plain text")
		return tag.ReplaceAllString(g.Options.Content, "")
	}
	return cmp.Or(g.Options.Content, g.Content)
}

var tag = regexp.MustCompile(`<[^>]*>`)

// look carries over how values are drawn.
func (c *carrying) look(p *Panel, g grafanaPanel) {
	f := g.FieldConfig.Defaults
	unit := cmp.Or(f.Unit, g.Format)
	if p.Decimals = f.Decimals; p.Decimals != nil && (*p.Decimals < 0 || *p.Decimals > 12) {
		p.Decimals = nil
	}
	p.Min, p.Max, p.Log = f.Min, f.Max, f.Custom.ScaleDistribution.Type == "log"
	p.Style, p.Fill = "line", f.Custom.FillOpacity > 0
	if len(g.YAxes) > 0 {
		y := g.YAxes[0]
		unit, p.Log = cmp.Or(unit, y.Format), p.Log || y.LogBase > 1
		p.Min, p.Max = cmp.Or(p.Min, finite(y.Min)), cmp.Or(p.Max, finite(y.Max))
	}
	switch {
	case f.Custom.Stacking.Mode == "normal" || g.Stack:
		p.Style = "stacked"
	case f.Custom.Stacking.Mode == "percent":
		p.Style = "stacked"
		c.changed("Stacked to 100 %% became stacked")
	case f.Custom.DrawStyle == "bars" || g.Bars:
		p.Style = "bars"
	}
	var known bool
	if p.Unit, known = grafanaUnit(unit); !known {
		c.changed("The unit %q is printed as it is", unit)
	}
	p.Legend = "list"
	switch legend := g.Options.Legend; {
	case legend.ShowLegend != nil && !*legend.ShowLegend || legend.DisplayMode == "hidden":
		p.Legend = "hidden"
	case legend.DisplayMode == "table":
		p.Legend = "table"
	}
	p.Sparkline = g.Type == "stat" && g.Options.GraphMode != "none"
	p.Reduce = "last"
	if calcs := g.Options.ReduceOptions.Calcs; len(calcs) > 0 {
		reduce, ok := grafanaCalcs[calcs[0]]
		if !ok {
			c.changed("The calculation %q became the last value", calcs[0])
		}
		p.Reduce = cmp.Or(reduce, "last")
	}
	c.thresholds(p, g)
	if slices.ContainsFunc(f.Mappings, grafanaMapping.tells) {
		c.lost("Value mappings: numbers are shown as numbers")
	}
	if o := g.FieldConfig.Overrides; len(o) > 0 {
		var of []string
		for _, o := range o {
			for _, p := range o.Properties {
				of = append(of, strings.TrimPrefix(p.ID, "custom."))
			}
		}
		c.lost("%d overrides of single fields%s", len(o), among(of))
	}
	if len(g.Transformations) > 0 {
		var of []string
		for _, t := range g.Transformations {
			of = append(of, t.ID)
		}
		c.lost("%d transformations%s: most can be written as PromQL", len(g.Transformations), among(of))
	}
	if len(g.Alert) > 0 {
		c.lost("The panel's alert: add it under Alerts")
	}
}

// tells reports whether a mapping says more than that nothing is there, which a dash says here.
func (m grafanaMapping) tells() bool {
	if m.Type == "special" {
		return m.Options.Match != "null" && m.Options.Match != "nan" && m.Options.Match != "null+nan"
	}
	return strings.Trim(string(m.Value), `"`) != "null" // from before Grafana 8
}

// among lists what there is of something, each once.
func among(ids []string) string {
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return ""
	}
	return " (" + strings.Join(ids, ", ") + ")"
}

var grafanaCalcs = map[string]string{"last": "last", "lastNotNull": "last", "mean": "mean", "min": "min", "max": "max", "sum": "sum", "count": "count", "range": ""}

func (c *carrying) thresholds(p *Panel, g grafanaPanel) {
	t := g.FieldConfig.Defaults.Thresholds
	if t.Mode == "percentage" {
		c.lost("Thresholds in percent of the range")
		return
	}
	meaning := false
	for i, s := range t.Steps {
		if i == 0 {
			s.Value = nil
		} else if s.Value == nil {
			continue
		}
		level := grafanaLevel(s.Color)
		meaning = meaning || level != "ok"
		p.Thresholds = append(p.Thresholds, Threshold{From: s.Value, Level: level})
	}
	// The default of every new panel, green and red from 80 on, is nobody's intention on a time series.
	custom := len(t.Steps) != 2 || t.Steps[1].Value == nil || *t.Steps[1].Value != 80
	if !meaning || !custom && p.Type != "gauge" && p.Type != "stat" {
		p.Thresholds = nil
	}
}

func grafanaLevel(color string) string {
	switch color = strings.ToLower(color); {
	case strings.Contains(color, "red") || color == "#d44a3a" || color == "#f2495c" || color == "#e02f44":
		return "bad"
	case strings.Contains(color, "orange") || strings.Contains(color, "yellow") || color == "#ff9830" || color == "#fade2a" || color == "#eab839":
		return "warn"
	}
	return "ok"
}

var grafanaUnits = map[string]string{
	"": "", "none": "", "short": "", "locale": "", "s": "s", "ms": "ms", "µs": "us", "ns": "ns", "dtdurations": "s", "clocks": "s",
	"bytes": "bytes", "decbytes": "bytes", "kbytes": "KiB", "mbytes": "MiB", "gbytes": "GiB", "Bps": "bytes/s", "binBps": "bytes/s", "bps": "bit/s", "binbps": "bit/s",
	"percent": "percent", "%": "percent", "percentunit": "ratio", "reqps": "rate", "ops": "rate", "rps": "rate", "wps": "rate", "iops": "rate", "cps": "rate", "eps": "rate", "mps": "rate", "pps": "rate",
	"opm": "/min", "rpm": "/min", "celsius": "°C", "fahrenheit": "°F", "volt": "V", "amp": "A", "watt": "W", "hertz": "Hz", "rotrpm": "rpm", "humidity": "percent",
}

// grafanaUnit is a unit as lib/format.ts of the browser names it.
func grafanaUnit(unit string) (string, bool) {
	if to, ok := grafanaUnits[unit]; ok {
		return to, true
	}
	for _, prefix := range []string{"suffix:", "short:"} {
		if rest, ok := strings.CutPrefix(unit, prefix); ok {
			return strings.TrimSpace(rest), true
		}
	}
	return unit, false
}

// targets carries the queries over; those for other sources than Prometheus have no counterpart.
func (c *carrying) targets(p *Panel, g grafanaPanel) {
	for _, t := range g.Targets {
		if t.Expr == "" || !prometheus(cmp.Or(sourceOf(t.Datasource), sourceOf(g.Datasource))) {
			c.lost("A query for %q: only PromQL is carried over", cmp.Or(sourceOf(t.Datasource), sourceOf(g.Datasource), "an unknown source"))
			continue
		}
		if len(p.Queries) == mostQueries || len(t.Expr) > mostExpr {
			c.lost("A query: there are more than %d, or it is longer than %d bytes", mostQueries, mostExpr)
			continue
		}
		legend := t.LegendFormat
		if legend == "__auto" {
			legend = ""
		}
		p.Queries = append(p.Queries, Query{Expr: t.Expr, Legend: clip(legend, mostTitle), Instant: t.Instant && p.Type != "timeseries", Hidden: t.Hide})
	}
	if strings.Contains(fmt.Sprint(p.Queries), "[[") {
		c.changed("[[name]] is the old spelling of ${name}; it has been rewritten")
		for i := range p.Queries {
			p.Queries[i].Expr = oldSpelling.ReplaceAllString(p.Queries[i].Expr, "$${$1}")
		}
	}
}

var oldSpelling = regexp.MustCompile(`\[\[(\w+)\]\]`)

// sourceOf names the kind of a data source, as far as the document tells.
func sourceOf(raw []byte) string { return textOf(raw, "type") }

// prometheus reports whether a source may be one: a variable and a name of one's own may be.
func prometheus(source string) bool {
	switch strings.ToLower(source) {
	case "loki", "tempo", "elasticsearch", "influxdb", "mysql", "postgres", "graphite", "cloudwatch", "jaeger", "zipkin", "grafana", "opentsdb", "mssql", "__expr__":
		return false
	}
	return true
}
