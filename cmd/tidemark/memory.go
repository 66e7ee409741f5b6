package main

import (
	"context"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// memoryLook is how often the target is compared with what is in use.
const memoryLook = time.Second

// startMemory has garbage collected early enough that the process stays at about --memory-target bytes, which costs
// next to nothing while a third of them is garbage anyway. When more than that is in use for good reason the target
// gives way, so that no time is lost collecting what is not garbage. GOMEMLIMIT in the environment wins.
func (p *product) startMemory(context.Context) error {
	if os.Getenv("GOMEMLIMIT") != "" || p.config.MemoryTarget <= 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	before := debug.SetMemoryLimit(p.config.MemoryTarget)
	p.onStop(func(context.Context) error {
		cancel()
		debug.SetMemoryLimit(before)
		return nil
	})
	go func() {
		limit := p.config.MemoryTarget
		for t := time.NewTicker(memoryLook); ; {
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
			}
			if l := memoryLimit(p.config.MemoryTarget, inUse()); l != limit {
				limit = l
				debug.SetMemoryLimit(l)
			}
		}
	}()
	return nil
}

// memoryLimit is the target, or a third more than what is in use when that is more, in steps of 32 MiB.
func memoryLimit(target int64, used uint64) int64 {
	const step = 32 << 20
	need := int64(math.Min(float64(used)*4/3, math.MaxInt64/2))
	if need <= target {
		return target
	}
	return (need + step - 1) / step * step
}

// inUse is what the last collection found to be in use, with stacks and the runtime's own.
func inUse() uint64 {
	s := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/metadata/mspan/inuse:bytes"},
		{Name: "/memory/classes/other:bytes"}, {Name: "/memory/classes/metadata/other:bytes"},
	}
	metrics.Read(s)
	var sum uint64
	for _, x := range s {
		if x.Value.Kind() == metrics.KindUint64 {
			sum += x.Value.Uint64()
		}
	}
	return sum
}
