package api

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/store"
)

// CapsAnswer is the cardinality guards: what somebody has set, where 0 stands for what is configured.
type CapsAnswer struct {
	Caps       store.Caps `json:"caps"`
	Configured store.Caps `json:"configured"`
	Max        store.Caps `json:"max"`
}

// ingestEndpoints tell and change how telemetry is taken in.
func (a *API) ingestEndpoints() []endpoint {
	var all []endpoint
	for _, e := range []struct {
		path, summary string
		state         func() any
	}{
		{"/ingest", "State of ingest in this process: rates, answers, batches, spool, what was not stored as sent, clocks", a.o.Ingest},
		{"/ingest/history", "The last quarter of an hour of ingest in this process", a.o.IngestHistory},
		{"/ingest/cardinality", "Operations, series and values beyond their caps or nearest to them, in this process", a.o.IngestCardinality},
	} {
		if e.state != nil {
			all = append(all, endpoint{method: http.MethodGet, path: e.path, summary: e.summary, answer: e.state(),
				handle: func(*gin.Context) (any, error) { return e.state(), nil }})
		}
	}
	if a.o.Caps == nil {
		return all
	}
	return append(all, []endpoint{
		{method: http.MethodGet, path: "/settings/caps", summary: "How many operations, series and values are kept apart", answer: CapsAnswer{},
			handle: func(c *gin.Context) (any, error) { return a.caps(c) }},
		{method: http.MethodPut, path: "/settings/caps", summary: "Change how many operations, series and values are kept apart; ingest follows within seconds",
			body: store.Caps{}, answer: CapsAnswer{}, handle: a.setCaps},
	}...)
}

func (a *API) caps(c *gin.Context) (CapsAnswer, error) {
	caps, err := a.o.Caps(c.Request.Context())
	if err != nil {
		return CapsAnswer{}, err
	}
	ans := CapsAnswer{Caps: caps, Configured: a.o.ConfiguredCaps, Max: store.MaxCaps}
	for _, x := range []*store.Caps{&ans.Caps, &ans.Configured, &ans.Max} {
		for _, m := range []*map[string]int{&x.OperationsOf, &x.SeriesOf, &x.ValuesOf} {
			if *m == nil {
				*m = map[string]int{}
			}
		}
	}
	return ans, nil
}

func (a *API) setCaps(c *gin.Context) (any, error) {
	var caps store.Caps
	d := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&caps); err != nil {
		return nil, &query.InputError{Field: "body", Reason: "is not the caps that GET answers: " + err.Error()}
	}
	if err := a.o.SetCaps(c.Request.Context(), caps); err != nil {
		var bad *store.CapsError
		if errors.As(err, &bad) {
			return nil, &query.InputError{Field: bad.Field, Reason: bad.Reason}
		}
		return nil, err
	}
	return a.caps(c)
}
