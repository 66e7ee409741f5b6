package query

import (
	"slices"
	"testing"
)

func TestHistogramsFromText(t *testing.T) {
	var s histogramSlab
	first, _, err := s.parse("{5:6}")
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * slabSize { // more than one piece of memory
		b, n, err := s.parse("{-3:1,0:20,768:18446744073709551615}")
		if err != nil || !slices.Equal(b, []int16{-3, 0, 768}) || !slices.Equal(n, []uint64{1, 20, 1<<64 - 1}) {
			t.Fatal(b, n, err)
		}
	}
	if !slices.Equal(first, []int16{5}) {
		t.Errorf("the first became %v", first)
	}
	if b, n, err := s.parse("{}"); err != nil || len(b)+len(n) > 0 {
		t.Error(b, n, err)
	}
	for _, bad := range []string{"", "{", "[1]", "{1}", "{1:}", "{:1}", "{1:2,}", "{1:2;3:4}", "{a:1}", "{1:2", "{-:1}"} {
		if b, n, err := s.parse(bad); err == nil {
			t.Errorf("%q is taken for %v %v", bad, b, n)
		}
	}
}
