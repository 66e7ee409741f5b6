package otlp

import (
	"context"
	"errors"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/pprofile/pprofileotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tidemarkhq/tidemark/ingest"
)

// The Collector's own client sends profiles over gRPC.
func TestProfilesOverGRPC(t *testing.T) {
	var got []byte
	var answer error
	var refusals []string
	take := func(_ context.Context, body []byte) (int, string, error) {
		got = append([]byte{}, body...)
		return 2, "two have no stacks", answer
	}
	open := func(profiles Profiles) *grpc.ClientConn {
		o := DefaultOptions()
		o.GRPCAddr, o.HTTPAddr, o.Profiles = "127.0.0.1:0", "", profiles
		o.Refused = func(signal ingest.Signal, reason, _ string) { refusals = append(refusals, signal.String()+" "+reason) }
		s, err := Serve(func(context.Context, ingest.Signal, []byte) (ingest.Result, error) {
			t.Error("profiles reached the sink of the other signals")
			return ingest.Result{}, nil
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Shutdown(context.Background()) })
		conn, err := grpc.NewClient(s.GRPCAddr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	data := pprofile.NewProfiles()
	data.Dictionary().StringTable().Append("")
	data.ResourceProfiles().AppendEmpty().Resource().Attributes().PutStr("service.name", "shop")
	req := pprofileotlp.NewExportRequestFromProfiles(data)
	want, err := req.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}

	conn := open(take)
	res, err := pprofileotlp.NewGRPCClient(conn).Export(t.Context(), req)
	if err != nil || string(got) != string(want) {
		t.Fatalf("%v; %d bytes arrived, want %d", err, len(got), len(want))
	}
	if p := res.PartialSuccess(); p.RejectedProfiles() != 2 || p.ErrorMessage() != "two have no stacks" {
		t.Errorf("answered %d %q", p.RejectedProfiles(), p.ErrorMessage())
	}
	answer = &ingest.MalformedError{Err: errors.New("the request is not v1development")}
	if _, err := pprofileotlp.NewGRPCClient(conn).Export(t.Context(), req); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "v1development") {
		t.Errorf("malformed: %v", err)
	}
	for _, name := range otherProfiles {
		err := conn.Invoke(t.Context(), "/"+name+"/Export", rawResponse(want), &rawRequest{}, grpc.ForceCodecV2(rawCodec{}))
		if status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "taken is opentelemetry.proto.collector.profiles.v1development") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := pprofileotlp.NewGRPCClient(open(nil)).Export(t.Context(), req); status.Code(err) != codes.Unimplemented || !strings.Contains(err.Error(), "--otlp-profiles") {
		t.Errorf("turned off: %v", err)
	}
	if want := "profiles"; len(refusals) != 2+len(otherProfiles) || !strings.HasPrefix(refusals[0], want) {
		t.Errorf("counted: %q", refusals)
	}
}
