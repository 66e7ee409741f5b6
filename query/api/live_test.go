package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

func TestLiveProfileSeries(t *testing.T) {
	s, conn := serve(t, nil)
	evaluate := Evaluate(query.New(conn, query.Options{}), nil, nil, nil)
	ask := func(q string) (*query.ProfileSeries, time.Duration, error) {
		a, err := evaluate(t.Context(), json.RawMessage(q), "now-1h", time.Time{})
		series, _ := a.Data.(*query.ProfileSeries)
		return series, a.Every, err
	}
	live, every, err := ask(`{"kind":"profile_series","service":"a/b","members":3}`)
	if err != nil || every <= 0 {
		t.Fatalf("asked again after %s, %v", every, err)
	}
	var asked query.ProfileSeries
	_, b := fetch(t, "GET", s.URL+"/api/v1/profiles/series?service=a/b&members=3&from=now-1h", "")
	if err := json.Unmarshal(b, &asked); err != nil {
		t.Fatal(err)
	}
	if len(live.Series) != 2 || live.Series[0].Name != "main.work" || live.Unit != asked.Unit || len(live.Series) != len(asked.Series) || live.Range.StepMS != asked.Range.StepMS {
		t.Errorf("live %+v, asked %s", live, b)
	}
	if none, _, err := ask(`{"kind":"profile_series","service":"a/b","label":["region:mars"]}`); err != nil || len(none.Series) > 1 {
		t.Errorf("a label that nothing has: %+v %v", none, err)
	}
	for _, q := range []string{`{"kind":"profile_series"}`, `{"kind":"profile_series","service":"a/b","label":["mars"]}`, `{"kind":"profile_series","service":"a/b","members":51}`, `{"kind":"profile_series","service":"unheard"}`} {
		if _, _, err := ask(q); err == nil {
			t.Errorf("%s has an answer", q)
		}
	}
}
