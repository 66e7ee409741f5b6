package main

import (
	"context"
	"time"

	"github.com/tidemarkhq/tidemark/store"
)

// capsEvery is how long a change of the cardinality guards takes to reach every process that ingests.
const capsEvery = 3 * time.Second

// followCaps takes over the cardinality guards that somebody sets, whichever process was told.
func (p *product) followCaps() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticks := time.NewTicker(capsEvery)
		defer ticks.Stop()
		for {
			if caps, err := store.LoadCaps(ctx, p.conn); err == nil {
				p.ingest.SetCaps(caps)
			} else if ctx.Err() == nil {
				p.log.Debug("cardinality guards not read", "error", err) // the store is away; those in force stay
			}
			select {
			case <-ticks.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	p.onStop(func(context.Context) error {
		cancel()
		<-done
		return nil
	})
}

// setCaps stores the guards and puts them in force here at once.
func (p *product) setCaps(ctx context.Context, caps store.Caps) error {
	if err := store.SaveCaps(ctx, p.conn, caps); err != nil {
		return err
	}
	if p.ingest != nil {
		p.ingest.SetCaps(caps)
	}
	return nil
}

func (p *product) configuredCaps() store.Caps {
	l := p.config.Ingest.Limits
	return store.Caps{Operations: l.Operations, Series: l.Series, Values: l.Values}
}
