package main

import (
	"math"
	"testing"
)

func TestMemoryLimitGivesWay(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		target int64
		used   uint64
		want   int64
	}{
		{400 * mib, 0, 400 * mib},
		{400 * mib, 300 * mib, 400 * mib},
		{400 * mib, 301 * mib, 416 * mib},
		{400 * mib, 900 * mib, 1216 * mib},
		{400 * mib, math.MaxUint64, math.MaxInt64/2/(32*mib)*32*mib + 32*mib},
	} {
		if got := memoryLimit(c.target, c.used); got != c.want {
			t.Errorf("target %d MiB with %d MiB in use: limit %d MiB, want %d", c.target/mib, c.used/mib, got/mib, c.want/mib)
		}
	}
	if inUse() == 0 {
		t.Error("nothing is in use")
	}
}
