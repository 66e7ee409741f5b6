package explain

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemarkhq/tidemark/query"
)

// requests are items of which those with the attributes of blame are bad with chance p, others with chance noise.
func requests(r *rand.Rand, n int, during bool, blame map[string]string, p, noise float64) []item {
	out := make([]item, n)
	for i := range out {
		a := map[string]string{
			"cloud.region": []string{"eu", "us", "asia"}[r.IntN(3)], "app.tenant.id": fmt.Sprintf("tenant-%02d", r.IntN(20)), "app.customer.tier": []string{"free", "pro"}[r.IntN(2)],
			"k8s.pod.name": fmt.Sprintf("pod-%d", r.IntN(4)), "service.version": []string{"1.0", "1.1"}[r.IntN(2)], "user.id": fmt.Sprint(r.IntN(1e6)), "http.response.status_code": "200",
		}
		hit := during && len(blame) > 0
		for k, v := range blame {
			hit = hit && a[k] == v
		}
		chance := noise
		if hit {
			chance = p
		}
		out[i] = item{attributes: a, during: during}
		if during && r.Float64() < chance {
			out[i].bad, a["http.response.status_code"] = true, "500"
		}
	}
	return out
}

func TestScanFindsWhatBadRequestsShare(t *testing.T) {
	for _, blame := range []map[string]string{
		{"cloud.region": "us"}, {"app.tenant.id": "tenant-07"}, {"k8s.pod.name": "pod-2"}, {"service.version": "1.1"}, {"cloud.region": "eu", "app.customer.tier": "pro"},
	} {
		right := 0
		const tries = 10
		for seed := range uint64(tries) {
			r := rand.New(rand.NewPCG(seed, 3))
			found := scan(append(requests(r, 400, false, nil, 0, 0), requests(r, 500, true, blame, 0.8, 0.02)...))
			if len(found) > 0 && len(found[0].pairs) == len(blame) {
				ok := true
				for _, p := range found[0].pairs {
					ok = ok && blame[p.key] == p.value
				}
				if ok {
					right++
				}
			}
		}
		if right < tries-1 {
			t.Errorf("%v found first in %d of %d", blame, right, tries)
		}
	}
}

// TestScanFindsNothingInNoise: bad requests that have nothing in common get no attribute.
func TestScanFindsNothingInNoise(t *testing.T) {
	wrong := 0
	const tries = 60
	for seed := range uint64(tries) {
		r := rand.New(rand.NewPCG(seed, 4))
		if found := scan(append(requests(r, 400, false, nil, 0, 0), requests(r, 500, true, nil, 0, 0.2)...)); len(found) > 0 {
			wrong++
		}
	}
	if wrong > 2 {
		t.Errorf("something found in %d of %d samples of noise", wrong, tries)
	}
	if found := scan(nil); found != nil {
		t.Errorf("of nothing: %v", found)
	}
}

// TestWhichDeploy: a version is blamed when it is worse than the one beside it or before it, and cleared otherwise.
func TestWhichDeploy(t *testing.T) {
	at := func(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }
	items := func(version string, during bool, n, bad int) []item {
		out := make([]item, n)
		for i := range out {
			out[i] = item{map[string]string{"service.version": version}, i < bad, during}
		}
		return out
	}
	deploy := []query.Deployment{{TS: noon, Service: "payment", Version: "2"}}
	for _, c := range []struct {
		name  string
		items [][]item
		began time.Time
		least float64 // confidence; 0: nobody is blamed
	}{
		{"worse than before", [][]item{items("1", false, 300, 3), items("2", true, 100, 40)}, at(1), 0.8},
		{"worse than the other beside it", [][]item{items("1", false, 300, 3), items("1", true, 100, 1), items("2", true, 100, 30)}, at(2), 0.8},
		{"as bad as the other beside it", [][]item{items("1", false, 300, 3), items("1", true, 100, 30), items("2", true, 100, 30)}, at(2), 0},
		{"long ago", [][]item{items("1", false, 300, 3), items("2", true, 100, 40)}, at(89), 0},
		{"much later", [][]item{items("1", false, 300, 3), items("2", true, 100, 40)}, at(-20), 0},
		{"no better, no worse", [][]item{items("1", false, 300, 30), items("2", true, 100, 11)}, at(1), 0},
		{"too few to tell", [][]item{items("1", false, 300, 3), items("2", true, 2, 2)}, at(1), 0},
	} {
		var all []item
		for _, l := range c.items {
			all = append(all, l...)
		}
		b := whichDeploy(all, deploy, c.began)
		switch {
		case c.least == 0 && b != nil:
			t.Errorf("%s: blamed with %.2f", c.name, b.confidence)
		case c.least > 0 && (b == nil || b.confidence < c.least || b.Version != "2"):
			t.Errorf("%s: %+v", c.name, b)
		}
	}
}

// TestChanges reads deployments and restarts out of the versions that instances reported.
func TestChanges(t *testing.T) {
	at := func(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }
	run := func(version, instance string, from, to int) query.VersionRun {
		return query.VersionRun{Service: "cart", Env: "prod", Version: version, Instance: instance, From: at(from), To: at(to)}
	}
	for _, c := range []struct {
		name                  string
		runs                  []query.VersionRun
		deployments, restarts string
	}{
		{"nothing", []query.VersionRun{run("1", "a", 0, 60), run("1", "b", 1, 60)}, "", ""},
		{"a rollout, one by one", []query.VersionRun{run("1", "a", 0, 30), run("1", "b", 0, 35), run("2", "c", 30, 60), run("2", "d", 36, 60)}, "30:1→2 ", ""},
		{"all at once", []query.VersionRun{run("1", "a", 0, 30), run("1", "b", 0, 30), run("2", "c", 30, 60), run("2", "d", 30, 60)}, "30:1→2 ", ""},
		{"a canary that stays", []query.VersionRun{run("1", "a", 0, 60), run("2", "b", 20, 60)}, "20:1→2 ", ""},
		{"and back again", []query.VersionRun{run("1", "a", 0, 30), run("2", "b", 30, 50), run("1", "c", 51, 80)}, "30:1→2 51:2→1 ", ""},
		{"a restart", []query.VersionRun{run("1", "a", 0, 30), run("1", "b", 0, 60), run("1", "c", 31, 60)}, "", "31×1 "},
		{"both instances restarted", []query.VersionRun{run("1", "a", 0, 30), run("1", "b", 0, 32), run("1", "c", 30, 60), run("1", "d", 33, 60)}, "", "30×2 "},
		{"one instance more", []query.VersionRun{run("1", "a", 0, 60), run("1", "b", 31, 60)}, "", ""},
		{"the same instance was silent", []query.VersionRun{run("1", "a", 0, 20), run("1", "a", 31, 60), run("1", "b", 0, 60)}, "", ""},
		{"a new version after a night of silence", []query.VersionRun{run("1", "a", 0, 20), run("2", "b", 500, 600)}, "500:1→2 ", ""},
		{"the first version ever", []query.VersionRun{run("1", "a", 0, 20)}, "", ""},
	} {
		d, r := changes(c.runs, at(-1))
		deployments, restarts := "", ""
		for _, x := range d {
			deployments += minutes(x.TS) + ":" + x.Previous + "→" + x.Version + " "
		}
		for _, x := range r {
			restarts += minutes(x.TS) + "×" + fmt.Sprint(x.Instances) + " "
		}
		if deployments != c.deployments || restarts != c.restarts {
			t.Errorf("%s: deployments %q and restarts %q, want %q and %q", c.name, deployments, restarts, c.deployments, c.restarts)
		}
	}
}

func minutes(at time.Time) string { return fmt.Sprint(int(at.Sub(noon).Minutes())) }

func TestUsualShare(t *testing.T) {
	k := query.OperationKey{Service: "inventory", Name: "Get", Kind: "server"}
	day := func(during, before float64) []map[query.OperationKey]query.Moments {
		m := func(v float64) map[query.OperationKey]query.Moments {
			return map[query.OperationKey]query.Moments{k: {Calls: 100, MeanLog: v}}
		}
		return []map[query.OperationKey]query.Moments{m(during), m(before)}
	}
	unknown := []map[query.OperationKey]query.Moments{{}, {}}
	for _, c := range []struct {
		name string
		days [][]map[query.OperationKey]query.Moments
		want float64
	}{
		{"every day", [][]map[query.OperationKey]query.Moments{day(16, 14), day(15.9, 14), day(16.1, 14)}, 1},
		{"today only", [][]map[query.OperationKey]query.Moments{day(16, 14), day(14.1, 14), day(14, 14)}, 0},
		{"yesterday as well, not the day before", [][]map[query.OperationKey]query.Moments{day(16, 14), day(16, 14), day(14, 14)}, 0},
		{"yesterday, and no more is known", [][]map[query.OperationKey]query.Moments{day(16, 14), day(16, 14), unknown}, 1},
		{"nothing is known", [][]map[query.OperationKey]query.Moments{day(16, 14), unknown, unknown}, 0},
		{"half of it", [][]map[query.OperationKey]query.Moments{day(16, 14), day(15, 14), day(15, 14)}, 0.5},
		{"no change", [][]map[query.OperationKey]query.Moments{day(14, 14), day(15, 14), day(15, 14)}, 0},
	} {
		var all []map[query.OperationKey]query.Moments
		for _, d := range c.days {
			all = append(all, d...)
		}
		if got := usualShare(all, k, slowerBy); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("%s: %.2f, want %.2f", c.name, got, c.want)
		}
	}
}
