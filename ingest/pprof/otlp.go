package pprof

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"

	"github.com/tidemarkhq/tidemark/ingest"
)

// otlpVersion is the state of the protocol that is understood; it is still changing.
const otlpVersion = "OTLP profiles v1development with a shared dictionary, as of opentelemetry-proto 1.9"

// export takes POST /v1development/profiles.
func (r *Receiver) export(w http.ResponseWriter, q *http.Request) {
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if kind != "application/x-protobuf" && kind != "application/json" {
		r.fail(w, &badRequest{http.StatusUnsupportedMediaType, fmt.Errorf("Content-Type %q: want application/x-protobuf or application/json", q.Header.Get("Content-Type"))})
		return
	}
	release, ok := r.admit(w, q)
	if !ok {
		return
	}
	defer release()
	rejected, message, err := r.exportBody(q, kind == "application/json")
	if err != nil {
		var badly *badRequest
		if errors.As(err, &badly) {
			r.refuse(unreadFor(badly.code), err)
		}
		r.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	if kind == "application/json" {
		fmt.Fprintf(w, `{"partialSuccess":{"rejectedProfiles":"%d","errorMessage":%q}}`, rejected, message)
		return
	}
	if rejected == 0 {
		return // an empty message
	}
	partial := binary.AppendUvarint([]byte{1 << 3}, uint64(rejected))
	partial = append(binary.AppendUvarint(append(partial, 2<<3|2), uint64(len(message))), message...)
	w.Write(append(binary.AppendUvarint([]byte{1<<3 | 2}, uint64(len(partial))), partial...))
}

func (r *Receiver) exportBody(q *http.Request, text bool) (rejected int, message string, err error) {
	body, err := r.body(q)
	if err != nil {
		return 0, "", err
	}
	if body, err = gunzip(body, r.opts.MaxBody); err != nil {
		return 0, "", err
	}
	return r.Export(q.Context(), body, text)
}

// ExportBinary is Export for a body in protobuf, as gRPC brings it. What cannot be read is an *ingest.MalformedError.
func (r *Receiver) ExportBinary(ctx context.Context, body []byte) (rejected int, message string, err error) {
	rejected, message, err = r.Export(ctx, body, false)
	var badly *badRequest
	if errors.As(err, &badly) {
		err = &ingest.MalformedError{Err: err}
	}
	return rejected, message, err
}

// Export takes the body of an ExportProfilesServiceRequest. Profiles that cannot be understood are rejected one by one.
func (r *Receiver) Export(ctx context.Context, body []byte, text bool) (rejected int, message string, err error) {
	defer func() { // the parser may panic on hostile input
		if p := recover(); p != nil {
			err = bad("the request is not %s: %v", otlpVersion, p)
		}
	}()
	req := pprofileotlp.NewExportRequest()
	if text {
		err = req.UnmarshalJSON(body)
	} else {
		err = req.UnmarshalProto(body)
	}
	if err != nil {
		return 0, "", bad("the request is not %s: %w", otlpVersion, err)
	}
	data := req.Profiles()
	d := &dictionary{data.Dictionary()}
	if err := d.check(); err != nil {
		return 0, "", bad("the request is not %s: %w", otlpVersion, err)
	}
	for _, rp := range data.ResourceProfiles().All() {
		resource := map[string]string{}
		for k, v := range rp.Resource().Attributes().All() {
			resource[k] = v.AsString()
		}
		resource = identify(resource, "")
		if resource["service.name"] == "" {
			resource["service.name"] = "unknown_service"
		}
		for _, sp := range rp.ScopeProfiles().All() {
			for _, p := range sp.Profiles().All() {
				err := r.exportOne(ctx, d, resource, p)
				var overload *ingest.OverloadError
				switch {
				case errors.As(err, &overload), ctx.Err() != nil:
					return 0, "", err
				case err != nil:
					rejected++
					message = err.Error()
				}
			}
		}
	}
	return rejected, message, nil
}

func (r *Receiver) exportOne(ctx context.Context, d *dictionary, resource map[string]string, p pprofile.Profile) error {
	out, err := d.profile(p)
	if err != nil {
		return err
	}
	raw, err := encode(out)
	if err != nil {
		return err
	}
	_, err = r.Take(ctx, Push{Resource: resource, Type: d.attribute(p.AttributeIndices(), "pprof.profile.type"), Source: "otlp", Body: raw})
	return err
}

// dictionary looks up what profiles of a request refer to.
type dictionary struct{ pprofile.ProfilesDictionary }

var errIndex = errors.New("an index points behind the end of a table")

func (d *dictionary) check() error {
	t := d.StringTable()
	if t.Len() == 0 || t.At(0) != "" {
		return errors.New("its dictionary has no string_table that begins with the empty string")
	}
	return nil
}

func (d *dictionary) text(i int32) (string, error) {
	if i < 0 || int(i) >= d.StringTable().Len() {
		return "", errIndex
	}
	return d.StringTable().At(int(i)), nil
}

// attribute finds the value of a key among attributes; "" if it is not there.
func (d *dictionary) attribute(indices pcommon.Int32Slice, key string) string {
	for _, i := range indices.All() {
		if int(i) >= d.AttributeTable().Len() || i < 0 {
			continue
		}
		a := d.AttributeTable().At(int(i))
		if k, err := d.text(a.KeyStrindex()); err == nil && k == key {
			return a.Value().AsString()
		}
	}
	return ""
}

// profile turns one OTLP profile into one of google/pprof.
func (d *dictionary) profile(p pprofile.Profile) (*profile.Profile, error) {
	b := &otlpBuilder{dictionary: d, out: &profile.Profile{TimeNanos: int64(p.Time()), DurationNanos: int64(p.DurationNano()), Period: p.Period()},
		locations: map[int32]*profile.Location{}, functions: map[int32]*profile.Function{}, mappings: map[int32]*profile.Mapping{}}
	var err error
	valueType := func(t pprofile.ValueType) *profile.ValueType {
		name, e1 := d.text(t.TypeStrindex())
		unit, e2 := d.text(t.UnitStrindex())
		err = errors.Join(err, e1, e2)
		return &profile.ValueType{Type: name, Unit: unit}
	}
	b.out.SampleType = []*profile.ValueType{valueType(p.SampleType())}
	b.out.PeriodType = valueType(p.PeriodType())
	if err != nil {
		return nil, err
	}
	for i, s := range p.Samples().All() {
		if err := b.sample(s); err != nil {
			return nil, fmt.Errorf("sample %d: %w", i, err)
		}
	}
	return b.out, b.out.CheckValid()
}

type otlpBuilder struct {
	*dictionary
	out       *profile.Profile
	locations map[int32]*profile.Location
	functions map[int32]*profile.Function
	mappings  map[int32]*profile.Mapping
}

func (b *otlpBuilder) sample(s pprofile.Sample) error {
	out := &profile.Sample{}
	var sum int64
	for _, v := range s.Values().All() {
		sum += v
	}
	if s.Values().Len() == 0 { // one for each moment
		sum = int64(s.TimestampsUnixNano().Len())
	}
	out.Value = []int64{sum}
	if i := s.StackIndex(); i != 0 {
		if i < 0 || int(i) >= b.StackTable().Len() {
			return errIndex
		}
		for _, l := range b.StackTable().At(int(i)).LocationIndices().All() {
			loc, err := b.location(l)
			if err != nil {
				return err
			}
			out.Location = append(out.Location, loc)
		}
	}
	label := func(k, v string) {
		if k != "" && v != "" {
			if out.Label == nil {
				out.Label = map[string][]string{}
			}
			out.Label[k] = append(out.Label[k], v)
		}
	}
	for _, i := range s.AttributeIndices().All() {
		if i < 0 || int(i) >= b.AttributeTable().Len() {
			return errIndex
		}
		a := b.AttributeTable().At(int(i))
		k, err := b.text(a.KeyStrindex())
		if err != nil {
			return err
		}
		label(k, a.Value().AsString())
	}
	if i := s.LinkIndex(); i != 0 {
		if i < 0 || int(i) >= b.LinkTable().Len() {
			return errIndex
		}
		l := b.LinkTable().At(int(i))
		trace, span := l.TraceID(), l.SpanID()
		label("trace_id", hex.EncodeToString(trace[:]))
		label("span_id", hex.EncodeToString(span[:]))
	}
	b.out.Sample = append(b.out.Sample, out)
	return nil
}

func (b *otlpBuilder) location(i int32) (*profile.Location, error) {
	if have := b.locations[i]; have != nil {
		return have, nil
	}
	if i < 0 || int(i) >= b.LocationTable().Len() {
		return nil, errIndex
	}
	l := b.LocationTable().At(int(i))
	out := &profile.Location{ID: uint64(len(b.out.Location) + 1), Address: l.Address()}
	var err error
	if out.Mapping, err = b.mapping(l.MappingIndex()); err != nil {
		return nil, err
	}
	for _, ln := range l.Lines().All() {
		f, err := b.function(ln.FunctionIndex())
		if err != nil {
			return nil, err
		}
		out.Line = append(out.Line, profile.Line{Function: f, Line: ln.Line(), Column: ln.Column()})
	}
	b.out.Location = append(b.out.Location, out)
	b.locations[i] = out
	return out, nil
}

func (b *otlpBuilder) function(i int32) (*profile.Function, error) {
	if have := b.functions[i]; have != nil {
		return have, nil
	}
	if i < 0 || int(i) >= b.FunctionTable().Len() {
		return nil, errIndex
	}
	f := b.FunctionTable().At(int(i))
	name, e1 := b.text(f.NameStrindex())
	system, e2 := b.text(f.SystemNameStrindex())
	file, e3 := b.text(f.FilenameStrindex())
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	out := &profile.Function{ID: uint64(len(b.out.Function) + 1), Name: name, SystemName: system, Filename: file, StartLine: f.StartLine()}
	b.out.Function = append(b.out.Function, out)
	b.functions[i] = out
	return out, nil
}

// mapping is nil for index 0, which stands for none.
func (b *otlpBuilder) mapping(i int32) (*profile.Mapping, error) {
	if have := b.mappings[i]; have != nil || i == 0 {
		return have, nil
	}
	if i < 0 || int(i) >= b.MappingTable().Len() {
		return nil, errIndex
	}
	m := b.MappingTable().At(int(i))
	file, err := b.text(m.FilenameStrindex())
	if err != nil {
		return nil, err
	}
	id := b.attribute(m.AttributeIndices(), "process.executable.build_id.gnu")
	if id == "" {
		id = b.attribute(m.AttributeIndices(), "process.executable.build_id.go")
	}
	out := &profile.Mapping{ID: uint64(len(b.out.Mapping) + 1), Start: m.MemoryStart(), Limit: m.MemoryLimit(), Offset: m.FileOffset(), File: file, BuildID: strings.TrimSpace(id), HasFunctions: true}
	b.out.Mapping = append(b.out.Mapping, out)
	b.mappings[i] = out
	return out, nil
}
