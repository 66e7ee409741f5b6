package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
)

// target is where requests go, and how.
type target struct {
	grpc, http, token string
	gzip              bool
}

const sendTimeout = 30 * time.Second

// methods are the gRPC methods of the signals.
var methods = map[string]string{
	"traces":  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"logs":    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
	"metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}

// dial opens a connection of its own and returns a function that sends one request and returns how many items the
// answer says were rejected.
func (t target) dial(signal string) (func([]byte) (int64, error), error) {
	switch {
	case t.grpc != "":
		return t.dialGRPC(signal)
	case t.http != "":
		return t.dialHTTP(signal), nil
	}
	return nil, fmt.Errorf("say where to send: -grpc or -http")
}

// rawCodec passes encoded protobuf through gRPC untouched.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(b []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(b)
	return nil
}
func (rawCodec) Name() string { return "proto" }

func (t target) dialGRPC(signal string) (func([]byte) (int64, error), error) {
	options := []grpc.CallOption{grpc.ForceCodec(rawCodec{})}
	if t.gzip {
		options = append(options, grpc.UseCompressor("gzip"))
	}
	conn, err := grpc.NewClient(t.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(options...))
	if err != nil {
		return nil, err
	}
	return func(body []byte) (int64, error) {
		ctx, cancel := context.WithTimeout(context.Background(), sendTimeout)
		defer cancel()
		if t.token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+t.token)
		}
		var answer []byte
		if err := conn.Invoke(ctx, methods[signal], &body, &answer); err != nil {
			return 0, err
		}
		return rejectedOf(signal, answer)
	}, nil
}

func (t target) dialHTTP(signal string) func([]byte) (int64, error) {
	client := &http.Client{Timeout: sendTimeout, Transport: &http.Transport{}}
	url := strings.TrimSuffix(t.http, "/") + "/v1/" + signal
	var packed bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	return func(body []byte) (int64, error) {
		if t.gzip {
			packed.Reset()
			zip.Reset(&packed)
			zip.Write(body)
			zip.Close()
			body = packed.Bytes()
		}
		req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		if t.gzip {
			req.Header.Set("Content-Encoding", "gzip")
		}
		if t.token != "" {
			req.Header.Set("Authorization", "Bearer "+t.token)
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			return 0, err
		}
		if res.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("HTTP %d", res.StatusCode)
		}
		return rejectedOf(signal, answer)
	}
}

// rejectedOf reads partial_success.
func rejectedOf(signal string, answer []byte) (int64, error) {
	if len(answer) == 0 {
		return 0, nil
	}
	switch signal {
	case "traces":
		r := ptraceotlp.NewExportResponse()
		err := r.UnmarshalProto(answer)
		return r.PartialSuccess().RejectedSpans(), err
	case "logs":
		r := plogotlp.NewExportResponse()
		err := r.UnmarshalProto(answer)
		return r.PartialSuccess().RejectedLogRecords(), err
	}
	r := pmetricotlp.NewExportResponse()
	err := r.UnmarshalProto(answer)
	return r.PartialSuccess().RejectedDataPoints(), err
}
