package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ProfileLabels is what profiles of a service can be narrowed by.
type ProfileLabels struct {
	Range  Range          `json:"range"` // that was looked at: the newest hours of the selection
	Labels []LabelChoices `json:"labels"`
}

// LabelChoices is a label and its most frequent values.
type LabelChoices struct {
	Key    string       `json:"key"`
	Source string       `json:"source"` // sample: labels within profiles; resource: attributes of the process
	Values []LabelValue `json:"values"`
	More   bool         `json:"more"` // there are further values
}

// LabelValue is a value and how often it was seen: samples, or profiles of the process.
type LabelValue struct {
	Value string `json:"value"`
	Count uint64 `json:"count"`
}

// Choices of labels are looked for in the newest labelHours of a selection, and bounded to what a person reads.
const (
	labelHours  = 6 * time.Hour
	labelKeys   = 40
	labelValues = 50
)

// ProfileLabels lists the labels of the selected profiles. Version and instance, which selections have by name, are
// not among them.
func (db *DB) ProfileLabels(ctx context.Context, s ProfileSelection) (*ProfileLabels, error) {
	if s.To.Sub(s.From) > labelHours {
		s.From = s.To.Add(-labelHours)
	}
	a := args{"values": labelValues + 1, "keys": labelKeys * (labelValues + 1)}
	cond := s.conditions(a)
	out := &ProfileLabels{Labels: []LabelChoices{}, Range: Range{FromMS: s.From.UnixMilli(), ToMS: s.To.UnixMilli(), StepMS: max(1, s.To.Sub(s.From).Milliseconds()),
		CompleteToMS: min(s.To.UnixMilli(), db.o.Now().UnixMilli()), NowMS: db.o.Now().UnixMilli(), Resolution: "raw"}}
	samples := fmt.Sprintf(`SELECT k, v, sum(samples) AS n FROM (SELECT label.key, label.value, length(stacks) AS samples FROM profile_values WHERE %s AND notEmpty(label.key))
ARRAY JOIN label.key AS k, label.value AS v WHERE v != '' GROUP BY k, v ORDER BY k, n DESC, v LIMIT {values:UInt64} BY k LIMIT {keys:UInt64}`, cond)
	resources := fmt.Sprintf(`SELECT k, v, sum(p.n) AS n FROM (SELECT resource, count() AS n FROM profiles WHERE %s GROUP BY resource) AS p
INNER JOIN (SELECT fingerprint, anyLast(attributes) AS attributes FROM resources WHERE service = {service:String} GROUP BY fingerprint) AS r ON r.fingerprint = p.resource
ARRAY JOIN mapKeys(attributes) AS k, mapValues(attributes) AS v
WHERE k NOT IN ('service.name', 'service.version', 'service.instance.id') AND v != '' GROUP BY k, v ORDER BY k, n DESC, v LIMIT {values:UInt64} BY k LIMIT {keys:UInt64}`, cond)
	for source, sql := range map[string]string{"sample": samples, "resource": resources} {
		if err := db.each(ctx, sql, a, out.scan(source)); err != nil {
			return nil, err
		}
	}
	out.order()
	return out, nil
}

// scan collects rows of key, value and count, ordered by key.
func (out *ProfileLabels) scan(source string) func(driver.Rows) error {
	return func(rows driver.Rows) error {
		var key string
		var v LabelValue
		if err := rows.Scan(&key, &v.Value, &v.Count); err != nil {
			return err
		}
		n := len(out.Labels)
		if n == 0 || out.Labels[n-1].Key != key || out.Labels[n-1].Source != source {
			out.Labels = append(out.Labels, LabelChoices{Key: key, Source: source, Values: []LabelValue{}})
			n++
		}
		l := &out.Labels[n-1]
		if len(l.Values) == labelValues {
			l.More = true
			return nil
		}
		l.Values = append(l.Values, v)
		return nil
	}
}

// order puts labels of samples before attributes of processes.
func (out *ProfileLabels) order() {
	slices.SortStableFunc(out.Labels, func(a, b LabelChoices) int {
		return cmp.Or(cmp.Compare(b.Source, a.Source), cmp.Compare(a.Key, b.Key))
	})
}
