package query

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// How many traces of the shop's 600 each search finds within 10 minutes.
func TestTraceSearch(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	for q, want := range map[string]int{
		"":                                   600,
		"service:frontend":                   600,
		"service:front*":                     600,
		"service:nobody":                     0,
		`name:"GET /cart"`:                   600,
		`"get /c"`:                           600,
		"status:error":                       60,
		"-status:error service:frontend":     540,
		"status!=error service:frontend":     540,
		"duration>100ms":                     60,
		"duration>=200ms duration<=200ms":    60,
		"duration<6ms":                       600,
		"duration:<6ms -service:payment":     0,
		"kind:client":                        0,
		"root:true status:ok":                540,
		"root:false":                         600,
		"event:exception":                    60,
		"version:1.1":                        60,
		"version:1.1 OR service:payment":     600,
		"env:prod":                           600,
		"env:staging":                        0,
		"instance:pod-2":                     60,
		"cloud.region:us":                    60,
		"resource.cloud.region:us":           60,
		"-cloud.region:us service:frontend":  540,
		"http.response.status_code:500":      60,
		"http.response.status_code>=500":     60,
		"http.response.status_code>1000":     0,
		"http.route:/c*":                     600,
		`http.route:"/c*"`:                   0,
		"user.id:u17":                        1,
		"-user.id:u17 service:frontend":      599,
		"user.id:u17 OR user.id:u18":         2,
		"has:amount":                         600,
		"has:amount service:frontend":        0,
		"-has:amount":                        600,
		"amount>=590":                        10,
		"both:span":                          600,
		"both:resource":                      0,
		"nothing:here":                       0,
		"-nothing:here service:frontend":     600,
		"nothing>3":                          0,
		"user.id:":                           -1,
		"duration>fast":                      -1,
		"kind:sideways":                      -1,
		"trace:zz":                           -1,
		"(status:error":                      -1,
		"user.id>abc":                        -1,
		"trace:" + fmt.Sprintf("01%030d", 0): 1,
		"(status:error OR user.id:u17) service:frontend": 61,
	} {
		ans, err := db.Traces(t.Context(), last(10*time.Minute+2*time.Second), q, "newest", "", 500)
		var input *InputError
		switch {
		case want < 0 && !errors.As(err, &input):
			t.Errorf("%s: error %v, want one that explains", q, err)
		case want < 0:
		case err != nil:
			t.Errorf("%s: %v", q, err)
		case len(ans.Spans) != min(want, 500):
			t.Errorf("%s: %d traces, want %d", q, len(ans.Spans), want)
		}
	}
}

// Pages follow one another without a gap or a repetition, in order, whatever their size.
func TestTracePages(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	// Ten traces that begin in the same nanosecond, so that a page may end among them.
	exec(t, conn, `INSERT INTO spans (ts, duration_ns, trace_id, span_id, service, name)
SELECT toDateTime64('`+noon.Format("2006-01-02 15:04:05")+`', 9, 'UTC') - INTERVAL 90 SECOND, 1000, toFixedString(reinterpretAsString(number + 5000), 16), toFixedString(reinterpretAsString(number + 5000), 8), 'burst', 'x' FROM numbers(10)`)
	for _, order := range []string{"newest", "slowest"} {
		for _, size := range []int{7, 50, 500} {
			seen, after := map[string]bool{}, ""
			last0 := ""
			for range 200 {
				ans, err := db.Traces(t.Context(), last(11*time.Minute), "", order, after, size)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range ans.Spans {
					if seen[s.TraceID] {
						t.Fatalf("%s by %d: trace %s twice", order, size, s.TraceID)
					}
					seen[s.TraceID] = true
					if order == "newest" && last0 != "" && s.TS > last0 {
						t.Fatalf("by %d: %s comes after %s", size, s.TS, last0)
					}
					last0 = s.TS
				}
				if ans.NextCursor == nil {
					break
				}
				after = *ans.NextCursor
			}
			if len(seen) != 610 {
				t.Errorf("%s by %d: %d traces, want 610", order, size, len(seen))
			}
		}
	}
	if _, err := db.Traces(t.Context(), last(time.Hour), "", "newest", "rubbish", 7); err == nil {
		t.Error("a cursor of rubbish is accepted")
	}
}

func TestTrace(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	hits, err := db.Traces(t.Context(), last(10*time.Minute), "status:error", "newest", "", 1)
	if err != nil || len(hits.Spans) != 1 {
		t.Fatalf("%+v, %v", hits, err)
	}
	hit := hits.Spans[0]
	if hit.RootService != "frontend" || hit.TraceSpans != 2 || hit.TraceErrors != 1 || hit.Attributes["http.route"] != "/cart" {
		t.Errorf("%+v", hit)
	}
	exec(t, conn, "INSERT INTO spans SELECT * FROM spans WHERE trace_id = toFixedString(unhex('"+hit.TraceID+"'), 16)") // stored twice
	for _, id := range []string{hit.TraceID, strings.ToUpper(hit.TraceID)} {
		ans, err := db.Trace(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if len(ans.Spans) != 2 || ans.Truncated || len(ans.Services) != 2 || len(ans.Resources) != 2 || ans.TraceID != hit.TraceID {
			t.Fatalf("%+v", ans)
		}
		root, child := ans.Spans[0], ans.Spans[1]
		if root.ParentSpanID != "" || child.ParentSpanID != root.SpanID || root.StatusMessage != "boom" || ans.Resources[root.Resource]["cloud.region"] == "" {
			t.Errorf("root %+v, child %+v", root, child)
		}
		if len(root.Events) != 1 || root.Events[0].Attributes["exception.type"] != "TimeoutError" || root.Attributes[1] != (Attr{"http.response.status_code", "500", "int"}) {
			t.Errorf("root %+v", root)
		}
	}
	var input *InputError
	if _, err := db.Trace(t.Context(), "xyz"); !errors.As(err, &input) {
		t.Errorf("an id of rubbish: %v", err)
	}
	if _, err := db.Trace(t.Context(), strings.Repeat("ab", 16)); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}

func TestTracesHeatmapFacetsCompare(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	w := last(10 * time.Minute)
	heat, err := db.TracesHeatmap(t.Context(), w, "service:frontend")
	if err != nil {
		t.Fatal(err)
	}
	var sum, failed uint64
	for _, c := range heat.Cells {
		sum += c
	}
	for _, c := range heat.Errors {
		failed += c
	}
	if sum != 600 || failed != 60 || heat.Sampled {
		t.Errorf("heatmap: %d calls, %d errors", sum, failed)
	}
	facets, err := db.TracesFacets(t.Context(), w, "service:frontend")
	if err != nil {
		t.Fatal(err)
	}
	if facets.Total != 600 || facets.Facets[0].Key != "service" || facets.Facets[0].Values[0] != (FacetValue{"frontend", 600}) {
		t.Errorf("facets: %+v", facets)
	}
	cmp, err := db.Compare(t.Context(), w, w, "service:frontend", 100_000_000, 1<<62)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.Selected != 60 || cmp.Baseline != 540 || len(cmp.Rows) == 0 {
		t.Fatalf("compare: %+v", cmp)
	}
	found := false
	for _, r := range cmp.Rows {
		found = found || r.Key == "version" && r.Value == "1.1" && r.SelectedShare == 1 && r.BaselineShare == 0
	}
	if !found {
		t.Errorf("version 1.1, which all slow spans have and no other, is not among %+v", cmp.Rows)
	}
}

func TestUsual(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Usual(t.Context(), "frontend", "GET /cart", "server", "prod", 200_000_000)
	if err != nil {
		t.Fatal(err)
	}
	if ans.Count != 600 || ans.Percentile == nil || *ans.Percentile < 90 {
		t.Errorf("%+v", ans)
	}
	if ans, err = db.Usual(t.Context(), "frontend", "never", "server", "", 5); err != nil || ans.Count != 0 || ans.Percentile != nil {
		t.Errorf("of an operation never seen: %+v, %v", ans, err)
	}
}

func TestErrorsAreGrouped(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Errors(t.Context(), last(10*time.Minute), "frontend", "prod")
	if err != nil {
		t.Fatal(err)
	}
	if len(ans.Groups) != 1 {
		t.Fatalf("%d groups: %+v", len(ans.Groups), ans.Groups)
	}
	g := ans.Groups[0]
	if g.Type != "TimeoutError" || g.Count != 60 || g.Operation != "GET /cart" || strings.ContainsAny(g.Message, "0123456789") || g.TraceID == "" || g.LastSeenMS <= g.FirstSeenMS {
		t.Errorf("%+v", g)
	}
}

// Equality on an attribute reads only granules whose filter has the value.
func TestEqualityUsesTheIndex(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	a := args{}
	cond, err := db.compile(t.Context(), spanFields, "user.id:u17", a)
	if err != nil {
		t.Fatal(err)
	}
	within := bounds(noon.Add(-time.Hour), noon, a)
	var plan strings.Builder
	err = db.each(t.Context(), "EXPLAIN indexes = 1 SELECT count() FROM spans PREWHERE "+within+" WHERE "+cond, a, func(r driver.Rows) error {
		var line string
		err := r.Scan(&line)
		plan.WriteString(line + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan.String(), "attr_value_bloom") {
		t.Errorf("the plan does not use the filter over attribute values:\n%s", plan.String())
	}
}
