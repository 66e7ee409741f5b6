package shop

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/goleak"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/otlpsink"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is a running shop whose telemetry is kept.
type bench struct {
	*testing.T
	*Shop
	faults *fault.Board
	sink   *otlpsink.Sink
	link   *telemetry.Link
}

func startShop(t *testing.T) *bench {
	t.Helper()
	sink := otlpsink.Start(t)
	link, err := telemetry.Dial(sink.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { link.Close() })
	faults := fault.NewBoard(time.Now)
	system, err := Start(t.Context(), link, faults, Options{
		Dir: t.TempDir(), Seed: 1, Restock: 50 * time.Millisecond,
		Telemetry: telemetry.Options{BatchTimeout: 20 * time.Millisecond, MetricInterval: time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t, system, faults, sink, link}
	t.Cleanup(b.finish)
	return b
}

// finish stops the shop, which flushes all telemetry; more calls do nothing.
func (b *bench) finish() {
	b.Helper()
	if b.Shop == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Shop.Stop(ctx); err != nil {
		b.Errorf("stop the shop: %v", err)
	}
	b.Shop = nil
	http.DefaultClient.CloseIdleConnections()
}

// ask sends one entry request, as a customer would.
func (b *bench) ask(method, path, body string) (status int, answer []byte) {
	b.Helper()
	inst, err := b.Pick("frontend")
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.Context(), method, "http://"+inst.Address+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set(UserHeader, "user-7")
	req.Header.Set(TierHeader, "plus")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	return resp.StatusCode, answer
}

func (b *bench) mustAsk(method, path, body string) []byte {
	b.Helper()
	status, answer := b.ask(method, path, body)
	if status != http.StatusOK {
		b.Fatalf("%s %s answered %d: %s", method, path, status, answer)
	}
	return answer
}

const eightItems = `{"items":[{"product_id":11,"quantity":1},{"product_id":12,"quantity":2},{"product_id":13,"quantity":1},{"product_id":14,"quantity":1},{"product_id":15,"quantity":1},{"product_id":16,"quantity":1},{"product_id":17,"quantity":1},{"product_id":18,"quantity":1}]}`

// order goes through a whole purchase and returns the order's id. The card
// network declines now and then: then it tries again.
func (b *bench) order() string {
	b.Helper()
	b.mustAsk("POST", "/cart/items", eightItems)
	for range 5 {
		status, answer := b.ask("POST", "/checkout", "")
		if status == http.StatusPaymentRequired {
			continue
		}
		var placed struct{ ID string }
		if err := json.Unmarshal(answer, &placed); err != nil || status != http.StatusOK {
			b.Fatalf("POST /checkout answered %d: %s", status, answer)
		}
		return placed.ID
	}
	b.Fatal("five cards were declined in a row")
	return ""
}

func (b *bench) spansNamed(name string) (found []otlpsink.Span) {
	for _, span := range b.sink.Spans() {
		if span.Name == name {
			found = append(found, span)
		}
	}
	return found
}

func TestAnOrderIsOneTraceThroughTheShop(t *testing.T) {
	b := startShop(t)
	id := b.order()
	b.finish()

	entry := b.spansNamed("POST /checkout")
	if len(entry) == 0 {
		t.Fatalf("no entry span among %v", names(b.sink.Spans()))
	}
	trace := entry[len(entry)-1].Trace()
	services, kinds := map[string]bool{}, map[traces.Span_SpanKind]int{}
	statements := map[string]int{}
	spanIDs := map[string]bool{}
	for _, span := range b.sink.Spans() {
		if span.Trace() != trace {
			continue
		}
		services[span.Resource["service.name"]] = true
		kinds[span.Kind]++
		spanIDs[string(span.SpanId)] = true
		if text := span.Attrs["db.query.text"]; text != "" {
			statements[text]++
			if span.Kind != traces.Span_SPAN_KIND_CLIENT || span.Attrs["db.system.name"] != "sqlite" || span.Attrs["db.namespace"] == "" {
				t.Errorf("database span %q: kind %v, attributes %v", span.Name, span.Kind, span.Attrs)
			}
		}
	}
	for _, service := range []string{"frontend", "checkout", "cart", "inventory", "payment"} {
		if !services[service] {
			t.Errorf("%s is missing from the trace of the order: %v", service, services)
		}
	}
	for _, statement := range []string{selectCart, takeStock, insertPayment, insertOrder} {
		if statements[statement] != 1 {
			t.Errorf("%d spans of %q in the trace of the order, want 1", statements[statement], statement)
		}
	}
	if kinds[traces.Span_SPAN_KIND_PRODUCER] != 1 {
		t.Errorf("%d producer spans in the trace of the order", kinds[traces.Span_SPAN_KIND_PRODUCER])
	}

	consumers := map[string]bool{}
	for _, span := range b.spansNamed("process orders") {
		if span.Kind != traces.Span_SPAN_KIND_CONSUMER || span.Trace() == trace || len(span.ParentSpanId) > 0 || len(span.Links) == 0 {
			t.Errorf("consumer span: kind %v, parent %x, %d links; want a trace of its own that links", span.Kind, span.ParentSpanId, len(span.Links))
		}
		for _, link := range span.Links {
			if spanIDs[string(link.SpanId)] {
				consumers[span.Resource["service.name"]] = true
			}
		}
	}
	if !consumers["shipping"] || !consumers["notification"] {
		t.Errorf("order %s: consumers that link to its trace: %v, want shipping and notification", id, consumers)
	}
}

func TestSpansFollowTheConventions(t *testing.T) {
	b := startShop(t)
	b.mustAsk("GET", "/products/42", "")
	b.mustAsk("GET", "/", "")
	if status, _ := b.ask("GET", "/products/999999", ""); status != http.StatusNotFound {
		t.Errorf("a missing product answered %d", status)
	}
	b.order()
	b.finish()

	for _, span := range b.spansNamed("GET /products/{id}") {
		switch span.Kind {
		case traces.Span_SPAN_KIND_SERVER:
			if span.Attrs["http.route"] != "/products/{id}" {
				t.Errorf("server span of %s has route %q", span.Resource["service.name"], span.Attrs["http.route"])
			}
		case traces.Span_SPAN_KIND_CLIENT:
			if span.Attrs["server.address"] != "catalog" || span.Attrs["url.template"] != "/products/{id}" {
				t.Errorf("client span has %v", span.Attrs)
			}
		}
	}
	if home := b.spansNamed("GET /"); len(home) != 1 || home[0].Attrs["http.route"] != "/" {
		t.Errorf("spans of the home page: %v", home)
	}
	outside := b.spansNamed("POST /v1/authorizations")
	if len(outside) == 0 || outside[0].Attrs["service.peer.name"] != "card-network" || outside[0].Attrs["server.address"] != "api.card-network.example" {
		t.Errorf("calls of the card network: %v", outside)
	}
	for _, span := range b.sink.Spans() {
		if span.Resource["service.name"] == "card-network" {
			t.Fatal("the card network is not ours and sends no telemetry")
		}
		for _, key := range []string{"service.version", "service.instance.id", "deployment.environment.name", "host.name", "process.pid", "process.runtime.name"} {
			if span.Resource[key] == "" {
				t.Fatalf("resource of %s lacks %s: %v", span.Resource["service.name"], key, span.Resource)
			}
		}
	}
}

func TestEveryServiceRunsItsInstances(t *testing.T) {
	b := startShop(t)
	for range 6 {
		b.mustAsk("GET", "/products/42", "")
	}
	b.finish()
	instances := map[string]map[string]bool{}
	for _, span := range b.sink.Spans() {
		if span.Kind != traces.Span_SPAN_KIND_SERVER {
			continue
		}
		name := span.Resource["service.name"]
		if instances[name] == nil {
			instances[name] = map[string]bool{}
		}
		instances[name][span.Resource["service.instance.id"]] = true
	}
	for _, name := range []string{"frontend", "catalog", recommendation} {
		if len(instances[name]) != 2 {
			t.Errorf("%d instances of %s answered, want 2", len(instances[name]), name)
		}
	}
}

func TestLogsBelongToTraces(t *testing.T) {
	b := startShop(t)
	id := b.order()
	b.finish()
	known := map[string]bool{}
	for _, span := range b.sink.Spans() {
		known[string(span.TraceId)+string(span.SpanId)] = true
	}
	services := map[string]bool{}
	for _, record := range b.sink.Logs() {
		if len(record.TraceId) == 0 {
			continue
		}
		services[record.Resource["service.name"]] = true
		if !known[string(record.TraceId)+string(record.SpanId)] {
			t.Errorf("log %q points at a span that never arrived", record.Body.GetStringValue())
		}
	}
	for _, name := range []string{"frontend", "checkout", "payment", "shipping", "notification"} {
		if !services[name] {
			t.Errorf("%s wrote no log within a trace for order %s: %v", name, id, services)
		}
	}
}

func TestEveryKindOfMetricIsSent(t *testing.T) {
	b := startShop(t)
	b.order()
	b.mustAsk("GET", "/products/42", "")
	b.finish()

	kinds := map[string]string{}
	for _, m := range b.sink.Metrics() {
		kinds[m.Name] = strings.TrimPrefix(fmt.Sprintf("%T", m.Data), "*v1.Metric_")
		if sum := m.GetSum(); sum != nil && !sum.IsMonotonic {
			kinds[m.Name] = "UpDown"
		}
	}
	for name, kind := range map[string]string{
		"shop.orders.placed":                "Sum",
		"shop.cart.items":                   "UpDown",
		"shop.queue.depth":                  "Gauge",
		"shop.order.value":                  "Histogram",
		"shop.recommendation.rank.duration": "ExponentialHistogram",
		"http.server.request.duration":      "Histogram",
		"http.client.request.duration":      "Histogram",
		"messaging.process.duration":        "Histogram",
		"go.goroutine.count":                "UpDown",
		"go.memory.used":                    "UpDown",
	} {
		if kinds[name] != kind {
			t.Errorf("metric %s is %q, want %s (there are %v)", name, kinds[name], kind, slices.Sorted(keys(kinds)))
		}
	}
}

func TestStockIsTakenBesidesRequests(t *testing.T) {
	b := startShop(t)
	b.eventually("stock was taken", func() bool { return len(b.spansNamed("restock")) > 0 })
	b.finish()
	jobs := b.spansNamed("restock")
	for _, job := range jobs {
		if job.Kind != traces.Span_SPAN_KIND_INTERNAL || len(job.ParentSpanId) > 0 || job.Status.GetCode() == traces.Status_STATUS_CODE_ERROR {
			t.Errorf("job span: kind %v, parent %x, status %v", job.Kind, job.ParentSpanId, job.Status)
		}
	}
	statements := map[string]bool{}
	for _, span := range b.sink.Spans() {
		if span.Trace() == jobs[0].Trace() {
			statements[span.Attrs["db.query.text"]] = true
		}
	}
	for _, statement := range []string{countScarce, restockStatement, expireReservations} {
		if !statements[statement] {
			t.Errorf("the job did not run %q", statement)
		}
	}
}

func names(spans []otlpsink.Span) (out []string) {
	for _, span := range spans {
		out = append(out, span.Resource["service.name"]+": "+span.Name)
	}
	return out
}
