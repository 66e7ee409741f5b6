package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// snippet is the fenced block after <!-- snippet: name --> in docs/ingest-clients.md.
func snippet(t *testing.T, name string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ingest-clients.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)<!-- snippet: " + name + " -->\n```[a-z]+\n(.*?)\n```").FindSubmatch(page)
	if m == nil {
		t.Fatalf("docs/ingest-clients.md has no snippet %q", name)
	}
	return string(m[1]) + "\n"
}

// replaced is text with old replaced, which must be in it.
func replaced(t *testing.T, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("the snippet does not contain %q:\n%s", old, text)
	}
	return strings.ReplaceAll(text, old, new)
}

// What docs/ingest-clients.md tells people to copy works as it stands there.
func TestDocumentedClients(t *testing.T) {
	p := share(t)
	arrived := func(table, service string) {
		t.Helper()
		within(t, 20*time.Second, table+" of "+service, func() bool {
			return p.count(t, fmt.Sprintf("SELECT count() FROM %s WHERE service = '%s'", table, service)) > 0
		})
	}
	t.Run("go", func(t *testing.T) {
		dir := t.TempDir()
		source := filepath.Join(dir, "main.go")
		if err := os.WriteFile(source, []byte(snippet(t, "go")), 0o600); err != nil {
			t.Fatal(err)
		}
		// Built as if it lay in this module, so that its imports are those in go.mod.
		root, err := filepath.Abs(filepath.Join("..", ".."))
		if err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "cmd", "documented", "main.go"): source}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
			t.Fatal(err)
		}
		build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "client"), "./cmd/documented")
		build.Dir = root
		run(t, build)
		client := exec.Command(filepath.Join(dir, "client"))
		client.Env = append(os.Environ(), "OTEL_SERVICE_NAME=documented-go", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+p.grpc)
		run(t, client)
		arrived("spans", "documented-go")
		arrived("logs", "documented-go")
		arrived("metric_series", "documented-go")
	})
	t.Run("node", func(t *testing.T) {
		dir, err := nodeClient()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "documented.mjs"), []byte(snippet(t, "node")), 0o600); err != nil {
			t.Fatal(err)
		}
		client := exec.Command("node", "documented.mjs")
		client.Dir = dir
		client.Env = append(os.Environ(), "OTEL_SERVICE_NAME=documented-node", "OTEL_EXPORTER_OTLP_ENDPOINT=http://"+p.otlpHTTP)
		run(t, client)
		arrived("spans", "documented-node")
		arrived("metric_series", "documented-node")
	})
	t.Run("curl", func(t *testing.T) {
		script := replaced(t, snippet(t, "curl"), "127.0.0.1:4318", p.otlpHTTP)
		said := run(t, exec.Command("sh", "-e", "-c", script))
		if !strings.Contains(said, "{") {
			t.Errorf("the answer is %q", said)
		}
		arrived("spans", "by-hand")
	})
	t.Run("collector", func(t *testing.T) {
		receiver := freeAddr(t)
		config := replaced(t, replaced(t, snippet(t, "collector"), "127.0.0.1:4317", p.grpc), "127.0.0.1:14317", receiver)
		runCollector(t, config, receiver)
		newSender(t, &product{grpc: receiver}).mustSend(t, "documented-collector", 3)
		arrived("spans", "documented-collector")
	})
}

// run runs a command to its end and returns what it said.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, said)
	}
	return string(said)
}
