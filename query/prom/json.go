package prom

import (
	"sync"
	"unsafe"

	jsoniter "github.com/json-iterator/go"

	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/util/jsonutil"
)

// response is the envelope of every answer.
type response struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

// codec writes answers byte for byte as Prometheus does: numbers as text, special floats, histograms by bucket.
var codec = sync.OnceValue(func() jsoniter.API {
	encode(func(v promql.Vector, s *jsoniter.Stream) { array(s, v, writeSample) })
	encode(func(m promql.Matrix, s *jsoniter.Stream) { array(s, m, writeSeries) })
	encode(writeSeries)
	encode(writeSample)
	encode(writeFloat)
	encode(writeHistogram)
	encode(writeExemplar)
	encode(writeLabels)
	return jsoniter.ConfigCompatibleWithStandardLibrary
})

// encode registers how a type is written; values of it are never left out as empty.
func encode[T any](write func(T, *jsoniter.Stream)) {
	var zero T
	jsoniter.RegisterTypeEncoderFunc(typeName(zero), func(p unsafe.Pointer, s *jsoniter.Stream) { write(*(*T)(p), s) }, func(unsafe.Pointer) bool { return false })
}

func array[T any](s *jsoniter.Stream, all []T, write func(T, *jsoniter.Stream)) {
	s.WriteArrayStart()
	for i, v := range all {
		if i > 0 {
			s.WriteMore()
		}
		write(v, s)
	}
	s.WriteArrayEnd()
}

func writeSeries(v promql.Series, s *jsoniter.Stream) {
	s.WriteObjectStart()
	s.WriteObjectField("metric")
	writeLabels(v.Metric, s)
	if len(v.Floats) > 0 {
		s.WriteMore()
		s.WriteObjectField("values")
		array(s, v.Floats, writeFloat)
	}
	if len(v.Histograms) > 0 {
		s.WriteMore()
		s.WriteObjectField("histograms")
		array(s, v.Histograms, writeHistogram)
	}
	s.WriteObjectEnd()
}

func writeSample(v promql.Sample, s *jsoniter.Stream) {
	s.WriteObjectStart()
	s.WriteObjectField("metric")
	writeLabels(v.Metric, s)
	s.WriteMore()
	if v.H == nil {
		s.WriteObjectField("value")
		writeFloat(promql.FPoint{T: v.T, F: v.F}, s)
	} else {
		s.WriteObjectField("histogram")
		writeHistogram(promql.HPoint{T: v.T, H: v.H}, s)
	}
	s.WriteObjectEnd()
}

func writeFloat(p promql.FPoint, s *jsoniter.Stream) {
	s.WriteArrayStart()
	jsonutil.MarshalTimestamp(p.T, s)
	s.WriteMore()
	jsonutil.MarshalFloat(p.F, s)
	s.WriteArrayEnd()
}

func writeHistogram(p promql.HPoint, s *jsoniter.Stream) {
	s.WriteArrayStart()
	jsonutil.MarshalTimestamp(p.T, s)
	s.WriteMore()
	jsonutil.MarshalHistogram(p.H, s)
	s.WriteArrayEnd()
}

func writeExemplar(e exemplar.Exemplar, s *jsoniter.Stream) {
	s.WriteObjectStart()
	s.WriteObjectField("labels")
	writeLabels(e.Labels, s)
	s.WriteMore()
	s.WriteObjectField("value")
	jsonutil.MarshalFloat(e.Value, s)
	s.WriteMore()
	s.WriteObjectField("timestamp")
	jsonutil.MarshalTimestamp(e.Ts, s)
	s.WriteObjectEnd()
}

func writeLabels(ls labels.Labels, s *jsoniter.Stream) {
	s.WriteObjectStart()
	first := true
	ls.Range(func(l labels.Label) {
		if !first {
			s.WriteMore()
		}
		first = false
		s.WriteString(l.Name)
		s.WriteRaw(":")
		s.WriteString(l.Value)
	})
	s.WriteObjectEnd()
}
