package mesh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/profiling"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/telemetry"
)

// Instance is one running server of one service, with the telemetry and the
// client that its handlers use. It belongs to its mesh.
type Instance struct {
	telemetry.Identity
	*telemetry.Providers // nil for an external service
	Address              string
	Started              time.Time

	mesh     *Mesh
	host     string // name under which clients call it
	port     int
	mux      *http.ServeMux
	server   *http.Server
	client   *http.Client
	drains   []func(context.Context) error
	closers  []func(context.Context) error
	requests atomic.Int64
	failures atomic.Int64
}

func newInstance(m *Mesh, id telemetry.Identity, providers *telemetry.Providers) *Instance {
	inst := &Instance{Identity: id, Providers: providers, mesh: m, host: id.Service, mux: http.NewServeMux()}
	if providers != nil {
		inst.client = newClient(providers)
	}
	return inst
}

// OnStop has fn called after the server drained, in reverse order of registration.
func (i *Instance) OnStop(fn func(context.Context) error) { i.closers = append(i.closers, fn) }

// OnDrain has fn called when the server accepts no more requests but all that
// it was built with still works.
func (i *Instance) OnDrain(fn func(context.Context) error) { i.drains = append(i.drains, fn) }

// Totals counts the requests that this instance answered.
func (i *Instance) Totals() Totals {
	return Totals{Requests: i.requests.Load(), Errors: i.failures.Load()}
}

// External reports that the server belongs to somebody else and sends no telemetry.
func (i *Instance) External() bool { return i.Providers == nil }

func (i *Instance) listen(handler http.Handler) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for service %s: %w", i.Service, err)
	}
	i.Address = listener.Addr().String()
	i.port = listener.Addr().(*net.TCPAddr).Port
	i.Started = time.Now()
	i.server = &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go i.server.Serve(listener) // returns when the server is shut down
	return nil
}

// base is the URL under which clients call the instance. The host is the
// service's name, as a discovery service would give it; see dialLoopback.
func (i *Instance) base() string {
	return "http://" + net.JoinHostPort(i.host, strconv.Itoa(i.port))
}

// Stop withdraws the instance, lets it finish its requests and closes it.
func (i *Instance) Stop(ctx context.Context) error {
	return errors.Join(i.drain(ctx), i.close(ctx))
}

func (i *Instance) drain(ctx context.Context) error {
	if !i.mesh.withdraw(i) {
		return nil
	}
	if !i.External() {
		i.Log.InfoContext(ctx, "service stopping", "requests", i.requests.Load())
	}
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	var err error
	if i.server.Shutdown(ctx) != nil {
		err = i.server.Close() // whoever still waits for an answer gets none
	}
	if i.client != nil {
		// A connection without a request would hold up the drain of its server.
		i.client.CloseIdleConnections()
	}
	for _, fn := range slices.Backward(i.drains) {
		err = errors.Join(err, fn(ctx))
	}
	return err
}

func (i *Instance) close(ctx context.Context) error {
	var err error
	for _, fn := range slices.Backward(i.closers) {
		err = errors.Join(err, fn(ctx))
	}
	i.closers = nil
	return err
}

// instrumented wraps the routes in otelhttp, which names spans by the pattern
// that matched, and in the counters.
func (i *Instance) instrumented() http.Handler {
	served := otelhttp.NewHandler(i.counted(i.mux), "http.server",
		otelhttp.WithTracerProvider(i.Traces),
		otelhttp.WithMeterProvider(i.Metrics),
		otelhttp.WithPropagators(telemetry.Propagators),
		otelhttp.WithServerName(i.host))
	profiles := profiling.Shared.Handler(i.InstanceID)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/debug/pprof/") { // whoever profiles is no customer
			profiles.ServeHTTP(w, r)
			return
		}
		served.ServeHTTP(w, r)
	})
}

func (i *Instance) counted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		failed := rec.status >= 500
		i.requests.Add(1)
		if failed {
			i.failures.Add(1)
		}
		i.mesh.count(failed)
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
