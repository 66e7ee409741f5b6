package mesh

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/otlpsink"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCallExpandsItsRoute(t *testing.T) {
	f := func(want, route string, path ...any) {
		t.Helper()
		if got := (Call{Route: route, Path: path}).expand(); got != want {
			t.Errorf("%s with %v is %q, want %q", route, path, got, want)
		}
	}
	f("/products", "/products")
	f("/products/17", "/products/{id}", 17)
	f("/carts/user%2F7/items", "/carts/{id}/items", "user/7")
	f("/a/1/b/2", "/a/{x}/b/{y}", 1, 2)
}

func newMesh(t *testing.T) *Mesh {
	t.Helper()
	sink := otlpsink.Start(t)
	link, err := telemetry.Dial(sink.Address)
	if err != nil {
		t.Fatal(err)
	}
	m := New(link, telemetry.Options{BatchTimeout: 10 * time.Millisecond, MetricInterval: time.Hour})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
		link.Close()
	})
	return m
}

func start(t *testing.T, m *Mesh, service, version string, build func(*Instance)) *Instance {
	t.Helper()
	inst, err := m.Start(t.Context(), telemetry.Identity{Service: service, Version: version}, func(_ context.Context, i *Instance) error {
		build(i)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return inst
}

func TestRefusalsTravelAndFailuresBecomeBadGateway(t *testing.T) {
	m := newMesh(t)
	start(t, m, "backend", "1", func(i *Instance) {
		i.Handle("GET /fine", func(*http.Request) (any, error) { return map[string]int{"n": 7}, nil })
		i.Handle("GET /missing", func(*http.Request) (any, error) { return nil, Fail(http.StatusNotFound, "not here") })
		i.Handle("GET /broken", func(*http.Request) (any, error) { return nil, errors.New("secret inside") })
	})
	caller := start(t, m, "caller", "1", func(*Instance) {})

	var fine struct{ N int }
	if err := caller.Do(t.Context(), Call{Service: "backend", Route: "/fine"}, &fine); err != nil || fine.N != 7 {
		t.Errorf("GET /fine: %+v, %v", fine, err)
	}
	for _, c := range []struct {
		service, route string
		status         int
		message        string
	}{
		{"backend", "/missing", 404, "not here"},
		{"backend", "/broken", 502, "backend answered 500: internal error"},
		{"nobody", "/", 502, "nobody is not available: no instance of nobody is running"},
	} {
		err := caller.Do(t.Context(), Call{Service: c.service, Route: c.route}, nil)
		var failure *Error
		if !errors.As(err, &failure) || failure.Status != c.status || err.Error() != c.message {
			t.Errorf("%s%s: %v, want %d %q", c.service, c.route, err, c.status, c.message)
		}
	}
	if totals := m.Totals(); totals != (Totals{Requests: 3, Errors: 1}) {
		t.Errorf("totals %+v", totals)
	}
}

func TestPickTakesTurnsAmongThoseThatRun(t *testing.T) {
	m := newMesh(t)
	first := start(t, m, "backend", "1", func(*Instance) {})
	start(t, m, "backend", "2", func(*Instance) {})
	turns := func() (picked string) {
		for range 4 {
			inst, err := m.Pick("backend")
			if err != nil {
				t.Fatal(err)
			}
			picked += inst.Version
		}
		return picked
	}
	if got := turns(); got != "1212" && got != "2121" {
		t.Errorf("picked %s", got)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := turns(); got != "2222" {
		t.Errorf("after the first one stopped, picked %s", got)
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Errorf("stopping twice: %v", err)
	}
}
