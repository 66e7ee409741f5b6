# What bench/peer.sh and bench/curves.sh share: a Tidemark on free ports, and what /proc and its store say about it.
# Expects $tidemark (the binary) and $work (a directory); makes $data, which is removed at the end.

pids=()
data=$(mktemp -d "$work/data.XXXXXX")
stop() { for p in "${pids[@]}"; do kill -TERM "$p" 2>/dev/null || true; done; wait 2>/dev/null || true; pids=(); }
cleanup() { stop; rm -rf "$data"; }
trap cleanup EXIT

# start DIR: a Tidemark on free ports; sets dir, product, engine, grpc and http.
start() {
  dir=$1
  mkdir -p "$dir"
  "$tidemark" --data-dir "$dir" --self-telemetry=false --http-addr 127.0.0.1:0 --otlp-grpc-addr 127.0.0.1:0 --otlp-http-addr 127.0.0.1:0 \
    >"$dir.out" 2>"$dir.err" & pids+=($!)
  until grep -qs '^ready ' "$dir.out"; do
    kill -0 "${pids[-1]}" 2>/dev/null || { cat "$dir.err" >&2; exit 1; }
    sleep 0.1
  done
  grpc=$(sed -n 's/^ready .*otlp_grpc=\([^ ]*\).*/\1/p' "$dir.out")
  http=$(sed -n 's/^ready .*otlp_http=\([^ ]*\).*/\1/p' "$dir.out")
  product=$(sed -n 's/^ready .* pid=\([0-9]*\).*/\1/p' "$dir.out")
  engine=$(sed -n 's/^ready .*engine_pid=\([0-9]*\).*/\1/p' "$dir.out")
}
sql() { "$tidemark" sql --data-dir "$dir" "$1"; }
listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
free_port() { port=${1:-$((20000 + RANDOM % 10000))}; while listening "$port"; do port=$((port + 1)); done; }
# cpu PID: user and system time in seconds.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); printf "%.2f", ($12 + $13) / hz }' "/proc/$1/stat"; }
rss() { awk '/^VmRSS/ { print int($2 / 1024) }' "/proc/$1/status"; }
settle() { local quiet=0; while [ $quiet -lt 5 ]; do [ "$(sql 'SELECT count() FROM system.merges')" = 0 ] && quiet=$((quiet + 1)) || quiet=0; sleep 1; done; }
# field NAME FILE: a number of what a generator printed.
field() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" "$2"; }
