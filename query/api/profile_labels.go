package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
)

func (a *API) profileLabelEndpoints() []endpoint {
	return []endpoint{{method: http.MethodGet, path: "/profiles/labels", summary: "Labels that profiles of a service can be narrowed by", answer: query.ProfileLabels{}, params: params(pRange, pProfile),
		handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
			s, err := profileSelection(c, w, "")
			if err != nil {
				return nil, err
			}
			return a.o.DB.ProfileLabels(c.Request.Context(), s)
		})}}
}
