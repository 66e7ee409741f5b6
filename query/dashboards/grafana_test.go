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

func TestWhatIsNoDashboardIsRefused(t *testing.T) {
	for _, document := range []string{"", "null", "[]", `{"a":1}`, `{"panels":[{"gridPos":3}]}`} {
		if in, err := Read([]byte(document)); err == nil {
			t.Errorf("%s became %+v", document, in)
		}
	}
}
