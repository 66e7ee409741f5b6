package api

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/dashboards"
)

// DashboardsAnswer is all dashboards, without their panels.
type DashboardsAnswer struct {
	Dashboards []dashboards.Summary `json:"dashboards"`
}

// DashboardVersionsAnswer is the saves of a dashboard, the newest first.
type DashboardVersionsAnswer struct {
	Versions []dashboards.Version `json:"versions"`
}

// RestoredVersion names a version to be made the newest.
type RestoredVersion struct {
	Version int `json:"version"`
}

// mostImport is how many bytes a document that is imported may have: Grafana's grow large.
const mostImport = 8 << 20

// dashboardEndpoints are about what people arrange to look at.
func (a *API) dashboardEndpoints() []endpoint {
	l := a.o.Dashboards
	if l == nil {
		return nil
	}
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	message := param{"message", "what was changed, for the list of versions"}
	return []endpoint{
		{method: get, path: "/dashboards", summary: "Dashboards, the ready-made ones too", answer: DashboardsAnswer{},
			handle: func(c *gin.Context) (any, error) {
				list, err := l.List(c.Request.Context())
				return DashboardsAnswer{list}, err
			}},
		{method: post, path: "/dashboards", summary: "Add a dashboard", params: params(message), body: dashboards.Dashboard{}, answer: dashboards.Dashboard{},
			handle: read(func(c *gin.Context, body dashboards.Dashboard) (any, error) {
				return l.Add(c.Request.Context(), body, c.Query("message"))
			})},
		{method: post, path: "/dashboards/import", summary: "Make a dashboard of an exported one, or of Grafana's JSON model", body: map[string]any{}, answer: dashboards.Import{},
			params: params(param{"preview", "1: say what would be carried over, and store nothing"}), handle: a.importDashboard},
		{method: get, path: "/dashboards/:id", summary: "One dashboard", answer: dashboards.Dashboard{},
			handle: func(c *gin.Context) (any, error) { return l.Get(c.Request.Context(), c.Param("id")) }},
		{method: put, path: "/dashboards/:id", summary: "Save a dashboard over the version it was made from", params: params(message), body: dashboards.Dashboard{}, answer: dashboards.Dashboard{},
			handle: read(func(c *gin.Context, body dashboards.Dashboard) (any, error) {
				return l.Set(c.Request.Context(), c.Param("id"), body, c.Query("message"))
			})},
		{method: del, path: "/dashboards/:id", summary: "Delete a dashboard with its versions; of a ready-made one, what was changed",
			handle: func(c *gin.Context) (any, error) { return nil, l.Delete(c.Request.Context(), c.Param("id")) }},
		{method: get, path: "/dashboards/:id/versions", summary: "Saves of a dashboard", answer: DashboardVersionsAnswer{},
			handle: func(c *gin.Context) (any, error) {
				list, err := l.Versions(c.Request.Context(), c.Param("id"))
				return DashboardVersionsAnswer{list}, err
			}},
		{method: get, path: "/dashboards/:id/versions/:version", summary: "A dashboard as it was saved", answer: dashboards.Dashboard{},
			handle: func(c *gin.Context) (any, error) {
				n, err := strconv.Atoi(c.Param("version"))
				if err != nil {
					return nil, &query.InputError{Field: "version", Reason: "is not a number"}
				}
				return l.At(c.Request.Context(), c.Param("id"), n)
			}},
		{method: post, path: "/dashboards/:id/restore", summary: "Make an older version the newest", body: RestoredVersion{}, answer: dashboards.Dashboard{},
			handle: read(func(c *gin.Context, body RestoredVersion) (any, error) {
				return l.Restore(c.Request.Context(), c.Param("id"), body.Version)
			})},
		{method: get, path: "/dashboards/:id/export", summary: "A dashboard as a file, to be imported elsewhere", answer: file{},
			handle: func(c *gin.Context) (any, error) {
				d, err := l.Get(c.Request.Context(), c.Param("id"))
				if err != nil {
					return nil, err
				}
				name := d.ID + ".json"
				d.Version, d.ReadyMade = 0, false
				b, err := json.MarshalIndent(d, "", "  ")
				return file{name: name, kind: "application/json", data: append(b, '\n')}, err
			}},
	}
}

func (a *API) importDashboard(c *gin.Context) (any, error) {
	document, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, mostImport))
	if err != nil {
		return nil, &query.InputError{Field: "body", Reason: "cannot be read: " + err.Error()}
	}
	in, err := dashboards.Read(document)
	if err != nil || c.Query("preview") == "1" {
		return in, err
	}
	in.Dashboard, err = a.o.Dashboards.Add(c.Request.Context(), in.Dashboard, "Imported from "+in.From)
	return in, err
}
