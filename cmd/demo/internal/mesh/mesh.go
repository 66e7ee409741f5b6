// Package mesh runs the shop's services: each an HTTP server on a loopback
// port of its own, found by name, called with client-side round robin, and
// instrumented with otelhttp on both sides. Its main type is Mesh. A service
// appears to others under its name only while it accepts requests: it is
// announced after it listens and withdrawn before it drains.
package mesh

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// Mesh knows every running instance of every service.
type Mesh struct {
	link    *telemetry.Link
	options telemetry.Options

	mu        sync.Mutex // guards what follows
	order     []string   // service names in the order of their first start
	instances map[string][]*Instance
	next      map[string]int // round-robin position
	total     Totals
}

// Totals counts answered requests of services since the mesh was made.
type Totals struct {
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"` // answered with a 5xx status
}

// New returns an empty mesh whose services export through link.
func New(link *telemetry.Link, options telemetry.Options) *Mesh {
	return &Mesh{link: link, options: options, instances: map[string][]*Instance{}, next: map[string]int{}}
}

// Start runs one more instance of an instrumented service. build registers the
// routes and opens what the service needs; what it opened it hands to OnStop.
func (m *Mesh) Start(ctx context.Context, id telemetry.Identity, build func(context.Context, *Instance) error) (*Instance, error) {
	providers, err := m.link.Start(ctx, id, m.options)
	if err != nil {
		return nil, err
	}
	inst := newInstance(m, id, providers)
	inst.OnStop(providers.Shutdown)
	if err := build(ctx, inst); err != nil {
		return nil, errors.Join(fmt.Errorf("build service %s: %w", id.Service, err), inst.close(ctx))
	}
	if err := inst.listen(inst.instrumented()); err != nil {
		return nil, errors.Join(err, inst.close(ctx))
	}
	m.announce(inst)
	inst.Log.InfoContext(ctx, "service started", "address", inst.Address)
	return inst, nil
}

// StartExternal runs a server that stands for somebody else's: it sends no
// telemetry, and is called by the host name that its owner gave it.
func (m *Mesh) StartExternal(service, host string, handler http.Handler) (*Instance, error) {
	inst := newInstance(m, telemetry.Identity{Service: service}, nil)
	inst.host = host
	if err := inst.listen(inst.counted(handler)); err != nil {
		return nil, err
	}
	m.announce(inst)
	return inst, nil
}

func (m *Mesh) announce(inst *Instance) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.instances[inst.Service]; !known {
		m.order = append(m.order, inst.Service)
	}
	m.instances[inst.Service] = append(m.instances[inst.Service], inst)
}

// withdraw reports false if the instance was withdrawn before.
func (m *Mesh) withdraw(inst *Instance) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.Index(m.instances[inst.Service], inst)
	if at < 0 {
		return false
	}
	m.instances[inst.Service] = slices.Delete(m.instances[inst.Service], at, at+1)
	return true
}

// Pick returns the instance whose turn it is.
func (m *Mesh) Pick(service string) (*Instance, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	running := m.instances[service]
	if len(running) == 0 {
		return nil, fmt.Errorf("no instance of %s is running", service)
	}
	m.next[service]++
	return running[m.next[service]%len(running)], nil
}

// Instances lists what runs of one service, oldest first.
func (m *Mesh) Instances(service string) []*Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.instances[service])
}

// Services lists the names of all services, in the order of their first start.
func (m *Mesh) Services() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.order)
}

// Totals sums the requests of all services, including instances that are gone.
func (m *Mesh) Totals() Totals {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

func (m *Mesh) count(failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total.Requests++
	if failed {
		m.total.Errors++
	}
}

// Stop stops every instance, callers before the services they call: in the
// reverse order of their start. Telemetry is flushed, all of it within ctx.
func (m *Mesh) Stop(ctx context.Context) error {
	var err error
	var flushing sync.WaitGroup
	failures := make(chan error)
	for _, service := range slices.Backward(m.Services()) {
		for _, inst := range m.Instances(service) {
			err = errors.Join(err, inst.drain(ctx))
			flushing.Go(func() { failures <- inst.close(ctx) })
		}
	}
	go func() { flushing.Wait(); close(failures) }()
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	return err
}

// drainTimeout bounds how long one instance may finish its open requests. It is
// above the 5 s after which net/http gives up connections that never carried one.
const drainTimeout = 6 * time.Second
