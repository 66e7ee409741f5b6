package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// memory prints how much memory both take for so many active series, each with twenty samples over the last minute.
func memory(s settings, sizes string) error {
	if err := os.RemoveAll(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	both, err := start(s)
	if err != nil {
		return err
	}
	defer func() { stop(both) }()
	fmt.Printf("| active series | Tidemark: server MB | engine MB | both, bytes a series more | Prometheus MB | bytes a series more |\n|---|---|---|---|---|---|\n")
	idle := [2]float64{resident(both[0].pids), resident(both[1].pids)}
	fmt.Printf("| 0 | %.0f | %.0f | | %.0f | |\n", resident(both[0].pids[:1]), resident(both[0].pids[1:]), idle[1])
	const minute = perSeries * 3 * time.Second
	from := time.Now().Truncate(time.Second).Add(-30 * minute)
	for _, text := range strings.Split(sizes, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		if err := load(newData(n, from, from.Add(minute), 3*time.Second), both); err != nil {
			return err
		}
		from = from.Add(minute)
		debug.FreeOSMemory()
		if err := settle(both[0]); err != nil {
			return err
		}
		total := [2]float64{resident(both[0].pids), resident(both[1].pids)}
		fmt.Printf("| %d | %.0f | %.0f | %.0f | %.0f | %.0f |\n", n, resident(both[0].pids[:1]), resident(both[0].pids[1:]), (total[0]-idle[0])*1e6/float64(n), total[1], (total[1]-idle[1])*1e6/float64(n))
	}
	return nil
}

// resident is the memory of processes in MB.
func resident(pids []int) float64 {
	total := 0.0
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				total += kb * 1024 / 1e6
			}
		}
	}
	return total
}
