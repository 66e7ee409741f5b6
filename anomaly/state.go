package anomaly

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// stateVersion changes whenever the fields of state do; a state of another
// version is refused and learned again from history.
const stateVersion = 4

// MarshalBinary gives what the detector has learned: a version byte and the
// fields of state in order, little endian.
func (d *Detector) MarshalBinary() ([]byte, error) {
	b, err := binary.Append([]byte{stateVersion}, binary.LittleEndian, &d.state)
	if err != nil {
		return nil, fmt.Errorf("encode detector state: %w", err)
	}
	return b, nil
}

// UnmarshalBinary restores what MarshalBinary gave. Kind and budget are those
// of New; d is unchanged if there is an error.
func (d *Detector) UnmarshalBinary(b []byte) error {
	var s state
	if len(b) == 0 || b[0] != stateVersion {
		return fmt.Errorf("decode detector state: not of version %d", stateVersion)
	}
	if want := binary.Size(&s); len(b)-1 != want {
		return fmt.Errorf("decode detector state: %d bytes, want %d", len(b)-1, want)
	}
	if err := binary.Read(bytes.NewReader(b[1:]), binary.LittleEndian, &s); err != nil {
		return fmt.Errorf("decode detector state: %w", err)
	}
	if err := s.check(); err != nil {
		return fmt.Errorf("decode detector state: %w", err)
	}
	d.state = s
	return nil
}

// check finds what would make a damaged state index out of range.
func (s *state) check() error {
	for _, k := range []*sketch{&s.Value.Sketch, &s.Hour.Sketch} {
		if k.Len < 0 || k.Len > sketchSize {
			return fmt.Errorf("sketch of %d values", k.Len)
		}
	}
	if p := &s.Peaks; p.Len < 0 || p.Len > peaksKept || p.Next < 0 || p.Next >= peaksKept {
		return fmt.Errorf("%d bursts, next %d", p.Len, p.Next)
	}
	b := &s.Base
	for _, bin := range []int32{b.Bin, b.TodayBin[0], b.TodayBin[1]} {
		if bin < -1 || bin >= seasonBins {
			return fmt.Errorf("bin %d", bin)
		}
	}
	if b.Width != 0 && (b.Width < seasonWidth || b.Width > day) || s.Short.N < 0 || s.Step.N < 0 {
		return fmt.Errorf("bin width %d, %d recent values, %d steps", b.Width, s.Short.N, s.Step.N)
	}
	return nil
}
