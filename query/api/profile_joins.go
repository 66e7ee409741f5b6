package api

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
)

// profileJoins are about what profiles have to do with spans and operations, and how functions call each other.
func (a *API) profileJoins() []endpoint {
	db := a.o.DB
	sampleType := param{"sample_type", "cpu/nanoseconds, or its name alone; the profile's default when absent"}
	return []endpoint{
		{method: http.MethodGet, path: "/profiles/span", summary: "Where the profile of a span is, and what that is", answer: query.SpanProfile{},
			params: params(param{"trace_id", "in hex"}, param{"span_id", "in hex"}, param{"type", "cpu by default"}),
			handle: func(c *gin.Context) (any, error) {
				return db.SpanProfile(c.Request.Context(), c.Query("trace_id"), c.Query("span_id"), cmp.Or(c.Query("type"), "cpu"))
			}},
		{method: http.MethodGet, path: "/profiles/operations", summary: "Operations whose requests spend time in a function", answer: query.FrameOperations{},
			params: params(pRange, pProfile, sampleType, param{"function", "its name"}, param{"file", "its file, where several have the name"}),
			handle: overTime(func(c *gin.Context, w query.Window) (any, error) {
				s, err := profileSelection(c, w, "")
				if err != nil {
					return nil, err
				}
				return db.FrameOperations(c.Request.Context(), s, c.Query("function"), c.Query("file"))
			})},
		{method: http.MethodGet, path: "/profiles/graph", summary: "Functions and the calls between them, as pprof draws them", answer: query.ProfileGraph{},
			params: params(pRange, pProfile, sampleType, param{"nodecount", "most functions; 80 by default"}, param{"nodefraction", "smaller functions are left out; 0.005 by default"},
				param{"edgefraction", "smaller calls are left out; 0.001 by default"}, param{"focus", "regular expression: only stacks with a function or file that matches"}, param{"ignore", "regular expression: no stack with one that does"}),
			handle: overTime(a.profileGraph)},
	}
}

func (a *API) profileGraph(c *gin.Context, w query.Window) (any, error) {
	s, err := profileSelection(c, w, "")
	if err != nil {
		return nil, err
	}
	o := query.DefaultGraphOptions()
	if o.NodeCount, err = integer(c, "nodecount", o.NodeCount, 1, 2000); err != nil {
		return nil, err
	}
	if o.NodeFraction, err = fraction(c, "nodefraction", o.NodeFraction); err != nil {
		return nil, err
	}
	if o.EdgeFraction, err = fraction(c, "edgefraction", o.EdgeFraction); err != nil {
		return nil, err
	}
	o.Focus, o.Ignore = c.Query("focus"), c.Query("ignore")
	return a.o.DB.ProfileGraph(c.Request.Context(), s, o)
}

// fraction reads a number from 0 to 1; absent, it is def.
func fraction(c *gin.Context, name string, def float64) (float64, error) {
	text := c.Query(name)
	if text == "" {
		return def, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, &query.InputError{Field: name, Reason: fmt.Sprintf("%q is not a number from 0 to 1", text)}
	}
	return v, nil
}
