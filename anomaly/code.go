package anomaly

import (
	"fmt"
	"math"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// The symptoms that profiles show: a function takes more CPU time a request, or allocates more. A root cause of that is
// of kind code.
const (
	SymptomCPU   Symptom = "cpu"
	SymptomAlloc Symptom = "alloc"
	SymptomCode  Symptom = "code"
)

// ChannelProfile is what made an alarm about a function: profiles of two versions, or of two times.
const ChannelProfile Channel = "profile"

// CodeChange is what profiles say of a function that cost is newly spent in. Values are nanoseconds of CPU time or bytes
// allocated a request, or where the requests are not known the share of all that the service took (0..1).
type CodeChange struct {
	Function Function `json:"function"`
	Caller   string   `json:"caller,omitempty"` // that most of it comes from
	Cost     string   `json:"cost"`             // cpu, alloc
	Type     string   `json:"type"`             // of the profiles: cpu, heap, …
	Version  string   `json:"version,omitempty"`
	Previous string   `json:"previous,omitempty"` // version it is compared with; empty: the same one before
	Deployed bool     `json:"deployed"`           // it came with Version
	Beside   bool     `json:"beside"`             // both versions ran in the same minutes

	PerRequest bool       `json:"per_request"`
	Now        float64    `json:"now"` // with what it calls
	Was        float64    `json:"was"`
	Rise       float64    `json:"rise"`  // newly spent
	Share      float64    `json:"share"` // Rise as a share of what the service took before
	Service    float64    `json:"service_now"`
	ServiceWas float64    `json:"service_was"`
	PerDay     float64    `json:"per_day"` // CPU seconds or bytes more a day at the traffic of late; 0: not known
	Samples    [2]float64 `json:"samples"` // that Now and Was stand on
	Confidence float64    `json:"confidence"`
	New        bool       `json:"new"` // the function was not there before

	Since    time.Time `json:"since"` // when it began; zero where that was not looked for
	From     time.Time `json:"from"`  // what was looked at
	To       time.Time `json:"to"`
	BaseFrom time.Time `json:"base_from"` // and compared with
	BaseTo   time.Time `json:"base_to"`
}

// ShortFunction is a function's name without the path of its package: recommend.Score.
func ShortFunction(name string) string {
	end := len(name)
	if i := strings.IndexAny(name, "([<"); i > 0 && !strings.HasPrefix(name[i:], "(*") {
		end = i
	}
	if i := strings.LastIndexByte(name[:end], '/'); i >= 0 && i+1 < len(name) {
		name = name[i+1:]
	}
	return name
}

// Place is the function's file and line, without the folders that a build ran in; empty where it is not known.
func (c *CodeChange) Place() string {
	if c.Function.File == "" {
		return ""
	}
	file := c.Function.File
	if strings.Count(file, "/") > 2 {
		file = path.Join(path.Base(path.Dir(file)), path.Base(file))
	}
	if c.Function.Line > 0 {
		return fmt.Sprintf("%s:%d", file, c.Function.Line)
	}
	return file
}

func (c *CodeChange) what() string {
	if c.Cost == "alloc" {
		return "memory"
	}
	return "CPU"
}

// Title says it in one line, without the service: recommend.Score uses 3.1× the CPU per request since 1.4.2.
func (c *CodeChange) Title() string {
	verb := "uses"
	if c.Cost == "alloc" {
		verb = "allocates"
	}
	per := "per request"
	if !c.PerRequest {
		per = "of the service"
	}
	name := ShortFunction(c.Function.Name)
	var said string
	switch {
	case c.New || c.Was <= 0 || c.Now >= 100*c.Was:
		said = fmt.Sprintf("%s, which is new, %s %s of %s %s", name, verb, c.Amount(c.Now), c.what(), per)
		if !c.PerRequest {
			said = fmt.Sprintf("%s, which is new, %s %s of the service's %s", name, verb, c.Amount(c.Now), c.what())
		}
	case !c.PerRequest:
		said = fmt.Sprintf("%s %s %s of the service's %s instead of %s", name, verb, c.Amount(c.Now), c.what(), c.Amount(c.Was))
	default:
		said = fmt.Sprintf("%s %s %s× the %s %s", name, verb, times(c.Now/c.Was), c.what(), per)
	}
	switch {
	case c.Deployed && c.Version != "":
		said += " since " + c.Version
	case !c.Since.IsZero():
		said += " since " + c.Since.UTC().Format("15:04") + " UTC"
	}
	return said
}

// times writes a factor to two figures.
func times(v float64) string {
	switch {
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	case v >= 2:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return fmt.Sprintf("%.2f", v)
}

// Text says it in full: where, how much, what it comes to in a day, and what it is compared with.
func (c *CodeChange) Text() string {
	var b strings.Builder
	b.WriteString(c.Function.Name)
	if p := c.Place(); p != "" {
		fmt.Fprintf(&b, " (%s)", p)
	}
	per := " a request"
	if !c.PerRequest {
		per = " of the service"
	}
	verb := "takes"
	if c.Cost == "alloc" {
		verb = "allocates"
	}
	fmt.Fprintf(&b, " %s %s", verb, c.Amount(c.Now))
	if c.Cost != "alloc" && c.PerRequest {
		b.WriteString(" of CPU time")
	}
	b.WriteString(per)
	if c.New || c.Was <= 0 {
		b.WriteString(" and was not there before")
	} else {
		fmt.Fprintf(&b, " instead of %s", c.Amount(c.Was))
	}
	fmt.Fprintf(&b, ", %s of what the service took", Percent(c.Share))
	if d := c.Daily(); d != "" {
		fmt.Fprintf(&b, ", or %s a day", d)
	}
	b.WriteString(". ")
	switch {
	case c.Previous != "" && c.Beside:
		fmt.Fprintf(&b, "Version %s is compared with %s in the same minutes", c.Version, c.Previous)
	case c.Previous != "":
		fmt.Fprintf(&b, "Version %s is compared with %s", c.Version, c.Previous)
	case c.Version != "":
		fmt.Fprintf(&b, "Version %s is compared with itself before", c.Version)
	default:
		b.WriteString("It is compared with the time before")
	}
	fmt.Fprintf(&b, ", on %.0f and %.0f samples.", c.Samples[0], c.Samples[1])
	return b.String()
}

// Amount writes a value of the change.
func (c *CodeChange) Amount(v float64) string {
	switch {
	case !c.PerRequest:
		return Percent(v)
	case c.Cost == "alloc":
		return Bytes(v)
	case v >= 1e9:
		return fmt.Sprintf("%.3g s", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.3g ms", v/1e6)
	}
	return fmt.Sprintf("%.3g µs", v/1e3)
}

// Daily writes what the rise comes to in a day; empty where it is not known.
func (c *CodeChange) Daily() string {
	switch {
	case !(c.PerDay > 0) || math.IsInf(c.PerDay, 0):
		return ""
	case c.Cost == "alloc":
		return Bytes(c.PerDay)
	case c.PerDay >= 7200:
		return fmt.Sprintf("%.3g CPU hours", c.PerDay/3600)
	case c.PerDay >= 120:
		return fmt.Sprintf("%.3g CPU minutes", c.PerDay/60)
	}
	return fmt.Sprintf("%.3g CPU seconds", c.PerDay)
}

// Link is the address of the difference flame graph.
func (c *CodeChange) Link(service string) string {
	v := url.Values{"service": {service}, "type": {c.Type}, "q": {ShortFunction(c.Function.Name)}}
	if c.Cost == "alloc" {
		v.Set("st", "alloc_space/bytes")
	}
	from, to := c.From, c.To
	switch {
	case c.Previous != "":
		v.Set("version", c.Version)
		v.Set("vs", "version:"+c.Previous)
		if c.BaseFrom.Before(from) && !c.BaseFrom.IsZero() {
			from = c.BaseFrom
		}
	default:
		if c.Version != "" {
			v.Set("version", c.Version)
		}
		v.Set("vs", fmt.Sprintf("from:%d,%d", c.BaseFrom.UnixMilli(), c.BaseTo.UnixMilli()))
	}
	v.Set("from", strconv.FormatInt(from.UnixMilli(), 10))
	v.Set("to", strconv.FormatInt(to.UnixMilli(), 10))
	return "/profiles?" + v.Encode()
}
