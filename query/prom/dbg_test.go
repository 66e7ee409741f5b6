package prom
import ("testing";"math/rand/v2";"time";"math")
func TestDbg(t *testing.T) {
	e, conn := open(t, Options{})
	w := &written{Engine: e, conn: conn}
	d := dice{rand.New(rand.NewPCG(7, 11))}
	d.fill(t, w)
	at := time.UnixMilli(1795216120484)
	st := time.UnixMilli(1795215572484+0)
	for _, q := range []string{`rate(temperature{instance="0", job="a", zone="0"}[5m] offset 7m)`, `resets(requests_total{instance="0", job="a", zone="0"}[2m30s] offset 7m)`, `temperature{instance="0", job="a", zone="0"}[5m] offset 7m`} {
		for _, f := range []int64{0, math.MaxInt64} {
			e.pushFrom = f
			if q[0] == 't' { a, err := e.ask(q, at, at, 0); t.Log(a, err); continue }
			a, err := e.ask(q, st, at.Add(137*time.Second), 137*time.Second)
			t.Log(q, f, a, err)
		}
	}
}
