// Package backtest replays a series from a file through the detector that
// watches live ones, strictly online: the answer to a row depends on the rows
// up to it. It is the body of "tidemark backtest series".
package backtest

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// header names the columns of the answer.
const header = "timestamp,value,expected,lower,upper,score,anomalous\n"

// Series reads a CSV file with the columns timestamp (Unix seconds or RFC 3339)
// and value, others being ignored, and writes one row for each with the
// expectation, its band, the surprise in nats and the verdict at the default
// sensitivity. kind is one of auto, latency, count, ratio and gauge. An empty
// value, or one that is no number, is answered with score 0.
func Series(r io.Reader, w io.Writer, kind string) error {
	k, err := anomaly.ParseKind(kind)
	if err != nil {
		return err
	}
	in := csv.NewReader(bufio.NewReaderSize(r, 1<<16))
	in.FieldsPerRecord, in.ReuseRecord, in.TrimLeadingSpace = -1, true, true
	timestamp, value, err := columns(in)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(header) // errors stay until Flush
	d := anomaly.New(anomaly.Config{Kind: k})
	var line []byte
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read series: %w", err)
		}
		n, _ := in.FieldPos(0)
		if max(timestamp, value) >= len(row) {
			return fmt.Errorf("read series: line %d has %d columns", n, len(row))
		}
		t, err := parseTime(row[timestamp])
		if err != nil {
			return fmt.Errorf("read series: line %d: %w", n, err)
		}
		v, err := parseValue(row[value])
		if err != nil {
			return fmt.Errorf("read series: line %d: %w", n, err)
		}
		line = appendRow(line[:0], row[timestamp], row[value], d.Observe(t, v))
		if _, err := out.Write(line); err != nil {
			return fmt.Errorf("write verdicts: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write verdicts: %w", err)
	}
	return nil
}

// columns finds the two columns in the header.
func columns(in *csv.Reader) (timestamp, value int, err error) {
	row, err := in.Read()
	if err != nil {
		return 0, 0, fmt.Errorf("read header of series: %w", err)
	}
	named := func(name string) int {
		return slices.IndexFunc(row, func(s string) bool {
			return strings.EqualFold(strings.TrimSpace(strings.TrimPrefix(s, "\ufeff")), name)
		})
	}
	timestamp, value = named("timestamp"), named("value")
	if timestamp < 0 || value < 0 {
		return 0, 0, fmt.Errorf("header of series is %q: want columns timestamp and value", strings.Join(row, ","))
	}
	return timestamp, value, nil
}

// parseTime reads Unix seconds, with or without a fraction, or RFC 3339.
func parseTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(n, 0), nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1e15 {
		whole, part := math.Modf(f)
		return time.Unix(int64(whole), int64(part*1e9)), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("timestamp %q: want Unix seconds or RFC 3339", text)
}

// parseValue reads a number; nothing is NaN.
func parseValue(text string) (float64, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, fmt.Errorf("value %q: want a number", text)
	}
	return v, nil
}

// appendRow writes one answer; timestamp and value stand as they came.
func appendRow(line []byte, timestamp, value string, v anomaly.Verdict) []byte {
	line = append(line, timestamp...)
	line = append(line, ',')
	line = append(line, value...)
	for _, f := range [...]float64{v.Expected, v.Lower, v.Upper} {
		line = append(line, ',')
		line = strconv.AppendFloat(line, f, 'g', 7, 64)
	}
	line = append(line, ',')
	line = strconv.AppendFloat(line, v.Score, 'f', 4, 64)
	if v.Anomalous {
		return append(line, ",1\n"...)
	}
	return append(line, ",0\n"...)
}
