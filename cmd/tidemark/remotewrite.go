package main

import (
	"net/http"

	"github.com/tidemarkhq/tidemark/ingest"
	"github.com/tidemarkhq/tidemark/ingest/otlp"
	"github.com/tidemarkhq/tidemark/ingest/remotewrite"
)

// furtherReceivers takes in what the HTTP port receives beside OTLP: Prometheus' remote write, and profiles.
func (p *product) furtherReceivers(in *ingest.Ingest, receiver otlp.Options) http.Handler {
	o := remotewrite.DefaultOptions()
	o.MaxBody, o.MaxReading, o.Logger = receiver.MaxBody, receiver.MaxReading, p.log
	o.Admit = in.Admit
	o.Refused = func(reason, example string) { in.Refuse(ingest.Metrics, reason, example) }
	p.profiles = p.profileReceiver(in)
	mux := http.NewServeMux()
	mux.Handle(remotewrite.Path, remotewrite.New(metered(in), o))
	mux.Handle("/", p.profiles)
	return mux
}
