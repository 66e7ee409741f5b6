// Command profiles measures what profiles cost Tidemark: bytes on disk beside gzip files of the same profiles, CPU time
// to take them in, and the time of a flame graph. It runs the built product in a directory of its own.
//
//	go run ./bench/profiles                          profiles drawn like that of Go's compiler, 2,000 samples each
//	go run ./bench/profiles -files DIRECTORY         an hour of 60-second CPU profiles that were really taken
//	go run ./bench/profiles -only query -browser     flame graphs, until they are seen in a browser
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/pprof/profile"

	"github.com/tidemarkhq/tidemark/bench/run"
	"github.com/tidemarkhq/tidemark/store"
)

type options struct {
	bin, dir, files, only, write string
	browser                      bool
	samples, count, senders      int
	instances, days, repeats     int
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/tidemark", "the product")
	flag.StringVar(&o.dir, "dir", "", "where the data go; default the temporary directory")
	flag.StringVar(&o.files, "files", "", "directory of profiles to measure the disk with instead of drawn ones")
	flag.StringVar(&o.only, "only", "disk,cpu,query", "what to measure")
	flag.StringVar(&o.write, "write", "", "directory to write the drawn hour of profiles into")
	flag.IntVar(&o.samples, "samples", 2000, "samples of a drawn profile")
	flag.IntVar(&o.count, "count", 1500, "profiles to measure the CPU time with")
	flag.IntVar(&o.senders, "senders", 4, "connections that each wait for an answer")
	flag.IntVar(&o.instances, "instances", 20, "processes of the service in the flame graph")
	flag.IntVar(&o.days, "days", 7, "days of the long flame graph")
	flag.IntVar(&o.repeats, "repeats", 9, "how often to ask for each flame graph")
	flag.BoolVar(&o.browser, "browser", false, "measure in a browser as well when flame graphs are seen (web/e2e/flame-bench.spec.ts)")
	flag.Parse()
	if err := measure(o); err != nil {
		log.Fatal(err)
	}
}

func measure(o options) error {
	original, err := compilerProfile()
	if err != nil {
		return err
	}
	s := newShape(original)
	for _, part := range []struct {
		name string
		run  func(options, *shape) error
	}{{"disk", disk}, {"cpu", cpu}, {"query", ask}} {
		if slices.Contains(strings.Split(o.only, ","), part.name) {
			if err := part.run(o, s); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}

// product is a running Tidemark with a connection to its store.
type product struct {
	run.Product
	conn driver.Conn
}

func start(o options) (*product, func(), error) {
	root, err := os.MkdirTemp(o.dir, "tidemark-profiles-")
	if err != nil {
		return nil, nil, err
	}
	p := &product{Product: run.Product{Bin: o.bin, Dir: filepath.Join(root, "data"), Args: []string{"--self-telemetry=false",
		"--http-addr", "127.0.0.1:0", "--otlp-grpc-addr", "127.0.0.1:0", "--otlp-http-addr", "127.0.0.1:0"}}}
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	end := func() {
		signal.Stop(interrupted)
		if p.conn != nil {
			p.conn.Close()
		}
		p.Stop()
		os.RemoveAll(root)
	}
	if err := p.Start(); err != nil {
		end()
		return nil, nil, err
	}
	go func() {
		if _, ok := <-interrupted; ok {
			p.Stop()
			os.RemoveAll(root)
			os.Exit(1)
		}
	}()
	dsn, err := exec.Command(o.bin, "clickhouse-dsn", "--data-dir", p.Dir).Output()
	if err == nil {
		p.conn, err = store.Open(strings.TrimSpace(string(dsn)), store.Options{})
	}
	if err != nil {
		end()
		return nil, nil, err
	}
	return p, end, nil
}

// push sends one profile of the service shop.
func (p *product) push(body []byte, instance string, at time.Time) error {
	q := url.Values{"service": {"shop"}, "type": {"cpu"}, "from": {fmt.Sprint(at.UnixNano())}, "until": {fmt.Sprint(at.Add(time.Minute).UnixNano())},
		"label.service.version": {"1.4.2"}, "label.service.instance.id": {instance}}
	res, err := http.Post("http://"+p.Named("otlp_http")+"/v1/pprof?"+q.Encode(), "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if said, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, said)
	}
	return nil
}

func (p *product) flush() error {
	res, err := http.Post("http://"+p.Named("http")+"/api/v1/ingest/flush", "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("flush: %s", res.Status)
	}
	return nil
}

// sealed merges every table of profiles into as few parts as there are partitions, and returns their sizes.
func (p *product) sealed() (map[string]int64, error) {
	ctx := context.Background()
	sizes := map[string]int64{}
	for _, table := range []string{"profiles", "profile_values", "profile_rollups", "profile_stacks", "profile_locations", "profile_mappings"} {
		if err := p.conn.Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			return nil, err
		}
		n, err := p.Count("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = '" + table + "'")
		if err != nil {
			return nil, err
		}
		sizes[table] = n
	}
	return sizes, nil
}

// settle waits until no merge runs.
func (p *product) settle() error {
	for quiet := 0; quiet < 4; quiet++ {
		n, err := p.Count("SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if n > 0 {
			quiet = 0
		}
		time.Sleep(500 * time.Millisecond)
	}
	return nil
}

// addedUp waits until the hours and days that are over are added up.
func (p *product) addedUp(spans int64) error {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		n, err := p.Count("SELECT toInt64(sum(profiles)) FROM profile_rollups FINAL")
		if err != nil {
			return err
		}
		have, err := p.Count("SELECT toInt64(count()) FROM profiles WHERE samples > 0")
		if err != nil {
			return err
		}
		if n == spans*have {
			return p.settle()
		}
	}
	return errors.New("profiles are not added up")
}

// sums is how many sums hold a profile of the last hour: its day may not be over.
func sums() int64 {
	if lastHour().Truncate(24 * time.Hour).Add(24 * time.Hour).Before(time.Now()) {
		return 2
	}
	return 1
}

// lastHour begins the last whole hour that is over.
func lastHour() time.Time { return time.Now().Add(-time.Hour).Truncate(time.Hour) }

// disk compares an hour of 60-second CPU profiles of one process with gzip files of the same.
func disk(o options, s *shape) error {
	r := rand.New(rand.NewPCG(1, 1))
	var list []*profile.Profile
	var err error
	if o.files != "" {
		if list, err = recorded(o.files); err != nil {
			return err
		}
	}
	for i := len(list); i < 60 && o.files == ""; i++ {
		list = append(list, s.profile(r, o.samples, lastHour().Add(time.Duration(i)*time.Minute)))
	}
	if o.write != "" {
		return write(o.write, list)
	}
	p, end, err := start(o)
	if err != nil {
		return err
	}
	defer end()
	var packed int64
	for i, x := range list {
		b, err := file(x)
		if err != nil {
			return err
		}
		packed += int64(len(b))
		if err := p.push(b, "shop-1", lastHour().Add(time.Duration(i)*time.Minute)); err != nil {
			return err
		}
		if err := p.flush(); err != nil { // they come minutes apart
			return err
		}
	}
	if err := p.addedUp(sums()); err != nil {
		return err
	}
	sizes, err := p.sealed()
	if err != nil {
		return err
	}
	var sum int64
	for _, n := range sizes {
		sum += n
	}
	fmt.Println("disk:", describe(list))
	fmt.Printf("disk: %d bytes stored, %d as gzip files: %.3f times (bar 0.5)\n", sum, packed, float64(sum)/float64(packed))
	for table, n := range sizes {
		fmt.Printf("disk:   %-20s %9d bytes\n", table, n)
	}
	fmt.Println()
	return nil
}

// write leaves the profiles for other tools.
func write(dir string, list []*profile.Profile) error {
	for i, p := range list {
		b, err := file(p)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.pb.gz", i)), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// seconds is the CPU time that a process has used.
func seconds(pid string) (float64, error) {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, nil
}

func (p *product) used() (server, engine float64, err error) {
	if server, err = seconds(p.Named("pid")); err == nil {
		engine, err = seconds(p.Named("engine_pid"))
	}
	return server, engine, err
}

// drawn makes profiles of several processes, packed as they are sent.
func drawn(o options, s *shape, n int, seed uint64) ([][]byte, error) {
	r := rand.New(rand.NewPCG(seed, 2))
	out := make([][]byte, n)
	for i := range out {
		var err error
		if out[i], err = file(s.profile(r, o.samples, lastHour())); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sendAll pushes profiles over several connections; what the i-th is of says who.
func (p *product) sendAll(o options, bodies [][]byte, who func(i int) (instance string, at time.Time)) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	failed := make(chan error, o.senders)
	for range o.senders {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				instance, at := who(i)
				if err := p.push(bodies[i], instance, at); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	wait.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return p.flush()
	}
}

// cpu measures the CPU time of taking profiles in, from the first to the last merge.
func cpu(o options, s *shape) error {
	bodies, err := drawn(o, s, min(o.count, 600), 3)
	if err != nil {
		return err
	}
	for i := len(bodies); i < o.count; i++ {
		bodies = append(bodies, bodies[i%600])
	}
	p, end, err := start(o)
	if err != nil {
		return err
	}
	defer end()
	if err := p.settle(); err != nil {
		return err
	}
	s0, e0, err := p.used()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := p.sendAll(o, bodies, func(i int) (string, time.Time) {
		return fmt.Sprintf("shop-%d", i%o.instances), lastHour().Add(time.Duration(i/o.instances%60) * time.Minute)
	}); err != nil {
		return err
	}
	took := time.Since(began)
	if err := p.addedUp(sums()); err != nil {
		return err
	}
	s1, e1, err := p.used()
	if err != nil {
		return err
	}
	n := float64(o.count)
	fmt.Printf("cpu: %d profiles of %d samples: %.2f s server, %.2f s engine: %.0f profiles a CPU-second (bar 150), %.0f a second\n\n", o.count, o.samples, s1-s0, e1-e0, n/(s1-s0+e1-e0), n/took.Seconds())
	return nil
}

// ask measures flame graphs of an hour and of days of several processes.
func ask(o options, s *shape) error {
	bodies, err := drawn(o, s, 60, 5)
	if err != nil {
		return err
	}
	for i := len(bodies); i < 60*o.instances; i++ {
		bodies = append(bodies, bodies[i%60])
	}
	p, end, err := start(o)
	if err != nil {
		return err
	}
	defer end()
	hour := lastHour()
	if err := p.sendAll(o, bodies, func(i int) (string, time.Time) {
		return fmt.Sprintf("shop-%d", i/60), hour.Add(time.Duration(i%60) * time.Minute)
	}); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.flames(o, "1 h", hour, hour.Add(time.Hour)); err != nil {
		return err
	}
	// The days before are made from this hour: what is stored of them is what would have been.
	if err := p.addedUp(sums()); err != nil {
		return err
	}
	if err := p.repeat(o.days); err != nil {
		return err
	}
	long := hour.Add(time.Hour - time.Duration(o.days)*24*time.Hour)
	if err := p.flames(o, fmt.Sprintf("%d d", o.days), long, hour.Add(time.Hour)); err != nil || !o.browser {
		return err
	}
	return p.seen(long, hour, hour.Add(time.Hour))
}

// seen has a browser measure when the flame graphs of the hour and of the days are seen.
func (p *product) seen(long, hour, end time.Time) error {
	c := exec.Command("npx", "playwright", "test", "flame-bench", "-g", "seen")
	c.Dir, c.Stdout, c.Stderr = "web", os.Stdout, os.Stderr
	c.Env = append(os.Environ(), "BENCH_PROFILES=1", "BENCH_URL=http://"+p.Named("http"),
		fmt.Sprintf("BENCH_LONG=%d", long.UnixMilli()), fmt.Sprintf("BENCH_HOUR=%d", hour.UnixMilli()), fmt.Sprintf("BENCH_END=%d", end.UnixMilli()))
	return c.Run()
}

// repeat stores the hour that is there again for each hour of some days before it, and their days' sums.
func (p *product) repeat(days int) error {
	ctx := context.Background()
	settings := " SETTINGS max_partitions_per_insert_block = 1000, max_execution_time = 600"
	var statements []string
	for day := range days + 1 { // a day each, within the engine's memory
		earlier := fmt.Sprintf("arrayJoin(range(%d, %d)) AS h", max(1, day*24), day*24+24)
		statements = append(statements,
			"INSERT INTO profiles SELECT * EXCEPT h REPLACE (ts - toIntervalHour(h) AS ts) FROM (SELECT *, "+earlier+" FROM profiles WHERE ts >= toDateTime("+fmt.Sprint(lastHour().Unix())+"))"+settings,
			"INSERT INTO profile_rollups SELECT * EXCEPT h REPLACE (ts - toIntervalHour(h) AS ts) FROM (SELECT *, "+earlier+" FROM profile_rollups FINAL WHERE span = 3600 AND ts = toDateTime("+fmt.Sprint(lastHour().Unix())+"))"+settings)
	}
	for _, sql := range append(statements,
		"INSERT INTO profile_rollups SELECT * EXCEPT n REPLACE (86400 AS span, toStartOfDay(ts) - toIntervalDay(n) AS ts, profiles * 24 AS profiles, arrayMap(v -> v * 24, values1) AS values1, arrayMap(v -> v * 24, values2) AS values2) FROM (SELECT *, "+
			fmt.Sprintf("arrayJoin(range(1, %d)) AS n", days+1)+" FROM profile_rollups FINAL WHERE span = 3600 AND ts = toDateTime("+fmt.Sprint(lastHour().Unix())+"))"+settings,
	) {
		if err := p.conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return p.settle()
}

// flames asks for one flame graph again and again.
func (p *product) flames(o options, what string, from, to time.Time) error {
	for _, nodes := range []int{firstNodes, 100_000} {
		if err := p.flame(o, what, from, to, nodes); err != nil {
			return err
		}
	}
	return nil
}

// firstNodes is how many calls the browser asks for first: web/src/api/profiles.ts.
const firstNodes = 4_000

func (p *product) flame(o options, what string, from, to time.Time, nodes int) error {
	q := url.Values{"service": {"shop"}, "type": {"cpu"}, "nodes": {fmt.Sprint(nodes)}, "from": {fmt.Sprint(from.UnixMilli())}, "to": {fmt.Sprint(to.UnixMilli())}}
	s0, e0, err := p.used()
	if err != nil {
		return err
	}
	var took []time.Duration
	var answer struct {
		Profiles, Pruned int
		Nodes            struct{ Frame []int }
	}
	var b []byte
	for range o.repeats {
		began := time.Now()
		res, err := http.Get("http://" + p.Named("http") + "/api/v1/profiles/flamegraph?" + q.Encode())
		if err != nil {
			return err
		}
		b, err = io.ReadAll(res.Body)
		res.Body.Close()
		took = append(took, time.Since(began))
		if err != nil || res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s: %v", what, res.Status, b, err)
		}
	}
	s1, e1, err := p.used()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return err
	}
	each := func(seconds float64) float64 { return 1e3 * seconds / float64(o.repeats) }
	first := took[0]
	slices.Sort(took)
	fmt.Printf("query: flame graph of %s of %d processes, %d profiles: first %s, median %s, slowest %s; CPU of each %.0f ms server, %.0f ms engine; %d calls listed, %d smaller ones, %.1f MB\n", what, o.instances, answer.Profiles,
		first.Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond), each(s1-s0), each(e1-e0), len(answer.Nodes.Frame), answer.Pruned, float64(len(b))/1e6)
	return nil
}
