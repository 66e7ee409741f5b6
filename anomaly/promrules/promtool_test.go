package promrules

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// What promtool accepts is accepted here, and what it refuses is refused:
// TIDEMARK_PROMTOOL=$(which promtool) go test -run TestAsPromtoolChecks ./anomaly/promrules
// Without promtool the files are held to what promtool 2.42 said of them.
func TestAsPromtoolChecks(t *testing.T) {
	promtool := os.Getenv("TIDEMARK_PROMTOOL")
	e := checker(t)
	for name, c := range map[string]struct {
		text string
		good bool
	}{
		"usual":       {rulesWithoutOffset, true},
		"nothing":     {"", true},
		"empty":       {"groups: []\n", true},
		"anchors":     {"groups:\n- name: g\n  rules:\n  - &a {alert: One, expr: up == 0, labels: {severity: warning}}\n  - {<<: *a, alert: Two}\n", true},
		"duplicate":   {"groups:\n- name: g\n  rules:\n  - {record: r, expr: up}\n  - {record: r, expr: up}\n", true},
		"offsets":     {"groups:\n- name: g\n  rules:\n  - {record: r, expr: 'absent_over_time(x{a!~\"b|c\"}[5m] offset 1h) or vector(1)'}\n", true},
		"expression":  {"groups:\n- name: g\n  rules:\n  - {record: r, expr: 'sum('}\n", false},
		"both":        {"groups:\n- name: g\n  rules:\n  - {alert: A, record: r, expr: up}\n", false},
		"neither":     {"groups:\n- name: g\n  rules:\n  - {expr: up}\n", false},
		"no expr":     {"groups:\n- name: g\n  rules:\n  - {record: r}\n", false},
		"twice":       {"groups:\n- name: g\n- name: g\n", false},
		"no name":     {"groups:\n- rules: []\n", false},
		"for":         {"groups:\n- name: g\n  rules:\n  - {record: r, expr: up, for: 5m}\n", false},
		"annotations": {"groups:\n- name: g\n  rules:\n  - {record: r, expr: up, annotations: {a: b}}\n", false},
		"label":       {"groups:\n- name: g\n  rules:\n  - {alert: A, expr: up, labels: {__name__: b}}\n", false},
		"template":    {"groups:\n- name: g\n  rules:\n  - {alert: A, expr: up, annotations: {a: '{{ $value '}}\n", false},
		"function":    {"groups:\n- name: g\n  rules:\n  - {alert: A, expr: up, annotations: {a: '{{ nothing 1 }}'}}\n", false},
		"field":       {"groups:\n- name: g\n  intervall: 1m\n  rules: []\n", false},
		"duration":    {"groups:\n- name: g\n  interval: soon\n  rules: []\n", false},
		"braces":      {"groups:\n- name: g\n  rules:\n  - {record: 'a{b}', expr: up}\n", false},
		"no YAML":     {"groups:\n- name: g\n  rules: [\n", false},
		"no groups":   {"rules: []\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			problems := e.Check(c.text).Problems
			if good := !slices.ContainsFunc(problems, func(p Problem) bool { return p.Level == "error" }); good != c.good {
				t.Errorf("good: %v, want %v: %+v", good, c.good, problems)
			}
			if promtool == "" {
				return
			}
			file := filepath.Join(t.TempDir(), "rules.yml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			said, err := exec.Command(promtool, "check", "rules", file).CombinedOutput()
			if (err == nil) != c.good {
				t.Errorf("promtool: %v\n%s", err, said)
			}
		})
	}
}

// rulesWithoutOffset is a file that promtool before 2.53 knows too.
const rulesWithoutOffset = `
groups:
  - name: example
    interval: 30s
    limit: 10
    rules:
      - record: job:http_requests:rate5m
        expr: sum by (job) (rate(http_requests_total[5m]))
        labels: {team: a}
      - alert: HighErrors
        expr: |
          sum by (job) (rate(http_requests_total{code=~"5.."}[5m]))
            / sum by (job) (rate(http_requests_total[5m])) > 0.05
        for: 10m
        keep_firing_for: 5m
        labels: {severity: page}
        annotations: {summary: '{{ $labels.job }}: {{ $value | humanizePercentage }}'}
`
