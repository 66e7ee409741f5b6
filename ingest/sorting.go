package ingest

import "slices"

func sortBy[T any](s []T, less func(a, b T) bool) {
	slices.SortFunc(s, func(a, b T) int {
		if less(a, b) {
			return -1
		}
		if less(b, a) {
			return 1
		}
		return 0
	})
}

// sortKey places one row: group first (a table's ORDER BY up to the time, as a number), then time.
type sortKey struct {
	group uint64
	ts    int64
	row   uint32
}

// sortRows orders keys and writes the row numbers to perm. Rows of the same group usually arrive nearly in order, and
// blocks are large, so a radix sort over the group's digits after one over the time would move more bytes than
// comparing does.
func sortRows(keys []sortKey, perm []uint32) []uint32 {
	slices.SortFunc(keys, func(a, b sortKey) int {
		if a.group != b.group {
			if a.group < b.group {
				return -1
			}
			return 1
		}
		if a.ts != b.ts {
			if a.ts < b.ts {
				return -1
			}
			return 1
		}
		return int(a.row) - int(b.row)
	})
	perm = perm[:0]
	for _, k := range keys {
		perm = append(perm, k.row)
	}
	return perm
}
