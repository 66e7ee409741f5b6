// Package shop is the demo system: a small online shop of nine instrumented Go
// services and one card network outside, with SQLite databases and a message
// queue between them. Its main type is Shop. All the work is real (SQL on real
// files, HTTP over loopback, ranking on the CPU); nothing sleeps but the card
// network, which stands for a distance. Faults come from a fault.Board and
// change what the services do, never what they report.
package shop

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/queue"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// queueCapacity bounds the messages waiting for each consumer group.
const queueCapacity = 1024

// Options say where and how the shop runs.
type Options struct {
	Dir       string // for the database files; must exist
	Seed      uint64 // of the products and of the card network's moods
	Telemetry telemetry.Options
	RollPause time.Duration // between two instances of a rolling release
	Restock   time.Duration // between two stocktakings; 0 means a minute
}

// Shop is the running system.
type Shop struct {
	*mesh.Mesh
	options Options
	faults  *fault.Board
	orders  *queue.Topic
	goods   []product
	rolls   *roller
}

// Start seeds the databases and starts every service. Stop ends it.
func Start(ctx context.Context, link *telemetry.Link, faults *fault.Board, opt Options) (*Shop, error) {
	s := &Shop{
		Mesh:    mesh.New(link, opt.Telemetry),
		options: opt,
		faults:  faults,
		orders:  queue.NewTopic("orders", queueCapacity),
		goods:   makeProducts(opt.Seed),
	}
	if err := s.seed(ctx); err != nil {
		return nil, fmt.Errorf("seed the shop's databases: %w", err)
	}
	if err := s.startServices(ctx); err != nil {
		return nil, errors.Join(err, s.Mesh.Stop(ctx))
	}
	s.rolls = newRoller(s)
	faults.Watch(s.rolls.wanted)
	return s, nil
}

// startServices starts each service after those it calls.
func (s *Shop) startServices(ctx context.Context) error {
	if _, err := s.StartExternal("card-network", "api.card-network.example", newCardNetwork(s.faults, s.options.Seed)); err != nil {
		return err
	}
	for _, service := range []struct {
		name, version string
		instances     int
		build         func(context.Context, *mesh.Instance) error
	}{
		{"inventory", "3.2.0", 1, s.inventory},
		{"payment", "2.8.1", 1, s.payment},
		{"catalog", "5.11.3", 2, s.catalog},
		{recommendation, steadyRelease, 2, s.recommendation},
		{"cart", "1.19.0", 1, s.cart},
		{"notification", "0.9.4", 1, s.notification},
		{"shipping", "2.0.6", 1, s.shipping},
		{"checkout", "4.3.2", 1, s.checkout},
		{"frontend", "2.14.0", 2, s.frontend},
	} {
		for range service.instances {
			id := telemetry.Identity{Service: service.name, Version: service.version}
			if _, err := s.Mesh.Start(ctx, id, service.build); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop ends the work in progress, flushes telemetry and closes everything within ctx.
func (s *Shop) Stop(ctx context.Context) error {
	return errors.Join(s.rolls.stop(ctx), s.Mesh.Stop(ctx))
}

// Products is how many products there are; their ids are 1…Products.
func (s *Shop) Products() int { return len(s.goods) }
