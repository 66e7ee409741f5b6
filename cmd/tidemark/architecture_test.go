package main_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/tidemarkhq/tidemark/"

// layers is the architecture: which of our packages each may import. A package that is not here fails the test, so
// that adding one is a decision. The two halves, ingest and query, never import each other.
var layers = map[string][]string{
	"store":               {},
	"store/engine":        {},
	"store/storetest":     {"store", "store/engine"},
	"ingest":              {"ingest/spool", "store"},
	"ingest/spool":        {},
	"ingest/otlp":         {"ingest"},
	"ingest/pprof":        {"ingest"},
	"ingest/remotewrite":  {"ingest"},
	"query":               {"query/filter", "store"},
	"query/filter":        {},
	"query/live":          {},
	"query/auth":          {"store"},
	"query/dashboards":    {"query", "store"},
	"query/prom":          {"query", "store"},
	"query/api":           {"anomaly", "anomaly/*", "query", "query/auth", "query/dashboards", "query/filter", "query/live", "query/prom", "store"},
	"anomaly":             {},
	"anomaly/backtest":    {"anomaly"},
	"anomaly/watch":       {"anomaly", "anomaly/explain", "anomaly/rules", "query", "store"},
	"anomaly/explain":     {"anomaly", "query", "store"},
	"anomaly/promrules":   {"anomaly", "query", "query/prom", "store"},
	"anomaly/rules":       {"anomaly", "query", "query/filter", "store"},
	"anomaly/notify":      {"anomaly", "store"},
	"web":                 {},
	"deploy":              {},
	"cmd/tidemark":        {"anomaly", "anomaly/*", "cmd/tidemark/config", "ingest", "ingest/otlp", "ingest/pprof", "ingest/remotewrite", "query", "query/api", "query/auth", "query/dashboards", "query/live", "query/prom", "store", "store/engine", "web"},
	"cmd/tidemark/config": {"anomaly/*", "ingest", "ingest/otlp", "ingest/pprof"},
	"cmd/demo":            {"cmd/demo/internal/*"},
	"cmd/demo/internal/*": {"cmd/demo/internal/*"},
	"bench/*":             {"bench/run", "ingest", "ingest/otlp", "store", "store/engine"},
}

// homes says where a library may be imported; the packages named hide it from the others.
var homes = map[string][]string{
	"github.com/gin-gonic/gin":            {"query/api"},
	"github.com/gorilla/websocket":        {"query/live"},
	"go.opentelemetry.io/collector/pdata": {"ingest/otlp", "ingest/pprof", "bench/*"},
	"github.com/ebitengine/purego":        {"store/engine"},
	"github.com/ClickHouse/ch-go":         {"ingest", "query/prom"},
	"github.com/getkin/kin-openapi":       {"query/api"},
	"google.golang.org/grpc":              {"ingest/otlp", "bench/*", "cmd/demo/internal/*"},
	"github.com/peterbourgon/ff":          {"cmd/tidemark/config"},
	"github.com/google/pprof":             {"ingest/pprof", "query", "bench/*", "cmd/demo/internal/*"},
	"modernc.org/sqlite":                  {"cmd/demo/internal/*"},
	"go.opentelemetry.io/otel/sdk":        {"cmd/tidemark", "cmd/demo/internal/*"},
}

func TestImportsFollowTheArchitecture(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if d.IsDir() {
			if name := d.Name(); rel != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata" || name == "bin" || rel == "bench/collector") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		pkg := key(layers, filepath.ToSlash(filepath.Dir(rel)))
		if pkg == "" {
			t.Errorf("%s: its package has no place in the architecture: give it one here", rel)
			return nil
		}
		seen[pkg] = true
		return checkImports(t, path, rel, pkg)
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range layers {
		if !seen[pkg] && pkg != "deploy" && !strings.HasPrefix(pkg, "bench") {
			t.Errorf("there is no package %s any more: take it out of the architecture", pkg)
		}
	}
}

func checkImports(t *testing.T, path, rel, pkg string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		return err
	}
	for _, spec := range f.Imports {
		imported := strings.Trim(spec.Path.Value, `"`)
		if own, ok := strings.CutPrefix(imported, module); ok {
			if !matches(layers[pkg], own) {
				t.Errorf("%s imports %s, which %s may not", rel, own, pkg)
			}
			continue
		}
		for library, allowed := range homes {
			if (imported == library || strings.HasPrefix(imported, library+"/")) && !matches(allowed, pkg) {
				t.Errorf("%s imports %s, which is at home in %s", rel, imported, strings.Join(allowed, ", "))
			}
		}
	}
	return nil
}

// key is the entry that covers a package: itself, or its parent with /*.
func key(table map[string][]string, pkg string) string {
	if _, ok := table[pkg]; ok {
		return pkg
	}
	if parent := filepath.Dir(pkg) + "/*"; table[parent] != nil {
		return parent
	}
	return ""
}

func matches(allowed []string, pkg string) bool {
	for _, a := range allowed {
		if a == pkg || strings.HasSuffix(a, "/*") && (strings.HasPrefix(pkg, strings.TrimSuffix(a, "*")) || a == pkg) {
			return true
		}
	}
	return false
}
