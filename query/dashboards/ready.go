package dashboards

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed ready/*.json
var readyFiles embed.FS

// readyMade reads the dashboards that come with the product: their file's name is their id.
func readyMade() (map[string]Dashboard, error) {
	entries, err := readyFiles.ReadDir("ready")
	if err != nil {
		return nil, fmt.Errorf("read the ready-made dashboards: %w", err)
	}
	all := map[string]Dashboard{}
	for _, e := range entries {
		b, err := readyFiles.ReadFile("ready/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("read the ready-made dashboard %s: %w", e.Name(), err)
		}
		var d Dashboard
		if err := json.Unmarshal(b, &d); err != nil {
			return nil, fmt.Errorf("read the ready-made dashboard %s: %w", e.Name(), err)
		}
		d.ID, d.ReadyMade, d.Version = strings.TrimSuffix(e.Name(), ".json"), true, 0
		if err := d.Check(); err != nil {
			return nil, fmt.Errorf("the ready-made dashboard %s: %w", e.Name(), err)
		}
		all[d.ID] = d
	}
	return all, nil
}
