package query

import (
	"context"
	"encoding/json"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What Node's pprof package writes is taken in: a wall-time and a heap profile of a running program.
func TestProfilesOfNode(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "node")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "node"))); err != nil {
		t.Fatal(err)
	}
	install := osexec.Command("npm", "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = dir
	if said, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci in a copy of testdata/node: %v\n%s", err, said)
	}
	p := newProfiled(t)
	run := osexec.Command("node", "profile.mjs", p.http.URL)
	run.Dir = dir
	out, err := run.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, run.Stderr)
	}
	var did struct{ Orders, Hits int }
	if err := json.Unmarshal(out, &did); err != nil || did.Hits == 0 {
		t.Fatalf("%s: %v", out, err)
	}
	p.flush()
	kinds, err := p.db.ProfileKinds(context.Background(), always, "node-shop", "")
	if err != nil || len(kinds) != 2 || kinds[0].Type != "heap" || kinds[1].Type != "wall" || kinds[1].Versions[0] != "3.1.0" {
		t.Fatalf("%+v %v", kinds, err)
	}
	wall, err := p.db.Flame(context.Background(), ProfileSelection{Window: Window{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, Service: "node-shop", Type: "wall", SampleType: "sample"}, "", 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if wall.Total > float64(did.Hits) || wall.Total < float64(did.Hits)/2 { // V8's root itself is no sample of the package's
		t.Errorf("%v samples of %d", wall.Total, did.Hits)
	}
	heap, err := p.db.Flame(context.Background(), ProfileSelection{Window: Window{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)}, Service: "node-shop", Type: "heap"}, "", 10_000)
	if err != nil || !heap.Momentary || heap.Unit != "bytes" || heap.Total == 0 {
		t.Errorf("%+v %v", heap, err)
	}
	for name, f := range map[string]*FlameAnswer{"wall": wall, "heap": heap} {
		found := false
		for _, fr := range f.Frames {
			found = found || fr.Function == "priceOrders" && strings.HasSuffix(fr.File, "profile.mjs")
		}
		if !found {
			t.Errorf("%s: no function priceOrders among %d", name, len(f.Frames))
		}
	}
}
