package shop

import (
	"context"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// roller brings the shop to what the faults ask of it where that takes work: it
// makes or drops the search index and rolls releases. One goroutine does both,
// always towards the newest wish, so that quick switching back and forth ends
// in the right state.
type roller struct {
	shop   *Shop
	wake   chan struct{} // capacity 1: one wish pending is enough
	cancel context.CancelFunc
	done   chan struct{}
}

func newRoller(s *Shop) *roller {
	ctx, cancel := context.WithCancel(context.Background())
	r := &roller{shop: s, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	go r.run(ctx)
	return r
}

func (r *roller) wanted(fault.Name, bool) {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *roller) run(ctx context.Context) {
	defer close(r.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		if err := r.reconcile(ctx); err != nil && ctx.Err() == nil {
			r.complain(ctx, err)
		}
	}
}

// complain logs in the name of the service whose state could not be changed.
func (r *roller) complain(ctx context.Context, err error) {
	if running := r.shop.Instances("catalog"); len(running) > 0 {
		running[0].Log.ErrorContext(ctx, "operation failed", "error", err.Error())
	}
}

func (r *roller) reconcile(ctx context.Context) error {
	if err := r.shop.setReviewsIndex(ctx, r.shop.faults); err != nil {
		return err
	}
	for {
		release := steadyRelease
		if r.shop.faults.On(fault.SlowRelease) {
			release = slowRelease
		}
		rolled, err := r.rollOne(ctx, release)
		if err != nil || !rolled {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(r.shop.options.RollPause):
		}
	}
}

// rollTimeout bounds the replacement of one instance.
const rollTimeout = 20 * time.Second

// rollOne replaces one instance as a whole even when ctx ends meanwhile: an instance that is neither running nor
// stopped would send its telemetry for ever.
func (r *roller) rollOne(ctx context.Context, release string) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollTimeout)
	defer cancel()
	return r.shop.rollOne(ctx, release)
}

// rollOne replaces one instance of recommendation that runs another release:
// the new one starts before the old one goes. It reports false if none is left.
func (s *Shop) rollOne(ctx context.Context, release string) (bool, error) {
	for _, old := range s.Instances(recommendation) {
		if old.Version == release {
			continue
		}
		if _, err := s.Mesh.Start(ctx, telemetry.Identity{Service: recommendation, Version: release}, s.recommendation); err != nil {
			return false, fmt.Errorf("roll out %s %s: %w", recommendation, release, err)
		}
		if err := old.Stop(ctx); err != nil {
			return true, fmt.Errorf("retire %s %s: %w", recommendation, old.Version, err)
		}
		return true, nil
	}
	return false, nil
}

func (r *roller) stop(ctx context.Context) error {
	r.cancel()
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop rolling releases: %w", ctx.Err())
	}
}
