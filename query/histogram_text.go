package query

import "fmt"

// histogramSlab holds the buckets and counts of many histograms in few pieces of memory.
type histogramSlab struct {
	buckets []int16
	counts  []uint64
}

// slabSize is how many buckets one piece of memory holds.
const slabSize = 8192

// parse reads the text of a Map(Int16, UInt64) as ClickHouse writes it: {768:1,776:2}. What it gives stays valid.
func (s *histogramSlab) parse(text string) (buckets []int16, counts []uint64, err error) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, nil, fmt.Errorf("read a histogram: %q is no map", text)
	}
	inner := text[1 : len(text)-1]
	if inner == "" {
		return nil, nil, nil
	}
	if most := (len(inner) + 1) / 4; cap(s.buckets)-len(s.buckets) < most+1 { // an element takes four letters with its comma, at least
		s.buckets, s.counts = make([]int16, 0, slabSize+most), make([]uint64, 0, slabSize+most)
	}
	first := len(s.buckets)
	for at := 0; at <= len(inner); at++ {
		negative := at < len(inner) && inner[at] == '-'
		if negative {
			at++
		}
		bucket, colon := number(inner, at)
		if colon == at || colon >= len(inner) || inner[colon] != ':' {
			return nil, nil, fmt.Errorf("read a histogram: %q has no bucket at %d", text, at+1)
		}
		count, end := number(inner, colon+1)
		if end == colon+1 || end < len(inner) && inner[end] != ',' {
			return nil, nil, fmt.Errorf("read a histogram: %q has no count at %d", text, colon+2)
		}
		b := int16(bucket)
		if negative {
			b = -b
		}
		s.buckets, s.counts = append(s.buckets, b), append(s.counts, count)
		at = end
	}
	last := len(s.buckets)
	return s.buckets[first:last:last], s.counts[first:last:last], nil
}

// number reads the digits at a place, and gives where they end.
func number(text string, at int) (n uint64, end int) {
	for end = at; end < len(text) && text[end]-'0' < 10; end++ {
		n = n*10 + uint64(text[end]-'0')
	}
	return n, end
}
