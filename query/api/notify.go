package api

import (
	"encoding/json"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/query"
)

// ChannelsAnswer is the channels, secrets shortened, and what kinds there are.
type ChannelsAnswer struct {
	Channels []notify.Channel `json:"channels"`
	Kinds    []notify.Kind    `json:"kinds"`
}

// SilencesAnswer is the silences and maintenance windows.
type SilencesAnswer struct {
	Silences []notify.Silence `json:"silences"`
}

// DeliveriesAnswer is what was told, the newest first.
type DeliveriesAnswer struct {
	Deliveries []notify.Delivery `json:"deliveries"`
}

// mostNotifyBody is how many bytes a channel, a silence or the routing may have.
const mostNotifyBody = 1 << 20

// notifyEndpoints are about who is told of incidents.
func (a *API) notifyEndpoints() []endpoint {
	n := a.o.Notify
	if n == nil {
		return nil
	}
	get, post, put, del := http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	return []endpoint{
		{method: get, path: "/channels", summary: "Channels that incidents are told to, and the kinds there are", answer: ChannelsAnswer{},
			handle: func(*gin.Context) (any, error) { return ChannelsAnswer{n.Channels(), notify.Kinds()}, nil }},
		{method: post, path: "/channels", summary: "Add a channel", body: notify.Channel{}, answer: notify.Channel{},
			handle: read(func(c *gin.Context, body notify.Channel) (any, error) { return n.AddChannel(c.Request.Context(), body) })},
		{method: put, path: "/channels/:id", summary: "Change a channel; secrets left empty, or as they are shown, stay", body: notify.Channel{}, answer: notify.Channel{},
			handle: read(func(c *gin.Context, body notify.Channel) (any, error) {
				return n.SetChannel(c.Request.Context(), c.Param("id"), body)
			})},
		{method: del, path: "/channels/:id", summary: "Delete a channel",
			handle: func(c *gin.Context) (any, error) {
				return nil, n.DeleteChannel(c.Request.Context(), c.Param("id"))
			}},
		{method: post, path: "/channels/:id/test", summary: "Send an example to a channel; answers what the receiver said", answer: notify.Answer{},
			handle: func(c *gin.Context) (any, error) { return n.Test(c.Request.Context(), c.Param("id")) }},
		{method: get, path: "/routing", summary: "Who is told of what, and when", answer: notify.Routing{},
			handle: func(*gin.Context) (any, error) { return n.Routing(), nil }},
		{method: put, path: "/routing", summary: "Change who is told of what, and when", body: notify.Routing{}, answer: notify.Routing{},
			handle: read(func(c *gin.Context, body notify.Routing) (any, error) {
				return n.SetRouting(c.Request.Context(), body)
			})},
		{method: get, path: "/silences", summary: "Silences and maintenance windows", answer: SilencesAnswer{},
			handle: func(*gin.Context) (any, error) { return SilencesAnswer{n.Silences()}, nil }},
		{method: post, path: "/silences", summary: "Add a silence; with every it is a maintenance window", body: notify.Silence{}, answer: notify.Silence{},
			handle: read(func(c *gin.Context, body notify.Silence) (any, error) {
				return n.AddSilence(c.Request.Context(), body)
			})},
		{method: put, path: "/silences/:id", summary: "Change a silence", body: notify.Silence{}, answer: notify.Silence{},
			handle: read(func(c *gin.Context, body notify.Silence) (any, error) {
				return n.SetSilence(c.Request.Context(), c.Param("id"), body)
			})},
		{method: del, path: "/silences/:id", summary: "End and delete a silence",
			handle: func(c *gin.Context) (any, error) {
				return nil, n.DeleteSilence(c.Request.Context(), c.Param("id"))
			}},
		{method: get, path: "/deliveries", summary: "Messages sent, waiting, failed and held back, the newest first", answer: DeliveriesAnswer{},
			params: params(param{"incident", "id of an incident; empty: of all"}, param{"limit", "at most 1000; 100 by default"}), handle: a.deliveries},
	}
}

func (a *API) deliveries(c *gin.Context) (any, error) {
	limit, err := integer(c, "limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	list, err := a.o.Notify.Deliveries(c.Request.Context(), c.Query("incident"), limit)
	return DeliveriesAnswer{list}, err
}

// read is an endpoint with a JSON body.
func read[T any](f func(*gin.Context, T) (any, error)) func(*gin.Context) (any, error) {
	return func(c *gin.Context) (any, error) {
		var body T
		d := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, mostNotifyBody))
		d.DisallowUnknownFields()
		if err := d.Decode(&body); err != nil {
			return nil, &query.InputError{Field: "body", Reason: "is not the JSON that is expected: " + err.Error()}
		}
		return f(c, body)
	}
}

// chart answers with the chart of a name that was sent in a message. The name is signed: who has it was told.
func (a *API) chart(c *gin.Context) {
	png, err := a.o.Notify.Chart(c.Request.Context(), c.Param("name"))
	if err != nil {
		p := Describe(err, requestID(c.Writer, c.Request))
		secure(c.Writer.Header())
		writeProblem(c.Writer, p)
		return
	}
	h := c.Writer.Header()
	secure(h)
	h.Set("Cache-Control", "private, max-age=86400")
	h.Set("Content-Type", "image/png")
	c.Writer.WriteHeader(http.StatusOK)
	_, _ = c.Writer.Write(png) // a client that has gone is nobody's problem
}
