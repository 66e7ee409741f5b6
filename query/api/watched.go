package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/anomaly/watch"
)

// WatchedAnswer is the metrics by which a service is known; GET /bands?metric= has the course of each.
type WatchedAnswer struct {
	Metrics []watch.Watched `json:"metrics"`
}

func (a *API) watchedEndpoints() []endpoint {
	if a.o.Watch == nil {
		return nil
	}
	return []endpoint{{method: http.MethodGet, path: "/services/:service/watched", summary: "The metrics by which a service is known", answer: WatchedAnswer{}, params: params(pEnv),
		handle: func(c *gin.Context) (any, error) {
			return WatchedAnswer{a.o.Watch.WatchedOf(c.Param("service"), c.Query("env"))}, nil
		}}}
}
