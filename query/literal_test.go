package query

import (
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func TestLiteralsReachTheStoreUnchanged(t *testing.T) {
	conn, _ := storetest.DB(t)
	db := New(conn, Options{})
	for _, s := range []string{"", "plain", `it's`, `back\slash`, `\'`, "tab\tline\nreturn\r", `"; DROP TABLE spans --`, "ünï€😀", "{x:String}", "?", "a%b", `\N`} {
		var one string
		var many []string
		err := db.each(t.Context(), "SELECT {s:String}, {l:Array(String)}", args{"s": s, "l": []string{s, "x"}}, func(r driver.Rows) error {
			return r.Scan(&one, &many)
		})
		if err != nil {
			t.Errorf("%q: %v", s, err)
		} else if one != s || len(many) != 2 || many[0] != s {
			t.Errorf("%q came back as %q and %q", s, one, many)
		}
	}
}
