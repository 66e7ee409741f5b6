package prom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// get asks the API, by GET or, with a form, by POST.
func get(t testing.TB, e *Engine, path string, form url.Values) (int, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/prometheus"+path, nil)
	if form != nil {
		r = httptest.NewRequest("POST", "/prometheus"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, r)
	if ct := w.Header().Get("Content-Type"); ct != "application/json" {
		t.Errorf("%s: content type %q", path, ct)
	}
	b, _ := io.ReadAll(w.Body)
	return w.Code, string(b)
}

func TestAnswersAreWrittenAsPrometheusDoes(t *testing.T) {
	e, conn := open(t, Options{})
	shop(t, conn)
	w := &written{Engine: e, conn: conn}
	a := w.AppenderV2(context.Background())
	ms := noon.UnixMilli()
	for i, v := range []float64{1, 2.5, 1e-7} {
		a.Append(0, labels.FromStrings("__name__", "rw", "ü.x", "y"), 0, ms-int64(2-i)*1500, v, nil, nil, storage.AppendV2Options{})
	}
	a.Append(0, labels.FromStrings("__name__", "nh"), 0, ms, 0, &histogram.Histogram{Schema: 0, Count: 4, Sum: 10, ZeroThreshold: 0.5, ZeroCount: 1,
		PositiveSpans: []histogram.Span{{Offset: 1, Length: 2}}, PositiveBuckets: []int64{1, 1}}, nil, storage.AppendV2Options{})
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	sec := fmt.Sprint(noon.Unix())
	back := func(d time.Duration) string { return fmt.Sprint(noon.Add(-d).Unix()) }
	for path, want := range map[string]string{
		"/api/v1/query?query=1/0&time=" + sec:    `200 {"status":"success","data":{"resultType":"scalar","result":[` + sec + `,"+Inf"]}}`,
		`/api/v1/query?query="a"&time=` + sec:    `200 {"status":"success","data":{"resultType":"string","result":[` + sec + `,"a"]}}`,
		"/api/v1/query?query=absent&time=" + sec: `200 {"status":"success","data":{"resultType":"vector","result":[]}}`,
		"/api/v1/query?query=rw&time=" + sec:     `200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"rw","ü.x":"y"},"value":[` + sec + `,"1e-07"]}]}}`,
		"/api/v1/query?query=nh&time=" + sec: `200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"nh"},"histogram":[` + sec +
			`,{"count":"4","sum":"10","buckets":[[3,"-0.5","0.5","1"],[0,"1","2","1"],[0,"2","4","2"]]}]}]}}`,
		"/api/v1/query?query=rw[4s]&time=" + sec:                                                  `200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"rw","ü.x":"y"},"values":[[` + back(3*time.Second) + `,"1"],[` + back(2*time.Second) + `.500,"2.5"],[` + sec + `,"1e-07"]]}]}}`,
		"/api/v1/query_range?query=rw*2&start=" + back(2*time.Second) + "&end=" + sec + "&step=2": `200 {"status":"success","data":{"resultType":"matrix","result":[{"metric":{"ü.x":"y"},"values":[[` + back(2*time.Second) + `,"2"],[` + sec + `,"2e-07"]]}]}}`,
		"/api/v1/query?query=rw{&time=" + sec:                                                     `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces"}`,
		"/api/v1/query?query=rw&time=yesterday":                                                   `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"time\": invalid time value for 'time': cannot parse \"yesterday\" to a valid timestamp"}`,
		"/api/v1/query_range?query=rw&start=2&end=1&step=1":                                       `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"end\": end timestamp must not be before start time"}`,
		"/api/v1/query_range?query=rw&start=1&end=2&step=0":                                       `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer"}`,
		"/api/v1/query_range?query=rw&start=1&end=12000&step=1":                                   `400 {"status":"error","errorType":"bad_data","error":"exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"}`,
		"/api/v1/query?query=rw&limit=-1":                                                         `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"limit\": limit must be non-negative"}`,
		"/api/v1/series":                                                                          `400 {"status":"error","errorType":"bad_data","error":"no match[] parameter provided"}`,
		"/api/v1/series?match[]={x=\"\"}":                                                         `400 {"status":"error","errorType":"bad_data","error":"invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"}`,
		"/api/v1/series?match[]=rw&match[]=nh":                                                    `200 {"status":"success","data":[{"__name__":"nh"},{"__name__":"rw","ü.x":"y"}]}`,
		"/api/v1/series?match[]=rw&match[]=nh&limit=1":                                            `200 {"status":"success","data":[{"__name__":"nh"}],"warnings":["results truncated due to limit"]}`,
		"/api/v1/series?match[]=http_server_request_duration_seconds_bucket{le=\"0.1\"}":          `200 {"status":"success","data":[{"__name__":"http_server_request_duration_seconds_bucket","http_route":"/pay","instance":"pod-1","job":"shop/checkout","le":"0.1"}]}`,
		"/api/v1/label/ü.x/values":                                                                `200 {"status":"success","data":["y"]}`,
		"/api/v1/label/U___fc__2e_x/values":                                                       `200 {"status":"success","data":["y"]}`,
		"/api/v1/label/job/values":                                                                `200 {"status":"success","data":["shop/checkout"]}`,
		"/api/v1/label/le/values":                                                                 `200 {"status":"success","data":["+Inf","0.1","0.5"]}`,
		"/api/v1/label/__name__/values?match[]={__name__=~\"cpu.*|rw\"}":                          `200 {"status":"success","data":["cpu_utilization_ratio","rw"]}`,
		"/api/v1/labels?match[]=jobs_done_total":                                                  `200 {"status":"success","data":["__name__","instance","job","queue"]}`,
		"/api/v1/labels?match[]=jobs_done_total&limit=2":                                          `200 {"status":"success","data":["__name__","instance"],"warnings":["results truncated due to limit"]}`,
		"/api/v1/metadata?metric=jobs_done_total":                                                 `200 {"status":"success","data":{"jobs_done_total":[{"type":"counter","help":"about this","unit":"1"}]}}`,
		"/api/v1/metadata?metric=http_server_request_duration_seconds":                            `200 {"status":"success","data":{"http_server_request_duration_seconds":[{"type":"histogram","help":"about this","unit":"s"}]}}`,
		"/api/v1/format_query?query=sum(rate(a[5m]))by(b)":                                        `200 {"status":"success","data":"sum by (b) (rate(a[5m]))"}`,
		"/api/v1/parse_query?query=1":                                                             `200 {"status":"success","data":{"type":"numberLiteral","val":"1"}}`,
		"/api/v1/query_exemplars?query=rw&start=1&end=2":                                          `200 {"status":"success","data":[]}`,
		"/api/v1/rules":   `200 {"status":"success","data":{"groups":[]}}`,
		"/api/v1/alerts":  `200 {"status":"success","data":{"alerts":[]}}`,
		"/api/v1/nothing": `404 {"status":"error","errorType":"not_found","error":"there is nothing at /prometheus/api/v1/nothing"}`,
		"/api/v1/query?query=rate(cpu_utilization_ratio[5m])&time=" + sec: `200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{"instance":"pod-1","job":"shop/checkout"},"value":[` + sec + `,"0"]}]},"infos":["PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"cpu_utilization_ratio\" (1:6)"]}`,
		"/api/v1/query?query=quantile(2,jobs_done_total)&time=" + sec:     `200 {"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[` + sec + `,"+Inf"]}]},"warnings":["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]}`,
	} {
		u, query, _ := strings.Cut(path, "?")
		values, _ := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B"))
		code, body := get(t, e, u+"?"+values.Encode(), nil)
		if diff := cmp.Diff(want, fmt.Sprint(code, " ", body)); diff != "" {
			t.Errorf("GET %s (-want +got):\n%s", path, diff)
		}
		if strings.Contains(path, "/query") {
			if code2, body2 := get(t, e, u, values); code2 != code || body2 != body {
				t.Errorf("POST %s answers %d %s", path, code2, body2)
			}
		}
	}
}

func TestStatisticsOnRequest(t *testing.T) {
	e, conn := open(t, Options{})
	shop(t, conn)
	_, body := get(t, e, "/api/v1/query", url.Values{"query": {"jobs_done_total"}, "time": {fmt.Sprint(noon.Unix())}, "stats": {"all"}})
	var a struct {
		Data struct {
			Stats struct {
				Samples struct {
					TotalQueryableSamples int `json:"totalQueryableSamples"`
				} `json:"samples"`
			} `json:"stats"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || a.Data.Stats.Samples.TotalQueryableSamples != 1 {
		t.Errorf("%v: %s", err, body)
	}
}

func TestGrantedTime(t *testing.T) {
	e, conn := open(t, Options{})
	shop(t, conn)
	code, body := get(t, e, "/api/v1/query", url.Values{"query": {"jobs_done_total"}, "timeout": {"0.000001"}})
	if code != http.StatusServiceUnavailable || !strings.Contains(body, `"errorType":"timeout"`) || !strings.Contains(body, "query timed out in") {
		t.Errorf("%d %s", code, body)
	}
}

// A client that goes away ends its question and is no failure of ours.
func TestCancelledQuestion(t *testing.T) {
	e, conn := open(t, Options{})
	shop(t, conn)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/prometheus/api/v1/query?query=jobs_done_total", nil).WithContext(ctx))
	if w.Code != statusClientGone || !strings.Contains(w.Body.String(), `"errorType":"canceled"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestStatusEndpoints(t *testing.T) {
	e, conn := open(t, Options{Flags: map[string]string{"query.timeout": "2m0s"}})
	shop(t, conn)
	for path, want := range map[string]string{
		"/api/v1/status/buildinfo": `"version":"` + emulated, "/api/v1/status/runtimeinfo": `"reloadConfigSuccess":true`, "/api/v1/status/config": `"yaml":`,
		"/api/v1/status/flags": `"query.timeout":"2m0s"`, "/api/v1/status/tsdb": `"seriesCountByMetricName":[{"name":`, "/api/v1/targets": `"activeTargets":[`,
		"/api/v1/scrape_pools": `"shop/checkout"`, "/api/v1/targets/metadata?metric=jobs_done_total": `"type":"counter"`, "/api/v1/alertmanagers": `"activeAlertmanagers":[]`, "/api/v1/features": `"promql":`,
	} {
		if code, body := get(t, e, path, nil); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}
