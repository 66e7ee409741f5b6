package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/tidemarkhq/tidemark/cmd/demo/internal/profiling"
)

// maxBody bounds a request or response body between services, in bytes.
const maxBody = 1 << 20

// Error is a failure with the HTTP status that tells it to the caller.
type Error struct {
	Status  int
	Message string
	Cause   error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// Fail makes an Error with a message for the caller.
func Fail(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

// Handle serves a route such as "GET /products/{id}". What handle returns is
// answered as JSON; an error is recorded on the span, logged once and answered
// with its status, 500 for one that is not an Error.
func (i *Instance) Handle(pattern string, handle func(r *http.Request) (any, error)) {
	shown := strings.TrimSuffix(pattern, "{$}") // "GET /{$}" is "GET /" to people
	route := shown[strings.Index(shown, "/"):]
	i.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Pattern = shown
		// otelhttp names the span by the pattern but starts it before the route
		// is known, and leaves the attribute out.
		trace.SpanFromContext(r.Context()).SetAttributes(semconv.HTTPRoute(route))
		var answer any
		var err error
		profiling.Do(r.Context(), i.InstanceID, shown, func(ctx context.Context) {
			labelled := r.WithContext(ctx)
			answer, err = handle(labelled)
		})
		if err != nil {
			i.answerError(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	})
}

func (i *Instance) answerError(w http.ResponseWriter, r *http.Request, err error) {
	failure := &Error{Status: http.StatusInternalServerError, Message: "internal error", Cause: err}
	errors.As(err, &failure)
	ctx := r.Context()
	if failure.Status >= 500 {
		trace.SpanFromContext(ctx).RecordError(err)
		i.Log.ErrorContext(ctx, "request failed", "route", r.Pattern, "status", failure.Status, "error", err.Error())
	} else {
		i.Log.WarnContext(ctx, "request refused", "route", r.Pattern, "status", failure.Status, "error", err.Error())
	}
	writeJSON(w, failure.Status, map[string]string{"error": failure.Message})
}

func writeJSON(w http.ResponseWriter, status int, answer any) {
	body, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, `{"error":"internal error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // the caller left if this fails: nobody to tell
}

// Decode reads a JSON request body.
func Decode(r *http.Request, into any) error {
	if err := json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(into); err != nil {
		return Fail(http.StatusBadRequest, "request body is not the JSON that %s takes: %v", r.Pattern, err)
	}
	return nil
}

// PathInt reads a numeric path value.
func PathInt(r *http.Request, name string) (int, error) {
	n, err := strconv.Atoi(r.PathValue(name))
	if err != nil {
		return 0, Fail(http.StatusBadRequest, "%s %q is not a number", name, r.PathValue(name))
	}
	return n, nil
}
