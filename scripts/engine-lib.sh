#!/usr/bin/env bash
# Installs the engine library (ClickHouse as a shared library) into the directory given, bin/lib by default. The
# version is pinned in store/engine/lib/package.json; npm downloads it as configured on this machine and verifies it:
# on Linux x86-64 against the checksum in package-lock.json, elsewhere against the one its registry states.
# Does nothing when that version is there.
set -euo pipefail
cd "$(dirname "$0")/.."
to=${1:-bin/lib}
pins=store/engine/lib
fail() { echo "engine library: $*" >&2; exit 1; }

os=$(uname -s) cpu=$(uname -m)
case "$os/$cpu" in
  Linux/x86_64)          platform=linux-x64-gnu ;;
  Linux/aarch64|Linux/arm64) platform=linux-arm64-gnu ;;
  Darwin/x86_64)         platform=darwin-x64 ;;
  Darwin/arm64)          platform=darwin-arm64 ;;
  *) fail "there is none for $os on $cpu: run Tidemark with --clickhouse-dsn and your own ClickHouse instead." ;;
esac
version=$(sed -n "s|.*\"@chdb/lib-linux-x64-gnu\": *\"\([^\"]*\)\".*|\1|p" "$pins/package.json")
[ -n "$version" ] || fail "no version in $pins/package.json."

installed() { [ "$(cat "$to/VERSION" 2>/dev/null)" = "$platform $version" ] && ls "$to"/libchdb.* >/dev/null 2>&1; }
if installed; then exit 0; fi
command -v npm >/dev/null || fail "npm is not installed: it comes with Node from https://nodejs.org; install it and run this again."

mkdir -p "$to"
need=1200 # MB: the download, and the library unpacked
free=$(df -Pm "$to" | awk 'NR==2 {print $4}')
[ "$free" -ge "$need" ] || fail "$free MB are free where it goes, $need MB are needed: make room and run this again."

work=$(mktemp -d "$to/.install.XXXXXX")
watcher=
finish() { [ -z "$watcher" ] || kill "$watcher" 2>/dev/null || true; rm -rf "$work"; }
trap finish EXIT
if [ "$platform" = linux-x64-gnu ]; then
  cp "$pins/package.json" "$pins/package-lock.json" "$work/"
  npm_install=(npm ci)
else
  echo '{"private": true}' >"$work/package.json"
  npm_install=(npm install --no-save --no-package-lock "@chdb/lib-$platform@$version")
fi

echo "engine library: installing ClickHouse $version for $platform (about 180 MB to download, 570 MB unpacked)"
progress() {
  local began=$SECONDS every=10
  if [ -t 1 ]; then every=1; fi
  while sleep "$every"; do
    local done_mb; done_mb=$(du -sm "$work" 2>/dev/null | cut -f 1)
    if [ -t 1 ]; then printf '\rengine library: %3d s, %3d MB unpacked ' $((SECONDS - began)) "$done_mb"
    else echo "engine library: $((SECONDS - began)) s, $done_mb MB unpacked"; fi
  done
}
progress & watcher=$!
log=$work/npm.log
# The package carries nothing to run at install time, so scripts are off.
if ! (cd "$work" && "${npm_install[@]}" --ignore-scripts --no-audit --no-fund --loglevel=error) >"$log" 2>&1; then
  cat "$log" >&2
  fail "npm could not install it: look at the lines above, check the network or npm's proxy settings, and run this again."
fi
kill "$watcher" 2>/dev/null || true; wait "$watcher" 2>/dev/null || true; watcher=
if [ -t 1 ]; then echo; fi

lib=$(ls "$work/node_modules/@chdb/lib-$platform"/libchdb.* 2>/dev/null | head -n 1 || true)
[ -n "$lib" ] || fail "@chdb/lib-$platform $version holds no libchdb: report this."
rm -f "$to"/libchdb.* "$to/VERSION"
mv "$lib" "$to/"
echo "$platform $version" >"$to/VERSION"
echo "engine library: installed into $to"
