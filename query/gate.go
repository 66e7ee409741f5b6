package query

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// ErrBusy is the answer when too many questions wait already, or one has waited too long.
var ErrBusy = errors.New("too many questions wait for the store")

// gate lets a few statements run at once. Interactive ones (a person waits) may use every slot; batch ones (detection
// over history, exports: see Batch) only half of them, so that a person never queues behind a long job. Waiting is
// bounded in number and time; what exceeds either is refused with ErrBusy and counted. Batch questions wait longer: what
// took minutes so far is not to fail because a machine is busy for some seconds.
type gate struct {
	slots, batch chan struct{}
	most         int64 // statements that may wait
	patience     time.Duration

	waiting          atomic.Int64
	waited, refused  atomic.Int64 // statements that had to wait; that were refused
	waitedNS, passed atomic.Int64
}

// batchPatience is how many times as long as a person a batch question waits.
const batchPatience = 20

func newGate(slots, most int, patience time.Duration) *gate {
	return &gate{slots: make(chan struct{}, slots), batch: make(chan struct{}, max(1, slots/2)), most: int64(most), patience: patience}
}

type batchKey struct{}

// Batch marks the questions asked under ctx as ones that nobody waits for.
func Batch(ctx context.Context) context.Context { return context.WithValue(ctx, batchKey{}, true) }

// enter waits for a slot and returns what gives it back.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	g.passed.Add(1)
	if ctx.Value(batchKey{}) == nil {
		if err := g.take(ctx, g.slots, g.patience); err != nil {
			return nil, err
		}
		return func() { <-g.slots }, nil
	}
	if err := g.take(ctx, g.batch, batchPatience*g.patience); err != nil {
		return nil, err
	}
	if err := g.take(ctx, g.slots, batchPatience*g.patience); err != nil {
		<-g.batch
		return nil, err
	}
	return func() { <-g.slots; <-g.batch }, nil
}

func (g *gate) take(ctx context.Context, slots chan struct{}, patience time.Duration) error {
	select { // Fast path
	case slots <- struct{}{}:
		return nil
	default:
	}
	if g.waiting.Add(1) > g.most {
		g.waiting.Add(-1)
		g.refused.Add(1)
		return ErrBusy
	}
	defer g.waiting.Add(-1)
	g.waited.Add(1)
	began := time.Now()
	defer func() { g.waitedNS.Add(int64(time.Since(began))) }()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-enough.C:
		g.refused.Add(1)
		return ErrBusy
	}
}
