package watch

import (
	"testing"
	"time"
)

func TestWhatAServiceIsKnownBy(t *testing.T) {
	p := newPlant(t)
	p.run(10*time.Minute, gear{})
	w := &Watch{o: Options{Now: func() time.Time { return time.Unix(p.now, 0) }}, beside: &beside{meters: p.meters}}
	got := w.WatchedOf("orders", "")
	want := []string{"process.cpu.utilization 1", "cache.hits 1", "process_cpu_seconds_total {cpu}", "db.client.connections.wait_time s", "db.client.connection.count {connection}", "kafka.consumer_group.lag {message}"}
	found := map[string]Watched{}
	for _, m := range got {
		found[m.Metric+" "+m.Unit] = m
	}
	if len(got) != len(want) {
		t.Fatalf("%d metrics, want %d: %+v", len(got), len(want), got)
	}
	for _, name := range want {
		if _, ok := found[name]; !ok {
			t.Errorf("%s is missing of %+v", name, got)
		}
	}
	if got[0].Unit != "1" || got[len(got)-1].Unit[0] != '{' {
		t.Errorf("shares are not first, counts not last: %+v", got)
	}
	if m := found["db.client.connection.count {connection}"]; m.Label != "main" || m.What != "connections in use" || m.Env != "prod" {
		t.Errorf("the pool is %+v", m)
	}
	if list := w.WatchedOf("orders", "test"); len(list) != 0 {
		t.Errorf("of an environment without it: %+v", list)
	}
	if list := (&Watch{}).WatchedOf("orders", ""); list == nil || len(list) != 0 {
		t.Errorf("before anything was learned: %v", list)
	}
}
