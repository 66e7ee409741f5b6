package pprof

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
)

// request has one profile: main calls work, inlined into main.go:7, worth 30 and 12 nanoseconds in one span.
func request(t *testing.T, stack int32) pprofileotlp.ExportRequest {
	t.Helper()
	data := pprofile.NewProfiles()
	d := data.Dictionary()
	d.StringTable().FromRaw([]string{"", "cpu", "nanoseconds", "main.main", "main.work", "main.go", "/bin/shop", "endpoint"})
	d.MappingTable().AppendEmpty()
	m := d.MappingTable().AppendEmpty()
	m.SetMemoryStart(0x1000)
	m.SetMemoryLimit(0x9000)
	m.SetFilenameStrindex(6)
	d.FunctionTable().AppendEmpty()
	for _, name := range []int32{3, 4} {
		f := d.FunctionTable().AppendEmpty()
		f.SetNameStrindex(name)
		f.SetFilenameStrindex(5)
	}
	d.LocationTable().AppendEmpty()
	l := d.LocationTable().AppendEmpty()
	l.SetAddress(0x1234)
	l.SetMappingIndex(1)
	for i, line := range []int64{7, 20} {
		ln := l.Lines().AppendEmpty()
		ln.SetFunctionIndex(int32(2 - i))
		ln.SetLine(line)
	}
	d.StackTable().AppendEmpty()
	d.StackTable().AppendEmpty().LocationIndices().FromRaw([]int32{1})
	d.LinkTable().AppendEmpty()
	link := d.LinkTable().AppendEmpty()
	link.SetSpanID(pcommon.SpanID{1, 2, 3, 4, 5, 6, 7, 8})
	d.AttributeTable().AppendEmpty()
	a := d.AttributeTable().AppendEmpty()
	a.SetKeyStrindex(7)
	a.Value().SetStr("/pay")
	rp := data.ResourceProfiles().AppendEmpty()
	rp.Resource().Attributes().PutStr("service.name", "shop")
	p := rp.ScopeProfiles().AppendEmpty().Profiles().AppendEmpty()
	p.SampleType().SetTypeStrindex(1)
	p.SampleType().SetUnitStrindex(2)
	p.SetTime(1_700_000_000_000_000_000)
	p.SetDurationNano(1_000_000_000)
	s := p.Samples().AppendEmpty()
	s.SetStackIndex(stack)
	s.SetLinkIndex(1)
	s.AttributeIndices().FromRaw([]int32{1})
	s.Values().FromRaw([]int64{30, 12})
	return pprofileotlp.NewExportRequestFromProfiles(data)
}

func export(t *testing.T, url string, body []byte, kind string) (int, string) {
	t.Helper()
	resp, err := http.Post(url+"/v1development/profiles", kind, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestOTLPProfiles(t *testing.T) {
	k := &taken{}
	_, s := serve(t, k, func(o *Options) { o.OTLP = true })
	good := request(t, 1)
	proto, err := good.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	text, err := good.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for kind, body := range map[string][]byte{"application/x-protobuf": proto, "application/json": text} {
		if code, answer := export(t, s.URL, body, kind); code != 200 {
			t.Fatalf("%s: %d %s", kind, code, answer)
		}
	}
	if code, answer := export(t, s.URL, zip(proto), "application/x-protobuf"); code != 200 {
		t.Errorf("compressed: %d %s", code, answer)
	}
	if k.count() != 3 {
		t.Fatalf("%d submitted", k.count())
	}
	p := submitted(t, k.bodies[0], "otlp")
	smp := p.Sample[0]
	if smp.Value[0] != 42 || smp.Label["endpoint"][0] != "/pay" || smp.Label["span_id"][0] != "0102030405060708" || p.SampleType[0].Unit != "nanoseconds" || p.DurationNanos != 1e9 {
		t.Errorf("%+v of %+v", smp, p)
	}
	loc := smp.Location[0]
	if len(loc.Line) != 2 || loc.Line[0].Function.Name != "main.work" || loc.Line[0].Line != 7 || loc.Line[1].Function.Name != "main.main" || loc.Mapping.File != "/bin/shop" || loc.Address != 0x1234 {
		t.Errorf("%+v", loc)
	}

	bad, err := request(t, 99).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	if code, answer := export(t, s.URL, bad, "application/x-protobuf"); code != 200 || !strings.Contains(answer, "an index points behind") {
		t.Errorf("a profile with a broken reference: %d %q", code, answer)
	}
	for name, body := range map[string][]byte{"an older layout": {0x0a, 0x04, 0x0a, 0x02, 0x08, 0x01}, "no protobuf": []byte("hello there")} {
		if code, answer := export(t, s.URL, body, "application/x-protobuf"); code != 400 || !strings.Contains(answer, "v1development") {
			t.Errorf("%s: %d %s", name, code, answer)
		}
	}
	_, off := serve(t, k, nil)
	if code, answer := export(t, off.URL, proto, "application/x-protobuf"); code != 404 || !strings.Contains(answer, "--otlp-profiles") {
		t.Errorf("turned off: %d %s", code, answer)
	}
}
