package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/control"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/load"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/profiling"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/shop"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

const (
	// stopTimeout bounds the whole shutdown: open requests, queue, last export.
	stopTimeout = 8 * time.Second
	// noiseInterval is the least time between two lines about failing exports.
	noiseInterval = 30 * time.Second
	// rollPause is the time between two instances of a rolling release.
	rollPause = 15 * time.Second
	// curvePoints is the resolution of the day's curve on the page.
	curvePoints = 145
)

type settings struct {
	endpoint       string
	tidemark       string
	controlAddr    string
	dataDir        string
	rate           float64
	day            time.Duration
	duration       time.Duration
	seed           uint64
	batchTimeout   time.Duration
	metricInterval time.Duration
}

func (s *settings) define(f *flag.FlagSet) {
	endpoint := "127.0.0.1:4317"
	if env := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"); env != "" {
		endpoint = env
	}
	f.StringVar(&s.endpoint, "otlp-endpoint", endpoint, "OTLP/gRPC `endpoint`, HOST:PORT or URL; OTEL_EXPORTER_OTLP_ENDPOINT sets the default")
	f.StringVar(&s.tidemark, "tidemark", "", "`URL` of Tidemark's HTTP port, which is told to fetch profiles from the instances, and gets those of payment pushed (default: nobody is)")
	f.StringVar(&s.controlAddr, "control-addr", defaultControl, "loopback `address` of the control page; port 0 picks a free one")
	f.StringVar(&s.dataDir, "data-dir", "", "`directory` for the shop's SQLite files, made anew at each start (default: a temporary one)")
	f.Float64Var(&s.rate, "rate", 8, "entry requests a second, averaged over a day; 0 for no load")
	f.DurationVar(&s.day, "day", 20*time.Minute, "how long a day of the load's rhythm takes")
	f.DurationVar(&s.duration, "duration", 0, "stop this long after the start (default: run until interrupted)")
	f.Uint64Var(&s.seed, "seed", 1, "seed of the products, the customers and their moods")
	f.DurationVar(&s.batchTimeout, "batch-timeout", 500*time.Millisecond, "longest wait of a span or log record before export")
	f.DurationVar(&s.metricInterval, "metric-interval", 5*time.Second, "time between two exports of metrics")
}

func (s *settings) check() error {
	host, _, err := net.SplitHostPort(s.controlAddr)
	switch {
	case err != nil:
		return usageError(fmt.Sprintf("--control-addr %q is not HOST:PORT", s.controlAddr))
	case host != "localhost" && !net.ParseIP(host).IsLoopback():
		return usageError(fmt.Sprintf("--control-addr %q: the control page has no login and listens on loopback only", s.controlAddr))
	case s.rate < 0 || s.rate > 1000:
		return usageError(fmt.Sprintf("--rate %v is outside 0 to 1000", s.rate))
	case s.day < time.Second || s.batchTimeout < time.Millisecond || s.metricInterval < 10*time.Millisecond || s.duration < 0:
		return usageError("--day, --batch-timeout, --metric-interval and --duration need sensible positive times")
	}
	return nil
}

func serve(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var set settings
	operands, err := parse("tidemark-demo", args, stderr, set.define)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return usageError(fmt.Sprintf("%q is no command: there are fault and faults, and none runs the shop", operands[0]))
	}
	if err := set.check(); err != nil {
		return err
	}
	if set.dataDir == "" {
		dir, err := os.MkdirTemp("", "tidemark-demo-")
		if err != nil {
			return fmt.Errorf("make a directory for the databases: %w", err)
		}
		defer os.RemoveAll(dir)
		set.dataDir = dir
	} else if err := os.MkdirAll(set.dataDir, 0o755); err != nil {
		return fmt.Errorf("make the directory for the databases: %w", err)
	}
	err = set.run(ctx, stdout, stderr)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // interrupted before the shop was ready
	}
	return err
}

// run starts telemetry, shop, control page and load in this order, and stops
// them in reverse.
func (s *settings) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	listener, err := net.Listen("tcp", s.controlAddr)
	if err != nil {
		return fmt.Errorf("listen for the control page (another demo running? --control-addr picks another address): %w", err)
	}
	defer listener.Close()

	link, err := telemetry.Dial(s.endpoint)
	if err != nil {
		return err
	}
	defer link.Close()
	link.Quieten(stderr, noiseInterval)

	faults := fault.NewBoard(time.Now)
	system, err := shop.Start(ctx, link, faults, shop.Options{
		Dir: s.dataDir, Seed: s.seed, RollPause: rollPause,
		Telemetry: telemetry.Options{BatchTimeout: s.batchTimeout, MetricInterval: s.metricInterval},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopShop(system, link)) }()

	customers := load.New(load.Options{
		Rhythm: load.Rhythm{Mean: s.rate, Day: s.day}, Seed: s.seed, Products: system.Products(),
		Frontend: func() (string, error) {
			inst, err := system.Pick("frontend")
			if err != nil {
				return "", err
			}
			return inst.Address, nil
		},
	})
	page := &http.Server{
		Handler:           control.Handler(func() control.State { return s.state(link, system, customers, faults) }, faults),
		ReadHeaderTimeout: 5 * time.Second,
	}
	defer page.Close()
	go page.Serve(listener) // returns when closed

	fmt.Fprintf(stdout, "ready control=http://%s/ otlp=%s pid=%d\n", listener.Addr(), link.Endpoint, os.Getpid())
	if s.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.duration)
		defer cancel()
	}
	go link.Watch(ctx, func(connected bool) { sayLink(stdout, link.Endpoint, connected) })
	if s.tidemark != "" {
		followed := make(chan struct{})
		defer func() { <-followed }()
		go func() {
			defer close(followed)
			api := strings.TrimSuffix(s.tidemark, "/")
			pushes := func(i profiling.Instance) bool { return i.Service == pushing }
			go profiling.Push(ctx, api, func() []profiling.Instance {
				return slices.DeleteFunc(profiled(system), func(i profiling.Instance) bool { return !pushes(i) })
			})
			profiling.Follow(ctx, api, func() []profiling.Instance { return slices.DeleteFunc(profiled(system), pushes) })
		}()
	}
	if link.WaitConnected(ctx) == nil && s.rate > 0 {
		customers.Run(ctx)
	}
	<-ctx.Done()
	return nil
}

// pushing is the service whose instances send their profiles by themselves; the others' are fetched.
const pushing = "payment"

// profiled lists the instances that run in this process.
func profiled(system *shop.Shop) (out []profiling.Instance) {
	for _, name := range system.Services() {
		for _, inst := range system.Instances(name) {
			if !inst.External() {
				out = append(out, profiling.Instance{Service: name, Version: inst.Version, ID: inst.InstanceID, Address: inst.Address, Env: telemetry.Environment})
			}
		}
	}
	return out
}

func sayLink(stdout io.Writer, endpoint string, connected bool) {
	if connected {
		fmt.Fprintf(stdout, "telemetry goes to %s\n", endpoint)
	} else {
		fmt.Fprintf(stdout, "waiting for an OTLP endpoint at %s\n", endpoint)
	}
}

// stopShop gives the last export its time only where somebody listens.
func stopShop(system *shop.Shop, link *telemetry.Link) error {
	timeout := stopTimeout
	if !link.Connected() {
		timeout = time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := system.Stop(ctx)
	if !link.Connected() {
		return nil // what could not be delivered was already said to be waiting
	}
	return err
}

func (s *settings) state(link *telemetry.Link, system *shop.Shop, customers *load.Generator, faults *fault.Board) control.State {
	state := control.State{
		Telemetry: control.Telemetry{Endpoint: link.Endpoint, Connected: link.Connected()},
		Load:      customers.State(),
		Totals:    system.Totals(),
		Faults:    faults.States(),
	}
	rhythm := load.Rhythm{Mean: s.rate, Day: s.day}
	for n := range curvePoints {
		state.Curve = append(state.Curve, rhythm.At(float64(n)/(curvePoints-1)))
	}
	for _, name := range slices.Backward(system.Services()) { // callers first
		service := control.Service{Name: name, Instances: []control.Instance{}}
		for _, inst := range system.Instances(name) {
			service.External = inst.External()
			shown := control.Instance{Version: inst.Version, Address: inst.Address, Started: inst.Started, Totals: inst.Totals()}
			if !inst.External() {
				shown.ID = inst.InstanceID
			}
			service.Instances = append(service.Instances, shown)
		}
		state.Services = append(state.Services, service)
	}
	return state
}
