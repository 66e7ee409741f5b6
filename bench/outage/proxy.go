package main

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidemarkhq/tidemark/bench/run"
)

// proxy stands before ClickHouse and can be cut.
type proxy struct {
	l  net.Listener
	to string
	up atomic.Bool

	mu   sync.Mutex
	open []net.Conn // guarded by mu
}

// between puts a proxy before a product's store and returns the DSN that goes through it.
func between(p *run.Product) (*proxy, string, error) {
	out, err := exec.Command(p.Bin, "clickhouse-dsn", "--data-dir", p.Dir).Output()
	if err != nil {
		return nil, "", fmt.Errorf("asking for the store's address: %w", err)
	}
	u, err := url.Parse(strings.TrimSpace(string(out)))
	if err != nil {
		return nil, "", fmt.Errorf("asking for the store's address: %w", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("starting the proxy: %w", err)
	}
	v := &proxy{l: l, to: u.Host}
	v.up.Store(true)
	go v.serve()
	u.Host = l.Addr().String()
	return v, u.String(), nil
}

func (v *proxy) serve() {
	for {
		c, err := v.l.Accept()
		if err != nil {
			return
		}
		if !v.up.Load() {
			c.Close()
			continue
		}
		s, err := net.Dial("tcp", v.to)
		if err != nil {
			c.Close()
			continue
		}
		v.mu.Lock()
		v.open = append(v.open, c, s)
		v.mu.Unlock()
		go pass(s, c)
		go pass(c, s)
	}
}

func pass(to, from net.Conn) {
	io.Copy(to, from)
	to.Close()
	from.Close()
}

// cut ends all connections and refuses new ones.
func (v *proxy) cut() {
	v.up.Store(false)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range v.open {
		c.Close()
	}
	v.open = nil
}

func (v *proxy) close() {
	v.l.Close()
	v.cut()
}
