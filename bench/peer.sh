#!/usr/bin/env bash
# Tidemark beside the peer that a user would otherwise run: the OpenTelemetry Collector with contrib's ClickHouse
# exporter. Both take the same load in turn, each into an embedded engine of its own, and wait until merges settle.
# Counted are the CPU seconds of all server processes, from the first item until the last merge: on a machine that does
# other things as well, items per second vary and items per CPU-second hardly do.
#
#   bench/peer.sh TOOLS_DIR [MODE…]        TOOLS_DIR has otlpload/ (the load generator) and peer/build.sh
#
# A mode is traces, logs or metrics, with -grpc (the default) or -http-gzip behind it; without any: traces-grpc
# traces-http-gzip logs metrics. Traces are sent by otlpload, logs and metric points by bench/otlpgen.
#
# DURATION (60s), LOAD (further flags of the generator), WORK (a directory kept between runs), ONLY (tidemark or peer),
# TIDEMARK_BIN (bin/tidemark). Needs Linux (/proc).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${1:?usage: bench/peer.sh TOOLS_DIR [MODE…] (with otlpload/ and peer/build.sh)}
shift
modes=("$@")
[ ${#modes[@]} -gt 0 ] || modes=(traces-grpc traces-http-gzip logs metrics)
for mode in "${modes[@]}"; do
  [[ $mode =~ ^(traces|logs|metrics)(-grpc|-http-gzip)?$ ]] || { echo "mode $mode: want traces, logs or metrics, with -grpc or -http-gzip" >&2; exit 1; }
done
duration=${DURATION:-60s}
load=${LOAD:-}
only=${ONLY:-}
tidemark=${TIDEMARK_BIN:-$PWD/bin/tidemark}
work=${WORK:-${TMPDIR:-/tmp}/tidemark-bench}
mkdir -p "$work"

[ -x "$tidemark" ] || { echo "$tidemark is missing: run make build" >&2; exit 1; }
[ -x "$work/otlpload" ] || (cd "$tools/otlpload" && go build -o "$work/otlpload" .)
go build -o "$work/otlpgen" ./bench/otlpgen
[ "$only" = tidemark ] || [ -x "$work/peer/otelcol-peer" ] || "$tools/peer/build.sh" "$work/peer"

. bench/product.sh

# start_peer: the Collector on free ports, storing into the engine of the Tidemark that runs; sets peer, grpc and http.
start_peer() {
  local dsn
  dsn=$("$tidemark" clickhouse-dsn --data-dir "$dir")
  free_port; grpc=127.0.0.1:$port
  free_port $((port + 1)); http=127.0.0.1:$port
  sed "s/127.0.0.1:14317/$grpc/; s/127.0.0.1:14318/$http/
    s/pipelines: {traces: \({[^}]*}\)}/pipelines: {traces: \1, logs: \1, metrics: \1}/" "$work/peer/clickhouse.yaml" >"$work/peer.yaml"
  grep -q 'metrics: {receivers' "$work/peer.yaml" || { echo "the peer's configuration has changed: its pipelines are not where they were" >&2; exit 1; }
  PEER_DSN=$(sed -E 's/([?&])database=[^&]*&?/\1/; s/[?&]$//' <<<"$dsn") "$work/peer/otelcol-peer" --config "file:$work/peer.yaml" >"$work/peer.out" 2>&1 & pids+=($!)
  peer=$!
  until listening "${grpc#*:}"; do kill -0 $peer 2>/dev/null || { cat "$work/peer.out" >&2; exit 1; }; sleep 0.2; done
}
# generate MODE SERVER_PIDS: sends what the mode says to grpc or http.
generate() {
  local program=(otlpgen -signal "${1%%-*}") to=(-grpc "$grpc") path=
  [[ $1 != traces* ]] || { program=(otlpload); path=/v1/traces; }
  [[ $1 != *-http-gzip ]] || to=(-gzip -http "http://$http$path")
  # shellcheck disable=SC2086
  "$work/${program[0]}" "${program[@]:1}" "${to[@]}" -duration "$duration" -pids "$2" $load
}
# stored DATABASE MODE: how many items of the mode's signal are in the database.
stored() {
  local tables
  case $1-${2%%-*} in
    tidemark-traces) tables="= 'spans'" ;; tidemark-logs) tables="= 'logs'" ;; tidemark-metrics) tables="= 'metric_samples'" ;;
    otel_peer-traces) tables="= 'otel_traces'" ;; otel_peer-logs) tables="= 'otel_logs'" ;; otel_peer-metrics) tables="LIKE 'otel\\_metrics\\_%'" ;;
  esac
  sql "SELECT sum(rows) FROM system.parts WHERE active AND database = '$1' AND table $tables"
}

# measure MODE NAME DATABASE SERVER_PID: loads it and prints one row.
measure() {
  local mode=$1 name=$2 database=$3 server=$4 s0 e0 s1 e1 items accepted bytes memory log=$work/$1-$2.log
  s0=$(cpu "$server"); e0=$(cpu "$engine")
  generate "$mode" "$server,$engine" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
  grep -qE '"failed_(spans|items)": 0,' "$log" || { cat "$log" >&2; echo "$mode, $name: some requests failed" >&2; exit 1; }
  memory="$(rss "$server") + $(rss "$engine")"
  settle
  s1=$(cpu "$server"); e1=$(cpu "$engine")
  items=$(stored "$database" "$mode")
  accepted=$(sed -nE 's/.*"accepted_(spans|items)": ([0-9]*).*/\2/p' "$log")
  [ "$items" = "$accepted" ] || echo "$mode, $name: $accepted accepted but $items stored" | tee -a "$work/notes" >&2
  bytes=$(sql "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '$database'")
  awk -v mode="$mode" -v name="$name" -v n="$items" -v d="${duration%s}" -v s0="$s0" -v s1="$s1" -v e0="$e0" -v e1="$e1" -v m="$memory" -v b="$bytes" \
    -v p50="$(field ack_ms_p50 "$log")" -v p99="$(field ack_ms_p99 "$log")" 'BEGIN { s = s1 - s0; e = e1 - e0
      printf "| %s | %s | %d | %d | %.1f + %.1f | %.1f k | %s | %.1f | %.0f, %.0f |\n", mode, name, n, n / d, s, e, n / (s + e) / 1000, m, b / n, p50, p99 }' | tee -a "$work/rows"
  sed "s/^/    /" "$log" >&2
  sql "SELECT table, sum(rows), round(sum(bytes_on_disk) / $items, 2) AS bytes_an_item FROM system.parts WHERE active AND database = '$database' GROUP BY table ORDER BY 3 DESC FORMAT PrettyCompact" 2>/dev/null |
    sed "s/^/    /" >&2 || true
}

: >"$work/rows"; : >"$work/notes"
for mode in "${modes[@]}"; do
  if [ "$only" != peer ]; then
    start "$data/$mode-tidemark"
    measure "$mode" Tidemark tidemark "$product"
    stop
  fi
  if [ "$only" != tidemark ]; then
    start "$data/$mode-peer"
    start_peer
    measure "$mode" peer otel_peer "$peer"
    stop
  fi
  rm -rf "${data:?}"/*
done
echo
echo "| load | | items | items/s | CPU s, server + engine | items per CPU-second | RSS MB, server + engine | bytes an item | answer ms, p50, p99 |"
echo "|---|---|---|---|---|---|---|---|---|"
cat "$work/rows"
awk -F'|' '{ gsub(/ /, "", $2); gsub(/ /, "", $3); v = $7 + 0; if ($3 == "peer" && us[$2]) printf "%s%s: %.2f times the peer", n++ ? "; " : "\n", $2, us[$2] / v; else us[$2] = v } END { if (n) print "" }' "$work/rows"
cat "$work/notes"
