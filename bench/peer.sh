#!/usr/bin/env bash
# Tidemark beside the peer that a user would otherwise run: the OpenTelemetry Collector with contrib's ClickHouse
# exporter. Both take the same load in turn, each into an embedded engine of its own, and wait until merges settle.
# Counted are the CPU seconds of all server processes, from the first span until the last merge: on a machine that does
# other things as well, spans per second vary and spans per CPU-second hardly do.
#
#   bench/peer.sh TOOLS_DIR        TOOLS_DIR has otlpload/ (the load generator) and peer/build.sh
#
# DURATION (60s), LOAD (further flags of otlpload, for instance -gzip), WORK (a directory kept between runs), ONLY
# (tidemark or peer). Needs Linux (/proc) and bin/tidemark.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${1:?usage: bench/peer.sh TOOLS_DIR (with otlpload/ and peer/build.sh)}
duration=${DURATION:-60s}
load=${LOAD:-}
only=${ONLY:-}
tidemark=${TIDEMARK_BIN:-$PWD/bin/tidemark}
work=${WORK:-${TMPDIR:-/tmp}/tidemark-bench}
mkdir -p "$work"

[ -x "$tidemark" ] || { echo "$tidemark is missing: run make build" >&2; exit 1; }
[ -x "$work/otlpload" ] || (cd "$tools/otlpload" && go build -o "$work/otlpload" .)
[ "$only" = tidemark ] || [ -x "$work/peer/otelcol-peer" ] || "$tools/peer/build.sh" "$work/peer"

pids=()
data=$(mktemp -d "$work/data.XXXXXX")
cleanup() { for p in "${pids[@]}"; do kill -TERM "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; rm -rf "$data"; }
trap cleanup EXIT

# start DIR: a Tidemark on free ports; sets product, engine and grpc.
start() {
  "$tidemark" --data-dir "$1" --self-telemetry=false --http-addr 127.0.0.1:0 --otlp-grpc-addr 127.0.0.1:0 --otlp-http-addr 127.0.0.1:0 \
    >"$1.out" 2>"$1.err" & pids+=($!)
  until grep -q '^ready ' "$1.out"; do
    kill -0 "${pids[-1]}" 2>/dev/null || { cat "$1.err" >&2; exit 1; }
    sleep 0.1
  done
  grpc=$(sed -n 's/^ready .*otlp_grpc=\([^ ]*\).*/\1/p' "$1.out")
  product=$(sed -n 's/^ready .* pid=\([0-9]*\).*/\1/p' "$1.out")
  engine=$(sed -n 's/^ready .*engine_pid=\([0-9]*\).*/\1/p' "$1.out")
}
stop() { for p in "${pids[@]}"; do kill -TERM "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; pids=(); }
sql() { "$tidemark" sql --data-dir "$dir" "$1"; }
free_port() { port=$((20000 + RANDOM % 10000)); while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done; }
# cpu PID: user and system time in seconds.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); printf "%.2f", ($12 + $13) / hz }' "/proc/$1/stat"; }
rss() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$1/status"; }
settle() { local quiet=0; while [ $quiet -lt 5 ]; do [ "$(sql 'SELECT count() FROM system.merges')" = 0 ] && quiet=$((quiet + 1)) || quiet=0; sleep 1; done; }

# measure NAME DATABASE TABLE SERVER_PID ADDR: loads ADDR and prints one row.
measure() {
  local name=$1 database=$2 table=$3 server=$4 addr=$5 s0 e0 s1 e1 spans accepted bytes rate memory
  s0=$(cpu "$server"); e0=$(cpu "$engine")
  # shellcheck disable=SC2086
  "$work/otlpload" -grpc "$addr" -duration "$duration" -pids "$server,$engine" $load >"$work/$name.log" 2>&1 || { cat "$work/$name.log" >&2; exit 1; }
  grep -q '"failed_spans": 0,' "$work/$name.log" || { cat "$work/$name.log" >&2; echo "$name: some requests failed" >&2; exit 1; }
  memory="$(rss "$server") + $(rss "$engine")"
  settle
  s1=$(cpu "$server"); e1=$(cpu "$engine")
  spans=$(sql "SELECT count() FROM $database.$table")
  accepted=$(sed -n 's/.*"accepted_spans": \([0-9]*\).*/\1/p' "$work/$name.log")
  [ "$spans" = "$accepted" ] || echo "$name: $accepted spans accepted but $spans stored" | tee -a "$work/notes" >&2
  bytes=$(sql "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '$database'")
  rate=$(awk -v n="$spans" -v d="${duration%s}" 'BEGIN { printf "%d", n / d }')
  awk -v name="$name" -v n="$spans" -v r="$rate" -v s="$(awk "BEGIN{print $s1-$s0}")" -v e="$(awk "BEGIN{print $e1-$e0}")" -v m="$memory" -v b="$bytes" 'BEGIN {
    printf "| %s | %d | %d | %.1f + %.1f | %.1f k | %s | %.1f |\n", name, n, r, s, e, n / (s + e) / 1000, m, b / n }' | tee -a "$work/rows"
  sed "s/^/    /" "$work/$name.log" >&2
  sql "SELECT table, sum(rows), round(sum(bytes_on_disk) / $spans, 2) AS bytes_a_span FROM system.parts WHERE active AND database = '$database' GROUP BY table ORDER BY 3 DESC FORMAT PrettyCompact" 2>/dev/null |
    sed "s/^/    /" >&2 || true
}

: >"$work/rows"; : >"$work/notes"
if [ "$only" != peer ]; then
  dir=$data/tidemark; mkdir -p "$dir"; start "$dir"
  measure tidemark tidemark spans "$product" "$grpc"
  stop
fi
if [ "$only" != tidemark ]; then
  dir=$data/peer; mkdir -p "$dir"; start "$dir"
  dsn=$("$tidemark" clickhouse-dsn --data-dir "$dir")
  free_port; sed "s/127.0.0.1:14317/127.0.0.1:$port/; s/127.0.0.1:14318/127.0.0.1:0/" "$work/peer/clickhouse.yaml" >"$work/peer.yaml"
  PEER_DSN=$(sed -E 's/([?&])database=[^&]*&?/\1/; s/[?&]$//' <<<"$dsn") "$work/peer/otelcol-peer" --config "file:$work/peer.yaml" >"$work/peer.out" 2>&1 & pids+=($!)
  peer=$!
  until (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null; do kill -0 $peer 2>/dev/null || { cat "$work/peer.out" >&2; exit 1; }; sleep 0.2; done
  measure peer otel_peer otel_traces "$peer" "127.0.0.1:$port"
  stop
fi
echo
echo "| | spans | spans/s | CPU s, server + engine | spans per CPU-second | RSS MB, server + engine | bytes a span |"
echo "|---|---|---|---|---|---|---|"
cat "$work/rows" "$work/notes"
