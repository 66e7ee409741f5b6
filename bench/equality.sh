#!/usr/bin/env bash
# Attribute equality over many stored spans: loads SPANS of them (20 M), waits until merges settle, then asks the API for
# the newest 20 traces having each of several values, over the whole range: frequent, rare and not there at all.
#
#   bench/equality.sh TOOLS_DIR        TOOLS_DIR has otlpload/ (the load generator)
#
# SPANS, ASK (questions of each kind, 40), WORK (a directory kept between runs), TIDEMARK_BIN. Needs Linux (/proc).
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${1:?usage: bench/equality.sh TOOLS_DIR (with otlpload/)}
spans=${SPANS:-20000000}
ask=${ASK:-40}
tidemark=${TIDEMARK_BIN:-$PWD/bin/tidemark}
work=${WORK:-${TMPDIR:-/tmp}/tidemark-bench}
mkdir -p "$work"
[ -x "$work/otlpload" ] || (cd "$tools/otlpload" && go build -o "$work/otlpload" .)
. bench/product.sh

start "$data/equality"
web=$(sed -n 's/^ready http=\([^ ]*\).*/\1/p' "$dir.out")
have=0
while [ "$have" -lt "$spans" ]; do
  "$work/otlpload" -grpc "$grpc" -duration 20s -seed $RANDOM >/dev/null 2>&1
  have=$(sql "SELECT count() FROM spans")
  echo "$have spans" >&2
done
settle
# One value of each attribute, from a few spans, and how many spans have it.
sql "SELECT k, v, n FROM (SELECT k, v FROM (SELECT attr.key, attr.value FROM spans LIMIT 100000) ARRAY JOIN attr.key AS k, attr.value AS v LIMIT 1 BY k) AS s
     INNER JOIN (SELECT k, v, count() AS n FROM spans ARRAY JOIN attr.key AS k, attr.value AS v GROUP BY k, v) AS c USING (k, v) ORDER BY n" >"$work/values.tsv"
printf 'url.full\tnot-there-at-all\t0\n' >>"$work/values.tsv"
: >"$work/times"
echo "| value | spans with it | p50 ms | p99 ms |"
echo "|---|---|---|---|"
while IFS=$'\t' read -r k v n; do
  : >"$work/one"
  for _ in $(seq "$ask"); do
    curl -gsS -o "$work/answer" -w '%{http_code} %{time_total}\n' -G "http://$web/api/v1/traces" --data-urlencode "q=$k:\"$v\"" -d from=now-1d -d limit=20 >>"$work/one"
  done
  grep -v '^200 ' "$work/one" | head -1 >&2 || true
  awk '{ print $2 * 1000 }' "$work/one" | sort -n | tee -a "$work/times" | awk -v k="$k" -v n="$n" '{ a[NR] = $1 } END { printf "| `%s` | %s | %.0f | %.0f |\n", k, n, a[int((NR + 1) / 2)], a[int(NR * .99 + .5)] }'
done <"$work/values.tsv"
sort -n "$work/times" | awk '{ a[NR] = $1 } END { printf "| all | | %.0f | %.0f |\n", a[int((NR + 1) / 2)], a[int(NR * .99 + .5)] }'
