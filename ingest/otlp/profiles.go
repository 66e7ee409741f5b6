package otlp

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// profilesService is the state of the protocol for profiles that is taken; those before and after it have other names.
const profilesService = "opentelemetry.proto.collector.profiles.v1development.ProfilesService"

// otherProfiles are names under which senders of other versions ask.
var otherProfiles = []string{
	"opentelemetry.proto.collector.profiles.v1experimental.ProfilesService",
	"opentelemetry.proto.collector.profiles.v1alpha1.ProfilesService",
	"opentelemetry.proto.collector.profiles.v1.ProfilesService",
}

// Profiles takes the body of an ExportProfilesServiceRequest.
type Profiles func(ctx context.Context, body []byte) (rejected int, message string, err error)

func init() { services[profilesService] = ingest.Profiles }

// refuseOther tells senders of other versions which one is taken, instead of that a name is unknown.
func (s *Server) refuseOther(g *grpc.Server) {
	for _, name := range otherProfiles {
		g.RegisterService(&grpc.ServiceDesc{ServiceName: name, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{
			MethodName: "Export",
			Handler: func(_ any, ctx context.Context, _ func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
				endReading(ctx)
				handled(ctx)
				st := status.Newf(codes.Unimplemented, "%s is another version of OTLP profiles: taken is %s", name, profilesService)
				s.refused(ingest.Profiles, ingest.RefusedType, st)
				return nil, st.Err()
			},
		}}}, s)
	}
}

// take hands a request on: profiles to whom reads them, the rest to the sink.
func (s *Server) take(ctx context.Context, signal ingest.Signal, body []byte) (ingest.Result, error) {
	if signal != ingest.Profiles {
		return s.sink(ctx, signal, body)
	}
	if s.opts.Profiles == nil {
		st := status.New(codes.Unimplemented, "OTLP profiles are not taken unless Tidemark is started with --otlp-profiles: their protocol is still changing")
		s.refused(signal, ingest.RefusedType, st)
		return ingest.Result{}, st.Err()
	}
	rejected, message, err := s.opts.Profiles(ctx, body)
	var malformed *ingest.MalformedError
	if errors.As(err, &malformed) {
		s.refused(signal, ingest.RefusedBody, status.New(codes.InvalidArgument, err.Error()))
	}
	return ingest.Result{Rejected: rejected, Message: message}, err
}
