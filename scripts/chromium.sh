#!/usr/bin/env bash
# Prints the path of a Chromium for the browser tests: an installed Chrome or Chromium, else Debian's package, else
# the download that Playwright offers.
set -euo pipefail
cd "$(dirname "$0")/.."
find_one() {
  for c in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    [ -n "$c" ] && command -v "$c" && return 0
  done
  for c in "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome" "/Applications/Chromium.app/Contents/MacOS/Chromium"; do
    [ -x "$c" ] && echo "$c" && return 0
  done
  return 1
}
find_one && exit 0
if command -v apt-get >/dev/null; then
  as_root=; [ "$(id -u)" = 0 ] || as_root="sudo -n"
  echo "chromium: installing the distribution's package" >&2
  { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium; } >&2 || true
  find_one && exit 0
fi
echo "chromium: downloading through Playwright" >&2
(cd web && npx playwright install chromium) >&2
(cd web && node -e 'console.log(require("playwright-core").chromium.executablePath())')
