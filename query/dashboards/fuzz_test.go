package dashboards

import (
	"os"
	"testing"
)

// Whatever is imported is refused, or can be drawn and imported again.
func FuzzRead(f *testing.F) {
	document, err := os.ReadFile("testdata/grafana.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(document)
	f.Add([]byte(`{"title":"Old","rows":[{"title":"First","panels":[{"type":"graph","span":6,"repeat":"x","targets":[{"expr":"up"}]}]}]}`))
	f.Add([]byte(`{"panels":[{"type":"stat","gridPos":{"x":-1,"w":99,"h":-5},"fieldConfig":{"defaults":{"decimals":-1,"thresholds":{"steps":[{"value":1},{"value":null}]}}}}]}`))
	f.Add([]byte(`{"dashboard":{"schemaVersion":"x","templating":{"list":[{"name":"a","type":"query","regex":"/(/"}]},"panels":[{"type":"row","panels":[{"type":"text"}]}]}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		in, err := Read(document)
		if err != nil {
			return
		}
		if err := in.Dashboard.Check(); err != nil {
			t.Errorf("what was taken cannot be stored: %v", err)
		}
		for _, n := range in.Notes {
			if n.Level != "changed" && n.Level != "lost" || n.Text == "" {
				t.Errorf("note %+v", n)
			}
		}
	})
}
