package api

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
)

// ProfilesAnswer is what has been profiled.
type ProfilesAnswer struct {
	Profiles []query.ProfileKind `json:"profiles"`
}

var pProfile = []param{{"service", "name of the service"}, {"type", "cpu, heap, goroutine, mutex, block, …"}, {"version", "version of the service"},
	{"instance", "instance of the service"}, pEnv, {"label", "KEY:VALUE of a sample's label or the resource's attribute; may be repeated"}}

func (a *API) profileEndpoints() []endpoint {
	db := a.o.DB
	sampleType := param{"sample_type", "cpu/nanoseconds, or its name alone; the profile's default when absent"}
	nodes := param{"nodes", "most calls to list, the largest; 1 to 100000"}
	all := []endpoint{
		{method: http.MethodGet, path: "/profiles", summary: "What has been profiled", answer: ProfilesAnswer{}, params: params(pRange, pService, pEnv),
			handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
				list, err := db.ProfileKinds(c.Request.Context(), w, c.Query("service"), c.Query("env"))
				return ProfilesAnswer{Profiles: list}, err
			})},
		{method: http.MethodGet, path: "/profiles/flamegraph", summary: "Profiles merged into a call tree", answer: query.FlameAnswer{}, params: params(pRange, pProfile, sampleType, nodes, param{"focus", "regular expression: only stacks with a function or file that it finds"}),
			handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
				s, err := profileSelection(c, w, "")
				if err != nil {
					return nil, err
				}
				n, err := integer(c, "nodes", 20_000, 1, query.MaxFlameNodes)
				if err != nil {
					return nil, err
				}
				return db.Flame(c.Request.Context(), s, c.Query("focus"), n)
			})},
		{method: http.MethodGet, path: "/profiles/compare", summary: "Two selections of profiles in one call tree, and what moved", answer: query.ProfileComparison{},
			params: params(pRange, pProfile, sampleType, nodes, param{"base_from", "as from, of what to compare with; the time just before by default"}, param{"base_to", "as to"},
				param{"base_version", "version to compare with"}, param{"base_instance", "instance to compare with"}, param{"base_label", "as label"}),
			handle: overTime(a.compareProfiles)},
		{method: http.MethodGet, path: "/profiles/series", summary: "What the largest functions take over time", answer: query.ProfileSeries{},
			params: params(pRange, pProfile, sampleType, param{"by", "function or package"}, param{"members", "how many to tell apart, 1 to 50"}),
			handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
				s, err := profileSelection(c, w, "")
				if err != nil {
					return nil, err
				}
				n, err := integer(c, "members", 10, 1, maxSeriesMembers)
				if err != nil {
					return nil, err
				}
				return db.ProfileSeries(c.Request.Context(), s, c.Query("by"), n)
			})},
		{method: http.MethodGet, path: "/profiles/pprof", summary: "One merged profile that go tool pprof opens", answer: file{}, params: params(pRange, pProfile),
			handle: overTime(a.mergedProfile)},
	}
	all = append(all, a.profileJoins()...)
	all = append(all, a.targetEndpoints()...)
	return all
}

func (a *API) compareProfiles(c *gin.Context, w query.Window) (any, error) {
	s, err := profileSelection(c, w, "")
	if err != nil {
		return nil, err
	}
	base := query.Window{From: w.From.Add(w.From.Sub(w.To)), To: w.From}
	if c.Query("base_from") != "" || c.Query("base_to") != "" {
		if base, err = query.ParseWindow(c.Query("base_from"), c.Query("base_to"), time.Now()); err != nil {
			return nil, &query.InputError{Field: "base_from", Reason: err.Error()}
		}
	} else if c.Query("base_version") != "" || c.Query("base_instance") != "" || len(c.QueryArray("base_label")) > 0 {
		base = w
	}
	b, err := profileSelection(c, base, "base_")
	if err != nil {
		return nil, err
	}
	n, err := integer(c, "nodes", 20_000, 1, query.MaxFlameNodes)
	if err != nil {
		return nil, err
	}
	return a.o.DB.CompareProfiles(c.Request.Context(), s, b, n)
}

func (a *API) mergedProfile(c *gin.Context, w query.Window) (any, error) {
	s, err := profileSelection(c, w, "")
	if err != nil {
		return nil, err
	}
	p, err := a.o.DB.ProfileMerge(c.Request.Context(), s)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		return nil, fmt.Errorf("write the profile: %w", err)
	}
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r < ' ' {
			return '-'
		}
		return r
	}, s.Service+"-"+s.Type+"-"+w.From.UTC().Format("20060102T150405Z")+".pb.gz")
	return file{name: name, kind: "application/octet-stream", data: b.Bytes()}, nil
}

// maxSeriesMembers is how many functions a chart may tell apart.
const maxSeriesMembers = 50

// profileSelection reads a selection; what is compared with has its own version, instance and labels.
func profileSelection(c *gin.Context, w query.Window, prefix string) (query.ProfileSelection, error) {
	s := query.ProfileSelection{Window: w, Service: c.Query("service"), Type: c.Query("type"), SampleType: c.Query("sample_type"),
		Version: c.Query(prefix + "version"), Instance: c.Query(prefix + "instance"), Env: c.Query("env")}
	if s.Service == "" {
		return s, &query.InputError{Field: "service", Reason: "is missing"}
	}
	if s.Type == "" {
		s.Type = "cpu"
	}
	var err error
	s.Labels, err = profileLabels(prefix+"label", c.QueryArray(prefix+"label"))
	return s, err
}

// profileLabels reads conditions KEY:VALUE.
func profileLabels(field string, list []string) ([]query.ProfileLabel, error) {
	var out []query.ProfileLabel
	for _, l := range list {
		k, v, ok := strings.Cut(l, ":")
		if !ok || k == "" || v == "" {
			return nil, &query.InputError{Field: field, Reason: fmt.Sprintf("%q is not KEY:VALUE", l)}
		}
		out = append(out, query.ProfileLabel{Key: k, Value: v})
	}
	return out, nil
}
