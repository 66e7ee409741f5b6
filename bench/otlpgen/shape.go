package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// shape is how varied the telemetry is.
type shape struct{ services, routes, attrs int }

const instances = 4 // of a service

func service(n int) string { return fmt.Sprintf("service-%02d", n) }

// describe fills a resource as the SDKs and the Kubernetes detector do.
func describe(a pcommon.Map, s, instance int) {
	a.PutStr("service.name", service(s))
	a.PutStr("service.version", fmt.Sprintf("1.%d.0", s%3))
	a.PutStr("service.instance.id", fmt.Sprintf("pod-%d-%d", s, instance))
	a.PutStr("deployment.environment.name", "prod")
	a.PutStr("k8s.namespace.name", "shop")
	a.PutStr("k8s.pod.name", fmt.Sprintf("service-%02d-7c9f-%d", s, instance))
	a.PutStr("host.name", fmt.Sprintf("node-%d", (s+instance)%8))
	a.PutStr("telemetry.sdk.language", "go")
}

// more fills up attributes to n, with fifty values each.
func more(a pcommon.Map, r *rand.Rand, n int) {
	for k := a.Len(); k < n; k++ {
		a.PutStr(fmt.Sprintf("app.attribute.%d", k), fmt.Sprintf("value-%d", r.IntN(50)))
	}
}

func (p *payload) traceID(r *rand.Rand) (id pcommon.TraceID) {
	binary.LittleEndian.PutUint64(id[:8], p.slot(slotID, r.Uint64(), 0))
	binary.LittleEndian.PutUint64(id[8:], p.slot(slotID, r.Uint64(), 0))
	return id
}

func (p *payload) spanID(r *rand.Rand) (id pcommon.SpanID) {
	binary.LittleEndian.PutUint64(id[:], p.slot(slotID, r.Uint64(), 0))
	return id
}

func (p *payload) time(afterNano uint64) pcommon.Timestamp {
	return pcommon.Timestamp(p.slot(slotTime, afterNano, 0))
}
