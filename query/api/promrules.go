package api

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/anomaly/promrules"
)

// RuleFilesAnswer is all files of rules in Prometheus' format.
type RuleFilesAnswer struct {
	Files []promrules.File `json:"files"`
}

// RuleFile is the text of a file of rules.
type RuleFile struct {
	Content string `json:"content"` // YAML, as promtool check rules reads it
}

// promRuleEndpoints are about recording and alerting rules in Prometheus' format. How they stand is told by
// /prometheus/api/v1/rules.
func (a *API) promRuleEndpoints() []endpoint {
	e := a.o.PromRules
	if e == nil {
		return nil
	}
	return []endpoint{
		{method: http.MethodGet, path: "/rule-files", summary: "Files of recording and alerting rules in Prometheus' format", answer: RuleFilesAnswer{},
			handle: func(*gin.Context) (any, error) { return RuleFilesAnswer{e.Files()}, nil }},
		{method: http.MethodPost, path: "/rule-files/check", summary: "What is wrong with the text of a file of rules, by line; nothing is stored", body: RuleFile{}, answer: promrules.Checked{},
			handle: read(func(_ *gin.Context, body RuleFile) (any, error) { return e.Check(body.Content), nil })},
		{method: http.MethodPut, path: "/rule-files/:name", summary: "Store a file of rules; it is in force at once", body: RuleFile{}, answer: promrules.File{},
			handle: read(func(c *gin.Context, body RuleFile) (any, error) {
				return e.SetFile(c.Request.Context(), c.Param("name"), body.Content)
			})},
		{method: http.MethodDelete, path: "/rule-files/:name", summary: "Remove a file of rules that was stored here",
			handle: func(c *gin.Context) (any, error) { return nil, e.DeleteFile(c.Request.Context(), c.Param("name")) }},
	}
}
