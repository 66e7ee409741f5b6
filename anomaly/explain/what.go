package explain

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// item is a request with its attributes, as the scan sees it.
type item struct {
	attributes map[string]string // of the span, of the span it was called from and of the resource
	bad        bool              // slow, or failed
	during     bool              // the incident
}

// trait is what bad requests have in common: one attribute, or up to three together.
type trait struct {
	pairs    []pair
	bad      float64 // share of the bad requests that have it
	normal   float64 // share of the others
	lift     float64
	llr      float64
	count    int  // bad requests that have it
	identity bool // which instance it was
}

type pair struct{ key, value string }

// Bounds of the scan.
const (
	leastLift    = 1.5  // commoner among bad requests by this factor
	leastSupport = 0.05 // of the bad requests
	leastBad     = 5    // bad requests that have it
	leastLLR     = 6.0  // nats, beyond the price of having looked at so many
	beamWidth    = 8
	mostPairs    = 3
	worth        = 10.0 // requests that the overall share counts for
)

// effects are attributes that say how a request ended, not why.
var effects = []string{"exception.", "error.", "http.response.", "http.status_code", "rpc.grpc.status_code", "rpc.response.", "otel.", "thread.",
	"code.", "http.request.resend_count", "telemetry.", "db.response.", "messaging.message.id", "process.command", "process.runtime", "service.name",
	"url.full", "user_agent.", "status_message", "http.request.body", "http.route", "http.request.method", "http.method", "url.template", "server.", "network.", "rpc.",
	"service.namespace", "k8s.deployment.name", "k8s.namespace.name"}

// identities name one instance, its version or where it runs: comparable within the same minutes only, because every
// start of a process makes new ones.
var identities = []string{"service.version", "k8s.pod.name", "service.instance.id", "container.id", "container.name", "process.pid", "host.id", "k8s.pod.uid", "k8s.pod.ip", "k8s.replicaset.name", "k8s.pod.start_time",
	"host.name", "k8s.node.name"}

// preferred says which of several attributes that the same requests have is the best name for them, first the best.
var preferred = []string{"service.version", "app.", "tenant", "customer", "user.", "feature_flag.", "cloud.region", "cloud.availability_zone", "k8s.cluster.name", "k8s.pod.name", "service.instance.id", "host.name"}

func isEffect(key string) bool {
	return slices.ContainsFunc(effects, func(p string) bool { return strings.HasPrefix(key, p) })
}

// scan finds the attribute, or the combination of up to three, that the bad requests have and the others have not,
// best first. A request is compared with the others of the same minutes where there are enough of them, else with those
// before the incident.
func scan(items []item) []trait {
	var bad, during, before []item
	for _, it := range items {
		switch {
		case it.bad:
			bad = append(bad, it)
		case it.during:
			during = append(during, it)
		default:
			before = append(before, it)
		}
	}
	if len(bad) < leastBad {
		return nil
	}
	s := scanner{bad: bad, same: during, normal: append(slices.Clone(during), before...)}
	beam := s.widen(nil)
	found := slices.Clone(beam)
	for n := 1; n < mostPairs && len(beam) > 0; n++ {
		beam = s.widen(beam)
		found = append(found, beam...)
	}
	slices.SortStableFunc(found, better)
	return distinct(found)
}

type scanner struct{ bad, same, normal []item }

// widen finds the best traits with one attribute more than those of the beam; nil stands for none.
func (s *scanner) widen(beam []trait) []trait {
	if beam == nil {
		beam = []trait{{}}
	}
	var out []trait
	for _, base := range beam {
		counts := map[pair]int{}
		for _, it := range s.bad {
			if !base.has(it) {
				continue
			}
			for k, v := range it.attributes {
				if v != "" && len(v) <= 512 && !isEffect(k) && !base.names(k) {
					counts[pair{k, v}]++
				}
			}
		}
		for p, n := range counts {
			if n < leastBad || float64(n) < leastSupport*float64(len(s.bad)) {
				continue
			}
			t, ok := s.judge(append(slices.Clone(base.pairs), p), n, len(counts))
			if ok && (len(base.pairs) == 0 || t.llr > s.alone(base, t)*1.15+3) {
				out = append(out, t)
			}
		}
	}
	slices.SortStableFunc(out, better)
	return distinct(out)[:min(beamWidth, len(distinct(out)))]
}

// alone is what a trait is worth without what another adds to it, both compared with the same requests.
func (s *scanner) alone(base, wider trait) float64 {
	if base.identity || !wider.identity {
		return base.llr
	}
	have := 0
	for _, it := range s.same {
		if base.has(it) {
			have++
		}
	}
	n, all := float64(base.count), float64(len(s.bad)+len(s.same))
	share := (float64(have) + worth*(n+float64(have))/all) / (float64(len(s.same)) + worth)
	return max(base.llr, poisson(n, share*float64(len(s.bad))))
}

// judge compares one trait with the requests that were not bad.
func (s *scanner) judge(pairs []pair, n, looked int) (trait, bool) {
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Or(preference(a.key)-preference(b.key), strings.Compare(a.key, b.key)) })
	t := trait{pairs: pairs, count: n}
	t.identity = slices.ContainsFunc(pairs, func(p pair) bool { return slices.Contains(identities, p.key) })
	normal := s.normal
	if t.identity {
		normal = s.same
		if len(normal) < 20 {
			return t, false
		}
	}
	if len(normal) < 5 {
		return t, false
	}
	have := 0
	for _, it := range normal {
		if t.has(it) {
			have++
		}
	}
	all := float64(n+have) / float64(len(s.bad)+len(normal))
	share := (float64(have) + worth*all) / (float64(len(normal)) + worth)
	t.bad, t.normal = float64(n)/float64(len(s.bad)), float64(have)/float64(len(normal))
	t.lift = t.bad / share
	t.llr = poisson(float64(n), share*float64(len(s.bad)))
	return t, t.lift >= leastLift && t.llr >= leastLLR+0.5*math.Log(float64(max(looked, 1)))
}

func (t trait) has(it item) bool {
	for _, p := range t.pairs {
		if it.attributes[p.key] != p.value {
			return false
		}
	}
	return true
}

func (t trait) names(key string) bool {
	return slices.ContainsFunc(t.pairs, func(p pair) bool { return p.key == key })
}

// preference is the place of a key among the names people know.
func preference(key string) int {
	for i, p := range preferred {
		if strings.Contains(key, p) {
			return i
		}
	}
	return len(preferred)
}

// better sorts traits: the most telling first, the simpler and better known of equals.
func better(a, b trait) int {
	if math.Abs(a.llr-b.llr) > 1e-9 {
		return compare(b.llr, a.llr)
	}
	if c := cmp.Compare(len(a.pairs), len(b.pairs)); c != 0 {
		return c
	}
	for i := range a.pairs {
		if c := cmp.Or(preference(a.pairs[i].key)-preference(b.pairs[i].key), strings.Compare(a.pairs[i].key+a.pairs[i].value, b.pairs[i].key+b.pairs[i].value)); c != 0 {
			return c
		}
	}
	return 0
}

// distinct drops traits that the same requests have as a better one: the same counts on both sides.
func distinct(sorted []trait) []trait {
	type counts struct {
		n      int
		normal float64
	}
	seen := map[counts]bool{}
	var out []trait
	for _, t := range sorted {
		c := counts{t.count, math.Round(t.normal * 1e6)}
		if !seen[c] {
			seen[c] = true
			out = append(out, t)
		}
	}
	return out
}

// text writes a trait as a person reads it.
func (t trait) text() string {
	parts := make([]string, len(t.pairs))
	for i, p := range t.pairs {
		parts[i] = p.key + "=" + p.value
	}
	return strings.Join(parts, " and ")
}
