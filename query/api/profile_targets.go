package api

import (
	"context"
	"errors"
	"net/http"

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

// ProfileTargets is what fetches profiles.
type ProfileTargets struct {
	List   func() TargetsAnswer
	Add    func(ctx context.Context, w ProfileTargetWish) (ProfileTarget, error)
	Change func(ctx context.Context, id string, w ProfileTargetWish) (ProfileTarget, error)
	Remove func(ctx context.Context, id string) error
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
