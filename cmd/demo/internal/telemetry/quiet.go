package telemetry

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// Quieten replaces the SDK's process-wide error handler, which would print a
// line per failed export. While the endpoint is away nothing is printed, for
// Watch already says so; other errors, such as a partial success, are printed
// at most once in every interval with the number that were held back.
func (l *Link) Quieten(to io.Writer, interval time.Duration) {
	q := &quiet{to: to, interval: interval, away: func() bool { return !l.Connected() }, now: time.Now}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(q.handle))
	otel.SetLogger(logr.Discard())
}

type quiet struct {
	to       io.Writer
	interval time.Duration
	away     func() bool
	now      func() time.Time

	mu   sync.Mutex // guards what follows
	last time.Time
	held int
}

func (q *quiet) handle(err error) {
	if err == nil || q.away() || outage(err) {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if !q.last.IsZero() && now.Sub(q.last) < q.interval {
		q.held++
		return
	}
	suffix := ""
	if q.held > 0 {
		suffix = fmt.Sprintf(" (and %d more before)", q.held)
	}
	fmt.Fprintf(q.to, "telemetry: %v%s\n", err, suffix)
	q.last, q.held = now, 0
}

// outage recognises what exporters report when the endpoint went away in the
// middle of a call: by the time it is handled the link may be up again.
func outage(err error) bool {
	text := err.Error()
	return strings.Contains(text, "code = Unavailable") || strings.Contains(text, "context deadline exceeded") ||
		strings.Contains(text, "exporter export timeout") || strings.Contains(text, "context canceled")
}
