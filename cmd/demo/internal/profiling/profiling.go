// Package profiling lets each instance of the shop be profiled as if it were a process of its own, although all of them
// run in one: CPU profiles are taken for everybody at once and cut by the labels that goroutines carry. Its main type is
// Recorder; it records only while somebody asks.
package profiling

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/otel/trace"
)

// instanceLabel tells apart the goroutines of the instances; it is not given out.
const instanceLabel = "instance"

// A CPU profile is put together from slices.
const (
	slice      = 2 * time.Second
	kept       = 45 // slices
	idleAfter  = 3 * time.Minute
	mostLength = 60 * time.Second
)

// Recorder takes CPU profiles of the process in slices.
type Recorder struct {
	mu     sync.Mutex
	asked  time.Time     // when a profile was asked for last, guarded by mu
	on     bool          // a goroutine records, guarded by mu
	slices []recorded    // the newest last, guarded by mu
	more   chan struct{} // closed when a slice is added, guarded by mu
}

type recorded struct {
	from, to time.Time
	profile  *profile.Profile
}

// Shared is the process's recorder: there can be but one.
var Shared = &Recorder{more: make(chan struct{})}

// Do runs the work of a request of an instance, labelled with its endpoint and its span.
func Do(ctx context.Context, instance, endpoint string, work func(context.Context)) {
	labels := []string{instanceLabel, instance, "endpoint", endpoint}
	if s := trace.SpanContextFromContext(ctx); s.IsValid() {
		labels = append(labels, "trace_id", s.TraceID().String(), "span_id", s.SpanID().String())
	}
	pprof.Do(ctx, pprof.Labels(labels...), work)
}

// Handler answers as net/http/pprof does for one instance: profile and goroutine with what is labelled as its own, heap
// and the others with those of the whole process.
func (r *Recorder) Handler(instance string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		p, err := r.take(q, instance)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		p.Write(w) // the client left if this fails: nobody to tell
	})
}

func (r *Recorder) take(q *http.Request, instance string) (*profile.Profile, error) {
	name := strings.TrimPrefix(q.URL.Path, "/debug/pprof/")
	if name == "profile" {
		length := 10 * time.Second
		if s, err := strconv.Atoi(q.URL.Query().Get("seconds")); err == nil && s > 0 {
			length = min(time.Duration(s)*time.Second, mostLength)
		}
		return r.cpu(q.Context(), instance, length)
	}
	known := pprof.Lookup(name)
	if known == nil {
		return nil, fmt.Errorf("there is no profile %q", name)
	}
	var b bytes.Buffer
	if err := known.WriteTo(&b, 0); err != nil {
		return nil, err
	}
	p, err := profile.ParseData(b.Bytes())
	if err == nil && name == "goroutine" {
		p = of(p, instance)
	}
	return p, err
}

// cpu waits for slices that cover a length of time from now on, and cuts out what an instance did in them.
func (r *Recorder) cpu(ctx context.Context, instance string, length time.Duration) (*profile.Profile, error) {
	r.start()
	from := time.Now()
	for {
		r.mu.Lock()
		var covering []*profile.Profile
		covered := time.Duration(0)
		for _, s := range r.slices {
			if s.from.After(from.Add(-slice / 2)) {
				covering, covered = append(covering, of(s.profile, instance)), covered+s.to.Sub(s.from)
			}
		}
		more := r.more
		r.mu.Unlock()
		if covered >= length-slice/2 {
			return profile.Merge(covering)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-more:
		}
	}
}

// start records until nobody has asked for a while.
func (r *Recorder) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = time.Now()
	if !r.on {
		r.on = true
		go r.record()
	}
}

func (r *Recorder) record() {
	for {
		var b bytes.Buffer
		from := time.Now()
		err := pprof.StartCPUProfile(&b) // fails while somebody else profiles the process
		time.Sleep(slice)
		if err == nil {
			pprof.StopCPUProfile()
		}
		s := recorded{from: from, to: time.Now()}
		if err == nil {
			s.profile, err = profile.ParseData(b.Bytes())
		}
		if !r.keep(s, err == nil) {
			return
		}
	}
}

// keep adds a slice, and reports whether to go on.
func (r *Recorder) keep(s recorded, taken bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if taken {
		r.slices = append(r.slices, s)
		r.slices = r.slices[max(0, len(r.slices)-kept):]
		close(r.more)
		r.more = make(chan struct{})
	}
	if time.Since(r.asked) > idleAfter {
		r.on, r.slices = false, nil
	}
	return r.on
}

// of is what an instance did of a profile.
func of(p *profile.Profile, instance string) *profile.Profile {
	out := p.Copy()
	out.Sample = slices.DeleteFunc(out.Sample, func(s *profile.Sample) bool {
		mine := slices.Contains(s.Label[instanceLabel], instance)
		delete(s.Label, instanceLabel)
		return !mine
	})
	return out.Compact()
}
