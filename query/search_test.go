package query

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/tidemarkhq/tidemark/query/filter"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The condition that each search becomes, as a file that one can read and run.
func TestSearchSQL(t *testing.T) {
	known := map[string]where{"user.id": {item: true}, "cloud.region": {resource: true}, "both": {item: true, resource: true}}
	searches := map[string][]string{
		"traces": {"", "service:checkout status:error duration>500ms", "service:pay* OR -kind:client", `name:"GET /x" "free text"`, "trace:0123456789abcdef0123456789abcdef",
			"env:prod version:1.2 instance:pod-1", "root:true event:exception has:user.id", "user.id:7", "user.id:", "cloud.region:eu", "both:x", "resource.both:x", "unseen:x", "user.id>=500", "both<1.5",
			"user.id:a*_%", "-(user.id:7 OR status:ok)", "duration>=1.5s duration<=250", "status_message:boom*"},
		"logs": {"severity>=warn timeout", "severity:error", "level<=info", `"card was declined here"`, "body:refused", "body:*refused*", "order:7 has:trace", "event:login span:0123456789abcdef"},
	}
	for signal, list := range searches {
		fields := map[string]signalFields{"traces": spanFields, "logs": logFields}[signal]
		var b strings.Builder
		for _, q := range list {
			n, err := filter.Parse(q)
			if err != nil && q != "user.id:" {
				t.Fatal(err)
			}
			if err != nil {
				fmt.Fprintf(&b, "-- %s\n-- %s\n\n", q, err)
				continue
			}
			a := args{}
			sql, err := (&compiler{fields, a, known}).sql(n)
			if err != nil {
				t.Fatalf("%s: %v", q, err)
			}
			fmt.Fprintf(&b, "-- %s\n", q)
			names := make([]string, 0, len(a))
			for name := range a {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				fmt.Fprintf(&b, "--   %s = %q\n", name, literal(a[name]))
			}
			fmt.Fprintf(&b, "%s\n\n", sql)
		}
		golden(t, filepath.Join("testdata", "search_"+signal+".sql"), b.String())
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v: run go test ./query -update", err)
	}
	if string(want) != got {
		t.Errorf("%s is different; if that is meant, run go test ./query -update. Now:\n%s", path, got)
	}
}

// No search makes a value part of the statement: whatever the value, the text is the same.
func FuzzSearchBindsValues(f *testing.F) {
	for _, v := range []string{"x", "' OR 1=1 --", "{f0:String}", "\\", "`", "*", "a*b"} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if strings.Contains(v, "*") || v == "" {
			return
		}
		sqlOf := func(v string) string {
			s, err := (&compiler{spanFields, args{}, nil}).sql(filter.And{filter.Term{Key: v, Op: "=", Value: v}, filter.Text{Value: v}, filter.Term{Key: "name", Op: "=", Value: v}})
			if err != nil {
				return err.Error()
			}
			return s
		}
		if _, builtin, _ := spanFields.builtin(&compiler{spanFields, args{}, nil}, filter.Term{Key: v, Op: "=", Value: v}); builtin {
			return
		}
		if got := sqlOf(v); got != sqlOf("plain") {
			t.Errorf("%q becomes part of %s", v, got)
		}
	})
}
