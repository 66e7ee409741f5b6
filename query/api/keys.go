package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/auth"
)

// KeysAnswer is every ingest key, the newest first; those that were revoked long ago are gone.
type KeysAnswer struct {
	Keys     []IngestKey `json:"keys"`
	Required bool        `json:"required"` // senders without a key are refused by the process that answers
	NowMS    int64       `json:"now_ms"`
}

// IngestKey is an ingest key without its secret, and what has been sent with it.
type IngestKey struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	State          string   `json:"state"` // active, expired or revoked
	Signals        []string `json:"signals"`
	ItemsPerSecond float64  `json:"items_per_second"` // 0: no limit
	BytesPerSecond float64  `json:"bytes_per_second"`
	CreatedMS      int64    `json:"created_ms"`
	ExpiresMS      *int64   `json:"expires_ms"`
	RevokedMS      *int64   `json:"revoked_ms"`
	LastUseMS      *int64   `json:"last_use_ms"`

	Requests int64            `json:"requests"`
	Items    int64            `json:"items"`
	Bytes    int64            `json:"bytes"`
	Refused  map[string]int64 `json:"refused"` // requests by reason
}

// KeyWish is what a new key should be like.
type KeyWish struct {
	Name           string   `json:"name"`
	Signals        []string `json:"signals"` // none: all
	ItemsPerSecond float64  `json:"items_per_second"`
	BytesPerSecond float64  `json:"bytes_per_second"`
	ExpiresMS      *int64   `json:"expires_ms"`
}

// KeyMade is a new key with its secret, which nobody can be told again.
type KeyMade struct {
	Key    IngestKey `json:"key"`
	Secret string    `json:"secret"`
}

// KeysStatus says whether senders need a key.
type KeysStatus struct {
	Required bool `json:"required"`
	Active   int  `json:"active"`
}

func ingestKey(l auth.Listed, now time.Time) IngestKey {
	k := IngestKey{ID: l.ID, Name: l.Name, State: l.State(now), Signals: l.Signals, ItemsPerSecond: l.ItemsPerSecond, BytesPerSecond: l.BytesPerSecond,
		CreatedMS: l.CreatedAt.UnixMilli(), Requests: l.Use.Requests, Items: l.Use.Items, Bytes: l.Use.Bytes, Refused: l.Use.Refused}
	if k.Refused == nil {
		k.Refused = map[string]int64{}
	}
	if l.ExpiresAt != nil {
		k.ExpiresMS = millis(*l.ExpiresAt)
	}
	if l.RevokedAt != nil {
		k.RevokedMS = millis(*l.RevokedAt)
	}
	if l.Use.LastMS > 0 {
		k.LastUseMS = &l.Use.LastMS
	}
	return k
}

// keyEndpoints make, list and revoke ingest keys.
func (a *API) keyEndpoints() []endpoint {
	if a.o.Keys == nil {
		return nil
	}
	id := []param{{"id", "id of the key"}}
	return []endpoint{
		{method: http.MethodGet, path: "/settings/ingest-keys", summary: "Ingest keys and what has been sent with them", answer: KeysAnswer{}, handle: a.listKeys},
		{method: http.MethodPost, path: "/settings/ingest-keys", summary: "Make an ingest key; its secret is in this answer and nowhere else", body: KeyWish{}, answer: KeyMade{}, handle: a.makeKey},
		{method: http.MethodPost, path: "/settings/ingest-keys/:id/revoke", summary: "Revoke an ingest key; every process follows within seconds", params: id, answer: IngestKey{},
			handle: func(c *gin.Context) (any, error) {
				return a.changedKey(a.o.Keys.Revoke(c.Request.Context(), c.Param("id")))
			}},
		{method: http.MethodPost, path: "/settings/ingest-keys/:id/restore", summary: "Undo a revocation, within an hour", params: id, answer: IngestKey{},
			handle: func(c *gin.Context) (any, error) {
				return a.changedKey(a.o.Keys.Restore(c.Request.Context(), c.Param("id")))
			}},
	}
}

func (a *API) listKeys(c *gin.Context) (any, error) {
	now := time.Now()
	list, err := a.o.Keys.List(c.Request.Context(), now)
	if err != nil {
		return nil, err
	}
	ans := KeysAnswer{Keys: []IngestKey{}, Required: a.o.Keys.Required(), NowMS: now.UnixMilli()}
	for _, l := range list {
		ans.Keys = append(ans.Keys, ingestKey(l, now))
	}
	return ans, nil
}

func (a *API) makeKey(c *gin.Context) (any, error) {
	var body KeyWish
	d := json.NewDecoder(http.MaxBytesReader(c.Writer, c.Request.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, &query.InputError{Field: "body", Reason: "is not a key as it should be: " + err.Error()}
	}
	w := auth.Wish{Name: body.Name, Signals: body.Signals, ItemsPerSecond: body.ItemsPerSecond, BytesPerSecond: body.BytesPerSecond}
	if body.ExpiresMS != nil {
		t := time.UnixMilli(*body.ExpiresMS).UTC()
		w.ExpiresAt = &t
	}
	k, secret, err := a.o.Keys.Create(c.Request.Context(), w)
	if err != nil {
		return nil, keyError(err)
	}
	return KeyMade{ingestKey(auth.Listed{Key: k}, time.Now()), secret}, nil
}

func (a *API) changedKey(k auth.Key, err error) (any, error) {
	if err != nil {
		return nil, keyError(err)
	}
	return ingestKey(auth.Listed{Key: k}, time.Now()), nil
}

func keyError(err error) error {
	var input *auth.InputError
	switch {
	case errors.As(err, &input):
		return &query.InputError{Field: input.Field, Reason: input.Reason}
	case errors.Is(err, auth.ErrNotFound):
		return errors.Join(query.ErrNotFound, err)
	case errors.Is(err, auth.ErrFinal):
		return &query.InputError{Field: "id", Reason: err.Error()}
	}
	return err
}
