package store_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestCapsAreKept(t *testing.T) {
	conn, _ := storetest.DB(t)
	caps, err := store.LoadCaps(t.Context(), conn)
	if err != nil || !reflect.DeepEqual(caps, store.Caps{}) {
		t.Fatalf("before anybody set any: %+v, %v", caps, err)
	}
	want := store.Caps{Operations: 2000, SeriesOf: map[string]int{"http.server.request.duration": 50_000}}
	if err := store.SaveCaps(t.Context(), conn, want); err != nil {
		t.Fatal(err)
	}
	if got, err := store.LoadCaps(t.Context(), conn); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestCapsOutOfBoundsAreRefused(t *testing.T) {
	for text, caps := range map[string]store.Caps{
		"operations is -1":  {Operations: -1},
		"series is 1000001": {Series: 1_000_001},
		`values_of has 0`:   {ValuesOf: map[string]int{"user.id": 0}},
		"operations_of has": {OperationsOf: map[string]int{"": 5}},
	} {
		err := caps.Check()
		var bad *store.CapsError
		if !errors.As(err, &bad) || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("%+v: %v, want %q", caps, err, text)
		}
	}
}
