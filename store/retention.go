package store

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// Signal is something whose keeping time can be set: its tables and what they hold.
type Signal struct {
	Name        string
	Description string
	Default     int // days
	Min, Max    int // days
	Tables      []SignalTable
}

// SignalTable is one table of a signal and the expression of its age.
type SignalTable struct{ Name, Age string }

// Signals lists what is kept, in the order in which people think of it.
var Signals = []Signal{
	{"traces", "Spans with all attributes, events and links, and the index of traces", 15, 1, 3650,
		[]SignalTable{{"spans", "toDateTime(ts)"}, {"trace_index", "day"}}},
	{"logs", "Log records", 15, 1, 3650, []SignalTable{{"logs", "toDateTime(ts)"}}},
	{"metrics", "Metric points, histograms and exemplars", 30, 1, 3650,
		[]SignalTable{{"metric_samples", "toDateTime(ts)"}, {"metric_distributions", "toDateTime(ts)"}, {"metric_exemplars", "toDateTime(ts)"}}},
	{"profiles", "Profiles with every stack and label", 30, 1, 400, []SignalTable{{"profile_values", "ts"}}},
	{"rollup_10s", "Rate, errors and latency in steps of 10 seconds", 3, 1, 60, []SignalTable{{"red_10s", "ts"}}},
	{"rollup_1m", "Rate, errors and latency in steps of a minute, and who calls whom", 30, 2, 400, []SignalTable{{"red_1m", "ts"}, {"edges", "ts"}}},
	{"rollup_1h", "Rate, errors and latency in steps of an hour", 400, 7, 3650, []SignalTable{{"red_1h", "ts"}}},
	// Stacks are kept for 401 days (0008_profiles.sql): longer, sums would lose them.
	{"rollup_profiles", "Profiles added up by the hour and by the day, without labels", 400, 7, 400,
		[]SignalTable{{"profiles", "toDateTime(ts)"}, {"profile_rollups", "ts"}}},
}

const retentionKey = "retention_days"

// RetentionError is a keeping time that cannot be set.
type RetentionError struct{ Signal, Reason string }

func (e *RetentionError) Error() string {
	return fmt.Sprintf("retention of %s: %s", e.Signal, e.Reason)
}

// Retention reads how many days each signal is kept.
func Retention(ctx context.Context, conn driver.Conn) (map[string]int, error) {
	days := map[string]int{}
	for _, s := range Signals {
		days[s.Name] = s.Default
	}
	value, ok, err := Setting(ctx, conn, retentionKey)
	if err != nil || !ok {
		return days, err
	}
	set := map[string]int{}
	if err := json.Unmarshal([]byte(value), &set); err != nil {
		return nil, fmt.Errorf("read the retention setting %q: %w", value, err)
	}
	for name, d := range set {
		if _, ok := days[name]; ok {
			days[name] = d
		}
	}
	return days, nil
}

// SetRetention changes how many days the named signals are kept; the others stay. It answers with all of them. Data
// past its time goes with the next merges. On a cluster, cluster is its name.
func SetRetention(ctx context.Context, conn driver.Conn, cluster string, change map[string]int) (map[string]int, error) {
	days, err := Retention(ctx, conn)
	if err != nil {
		return nil, err
	}
	for name, d := range change {
		s := signal(name)
		switch {
		case s == nil:
			return nil, &RetentionError{name, "there is no such signal"}
		case d < s.Min || d > s.Max:
			return nil, &RetentionError{name, fmt.Sprintf("%d days is outside %d to %d", d, s.Min, s.Max)}
		}
		days[name] = d
	}
	if days["rollup_profiles"] < days["profiles"] {
		return nil, &RetentionError{"rollup_profiles", fmt.Sprintf("must be as long as profiles at least, %d days: the list of profiles is among it", days["profiles"])}
	}
	b, err := json.Marshal(days)
	if err != nil {
		return nil, err
	}
	if err := SetSetting(ctx, conn, retentionKey, string(b)); err != nil {
		return nil, err
	}
	return days, applyRetention(ctx, conn, cluster)
}

// applyRetention gives every table the TTL that the setting says, where it has another: after a change, after a
// crash in the middle of one, and where a migration made a table anew.
func applyRetention(ctx context.Context, conn driver.Conn, cluster string) error {
	days, err := Retention(ctx, conn)
	if err != nil {
		return err
	}
	have, err := tableDays(ctx, conn)
	if err != nil {
		return err
	}
	for _, s := range Signals {
		for _, t := range s.Tables {
			name := t.Name
			if cluster != "" {
				name += "_local"
			}
			if have[name] == days[s.Name] {
				continue
			}
			// Only the table's description changes: rewriting the data at once would cost hours on a full disk.
			sql := fmt.Sprintf("ALTER TABLE %s%s MODIFY TTL %s + INTERVAL %d DAY SETTINGS materialize_ttl_after_modify = 0",
				name, onCluster(cluster), t.Age, days[s.Name])
			if err := conn.Exec(ctx, sql); err != nil {
				return fmt.Errorf("change how long %s is kept: %w", name, err)
			}
		}
	}
	return nil
}

var ttlDays = regexp.MustCompile(`\bTTL [^\n]*?toIntervalDay\((\d+)\)`)

// tableDays reads the TTL of each table of the database in days.
func tableDays(ctx context.Context, conn driver.Conn) (map[string]int, error) {
	rows, err := conn.Query(ctx, "SELECT name, engine_full FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'")
	if err != nil {
		return nil, fmt.Errorf("read how long tables are kept: %w", err)
	}
	defer rows.Close()
	days := map[string]int{}
	for rows.Next() {
		var name, engine string
		if err := rows.Scan(&name, &engine); err != nil {
			return nil, fmt.Errorf("read how long tables are kept: %w", err)
		}
		if m := ttlDays.FindStringSubmatch(engine); m != nil {
			days[name], _ = strconv.Atoi(m[1])
		}
	}
	return days, rows.Err()
}

func signal(name string) *Signal {
	for i := range Signals {
		if Signals[i].Name == name {
			return &Signals[i]
		}
	}
	return nil
}

// Setting reads one of the product's own settings.
func Setting(ctx context.Context, conn driver.Conn, key string) (value string, ok bool, err error) {
	rows, err := conn.Query(ctx, "SELECT argMax(value, updated_at), argMax(deleted, updated_at) FROM settings WHERE key = ? GROUP BY key", key)
	if err != nil {
		return "", false, fmt.Errorf("read setting %s: %w", key, err)
	}
	defer rows.Close()
	var deleted uint8
	if rows.Next() {
		if err := rows.Scan(&value, &deleted); err != nil {
			return "", false, fmt.Errorf("read setting %s: %w", key, err)
		}
		ok = deleted == 0
	}
	return value, ok, rows.Err()
}

// SetSetting writes one of the product's own settings.
func SetSetting(ctx context.Context, conn driver.Conn, key, value string) error {
	if err := conn.Exec(ctx, "INSERT INTO settings (key, value) VALUES (?, ?)", key, value); err != nil {
		return fmt.Errorf("write setting %s: %w", key, err)
	}
	return nil
}

// TableUsage is what a table holds.
type TableUsage struct {
	Table, Signal  string
	Rows, Bytes    uint64
	Oldest, Newest time.Time // zero where unknown or empty
}

// Usage lists the tables of the database, the largest first.
func Usage(ctx context.Context, conn driver.Conn) ([]TableUsage, error) {
	rows, err := conn.Query(ctx, `
SELECT table, sum(rows), sum(bytes_on_disk), min(min_time), max(max_time), min(min_date), max(max_date)
FROM system.parts WHERE database = currentDatabase() AND active
GROUP BY table ORDER BY sum(bytes_on_disk) DESC`)
	if err != nil {
		return nil, fmt.Errorf("read what is stored: %w", err)
	}
	defer rows.Close()
	usage := []TableUsage{}
	for rows.Next() {
		var u TableUsage
		var minDate, maxDate time.Time
		if err := rows.Scan(&u.Table, &u.Rows, &u.Bytes, &u.Oldest, &u.Newest, &minDate, &maxDate); err != nil {
			return nil, fmt.Errorf("read what is stored: %w", err)
		}
		u.Oldest, u.Newest = known(u.Oldest, minDate), known(u.Newest, maxDate)
		u.Table = strings.TrimSuffix(u.Table, "_local")
		u.Signal = signalOf(u.Table)
		usage = append(usage, u)
	}
	return usage, rows.Err()
}

// known is the finer of a part's time and date bounds; ClickHouse gives 1970 for those it does not keep.
func known(t, date time.Time) time.Time {
	switch {
	case t.Unix() > 0:
		return t
	case date.Unix() > 0:
		return date
	}
	return time.Time{}
}

func signalOf(table string) string {
	for _, s := range Signals {
		for _, t := range s.Tables {
			if t.Name == table {
				return s.Name
			}
		}
	}
	return ""
}

// Disk is the room on the disk that holds the data, in bytes.
func Disk(ctx context.Context, conn driver.Conn) (free, total uint64, err error) {
	err = conn.QueryRow(ctx, "SELECT sum(free_space), sum(total_space) FROM system.disks WHERE type = 'Local'").Scan(&free, &total)
	if err != nil {
		err = fmt.Errorf("read the disk's free room: %w", err)
	}
	return free, total, err
}
