package shop

import (
	"iter"
	"maps"
	"net/http"
	"testing"
	"time"

	traces "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/sqlite"
)

func keys[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

func (b *bench) set(name fault.Name, on bool) {
	b.Helper()
	if _, err := b.faults.Set(name, on); err != nil {
		b.Fatal(err)
	}
}

// eventually waits for what happens beside the test.
func (b *bench) eventually(what string, holds func() bool) {
	b.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("after 20 s still not: %s", what)
		}
	}
}

func TestNPlusOneAsksForEachProduct(t *testing.T) {
	b := startShop(t)
	b.mustAsk("POST", "/cart/items", eightItems)
	healthy := string(b.mustAsk("GET", "/cart", ""))
	b.set(fault.NPlusOne, true)
	if broken := string(b.mustAsk("GET", "/cart", "")); broken != healthy {
		t.Errorf("the fault changes the answer:\n%s\n%s", healthy, broken)
	}
	b.finish()

	perTrace := map[string]int{}
	for _, span := range b.sink.Spans() {
		if span.Attrs["db.query.text"] == selectItemProduct {
			perTrace[span.Trace()]++
		}
	}
	if len(perTrace) != 1 {
		t.Fatalf("%d traces ask product by product, want only the one under the fault", len(perTrace))
	}
	for _, n := range perTrace {
		if n != 8 {
			t.Errorf("%d spans of the same statement in the trace, want one for each of 8 products", n)
		}
	}
}

func TestSlowQueryScansWithoutTheIndex(t *testing.T) {
	b := startShop(t)
	indexed := func() bool {
		db, err := sqlite.Plain(b.options.Dir, "catalog")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		var n int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_schema WHERE name = 'reviews_product'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
	search := func() string { return string(b.mustAsk("GET", "/products?q=lamp", "")) }

	healthy := search()
	b.set(fault.SlowQuery, true)
	b.eventually("the index is dropped", func() bool { return !indexed() })
	if broken := search(); broken != healthy {
		t.Errorf("the fault changes the answer:\n%s\n%s", healthy, broken)
	}
	b.set(fault.SlowQuery, false)
	b.eventually("the index is back", indexed)
	search()
	b.finish()

	var took []time.Duration
	for _, span := range b.spansNamed("SELECT products") {
		if span.Attrs["db.query.text"] == searchProducts {
			took = append(took, time.Duration(span.EndTimeUnixNano-span.StartTimeUnixNano))
		}
	}
	if len(took) != 3 {
		t.Fatalf("%d searches, want 3", len(took))
	}
	t.Logf("search: %v with index, %v without, %v with it again", took[0], took[1], took[2])
	if took[1] < 5*took[0] || took[1] < 5*took[2] || took[1] < slowSearch {
		t.Errorf("search took %v without the index, %v and %v with it: not slow enough to see", took[1], took[0], took[2])
	}
}

func TestDependencyErrorsReachTheCustomer(t *testing.T) {
	b := startShop(t)
	b.order()
	b.set(fault.DependencyErrors, true)
	failed, tried := 0, 40
	for range tried {
		b.mustAsk("DELETE", "/cart", "")
		b.mustAsk("POST", "/cart/items", eightItems)
		if status, _ := b.ask("POST", "/checkout", ""); status == http.StatusBadGateway {
			failed++
		}
	}
	b.finish()

	if share := float64(failed) / float64(tried); share < 0.1 || share > 0.55 {
		t.Errorf("%d of %d checkouts failed, want about 30 %%", failed, tried)
	}
	broken := map[string]int{}
	for _, span := range b.sink.Spans() {
		if span.Status.GetCode() == traces.Status_STATUS_CODE_ERROR && span.Attrs["http.response.status_code"] != "" {
			broken[span.Resource["service.name"]+" "+span.Name]++
		}
	}
	for _, name := range []string{"payment POST /v1/authorizations", "payment POST /charges", "checkout POST /orders", "frontend POST /checkout"} {
		if broken[name] < failed {
			t.Errorf("%d failed spans of %q for %d failed checkouts: %v", broken[name], name, failed, broken)
		}
	}
	released := 0
	for _, span := range b.spansNamed("DELETE /reservations/{order}") {
		if span.Kind == traces.Span_SPAN_KIND_SERVER {
			released++
		}
	}
	if released < failed {
		t.Errorf("%d reservations released for %d failed charges", released, failed)
	}
}

func TestSlowReleaseRollsAndRollsBack(t *testing.T) {
	b := startShop(t)
	runs := func(release string) func() bool {
		return func() bool {
			running := b.Instances(recommendation)
			return len(running) == 2 && running[0].Version == release && running[1].Version == release
		}
	}
	for range 4 {
		b.mustAsk("GET", "/products/42", "")
	}
	b.set(fault.SlowRelease, true)
	b.eventually("both instances run the slow release", runs(slowRelease))
	for range 4 {
		b.mustAsk("GET", "/products/42", "")
	}
	b.set(fault.SlowRelease, false)
	b.eventually("both instances run the steady release again", runs(steadyRelease))
	b.finish()

	took, ids := map[string][]time.Duration{}, map[string]bool{}
	for _, span := range b.spansNamed("rank products") {
		version := span.Resource["service.version"]
		took[version] = append(took[version], time.Duration(span.EndTimeUnixNano-span.StartTimeUnixNano))
		ids[span.Resource["service.instance.id"]] = true
	}
	steady, slow := took[steadyRelease], took[slowRelease]
	if len(steady) != 4 || len(slow) != 4 || len(ids) != 4 {
		t.Fatalf("%d rankings by %s, %d by %s, %d instances; want 4 of each", len(steady), steadyRelease, len(slow), slowRelease, len(ids))
	}
	t.Logf("ranking: %v by %s, %v by %s", fastest(steady), steadyRelease, fastest(slow), slowRelease)
	if fastest(slow) < 5*fastest(steady) {
		t.Errorf("the slow release ranks in %v, the steady one in %v", fastest(slow), fastest(steady))
	}
}

func fastest(took []time.Duration) time.Duration {
	best := took[0]
	for _, d := range took {
		best = min(best, d)
	}
	return best
}

func TestFaultsFlippedQuicklyEndAsWanted(t *testing.T) {
	b := startShop(t)
	for n := range 7 {
		b.set(fault.SlowRelease, n%2 == 0)
		b.set(fault.SlowQuery, n%2 == 0)
	}
	b.eventually("the last wish holds", func() bool {
		running := b.Instances(recommendation)
		return len(running) == 2 && running[0].Version == slowRelease && running[1].Version == slowRelease
	})
}
