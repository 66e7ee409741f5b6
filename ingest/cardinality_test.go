package ingest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemarkhq/tidemark/store"
)

func TestHyperLogLogIsWithinTenPercent(t *testing.T) {
	for _, n := range []int{0, 1, 10, 1000, 3000, 6000, 100_000, 1_000_000} {
		var h hyperLogLog
		for i := range n {
			for range 2 { // repetitions do not count
				h.add(xxhash.Sum64String(fmt.Sprint("name-", i)))
			}
		}
		if got := h.count(); math.Abs(float64(got)-float64(n)) > 0.1*float64(n) {
			t.Errorf("%d distinct names counted as %d", n, got)
		}
	}
}

// batchOf is spans of one service, one for each name.
func batchOf(service string, names ...string) (*spanColumns, []uint32) {
	c := newSpanColumns()
	id := c.resources.id(newResource([]keyValue{{key: "service.name", value: service, typ: typeString}}))
	var perm []uint32
	for i, name := range names {
		c.resource = append(c.resource, id)
		c.name = append(c.name, c.names.idString(name))
		perm = append(perm, uint32(i))
	}
	return c, perm
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

func TestOperationsFoldBeyondTheCapUntilItIsRaised(t *testing.T) {
	caps := newCaps(Limits{Operations: 10})
	caps.set(store.Caps{OperationsOf: map[string]int{"gateway": 3}})
	o := newOperations(caps)

	if folded := o.fold(batchOf("shop", numbered("GET /", 10)...)); folded != nil {
		t.Fatalf("ten of ten names folded: %v", folded)
	}
	if folded := o.fold(batchOf("shop", append(numbered("GET /", 10), numbered("POST /", 200)...)...)); len(folded) != 200 {
		t.Errorf("%d names folded, want the 200 beyond the cap", len(folded))
	}
	if folded := o.fold(batchOf("gateway", numbered("GET /", 5)...)); len(folded) != 2 {
		t.Errorf("%d names of gateway folded, want 2 beyond its own cap", len(folded))
	}
	shop := find(t, o.cardinality(), "shop")
	if shop.Kept != 10 || shop.Cap != 10 || shop.Times != 200 || len(shop.Sample) != overflowSample || shop.Last.IsZero() {
		t.Errorf("shop is described as %+v", shop)
	}
	if shop.Beyond < 180 || shop.Beyond > 220 {
		t.Errorf("about %d names beyond the cap, want 200", shop.Beyond)
	}
	if n := o.counts()["gateway"]; n != 2 {
		t.Errorf("%d spans of gateway counted as folded, want 2", n)
	}

	caps.set(store.Caps{Operations: 500})
	if folded := o.fold(batchOf("shop", numbered("POST /", 200)...)); folded != nil {
		t.Errorf("%d names folded after the cap was raised", len(folded))
	}
}

func TestIdleOperationsGiveTheirPlacesFree(t *testing.T) {
	o := newOperations(newCaps(Limits{Operations: 2}))
	o.fold(batchOf("shop", "old", "GET /"))
	o.services["shop"].names["old"] -= operationIdle + 1
	if folded := o.fold(batchOf("shop", "GET /", "new")); folded != nil {
		t.Errorf("folded %v, want the new name in the place of the old one", folded)
	}
}

func TestServicesBeyondTheirBoundFoldWhole(t *testing.T) {
	o := newOperations(newCaps(Limits{Operations: 10}))
	for i := range maxOperationServices {
		o.services[fmt.Sprint(i)] = &operationSet{}
	}
	if folded := o.fold(batchOf("one more", "GET /")); len(folded) != 1 {
		t.Errorf("folded %v, want the name", folded)
	}
	if n := o.counts()[foldedOperation]; n != 1 {
		t.Errorf("%d spans counted, want 1", n)
	}
}

func seriesOf(metric string, i int) *seriesInfo {
	attrs := []keyValue{{key: "route", value: fmt.Sprint("/", i), typ: typeString}}
	return &seriesInfo{name: metric, attributes: attrs, fingerprint: fingerprint(metric, attrs), resource: newResource(nil)}
}

func TestSeriesBeyondTheCapAreDescribed(t *testing.T) {
	c, limits := newSeriesCache(1000), newCaps(Limits{Series: 5})
	put := func(i int, sec int64) bool {
		s := seriesOf("requests", i)
		kept := c.put(uint64(i), s, limits.series("requests"), sec)
		if kept != nil {
			kept.due(sec)
		}
		return kept != nil
	}
	for i := range 8 {
		if put(i, 1000) != (i < 5) {
			t.Errorf("series %d: kept %v", i, i >= 5)
		}
	}
	put(7, 1000)
	x := find(t, c.cardinality(limits), "requests")
	if x.Kept != 5 || x.Beyond != 3 || x.Times != 4 || !slices.Contains(x.Sample, `unknown_service {route="/7"}`) {
		t.Errorf("described as %+v", x)
	}
	limits.set(store.Caps{SeriesOf: map[string]int{"requests": 6}})
	if !put(7, 1000) || put(8, 1000) {
		t.Error("one more series was to be kept after its metric got an exception")
	}
	c.swept = c.swept.Add(-seriesSweepEvery)
	if !put(8, 1000+seriesIdle+1) {
		t.Error("a new series finds no place although all others are idle")
	}
}

func TestValuesBeyondTheCapAreMarkedOnceAnHour(t *testing.T) {
	limits := newCaps(Limits{Values: 3})
	v := newValueSeen(limits)
	see := func(now int64, values ...string) []valueRow {
		var rows []valueRow
		for _, value := range values {
			rows = v.list("logs", []keyValue{{key: "user", value: value}}, now, rows)
		}
		return rows
	}
	got := see(0, "a", "b", "b", "c", "d", "e", "d")
	want := []valueRow{{"logs", "user", "a"}, {"logs", "user", "b"}, {"logs", "user", "c"}, {"logs", "user", ""}}
	if !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	x := find(t, v.cardinality(), "user")
	if x.Kept != 3 || x.Beyond != 2 || x.Times != 3 || !slices.Equal(x.Sample, []string{"d", "e"}) {
		t.Errorf("described as %+v", x)
	}
	limits.set(store.Caps{ValuesOf: map[string]int{"user": 4}})
	if got := see(1, "d", "e"); !slices.Equal(got, []valueRow{{"logs", "user", "d"}}) {
		t.Errorf("after the cap was raised by one: %v", got)
	}
	see(3600, "a")
	if x := find(t, v.cardinality(), "user"); x.Kept != 4 || x.Beyond != 2 || v.total != 1 {
		t.Errorf("in the next hour: %+v, %d hashes", x, v.total)
	}
}

func find(t *testing.T, list []Cardinality, name string) Cardinality {
	t.Helper()
	for _, c := range fullest(list) {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("%s is not among %v", name, list)
	return Cardinality{}
}
