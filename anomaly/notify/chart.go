package notify

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"sync"
	"time"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// Series is what a chart shows; all slices are as long as TS, NaN where there is nothing.
type Series struct {
	Unit                          string
	TS                            []time.Time
	Value, Expected, Lower, Upper []float64
}

// drawing is one chart: what was observed, the expected band, and when it began.
type drawing struct {
	Series
	title string
	began time.Time
	ended time.Time // zero: it lasts
	zone  *time.Location
	color color.RGBA // of what is abnormal
}

// A chart's size in pixels: chats show it about half as large, where its text can still be read.
const (
	chartWidth  = 800
	chartHeight = 340
	chartLeft   = 92
	chartRight  = 20
	chartTop    = 56
	chartBottom = 44
)

var (
	paper     = color.RGBA{255, 255, 255, 255}
	ink       = color.RGBA{29, 36, 48, 255}
	faint     = color.RGBA{91, 102, 117, 255}
	rule      = color.RGBA{230, 233, 238, 255}
	bandColor = color.RGBA{214, 228, 245, 255}
	expected  = color.RGBA{120, 160, 210, 255}
	line      = color.RGBA{28, 78, 140, 255}
)

// face makes a font of a size in pixels; the fonts are part of the program.
func face(ttf []byte, size float64) func() font.Face {
	return sync.OnceValue(func() font.Face {
		f, err := opentype.Parse(ttf)
		if err != nil {
			panic("the built-in font cannot be read: " + err.Error())
		}
		face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			panic("the built-in font cannot be used: " + err.Error())
		}
		return face
	})
}

var (
	titleFace = face(gomedium.TTF, 22)
	labelFace = face(goregular.TTF, 18)
	drawMutex sync.Mutex // guards the faces, which keep glyphs
)

// canvas is a chart being drawn.
type canvas struct {
	*image.RGBA
	d        drawing
	from, to time.Time
	low      float64
	high     float64
}

// png draws a chart; nil where there is nothing to show.
func (d drawing) png() ([]byte, error) {
	if len(d.TS) < 2 || !d.any() {
		return nil, nil
	}
	drawMutex.Lock()
	defer drawMutex.Unlock()
	c := &canvas{RGBA: image.NewRGBA(image.Rect(0, 0, chartWidth, chartHeight)), d: d, from: d.TS[0], to: d.TS[len(d.TS)-1]}
	draw.Draw(c.RGBA, c.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	ticks := c.scale()
	c.text(titleFace(), chartLeft, 32, fit(titleFace(), d.title, chartWidth-chartLeft-chartRight), ink, 0)
	c.abnormal()
	c.band()
	c.grid(ticks)
	c.times()
	c.curve(d.Expected, expected, 1.5, time.Time{}, time.Time{})
	c.curve(d.Value, line, 2.5, time.Time{}, time.Time{})
	c.curve(d.Value, d.color, 3.5, d.began, d.end())
	c.marker()
	return c.encode()
}

func (d drawing) any() bool {
	for _, v := range d.Value {
		if !math.IsNaN(v) {
			return true
		}
	}
	return false
}

func (d drawing) end() time.Time {
	if d.ended.IsZero() {
		return d.TS[len(d.TS)-1]
	}
	return d.ended
}

// encode writes at most 256 colours: a third of the bytes, and chats limit them.
func (c *canvas) encode() ([]byte, error) {
	p := palette(c.d.color)
	small := image.NewPaletted(c.Bounds(), p)
	known := map[color.RGBA]uint8{} // searching the palette for each pixel would take most of the time
	for i := range small.Pix {
		px := color.RGBA{c.Pix[4*i], c.Pix[4*i+1], c.Pix[4*i+2], 255}
		index, ok := known[px]
		if !ok {
			index = uint8(p.Index(px))
			known[px] = index
		}
		small.Pix[i] = index
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&b, small); err != nil {
		return nil, fmt.Errorf("write the chart: %w", err)
	}
	return b.Bytes(), nil
}

// palette has every colour used and the steps by which its edges fade into what is behind.
func palette(abnormal color.RGBA) color.Palette {
	p := color.Palette{paper}
	for _, back := range []color.RGBA{paper, bandColor} {
		for _, fore := range []color.RGBA{ink, faint, line, expected, abnormal, rule, bandColor} {
			for i := 1; i <= 8; i++ {
				p = append(p, mix(back, fore, float64(i)/8))
			}
		}
	}
	return append(p, mix(paper, abnormal, .09), mix(paper, abnormal, .05))
}

func mix(a, b color.RGBA, t float64) color.RGBA {
	f := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*t)) }
	return color.RGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), 255}
}

// scale chooses the range of values and its marks: from zero where that is a natural floor.
func (c *canvas) scale() []float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for _, list := range [][]float64{c.d.Value, c.d.Expected, c.d.Lower, c.d.Upper} {
		for _, v := range list {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low >= 0 && low < high*.7 || c.d.Unit == "ns" || c.d.Unit == "1" || c.d.Unit == "/s" {
		low = min(low, 0)
	}
	if high <= low {
		high = low + max(math.Abs(low)*.1, smallest(c.d.Unit))
	}
	step := niceStep((high - low) / 4)
	c.low = math.Floor(low/step+1e-9) * step
	c.high = math.Ceil(high/step-1e-9) * step
	var ticks []float64
	for v := c.low; v <= c.high+step/2; v += step {
		ticks = append(ticks, v)
	}
	return ticks
}

// smallest is a range worth showing where all values are the same.
func smallest(unit string) float64 {
	switch unit {
	case "ns":
		return 1e6
	case "1":
		return .01
	}
	return 1
}

// niceStep is 1, 2 or 5 times a power of ten, at least v.
func niceStep(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= v*(1-1e-9) {
			return m * p
		}
	}
	return 10 * p
}

func (c *canvas) x(t time.Time) float32 {
	return chartLeft + float32(float64(t.Sub(c.from))/float64(c.to.Sub(c.from)))*(chartWidth-chartLeft-chartRight)
}

func (c *canvas) y(v float64) float32 {
	return chartHeight - chartBottom - float32((v-c.low)/(c.high-c.low))*(chartHeight-chartTop-chartBottom)
}

func (c *canvas) grid(ticks []float64) {
	for _, v := range ticks {
		y := int(c.y(v))
		c.box(chartLeft, y, chartWidth-chartRight, y+1, rule)
		c.text(labelFace(), chartLeft-10, y+6, tickText(v, c.d.Unit), faint, -1)
	}
}

func tickText(v float64, unit string) string {
	if v == 0 {
		return "0"
	}
	return amount(v, unit)
}

// times marks the hours, minutes or days, at most about six.
func (c *canvas) times() {
	span := c.to.Sub(c.from)
	step := 24 * time.Hour
	for _, s := range []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour} {
		if span/s <= 6 {
			step = s
			break
		}
	}
	layout := "15:04"
	if step >= 12*time.Hour {
		layout = "2 Jan"
	}
	_, offset := c.from.In(c.d.zone).Zone()
	first := c.from.Add(time.Duration(offset) * time.Second).Truncate(step).Add(-time.Duration(offset) * time.Second)
	for t := first; !t.After(c.to); t = t.Add(step) {
		if x := c.x(t); !t.Before(c.from) && x < chartWidth-chartRight-8 {
			c.box(int(x), chartHeight-chartBottom, int(x)+1, chartHeight-chartBottom+6, faint)
			c.text(labelFace(), int(x), chartHeight-14, t.In(c.d.zone).Format(layout), faint, 0.5)
		}
	}
	c.text(labelFace(), chartWidth-chartRight, chartHeight-14, c.to.In(c.d.zone).Format("MST"), faint, -1)
}

// abnormal shades the time in which it was not normal.
func (c *canvas) abnormal() {
	a, b := max(c.x(c.d.began), chartLeft), min(c.x(c.d.end()), chartWidth-chartRight)
	if b > a {
		c.box(int(a), chartTop, int(b), chartHeight-chartBottom, mix(paper, c.d.color, .09))
	}
}

// marker says when it began.
func (c *canvas) marker() {
	x := c.x(c.d.began)
	if x < chartLeft || x > chartWidth-chartRight {
		return
	}
	for y := chartTop; y < chartHeight-chartBottom; y += 8 {
		c.box(int(x)-1, y, int(x)+1, min(y+5, chartHeight-chartBottom), c.d.color)
	}
	label := "began " + c.d.began.In(c.d.zone).Format("15:04:05")
	align := 0.0
	at := int(x) + 8
	if at+font.MeasureString(labelFace(), label).Ceil() > chartWidth-chartRight {
		align, at = -1, int(x)-8
	}
	c.text(labelFace(), at, chartTop+14, label, c.d.color, align)
}

// band fills what is expected, stretch by stretch; where there is no limit on one side it goes to the edge.
func (c *canvas) band() {
	for i := 0; i < len(c.d.TS); {
		j := i
		for j < len(c.d.TS) && !math.IsNaN(at(c.d.Expected, j)) {
			j++
		}
		if j-i >= 2 {
			c.bandOf(i, j)
		}
		i = j + 1
	}
}

func (c *canvas) bandOf(i, j int) {
	limit := func(list []float64, k int, edge float64) float32 {
		if v := at(list, k); !math.IsNaN(v) {
			return c.y(v)
		}
		return c.y(edge)
	}
	z := vector.NewRasterizer(chartWidth, chartHeight)
	z.MoveTo(c.x(c.d.TS[i]), limit(c.d.Upper, i, c.high))
	for k := i + 1; k < j; k++ {
		z.LineTo(c.x(c.d.TS[k]), limit(c.d.Upper, k, c.high))
	}
	for k := j - 1; k >= i; k-- {
		z.LineTo(c.x(c.d.TS[k]), limit(c.d.Lower, k, c.low))
	}
	z.ClosePath()
	z.Draw(c.RGBA, c.Bounds(), image.NewUniform(bandColor), image.Point{})
}

func at(list []float64, i int) float64 {
	if i >= len(list) {
		return math.NaN()
	}
	return list[i]
}

// curve draws a line from one point to the next, between two times where they are given.
func (c *canvas) curve(list []float64, ink color.RGBA, width float32, from, to time.Time) {
	z := vector.NewRasterizer(chartWidth, chartHeight)
	for i := range min(len(list), len(c.d.TS)) {
		if math.IsNaN(list[i]) || !from.IsZero() && (c.d.TS[i].Before(from) || c.d.TS[i].After(to)) {
			continue
		}
		x, y := c.x(c.d.TS[i]), c.y(list[i])
		if i > 0 && !math.IsNaN(list[i-1]) && (from.IsZero() || !c.d.TS[i-1].Before(from)) {
			segment(z, c.x(c.d.TS[i-1]), c.y(list[i-1]), x, y, width)
		}
		dot(z, x, y, width/2)
	}
	z.Draw(c.RGBA, c.Bounds(), image.NewUniform(ink), image.Point{})
}

// segment adds a line as a rectangle around it.
func segment(z *vector.Rasterizer, x0, y0, x1, y1, width float32) {
	dx, dy := x1-x0, y1-y0
	length := float32(math.Hypot(float64(dx), float64(dy)))
	if length == 0 {
		return
	}
	nx, ny := -dy/length*width/2, dx/length*width/2
	z.MoveTo(x0+nx, y0+ny)
	z.LineTo(x1+nx, y1+ny)
	z.LineTo(x1-nx, y1-ny)
	z.LineTo(x0-nx, y0-ny)
	z.ClosePath()
}

// dot joins lines: an octagon, drawn around in the direction in which segment draws.
func dot(z *vector.Rasterizer, x, y, r float32) {
	for i := range 8 {
		sin, cos := math.Sincos(-float64(i) * math.Pi / 4)
		px, py := x+r*float32(cos), y+r*float32(sin)
		if i == 0 {
			z.MoveTo(px, py)
		} else {
			z.LineTo(px, py)
		}
	}
	z.ClosePath()
}

func (c *canvas) box(x0, y0, x1, y1 int, fill color.RGBA) {
	draw.Draw(c.RGBA, image.Rect(x0, y0, x1, y1), image.NewUniform(fill), image.Point{}, draw.Src)
}

// text writes from x on (0), around it (0.5) or up to it (-1).
func (c *canvas) text(f font.Face, x, y int, s string, ink color.RGBA, align float64) {
	width := float64(font.MeasureString(f, s).Ceil())
	d := font.Drawer{Dst: c.RGBA, Src: image.NewUniform(ink), Face: f, Dot: fixed.P(x-int(math.Abs(align)*width), y)}
	d.DrawString(s)
}

// fit cuts a text to a width in pixels.
func fit(f font.Face, s string, width int) string {
	r := []rune(s)
	for len(r) > 1 && font.MeasureString(f, string(r)).Ceil() > width {
		r = append(r[:len(r)-2:len(r)-2], '…')
	}
	return string(r)
}
