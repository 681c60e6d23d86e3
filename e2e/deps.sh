#!/bin/sh
# Finds what the tests need besides Go: PostgreSQL's server binaries and Chromium.
# As root on Debian it installs what is missing; elsewhere it says what to install
# and fails, for a test that is skipped proves nothing.
set -eu

have_postgres() {
  command -v initdb >/dev/null 2>&1 ||
    ls /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb >/dev/null 2>&1
}
have_chromium() {
  [ -n "${SUITESIGN_TEST_CHROMIUM:-}" ] || command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 ||
    command -v google-chrome >/dev/null 2>&1 || [ -d "/Applications/Google Chrome.app" ]
}
have_compiler() { command -v "${CC:-cc}" >/dev/null 2>&1 || command -v gcc >/dev/null 2>&1; }

missing=
have_postgres || missing="$missing postgresql"
have_chromium || missing="$missing chromium"
have_compiler || missing="$missing gcc libc6-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo "make test: installing$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  # shellcheck disable=SC2086 # a list of packages
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
  exit 0
fi
cat >&2 <<TXT
make test: this machine lacks:$missing
The tests run on a real PostgreSQL and a real browser and do not pass without them.
  Debian, Ubuntu:  sudo apt-get install$missing
  macOS:           brew install postgresql chromium
TXT
exit 1
