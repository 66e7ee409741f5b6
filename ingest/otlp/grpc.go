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

// newGRPC makes the server of the port, or the one without TLS and keys that only this process can reach.
func (s *Server) newGRPC(port *connections) *grpc.Server {
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
		grpc.StatsHandler(refusals{s}),
	}
	if port != nil {
		opts = append(opts, grpc.StatsHandler(port), grpc.InTapHandle(s.tap))
	}
	if port != nil && s.opts.TLS != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.opts.TLS)))
	}
	g := grpc.NewServer(opts...)
	for name, signal := range services {
		g.RegisterService(s.service(name, signal), s)
	}
	s.refuseOther(g)
	return g
}

var services = map[string]ingest.Signal{
	"opentelemetry.proto.collector.trace.v1.TraceService":     ingest.Traces,
	"opentelemetry.proto.collector.logs.v1.LogsService":       ingest.Logs,
	"opentelemetry.proto.collector.metrics.v1.MetricsService": ingest.Metrics,
}

// tap refuses a request before its body is read.
func (s *Server) tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	signal, known := signalOf(info.FullMethodName)
	if s.requests.Load() >= int64(s.opts.MaxRequests) {
		if known {
			s.refused(signal, ingest.RefusedTooMany, tooMany())
		}
		return ctx, tooMany().Err()
	}
	if s.opts.Authorize != nil {
		scope := ""
		if known {
			scope = signal.String()
		}
		sender, err := s.opts.Authorize(keyOfGRPC(info.Header), scope)
		if err != nil {
			st, after := statusOf(err)
			if known {
				s.refused(signal, httpReason(httpStatus(st, after)), st)
			}
			return ctx, st.Err()
		}
		ctx = context.WithValue(ctx, senderKey{}, sender)
	}
	if !known {
		return ctx, nil
	}
	if s.opts.Admit != nil {
		if err := s.opts.Admit(signal); err != nil {
			st, _ := statusOf(err)
			return ctx, st.Err()
		}
	}
	return s.reading.beginGRPC(ctx), nil
}

func tooMany() *status.Status {
	return retryable(codes.Unavailable, "too many requests under way", busyFor)
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
		endReading(ctx)
		handled(ctx)
		st := tooMany()
		s.refused(signal, ingest.RefusedTooMany, st)
		return nil, st.Err()
	}
	defer s.leave()
	var req rawRequest
	err := decode(&req)
	endReading(ctx)
	if cause := givenUp(ctx); cause != nil && err != nil {
		handled(ctx)
		st := retryable(codes.Unavailable, cause.Error(), busyFor)
		s.refused(signal, ingest.RefusedTooMany, st)
		return nil, st.Err()
	}
	if err != nil {
		return nil, err
	}
	handled(ctx)
	defer req.buf.Free()
	sender := senderOf(ctx)
	charge(sender, req.buf.Len(), 0)
	res, err := s.take(ctx, signal, req.buf.ReadOnlyData())
	if _, coded := status.FromError(err); err != nil && coded {
		return nil, err
	}
	if err != nil {
		st, _ := statusOf(err)
		return nil, st.Err()
	}
	charge(sender, 0, res.Accepted+res.Rejected)
	return rawResponse(appendResponse(nil, res)), nil
}

func init() {
	encoding.RegisterCompressor(gzipCompressor{})
	encoding.RegisterCompressor(zstdCompressor{})
}
