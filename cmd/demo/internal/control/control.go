// Package control is the shop's switchboard: a page for people, a small JSON
// API for scripts, and a client of that API for the command line. It listens on
// loopback and accepts changes only from its own pages and from programs: a
// web site that a browser visits elsewhere cannot switch a fault.
package control

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/fault"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/load"
	"github.com/tidemarkhq/tidemark/cmd/demo/internal/mesh"
)

//go:embed page
var page embed.FS

// State is everything the page shows.
type State struct {
	Telemetry Telemetry     `json:"telemetry"`
	Load      load.State    `json:"load"`
	Curve     []float64     `json:"curve"` // requests a second over the pressed day, from midnight
	Services  []Service     `json:"services"`
	Totals    mesh.Totals   `json:"totals"`
	Faults    []fault.State `json:"faults"`
}

// Telemetry says where telemetry goes and whether it arrives.
type Telemetry struct {
	Endpoint  string `json:"endpoint"`
	Connected bool   `json:"connected"`
}

// Service is one service with its running instances.
type Service struct {
	Name      string     `json:"name"`
	External  bool       `json:"external"`
	Instances []Instance `json:"instances"`
}

// Instance is one running server.
type Instance struct {
	Version string    `json:"version"`
	ID      string    `json:"id"`
	Address string    `json:"address"`
	Started time.Time `json:"started"`
	mesh.Totals
}

// Handler serves the page and the API: GET /state, GET /faults and
// POST /faults/{name}?on=true|false. state is asked on every request.
func Handler(state func() State, faults *fault.Board) http.Handler {
	static, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(static))
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, state()) })
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, faults.States()) })
	mux.HandleFunc("POST /faults/{name}", func(w http.ResponseWriter, r *http.Request) { set(w, r, faults) })
	return guard(mux)
}

func set(w http.ResponseWriter, r *http.Request, faults *fault.Board) {
	on, err := strconv.ParseBool(r.FormValue("on"))
	if err != nil {
		answer(w, http.StatusBadRequest, problem{fmt.Sprintf("on=%q is neither true nor false", r.FormValue("on"))})
		return
	}
	now, err := faults.Set(fault.Name(r.PathValue("name")), on)
	if err != nil {
		answer(w, http.StatusNotFound, problem{err.Error()})
		return
	}
	answer(w, http.StatusOK, now)
}

type problem struct {
	Error string `json:"error"`
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // the caller left if this fails: nobody to tell
}

// guard refuses requests from other web sites, also those that reach loopback
// under a name of their own (DNS rebinding).
func guard(next http.Handler) http.Handler {
	local := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			answer(w, http.StatusForbidden, problem{fmt.Sprintf("host %q is not this machine", r.Host)})
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
	return http.NewCrossOriginProtection().Handler(local)
}

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
