package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
)

// PostedDeployment is a deployment that somebody tells.
type PostedDeployment struct {
	Service string `json:"service"`
	Version string `json:"version"`
	Env     string `json:"env"`
	At      string `json:"at"`   // RFC 3339, Unix milliseconds or relative; now by default
	Text    string `json:"text"` // what changed
	Link    string `json:"link"` // where to read more
}

// Bounds of a posted deployment, bytes.
const (
	mostDeployName = 256
	mostDeployText = 4096
	mostDeployLink = 2048
)

func (a *API) deploymentEndpoints() []endpoint {
	all := []endpoint{{method: http.MethodGet, path: "/deployments", summary: "Deployments, noticed and posted, newest first", answer: query.DeploymentsAnswer{}, params: params(pRange, pService, pEnv),
		handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
			var services []string
			if s := c.Query("service"); s != "" {
				services = []string{s}
			}
			list, err := a.o.DB.Deployments(c.Request.Context(), w, services, c.Query("env"))
			return query.DeploymentsAnswer{Deployments: list}, err
		})}}
	if a.o.Deploy != nil {
		all = append(all, endpoint{method: http.MethodPost, path: "/deployments", summary: "Tell of a deployment", body: PostedDeployment{}, answer: query.Deployment{}, handle: a.postDeployment})
	}
	return all
}

func (a *API) postDeployment(c *gin.Context) (any, error) {
	var body PostedDeployment
	d := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, &query.InputError{Field: "body", Reason: "is not the JSON of a deployment: " + err.Error()}
	}
	deployment, err := body.read(time.Now())
	if err != nil {
		return nil, err
	}
	return a.o.Deploy(c.Request.Context(), deployment)
}

// read checks a posted deployment.
func (p PostedDeployment) read(now time.Time) (query.Deployment, error) {
	d := query.Deployment{Service: strings.TrimSpace(p.Service), Version: strings.TrimSpace(p.Version), Env: strings.TrimSpace(p.Env), Text: p.Text, Link: p.Link, TS: now}
	for _, f := range []struct {
		name, value string
		need        bool
		most        int
	}{{"service", d.Service, true, mostDeployName}, {"version", d.Version, true, mostDeployName}, {"env", d.Env, false, mostDeployName}, {"text", d.Text, false, mostDeployText}, {"link", d.Link, false, mostDeployLink}} {
		switch {
		case f.need && f.value == "":
			return d, &query.InputError{Field: f.name, Reason: "is missing"}
		case len(f.value) > f.most:
			return d, &query.InputError{Field: f.name, Reason: fmt.Sprintf("is longer than %d bytes", f.most)}
		}
	}
	if p.At != "" {
		at, err := query.ParseTime(p.At, now)
		if err != nil {
			return d, &query.InputError{Field: "at", Reason: err.Error()}
		}
		d.TS = at
	}
	if d.TS.After(now.Add(10 * time.Minute)) {
		return d, &query.InputError{Field: "at", Reason: "lies in the future"}
	}
	if d.Link != "" {
		if u, err := url.Parse(d.Link); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return d, &query.InputError{Field: "link", Reason: "is not an http or https address"}
		}
	}
	return d, nil
}
