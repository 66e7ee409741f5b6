module github.com/tidemarkhq/tidemark/ingest/remotewrite/testdata/compliance

go 1.25.0

// The suite calls itself by a name that it cannot be fetched by.
require github.com/prometheus/complicance/remotewrite2 v0.0.0

replace github.com/prometheus/complicance/remotewrite2 => github.com/prometheus/compliance/remotewrite/receiver v0.0.0-20260806071727-67b8327a2e93
