package query

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/store/storetest"
)

// BenchmarkWatchNewest is what a minute of live detection reads of 50,000 series that have requests in every step: five
// rounds of three steps and one of nine, here as eight of three. CPU seconds a minute are reported, of this process and
// of the engine.
func BenchmarkWatchNewest(b *testing.B) {
	conn, _ := storetest.DB(b)
	db := New(conn, Options{})
	at := time.Now().Truncate(time.Hour).Add(-time.Hour)
	exec(b, conn, fmt.Sprintf(`
INSERT INTO red_10s (level, ts, service, name, kind, env, version, instance, calls, errors, duration_sum, duration_max, duration_hist)
SELECT 'operation', toDateTime(%d) + 10 * intDiv(number, 50000), concat('service-', toString(number %% 50)), concat('operation ', toString(intDiv(number %% 50000, 50))), 'server', 'prod', '1.0', '', 10, 0, 100000000, 5000000,
       mapFromArrays(arrayMap(x -> toInt16(768 + 8 * x), range(5)), [1, 2, 4, 2, 1])
FROM numbers(50000 * 30)`, at.Unix()), "OPTIMIZE TABLE red_10s FINAL")
	window := Window{From: at.Add(200 * time.Second), To: at.Add(230 * time.Second)}
	b.ResetTimer()
	own, engine := cpuSeconds(), engineSeconds(b)
	for range b.N {
		for range 8 {
			rows, err := db.WatchNewest(context.Background(), 10*time.Second, window)
			if err != nil || len(rows) != 150_000 {
				b.Fatalf("%d rows: %v", len(rows), err)
			}
		}
	}
	b.ReportMetric((cpuSeconds()-own)/float64(b.N), "CPU-s/minute")
	b.ReportMetric((engineSeconds(b)-engine)/float64(b.N), "engine-CPU-s/minute")
}

// cpuSeconds is how long this process has computed.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// engineSeconds is how long the engine has computed.
func engineSeconds(b *testing.B) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", storetest.Engine(b).PID()))
	if err != nil {
		b.Skip("the engine's CPU time is read from /proc: ", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	ticks := 0.0
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return ticks / 100
}
