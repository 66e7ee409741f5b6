package store

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	const text = `-- a comment; with a semicolon;
CREATE TABLE IF NOT EXISTS {{table "spans"}} (a UInt8) -- why
ENGINE = {{engine "ReplacingMergeTree" "a"}}
ORDER BY a;
{{distributed "spans" "a"}}
CREATE MATERIALIZED VIEW {{view "v"}} TO {{local "spans"}} AS SELECT ';' FROM {{local "spans"}};`
	single, err := render(text, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"CREATE TABLE IF NOT EXISTS spans (a UInt8) -- why\nENGINE = ReplacingMergeTree(a)\nORDER BY a",
		"CREATE MATERIALIZED VIEW v TO spans AS SELECT ';' FROM spans",
	}, single); diff != "" {
		t.Errorf("on a server (-want +got):\n%s", diff)
	}
	cluster, err := render(text, "c")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"CREATE TABLE IF NOT EXISTS spans_local ON CLUSTER `c` (a UInt8) -- why\nENGINE = ReplicatedReplacingMergeTree(a)\nORDER BY a",
		"CREATE TABLE IF NOT EXISTS spans ON CLUSTER `c` AS spans_local ENGINE = Distributed(`c`, currentDatabase(), spans_local, a)",
		"CREATE MATERIALIZED VIEW v ON CLUSTER `c` TO spans_local AS SELECT ';' FROM spans_local",
	}, cluster); diff != "" {
		t.Errorf("on a cluster (-want +got):\n%s", diff)
	}
}

func TestOldServersAreRefused(t *testing.T) {
	for v, want := range map[[3]uint64]bool{
		{25, 8, 9}: true, {26, 3, 16}: true, {26, 3, 17}: false, {26, 3, 30}: false, {26, 4, 1}: true,
		{26, 7, 1}: true, {26, 7, 2}: false, {26, 8, 1}: false, {27, 1, 1}: false,
	} {
		if got := old(v); got != want {
			t.Errorf("old(%v) = %v, want %v", v, got, want)
		}
	}
}

func TestPasswordsStayOutOfErrors(t *testing.T) {
	for _, dsn := range []string{"tcp://h:9000?username=u&password=sesame&secure=maybe", "tcp://u:sesame@h:port/x"} {
		if _, err := parse(dsn); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("parse(%s): %v", dsn, err)
		}
	}
}
