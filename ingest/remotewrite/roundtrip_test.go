package remotewrite_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/golang/snappy"
	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	configutil "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

// sent is one series as it was sent.
type sent struct {
	labels     labels.Labels
	floats     map[int64]float64
	ints       map[int64]*histogram.Histogram
	histograms map[int64]*histogram.FloatHistogram
}

// sample sends what Prometheus can: every kind of value and histogram, odd names and labels.
func samples(r *rand.Rand, version string) []*sent {
	var out []*sent
	begin := time.Now().Add(-30 * time.Minute).UnixMilli()
	names := []string{"up", "http_requests_total", "with.dots", "with space", "ünïcode", "colon:rule:rate5m"}
	for i := range 60 {
		s := &sent{floats: map[int64]float64{}, ints: map[int64]*histogram.Histogram{}, histograms: map[int64]*histogram.FloatHistogram{}}
		s.labels = labels.FromStrings("__name__", names[i%len(names)], "job", "test", "instance", fmt.Sprint(i), "sender", version, "label.with.dots", "☃", "newline", "a\nb", "Upper", "x")
		for n := range int64(20) {
			at := begin + n*15_000 + int64(i)
			switch i % 4 {
			case 0, 1:
				s.floats[at] = []float64{r.NormFloat64(), math.Inf(1), math.NaN(), math.Float64frombits(value.StaleNaN), -1e-300, math.SmallestNonzeroFloat64, float64(n), 1e308}[r.IntN(8)]
			case 2:
				s.ints[at] = native(r)
				if i%8 == 2 && n == 7 { // a series may change its kind
					delete(s.ints, at)
					s.floats[at] = 1
				}
				if n == 19 {
					s.ints[at] = &histogram.Histogram{Sum: math.Float64frombits(value.StaleNaN)}
				}
			case 3:
				f := native(r).ToFloat(nil)
				f.Count += 0.5
				s.histograms[at] = f
			}
		}
		out = append(out, s)
	}
	return out
}

// native makes an integer histogram, with bounds of its own one time in three.
func native(r *rand.Rand) *histogram.Histogram {
	h := &histogram.Histogram{Schema: int32(r.IntN(13) - 4), ZeroThreshold: 1e-128, ZeroCount: uint64(r.IntN(4)), Sum: r.NormFloat64(),
		PositiveSpans: []histogram.Span{{Offset: int32(r.IntN(9) - 4), Length: 2}, {Offset: int32(r.IntN(3)), Length: 1}}, PositiveBuckets: []int64{3, -1, 4},
		CounterResetHint: histogram.CounterResetHint(r.IntN(4))}
	h.Count = 3 + 2 + 6
	if r.IntN(3) == 0 {
		h.Schema, h.ZeroThreshold, h.ZeroCount, h.CustomValues = histogram.CustomBucketsSchema, 0, 0, []float64{0.1, 0.5, 1, 2, 5, 10}
		h.PositiveSpans[0].Offset = int32(r.IntN(2))
		return h
	}
	h.NegativeSpans, h.NegativeBuckets = []histogram.Span{{Offset: -2, Length: 1}}, []int64{7}
	h.Count += 7 + h.ZeroCount
	return h
}

func version1(all []*sent) []byte {
	var req prompb.WriteRequest
	for _, s := range all {
		ts := prompb.TimeSeries{Labels: prompb.FromLabels(s.labels, nil)}
		for _, at := range times(s) {
			if v, ok := s.floats[at]; ok {
				ts.Samples = append(ts.Samples, prompb.Sample{Timestamp: at, Value: v})
			} else if h := s.ints[at]; h != nil {
				ts.Histograms = append(ts.Histograms, prompb.FromIntHistogram(at, h))
			} else {
				ts.Histograms = append(ts.Histograms, prompb.FromFloatHistogram(at, s.histograms[at]))
			}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	b, err := req.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

func version2(all []*sent) []byte {
	symbols := writev2.NewSymbolTable()
	var req writev2.Request
	for _, s := range all {
		var ts writev2.TimeSeries
		s.labels.Range(func(l labels.Label) {
			ts.LabelsRefs = append(ts.LabelsRefs, symbols.Symbolize(l.Name), symbols.Symbolize(l.Value))
		})
		for _, at := range times(s) {
			if v, ok := s.floats[at]; ok {
				ts.Samples = append(ts.Samples, writev2.Sample{Timestamp: at, Value: v})
			} else if h := s.ints[at]; h != nil {
				ts.Histograms = append(ts.Histograms, writev2.FromIntHistogram(0, at, h))
			} else {
				ts.Histograms = append(ts.Histograms, writev2.FromFloatHistogram(0, at, s.histograms[at]))
			}
		}
		req.Timeseries = append(req.Timeseries, ts)
	}
	req.Symbols = symbols.Symbols()
	b, err := req.Marshal()
	if err != nil {
		panic(err)
	}
	return b
}

func times(s *sent) []int64 {
	var out []int64
	for at := range s.floats {
		out = append(out, at)
	}
	for at := range s.ints {
		out = append(out, at)
	}
	for at := range s.histograms {
		out = append(out, at)
	}
	slices.Sort(out)
	return out
}

// What Prometheus' own client sends with either version is read back as it was: labels, times, the bits of values, and
// every bucket of histograms.
func TestWhatIsSentIsReadBack(t *testing.T) {
	conn, dsn := storetest.DB(t)
	address, in := receiver(t, dsn, nil)
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var all []*sent
	for version, encode := range map[string]func([]*sent) []byte{"1": version1, "2": version2} {
		message := remoteapi.WriteV1MessageType
		if version == "2" {
			message = remoteapi.WriteV2MessageType
		}
		client, err := remote.NewWriteClient("test", &remote.ClientConfig{URL: &configutil.URL{URL: target}, Timeout: model.Duration(10 * time.Second), WriteProtoMsg: message})
		if err != nil {
			t.Fatal(err)
		}
		mine := samples(rand.New(rand.NewPCG(1, 2)), version)
		body := snappy.Encode(nil, encode(mine))
		for range 2 { // the second time it is a repetition
			stats, err := client.Store(context.Background(), body, 0)
			if err != nil {
				t.Fatal(err)
			}
			floats, shapes := 0, 0
			for _, s := range mine {
				floats, shapes = floats+len(s.floats), shapes+len(s.ints)+len(s.histograms)
			}
			if version == "2" && (stats.Samples != floats || stats.Histograms != shapes || !stats.Confirmed) {
				t.Errorf("%+v, want %d samples and %d histograms", stats, floats, shapes)
			}
		}
		all = append(all, mine...)
	}
	if err := in.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	e, err := prom.New(query.New(conn, query.Options{}), prom.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	q, err := e.Querier(0, time.Now().UnixMilli()+3_600_000)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	set := q.Select(context.Background(), true, nil, labels.MustNewMatcher(labels.MatchEqual, "job", "test"))
	found := map[string]*sent{}
	for set.Next() {
		found[set.At().Labels().String()] = collect(t, set.At().Labels(), set.At().Iterator(nil))
	}
	if err := set.Err(); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(all) {
		t.Errorf("%d series, want %d", len(found), len(all))
	}
	for _, want := range all {
		if got := found[want.labels.String()]; got == nil {
			t.Errorf("%s is missing", want.labels)
		} else {
			same(t, got, want)
		}
	}
}

func collect(t *testing.T, ls labels.Labels, it chunkenc.Iterator) *sent {
	t.Helper()
	s := &sent{labels: ls, floats: map[int64]float64{}, ints: map[int64]*histogram.Histogram{}, histograms: map[int64]*histogram.FloatHistogram{}}
	for {
		switch it.Next() {
		case chunkenc.ValFloat:
			at, v := it.At()
			s.floats[at] = v
		case chunkenc.ValHistogram:
			at, h := it.AtHistogram(nil)
			s.ints[at] = h
		case chunkenc.ValFloatHistogram:
			at, h := it.AtFloatHistogram(nil)
			s.histograms[at] = h
		default:
			if err := it.Err(); err != nil {
				t.Fatal(err)
			}
			return s
		}
	}
}

func same(t *testing.T, got, want *sent) {
	t.Helper()
	if len(got.floats) != len(want.floats) || len(got.ints) != len(want.ints) || len(got.histograms) != len(want.histograms) {
		t.Errorf("%s: %d floats, %d and %d histograms, want %d, %d and %d", want.labels, len(got.floats), len(got.ints), len(got.histograms),
			len(want.floats), len(want.ints), len(want.histograms))
	}
	for at, v := range want.floats {
		if g, ok := got.floats[at]; !ok || math.Float64bits(g) != math.Float64bits(v) {
			t.Errorf("%s at %d: %x, want %x", want.labels, at, math.Float64bits(g), math.Float64bits(v))
		}
	}
	for at, h := range want.ints {
		if g := got.ints[at]; g == nil || !g.Equals(h) && !(value.IsStaleNaN(g.Sum) && value.IsStaleNaN(h.Sum)) {
			t.Errorf("%s at %d: %v, want %v", want.labels, at, g, h)
		}
	}
	for at, h := range want.histograms {
		if g := got.histograms[at]; g == nil || !g.Equals(h) {
			t.Errorf("%s at %d: %v, want %v", want.labels, at, g, h)
		}
	}
}

// Refusals by the specifications, before anything is read or allocated.
func TestRefusals(t *testing.T) {
	_, dsn := storetest.DB(t)
	address, _ := receiver(t, dsn, nil)
	good := snappy.Encode(nil, version1(samples(rand.New(rand.NewPCG(1, 2)), "1")))
	for _, c := range []struct {
		what, method string
		header       map[string]string
		body         []byte
		code         int
	}{
		{"another method", "GET", nil, nil, 405},
		{"a message that nobody knows", "POST", map[string]string{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v3.Request"}, good, 415},
		{"another type", "POST", map[string]string{"Content-Type": "text/plain"}, good, 415},
		{"another compression", "POST", map[string]string{"Content-Encoding": "br"}, good, 415},
		{"no snappy", "POST", nil, []byte{1, 2, 3}, 400},
		{"version 1 announced as 2", "POST", map[string]string{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, good, 400},
		{"an announced gigabyte", "POST", nil, []byte{0x80, 0x80, 0x80, 0x80, 0x04, 0x00}, 413},
		{"more than the limit", "POST", nil, make([]byte, 21<<20), 413},
		{"without any header", "POST", map[string]string{"Content-Type": ""}, good, 204},
	} {
		req, err := http.NewRequest(c.method, address, bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range c.header {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.code {
			t.Errorf("%s: %d, want %d", c.what, res.StatusCode, c.code)
		}
	}
}
