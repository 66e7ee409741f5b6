package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is one of the two.
type server struct {
	name, base, ingest, dir, binary string
	cmd                             *exec.Cmd
	pids                            []int
}

// start starts Tidemark and Prometheus, in this order.
func start(s settings) (both [2]*server, err error) {
	if both[0], err = startTidemark(s); err != nil {
		return both, err
	}
	if both[1], err = startPrometheus(s); err != nil {
		stop(both)
	}
	return both, err
}

func startTidemark(s settings) (*server, error) {
	srv := &server{name: "Tidemark", dir: filepath.Join(s.dir, "tidemark"), binary: s.tidemark}
	srv.cmd = exec.Command(s.tidemark, "--data-dir", srv.dir, "--http-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0",
		"--self-telemetry=false", "--limit-series", "1000000", "--limit-out-of-order", "720h", "--limit-oldest", "720h")
	srv.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := srv.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := srv.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Tidemark: %w", err)
	}
	ready := regexp.MustCompile(`^ready http=(\S+) .*otlp_http=(\S+) pid=(\d+) engine_pid=(\d+)`)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := ready.FindStringSubmatch(lines.Text()); m != nil {
			srv.base, srv.ingest = "http://"+m[1]+"/prometheus", "http://"+m[2]
			for _, p := range m[3:] {
				pid, _ := strconv.Atoi(p)
				srv.pids = append(srv.pids, pid)
			}
			go func() {
				for lines.Scan() {
				}
			}()
			return srv, nil
		}
	}
	return nil, fmt.Errorf("Tidemark did not become ready")
}

func startPrometheus(s settings) (*server, error) {
	srv := &server{name: "Prometheus", dir: filepath.Join(s.dir, "prometheus"), binary: s.prometheus}
	config := filepath.Join(s.dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("global: {}\n"), 0o644); err != nil {
		return nil, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0") // Prometheus does not tell which port it was given
	if err != nil {
		return nil, err
	}
	addr := free.Addr().String()
	free.Close()
	srv.cmd = exec.Command(s.prometheus, "--config.file", config, "--storage.tsdb.path", srv.dir, "--web.listen-address", addr, "--web.enable-remote-write-receiver",
		"--storage.tsdb.retention.time", "400d", "--log.level", "warn")
	srv.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	srv.cmd.Stderr = os.Stderr
	if err := srv.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting Prometheus: %w", err)
	}
	srv.pids = []int{srv.cmd.Process.Pid}
	srv.base, srv.ingest = "http://"+addr, "http://"+addr
	for range 600 {
		if res, err := http.Get(srv.base + "/-/ready"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return srv, nil
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	return nil, fmt.Errorf("Prometheus did not become ready")
}

func stop(both [2]*server) {
	for _, s := range both {
		if s == nil || s.cmd == nil || s.cmd.ProcessState != nil {
			continue
		}
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.cmd.Wait()
	}
}

// cpu is the CPU time of the server's processes, in seconds.
func (s *server) cpu() float64 {
	total := 0.0
	for _, pid := range s.pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		user, _ := strconv.ParseFloat(f[11], 64)
		system, _ := strconv.ParseFloat(f[12], 64)
		total += (user + system) / 100
	}
	return total
}

// sql asks Tidemark's store.
func (s *server) sql(q string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, s.binary, "sql", "--data-dir", s.dir, q).Output()
	return strings.TrimSpace(string(out)), err
}

// settle waits until everything is stored and no merge has run for a while.
func settle(s *server) error {
	quiet := 0
	for quiet < 5 {
		n, err := s.sql("SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if quiet++; n != "0" {
			quiet = 0
		}
		time.Sleep(time.Second)
	}
	return nil
}

// sizes compares bytes a sample: Tidemark's tables of metrics, and Prometheus' blocks. What Prometheus still has in its
// head is not counted, in samples nor in bytes.
func sizes(s settings, d *data, both [2]*server) error {
	out, err := both[0].sql("SELECT sumIf(rows, table = 'metric_samples'), sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'tidemark' AND (table LIKE 'metric_%' OR table = 'resources')")
	if err != nil {
		return err
	}
	f := strings.Fields(out)
	rows, _ := strconv.ParseFloat(f[0], 64)
	onDisk, _ := strconv.ParseFloat(f[1], 64)
	if int64(rows) < d.samples()/100*99 {
		log.Printf("only %.0f of %d samples are stored", rows, d.samples())
	}
	var blockBytes, blockSamples float64
	metas, err := filepath.Glob(filepath.Join(both[1].dir, "*", "meta.json"))
	if err != nil {
		return err
	}
	for _, meta := range metas {
		b, err := os.ReadFile(meta)
		if err != nil {
			return err
		}
		var m struct {
			Stats struct{ NumSamples float64 }
		}
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		blockSamples += m.Stats.NumSamples
		filepath.WalkDir(filepath.Dir(meta), func(_ string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				if i, err := e.Info(); err == nil {
					blockBytes += float64(i.Size())
				}
			}
			return nil
		})
	}
	fmt.Printf("\n%d series, %d h: bytes a sample on disk: Tidemark **%.2f** (%.0f samples), Prometheus %.2f (%.0f samples in blocks): ratio **%.2f**\n",
		s.series, s.hours, onDisk/rows, rows, blockBytes/blockSamples, blockSamples, onDisk/rows/(blockBytes/blockSamples))
	columns, err := both[0].sql("SELECT column, round(sum(column_data_compressed_bytes) / sum(rows), 3) FROM system.parts_columns WHERE active AND database = 'tidemark' AND table = 'metric_samples' GROUP BY column ORDER BY 2 DESC")
	fmt.Println("columns of metric_samples: " + strings.ReplaceAll(strings.ReplaceAll(columns, "\n", ", "), "\t", " "))
	return err
}
