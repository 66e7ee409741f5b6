package filter

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Node{
		"":                    And{},
		"  ":                  And{},
		"service:checkout":    Term{"service", "=", "checkout", false, 0},
		"duration>500ms":      Term{"duration", ">", "500ms", false, 0},
		"duration:>=1.5s":     Term{"duration", ">=", "1.5s", false, 0},
		"url.path:/a/*":       Term{"url.path", "=", "/a/*", true, 0},
		`url.path:"/a/*"`:     Term{"url.path", "=", "/a/*", false, 0},
		`name:"GET \"x\" \\"`: Term{"name", "=", `GET "x" \`, false, 0},
		"has:db.statement":    Term{"db.statement", "has", "", false, 0},
		"status!=error":       Not{Term{"status", "=", "error", false, 0}},
		"-status:error":       Not{Term{"status", "=", "error", false, 1}},
		"NOT status:error":    Not{Term{"status", "=", "error", false, 4}},
		"--a":                 Text{"--a", 0},
		"a b":                 And{Text{"a", 0}, Text{"b", 2}},
		"a AND b":             And{Text{"a", 0}, Text{"b", 6}},
		"a OR b c":            Or{Text{"a", 0}, And{Text{"b", 5}, Text{"c", 7}}},
		"(a OR b) c":          And{Or{Text{"a", 1}, Text{"b", 6}}, Text{"c", 9}},
		"-(a b)":              Not{And{Text{"a", 2}, Text{"b", 4}}},
		`"free text"`:         Text{"free text", 0},
		"ORDER":               Text{"ORDER", 0},
		"http://x":            Term{"http", "=", "//x", false, 0},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseErrorsNameTheirPlace(t *testing.T) {
	for text, want := range map[string]int{
		"a (b": 2, "a)": 1, "a OR": 2, "OR a": 0, `x:"abc`: 2, "x:": 2, ":x": 0, "a OR OR b": 2, "=": 0, "a (": 2,
	} {
		_, err := Parse(text)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%q: error %v", text, err)
		} else if e.Pos != want {
			t.Errorf("%q: %v, want it at %d", text, e, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"service:checkout duration>500ms", `-(a OR "b\"c") has:x`, "((((", "a:>=", "NOT NOT a", "é:\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := Parse(text)
		var e *Error
		switch {
		case err == nil && n == nil:
			t.Error("neither a tree nor an error")
		case err != nil && (!errors.As(err, &e) || e.Pos < 0 || e.Pos > max(len(text), maxLength)):
			t.Errorf("error %v", err)
		}
	})
}
