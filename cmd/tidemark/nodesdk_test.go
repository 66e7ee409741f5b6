package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// nodeClient installs testdata/node once a run and returns the directory. Packages come from npm's cache after the
// first time on a machine.
var nodeClient = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "node")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "node"))); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci in a copy of testdata/node: %w\n%s", err, said)
	}
	return dir, nil
})

// The Node SDK over HTTP, in JSON and in protobuf: the same telemetry arrives the same.
func TestNodeSDK(t *testing.T) {
	dir, err := nodeClient()
	if err != nil {
		t.Fatal(err)
	}
	for _, encoding := range []string{"json", "protobuf"} {
		t.Run(encoding, func(t *testing.T) {
			p := share(t)
			service := unique("node-" + encoding)
			cmd := exec.Command("node", "send.mjs", encoding, "http://"+p.otlpHTTP, service)
			cmd.Dir = dir
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("node: %v", err)
			}
			var sent struct {
				TraceID, Root, Child string
				Failures             []string
			}
			if err := json.Unmarshal(out, &sent); err != nil || len(sent.Failures) > 0 {
				t.Fatalf("%v, %s", err, out)
			}
			for query, want := range map[string]int{countSpans: 2, countPoints: 5, countLogs: 2} {
				through{t, p, fmt.Sprintf(query, service)}.wait(want)
			}
			nodeTraces(t, p, service, sent.TraceID, sent.Root, sent.Child)
			nodeMetrics(t, p, service)
			nodeLogs(t, p, service, sent.TraceID, sent.Root)
		})
	}
}

func nodeTraces(t *testing.T, p *product, service, traceID, root, child string) {
	t.Helper()
	spans := map[string]spanView{}
	for _, s := range fromStore(t, p, traceID) {
		spans[s.SpanID] = s
	}
	if len(spans) != 2 {
		t.Fatalf("%d spans stored, want 2", len(spans))
	}
	r, c := spans[root], spans[child]
	if r.Service != service || r.Name != "GET /cart/:id" || r.Kind != "server" || r.Status != "unset" || r.ParentSpanID != "" || r.Scope != "shop@0.9.0" || r.DurationNS <= 0 {
		t.Errorf("root: %+v", r)
	}
	if c.ParentSpanID != root || c.Kind != "client" || c.Status != "error" || c.StatusMessage != "no such cart" {
		t.Errorf("child: %+v", c)
	}
	wantAttrs := []attr{{"cached", "false", "bool"}, {"http.response.status_code", "500", "int"}, {"ratio", "0.25", "double"},
		{"tags", `["a","b"]`, "json"}, {"user.name", "Žofie", "string"}}
	if diff := gocmp.Diff(wantAttrs, r.Attributes); diff != "" {
		t.Errorf("attributes (-sent +stored):\n%s", diff)
	}
	if len(r.Events) != 1 || r.Events[0].Name != "cache miss" || !gocmp.Equal(r.Events[0].Attributes, map[string]any{"cache.key": "cart:7", "size": 12.0}) {
		t.Errorf("events of the root: %+v", r.Events)
	}
	if len(c.Events) != 1 || c.Events[0].Name != "exception" || c.Events[0].Attributes["exception.message"] != "no such cart" {
		t.Errorf("events of the child: %+v", c.Events)
	}
	wantLinks := []linkView{{"0123456789abcdef0123456789abcdef", "0123456789abcdef", map[string]any{"why": "batch"}}}
	if diff := gocmp.Diff(wantLinks, c.Links); diff != "" {
		t.Errorf("links (-sent +stored):\n%s", diff)
	}
	var answer struct {
		Resources map[string]map[string]string
		Spans     []spanView
	}
	within(t, 10*time.Second, "GET /traces/{id} has the resource", func() bool {
		p.get(t, "/api/v1/traces/"+traceID, &answer)
		return len(answer.Resources) > 0
	})
	for _, res := range answer.Resources {
		if res["service.name"] != service || res["host.cpus"] != "4" || res["service.instance.id"] != "node-1" {
			t.Errorf("resource: %v", res)
		}
	}
	if len(answer.Spans) != 2 || len(answer.Resources) != 1 {
		t.Errorf("GET /traces/{id}: %d spans, %d resources", len(answer.Spans), len(answer.Resources))
	}
}

func nodeMetrics(t *testing.T, p *product, service string) {
	t.Helper()
	points, _ := stored(t, p, service)
	byName := map[string]pointView{}
	for _, v := range points {
		byName[v.Name] = v
	}
	for _, want := range []pointView{
		{Name: "orders", Type: "sum", Temporality: "cumulative", Monotonic: true, Unit: "{order}", Description: "orders placed", Attributes: map[string]string{"region": "eu"}, Value: 7},
		{Name: "connections", Type: "sum", Temporality: "cumulative", Attributes: map[string]string{}, Value: -3},
		{Name: "temperature", Type: "gauge", Unit: "Cel", Attributes: map[string]string{}, Value: 21.5},
		{Name: "request.duration", Type: "histogram", Temporality: "cumulative", Unit: "s", Attributes: map[string]string{}, Value: 56.05,
			Shape: &shapeView{Count: 5, Sum: 56.05, Min: 0.05, Max: 50, Bounds: []float64{0.1, 1, 10}, Counts: []float64{1, 2, 1, 1}, NegativeCounts: []float64{}}},
	} {
		want.Scope = "shop@0.9.0"
		got := byName[want.Name]
		got.TSMS, got.StartMS = 0, 0
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-sent +stored):\n%s", want.Name, diff)
		}
	}
	wait := byName["queue.wait"]
	if wait.Type != "exponential_histogram" || wait.Shape == nil || wait.Shape.Count != 5 || wait.Shape.Scale <= 0 {
		t.Errorf("queue.wait: %+v %+v", wait, wait.Shape)
	} else if sum := sumOf(wait.Shape.Counts); sum != 5 {
		t.Errorf("queue.wait: %v in its buckets, want 5", sum)
	}
}

func sumOf(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

func nodeLogs(t *testing.T, p *product, service, traceID, spanID string) {
	t.Helper()
	logs := storedLogs(t, p, service)
	slices.SortFunc(logs, func(a, b logView) int { return cmp.Compare(a.Severity, b.Severity) })
	if len(logs) != 2 || logs[0].Severity != 9 || logs[1].Severity != 13 {
		t.Fatalf("logs stored: %+v; want one of severity 9 and one of 13", logs)
	}
	info, warn := logs[0], logs[1]
	if warn.Body != "cart 7 not found" || warn.SeverityText != "WARN" || warn.TraceID != traceID || warn.SpanID != spanID ||
		!slices.Equal(warn.Attributes, []attr{{"cart.id", "7", "int"}, {"retried", "true", "bool"}}) {
		t.Errorf("warning: %+v", warn)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(info.Body), &body); err != nil || body["action"] != "retry" || body["after"] != 2.0 {
		t.Errorf("structured body: %q (%v)", info.Body, err)
	}
}
