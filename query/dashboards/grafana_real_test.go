package dashboards

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRealDashboards imports documents from elsewhere and says what became of them:
// TIDEMARK_GRAFANA_DASHBOARDS='/path/*.json' go test -v -run TestRealDashboards ./query/dashboards
func TestRealDashboards(t *testing.T) {
	pattern := os.Getenv("TIDEMARK_GRAFANA_DASHBOARDS")
	if pattern == "" {
		t.Skip("TIDEMARK_GRAFANA_DASHBOARDS names no files")
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		queries := 0
		for _, p := range in.Dashboard.Panels {
			queries += len(p.Queries)
		}
		t.Logf("%s: %d panels, %d queries, %d variables", filepath.Base(file), len(in.Dashboard.Panels), queries, len(in.Dashboard.Variables))
		for _, n := range in.Notes {
			t.Logf("  %s %q: %s", n.Level, n.Panel, n.Text)
		}
	}
}
