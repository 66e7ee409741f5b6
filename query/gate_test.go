package query

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestGateKeepsSlotsForPeople(t *testing.T) {
	g := newGate(4, 10, time.Minute)
	ctx := t.Context()
	for range 2 {
		if _, err := g.enter(Batch(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	over, cancel := context.WithCancel(Batch(ctx))
	cancel()
	if _, err := g.enter(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a third batch question entered: %v", err)
	}
	for range 2 {
		if _, err := g.enter(ctx); err != nil {
			t.Errorf("a person waits behind batch questions: %v", err)
		}
	}
}

func TestGateRefuses(t *testing.T) {
	g := newGate(1, 1, time.Millisecond)
	leave, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.enter(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("after its patience: %v", err)
	}
	g.waiting.Store(1)
	if _, err := g.enter(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("with a full queue: %v", err)
	}
	g.waiting.Store(0)
	if g.refused.Load() != 2 {
		t.Errorf("%d refusals counted, want 2", g.refused.Load())
	}
	leave()
	if leave, err = g.enter(t.Context()); err != nil {
		t.Errorf("after one left: %v", err)
	} else {
		leave()
	}
	if len(g.slots) != 0 {
		t.Error("a slot is lost")
	}
}

func TestGateIsPatientWithLongJobs(t *testing.T) {
	g := newGate(1, 10, 200*time.Millisecond)
	leave, err := g.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	entered := make(chan error)
	go func() {
		leave, err := g.enter(Batch(t.Context()))
		if err == nil {
			leave()
		}
		entered <- err
	}()
	if _, err := g.enter(t.Context()); !errors.Is(err, ErrBusy) { // takes as long as a person waits
		t.Errorf("after its patience: %v", err)
	}
	leave()
	if err := <-entered; err != nil {
		t.Errorf("a batch question gave up: %v", err)
	}
}
