#!/usr/bin/env bash
# Starts Tidemark and the demo shop together; Ctrl-C stops both. Arguments go to Tidemark, DEMO_ARGS to the shop.
set -euo pipefail
cd "$(dirname "$0")/.."
pids=()
stop() { trap - INT TERM EXIT; for p in "${pids[@]}"; do kill -TERM "$p" 2>/dev/null || true; done; wait || true; }
trap stop INT TERM EXIT
log=$(mktemp)
bin/tidemark "$@" > >(tee "$log") & pids+=($!)
until grep -q '^ready ' "$log"; do
  kill -0 "${pids[0]}" 2>/dev/null || { wait "${pids[0]}"; exit $?; }
  sleep 0.1
done
otlp=$(sed -n 's/^ready .*otlp_grpc=\([^ ]*\).*/\1/p' "$log")
http=$(sed -n 's/^ready http=\([^ ]*\).*/\1/p' "$log")
rm -f "$log"
# shellcheck disable=SC2086 # several arguments
bin/tidemark-demo --otlp-endpoint "$otlp" --tidemark "http://$http" ${DEMO_ARGS:-} & pids+=($!)
wait -n "${pids[@]}"
