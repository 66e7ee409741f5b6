#!/usr/bin/env bash
# How the cost of a span moves with what is stored, with how many services there are, and with how many attributes a
# span has; and what five hundred small senders cost. Prints tables in markdown. Each measurement begins and ends with
# no merge running, so that a row is charged with the merges it causes.
#
#   bench/curves.sh [stored] [services] [attributes] [senders]      without any: all
#
# STORED (1e6 3e6 10e6 30e6 100e6), SERVICES (10 100 1000 5000), ATTRIBUTES (5 10 20 40 60): the points of the curves.
# SPANS (2000000): how many spans are measured at each. SECONDS_SMALL (60), SENDERS (500). WORK, TIDEMARK_BIN as in
# bench/peer.sh. Needs Linux (/proc).
set -euo pipefail
cd "$(dirname "$0")/.."
curves=("$@")
[ ${#curves[@]} -gt 0 ] || curves=(stored services attributes senders)
spans=${SPANS:-2000000}
tidemark=${TIDEMARK_BIN:-$PWD/bin/tidemark}
work=${WORK:-${TMPDIR:-/tmp}/tidemark-bench}
mkdir -p "$work"
[ -x "$tidemark" ] || { echo "$tidemark is missing: run make build" >&2; exit 1; }
go build -o "$work/otlpgen" ./bench/otlpgen
. bench/product.sh

# send COUNT [FLAGS…]: sends about so many spans and reports any that failed.
send() {
  local n=$1; shift
  "$work/otlpgen" -signal traces -grpc "$grpc" -count "$n" -duration 1h "$@" >"$work/curve.log" 2>&1 || { cat "$work/curve.log" >&2; exit 1; }
  grep -q '"failed_items": 0,' "$work/curve.log" || { cat "$work/curve.log" >&2; exit 1; }
}
count() { sql "SELECT sum(rows) FROM system.parts WHERE active AND database = 'tidemark' AND table = 'spans'"; }
disk() { sql "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'tidemark'"; }

head="| CPU µs a span: server | engine | both | spans per CPU-second | bytes a span | RSS MB, server + engine |"
# measure LABEL [FLAGS…]: one row of a table.
measure() {
  local label=$1 s0 e0 s1 e1 n0 n1 b0 b1; shift
  n0=$(count); b0=$(disk); s0=$(cpu "$product"); e0=$(cpu "$engine")
  send "$spans" "$@"
  settle
  s1=$(cpu "$product"); e1=$(cpu "$engine"); n1=$(count); b1=$(disk)
  awk -v l="$label" -v n=$((n1 - n0)) -v b=$((b1 - b0)) -v s="$(awk "BEGIN { print $s1 - $s0 }")" -v e="$(awk "BEGIN { print $e1 - $e0 }")" \
    -v m="$(rss "$product") + $(rss "$engine")" 'BEGIN {
    printf "| %s | %.2f | %.2f | %.2f | %.1f k | %.1f | %s |\n", l, s / n * 1e6, e / n * 1e6, (s + e) / n * 1e6, n / (s + e) / 1000, b / n, m }'
}
title() { printf '\n| %s %s\n|---|---|---|---|---|---|---|\n' "$1" "$head"; }

curve_stored() {
  title "spans stored"
  start "$data/stored"
  local size have
  for size in ${STORED:-1e6 3e6 10e6 30e6 100e6}; do
    size=$(awk "BEGIN { printf \"%d\", $size }")
    have=$(count)
    [ "$size" -le "$have" ] || { send $((size - have)); settle; }
    measure "$(awk "BEGIN { printf \"%.1f M\", $size / 1e6 }")"
  done
  stop; rm -rf "$data/stored"
}
# curve_of LABEL FLAG VALUES…: a fresh store for each point, warmed up with a tenth of the spans.
curve_of() {
  title "$1"
  local flag=$2 v; shift 2
  for v in "$@"; do
    start "$data/$flag-$v"
    send $((spans / 10)) "$flag" "$v"; settle
    measure "$v" "$flag" "$v"
    stop; rm -rf "$data/$flag-$v"
  done
}
curve_senders() {
  local seconds=${SECONDS_SMALL:-60} senders=${SENDERS:-500} s0 e0 s1 e1 what
  printf '\n| %s senders, one span a second each | CPU of one core: server | engine | answer ms, p50 | p99 |\n|---|---|---|---|---|\n' "$senders"
  start "$data/senders"
  for what in idle sending; do
    s0=$(cpu "$product"); e0=$(cpu "$engine")
    if [ $what = idle ]; then sleep "$seconds"; : >"$work/curve.log"; else
      "$work/otlpgen" -signal traces -grpc "$grpc" -conns "$senders" -items 1 -rate "$senders" -duration "${seconds}s" -payloads 256 >"$work/curve.log"
    fi
    s1=$(cpu "$product"); e1=$(cpu "$engine")
    awk -v w=$what -v t="$seconds" -v s="$(awk "BEGIN { print $s1 - $s0 }")" -v e="$(awk "BEGIN { print $e1 - $e0 }")" -v p50="$(field ack_ms_p50 "$work/curve.log")" -v p99="$(field ack_ms_p99 "$work/curve.log")" \
      'BEGIN { printf "| %s | %.1f %% | %.1f %% | %s | %s |\n", w, 100 * s / t, 100 * e / t, p50 == "" ? "–" : p50, p99 == "" ? "–" : p99 }'
  done
  stop; rm -rf "$data/senders"
}

for curve in "${curves[@]}"; do
  # shellcheck disable=SC2086
  case $curve in
    stored) curve_stored ;;
    services) curve_of services -services ${SERVICES:-10 100 1000 5000} ;;
    attributes) curve_of "attributes a span" -attrs ${ATTRIBUTES:-5 10 20 40 60} ;;
    senders) curve_senders ;;
    *) echo "curve $curve: want stored, services, attributes or senders" >&2; exit 1 ;;
  esac
done
