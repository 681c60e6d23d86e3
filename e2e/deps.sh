#!/bin/sh
# Finds what the tests need besides Go: PostgreSQL's server binaries and Chromium.
# As root on Debian it installs what is missing; elsewhere it says what to install
# and fails, for a test that is skipped proves nothing.
set -eu

have_postgres() {
  command -v initdb >/dev/null 2>&1 || [ -x "$(pg_config --bindir 2>/dev/null)/initdb" ] ||
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
  # Nobody asked for the cluster that the package makes and starts on port 5432.
  setting=/etc/postgresql-common/createcluster.d/suitesign-deps.conf
  mkdir -p "${setting%/*}" && echo 'create_main_cluster = false' >"$setting"
  trap 'rm -f "$setting"' EXIT
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086 # a list of packages
  if apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing >/dev/null; then
    exit 0
  fi
  echo "make test: apt-get could not install them; what it said stands above" >&2
fi
cat >&2 <<TXT
make test: this machine lacks:$missing
The tests run on a real PostgreSQL and a real browser and do not pass without them.
  Debian, Ubuntu:  sudo apt-get install$missing
  macOS:           brew install postgresql chromium
TXT
exit 1
