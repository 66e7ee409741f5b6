package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
)

// TargetsAnswer lists the processes that profiles are fetched from.
type TargetsAnswer struct {
	Targets []ProfileTarget `json:"targets"`
	Types   []string        `json:"types"` // that can be asked for
	Allow   string          `json:"allow"` // --scrape-allow
}

// ProfileTarget is one process that profiles are fetched from, without its secrets.
type ProfileTarget struct {
	ID        string            `json:"id"`
	Source    string            `json:"source"` // api, configuration or self: only those of the API can be changed here
	Service   string            `json:"service"`
	URL       string            `json:"url"`
	Types     []string          `json:"types"`
	Labels    map[string]string `json:"labels"`
	IntervalS float64           `json:"interval_s"`
	TimeoutS  float64           `json:"timeout_s"`
	CPUS      int               `json:"cpu_s"`
	Paused    bool              `json:"paused"`
	Auth      TargetAuth        `json:"auth"`
	TLS       TargetTLS         `json:"tls"`
	Problem   string            `json:"problem"` // why it cannot be fetched from at all
	By        string            `json:"by"`      // the process that fetches from it, where that is not this one
	LastMS    int64             `json:"last_ms"` // 0 before the first attempt
	NextMS    int64             `json:"next_ms"` // 0: not planned
	TookMS    float64           `json:"took_ms"` // without the CPU profile's own time
	Profiles  int64             `json:"profiles"`
	Bytes     int64             `json:"bytes"`
	LastBytes int64             `json:"last_bytes"`
	Failures  int64             `json:"failures"`
	LastError string            `json:"last_error"` // "" if the last attempt went well
}

// TargetAuth is how a target is asked, without the secret.
type TargetAuth struct {
	Kind      string `json:"kind"` // none, basic or bearer
	Username  string `json:"username"`
	HasSecret bool   `json:"has_secret"`
}

// TargetTLS is whom to trust with a target, without the key.
type TargetTLS struct {
	CA         string `json:"ca"`
	Cert       string `json:"cert"`
	HasKey     bool   `json:"has_key"`
	ServerName string `json:"server_name"`
	Insecure   bool   `json:"insecure"`
}

// ProfileTargetWish is a target as it is set: what is absent has its default, and secrets left empty stay.
type ProfileTargetWish struct {
	Service   string            `json:"service"`
	URL       string            `json:"url"`
	Types     []string          `json:"types,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	IntervalS float64           `json:"interval_s,omitempty"`
	TimeoutS  float64           `json:"timeout_s,omitempty"`
	CPUS      int               `json:"cpu_s,omitempty"`
	Paused    bool              `json:"paused,omitempty"`
	Auth      WishedAuth        `json:"auth,omitzero"`
	TLS       WishedTLS         `json:"tls,omitzero"`
}

// WishedAuth is how a target is to be asked.
type WishedAuth struct {
	Kind     string `json:"kind,omitempty"` // none, basic or bearer
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
}

// WishedTLS is whom to trust with a target, all in PEM.
type WishedTLS struct {
	CA         string `json:"ca,omitempty"`
	Cert       string `json:"cert,omitempty"`
	Key        string `json:"key,omitempty"`
	ServerName string `json:"server_name,omitempty"`
	Insecure   bool   `json:"insecure,omitempty"`
}

// TriedTarget is a target that is to be tried. With an id the secrets of the target of that id are taken where they are
// left empty; one that the configuration sets is tried as it is there.
type TriedTarget struct {
	ID     string            `json:"id,omitempty"`
	Target ProfileTargetWish `json:"target,omitzero"`
}

// TargetTrial is what a target answered when it was tried; nothing of it is kept.
type TargetTrial struct {
	OK       bool           `json:"ok"` // every profile came
	Profiles []TriedProfile `json:"profiles"`
}

// TriedProfile is one profile that a target was asked for.
type TriedProfile struct {
	Type        string   `json:"type"`
	SampleTypes []string `json:"sample_types"` // "cpu/nanoseconds"
	Samples     int      `json:"samples"`
	Bytes       int      `json:"bytes"` // as they came
	TookMS      float64  `json:"took_ms"`
	Error       string   `json:"error"` // "" where it came
}

// tryTime is how long trying a target may take: a patience of two minutes at most for each of its types at once.
const tryTime = 130 * time.Second

// ProfileTargets is what fetches profiles.
type ProfileTargets struct {
	List   func() TargetsAnswer
	Add    func(ctx context.Context, w ProfileTargetWish) (ProfileTarget, error)
	Change func(ctx context.Context, id string, w ProfileTargetWish) (ProfileTarget, error)
	Remove func(ctx context.Context, id string) error
	Try    func(ctx context.Context, id string, w ProfileTargetWish) (TargetTrial, error)
}

// ErrFixedTarget says that a target is not one of the API's.
var ErrFixedTarget = errors.New("this target is set by the configuration: change it there, and restart")

func (a *API) targetEndpoints() []endpoint {
	t := a.o.ProfileTargets
	if t == nil {
		return nil
	}
	return []endpoint{
		{method: http.MethodGet, path: "/profiles/targets", summary: "Processes that profiles are fetched from, and how that goes", answer: TargetsAnswer{},
			handle: func(*gin.Context) (any, error) { return t.List(), nil }},
		{method: http.MethodPost, path: "/profiles/targets", summary: "Fetch profiles from another process", body: ProfileTargetWish{}, answer: ProfileTarget{},
			handle: read(func(c *gin.Context, w ProfileTargetWish) (any, error) { return t.Add(c.Request.Context(), w) })},
		{method: http.MethodPost, path: "/profiles/targets/test", summary: "Ask a process for one short profile of each type, to see whether that works; nothing is kept", body: TriedTarget{}, answer: TargetTrial{}, timeout: tryTime,
			handle: read(func(c *gin.Context, w TriedTarget) (any, error) { return t.Try(c.Request.Context(), w.ID, w.Target) })},
		{method: http.MethodPut, path: "/profiles/targets/:id", summary: "Change a target; secrets left empty stay, unless its host changes", body: ProfileTargetWish{}, answer: ProfileTarget{},
			handle: read(func(c *gin.Context, w ProfileTargetWish) (any, error) {
				return t.Change(c.Request.Context(), c.Param("id"), w)
			})},
		{method: http.MethodDelete, path: "/profiles/targets/:id", summary: "Stop fetching from a target; what was fetched stays",
			handle: func(c *gin.Context) (any, error) {
				return nil, t.Remove(c.Request.Context(), c.Param("id"))
			}},
	}
}
