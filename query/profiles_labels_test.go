package query

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/pprof/profile"
)

func TestProfileLabels(t *testing.T) {
	p := newProfiled(t)
	begin := time.Now().Truncate(time.Minute).Add(-20 * time.Minute)
	for i := range 3 {
		q, err := profile.ParseUncompressed(made(t, map[string]int64{"main.run;main.order": 10, "main.run;main.cart": 20}))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range q.Sample { // the function on top of the stack is the endpoint
			s.Label = map[string][]string{"endpoint": {s.Location[0].Line[0].Function.Name}}
		}
		var b bytes.Buffer
		if err := q.Write(&b); err != nil {
			t.Fatal(err)
		}
		params := fmt.Sprintf("service=shop&type=cpu&from=%d&label.service.version=%d&label.cloud.region=eu", begin.Add(time.Duration(i)*time.Minute).UnixNano(), i/2+1)
		if code, answer := p.push(params, b.Bytes()); code != 200 {
			t.Fatal(answer)
		}
	}
	p.flush()
	got := func(s ProfileSelection) string {
		t.Helper()
		s.Service, s.Type = "shop", "cpu"
		a, err := p.db.ProfileLabels(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(a.Labels)
	}
	w := Window{begin, begin.Add(10 * time.Minute)}
	if s, want := got(ProfileSelection{Window: w}), "[{endpoint sample [{main.cart 3} {main.order 3}] false} {cloud.region resource [{eu 3}] false}]"; s != want {
		t.Errorf("%s\nwant %s", s, want)
	}
	if s, want := got(ProfileSelection{Window: w, Version: "2"}), "[{endpoint sample [{main.cart 1} {main.order 1}] false} {cloud.region resource [{eu 1}] false}]"; s != want {
		t.Errorf("of one version %s\nwant %s", s, want)
	}
	if s := got(ProfileSelection{Window: Window{begin.Add(-2 * time.Hour), begin.Add(-time.Hour)}}); s != "[]" {
		t.Errorf("of another time %s", s)
	}
	for env, fork := range map[string]int64{"production": 5, "staging": 70} {
		params := fmt.Sprintf("service=pay&type=cpu&from=%d&label.service.version=v-%s&env=ignored&label.env=%s", begin.UnixNano(), env, env)
		if code, answer := p.push(params, made(t, map[string]int64{"main.run;main.pay": fork})); code != 200 {
			t.Fatal(answer)
		}
	}
	p.flush()
	for env, want := range map[string]float64{"": 75, "production": 5, "staging": 70} {
		f, err := p.db.Flame(context.Background(), ProfileSelection{Window: w, Service: "pay", Type: "cpu", Env: env}, "", 0)
		if err != nil || f.Total != want {
			t.Errorf("of the environment %q: %+v %v, want %g", env, f, err, want)
		}
		if kinds, err := p.db.ProfileKinds(context.Background(), w, "pay", env); err != nil || len(kinds) != 1 || env != "" && fmt.Sprint(kinds[0].Versions) != "[v-"+env+"]" {
			t.Errorf("profiled in the environment %q: %+v %v", env, kinds, err)
		}
	}
	if kinds, err := p.db.ProfileKinds(context.Background(), w, "pay", "nowhere"); err != nil || len(kinds) != 0 {
		t.Errorf("profiled nowhere: %+v %v", kinds, err)
	}
	f, err := p.db.Flame(context.Background(), ProfileSelection{Window: w, Service: "shop", Type: "cpu", Labels: []ProfileLabel{{"endpoint", "main.cart"}}}, "", 0)
	if err != nil || f.Total != 60 {
		t.Errorf("of one endpoint %+v %v", f, err)
	}
}
