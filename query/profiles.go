package query

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ProfileSelection says which profiles a question is about.
type ProfileSelection struct {
	Window
	Service    string
	Type       string // cpu, heap, …
	SampleType string // "cpu/nanoseconds", or its name alone; empty: the profile's default
	Version    string // of the service; empty: all
	Instance   string
	Env        string         // deployment.environment.name; empty: all
	Labels     []ProfileLabel // of samples, or attributes of the resource
}

// ProfileLabel is one condition on a label.
type ProfileLabel struct{ Key, Value string }

// ProfileKind is one type of profile of a service.
type ProfileKind struct {
	Service     string   `json:"service"`
	Type        string   `json:"type"`
	SampleTypes []string `json:"sample_types"` // "cpu/nanoseconds"
	Default     string   `json:"default_sample_type"`
	Profiles    uint64   `json:"profiles"`
	LastMS      int64    `json:"last_ms"`
	Versions    []string `json:"versions"`
	Instances   []string `json:"instances"` // at most 200
}

// ProfileKinds lists what has been profiled, of one service and in one environment or of all.
func (db *DB) ProfileKinds(ctx context.Context, w Window, service, env string) ([]ProfileKind, error) {
	a := args{"from": w.From.UTC().Format("2006-01-02 15:04:05"), "to": w.To.UTC().Format("2006-01-02 15:04:05"), "service": service, "env": env}
	byKind := map[[2]string]*ProfileKind{}
	kinds := []*ProfileKind{}
	err := db.each(ctx, `
SELECT service, type, sample_types, any(default_sample_type), count() AS n, toInt64(toUnixTimestamp64Milli(max(ts))),
       arraySort(groupUniqArray(100)(r.version)), arraySort(groupUniqArray(200)(r.instance))
FROM profiles AS p LEFT JOIN (SELECT fingerprint, any(version) AS version, any(instance) AS instance, any(env) AS env FROM resources GROUP BY fingerprint) AS r ON r.fingerprint = p.resource
WHERE ts >= {from:DateTime('UTC')} AND ts < {to:DateTime('UTC')} AND ({service:String} = '' OR service = {service:String}) AND ({env:String} = '' OR r.env = {env:String})
GROUP BY service, type, sample_types ORDER BY service, type, n DESC LIMIT 5000`, a, func(rows driver.Rows) error {
		var k ProfileKind
		var types string
		if err := rows.Scan(&k.Service, &k.Type, &types, &k.Default, &k.Profiles, &k.LastMS, &k.Versions, &k.Instances); err != nil {
			return err
		}
		key := [2]string{k.Service, k.Type}
		have := byKind[key]
		if have == nil {
			have = &k
			byKind[key], kinds = have, append(kinds, have)
		} else {
			have.Profiles, have.LastMS = have.Profiles+k.Profiles, max(have.LastMS, k.LastMS)
			have.Versions, have.Instances = union(have.Versions, k.Versions), union(have.Instances, k.Instances)
		}
		for t := range strings.SplitSeq(types, ",") {
			if !slices.Contains(have.SampleTypes, t) {
				have.SampleTypes = append(have.SampleTypes, t)
			}
		}
		return nil
	})
	out := make([]ProfileKind, 0, len(kinds))
	for _, k := range kinds {
		k.Versions, k.Instances = drop(k.Versions, ""), drop(k.Instances, "")
		k.Default = defaultSampleType(k.Default, k.SampleTypes)
		out = append(out, *k)
	}
	return out, err
}

func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

func drop(list []string, s string) []string {
	return slices.DeleteFunc(list, func(x string) bool { return x == s })
}

// defaultSampleType is what to show first: what the profile says, else the last one, as pprof does.
func defaultSampleType(said string, types []string) string {
	for _, t := range types {
		if name, _, _ := strings.Cut(t, "/"); name == said {
			return t
		}
	}
	for _, t := range []string{"inuse_space/bytes"} {
		if slices.Contains(types, t) {
			return t
		}
	}
	return types[len(types)-1]
}

// momentary says whether a sample type tells what is at a moment, of which an average is meaningful, rather than what
// happened, of which a sum is.
func momentary(sampleType string) bool {
	name, _, _ := strings.Cut(sampleType, "/")
	return strings.HasPrefix(name, "inuse_") || name == "space" || name == "objects" || name == "goroutine" || name == "goroutines" || name == "threadcreate"
}

// profileShape is how the selected profiles hold a sample type: which column, and how many profiles there are.
type profileShape struct {
	sampleType string
	value      string             // SQL for the value of one row
	columns    []string           // that it is made of: value1, increase2, …
	profiles   int                // in the range
	resources  map[uint64]uint64  // profiles by resource
	duration   time.Duration      // sum of what the profiles cover
	signatures map[string]*shaped // by sample_types
	best       string             // the signature of most profiles
}

type shaped struct {
	types      []string
	cumulative bool
	profiles   uint64
	period     int64
	periodType string
	fallback   string
}

// conditions is the WHERE clause of a selection over profiles and samples alike, but for sample labels.
func (s *ProfileSelection) conditions(a args) string {
	a["service"], a["type"] = s.Service, s.Type
	a["from"], a["to"] = s.From.UTC().Format("2006-01-02 15:04:05"), s.To.UTC().Format("2006-01-02 15:04:05")
	cond := "service = {service:String} AND type = {type:String} AND ts >= {from:DateTime('UTC')} AND ts < {to:DateTime('UTC')}"
	if s.Version != "" || s.Instance != "" || s.Env != "" {
		a["version"], a["instance"], a["env"] = s.Version, s.Instance, s.Env
		cond += ` AND resource IN (SELECT fingerprint FROM resources WHERE service = {service:String}
  AND ({version:String} = '' OR version = {version:String}) AND ({instance:String} = '' OR instance = {instance:String}) AND ({env:String} = '' OR env = {env:String}))`
	}
	return cond
}

// labelled adds the conditions on labels, which samples have and profiles do not.
func (s *ProfileSelection) labelled(cond string, a args) string {
	for i, l := range s.Labels {
		k, v := fmt.Sprintf("lk%d", i), fmt.Sprintf("lv%d", i)
		a[k], a[v] = l.Key, l.Value
		cond += fmt.Sprintf(" AND ((has(label.value, {%[2]s:String}) AND label.value[indexOf(label.key, {%[1]s:String})] = {%[2]s:String}) OR resource IN (SELECT fingerprint FROM resources WHERE service = {service:String} AND attributes[{%[1]s:String}] = {%[2]s:String}))", k, v)
	}
	return cond
}

// shape finds out how the selected profiles hold the wanted sample type. It is ErrNotFound without any profile.
func (db *DB) shape(ctx context.Context, s *ProfileSelection) (*profileShape, error) {
	a := args{}
	sh := &profileShape{resources: map[uint64]uint64{}, signatures: map[string]*shaped{}}
	var most uint64
	err := db.each(ctx, `SELECT sample_types, cumulative, resource, count(), max(period), any(period_type), any(default_sample_type), toInt64(sum(duration_ns))
FROM profiles WHERE `+s.conditions(a)+` GROUP BY sample_types, cumulative, resource`, a, func(rows driver.Rows) error {
		var types, periodType, fallback string
		var cumulative bool
		var resource, n uint64
		var period, duration int64
		if err := rows.Scan(&types, &cumulative, &resource, &n, &period, &periodType, &fallback, &duration); err != nil {
			return err
		}
		g := sh.signatures[types]
		if g == nil {
			g = &shaped{types: strings.Split(types, ",")}
			sh.signatures[types] = g
		}
		g.cumulative, g.period, g.periodType, g.fallback = g.cumulative || cumulative, max(g.period, period), periodType, fallback
		if g.profiles += n; g.profiles > most {
			most, sh.best = g.profiles, types
		}
		sh.profiles += int(n)
		sh.resources[resource] += n
		sh.duration += time.Duration(duration)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if sh.profiles == 0 {
		return nil, fmt.Errorf("no %s profiles of %s in this range: %w", s.Type, s.Service, ErrNotFound)
	}
	return sh, sh.choose(s.SampleType)
}

// choose sets the SQL of the wanted sample type's value.
func (sh *profileShape) choose(want string) error {
	g := sh.signatures[sh.best]
	if want == "" {
		want = defaultSampleType(g.fallback, g.types)
	}
	var branches []string
	all := map[string]bool{}
	for _, signature := range slices.Sorted(maps.Keys(sh.signatures)) {
		g := sh.signatures[signature]
		for i, t := range g.types {
			all[t] = true
			if name, _, _ := strings.Cut(t, "/"); t != want && name != want {
				continue
			}
			sh.sampleType = t
			column := fmt.Sprintf("value%d", i+1)
			if g.cumulative && !momentary(t) {
				column = fmt.Sprintf("increase%d", i+1)
			}
			branches = append(branches, "sample_types = "+literalText(signature), column)
			if !slices.Contains(sh.columns, column) {
				sh.columns = append(sh.columns, column)
			}
			break
		}
	}
	switch {
	case len(branches) == 0:
		return &InputError{"sample_type", fmt.Sprintf("there is none named %s; there are %s", want, strings.Join(slices.Sorted(maps.Keys(all)), ", "))}
	case len(sh.signatures) == 1:
		sh.value = branches[1]
	default:
		sh.value = "multiIf(" + strings.Join(branches, ", ") + ", 0)"
	}
	return nil
}

// literalText quotes what came from the store itself for SQL.
func literalText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// total is SQL for what a group of rows is worth: the sum, or for what is momentary the sum over the processes of each
// one's average.
func (sh *profileShape) total() string {
	if !momentary(sh.sampleType) {
		return "toFloat64(sum(" + sh.value + "))"
	}
	if len(sh.resources) == 1 {
		return fmt.Sprintf("sum(%s) / %d", sh.value, sh.profiles)
	}
	var ids, counts []string
	for _, id := range slices.Sorted(maps.Keys(sh.resources)) {
		ids, counts = append(ids, fmt.Sprintf("toUInt64(%d)", id)), append(counts, fmt.Sprintf("toFloat64(%d)", sh.resources[id]))
	}
	return fmt.Sprintf("sum(%s / transform(resource, [%s], [%s], 1e18))", sh.value, strings.Join(ids, ","), strings.Join(counts, ","))
}

// rollupAfter is the length from which a range of profiles is read from sums by the hour and by the day.
const rollupAfter = 6 * time.Hour

// rolled says whether a selection is read in whole hours.
func (s *ProfileSelection) rolled() bool {
	return len(s.Labels) == 0 && s.To.Sub(s.From) >= rollupAfter
}

// ProfileUnit splits a sample type into its name and unit.
func ProfileUnit(sampleType string) (name, unit string) {
	name, unit, _ = strings.Cut(sampleType, "/")
	return name, unit
}
