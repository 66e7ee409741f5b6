package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Caps bound how many names of a kind are kept apart. What exceeds them is folded, rejected or not offered, and
// counted. 0 stands for the configured cap.
type Caps struct {
	// Operations is how many span names a service has in the rollups; further ones are counted under "(other)".
	Operations int `json:"operations"`
	// Series is how many series a metric has; points of further ones are rejected.
	Series int `json:"series"`
	// Values is how many values of a key are offered for completion.
	Values int `json:"values"`
	// The exceptions, by service, metric and key.
	OperationsOf map[string]int `json:"operations_of"`
	SeriesOf     map[string]int `json:"series_of"`
	ValuesOf     map[string]int `json:"values_of"`
}

// MaxCaps are the greatest caps that can be set: what ingest can remember within a few hundred megabytes.
var MaxCaps = Caps{Operations: 100_000, Series: 1_000_000, Values: 100_000}

// maxExceptions is how many exceptions of each kind there may be.
const maxExceptions = 1000

// CapsError says which cap cannot be set.
type CapsError struct{ Field, Reason string }

func (e *CapsError) Error() string { return e.Field + " " + e.Reason }

// Check says why caps cannot be set.
func (c *Caps) Check() error {
	for _, f := range []struct {
		field    string
		cap, max int
		of       map[string]int
	}{
		{"operations", c.Operations, MaxCaps.Operations, c.OperationsOf},
		{"series", c.Series, MaxCaps.Series, c.SeriesOf},
		{"values", c.Values, MaxCaps.Values, c.ValuesOf},
	} {
		if f.cap < 0 || f.cap > f.max {
			return &CapsError{f.field, fmt.Sprintf("is %d: want 0 (as configured) to %d", f.cap, f.max)}
		}
		if len(f.of) > maxExceptions {
			return &CapsError{f.field + "_of", fmt.Sprintf("has %d exceptions: want at most %d", len(f.of), maxExceptions)}
		}
		for name, n := range f.of {
			if name == "" || n < 1 || n > f.max {
				return &CapsError{f.field + "_of", fmt.Sprintf("has %d for %q: want a name and 1 to %d", n, name, f.max)}
			}
		}
	}
	return nil
}

const capsSetting = "ingest.caps"

// LoadCaps reads the caps that somebody has set; zeroes where nobody has.
func LoadCaps(ctx context.Context, conn driver.Conn) (Caps, error) {
	var c Caps
	value, ok, err := Setting(ctx, conn, capsSetting)
	if err != nil || !ok {
		return c, err
	}
	if err := json.Unmarshal([]byte(value), &c); err != nil {
		return Caps{}, fmt.Errorf("read setting %s: %w", capsSetting, err)
	}
	return c, nil
}

// SaveCaps sets the caps. Processes that ingest take them over within seconds.
func SaveCaps(ctx context.Context, conn driver.Conn, c Caps) error {
	if err := c.Check(); err != nil {
		return err
	}
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return SetSetting(ctx, conn, capsSetting, string(b))
}
