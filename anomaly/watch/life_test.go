package watch

import (
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// alive lets the cart give another sign of life each minute that it sends requests, or always.
func (w *world) alive(d time.Duration, c conduct, signs bool) {
	for range int(d / time.Minute) {
		if signs {
			w.engine.lifeOf("prod", "cart").sign(w.now)
		}
		w.run(time.Minute, c)
	}
}

var usualCart, silentCart = conduct{rate: day(60), slowness: 1, failing: 0.002}, conduct{rate: func(int64) float64 { return 0 }, slowness: 1}

func TestNoRequestsIsNotNoData(t *testing.T) {
	for name, c := range map[string]struct {
		signs   bool
		channel anomaly.Channel
		state   string
		most    time.Duration // until it is told
	}{
		"lives on":  {true, anomaly.ChannelThroughput, "no_traffic", 3 * time.Minute},
		"not heard": {false, anomaly.ChannelNoData, "no_data", 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			w.alive(3*24*time.Hour, usualCart, true)
			began := w.now
			w.alive(15*time.Minute, silentCart, c.signs)
			var about []anomaly.Alarm
			for _, a := range w.alarms {
				if a.Ended.IsZero() && a.Detected.Unix() > began && a.Symptom == anomaly.SymptomTraffic {
					about = append(about, a)
				}
			}
			if len(about) == 0 {
				t.Fatal("not told")
			}
			if first := about[0]; first.Channel != c.channel || !first.Paging || first.Detected.Sub(time.Unix(began, 0)) > c.most {
				t.Errorf("told as %s, paging %v, after %s", first.Channel, first.Paging, first.Detected.Sub(time.Unix(began, 0)))
			}
			for _, a := range about {
				if c.channel == anomaly.ChannelNoData && a.Subject.Operation != "" {
					t.Errorf("the service is not heard, and an operation alarms: %+v", a.Subject)
				}
			}
			if s := w.engine.silences(w.now); len(s) != 1 || s[0].Service != "cart" || s[0].State != c.state || s[0].Since.Unix()-began > 60 {
				t.Errorf("silent are %+v", s)
			}
			w.alive(time.Hour, usualCart, true)
			if s := w.engine.silences(w.now); len(s) != 0 {
				t.Errorf("an hour later silent are %+v", s)
			}
			w.engine.each(func(o *open) { t.Errorf("an hour later it goes on: %+v", o.alarm) })
		})
	}
}

func TestARestartIsQuiet(t *testing.T) {
	w := newWorld()
	w.alive(3*24*time.Hour, usualCart, true)
	for range 5 {
		w.alive(2*time.Minute, silentCart, false)
		w.alive(time.Hour, usualCart, true)
	}
	if len(w.alarms) > 0 {
		t.Errorf("a restart of two minutes alarmed: %+v", w.alarms[0])
	}
}

// TestAGapOfMostServicesDoesNotPage: what is lost with most others is lost by what brings it.
func TestAGapOfMostServicesDoesNotPage(t *testing.T) {
	w := newWorld()
	w.alive(2*24*time.Hour, usualCart, true)
	for _, name := range []string{"mail", "user"} { // others that fall silent with the cart
		l := w.engine.lifeOf("prod", name)
		l.spans, l.signs, l.expects = w.now, w.now-60, 60
	}
	w.alive(15*time.Minute, silentCart, false)
	for _, a := range w.alarms {
		if a.Paging {
			t.Errorf("most services are lost at once, and one pages: %+v", a)
		}
	}
	if s := w.engine.silences(w.now); len(s) != 1 || s[0].State != "no_data" {
		t.Errorf("silent are %+v", s)
	}
}
