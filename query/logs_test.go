package query

import (
	"testing"
	"time"
)

func TestLogSearch(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	for q, want := range map[string]int{
		"":                          600,
		"service:payment":           600,
		"severity>=warn":            30,
		"severity:error":            30,
		"severity<warn":             570,
		"level:info":                570,
		"declined":                  30,
		"DECLINED":                  30,
		`"card declined"`:           30,
		`"card declined: insuffic"`: 30,
		`"declined card"`:           0,
		"body:declined":             30,
		"-declined":                 570,
		"order:17":                  1,
		"order>=590":                10,
		"env:prod":                  600,
		"env:staging":               0,
		"cloud.region:eu":           600,
		"has:trace":                 600,
		"has:missing":               0,
		"funds insufficient":        30,
		"insufficien":               30,
	} {
		ans, err := db.Logs(t.Context(), last(10*time.Minute+time.Second), q, "", "", 1000)
		if err != nil {
			t.Errorf("%s: %v", q, err)
		} else if len(ans.Logs) != want {
			t.Errorf("%s: %d records, want %d", q, len(ans.Logs), want)
		}
	}
}

func TestLogPages(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	exec(t, conn, `INSERT INTO logs (ts, observed_ts, service, body) SELECT toDateTime64('`+noon.Format("2006-01-02 15:04:05")+`', 9, 'UTC') - INTERVAL 90 SECOND AS t, t, 'burst', toString(number) FROM numbers(25)`)
	for _, order := range []string{"newest", "oldest"} {
		seen, after, before := map[string]bool{}, "", ""
		for range 200 {
			ans, err := db.Logs(t.Context(), last(11*time.Minute), "", order, after, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range ans.Logs {
				if seen[l.ID] {
					t.Fatalf("%s: record %s twice", order, l.ID)
				}
				seen[l.ID] = true
				if before != "" && (order == "newest" && l.TS > before || order == "oldest" && l.TS < before) {
					t.Fatalf("%s: %s comes after %s", order, l.TS, before)
				}
				before = l.TS
			}
			if ans.NextCursor == nil {
				break
			}
			after = *ans.NextCursor
		}
		if len(seen) != 625 {
			t.Errorf("%s: %d records, want 625", order, len(seen))
		}
	}
}

func TestLogRecord(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	ans, err := db.Logs(t.Context(), last(10*time.Minute), "order:20", "", "", 10)
	if err != nil || len(ans.Logs) != 1 {
		t.Fatalf("%+v, %v", ans, err)
	}
	l := ans.Logs[0]
	if l.Severity != 17 || l.SeverityText != "ERROR" || len(l.TraceID) != 32 || len(l.SpanID) != 16 || l.Resource["cloud.region"] != "eu" || l.Attributes[0] != (Attr{"order", "20", "int"}) {
		t.Errorf("%+v", l)
	}
}

func TestLogsHistogramAndFacets(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	h, err := db.LogsHistogram(t.Context(), last(10*time.Minute), "")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]uint64{}
	for _, s := range h.Series {
		for _, n := range s.Counts {
			sums[s.Severity] += n
		}
	}
	if sums["error"] != 30 || sums["info"] != 570 || len(sums) != 2 {
		t.Errorf("%v", sums)
	}
	f, err := db.LogsFacets(t.Context(), last(10*time.Minute), "severity:error")
	if err != nil || f.Total != 30 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestFields(t *testing.T) {
	db, conn := open(t)
	shop(t, conn)
	keys := func(signal, prefix string) map[string]string {
		ans, err := db.Fields(t.Context(), signal, prefix)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, f := range ans.Fields {
			out[f.Key] = f.Kind
		}
		return out
	}
	if k := keys("traces", ""); k["duration"] != "builtin" || k["http.route"] != "attribute" || k["cloud.region"] != "resource" {
		t.Errorf("%v", k)
	}
	if k := keys("logs", "ord"); k["order"] != "attribute" || len(k) != 1 {
		t.Errorf("%v", k)
	}
	for _, c := range []struct {
		key, prefix string
		want        int
		more        bool
	}{{"status", "", 3, false}, {"service", "", 2, false}, {"service", "pay", 1, false}, {"name", "", 2, false}, {"version", "", 2, false}, {"instance", "pod", 3, false},
		{"cloud.region", "", 2, false}, {"user.id", "", 0, true}, {"amount", "", 50, true}, {"http.route", "ca", 1, false}} {
		ans, err := db.FieldValues(t.Context(), last(10*time.Minute), "traces", c.key, c.prefix)
		if err != nil {
			t.Errorf("%s: %v", c.key, err)
		} else if len(ans.Values) != c.want || ans.More != c.more {
			t.Errorf("%s %q: %d values, more %v; want %d, %v", c.key, c.prefix, len(ans.Values), ans.More, c.want, c.more)
		}
	}
}

func TestNothingStored(t *testing.T) {
	db, _ := open(t)
	w := last(time.Hour)
	if has, _, err := db.HasData(t.Context()); has || err != nil {
		t.Errorf("has data: %v, %v", has, err)
	}
	for name, ask := range map[string]func() error{
		"services":  func() error { _, err := db.Services(t.Context(), w, ""); return err },
		"map":       func() error { _, err := db.Map(t.Context(), w, "", "", 0); return err },
		"red":       func() error { _, err := db.Red(t.Context(), w, Selection{}, "service", 0); return err },
		"heatmap":   func() error { _, err := db.Heatmap(t.Context(), w, Selection{}); return err },
		"traces":    func() error { _, err := db.Traces(t.Context(), w, "a:b", "", "", 0); return err },
		"theatmap":  func() error { _, err := db.TracesHeatmap(t.Context(), w, ""); return err },
		"facets":    func() error { _, err := db.TracesFacets(t.Context(), w, ""); return err },
		"compare":   func() error { _, err := db.Compare(t.Context(), w, w, "", 0, 1); return err },
		"usual":     func() error { _, err := db.Usual(t.Context(), "a", "b", "", "", 1); return err },
		"errors":    func() error { _, err := db.Errors(t.Context(), w, "a", ""); return err },
		"logs":      func() error { _, err := db.Logs(t.Context(), w, "x", "", "", 0); return err },
		"histogram": func() error { _, err := db.LogsHistogram(t.Context(), w, ""); return err },
		"metrics":   func() error { _, err := db.Metrics(t.Context(), w, "", ""); return err },
		"envs":      func() error { _, err := db.Environments(t.Context()); return err },
	} {
		if err := ask(); err != nil {
			t.Errorf("%s of an empty store: %v", name, err)
		}
	}
}
