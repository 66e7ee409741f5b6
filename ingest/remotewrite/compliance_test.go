package remotewrite_test

import (
	"context"
	"io"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/remotewrite"
	"github.com/tidemarkhq/tidemark/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// receiver is a server that stores what it is sent.
func receiver(t testing.TB, dsn string, set func(*ingest.Options)) (url string, in *ingest.Ingest) {
	t.Helper()
	o := ingest.DefaultOptions()
	o.DSN, o.SpoolDir, o.EdgesInterval = dsn, t.TempDir(), 0
	o.FlushInterval, o.FlushIntervalBusy = 20*time.Millisecond, 20*time.Millisecond
	o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	if set != nil {
		set(&o)
	}
	in, err := ingest.New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	ro := remotewrite.DefaultOptions()
	ro.Admit = in.Admit
	ro.Refused = func(reason, example string) { in.Refuse(ingest.Metrics, reason, example) }
	s := httptest.NewServer(remotewrite.New(in.Submit, ro))
	t.Cleanup(func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		in.Close(ctx)
	})
	return s.URL + remotewrite.Path, in
}

// TestComplianceSuite runs the Prometheus project's own suite for receivers, which is a module of its own with an older
// Prometheus than ours.
func TestComplianceSuite(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("compiles another Prometheus; once is enough")
	}
	const suite = "github.com/prometheus/complicance/remotewrite2"
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = filepath.Join("testdata", "compliance")
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		return cmd
	}
	dir := t.TempDir()
	modfile := filepath.Join(dir, "go.mod") // a copy: the command writes into it
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join("testdata", "compliance", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := command("go", "list", "-modfile="+modfile, "-deps", "-test", suite).CombinedOutput(); err != nil {
		t.Skipf("the suite cannot be fetched: %v\n%s", err, out)
	}
	binary := filepath.Join(dir, "suite")
	if out, err := command("go", "test", "-modfile="+modfile, "-c", "-o", binary, suite).CombinedOutput(); err != nil {
		t.Fatalf("compiling the suite: %v\n%s", err, out)
	}
	_, dsn := storetest.DB(t)
	url, in := receiver(t, dsn, nil)
	config := filepath.Join(dir, "config.yml")
	if err := os.WriteFile(config, []byte("remote_write:\n  - name: tidemark\n    url: "+url+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := command(binary, "-test.v")
	run.Env = append(run.Env, "PROMETHEUS_RW2_COMPLIANCE_CONFIG_FILE="+config)
	out, err := run.CombinedOutput()
	passed := strings.Count(string(out), "--- PASS:")
	if failed := strings.Count(string(out), "--- FAIL:"); err != nil || failed > 0 || passed < 200 {
		t.Errorf("%d passed, %d failed: %v\n%s", passed, failed, err, failures(string(out)))
	}
	if skipped := strings.Count(string(out), "--- SKIP:"); skipped > 0 {
		t.Errorf("%d skipped", skipped)
	}
	t.Logf("%d passed", passed)
	if err := in.Flush(context.Background()); err != nil {
		t.Error(err)
	}
}

// failures are the lines that lead to failed tests.
func failures(out string) string {
	var kept []string
	lines := strings.Split(out, "\n")
	for i, l := range lines {
		if strings.Contains(l, "--- FAIL:") {
			kept = append(kept, strings.Join(lines[max(0, i-12):i+1], "\n"))
		}
	}
	return strings.Join(kept[:min(len(kept), 6)], "\n…\n")
}
