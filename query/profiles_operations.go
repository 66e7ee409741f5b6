package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// FrameOperations is the operations whose requests spend time in a function.
type FrameOperations struct {
	Range      Range            `json:"range"`
	Function   string           `json:"function"`
	SampleType string           `json:"sample_type"`
	Unit       string           `json:"unit"`
	By         string           `json:"by"`       // endpoint, span_id, trace_id: measured by that label; traffic: only what the service answered is known; "": nothing
	Sentence   string           `json:"sentence"` // for a person
	Total      float64          `json:"total"`    // of the function with what it calls, in the selection
	Labelled   float64          `json:"labelled"` // how much of it has labels
	Operations []FrameOperation `json:"operations"`
}

// FrameOperation is one operation, with what the function takes for it.
type FrameOperation struct {
	Service  string   `json:"service"`
	Name     string   `json:"name"`
	Kind     string   `json:"kind"`
	Value    *float64 `json:"value"` // nil where only the traffic is known
	Share    *float64 `json:"share"` // of what has labels
	Requests float64  `json:"requests"`
	P95NS    *float64 `json:"p95_ns"`
}

const (
	labelRange     = 24 * time.Hour // newest part of a selection in which labels are looked at
	mostLabelSets  = 20_000
	mostOperations = 100
)

// FrameOperations finds out for whom a function works: by the labels of its samples, or else, said honestly, by what
// the service answered meanwhile. file may be empty.
func (db *DB) FrameOperations(ctx context.Context, s ProfileSelection, function, file string) (*FrameOperations, error) {
	if function == "" {
		return nil, &InputError{"function", "is missing"}
	}
	if s.To.Sub(s.From) > labelRange {
		s.From = s.To.Add(-labelRange)
	}
	sh, err := db.shape(ctx, &s)
	if err != nil {
		return nil, err
	}
	out := &FrameOperations{Function: function, SampleType: sh.sampleType, Operations: []FrameOperation{}, Range: db.profileRange(&s)}
	_, out.Unit = ProfileUnit(sh.sampleType)
	through, err := db.stacksThrough(ctx, &s, sh, function, file)
	if err != nil {
		return nil, err
	}
	for _, v := range through {
		out.Total += v
	}
	if len(through) == 0 {
		out.Sentence = fmt.Sprintf("No sample of %s in this selection has %s in its stack.", s.Service, function)
		return out, nil
	}
	sets, err := db.labelSets(ctx, &s, sh, through)
	if err != nil {
		return nil, err
	}
	ops, err := db.Operations(ctx, s.Window, s.Service, s.Env, false)
	if err != nil {
		return nil, err
	}
	if err := out.measured(ctx, db, &s, sets, ops.Operations); err != nil {
		return nil, err
	}
	if len(out.Operations) == 0 {
		out.traffic(s.Service, ops.Operations)
	}
	return out, nil
}

// stacksThrough are the stacks with a function in them, with their values.
func (db *DB) stacksThrough(ctx context.Context, s *ProfileSelection, sh *profileShape, function, file string) (map[uint64]float64, error) {
	values, err := db.stackValues(ctx, s, sh)
	if err != nil {
		return nil, err
	}
	hashes := make([]uint64, 0, len(values))
	for h := range values {
		hashes = append(hashes, h)
	}
	stacks, err := db.resolve(ctx, s.Service, hashes)
	if err != nil {
		return nil, err
	}
	files, err := db.namelessFiles(ctx, locationsOf(stacks))
	if err != nil {
		return nil, err
	}
	is := map[*location]bool{}
	var calls []ProfileFrame
	known := func(l *location) bool {
		yes, ok := is[l]
		if !ok {
			calls = l.frames(calls[:0], files)
			yes = slices.ContainsFunc(calls, func(f ProfileFrame) bool { return f.Function == function && (file == "" || f.File == file) })
			is[l] = yes
		}
		return yes
	}
	out := map[uint64]float64{}
	for h, stack := range stacks {
		if slices.ContainsFunc(stack, known) {
			out[h] = values[h]
		}
	}
	return out, nil
}

// labelSet is what the function takes for one endpoint, span or trace.
type labelSet struct {
	endpoint, span, trace string
	value                 float64
}

// labelSets adds up the samples of some stacks by what they worked for.
func (db *DB) labelSets(ctx context.Context, s *ProfileSelection, sh *profileShape, through map[uint64]float64) ([]labelSet, error) {
	hashes := make([]uint64, 0, len(through))
	for h := range through {
		hashes = append(hashes, h)
	}
	slices.Sort(hashes)
	a := args{"hashes": hashes, "endpoints": endpointKeys, "spans": spanKeys, "traces": traceKeys, "most": mostLabelSets}
	first := func(name string) string { // the value of the first of some keys that a sample has
		return "arrayFirst(x -> x != '', arrayMap(k -> label.value[indexOf(label.key, k)], {" + name + ":Array(String)}))"
	}
	join := "stacks AS stack"
	for _, column := range sh.columns {
		array := strings.Replace(strings.Replace(column, "value", "values", 1), "increase", "increases", 1)
		join += ", arrayResize(" + array + ", length(stacks)) AS " + column
	}
	var out []labelSet
	err := db.each(ctx, fmt.Sprintf(`
SELECT e, p, t, %s AS v FROM (SELECT *, %s AS e, %s AS p, %s AS t FROM profile_values WHERE %s AND notEmpty(label.key)) ARRAY JOIN %s
WHERE stack IN {hashes:Array(UInt64)} GROUP BY e, p, t HAVING v != 0 AND (e != '' OR p != '' OR t != '') ORDER BY v DESC LIMIT {most:Int64}`,
		sh.total(), first("endpoints"), first("spans"), first("traces"), s.labelled(s.conditions(a), a), join), a, func(rows driver.Rows) error {
		var l labelSet
		err := rows.Scan(&l.endpoint, &l.span, &l.trace, &l.value)
		out = append(out, l)
		return err
	})
	return out, err
}

// measured lists the operations that labels tell of.
func (out *FrameOperations) measured(ctx context.Context, db *DB, s *ProfileSelection, sets []labelSet, known []OperationRow) error {
	var endpoint, span, trace float64
	for _, l := range sets {
		if l.endpoint != "" {
			endpoint += l.value
		}
		if l.span != "" {
			span += l.value
		}
		if l.trace != "" {
			trace += l.value
		}
	}
	values := map[[2]string]float64{} // by operation and kind
	var err error
	switch {
	case endpoint > 0 && endpoint >= max(span, trace)/2:
		out.By, out.Labelled = "endpoint", endpoint
		for _, l := range sets {
			if l.endpoint != "" {
				values[operationOf(l.endpoint, known)] += l.value
			}
		}
	case span > 0:
		out.By = "span_id"
		values, err = db.operationsOf(ctx, s, sets, "span_id", func(l labelSet) string { return l.span })
	case trace > 0:
		out.By = "trace_id"
		values, err = db.operationsOf(ctx, s, sets, "trace_id", func(l labelSet) string { return l.trace })
	}
	if err != nil || len(values) == 0 {
		return err
	}
	if out.By != "endpoint" {
		for _, v := range values {
			out.Labelled += v
		}
	}
	for k, v := range values {
		op := FrameOperation{Service: s.Service, Name: k[0], Kind: k[1], Value: &v}
		share := v / out.Labelled
		op.Share = &share
		if i := slices.IndexFunc(known, func(r OperationRow) bool { return r.Name == op.Name && (op.Kind == "" || r.Kind == op.Kind) }); i >= 0 {
			op.Kind, op.Requests, op.P95NS = known[i].Kind, float64(known[i].Calls), known[i].P95
		}
		out.Operations = append(out.Operations, op)
	}
	slices.SortFunc(out.Operations, func(a, b FrameOperation) int {
		return cmp.Or(cmp.Compare(*b.Value, *a.Value), cmp.Compare(a.Name, b.Name))
	})
	out.Operations = out.Operations[:min(len(out.Operations), mostOperations)]
	out.Sentence = fmt.Sprintf("Measured: %s of what %s takes carries the %s it was for.", percentOf(min(1, out.Labelled/out.Total)), out.Function,
		map[string]string{"endpoint": "endpoint", "span_id": "id of the span", "trace_id": "id of the trace"}[out.By])
	return nil
}

// operationOf finds the operation that an endpoint's label means: of that name, or of a method and that path.
func operationOf(endpoint string, known []OperationRow) [2]string {
	for _, same := range []func(string) bool{
		func(name string) bool { return name == endpoint },
		func(name string) bool { return strings.HasSuffix(name, " "+endpoint) },
	} {
		for _, r := range known {
			if (r.Kind == "server" || r.Kind == "consumer") && same(r.Name) {
				return [2]string{r.Name, r.Kind}
			}
		}
	}
	return [2]string{endpoint, ""}
}

// operationsOf looks up the operations of spans, or of the requests that traces made to the service.
func (db *DB) operationsOf(ctx context.Context, s *ProfileSelection, sets []labelSet, column string, id func(labelSet) string) (map[[2]string]float64, error) {
	wanted := map[string]float64{}
	for _, l := range sets {
		if x := strings.ToUpper(id(l)); x != "" {
			wanted[x] += l.value
		}
	}
	ids := make([]string, 0, len(wanted))
	for x := range wanted {
		ids = append(ids, x)
	}
	slices.Sort(ids)
	width, kinds := 8, ""
	if column == "trace_id" {
		width, kinds = 16, " AND kind IN ('server', 'consumer')"
	}
	a := args{"service": s.Service, "ids": ids}
	within := bounds(s.From.Add(-profileBefore), s.To.Add(profileBefore), a)
	out := map[[2]string]float64{}
	return out, db.each(ctx, fmt.Sprintf(`SELECT hex(%[1]s) AS id, name, toString(kind) FROM spans
WHERE service = {service:String} AND %[1]s IN (SELECT toFixedString(unhex(x), %[2]d) FROM (SELECT arrayJoin({ids:Array(String)}) AS x) WHERE length(x) = 2 * %[2]d)%[3]s AND %[4]s
ORDER BY ts LIMIT 1 BY id`, column, width, kinds, within), a, func(rows driver.Rows) error {
		var id, name, kind string
		err := rows.Scan(&id, &name, &kind)
		out[[2]string{name, kind}] += wanted[id]
		return err
	})
}

// traffic lists what the service answered: nothing tells for which of it the function works.
func (out *FrameOperations) traffic(service string, known []OperationRow) {
	for _, r := range known {
		if r.Kind == "server" || r.Kind == "consumer" {
			out.Operations = append(out.Operations, FrameOperation{Service: service, Name: r.Name, Kind: r.Kind, Requests: float64(r.Calls), P95NS: r.P95})
		}
	}
	slices.SortFunc(out.Operations, func(a, b FrameOperation) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), cmp.Compare(a.Name, b.Name))
	})
	out.Operations = out.Operations[:min(len(out.Operations), mostOperations)]
	if len(out.Operations) == 0 {
		out.Sentence = fmt.Sprintf("The profiles of %s do not say for which request they worked, and no requests to it are known in this time.", service)
		return
	}
	out.By = "traffic"
	out.Sentence = fmt.Sprintf("The profiles of %s do not say for which request they worked. These are the requests it answered meanwhile, the most frequent first: any of them may lead to %s.", service, out.Function)
}
