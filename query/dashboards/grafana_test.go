package dashboards

import (
	"os"
	"strings"
	"testing"
)

func TestGrafanasDashboardsAreCarriedOver(t *testing.T) {
	document, err := os.ReadFile("testdata/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	in, err := Read(document)
	if err != nil {
		t.Fatal(err)
	}
	d := in.Dashboard
	if in.From != "grafana" || d.Title != "Node Exporter" || d.Range != "now-6h" || len(d.Panels) != 7 || len(d.Variables) != 2 || len(d.Links) != 1 {
		t.Fatalf("from %s: %q over %q with %d panels, %d variables, %d links", in.From, d.Title, d.Range, len(d.Panels), len(d.Variables), len(d.Links))
	}
	if v := d.Variables[0]; v.Name != "job" || v.Query != "label_values(node_uname_info, job)" || !v.Multi || !v.IncludeAll || v.Current[0] != "$__all" {
		t.Errorf("variable %+v", v)
	}
	if v := d.Variables[1]; v.Kind != "interval" || len(v.Options) != 3 || v.Current[0] != "5m" {
		t.Errorf("variable %+v", v)
	}
	by := map[string]Panel{}
	for _, p := range d.Panels {
		by[p.Title] = p
	}
	if p := by["CPU"]; p.Type != "row" || !p.Collapsed {
		t.Errorf("row %+v", p)
	}
	if p := by["CPU busy"]; p.Style != "stacked" || p.Unit != "ratio" || p.Legend != "table" || !p.Fill || len(p.Thresholds) != 0 || p.Queries[0].Legend != "{{mode}}" || *p.Min != 0 {
		t.Errorf("time series %+v", p)
	}
	if p := by["Up"]; p.Type != "stat" || p.Repeat != "job" || p.Reduce != "last" || p.Sparkline || len(p.Thresholds) != 2 || p.Thresholds[0].Level != "bad" || *p.Thresholds[1].From != 1 || !p.Queries[0].Instant {
		t.Errorf("stat %+v", p)
	}
	if p := by["Old graph"]; p.Style != "bars" || p.Unit != "bytes/s" || !p.Log || p.Queries[0].Expr != `rate(x{a="${job}"}[5m])` {
		t.Errorf("graph %+v", p)
	}
	if p := by["Logs"]; p.Type != "logs" || len(p.Queries) != 0 {
		t.Errorf("logs %+v", p)
	}
	if p := by["World"]; p.Type != "text" || !strings.Contains(p.Text, "geomap") {
		t.Errorf("what has no counterpart: %+v", p)
	}
	if p := by["From SQL"]; p.W != 24 || p.Range != "now-1h" {
		t.Errorf("panel %+v", p)
	}
	for panel, words := range map[string]string{"": "adhoc", "CPU busy": "overrides", "Up": "Value mappings", "Old graph": "[[name]]", "Logs": "write the search anew", "World": "geomap", "From SQL": "offset 1d"} {
		if !told(in.Notes, panel, words) {
			t.Errorf("nothing is said of %q in panel %q: %+v", words, panel, in.Notes)
		}
	}
	if !told(in.Notes, "", "Releases") || !told(in.Notes, "", "all dashboards with a tag") || !told(in.Notes, "From SQL", "mysql") {
		t.Errorf("something lost is not told: %+v", in.Notes)
	}
}

func told(notes []Note, panel, words string) bool {
	for _, n := range notes {
		if n.Panel == panel && strings.Contains(n.Text, words) {
			return true
		}
	}
	return false
}

func TestDashboardsFromBeforeGrafanaFive(t *testing.T) {
	in, err := Read([]byte(`{"title":"Old","rows":[{"title":"First","panels":[{"type":"graph","title":"a","span":6,"targets":[{"expr":"up"}]},{"type":"singlestat","title":"b","span":6,"targets":[{"expr":"up"}]}]},{"panels":[{"type":"text","title":"c","span":12,"content":"hi"}]}]}`))
	if err != nil || len(in.Dashboard.Panels) != 4 {
		t.Fatalf("%+v, %v", in, err)
	}
	a, b, c := in.Dashboard.Panels[1], in.Dashboard.Panels[2], in.Dashboard.Panels[3]
	if a.X != 0 || a.W != 12 || b.X != 12 || b.Y != a.Y || c.Y <= b.Y || c.W != 24 || c.Text != "hi" || b.Type != "stat" {
		t.Errorf("laid out as %+v, %+v, %+v", a, b, c)
	}
}

// What generators write otherwise than Grafana itself is passed over and told; the rest is carried.
func TestDashboardsOfGenerators(t *testing.T) {
	const classic = `{"title":"Mixin","schemaVersion":"16","templating":{"list":[{"name":"cluster","type":"query","hide":"2","query":"label_values(up, cluster)"}]},
"annotations":{"list":[{"name":"Reloads","enable":true,"expr":"changes(reloads[1m])  >\n 0"}]},
"panels":[{"type":"timeseries","title":"a","gridPos":{"x":0,"y":0,"w":12,"h":7},"fieldConfig":{"defaults":{"min":"0","unit":"s","mappings":[{"type":"special","options":{"match":"null","result":{"text":"N/A"}}},{"op":"=","text":"N/A","value":"null"}]},"overrides":[{"properties":[{"id":"unit"},{"id":"custom.axisPlacement"}]}]},
"transformations":[{"id":"merge"}],"targets":[{"expr":"up"}]}]}`
	for _, document := range []string{classic, `{"apiVersion":"dashboard.grafana.app/v1beta1","kind":"Dashboard","spec":` + classic + `}`} {
		in, err := Read([]byte(document))
		if err != nil || len(in.Dashboard.Panels) != 1 || in.Dashboard.Panels[0].Unit != "s" || len(in.Dashboard.Panels[0].Queries) != 1 || !in.Dashboard.Variables[0].Hidden {
			t.Fatalf("%+v, %v", in, err)
		}
		for panel, words := range map[string][]string{"": {"defaults.min", `"Reloads" (changes(reloads[1m]) > 0)`}, "a": {"(axisPlacement, unit)", "(merge)"}} {
			for _, w := range words {
				if !told(in.Notes, panel, w) {
					t.Errorf("nothing is said of %q in panel %q: %+v", w, panel, in.Notes)
				}
			}
		}
	}
	if in, _ := Read([]byte(classic)); told(in.Notes, "a", "mappings") {
		t.Errorf("a mapping of nothing to N/A is told as lost: %+v", in.Notes)
	}
	if _, err := Read([]byte(`{"apiVersion":"dashboard.grafana.app/v2beta1","spec":{"elements":{}}}`)); err == nil || !strings.Contains(err.Error(), "classic JSON") {
		t.Errorf("version 2 of the schema: %v", err)
	}
}

func TestWhatIsNoDashboardIsRefused(t *testing.T) {
	for _, document := range []string{"", "null", "[]", `{"a":1}`, `{"panels":[{"gridPos":3}]}`} {
		if in, err := Read([]byte(document)); err == nil {
			t.Errorf("%s became %+v", document, in)
		}
	}
}
