package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/pprof/profile"
)

// ProfileMerge is the selected profiles as one, with all their sample types, labels, lines and mappings: what
// google/pprof makes of the originals when it merges them. Values are summed as they were reported, also those that
// count since a process began. The selection's SampleType does not matter; if profiles of the type differ in their
// sample types, those that most have are taken.
func (db *DB) ProfileMerge(ctx context.Context, s ProfileSelection) (*profile.Profile, error) {
	sh, err := db.shape(ctx, &ProfileSelection{Window: s.Window, Service: s.Service, Type: s.Type, Version: s.Version, Instance: s.Instance, Env: s.Env, Labels: s.Labels})
	if err != nil {
		return nil, err
	}
	b := &pprofBuilder{p: &profile.Profile{}, mappings: map[uint64]*profile.Mapping{}, locations: map[*location]*profile.Location{}, functions: map[ProfileFrame]*profile.Function{}}
	main, err := db.profileHeads(ctx, &s, sh, b.p)
	if err != nil {
		return nil, err
	}
	samples, hashes, err := db.profileSamples(ctx, &s, sh)
	if err != nil {
		return nil, err
	}
	stacks, err := db.resolve(ctx, s.Service, hashes)
	if err != nil {
		return nil, err
	}
	used := map[uint64]bool{}
	for _, st := range stacks {
		for _, l := range st {
			used[l.mapping] = true
		}
	}
	if main != 0 {
		used[main] = true
	}
	delete(used, 0)
	b.stored, err = db.mappings(ctx, slices.Collect(maps.Keys(used)))
	if err != nil {
		return nil, err
	}
	b.mapping(main) // pprof takes the first for the main binary
	for _, x := range samples {
		x.sample.Location = make([]*profile.Location, 0, len(stacks[x.stack]))
		for _, l := range slices.Backward(stacks[x.stack]) {
			x.sample.Location = append(x.sample.Location, b.location(l))
		}
		b.p.Sample = append(b.p.Sample, x.sample)
	}
	if err := b.p.CheckValid(); err != nil {
		return nil, fmt.Errorf("merge profiles: %w", err)
	}
	return b.p, nil
}

// profileHeads fills in what the heads of the profiles say, and returns the main mapping.
func (db *DB) profileHeads(ctx context.Context, s *ProfileSelection, sh *profileShape, p *profile.Profile) (main uint64, err error) {
	for _, t := range sh.signatures[sh.best].types {
		name, unit := ProfileUnit(t)
		p.SampleType = append(p.SampleType, &profile.ValueType{Type: name, Unit: unit})
	}
	a := args{"types": sh.best}
	var start, duration, period int64
	var periodType, fallback string
	var comments []string
	err = db.each(ctx, `SELECT toInt64(min(toUnixTimestamp64Nano(ts))), toInt64(sum(duration_ns)), max(period), argMin(period_type, ts), argMinIf(default_sample_type, ts, default_sample_type != ''),
  argMin(drop_frames, ts), argMin(keep_frames, ts), argMinIf(doc_url, ts, doc_url != ''), groupUniqArrayArray(comments), argMin(mapping, ts)
FROM profiles WHERE sample_types = {types:String} AND `+s.conditions(a), a, func(rows driver.Rows) error {
		return rows.Scan(&start, &duration, &period, &periodType, &fallback, &p.DropFrames, &p.KeepFrames, &p.DocURL, &comments, &main)
	})
	p.TimeNanos, p.DurationNanos, p.Period, p.DefaultSampleType, p.Comments = start, duration, period, fallback, comments
	slices.Sort(p.Comments)
	name, unit := ProfileUnit(periodType)
	p.PeriodType = &profile.ValueType{Type: name, Unit: unit}
	return main, err
}

type stackSample struct {
	stack  uint64
	sample *profile.Sample
}

// profileSamples sums the samples by stack and labels.
func (db *DB) profileSamples(ctx context.Context, s *ProfileSelection, sh *profileShape) (out []stackSample, hashes []uint64, err error) {
	n := len(p4(sh.signatures[sh.best].types))
	a := args{"types": sh.best}
	seen := map[uint64]bool{}
	var join, sums strings.Builder
	for i := range 4 {
		if i < n {
			fmt.Fprintf(&join, ", values%d AS value%d", i+1, i+1)
			fmt.Fprintf(&sums, ", sum(value%d)", i+1)
		} else {
			sums.WriteString(", toInt64(0)")
		}
	}
	err = db.each(ctx, "SELECT stack, `label.key`, `label.value`, `label.unit`, `label.type`"+sums.String()+`
FROM (SELECT * FROM profile_values WHERE sample_types = {types:String} AND `+s.labelled(s.conditions(a), a)+`) ARRAY JOIN stacks AS stack`+join.String()+`
GROUP BY stack, `+"`label.key`, `label.value`, `label.unit`, `label.type` ORDER BY stack", a,
		func(rows driver.Rows) error {
			x := stackSample{sample: &profile.Sample{}}
			var keys, values, units []string
			var types []uint8
			v := make([]int64, 4)
			if err := rows.Scan(&x.stack, &keys, &values, &units, &types, &v[0], &v[1], &v[2], &v[3]); err != nil {
				return err
			}
			x.sample.Value = v[:n:n]
			for i, k := range keys {
				if types[i] == 0 {
					x.sample.Label = appended(x.sample.Label, k, values[i])
					continue
				}
				num, err := strconv.ParseInt(values[i], 10, 64)
				if err != nil {
					return err
				}
				x.sample.NumLabel, x.sample.NumUnit = appended(x.sample.NumLabel, k, num), appended(x.sample.NumUnit, k, units[i])
			}
			for k, u := range x.sample.NumUnit {
				if strings.Join(u, "") == "" {
					delete(x.sample.NumUnit, k)
				}
			}
			if !seen[x.stack] {
				seen[x.stack] = true
				hashes = append(hashes, x.stack)
			}
			out = append(out, x)
			return nil
		})
	return out, hashes, err
}

func p4(types []string) []string { return types[:min(len(types), 4)] }

func appended[T any](m map[string][]T, k string, v T) map[string][]T {
	if m == nil {
		m = map[string][]T{}
	}
	m[k] = append(m[k], v)
	return m
}

// pprofBuilder numbers the parts of a profile.
type pprofBuilder struct {
	p         *profile.Profile
	stored    map[uint64]mapping
	mappings  map[uint64]*profile.Mapping
	locations map[*location]*profile.Location
	functions map[ProfileFrame]*profile.Function
}

func (b *pprofBuilder) mapping(hash uint64) *profile.Mapping {
	if m := b.mappings[hash]; m != nil || hash == 0 {
		return m
	}
	s, ok := b.stored[hash]
	if !ok {
		return nil
	}
	m := &profile.Mapping{ID: uint64(len(b.p.Mapping) + 1), Start: s.start, Limit: s.limit, Offset: s.offset, File: s.file, BuildID: s.buildID,
		HasFunctions: s.flags&1 != 0, HasFilenames: s.flags&2 != 0, HasLineNumbers: s.flags&4 != 0, HasInlineFrames: s.flags&8 != 0}
	b.p.Mapping = append(b.p.Mapping, m)
	b.mappings[hash] = m
	return m
}

func (b *pprofBuilder) location(l *location) *profile.Location {
	if have := b.locations[l]; have != nil {
		return have
	}
	out := &profile.Location{ID: uint64(len(b.p.Location) + 1), Address: l.address, IsFolded: l.folded, Mapping: b.mapping(l.mapping)}
	if out.Mapping != nil {
		out.Address += out.Mapping.Start
	}
	for i := range l.lines {
		ln := &l.lines[i]
		out.Line = append(out.Line, profile.Line{Function: b.function(ln), Line: ln.Line, Column: ln.Column})
	}
	b.p.Location = append(b.p.Location, out)
	b.locations[l] = out
	return out
}

func (b *pprofBuilder) function(f *ProfileFrame) *profile.Function {
	k := ProfileFrame{Function: f.Function, System: f.System, File: f.File, Start: f.Start}
	fn := b.functions[k]
	if fn == nil {
		fn = &profile.Function{ID: uint64(len(b.p.Function) + 1), Name: f.Function, SystemName: f.System, Filename: f.File, StartLine: f.Start}
		b.p.Function = append(b.p.Function, fn)
		b.functions[k] = fn
	}
	return fn
}
