package api

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/anomaly/rules"
	"github.com/tidemarkhq/tidemark/query"
)

// RulesAnswer is all rules with how they stand.
type RulesAnswer struct {
	Rules []rules.Rule `json:"rules"`
}

// ObjectivesAnswer is all objectives with their error budgets.
type ObjectivesAnswer struct {
	SLOs []rules.Objective `json:"slos"`
}

// PreviewedRule is a rule to be tried on the past.
type PreviewedRule struct {
	Rule rules.Rule `json:"rule"`
	From string     `json:"from"` // RFC 3339, Unix milliseconds or relative
	To   string     `json:"to"`
}

// PreviewedObjective is an objective to be tried on the past.
type PreviewedObjective struct {
	SLO  rules.Objective `json:"slo"`
	From string          `json:"from"`
	To   string          `json:"to"`
}

// ruleEndpoints are about thresholds and objectives that people set.
func (a *API) ruleEndpoints() []endpoint {
	e := a.o.Rules
	if e == nil {
		return nil
	}
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	return []endpoint{
		{method: get, path: "/rules", summary: "Threshold rules and how they stand", answer: RulesAnswer{},
			handle: func(*gin.Context) (any, error) { return RulesAnswer{e.Rules()}, nil }},
		{method: post, path: "/rules", summary: "Add a threshold rule", body: rules.Rule{}, answer: rules.Rule{},
			handle: read(func(c *gin.Context, body rules.Rule) (any, error) { return e.AddRule(c.Request.Context(), body) })},
		{method: post, path: "/rules/preview", summary: "What a rule would have done over a stretch of the past", body: PreviewedRule{}, answer: rules.Preview{},
			handle: read(func(c *gin.Context, body PreviewedRule) (any, error) {
				w, err := query.ParseWindow(body.From, body.To, time.Now())
				if err != nil {
					return nil, err
				}
				return e.PreviewRule(c.Request.Context(), body.Rule, w)
			})},
		{method: get, path: "/rules/:id", summary: "One threshold rule", answer: rules.Rule{},
			handle: func(c *gin.Context) (any, error) { return e.Rule(c.Param("id")) }},
		{method: put, path: "/rules/:id", summary: "Change a threshold rule", body: rules.Rule{}, answer: rules.Rule{},
			handle: read(func(c *gin.Context, body rules.Rule) (any, error) {
				return e.SetRule(c.Request.Context(), c.Param("id"), body)
			})},
		{method: del, path: "/rules/:id", summary: "Delete a threshold rule; what it opened ends",
			handle: func(c *gin.Context) (any, error) { return nil, e.DeleteRule(c.Request.Context(), c.Param("id")) }},

		{method: get, path: "/slos", summary: "Objectives, their error budgets and how fast those burn", answer: ObjectivesAnswer{},
			handle: func(c *gin.Context) (any, error) {
				list, err := e.Objectives(c.Request.Context())
				return ObjectivesAnswer{list}, err
			}},
		{method: post, path: "/slos", summary: "Add an objective", body: rules.Objective{}, answer: rules.Objective{},
			handle: read(func(c *gin.Context, body rules.Objective) (any, error) {
				return e.AddObjective(c.Request.Context(), body)
			})},
		{method: post, path: "/slos/preview", summary: "What an objective would have done over a stretch of the past", body: PreviewedObjective{}, answer: rules.ObjectivePreview{},
			handle: read(func(c *gin.Context, body PreviewedObjective) (any, error) {
				w, err := query.ParseWindow(body.From, body.To, time.Now())
				if err != nil {
					return nil, err
				}
				return e.PreviewObjective(c.Request.Context(), body.SLO, w)
			})},
		{method: get, path: "/slos/:id", summary: "One objective", answer: rules.Objective{},
			handle: func(c *gin.Context) (any, error) { return e.Objective(c.Request.Context(), c.Param("id")) }},
		{method: put, path: "/slos/:id", summary: "Change an objective", body: rules.Objective{}, answer: rules.Objective{},
			handle: read(func(c *gin.Context, body rules.Objective) (any, error) {
				return e.SetObjective(c.Request.Context(), c.Param("id"), body)
			})},
		{method: del, path: "/slos/:id", summary: "Delete an objective; what it opened ends",
			handle: func(c *gin.Context) (any, error) {
				return nil, e.DeleteObjective(c.Request.Context(), c.Param("id"))
			}},
	}
}
