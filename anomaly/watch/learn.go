package watch

import "github.com/tidemarkhq/tidemark/query"

// learn takes in a settled minute. What is in alarm is not learned: it is not to become normal by lasting a while.
func (e *engine) learn(minute int64, rows []query.WatchRow) {
	at := minute * 60
	for _, s := range e.series {
		env := e.envOf(s)
		var recent [latencyBuckets]float32
		for i := s.due; i > 0; i = e.chain[i-1] {
			for k, b := range rows[i-1].Buckets {
				recent[s.usual.bucket(b)] += float32(rows[i-1].Counts[k])
			}
		}
		s.due = 0
		c := s.ring.minute[minute%minutes].cell()
		s.clump.learn(s.ring.minute[(minute-1+minutes)%minutes].n.float(), c.n)
		windows := s.ring.closed(minute, make([]span, 0, len(spans)))
		s.learnLatency(minute, &recent, windows)
		if s.watch[failures].alarm == nil && !s.partly(failures) {
			s.failures.Learn(float64(c.n), float64(c.bad), decayErrors)
		}
		s.learnVolume(minute, env, windows)
		if (at/60)%1440 == 0 {
			s.forgetParts(at)
		}
	}
	for _, env := range e.envs {
		env.all.learn(at+30, env.minute, nil, 0, true)
		env.minute = 0
	}
}

// partly says whether a part of the series is in alarm.
func (s *series) partly(c int) bool {
	for _, p := range s.parts {
		if p.watch[c].alarm != nil {
			return true
		}
	}
	return false
}

func (s *series) learnLatency(minute int64, recent *[latencyBuckets]float32, windows []span) {
	if s.watch[latency].alarm != nil || s.partly(latency) {
		return
	}
	s.usual.learn(minute*60, recent)
	if s.usual.n < latencyKnown || (minute+int64(len(s.name)))%10 == 0 {
		s.usual.refresh(minute * 60)
	}
	s.learnParts(minute)
	for k, w := range windows {
		if w.n >= leastRequests && s.usual.n >= latencyKnown {
			s.spread[k].learn(float64(w.rank)/float64(w.n), s.usual.variance/s.clump.apart(float64(w.n)))
		}
	}
}

func (s *series) learnVolume(minute int64, env *environment, windows []span) {
	steady := s.watch[traffic].alarm == nil
	if steady && s.volume.known() {
		for k, w := range windows {
			if w.mu > 0 && float64(w.n) < 1.3*w.mu {
				s.volume.noise[k].Learn(float64(w.n), w.mu)
			}
		}
	}
	s.volume.learn(minute*60+30, float64(s.ring.minute[minute%minutes].n.float()), &env.all, env.minute, steady)
}

// learnParts takes in how much each part varies: which requests an instance gets is chance, more so with few.
func (s *series) learnParts(minute int64) {
	for _, p := range s.parts {
		if p.watch[latency].alarm != nil || minute*60-p.seen > 60 || s.usual.n < latencyKnown {
			continue
		}
		for k, w := range p.ring.closed(minute, make([]span, 0, len(spans))) {
			if w.n >= leastRequests {
				p.spread[k].learn(float64(w.rank)/float64(w.n), s.usual.variance/s.clump.apart(float64(w.n)))
			}
		}
	}
}

func (p *part) alarmed() bool {
	for c := range p.watch {
		if p.watch[c].alarm != nil {
			return true
		}
	}
	return false
}

// forgetParts drops versions and instances that are gone for a day.
func (s *series) forgetParts(at int64) {
	kept := s.parts[:0]
	for _, p := range s.parts {
		if at-p.seen < 86400 || p.alarmed() {
			kept = append(kept, p)
			continue
		}
		p.gone = true
	}
	s.parts = kept
}
