package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tidemarkhq/tidemark/anomaly/notify"
	"github.com/tidemarkhq/tidemark/query"
	"github.com/tidemarkhq/tidemark/query/dashboards"
	"github.com/tidemarkhq/tidemark/store"
)

// Problem is a failure as RFC 9457 writes it.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail,omitempty"`
	Field     string `json:"field,omitempty"` // the parameter that is wrong
	RequestID string `json:"request_id"`
}

// statusClientGone is what the log says of a request whose client left; nobody receives it.
const statusClientGone = 499

// Describe is the one table that says what a failure looks like outside. What is not in it is not explained.
func Describe(err error, requestID string) Problem {
	p := describe(err)
	p.Type, p.RequestID = "about:blank", requestID
	return p
}

func describe(err error) Problem {
	var input *query.InputError
	var notifyInput *notify.InputError
	var missing *notify.NotFoundError
	var retention *store.RetentionError
	var exception *clickhouse.Exception
	var netErr net.Error
	switch {
	case errors.As(err, &input):
		return Problem{Title: "The request is not understood", Status: http.StatusBadRequest, Detail: input.Error(), Field: input.Field}
	case errors.As(err, &notifyInput):
		return Problem{Title: "This cannot be set", Status: http.StatusBadRequest, Detail: notifyInput.Error(), Field: notifyInput.Field}
	case errors.As(err, &missing):
		return Problem{Title: "Not found", Status: http.StatusNotFound, Detail: missing.Error()}
	case errors.As(err, &retention):
		return Problem{Title: "This cannot be set", Status: http.StatusBadRequest, Detail: retention.Error(), Field: retention.Signal}
	case errors.Is(err, query.ErrNotFound):
		return Problem{Title: "Not found", Status: http.StatusNotFound, Detail: err.Error()}
	case errors.Is(err, ErrFixedTarget):
		return Problem{Title: "This cannot be changed here", Status: http.StatusConflict, Detail: err.Error()}
	case errors.Is(err, dashboards.ErrConflict):
		return Problem{Title: "Somebody else has saved this", Status: http.StatusConflict, Detail: err.Error()}
	case errors.Is(err, query.ErrBusy):
		return busy
	case errors.Is(err, context.Canceled):
		return Problem{Title: "The client left", Status: statusClientGone}
	case errors.Is(err, context.DeadlineExceeded):
		return slow
	case errors.As(err, &exception):
		return refused(exception.Code)
	case errors.As(err, &netErr), errors.Is(err, io.EOF), errors.Is(err, clickhouse.ErrAcquireConnTimeout):
		return Problem{Title: "The store cannot be reached", Status: http.StatusServiceUnavailable, Detail: "It is starting or restarting; try again in a few seconds."}
	}
	return Problem{Title: "Something went wrong", Status: http.StatusInternalServerError, Detail: "The log has the reason under this request's id."}
}

var (
	slow = Problem{Title: "This takes too long", Status: http.StatusGatewayTimeout, Detail: "Choose a shorter range or a narrower search."}
	busy = Problem{Title: "The store is busy", Status: http.StatusServiceUnavailable, Detail: "Try again in a few seconds."}
)

// refused explains ClickHouse's error codes that depend on what was asked or on the moment.
func refused(code int32) Problem {
	switch code {
	case 159, 160, 209: // TIMEOUT_EXCEEDED, TOO_SLOW, SOCKET_TIMEOUT
		return slow
	case 241: // MEMORY_LIMIT_EXCEEDED
		return Problem{Title: "This needs more memory than one question may use", Status: http.StatusServiceUnavailable, Detail: "Choose a shorter range or a narrower search."}
	case 202: // TOO_MANY_SIMULTANEOUS_QUERIES
		return busy
	case 394: // QUERY_WAS_CANCELLED
		return Problem{Title: "The client left", Status: statusClientGone}
	}
	return Problem{Title: "The store failed", Status: http.StatusInternalServerError, Detail: "The log has the reason under this request's id."}
}

func writeProblem(w http.ResponseWriter, p Problem) {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	b, _ := json.Marshal(p) // plain fields only
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "3")
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(b)
}
