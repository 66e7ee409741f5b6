package pprof

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/google/pprof/profile"
	"github.com/klauspost/compress/gzip"
	"google.golang.org/protobuf/encoding/protowire"
)

// Unpacking and handing on a profile needs two buffers of its size. They are used again, unless they have grown large.
var (
	buffers  = sync.Pool{New: func() any { return new(bytes.Buffer) }}
	unpacker = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

const mostPooled = 4 << 20

func release(b *bytes.Buffer) {
	if b.Cap() <= mostPooled {
		b.Reset()
		buffers.Put(b)
	}
}

// gunzip unpacks a body if it is packed, up to a limit.
func gunzip(body []byte, limit int) ([]byte, error) {
	return unpack(new(bytes.Buffer), body, limit)
}

// unpack is gunzip into a buffer.
func unpack(out *bytes.Buffer, body []byte, limit int) ([]byte, error) {
	if len(body) == 0 {
		return nil, bad("the profile is empty")
	}
	if len(body) < 2 || body[0] != 0x1f || body[1] != 0x8b {
		return body, nil
	}
	z := unpacker.Get().(*gzip.Reader)
	defer unpacker.Put(z)
	if err := z.Reset(bytes.NewReader(body)); err != nil {
		return nil, bad("unpacking the profile: %w", err)
	}
	out.Grow(min(4*len(body), limit))
	if _, err := io.Copy(out, io.LimitReader(z, int64(limit)+1)); err != nil {
		return nil, bad("unpacking the profile: %w", err)
	}
	if out.Len() > limit {
		return nil, &badRequest{http.StatusRequestEntityTooLarge, errors.New("the profile is too large when unpacked (max-request-bytes)")}
	}
	return out.Bytes(), nil
}

// head is what the outermost fields of a profile say.
type head struct {
	types           []string // "cpu/nanoseconds"
	period          string
	start, duration int64
	comments        []string
}

// peek reads the outermost fields of a profile without the samples.
func peek(raw []byte) (head, error) {
	var h head
	var strs [][]byte
	var types [][2]uint64
	var period [2]uint64
	for b := raw; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return h, protowire.ParseError(n)
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return h, protowire.ParseError(n)
		}
		value := b[:n]
		b = b[n:]
		switch {
		case typ == protowire.BytesType && num == 1:
			types = append(types, valueType(value))
		case typ == protowire.BytesType && num == 11:
			period = valueType(value)
		case typ == protowire.BytesType && num == 6:
			s, _ := protowire.ConsumeBytes(value)
			strs = append(strs, s)
		case typ == protowire.VarintType && num == 9:
			v, _ := protowire.ConsumeVarint(value)
			h.start = int64(v)
		case typ == protowire.VarintType && num == 10:
			v, _ := protowire.ConsumeVarint(value)
			h.duration = max(0, int64(v))
		}
	}
	if len(types) == 0 || len(strs) == 0 {
		return h, errors.New("sample_type or string_table is missing")
	}
	name := func(t [2]uint64) (string, bool) {
		if t[0] >= uint64(len(strs)) || t[1] >= uint64(len(strs)) {
			return "", false
		}
		return string(strs[t[0]]) + "/" + string(strs[t[1]]), true
	}
	for _, t := range types {
		s, ok := name(t)
		if !ok {
			return h, errors.New("sample_type refers to a string that is not there")
		}
		h.types = append(h.types, s)
	}
	h.period, _ = name(period)
	return h, nil
}

func valueType(value []byte) (t [2]uint64) {
	b, _ := protowire.ConsumeBytes(value)
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return t
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
			return t
		}
		if v, _ := protowire.ConsumeVarint(b); typ == protowire.VarintType && (num == 1 || num == 2) {
			t[num-1] = v
		}
		b = b[n:]
	}
	return t
}

// sinceStart are the sample types that Go's runtime counts since the process began.
var sinceStart = map[string]bool{"alloc_objects": true, "alloc_space": true, "contentions": true, "delay": true}

func typeName(t string) string { name, _, _ := strings.Cut(t, "/"); return name }

// cumulative says whether values count since the process began: those of Go's heap, mutex and block profiles that were
// not taken over a while (?seconds=), which alone have a duration.
func (h head) cumulative() bool {
	if h.duration > 0 {
		return false
	}
	for _, t := range h.types {
		if sinceStart[typeName(t)] {
			return true
		}
	}
	return false
}

// kind is what was profiled, as far as sample types tell.
func (h head) kind() string {
	for _, t := range h.types {
		switch name := typeName(t); name {
		case "inuse_space", "alloc_space", "inuse_objects", "alloc_objects", "space", "objects": // Go's, and Node's
			return "heap"
		case "cpu", "goroutine", "threadcreate", "wall":
			return name
		case "contentions", "delay":
			return "mutex"
		}
	}
	if typeName(h.period) == "cpu" {
		return "cpu"
	}
	return typeName(h.types[0])
}

// parse reads a whole profile with google/pprof.
func parse(raw []byte) (p *profile.Profile, err error) {
	p, err = profile.ParseUncompressed(raw)
	if err == nil {
		err = p.CheckValid()
	}
	if err != nil {
		return nil, bad("the profile is damaged: %w", err)
	}
	return p, nil
}

func encode(p *profile.Profile) ([]byte, error) {
	var out bytes.Buffer
	if err := p.WriteUncompressed(&out); err != nil {
		return nil, bad("the profile cannot be written again: %w", err)
	}
	return out.Bytes(), nil
}
