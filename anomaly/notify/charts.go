package notify

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
)

// charts keeps the charts drawn last. A chart's name is its incident, the time at which it is drawn and a signature,
// so that it can be drawn again whenever somebody who was sent its address asks for it, and by nobody else.
type charts struct {
	mu    sync.Mutex
	byKey map[string][]byte
	order []string // oldest first
	slots chan struct{}
}

// Bounds of drawing: charts kept, drawn at the same time, and how long reading the series may take.
const (
	chartsKept  = 128
	chartsDrawn = 2
	chartWait   = 3 * time.Second
)

func newCharts() *charts {
	return &charts{byKey: map[string][]byte{}, slots: make(chan struct{}, chartsDrawn)}
}

func (c *charts) get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.byKey[key]
	return b, ok
}

func (c *charts) put(key string, png []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; !ok {
		c.order = append(c.order, key)
	}
	c.byKey[key] = png
	for len(c.order) > chartsKept {
		delete(c.byKey, c.order[0])
		c.order = c.order[1:]
	}
}

// testChart stands for the incident in the name of a test's chart.
const testChart = "test"

func chartKey(incident string, at time.Time) string {
	return incident + "." + strconv.FormatInt(at.Unix(), 36)
}

// chartName is the last part of a chart's address.
func (n *Notifier) chartName(incident string, at time.Time) string {
	key := chartKey(incident, at)
	return key + "." + n.o.Keys.mac(key) + ".png"
}

// ChartPath is where charts are served below the public address.
const ChartPath = "/charts/"

// Chart draws the chart of a name that was sent in a message. It asks for no login: the name cannot be guessed.
func (n *Notifier) Chart(ctx context.Context, name string) ([]byte, error) {
	missing := &NotFoundError{"such chart"}
	rest, ok := strings.CutSuffix(name, ".png")
	i := strings.LastIndexByte(rest, '.')
	if !ok || i < 0 || !n.o.Keys.verify(rest[:i], rest[i+1:]) {
		return nil, missing
	}
	key := rest[:i]
	i = strings.LastIndexByte(key, '.')
	unix, err := strconv.ParseInt(key[max(i, 0)+1:], 36, 64)
	if i < 0 || err != nil {
		return nil, missing
	}
	at := time.Unix(unix, 0)
	if key[:i] == testChart {
		return n.draw(ctx, exampleIncident(at), at, testChart)
	}
	found, err := n.incident(ctx, key[:i])
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, missing
	}
	png, err := n.draw(ctx, *found, at, found.ID)
	if err == nil && png == nil {
		return nil, missing
	}
	return png, err
}

// incident is one at hand or in the store; nil: there is none.
func (n *Notifier) incident(ctx context.Context, id string) (*anomaly.Incident, error) {
	n.mu.Lock()
	if t := n.incidents[id]; t != nil {
		inc := t.incident
		n.mu.Unlock()
		return &inc, nil
	}
	n.mu.Unlock()
	list, err := loadIncidents(ctx, n.o.Conn, "id = ?", id)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// exemplify gives a message its example trace where explanation has found none yet. It goes without rather than late.
func (n *Notifier) exemplify(ctx context.Context, p *post, inc anomaly.Incident) {
	if p.message.TraceURL != "" || n.o.Example == nil || p.message.State == StateResolved {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, chartWait)
	defer cancel()
	path, err := n.o.Example(ctx, inc)
	if err != nil {
		n.o.Logger.Warn("a message goes without an example", "incident", inc.ID, "error", err)
		return
	}
	if path != "" {
		p.message.TraceURL = n.base() + path
	}
}

// illustrate gives a message its chart. A message goes without one rather than late.
func (n *Notifier) illustrate(ctx context.Context, p *post, inc anomaly.Incident) {
	m := p.message
	if !kinds[p.channel.Type].Image || n.o.Series == nil && m.State != StateTest {
		return
	}
	id := inc.ID
	if m.State == StateTest {
		id = testChart
	}
	ctx, cancel := context.WithTimeout(ctx, chartWait)
	defer cancel()
	png, err := n.draw(ctx, inc, m.At, id)
	if err != nil {
		n.o.Logger.Warn("a message goes without its chart", "incident", inc.ID, "error", err)
		return
	}
	if len(png) == 0 {
		return
	}
	m.chart = png
	if n.o.Reachable || p.channel.Type == "webhook" {
		m.ChartURL = n.base() + ChartPath + n.chartName(id, m.At)
	}
}

// draw draws an incident's chart as of a time, or takes it from those drawn before; nil: there is nothing to show.
func (n *Notifier) draw(ctx context.Context, inc anomaly.Incident, at time.Time, id string) ([]byte, error) {
	key := chartKey(id, at)
	if png, ok := n.charts.get(key); ok {
		return png, nil
	}
	alarm := leading(inc.Alarms)
	if alarm == nil {
		return nil, nil
	}
	select {
	case n.charts.slots <- struct{}{}:
		defer func() { <-n.charts.slots }()
	case <-ctx.Done():
		return nil, errors.New("too many charts are being drawn")
	}
	series, err := n.series(ctx, *alarm, at, id)
	if err != nil {
		return nil, fmt.Errorf("read the series of the chart: %w", err)
	}
	d := drawing{Series: series.reach(*alarm, at), title: chartTitle(*alarm), began: alarm.Began, ended: alarm.Ended, zone: n.chartZone(), color: chartColor(inc.Severity)}
	png, err := d.png()
	if err == nil && png != nil {
		n.charts.put(key, png)
	}
	return png, err
}

func (n *Notifier) chartZone() *time.Location {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.zone()
}

func (n *Notifier) series(ctx context.Context, alarm anomaly.Alarm, at time.Time, id string) (Series, error) {
	if id == testChart {
		return exampleSeries(alarm, at), nil
	}
	if n.o.Series == nil {
		return Series{}, nil
	}
	from, to := chartSpan(alarm, at)
	return n.o.Series(ctx, alarm, from, to)
}

// chartSpan is a quarter of an hour, which has a point every ten seconds, or so much that a third of the chart is from
// before it began; at most a week.
func chartSpan(alarm anomaly.Alarm, at time.Time) (from, to time.Time) {
	span := min(max(15*time.Minute, at.Sub(alarm.Began)*3/2), 7*24*time.Hour)
	return at.Add(-span), at
}

// reach adds what the alarm observed where the series ends before it: the step is not complete when it is told.
func (s Series) reach(a anomaly.Alarm, at time.Time) Series {
	n := len(s.TS)
	if n == 0 || len(s.Value) != n {
		return s
	}
	for i, t := range s.TS {
		if !t.Before(a.Began) && !math.IsNaN(s.Value[i]) {
			return s
		}
	}
	last := at
	if a.Detected.After(s.TS[n-1]) && a.Detected.Before(at) {
		last = a.Detected
	}
	if !last.After(s.TS[n-1]) {
		return s
	}
	s.TS, s.Value = append(slices.Clip(s.TS), last), append(slices.Clip(s.Value), a.Observed)
	for _, list := range []*[]float64{&s.Expected, &s.Lower, &s.Upper} {
		if len(*list) == n {
			*list = append(slices.Clip(*list), (*list)[n-1])
		}
	}
	return s
}

// leading is the alarm a chart shows: the first symptom that the message tells.
func leading(alarms []anomaly.Alarm) *anomaly.Alarm {
	sorted := byWeight(alarms)
	if len(sorted) == 0 {
		return nil
	}
	return &sorted[0]
}

func chartTitle(a anomaly.Alarm) string {
	return subjectName(a.Subject) + ": " + symptomName(a)
}

func chartColor(s anomaly.Severity) color.RGBA {
	switch s {
	case anomaly.SeverityCritical:
		return color.RGBA{214, 40, 40, 255}
	case anomaly.SeverityWarning:
		return color.RGBA{209, 96, 0, 255}
	}
	return color.RGBA{28, 126, 214, 255}
}

// exampleSeries is a made-up course for the chart of a test.
func exampleSeries(a anomaly.Alarm, at time.Time) Series {
	s := Series{Unit: a.Unit}
	const points = 120
	for i := range points {
		t := at.Add(-time.Duration(points-1-i) * 30 * time.Second)
		wave := math.Sin(float64(i)/9)*.5 + math.Sin(float64(i)*1.7)*.3
		v := a.Expected + wave*(a.Upper-a.Lower)/3
		if !t.Before(a.Began) {
			v = a.Observed * (.85 + .1*wave)
		}
		s.TS, s.Value, s.Expected = append(s.TS, t), append(s.Value, v), append(s.Expected, a.Expected)
		s.Lower, s.Upper = append(s.Lower, a.Lower), append(s.Upper, a.Upper)
	}
	return s
}
