package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"

	"github.com/tidemarkhq/tidemark/anomaly/explain"
	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/anomaly/promrules"
	"github.com/tidemarkhq/tidemark/anomaly/rules"
	"github.com/tidemarkhq/tidemark/anomaly/watch"
	"github.com/tidemarkhq/tidemark/cmd/tidemark/config"
	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/otlp"
	"github.com/tidemarkhq/tidemark/ingest/pprof"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/api"
	"github.com/tidemarkhq/tidemark/query/auth"
	"github.com/tidemarkhq/tidemark/query/dashboards"
	"github.com/tidemarkhq/tidemark/query/live"
	"github.com/tidemarkhq/tidemark/query/prom"
	"github.com/tidemarkhq/tidemark/store"
	"github.com/tidemarkhq/tidemark/store/engine"
	"github.com/tidemarkhq/tidemark/web"
)

// product is one running process: its parts in the order in which they start. They stop in reverse.
type product struct {
	config  config.Config
	log     *slog.Logger
	second  *secondHandler
	metrics *prometheus.Registry
	began   time.Time

	dir         *engine.Dir
	engine      *engine.Engine // nil with a ClickHouse of the user's own
	dsn         string
	conn        driver.Conn
	keys        *auth.Keyring
	otlpTLS     *certificates // nil for plain text, as is httpTLS
	httpTLS     *certificates
	db          *query.DB // nil without the query role, as is hub
	hub         *live.Hub
	prom        *prom.Engine // nil without the query role
	deployments *explain.Noticer
	explain     *explain.Explainer
	watch       *watch.Watch
	notify      *notify.Notifier
	rules       *rules.Engine
	promRules   *promrules.Engine
	api         *api.API
	ingest      *ingest.Ingest // nil without the ingest role
	otlp        *otlp.Server
	profiles    *pprof.Receiver
	scraper     *pprof.Scraper
	targets     *pprof.Targets
	self        *selfTelemetry
	http        *http.Server
	addr        net.Addr
	listening   atomic.Value // addr as a string, for links in messages that may be sent before it is known

	mu     sync.Mutex // guards ingestStates, which several requests may ask for
	failed chan error // a part ended by itself
	stops  []func(context.Context) error
}

// start brings every part up, or says in one sentence which one did not and stops the others.
func start(ctx context.Context, c config.Config, stderr io.Writer) (*product, error) {
	log, second := newLogger(stderr, c.LogLevel, c.LogFormat)
	slog.SetDefault(log)
	p := &product{config: c, log: log, second: second, metrics: prometheus.NewRegistry(), began: time.Now(), failed: make(chan error, 4)}
	p.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, part := range []func(context.Context) error{
		p.startMemory, p.startDir, p.startListening, p.startCertificates, p.startEngine, p.startStore, p.startKeys, p.startQuery, p.startDeployments, p.startNotify, p.startRules, p.startWatch, p.startIngest, p.startProfiles, p.startHTTP, p.startSelf, p.announce,
	} {
		if err := part(ctx); err != nil {
			p.stop()
			return nil, err
		}
	}
	return p, nil
}

// onStop registers what undoes a part that has started.
func (p *product) onStop(f func(context.Context) error) { p.stops = append(p.stops, f) }

func (p *product) startDir(context.Context) error {
	dir, err := engine.Hold(p.config.DataDir)
	if err != nil {
		return err
	}
	p.dir = dir
	p.onStop(func(context.Context) error { dir.Release(); return nil })
	return nil
}

// startListening tries the ports before the slow parts, so that a busy one is said at once.
func (p *product) startListening(context.Context) error {
	addrs := map[string]string{"http-addr": p.config.HTTPAddr}
	if p.config.Role.Writes() {
		addrs["otlp-grpc-addr"], addrs["otlp-http-addr"] = p.config.OTLPGRPCAddr, p.config.OTLPHTTPAddr
	}
	for flag, addr := range addrs {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return busy(flag, addr, err)
		}
		l.Close()
	}
	return nil
}

// busy explains why an address cannot be listened on.
func busy(flag, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program: stop that one, or choose another address with --%s (port 0 picks a free one)", addr, flag)
	}
	return fmt.Errorf("cannot listen on %s: %w: choose another address with --%s", addr, errors.Unwrap(err), flag)
}

func (p *product) startEngine(ctx context.Context) error {
	if p.config.ClickHouseDSN != "" {
		p.dsn = p.config.ClickHouseDSN
		return nil
	}
	lib, err := engine.Library(p.config.EngineLib)
	if err != nil {
		return err
	}
	p.engine, err = engine.Start(ctx, engine.Options{
		Dir: filepath.Join(p.dir.Path, "engine"), Library: lib, MemoryRatio: p.config.EngineMemoryRatio, Logger: p.log,
	})
	if err != nil {
		return err
	}
	p.dsn = p.engine.DSN()
	p.onStop(p.engine.Stop)
	p.metrics.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "tidemark_engine_restarts_total", Help: "How often the embedded ClickHouse had to be started again.",
	}, func() float64 { return float64(p.engine.Restarts()) }))
	return nil
}

func (p *product) startStore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if p.engine == nil {
		p.log.Info("connecting to ClickHouse; it may take up to two minutes to come up")
	}
	if err := store.WaitReady(ctx, p.dsn); err != nil {
		return err
	}
	conn, err := store.Open(p.dsn, store.Options{})
	if err != nil {
		return err
	}
	p.conn = conn
	p.onStop(func(context.Context) error { return conn.Close() })
	host, _ := os.Hostname()
	return store.Migrate(ctx, conn, p.config.Cluster, fmt.Sprintf("%s-%d-%d", host, os.Getpid(), p.began.UnixNano()))
}

func (p *product) startIngest(ctx context.Context) error {
	if !p.config.Role.Writes() {
		return nil
	}
	o := p.config.Ingest
	o.DSN, o.SpoolDir, o.Registerer, o.Logger = p.dsn, filepath.Join(p.dir.Path, "spool"), p.metrics, p.log
	if p.hub != nil {
		o.Tap = p.hub.Notify
	}
	in, err := ingest.New(ctx, o)
	if err != nil {
		return err
	}
	p.ingest = in
	p.onStop(in.Close)
	p.followCaps()

	ro := otlp.DefaultOptions()
	ro.GRPCAddr, ro.HTTPAddr, ro.Logger = p.config.OTLPGRPCAddr, p.config.OTLPHTTPAddr, p.log
	ro.AllowedOrigins, ro.MaxBody, ro.MaxRequests = p.config.SenderOrigins(), p.config.MaxRequestBytes, p.config.MaxRequests
	ro.MaxReading, ro.MaxConnections, ro.ReadTimeout = max(p.config.MaxReading, int64(ro.MaxBody)), p.config.MaxConnections, p.config.ReadTimeout
	ro.Admit, ro.Refused, ro.Authorize, ro.TLS = in.Admit, in.Refuse, p.authorize, p.otlpTLS.server()
	if p.config.OTLPProfiles {
		ro.Profiles = func(ctx context.Context, body []byte) (int, string, error) { return p.profiles.ExportBinary(ctx, body) }
	}
	ro.Handle = p.furtherReceivers(in, ro)
	p.otlp, err = otlp.Serve(in.Submit, ro)
	if err != nil {
		return err
	}
	p.onStop(p.otlp.Shutdown)
	return nil
}

func (p *product) startQuery(context.Context) error {
	if !p.config.Role.Reads() {
		return nil
	}
	p.db = query.New(p.conn, query.Options{Registerer: p.metrics, ProfileMemory: p.config.ProfileMemory})
	var err error
	if p.prom, err = prom.New(p.db, p.promOptions()); err != nil {
		return err
	}
	p.onStop(func(context.Context) error { return p.prom.Close() })
	p.hub = live.New(live.Options{
		Evaluate: api.Evaluate(p.db, p.prom, func(ctx context.Context) (any, error) { return p.api.CurrentStatus(ctx) }, p.openIncidents), Problem: func(err error) any { return api.Describe(err, "") },
		Origins: p.config.Origins(), Logger: p.log, Metrics: p.metrics,
	})
	p.onStop(p.hub.Close)
	return nil
}

// startHTTP serves the HTTP port: everything with the query role, else only the process's own state.
func (p *product) startHTTP(context.Context) error {
	o := api.Options{
		DB: p.db, Status: p.status, Ready: p.isReady, Origins: p.config.Origins(), Logger: p.log, Registerer: p.metrics,
		Metrics:   promhttp.HandlerFor(p.metrics, promhttp.HandlerOpts{}),
		Retention: func(ctx context.Context) (map[string]int, error) { return store.Retention(ctx, p.conn) },
		SetRetention: func(ctx context.Context, days map[string]int) (map[string]int, error) {
			return store.SetRetention(ctx, p.conn, p.config.Cluster, days)
		},
		Usage:          func(ctx context.Context) ([]store.TableUsage, error) { return store.Usage(ctx, p.conn) },
		Disk:           func(ctx context.Context) (free, total uint64, err error) { return store.Disk(ctx, p.conn) },
		Caps:           func(ctx context.Context) (store.Caps, error) { return store.LoadCaps(ctx, p.conn) },
		SetCaps:        p.setCaps,
		ConfiguredCaps: p.configuredCaps(),
		Keys:           p.keys,
		TracerProvider: otel.GetTracerProvider(),
	}
	if p.hub != nil {
		o.Live, o.Web, o.Prom = p.hub, web.Handler(), p.prom
		var err error
		if o.Dashboards, err = dashboards.New(p.conn); err != nil {
			return err
		}
	}
	o.Notify, o.Rules, o.PromRules = p.notify, p.rules, p.promRules
	o.Watch, o.Explain = p.watch, p.explain
	if p.targets != nil {
		o.ProfileTargets = p.profileTargets()
	}
	if p.deployments != nil {
		o.Deploy = p.deployments.Post
	}
	if p.ingest != nil {
		o.Ingest, o.Flush = func() any { return p.ingestState() }, p.ingest.Flush
		o.IngestHistory, o.IngestCardinality = func() any { return p.ingest.History() }, func() any { return p.ingest.Cardinality() }
	}
	var err error
	if p.api, err = api.New(o); err != nil {
		return err
	}
	l, err := net.Listen("tcp", p.config.HTTPAddr)
	if err != nil {
		return busy("http-addr", p.config.HTTPAddr, err)
	}
	p.addr = l.Addr()
	p.listening.Store(p.addr.String())
	server := &http.Server{Handler: p.secured(p.api), TLSConfig: p.httpTLS.server(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	go func() {
		serve := func() error { return server.Serve(l) }
		if p.httpTLS != nil {
			serve = func() error { return server.ServeTLS(l, "", "") }
		}
		if err := serve(); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("the HTTP port failed: %w", err)
		}
	}()
	p.onStop(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return server.Close() // somebody is still reading a long answer
		}
		return nil
	})
	return nil
}

// status is what the process knows of itself.
func (p *product) status() api.Status {
	s := api.Status{Version: version, StartedMS: p.began.UnixMilli(), Role: string(p.config.Role)}
	s.Store.Embedded = p.engine != nil
	s.IngestKeys = api.KeysStatus{Required: p.keys.Required(), Active: p.keys.Usable(time.Now())}
	if p.otlp != nil {
		s.OTLPGRPC, s.OTLPHTTP = reachable(p.otlp.GRPCAddr()), p.otlpTLS.scheme()+reachable(p.otlp.HTTPAddr())
	}
	if v, err := p.conn.ServerVersion(); err == nil {
		s.Store.Version = v.Version.String()
	}
	return s
}

// isReady says why the product cannot store and answer.
func (p *product) isReady(ctx context.Context) error {
	if err := p.conn.Ping(ctx); err != nil {
		return errors.New("the store does not answer")
	}
	if p.ingest != nil {
		if accepting, _ := p.ingest.Ready(); !accepting {
			return errors.New("ingest takes nothing: the spool is full or it is stopping")
		}
	}
	return nil
}

func (p *product) startSelf(ctx context.Context) error {
	if !p.config.SelfTelemetry || p.otlp == nil {
		return nil
	}
	self, err := startSelfTelemetry(ctx, p.otlp, string(p.config.Role), p.metrics)
	if err != nil {
		return err
	}
	p.self = self
	otel.SetTracerProvider(self.traces)
	p.second.attach(self.handler())
	p.onStop(func(ctx context.Context) error {
		p.second.detach()
		return self.Stop(ctx)
	})
	return nil
}

// announce lets other commands find this product.
func (p *product) announce(context.Context) error {
	p.log.Info("ready", "version", version, "role", string(p.config.Role), "seconds", time.Since(p.began).Seconds())
	return p.dir.Announce(engine.Running{PID: os.Getpid(), DSN: p.dsn, HTTP: p.addr.String(), TLS: p.httpTLS != nil})
}

// ready is the one line that tells other programs where everything is.
func (p *product) ready() string {
	line := fmt.Sprintf("ready http=%s", p.addr)
	if p.otlp != nil {
		line += fmt.Sprintf(" otlp_grpc=%s otlp_http=%s", p.otlp.GRPCAddr(), p.otlp.HTTPAddr())
	}
	line += fmt.Sprintf(" pid=%d", os.Getpid())
	if p.engine != nil {
		line += fmt.Sprintf(" engine_pid=%d", p.engine.PID())
	}
	return line
}

// banner tells a person the same.
func (p *product) banner(w io.Writer) {
	fmt.Fprintf(w, "\n  Tidemark %s is ready after %.1f s\n\n", version, time.Since(p.began).Seconds())
	if p.config.Role.Reads() {
		fmt.Fprintf(w, "  open          %s%s\n", p.httpTLS.scheme(), reachable(p.addr.String()))
	}
	if p.otlp != nil {
		fmt.Fprintf(w, "  OTLP gRPC     %s\n", reachable(p.otlp.GRPCAddr()))
		fmt.Fprintf(w, "  OTLP HTTP     %s%s\n", p.otlpTLS.scheme(), reachable(p.otlp.HTTPAddr()))
	}
	fmt.Fprintf(w, "  data          %s\n\n", p.dir.Path)
}

// reachable is an address as a client on this machine dials it.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil && (host == "" || host == "0.0.0.0" || host == "::") {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// run serves until ctx ends or a part fails, then stops every part.
func (p *product) run(ctx context.Context) error {
	var failure error
	select {
	case <-ctx.Done():
		p.log.Info("stopping: what was accepted is being written")
	case failure = <-p.failed:
	}
	return errors.Join(failure, p.stop())
}

// stop undoes start in reverse order within the configured time.
func (p *product) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.config.StopTimeout)
	defer cancel()
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		if err := p.stops[i](ctx); err != nil && !strings.Contains(err.Error(), "use of closed") {
			errs = append(errs, err)
		}
	}
	p.stops = nil
	return errors.Join(errs...)
}
