package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// HostsAnswer is the machines that tell of themselves, as the Collector's hostmetrics receiver does.
type HostsAnswer struct {
	Range Range  `json:"range"`
	Hosts []Host `json:"hosts"`
}

// Host is one machine as it is at the end of the range: rates are of its last five minutes. What it does not tell is nil.
type Host struct {
	Host       string        `json:"host"`
	OS         string        `json:"os"`
	CPUs       int           `json:"cpus"`
	CPU        *float64      `json:"cpu"`    // in use, 0 to 1
	Memory     *float64      `json:"memory"` // in use, 0 to 1
	MemoryUsed *float64      `json:"memory_used"`
	MemoryAll  *float64      `json:"memory_total"`
	Disk       *float64      `json:"disk"` // of the fullest file system, 0 to 1
	DiskMount  string        `json:"disk_mount"`
	Load       *float64      `json:"load"`       // of the last minute
	DiskRead   *float64      `json:"disk_read"`  // bytes a second
	DiskWrite  *float64      `json:"disk_write"` // bytes a second
	Receive    *float64      `json:"receive"`    // bytes a second
	Transmit   *float64      `json:"transmit"`   // bytes a second
	Services   []HostService `json:"services"`
	LastSeenMS int64         `json:"last_seen_ms"`
}

// HostService is a service with instances on a host.
type HostService struct {
	Service   string `json:"service"`
	Instances uint64 `json:"instances"`
}

// hostMetrics are those of the hostmetrics receiver that are shown. Their names are OpenTelemetry's.
var hostMetrics = []string{"system.cpu.time", "system.memory.usage", "system.filesystem.usage", "system.cpu.load_average.1m", "system.disk.io", "system.network.io"}

const (
	hostSpan  = 5 * time.Minute // over which rates are taken: two points of a receiver that tells every minute or two
	mostHosts = 1000
)

// hostOf is the name of a resource's machine.
const hostOf = "if(anyLast(attributes)['host.name'] != '', anyLast(attributes)['host.name'], if(anyLast(attributes)['host.id'] != '', anyLast(attributes)['host.id'], max(instance)))"

// Hosts lists the machines that were seen in a window.
func (db *DB) Hosts(ctx context.Context, w Window) (*HostsAnswer, error) {
	r := db.lay(w, 0, 0)
	r.Resolution = "raw"
	a := args{"metrics": hostMetrics, "from": max(w.From.UnixMilli(), w.To.Add(-hostSpan).UnixMilli()), "to": w.To.UnixMilli(), "seen": w.From.Unix() - 600}
	found := map[string]*hostSums{}
	err := db.each(ctx, fmt.Sprintf(`
WITH chosen AS (
    SELECT s.fingerprint AS fingerprint, s.name AS metric, any(r.host) AS host, any(r.os) AS os, anyLast(s.attributes) AS a
    FROM metric_series AS s INNER JOIN (SELECT fingerprint, %s AS host, anyLast(attributes)['os.type'] AS os FROM resources GROUP BY fingerprint) AS r ON s.resource = r.fingerprint
    WHERE s.name IN {metrics:Array(String)} GROUP BY s.fingerprint, s.name HAVING max(s.last_seen) >= toDateTime({seen:Int64}))
SELECT c.host, any(c.os), CAST(c.metric, 'String'), c.a['state'], c.a['direction'], c.a['mountpoint'], uniqExact(c.a['cpu']), sum(v.newest), sum(v.rate), max(v.at)
FROM (SELECT series, argMax(value, ts) AS newest, toInt64(toUnixTimestamp64Milli(max(ts))) AS at,
             if(count() > 1, greatest(0, (argMax(value, ts) - argMin(value, ts)) * 1000 / (toUnixTimestamp64Milli(max(ts)) - toUnixTimestamp64Milli(min(ts)))), 0) AS rate
      FROM metric_samples WHERE name IN {metrics:Array(String)} AND ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts <= fromUnixTimestamp64Milli({to:Int64})
            AND bitAnd(flags, 1) = 0 AND series IN (SELECT fingerprint FROM chosen) GROUP BY series) AS v
INNER JOIN chosen AS c ON v.series = c.fingerprint
GROUP BY c.host, c.metric, c.a['state'], c.a['direction'], c.a['mountpoint']`, hostOf), a, func(rows driver.Rows) error {
		var p hostPoint
		if err := rows.Scan(&p.host, &p.os, &p.metric, &p.state, &p.direction, &p.mount, &p.cpus, &p.newest, &p.rate, &p.atMS); err != nil {
			return err
		}
		h := found[p.host]
		if h == nil {
			h = newHostSums()
			found[p.host] = h
		}
		h.add(p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	services, err := db.hostServices(ctx, w)
	if err != nil {
		return nil, err
	}
	ans := &HostsAnswer{Range: r, Hosts: []Host{}}
	for name, sums := range found {
		h := sums.host()
		h.Host, h.Services = name, services[name]
		if h.Services == nil {
			h.Services = []HostService{}
		}
		ans.Hosts = append(ans.Hosts, h)
	}
	slices.SortFunc(ans.Hosts, func(a, b Host) int { return cmp.Compare(a.Host, b.Host) })
	ans.Hosts = ans.Hosts[:min(len(ans.Hosts), mostHosts)]
	return ans, nil
}

// hostServices are the services whose resources name a host.
func (db *DB) hostServices(ctx context.Context, w Window) (map[string][]HostService, error) {
	out := map[string][]HostService{}
	err := db.each(ctx, `
SELECT attributes['host.name'] AS host, service, uniqExact(instance) FROM (
    SELECT fingerprint, CAST(max(service), 'String') AS service, max(instance) AS instance, anyLast(attributes) AS attributes FROM resources
    GROUP BY fingerprint HAVING max(last_seen) >= toDateTime({from:Int64}) AND min(first_seen) <= toDateTime({to:Int64}))
WHERE host != '' AND service != '' AND NOT startsWith(service, 'unknown_service') GROUP BY host, service ORDER BY host, service LIMIT 50 BY host`,
		// A resource's last_seen is written every ten minutes.
		args{"from": w.From.Unix() - 600, "to": w.To.Unix()}, func(rows driver.Rows) error {
			var host string
			var s HostService
			if err := rows.Scan(&host, &s.Service, &s.Instances); err != nil {
				return err
			}
			out[host] = append(out[host], s)
			return nil
		})
	return out, err
}

// hostPoint is what the series of one metric, state, direction and mount point of a host come to.
type hostPoint struct {
	host, os, metric, state, direction, mount string
	cpus                                      uint64
	newest, rate                              float64
	atMS                                      int64
}

// hostSums collects a host's points.
type hostSums struct {
	os                          string
	cpus                        int
	busy, idle                  float64
	used, memory                float64
	full, size                  map[string]float64 // by mount point
	load, read, write, get, put *float64
	seenMS                      int64
}

func newHostSums() *hostSums {
	return &hostSums{full: map[string]float64{}, size: map[string]float64{}}
}

func (h *hostSums) add(p hostPoint) {
	h.os, h.seenMS = cmp.Or(p.os, h.os), max(h.seenMS, p.atMS)
	switch p.metric {
	case "system.cpu.time":
		h.cpus = max(h.cpus, int(p.cpus))
		if p.state == "idle" {
			h.idle += p.rate
		} else {
			h.busy += p.rate
		}
	case "system.memory.usage":
		h.memory += p.newest
		if p.state == "used" {
			h.used += p.newest
		}
	case "system.filesystem.usage":
		h.size[p.mount] += p.newest
		if p.state == "used" {
			h.full[p.mount] += p.newest
		}
	case "system.cpu.load_average.1m":
		h.load = &p.newest
	case "system.disk.io":
		if p.direction == "read" {
			h.read = &p.rate
		} else {
			h.write = &p.rate
		}
	case "system.network.io":
		if p.direction == "receive" {
			h.get = &p.rate
		} else {
			h.put = &p.rate
		}
	}
}

func (h *hostSums) host() Host {
	out := Host{OS: h.os, CPUs: h.cpus, Load: h.load, DiskRead: h.read, DiskWrite: h.write, Receive: h.get, Transmit: h.put, LastSeenMS: h.seenMS}
	if all := h.busy + h.idle; all > 0 {
		share := h.busy / all
		out.CPU = &share
	}
	if h.memory > 0 {
		share := h.used / h.memory
		out.Memory, out.MemoryUsed, out.MemoryAll = &share, &h.used, &h.memory
	}
	for mount, size := range h.size {
		share := h.full[mount] / size
		if size > 0 && (out.Disk == nil || share > *out.Disk || share == *out.Disk && mount < out.DiskMount) {
			out.Disk, out.DiskMount = &share, mount
		}
	}
	return out
}
