package otlp

import (
	"context"
	"math"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // registers before us, so that ours, which is faster, replaces it
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"

	"github.com/tidemarkhq/tidemark/ingest"
)

// rawCodec hands messages over as they came: requests as one pooled buffer, responses already encoded.
type rawCodec struct{}

type rawRequest struct{ buf mem.Buffer }

type rawResponse []byte

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(rawResponse)
	if !ok {
		return nil, status.Errorf(codes.Internal, "cannot encode %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	r, ok := v.(*rawRequest)
	if !ok {
		return status.Errorf(codes.Internal, "cannot decode into %T", v)
	}
	r.buf = data.MaterializeToBuffer(mem.DefaultBufferPool())
	return nil
}

func (s *Server) newGRPC() *grpc.Server {
	opts := []grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(s.opts.MaxBody),
		grpc.MaxConcurrentStreams(1024),
		grpc.MaxHeaderListSize(32 << 10),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.ReadBufferSize(128 << 10),
		grpc.WriteBufferSize(8 << 10),
		grpc.SharedWriteBuffer(true),
		grpc.InitialWindowSize(1 << 20),
		grpc.InitialConnWindowSize(4 << 20),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second, MaxConnectionIdle: 30 * time.Minute,
			MaxConnectionAge: time.Duration(math.MaxInt64)}),
		grpc.InTapHandle(s.tap),
	}
	if s.opts.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.opts.TLS)))
	}
	g := grpc.NewServer(opts...)
	g.RegisterService(s.service("opentelemetry.proto.collector.trace.v1.TraceService", ingest.Traces), s)
	g.RegisterService(s.service("opentelemetry.proto.collector.logs.v1.LogsService", ingest.Logs), s)
	g.RegisterService(s.service("opentelemetry.proto.collector.metrics.v1.MetricsService", ingest.Metrics), s)
	return g
}

// tap refuses a request before its body is read.
func (s *Server) tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	if s.requests.Load() >= int64(s.opts.MaxRequests) {
		return ctx, retryable(codes.Unavailable, "too many requests under way", time.Second).Err()
	}
	return ctx, nil
}

func (s *Server) service(name string, signal ingest.Signal) *grpc.ServiceDesc {
	return &grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "Export",
		Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			return s.export(ctx, signal, decode)
		},
	}}}
}

func (s *Server) export(ctx context.Context, signal ingest.Signal, decode func(any) error) (any, error) {
	if !s.enter() {
		return nil, retryable(codes.Unavailable, "too many requests under way", time.Second).Err()
	}
	defer s.leave()
	if err := s.authorizeGRPC(ctx, signal); err != nil {
		st, _ := statusOf(err)
		return nil, st.Err()
	}
	var req rawRequest
	if err := decode(&req); err != nil {
		return nil, err
	}
	defer req.buf.Free()
	res, err := s.sink(ctx, signal, req.buf.ReadOnlyData())
	if err != nil {
		st, _ := statusOf(err)
		return nil, st.Err()
	}
	return rawResponse(appendResponse(nil, res)), nil
}

func (s *Server) authorizeGRPC(ctx context.Context, signal ingest.Signal) error {
	if s.opts.Authorize == nil {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	key := bearer(func(name string) string {
		if v := md.Get(name); len(v) > 0 {
			return v[0]
		}
		return ""
	})
	return s.opts.Authorize(ctx, key, signal.String())
}

func init() {
	encoding.RegisterCompressor(gzipCompressor{})
	encoding.RegisterCompressor(zstdCompressor{})
}
