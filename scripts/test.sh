#!/usr/bin/env bash
# Runs the tests: all of them, or those named: go, crash, race, web, e2e.
set -euo pipefail
cd "$(dirname "$0")/.."
export TIDEMARK_ENGINE_LIB=${TIDEMARK_ENGINE_LIB:-$PWD/bin/lib/$(ls bin/lib | grep -m 1 '^libchdb')}
step() { printf '\n== %s (%s)\n' "$1" "$(date +%T)"; }

run_go()   { step "Go tests with the real engine"; go test -timeout 20m ./...; }
run_crash() { step "Nothing lost, nothing twice: the product and its engine killed at random for ${CRASH_DURATION:-60s}"; go run ./bench/crash -duration "${CRASH_DURATION:-60s}" -bin bin/tidemark; }
# The race detector needs a C compiler. Packages without goroutines of their own gain nothing from it.
run_race() {
  if ! command -v gcc >/dev/null && ! command -v clang >/dev/null; then echo "no C compiler: the race detector is left out"; return; fi
  step "Go tests under the race detector"
  CGO_ENABLED=1 go test -race -short -timeout 20m ./ingest/... ./query/live/... ./store/engine/...
}
run_web()  { step "Unit tests of the browser application"; (cd web && npm run --silent typecheck && npm test --silent); }
run_e2e()  {
  step "Journeys in a real browser"
  CHROMIUM=$(./scripts/chromium.sh | tail -n 1); export CHROMIUM
  echo "using $CHROMIUM"
  (cd web && npx playwright test)
}

if [ $# = 0 ]; then set -- web go crash race e2e; fi
for part in "$@"; do "run_$part"; done
step "all passed"
