#!/usr/bin/env bash
# Says in one sentence what is missing to build Tidemark, and what to do about it.
set -euo pipefail
fail() { echo "tidemark: $*" >&2; exit 1; }
command -v go >/dev/null   || fail "Go is not installed: install Go 1.26 or newer from https://go.dev/dl and run this again."
command -v node >/dev/null || fail "Node is not installed: install Node 20.19 or newer from https://nodejs.org and run this again."
command -v npm >/dev/null  || fail "npm is not installed: it comes with Node from https://nodejs.org; install it and run this again."
node -e 'const [a,b]=process.versions.node.split(".").map(Number); process.exit(a>20||(a===20&&b>=19)?0:1)' \
  || fail "Node $(node --version) is too old: install 20.19 or newer from https://nodejs.org."
have=$(go env GOVERSION | sed 's/^go//'); want=1.26
[ "$(printf '%s\n%s\n' "$want" "${have%%-*}" | sort -V | head -n 1)" = "$want" ] \
  || [ "$(go env GOTOOLCHAIN)" != local ] \
  || fail "Go $have is too old: install $want or newer from https://go.dev/dl."
