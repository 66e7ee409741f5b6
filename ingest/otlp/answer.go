package otlp

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/tidemarkhq/tidemark/ingest"
)

// appendResponse encodes an Export…ServiceResponse: the three signals use the same field numbers.
//
//	1 partial_success { 1 rejected, 2 error_message }
func appendResponse(dst []byte, res ingest.Result) []byte {
	if res.Rejected == 0 && res.Message == "" {
		return dst
	}
	var partial []byte
	if res.Rejected > 0 {
		partial = binary.AppendUvarint(append(partial, 1<<3), uint64(res.Rejected))
	}
	if res.Message != "" {
		partial = binary.AppendUvarint(append(partial, 2<<3|2), uint64(len(res.Message)))
		partial = append(partial, res.Message...)
	}
	dst = binary.AppendUvarint(append(dst, 1<<3|2), uint64(len(partial)))
	return append(dst, partial...)
}

// statusOf is the gRPC status that tells a client what to do after an error.
func statusOf(err error) (*status.Status, time.Duration) {
	var overload *ingest.OverloadError
	var malformed *ingest.MalformedError
	var denied *Denied
	switch {
	case errors.As(err, &overload):
		return retryable(codes.Unavailable, overload.Error(), overload.RetryAfter), overload.RetryAfter
	case errors.As(err, &malformed):
		return status.New(codes.InvalidArgument, malformed.Error()), 0
	case errors.As(err, &denied):
		switch {
		case denied.RetryAfter > 0:
			return retryable(codes.ResourceExhausted, denied.Reason, denied.RetryAfter), denied.RetryAfter
		case denied.Known:
			return status.New(codes.PermissionDenied, denied.Reason), 0
		}
		return status.New(codes.Unauthenticated, denied.Reason), 0
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return retryable(codes.Unavailable, err.Error(), time.Second), time.Second
	}
	return status.New(codes.Internal, err.Error()), 0
}

func retryable(code codes.Code, message string, after time.Duration) *status.Status {
	st := status.New(code, message)
	if with, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)}); err == nil {
		return with
	}
	return st
}

// httpStatus is the HTTP status for a gRPC one, following the table of the OTLP specification.
func httpStatus(st *status.Status, retryAfter time.Duration) int {
	switch st.Code() {
	case codes.InvalidArgument:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.ResourceExhausted:
		if retryAfter > 0 {
			return http.StatusTooManyRequests
		}
		return http.StatusRequestEntityTooLarge
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.Unimplemented:
		return http.StatusUnsupportedMediaType
	}
	return http.StatusInternalServerError
}

func quoteJSON(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`)
	}
	return b
}
