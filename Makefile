# The commands a person needs: build, run, demo, test. `make help` lists them.
SHELL       := /bin/bash
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_SOURCES  := $(shell find . -name '*.go' -not -path './web/node_modules/*' -not -name '*_test.go') $(shell find store -name '*.sql') go.mod go.sum
WEB_SOURCES := $(shell find web/src web/public web/index.html -type f 2>/dev/null) $(wildcard web/*.ts web/*.mjs web/package.json web/package-lock.json)
LDFLAGS     := -s -w -X main.version=$(VERSION)
export CGO_ENABLED ?= 0

.PHONY: help build run demo test test-go test-race test-web test-e2e eval bench crash outage lint clean tools
help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1	/' | expand -t 20

build: bin/tidemark bin/tidemark-demo bin/lib/.installed ## everything into bin/

tools:
	@./scripts/tools.sh

bin/lib/.installed: scripts/engine-lib.sh $(wildcard store/engine/lib/*.json) | tools
	@./scripts/engine-lib.sh bin/lib
	@touch $@

web/node_modules/.installed: web/package.json web/package-lock.json | tools
	@echo "web: installing packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/index.html: $(WEB_SOURCES) web/node_modules/.installed
	@echo "web: building"
	@cd web && npm run --silent build
	@touch $@

bin/tidemark: $(GO_SOURCES) web/dist/index.html | tools
	@echo "go: building tidemark"
	@go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/tidemark

bin/tidemark-demo: $(GO_SOURCES) | tools
	@echo "go: building the demo"
	@go build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/demo

run: bin/tidemark bin/lib/.installed ## build and start on the embedded ClickHouse
	@exec bin/tidemark $(ARGS)

demo: build ## the same with a small instrumented shop beside it: ARGS go to Tidemark, DEMO_ARGS to the shop
	@./scripts/demo.sh $(ARGS)

test: build web/node_modules/.installed ## install what the tests need and pass them all
	@./scripts/test.sh

test-go: bin/lib/.installed ## Go tests with the real engine
	@./scripts/test.sh go
test-race: bin/lib/.installed ## Go tests under the race detector
	@./scripts/test.sh race
test-web: web/node_modules/.installed ## the browser application's unit tests
	@./scripts/test.sh web
test-e2e: build web/node_modules/.installed ## journeys in a real browser
	@./scripts/test.sh e2e

crash: build ## kill the product, the engine or both at random for 5 minutes and count what was acknowledged
	@go run ./bench/crash -duration 5m -bin bin/tidemark

outage: build ## ClickHouse away for an hour's worth of load: SPANS=18000000 RATE=40000
	@go run ./bench/outage -bin bin/tidemark -spans $(or $(SPANS),18000000) -rate $(or $(RATE),40000)

eval: ## how good detection and explanations are, against golden files; needs TIDEMARK_DETEVAL, TIDEMARK_SERIES and TIDEMARK_SIMSHOP (docs/detection.md, docs/incidents.md)
	@go test ./anomaly/... ./cmd/tidemark -run Quality -timeout 120m -count=1 -v

bench: build ## ingest beside the Collector: make bench TOOLS=DIRECTORY [MODES="traces-grpc logs"]
	@./bench/peer.sh $(TOOLS) $(MODES)

lint: ## gofmt, vet
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	@go vet ./...

clean: ## remove what was built, not the data
	rm -rf bin web/dist/* web/node_modules
