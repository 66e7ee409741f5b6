package ingest

import "github.com/prometheus/client_golang/prometheus"

var descs []*prometheus.Desc

func desc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc("tidemark_ingest_"+name, help, labels, nil)
	descs = append(descs, d)
	return d
}

var (
	descRequests   = desc("requests_total", "Requests acknowledged.", "signal")
	descItems      = desc("items_total", "Spans, log records, metric points and profile samples accepted.", "signal")
	descRejected   = desc("rejected_items_total", "Items rejected one by one in partial_success.", "signal")
	descBytes      = desc("bytes_total", "Bytes of decoded requests.", "signal")
	descRefused    = desc("refused_requests_total", "Requests refused as a whole, to be tried again or not; reasons_total says why.", "signal")
	descReasons    = desc("reasons_total", "Items and requests not stored as sent, by reason.", "signal", "reason")
	descAck        = desc("ack_seconds", "Time until a request was acknowledged, over the last one to two minutes.", "signal", "quantile")
	descDuplicates = desc("duplicate_requests_total", "Requests sent again byte for byte, acknowledged and not stored again.", "signal")
	descStored     = desc("stored_items_total", "Items committed to ClickHouse.", "signal")
	descBatches    = desc("batches_total", "Batches committed.")
	descBatchRows  = desc("batch_rows", "Items of the newest batch.")
	descBatchTime  = desc("batch_seconds", "How long the newest batch took to commit.")
	descInFlight   = desc("in_flight_bytes", "Bytes of requests not yet stored or spooled.")
	descLimit      = desc("in_flight_limit_bytes", "Bound of in_flight_bytes.")
	descStoring    = desc("storing", "1 while ClickHouse takes batches at once.")
	descSpoolBytes = desc("spool_bytes", "Bytes in the spool.")
	descSpoolFiles = desc("spool_files", "Files in the spool, those of open batches included.")
	descPending    = desc("spool_pending", "Batches waiting to be replayed.")
	descAge        = desc("spool_age_seconds", "Age of the oldest batch waiting to be replayed.")
	descSpooled    = desc("spooled_batches_total", "Batches left to the spool.")
	descReplayed   = desc("replayed_batches_total", "Batches replayed from the spool.")
	descQuarantine = desc("quarantined_files_total", "Spool files quarantined.")
	descSetAside   = desc("set_aside_rows_total", "Rows that ClickHouse refused one by one and that were set aside.")
	descSpoolError = desc("spool_errors_total", "Failed operations on the spool.")
	descInsertErr  = desc("insert_errors_total", "Failed inserts.", "table")
	descLagQ       = desc("visible_seconds", "Time from the end of spans to their visibility, over the last one to two minutes.", "quantile")
	descCommitQ    = desc("commit_seconds", "Time from the receipt of the first request of a batch to its commit, over the last one to two minutes.", "quantile")
	descFlushQ     = desc("flush_seconds", "Time to insert a batch, over the last one to two minutes.", "quantile")
	descBatchBytes = desc("batch_bytes", "Median size of the requests of a batch, over the last two minutes.")
	descService    = desc("service_items_total", "Spans, log records and metric points accepted, of the services that sent most.", "service", "signal")
	descAtCap      = desc("names_beyond_cap", "Services, metrics and keys with more operations, series or values than their cap.", "kind")
	descBeyond     = desc("beyond_cap_total", "Spans counted under (other), points rejected and values not offered because of a cap.", "kind")
	descCap        = desc("cap", "Cardinality guards in force, without exceptions.", "kind")
	descSkewed     = desc("skewed_senders", "Senders whose clocks differ from ours.")
	descLag        = desc("lag_seconds", "Time from the start of the newest span of the newest batch to its commit.")
	descFolded     = desc("folded_operations_total", "Spans counted under (other).")
)

// Describe implements prometheus.Collector.
func (s *stats) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descs {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *stats) Collect(ch chan<- prometheus.Metric) {
	st := s.in.Stats()
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for signal := range signals {
		name := signal.String()
		x := st.Signals[name]
		counter(descRequests, float64(x.Requests), name)
		counter(descItems, float64(x.Items), name)
		counter(descRejected, float64(x.Rejected), name)
		counter(descBytes, float64(x.Bytes), name)
		counter(descRefused, float64(x.Refused), name)
		counter(descDuplicates, float64(x.Duplicates), name)
		counter(descStored, float64(s.stored[signal].Load()), name)
		gauge(descAck, x.AckP50/1000, name, "0.5")
		gauge(descAck, x.AckP95/1000, name, "0.95")
		gauge(descAck, x.AckP99/1000, name, "0.99")
	}
	for _, r := range st.Reasons {
		counter(descReasons, float64(r.Count), r.Signal, r.Reason)
	}
	for table, n := range st.InsertErrors {
		counter(descInsertErr, float64(n), table)
	}
	var folded int64
	for _, n := range st.FoldedOperations {
		folded += n
	}
	storing := 0.0
	if st.Storing {
		storing = 1
	}
	counter(descFolded, float64(folded))
	counter(descBatches, float64(st.Batches))
	gauge(descBatchRows, float64(st.BatchRows))
	gauge(descBatchTime, st.BatchMillis/1000)
	gauge(descInFlight, float64(st.InFlightBytes))
	gauge(descLimit, float64(st.InFlightLimit))
	gauge(descStoring, storing)
	gauge(descSpoolBytes, float64(st.Spool.Bytes))
	gauge(descSpoolFiles, float64(st.Spool.Files))
	gauge(descPending, float64(st.Spool.Pending))
	gauge(descAge, st.Spool.AgeSeconds)
	counter(descSpooled, float64(st.Spool.Spooled))
	counter(descReplayed, float64(st.Spool.Replayed))
	counter(descQuarantine, float64(st.Spool.Quarantined))
	counter(descSetAside, float64(st.Spool.SetAside))
	counter(descSpoolError, float64(st.Spool.Errors))
	gauge(descLag, st.LagSeconds)
	gauge(descSkewed, float64(len(st.ClockSkews)))
	gauge(descBatchBytes, float64(st.Flushes.BytesP50))
	for d, q := range map[*prometheus.Desc]Quantiles{descLagQ: st.Lag, descCommitQ: st.Commit, descFlushQ: st.Flushes.Took} {
		if q.Count > 0 {
			gauge(d, q.P50/1000, "0.5")
			gauge(d, q.P95/1000, "0.95")
			gauge(d, q.P99/1000, "0.99")
		}
	}
	for _, x := range st.Services[:min(len(st.Services), servicesExposed)] {
		counter(descService, float64(x.Items), x.Service, x.Signal)
	}
	s.collectCaps(counter, gauge)
}

// servicesExposed bounds the label values of service_items_total.
const servicesExposed = 100

func (s *stats) collectCaps(counter, gauge func(*prometheus.Desc, float64, ...string)) {
	caps := s.in.caps.now.Load()
	for _, kind := range []struct {
		name string
		cap  int
		list []Cardinality
	}{
		{"operations", caps.Operations, s.in.ops.cardinality()},
		{"series", caps.Series, s.in.series.cardinality(s.in.caps)},
		{"values", caps.Values, s.in.values.cardinality()},
	} {
		beyond, times := 0, int64(0)
		for _, c := range kind.list {
			if c.Beyond > 0 {
				beyond++
			}
			times += c.Times
		}
		gauge(descCap, float64(kind.cap), kind.name)
		gauge(descAtCap, float64(beyond), kind.name)
		counter(descBeyond, float64(times), kind.name)
	}
}
