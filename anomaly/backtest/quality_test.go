package backtest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

var update = flag.Bool("update", false, "write the golden file anew")

// asCommand makes the test binary answer as "tidemark backtest series -" does.
const asCommand = "TIDEMARK_TEST_BACKTEST_SERIES"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		if err := Series(os.Stdin, os.Stdout, "auto"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// TestQuality holds the detection quality on labelled series against
// testdata/quality.golden, so that a change shows as a diff of numbers. The
// series and the program that judges them are not part of the repository:
//
//	TIDEMARK_DETEVAL=/path/to/deteval TIDEMARK_SERIES=/path/to/series \
//	  go test ./anomaly/backtest -run TestQuality [-update]
func TestQuality(t *testing.T) {
	deteval, series := os.Getenv("TIDEMARK_DETEVAL"), os.Getenv("TIDEMARK_SERIES")
	if deteval == "" || series == "" {
		t.Skip("needs TIDEMARK_DETEVAL and TIDEMARK_SERIES")
	}
	cmd := exec.Command(deteval, "-json", "-name", "tidemark", "-cmd", "env "+asCommand+"=1 "+os.Args[0], series)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run deteval: %v", err)
	}
	got := summary(t, out)
	const golden = "testdata/quality.golden"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("quality has changed:\n%s\nwas:\n%s", got, want)
	}
}

// summary reduces deteval's JSON to the figures that are held.
func summary(t *testing.T, out []byte) []byte {
	type nab struct {
		BestRows        [3]float64 `json:"best_threshold_rows"`
		BestEpisodes    [3]float64 `json:"best_threshold_episodes"`
		VerdictEpisodes [3]float64 `json:"verdict_episodes"`
	}
	var reports []struct {
		Detector, Dataset string
		Points            int
		Verdict           struct {
			Recall float64
			False  float64 `json:"false_per_series_day"`
			F1     float64 `json:"event_f1"`
		}
		Sweep    []struct{ Recall float64 }
		NAB      *nab
		Failures []string
	}
	if err := json.Unmarshal(out, &reports); err != nil {
		t.Fatalf("read deteval's answer: %v", err)
	}
	var b bytes.Buffer
	b.WriteString("dataset  verdict recall  false/day  F1     recall@.1  recall@.02  NAB rows  episodes  verdict\n")
	for _, r := range reports {
		if r.Detector != "tidemark" {
			continue
		}
		for _, f := range r.Failures {
			t.Error(f)
		}
		fmt.Fprintf(&b, "%-8s %.3f           %.3f      %.3f  %.3f      %.3f", r.Dataset,
			r.Verdict.Recall, r.Verdict.False, r.Verdict.F1, r.Sweep[0].Recall, r.Sweep[1].Recall)
		if n := r.NAB; n != nil {
			fmt.Fprintf(&b, "        %.1f      %.1f      %.1f", n.BestRows[0], n.BestEpisodes[0], n.VerdictEpisodes[0])
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
