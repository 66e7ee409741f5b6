package web

import (
	"strconv"
	"strings"
)

// accepts reports whether an Accept-Encoding header allows an encoding: named, or
// through "*", and not with a quality of zero.
func accepts(header, encoding string) bool {
	star := false
	for part := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		name = strings.TrimSpace(name)
		allowed := !zeroQuality(params)
		if strings.EqualFold(name, encoding) {
			return allowed
		}
		star = star || name == "*" && allowed
	}
	return star
}

func zeroQuality(params string) bool {
	value, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
	if !ok {
		return false
	}
	q, err := strconv.ParseFloat(value, 64)
	return err == nil && q == 0
}

// match compares an If-None-Match header with an entity tag, weakly as RFC 9110
// asks for this header.
func match(header, etag string) bool {
	for part := range strings.SplitSeq(header, ",") {
		tag := strings.TrimPrefix(strings.TrimSpace(part), "W/")
		if tag == etag || tag == "*" {
			return true
		}
	}
	return false
}
