package query

import (
	"math"
	"testing"
	"time"
)

// TestHosts tells a machine as the Collector's hostmetrics receiver does: cumulative CPU seconds by state and CPU,
// memory and file systems by state, bytes by direction.
func TestHosts(t *testing.T) {
	db, conn := open(t)
	at := "toDateTime64('" + noon.Add(-4*time.Minute).Format("2006-01-02 15:04:05") + "', 3, 'UTC') + toIntervalSecond(60 * i)"
	exec(t, conn, `
INSERT INTO resources (fingerprint, service, instance, attributes, first_seen, last_seen) VALUES
(11, 'unknown_service', 'web-1', map('host.name', 'web-1', 'os.type', 'linux'), toDateTime('2020-01-01 00:00:00', 'UTC'), now()),
(12, 'shop', 'shop-a', map('host.name', 'web-1'), toDateTime('2020-01-01 00:00:00', 'UTC'), now()), (13, 'shop', 'shop-b', map('host.name', 'web-1'), toDateTime('2020-01-01 00:00:00', 'UTC'), now()),
(14, 'other', 'o', map('host.name', 'elsewhere'), toDateTime('2020-01-01 00:00:00', 'UTC'), now())`, `
INSERT INTO metric_series (name, fingerprint, type, temporality, monotonic, unit, service, resource, attributes, first_seen, last_seen) VALUES
('system.cpu.time', 101, 'sum', 'cumulative', 1, 's', '', 11, map('cpu', 'cpu0', 'state', 'idle'), now(), now()),
('system.cpu.time', 102, 'sum', 'cumulative', 1, 's', '', 11, map('cpu', 'cpu1', 'state', 'idle'), now(), now()),
('system.cpu.time', 103, 'sum', 'cumulative', 1, 's', '', 11, map('cpu', 'cpu0', 'state', 'user'), now(), now()),
('system.memory.usage', 104, 'sum', 'cumulative', 0, 'By', '', 11, map('state', 'used'), now(), now()),
('system.memory.usage', 105, 'sum', 'cumulative', 0, 'By', '', 11, map('state', 'free'), now(), now()),
('system.filesystem.usage', 106, 'sum', 'cumulative', 0, 'By', '', 11, map('mountpoint', '/', 'state', 'used'), now(), now()),
('system.filesystem.usage', 107, 'sum', 'cumulative', 0, 'By', '', 11, map('mountpoint', '/', 'state', 'free'), now(), now()),
('system.filesystem.usage', 108, 'sum', 'cumulative', 0, 'By', '', 11, map('mountpoint', '/var', 'state', 'used'), now(), now()),
('system.network.io', 109, 'sum', 'cumulative', 1, 'By', '', 11, map('device', 'eth0', 'direction', 'receive'), now(), now()),
('system.network.io', 110, 'sum', 'cumulative', 1, 'By', '', 11, map('device', 'eth1', 'direction', 'receive'), now(), now()),
('system.cpu.load_average.1m', 111, 'gauge', '', 0, '1', '', 11, map(), now(), now())`, `
INSERT INTO metric_samples (name, series, ts, start_ts, value, flags)
SELECT 'system.cpu.time', 101, `+at+`, 0, i * 60, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.cpu.time', 102, `+at+`, 0, i * 30, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.cpu.time', 103, `+at+`, 0, i * 30, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.memory.usage', 104, `+at+`, 0, 300, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.memory.usage', 105, `+at+`, 0, 700, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.filesystem.usage', 106, `+at+`, 0, 20, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.filesystem.usage', 107, `+at+`, 0, 80, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.filesystem.usage', 108, `+at+`, 0, 50, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.network.io', 109, `+at+`, 0, i * 6000, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.network.io', 110, `+at+`, 0, i * 600, 0 FROM (SELECT number AS i FROM numbers(5))
UNION ALL SELECT 'system.cpu.load_average.1m', 111, `+at+`, 0, 1.5, 0 FROM (SELECT number AS i FROM numbers(5))`)
	ans, err := db.Hosts(t.Context(), last(10*time.Minute))
	if err != nil || len(ans.Hosts) != 1 {
		t.Fatalf("%+v, %v", ans, err)
	}
	h := ans.Hosts[0]
	about := func(what string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got-want) > 1e-6*want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	about("CPU", h.CPU, 0.25)
	about("memory", h.Memory, 0.3)
	about("memory in all", h.MemoryAll, 1000)
	about("the fullest file system", h.Disk, 1)
	about("received", h.Receive, 110)
	about("load", h.Load, 1.5)
	if h.Host != "web-1" || h.OS != "linux" || h.CPUs != 2 || h.DiskMount != "/var" || h.DiskRead != nil {
		t.Errorf("%+v", h)
	}
	if len(h.Services) != 1 || h.Services[0] != (HostService{"shop", 2}) {
		t.Errorf("on it are %+v, want shop twice", h.Services)
	}
}
