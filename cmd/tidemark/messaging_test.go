package main_test

import (
	"net/url"
	"slices"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
)

// TestQueueEdges sends a message to two consumers, one that continues the sender's trace and one that links to it, and
// finds the way through the queue on the map.
func TestQueueEdges(t *testing.T) {
	p := share(t)
	s := newSender(t, p)
	from, continues, links, topic := unique("checkout"), unique("shipping"), unique("mail"), unique("orders")
	traceID, parent := randomBytes(16), randomBytes(8)
	span := func(service, name string, kind trace.Span_SpanKind, in, id, below []byte) *trace.ResourceSpans {
		now := uint64(time.Now().UnixNano())
		x := request(service, 1).ResourceSpans[0]
		x.Resource = &resource.Resource{Attributes: x.Resource.Attributes}
		sp := x.ScopeSpans[0].Spans[0]
		sp.Name, sp.Kind, sp.TraceId, sp.SpanId, sp.ParentSpanId, sp.StartTimeUnixNano, sp.EndTimeUnixNano = name, kind, in, id, below, now, now+1e6
		sp.Attributes = append(sp.Attributes, stringAttribute("messaging.system", "kafka"), stringAttribute("messaging.destination.name", topic))
		return x
	}
	err := s.send(t.Context(), &collectortrace.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{
		span(from, "send "+topic, trace.Span_SPAN_KIND_PRODUCER, traceID, parent, nil),
		span(continues, "process "+topic, trace.Span_SPAN_KIND_CONSUMER, traceID, randomBytes(8), parent),
		span(links, "process "+topic, trace.Span_SPAN_KIND_CONSUMER, randomBytes(16), randomBytes(8), nil),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{from + " > messaging:" + topic, "messaging:" + topic + " > " + continues, "messaging:" + topic + " > " + links}
	slices.Sort(want)
	within(t, 40*time.Second, "the edges to and from the queue", func() bool {
		var m struct {
			Nodes []struct{ ID, Name, Kind, System string }
			Edges []struct{ Source, Target string }
		}
		p.get(t, "/api/v1/map?from=now-15m&to=now&focus="+url.QueryEscape("messaging:"+topic)+"&depth=1", &m)
		var got []string
		for _, e := range m.Edges {
			got = append(got, e.Source+" > "+e.Target)
		}
		slices.Sort(got)
		queue := slices.IndexFunc(m.Nodes, func(n struct{ ID, Name, Kind, System string }) bool {
			return n.ID == "messaging:"+topic && n.Name == topic && n.Kind == "messaging" && n.System == "kafka"
		})
		return slices.Equal(got, want) && len(m.Nodes) == 4 && queue >= 0
	})
	var d struct {
		Callers []struct {
			Source     string
			SourceKind string `json:"source_kind"`
		}
	}
	p.get(t, "/api/v1/services/"+links+"/dependencies?from=now-15m&to=now", &d)
	if len(d.Callers) != 1 || d.Callers[0].Source != topic || d.Callers[0].SourceKind != "messaging" {
		t.Errorf("callers of the consumer: %+v", d.Callers)
	}
}
