package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// The bars that the incidents of a simulated shop are held to, over all seeds of a run.
const (
	leastClear       = 0.90 // of the gross and moderate faults
	leastSubtle      = 0.60
	mostFalse        = 0.3 // incidents a day
	mostBenign       = 0.2 // of the harmless events
	mostDuplicates   = 0.2 // for each fault found
	leastTimesFaster = 500
)

// TestShopQuality holds the incidents that a backtest finds in a simulated shop against testdata/shop-seedN.golden and
// the bars above. The shop sends eight days of traces, metrics and logs with faults and harmless events at
// known times; POST /api/v1/backtest is asked what would have been told, and the simulator, which is not part of the
// repository, scores the answer:
//
//	TIDEMARK_SIMSHOP=/path/to/simshop [TIDEMARK_SEED=3,4,5] go test ./cmd/tidemark -run TestShopQuality -timeout 120m [-update]
//
// Without TIDEMARK_SEED it takes those that have a golden file. Detection was tuned on seeds 1 and 2; 3 to 7 are set
// aside. With TIDEMARK_SHOP_DATA=DIR the shops' data is kept there,
// and found again by the next run.
func TestShopQuality(t *testing.T) {
	simshop := os.Getenv("TIDEMARK_SIMSHOP")
	if simshop == "" {
		t.Skip("needs TIDEMARK_SIMSHOP")
	}
	var seeds []string
	if s := os.Getenv("TIDEMARK_SEED"); s != "" {
		seeds = strings.Split(s, ",")
	} else {
		files, err := filepath.Glob("testdata/shop-seed*.golden")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			seeds = append(seeds, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(f), "shop-seed"), ".golden"))
		}
	}
	var all shopScore
	for _, seed := range seeds {
		t.Run("seed "+seed, func(t *testing.T) {
			dir := t.TempDir()
			if kept := os.Getenv("TIDEMARK_SHOP_DATA"); kept != "" {
				dir = filepath.Join(kept, "shop"+seed)
			}
			p := startProduct(t, dir, "--self-telemetry=false", "--edges-interval", "1s")
			file := filepath.Join(dir, "truth.json")
			truth := simulate(t, p, simshop, seed, file, "-history", "8d", "-faults-per-day", "1.5", "-signals", "traces,metrics,logs", "-http", "http://"+p.otlpHTTP)
			s := p.backtestShop(t, simshop, file, truth)
			golden(t, filepath.Join("testdata", "shop-seed"+seed+".golden"), s.String())
			all.add(s)
		})
	}
	if all.Days > 0 {
		t.Logf("all seeds\n%s", all.String())
		all.hold(t)
	}
}

// backtestShop asks what would have been told and has the answer scored.
func (p *product) backtestShop(t *testing.T, simshop, file string, truth shopTruth) (s shopScore) {
	t.Helper()
	body := fmt.Sprintf(`{"from":%q,"to":%q}`, truth.Start.Format(time.RFC3339), truth.End.Format(time.RFC3339))
	began := time.Now()
	resp, err := http.Post("http://"+p.http+"/api/v1/backtest", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("backtest: %s, %v\n%s", resp.Status, err, answer)
	}
	faster := truth.End.Sub(truth.Start).Seconds() / time.Since(began).Seconds()
	t.Logf("the backtest was %.0f times faster than time", faster)
	if faster < leastTimesFaster {
		t.Errorf("the backtest was %.0f times faster than time, want %d", faster, leastTimesFaster)
	}
	incidents := filepath.Join(t.TempDir(), "incidents.json")
	if err := os.WriteFile(incidents, answer, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(simshop, "score", "-truth", file, "-incidents", incidents, "-json")
	var said bytes.Buffer
	run.Stderr = &said
	out, err := run.Output()
	if err != nil {
		t.Fatalf("simshop score: %v\n%s", err, said.String())
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// shopScore is what the simulator says of a list of incidents.
type shopScore struct {
	Days           float64
	Faults         int
	Detected       int
	BySeverity     map[string]found `json:"by_severity"`
	FalseIncidents int              `json:"false_incidents"`
	Unrelated      int              `json:"unrelated_incidents"`
	Benign         int              `json:"benign_events"`
	BenignAlarmed  int              `json:"benign_events_alarmed"`
	Duplicates     int
	DelayMedian    float64                `json:"delay_median_s"`
	RootCause      map[string]shopAnswers `json:"root_cause"`
	Each           []struct {
		ID       string
		Detected bool
		Delay    float64 `json:"delay_s"`
	}
}

type found struct{ Faults, Detected int }

type shopAnswers struct{ Faults, Top1, Top3 int }

func (s *shopScore) add(o shopScore) {
	if s.BySeverity == nil {
		s.BySeverity, s.RootCause = map[string]found{}, map[string]shopAnswers{}
	}
	s.Days += o.Days
	s.Faults += o.Faults
	s.Detected += o.Detected
	for k, v := range o.BySeverity {
		s.BySeverity[k] = found{s.BySeverity[k].Faults + v.Faults, s.BySeverity[k].Detected + v.Detected}
	}
	s.FalseIncidents += o.FalseIncidents
	s.Unrelated += o.Unrelated
	s.Benign += o.Benign
	s.BenignAlarmed += o.BenignAlarmed
	s.Duplicates += o.Duplicates
	for k, v := range o.RootCause {
		was := s.RootCause[k]
		s.RootCause[k] = shopAnswers{was.Faults + v.Faults, was.Top1 + v.Top1, was.Top3 + v.Top3}
	}
}

// String is the score as golden files have it.
func (s shopScore) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-32s %5s %5s\n", "faults", "there", "found")
	for _, k := range slices.Sorted(maps.Keys(s.BySeverity)) {
		fmt.Fprintf(&b, "%-32s %5d %5d\n", k, s.BySeverity[k].Faults, s.BySeverity[k].Detected)
	}
	fmt.Fprintf(&b, "\nfalse incidents a day            %5.2f\nharmless events                  %5d\nharmless events that alarmed     %5d\nincidents of others, then        %5d\nduplicates                       %5d\n",
		float64(s.FalseIncidents)/s.Days, s.Benign, s.BenignAlarmed, s.Unrelated, s.Duplicates)
	if s.DelayMedian > 0 {
		fmt.Fprintf(&b, "median delay                     %5.0f s\n", s.DelayMedian)
	}
	fmt.Fprintf(&b, "\n%-32s %5s %5s %5s\n", "root cause", "asked", "first", "three")
	for _, k := range slices.Sorted(maps.Keys(s.RootCause)) {
		fmt.Fprintf(&b, "%-32s %5d %5d %5d\n", k, s.RootCause[k].Faults, s.RootCause[k].Top1, s.RootCause[k].Top3)
	}
	if len(s.Each) > 0 {
		fmt.Fprintln(&b)
		for _, e := range s.Each {
			if e.Detected {
				fmt.Fprintf(&b, "%-32s after %4.0f s\n", e.ID, e.Delay)
			} else {
				fmt.Fprintf(&b, "%-32s not found\n", e.ID)
			}
		}
	}
	return b.String()
}

// hold compares a score with the bars.
func (s shopScore) hold(t *testing.T) {
	t.Helper()
	share := func(n, of int) float64 { return float64(n) / max(float64(of), 1) }
	clear := found{s.Faults - s.BySeverity["subtle"].Faults, s.Detected - s.BySeverity["subtle"].Detected}
	service, version := s.RootCause["service"], s.RootCause["version"]
	for _, bar := range []struct {
		what      string
		got, want float64
		most      bool
	}{
		{"clear faults found", share(clear.Detected, clear.Faults), leastClear, false},
		{"subtle faults found", share(s.BySeverity["subtle"].Detected, s.BySeverity["subtle"].Faults), leastSubtle, false},
		{"false incidents a day", float64(s.FalseIncidents) / s.Days, mostFalse, true},
		{"harmless events that alarm", share(s.BenignAlarmed, s.Benign), mostBenign, true},
		{"duplicates a fault", share(s.Duplicates, s.Detected), mostDuplicates, true},
		{"the cause's service first", share(service.Top1, service.Faults), leastServiceFirst, false},
		{"the cause's service among three", share(service.Top3, service.Faults), leastServiceThree, false},
		{"the version of a bad release", share(version.Top3, version.Faults), leastVersion, false},
	} {
		if bar.most && bar.got > bar.want || !bar.most && bar.got < bar.want {
			t.Errorf("%s: %.2f, want %.2f", bar.what, bar.got, bar.want)
		}
	}
}

// golden compares text with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *updateGolden {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s has\n%s\nthis is\n%s", file, want, got)
	}
}
