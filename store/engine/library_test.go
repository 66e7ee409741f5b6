package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLibraryIsFoundOrSaysWhatToDo(t *testing.T) {
	there := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "nothing.so")
	for name, test := range map[string]struct{ given, env, want, err string }{
		"given":               {given: there, want: there},
		"by environment":      {env: there, want: there},
		"given before env":    {given: there, env: missing, want: there},
		"given, not there":    {given: missing, err: "the engine library " + missing + " is not there: correct --engine-lib"},
		"by env, not there":   {env: missing, err: "the engine library " + missing + " is not there"},
		"not beside the test": {err: "run `make build`, or use your own ClickHouse with --clickhouse-dsn"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(LibraryEnv, test.env)
			got, err := Library(test.given)
			if got != test.want {
				t.Errorf("Library = %q, want %q", got, test.want)
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("error %v, want … %s …", err, test.err)
			}
		})
	}
}
