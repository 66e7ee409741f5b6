package watch

import (
	"slices"
	"strings"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// quantity is something that services are known by, whatever the metric it comes as.
type quantity struct {
	what   string // in words
	unit   string // that values are brought to: 1 for shares and cores, s, By, or a count of things
	kind   anomaly.Kind
	fewer  bool    // less of it is worse
	factor float64 // by which it must be off, of what is expected, to be worth telling
	more   float64 // by how much at least, in its unit
	pooled bool    // the instances of a service are added up; else the worst one counts
	full   float64 // share of its limit from which on it is exhausted; 0: it never is
	climbs bool    // what grows without end is harm: work is late
}

// The quantities that are watched, by the name that known uses.
var (
	cpuShare    = &quantity{what: "CPU use", unit: "1", factor: 1.3, more: 0.1}
	cpuCores    = &quantity{what: "CPU use in cores", unit: "{cpu}", factor: 1.3, more: 0.1}
	memoryUse   = &quantity{what: "memory", unit: "By", factor: 1.2, more: 16 << 20, full: 0.95}
	heap        = &quantity{what: "heap", unit: "By", factor: 1.3, more: 16 << 20, full: 0.98}
	goroutines  = &quantity{what: "goroutines", unit: "{goroutine}", kind: anomaly.KindCount, factor: 1.5, more: 50}
	threads     = &quantity{what: "threads", unit: "{thread}", kind: anomaly.KindCount, factor: 1.5, more: 30}
	waitingWork = &quantity{what: "work waiting for a thread", unit: "{item}", kind: anomaly.KindCount, factor: 2, more: 10}
	collecting  = &quantity{what: "time in garbage collection", unit: "1", factor: 1.5, more: 0.02}
	eventLoop   = &quantity{what: "event loop delay", unit: "s", kind: anomaly.KindLatency, factor: 1.5, more: 0.02}
	loopUse     = &quantity{what: "event loop use", unit: "1", factor: 1.3, more: 0.1}
	poolUse     = &quantity{what: "connections in use", unit: "{connection}", kind: anomaly.KindCount, factor: 1.5, more: 2, full: 0.98}
	poolPending = &quantity{what: "requests waiting for a connection", unit: "{request}", kind: anomaly.KindCount, factor: 2, more: 2}
	poolWait    = &quantity{what: "wait for a connection", unit: "s", kind: anomaly.KindLatency, factor: 2, more: 0.005}
	lagging     = &quantity{what: "messages behind", unit: "{message}", kind: anomaly.KindCount, factor: 2, more: 20, pooled: true, climbs: true}
	cacheHits   = &quantity{what: "cache hits", unit: "1", kind: anomaly.KindRatio, fewer: true, factor: 1.15, more: 0.1, pooled: true}
)

// role is what a series of a metric has to do with its quantity.
type role uint8

const (
	value role = iota
	limit      // how much of it there may be
	other      // of a share: what does not count
)

// input is how a metric feeds a quantity.
type input struct {
	of    *quantity
	as    role
	group string   // metrics of one group make one series; empty: the metric's own name
	where string   // attributes, one of which must have …
	is    []string // … one of these values; none: any value, or none at all
	label []string // attributes of which the first that is there tells pools, queues or caches apart
	queue []string // the same for the queue, which has a place in the map
	rate  bool     // also of what is no counter by its type: a summary or histogram of seconds counts by its sum
}

const (
	poolNames  = "db.client.connection.pool.name pool.name pool db_name"
	queueNames = "messaging.destination.name messaging.kafka.topic topic queue queue.name messaging.destination rabbitmq.queue.name destination"
	groupNames = "messaging.consumer.group.name group consumergroup group_id client_id client.id"
	cacheNames = "cache.name cache cache_name name db.namespace"
	usedStates = "db.client.connection.state state status"
)

// inUse are the values by which instrumentations mark connections that are taken.
var inUse = []string{"used", "in_use", "inuse", "active"}

// known are the metrics that are watched, with no configuration: OpenTelemetry's conventions, the ones before them,
// and common names of Prometheus exporters. A service that sends the same by two names has two series of it.
var known = inputs()

func inputs() map[string][]input {
	m := map[string][]input{}
	add := func(in input, names ...string) {
		for _, n := range names {
			m[n] = append(m[n], in)
		}
	}
	plain := func(q *quantity, names ...string) { add(input{of: q}, names...) }
	limits := func(q *quantity, of string, names ...string) { add(input{of: q, as: limit, group: of}, names...) }

	plain(cpuShare, "process.cpu.utilization", "jvm.cpu.recent_utilization", "process.runtime.jvm.cpu.utilization", "container.cpu.utilization", "process_cpu_usage")
	plain(cpuCores, "process.cpu.time", "process_cpu_seconds_total", "container.cpu.time", "container_cpu_usage_seconds_total", "container.cpu.usage", "k8s.pod.cpu.usage", "jvm.cpu.time", "dotnet.process.cpu.time")
	plain(memoryUse, "process.memory.usage", "process_resident_memory_bytes", "container.memory.usage", "container.memory.working_set", "container_memory_working_set_bytes", "k8s.pod.memory.working_set", "k8s.pod.memory.usage", "dotnet.process.memory.working_set")
	limits(memoryUse, "container.memory.usage", "container.memory.usage.limit")
	limits(memoryUse, "container_memory_working_set_bytes", "container_spec_memory_limit_bytes")
	area := "jvm.memory.type area type"
	add(input{of: heap, where: area, is: []string{"heap"}}, "jvm.memory.used", "jvm_memory_used_bytes", "jvm_memory_bytes_used", "process.runtime.jvm.memory.usage")
	add(input{of: heap, as: limit, group: "jvm.memory.used", where: area, is: []string{"heap"}}, "jvm.memory.limit")
	plain(heap, "go.memory.used", "go_memstats_heap_inuse_bytes", "process.runtime.go.mem.heap_alloc", "v8js.memory.heap.used", "nodejs_heap_size_used_bytes", "process.runtime.cpython.memory", "dotnet.gc.last_collection.heap.size", "process.runtime.dotnet.gc.heap.size")
	limits(heap, "go.memory.used", "go.memory.limit")
	limits(heap, "v8js.memory.heap.used", "v8js.memory.heap.limit")
	plain(goroutines, "go.goroutine.count", "go_goroutines", "process.runtime.go.goroutines")
	plain(threads, "jvm.thread.count", "jvm_threads_live_threads", "jvm_threads_current", "process.runtime.jvm.threads.count", "process.thread.count", "dotnet.thread_pool.thread.count")
	plain(waitingWork, "dotnet.thread_pool.queue.length", "process.runtime.dotnet.thread_pool.queue.length")
	add(input{of: collecting, rate: true}, "jvm.gc.duration", "jvm.gc.time", "jvm_gc_pause_seconds", "jvm_gc_collection_seconds", "process.runtime.jvm.gc.duration", "go.gc.pause.time", "go_gc_duration_seconds", "process.runtime.go.gc.pause_ns", "v8js.gc.duration", "v8js.gc.time", "nodejs_gc_duration_seconds", "cpython.gc.time", "dotnet.gc.pause.time")
	plain(eventLoop, "nodejs.eventloop.delay.p99", "nodejs.eventloop.delay.mean", "nodejs_eventloop_lag_seconds", "nodejs_eventloop_lag_p99_seconds")
	plain(loopUse, "nodejs.eventloop.utilization")
	poolInputs(add)
	queueInputs(add)
	cacheInputs(add)
	return m
}

func poolInputs(add func(input, ...string)) {
	pool := strings.Fields(poolNames)
	used := func(group string, names ...string) {
		add(input{of: poolUse, group: group, where: usedStates, is: inUse, label: pool}, names...)
	}
	whole := func(group string, names ...string) { add(input{of: poolUse, group: group, label: pool}, names...) }
	most := func(group string, names ...string) {
		add(input{of: poolUse, as: limit, group: group, label: pool}, names...)
	}
	used("db.client.connection.count", "db.client.connection.count")
	most("db.client.connection.count", "db.client.connection.max")
	used("db.client.connections.usage", "db.client.connections.usage")
	most("db.client.connections.usage", "db.client.connections.max")
	used("db.sql.connection.open", "db.sql.connection.open")
	most("db.sql.connection.open", "db.sql.connection.max_open")
	for _, p := range [][2]string{{"hikaricp.connections.active", "hikaricp.connections.max"}, {"hikaricp_connections_active", "hikaricp_connections_max"},
		{"go_sql_stats_connections_in_use", "go_sql_stats_connections_max_open"}, {"go_sql_in_use_connections", "go_sql_max_open_connections"}, {"pgxpool_acquired_conns", "pgxpool_max_conns"}} {
		whole(p[0], p[0])
		most(p[0], p[1])
	}
	add(input{of: poolPending, label: pool}, "db.client.connection.pending_requests", "db.client.connections.pending_requests", "hikaricp.connections.pending", "hikaricp_connections_pending")
	add(input{of: poolWait, label: pool}, "db.client.connection.wait_time", "db.client.connections.wait_time", "hikaricp.connections.acquire", "hikaricp_connections_acquire_seconds")
}

func queueInputs(add func(input, ...string)) {
	queue, group := strings.Fields(queueNames), strings.Fields(groupNames)
	add(input{of: lagging, label: group, queue: queue}, "kafka.consumer_group.lag", "kafka_consumergroup_lag", "kafka.consumer.records_lag", "kafka.consumer.records_lag_max", "kafka_consumer_fetch_manager_records_lag", "kafka_consumer_fetch_manager_records_lag_max", "messaging.kafka.consumer.lag", "pulsar_msg_backlog", "rabbitmq_queue_messages_ready")
	add(input{of: lagging, label: group, queue: queue, where: "state", is: []string{"ready"}}, "rabbitmq.message.current")
}

func cacheInputs(add func(input, ...string)) {
	cache := strings.Fields(cacheNames)
	for _, p := range [][2]string{{"cache.hits", "cache.misses"}, {"cache_hits_total", "cache_misses_total"}, {"redis.keyspace.hits", "redis.keyspace.misses"}, {"redis_keyspace_hits_total", "redis_keyspace_misses_total"}} {
		add(input{of: cacheHits, group: p[0], label: cache, rate: true}, p[0])
		add(input{of: cacheHits, as: other, group: p[0], label: cache, rate: true}, p[1])
	}
	for _, n := range []string{"cache.gets", "cache_gets_total", "memcached.operations"} {
		add(input{of: cacheHits, group: n, label: cache, rate: true, where: "result type", is: []string{"hit"}}, n)
		add(input{of: cacheHits, as: other, group: n, label: cache, rate: true, where: "result type", is: []string{"miss"}}, n)
	}
}

// matches says whether a series of a metric with these attributes is meant. An instrumentation that does not tell
// states apart counts what is in use alone.
func (in *input) matches(attributes map[string]string) bool {
	if len(in.is) == 0 {
		return true
	}
	v, ok := first(attributes, strings.Fields(in.where))
	return ok && slices.Contains(in.is, v)
}

// first is the first of some attributes that is there.
func first(attributes map[string]string, keys []string) (string, bool) {
	for _, k := range keys {
		if v, ok := attributes[k]; ok && v != "" {
			return v, true
		}
	}
	return "", false
}

// scaleOf is the factor that brings a metric's unit to that of its quantity.
func (q *quantity) scaleOf(unit, metric string) float64 {
	switch unit {
	case "ms":
		return 1e-3
	case "us", "µs":
		return 1e-6
	case "ns":
		return 1e-9
	case "%":
		return 0.01
	case "KiBy", "kiBy":
		return 1 << 10
	case "MiBy":
		return 1 << 20
	}
	if q.unit != "By" && strings.HasSuffix(metric, "_ns") {
		return 1e-9
	}
	return 1
}

// watchedMetrics are the names of the metrics that are watched, in order.
var watchedMetrics = func() []string {
	out := make([]string, 0, len(known))
	for n := range known {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}()

// countedMetrics are those of them that may be histograms of which the mean is judged.
var countedMetrics = func() []string {
	var out []string
	for _, n := range watchedMetrics {
		if known[n][0].of == poolWait {
			out = append(out, n)
		}
	}
	return out
}()
