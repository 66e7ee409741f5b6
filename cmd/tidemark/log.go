package main

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
)

// newLogger writes to w and, once attached, to a second handler (Tidemark's own telemetry).
func newLogger(w io.Writer, level, format string) (*slog.Logger, *secondHandler) {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // validated with the configuration
	opts := &slog.HandlerOptions{Level: l}
	var first slog.Handler = slog.NewTextHandler(w, opts)
	if format == "json" {
		first = slog.NewJSONHandler(w, opts)
	}
	second := &secondHandler{}
	return slog.New(&teeHandler{first: first, second: second}), second
}

// secondHandler may be attached and detached while loggers are in use.
type secondHandler struct{ h atomic.Pointer[slog.Handler] }

func (s *secondHandler) attach(h slog.Handler) { s.h.Store(&h) }
func (s *secondHandler) detach()               { s.h.Store(nil) }

// teeHandler gives records to both handlers. Attributes and groups are replayed onto the second, which may not have
// been there when they were added.
type teeHandler struct {
	first  slog.Handler
	second *secondHandler
	replay []func(slog.Handler) slog.Handler
}

func (t *teeHandler) Enabled(ctx context.Context, l slog.Level) bool { return t.first.Enabled(ctx, l) }

func (t *teeHandler) Handle(ctx context.Context, r slog.Record) error {
	if p := t.second.h.Load(); p != nil {
		h := *p
		for _, f := range t.replay {
			h = f(h)
		}
		_ = h.Handle(ctx, r.Clone()) // losing a copy of a log line must not lose the line
	}
	return t.first.Handle(ctx, r)
}

func (t *teeHandler) WithAttrs(a []slog.Attr) slog.Handler {
	return t.with(t.first.WithAttrs(a), func(h slog.Handler) slog.Handler { return h.WithAttrs(a) })
}

func (t *teeHandler) WithGroup(name string) slog.Handler {
	return t.with(t.first.WithGroup(name), func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (t *teeHandler) with(first slog.Handler, f func(slog.Handler) slog.Handler) slog.Handler {
	return &teeHandler{first: first, second: t.second, replay: append(t.replay[:len(t.replay):len(t.replay)], f)}
}
