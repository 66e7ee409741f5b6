package watch

import "math"

// crowd is how much is asked of a service, and how much it asks of others itself.
type crowd struct{ in, out flow }

// flow is how many requests come, and how many usually do: by the minute, and since the newest settled one.
type flow struct {
	came, usual         [minutes]float32
	recent, recentUsual float64
	load                loads
}

const (
	busiest   = 3  // minutes
	loadPrior = 60 // requests that stand beside those counted, as many of them as come elsewhere: a few more of a few are no load
)

// crowdOf is the crowd of a service.
func (env *environment) crowdOf(service string) *crowd {
	c := env.crowds[service]
	if c == nil {
		c = &crowd{}
		env.crowds[service] = c
	}
	return c
}

// flowOf is where the requests of a series count, nil for nowhere: the entry spans of a service are what it is asked,
// its calls what it asks.
func (env *environment) flowOf(s *series) (own, all *flow) {
	switch {
	case s.name == "" && s.kind == "":
		return &env.crowdOf(s.service).in, &env.crowd.in
	case !s.incoming():
		return &env.crowdOf(s.service).out, &env.crowd.out
	}
	return nil, nil
}

// each calls f for the flows of all services together and then for those of each.
func (env *environment) each(f func(own, all *flow)) {
	f(&env.crowd.in, nil)
	f(&env.crowd.out, nil)
	for _, c := range env.crowds {
		f(&c.in, &env.crowd.in)
		f(&c.out, &env.crowd.out)
	}
}

// reach empties the minutes after the last settled one up to this one.
func (f *flow) reach(last, minute int64) {
	for m := max(last+1, minute-minutes+1); m <= minute; m++ {
		f.came[m%minutes], f.usual[m%minutes] = 0, 0
	}
}

func (f *flow) settle(minute int64, n, usual float64) {
	f.came[minute%minutes] += float32(n)
	f.usual[minute%minutes] += float32(usual)
}

// gather weighs what has come by now against what usually does.
func (e *engine) gather(now int64) {
	for _, env := range e.envs {
		env.each(func(own, _ *flow) { own.recent, own.recentUsual = 0, 0 })
	}
	if e.fine() {
		for _, s := range e.series {
			own, all := e.envOf(s).flowOf(s)
			if own == nil {
				continue
			}
			n, usual := s.ring.unsettled(now), s.steadily()*float64(now-(e.settled+1)*60)/60
			for _, f := range [...]*flow{own, all} {
				f.recent += n
				f.recentUsual += usual
			}
		}
	}
	for _, env := range e.envs {
		env.each(func(own, all *flow) { own.weigh(e.settled, all) })
	}
}

// weigh computes the load in each window: that of its busiest three minutes, because waiting grows faster than load.
func (f *flow) weigh(settled int64, all *flow) {
	k := 0
	f.load = loads{}
	for back := range spans[len(spans)-1] {
		came, usual := f.recent, f.recentUsual
		from, to := settled, settled-busiest+1
		if back > 0 {
			came, usual = 0, 0
			from, to = from-back+1, to-back+1
		}
		for m := from; m >= max(to, settled-minutes+1); m-- {
			came += float64(f.came[m%minutes])
			usual += float64(f.usual[m%minutes])
		}
		elsewhere := 1.0
		if all != nil {
			elsewhere = all.load[k]
		}
		f.load[k] = max(f.load[k], (came+loadPrior*elsewhere)/(usual+loadPrior))
		for k < len(spans) && back+busiest >= spans[k] {
			if k++; k < len(spans) {
				f.load[k] = f.load[k-1]
			}
		}
		if k == len(spans) {
			return
		}
	}
}

// loads is how many requests there are for each that is usual, in each window that is judged.
type loads [len(spans)]float64

// loads are of what the service of a series gets, and where it calls, of what it asks or the other gets, if that is more.
func (e *engine) loads(s *series) (l loads) {
	of := e
	if e.requests != nil {
		of = e.requests
	}
	env := of.envs[s.env]
	if env == nil {
		return l
	}
	if c := env.crowds[s.service]; c != nil {
		l.most(&c.in)
		if !s.incoming() {
			l.most(&c.out)
		}
	}
	if of != e {
		if c := env.crowds[s.name]; c != nil {
			l.most(&c.in)
		}
	}
	return l
}

func (l *loads) most(f *flow) {
	for k := range l {
		l[k] = max(l[k], f.load[k])
	}
}

// steadily is how many requests a minute the time of day and the level of the last days let expect.
func (s *series) steadily() float64 {
	if s.expects <= 0 || !s.volume.known() {
		return float64(s.volume.slow)
	}
	return s.expects / math.Max(float64(s.volume.fast), 1e-9) * math.Max(float64(s.volume.slow), 1e-9)
}
