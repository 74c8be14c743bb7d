#!/usr/bin/env bash
# install-claude.sh VERSION…
#
# Installs those versions of the Claude Code CLI from npm into target/claude/VERSION/, for the real-CLI
# suite (tests/real_claude.rs), and prints the path of each native binary. A version that is there
# already is left alone; any number of runs at a time do not disturb each other.
set -euo pipefail

package=@anthropic-ai/claude-code
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
store=$root/target/claude

fail() {
  echo "install-claude.sh: $*" >&2
  exit 1
}

# The native binary in the installation $1. npm puts it into a package for each platform.
native() {
  local binary
  for binary in "$1"/node_modules/"$package"-*/claude; do
    if [ -x "$binary" ]; then
      echo "$binary"
      return
    fi
  done
  return 1
}

# Installs version $1 beside its final place and moves it there whole: what stands there is complete.
install_version() {
  local version=$1 home=$store/$1 work binary
  if [ ! -x "$home/bin/claude" ]; then
    command -v npm >/dev/null ||
      fail "npm is missing: install Node.js 18 or later with npm, then run this again"
    mkdir -p "$store"
    work=$(mktemp -d "$store/.install-XXXXXX")
    # shellcheck disable=SC2064 # The folder of this very version.
    trap "rm -rf '$work'" EXIT
    echo '{"private":true}' >"$work/package.json"
    npm install --prefix "$work" --no-audit --no-fund --no-progress --loglevel=error \
      "$package@$version" >&2 || fail "npm could not install $package@$version"
    binary=$(native "$work") || fail "$package@$version has no native binary for this platform"
    mkdir "$work/bin"
    ln -s "..${binary#"$work"}" "$work/bin/claude"
    "$work/bin/claude" --version >/dev/null || fail "the CLI of $package@$version does not start"
    # Another run may have been faster; in between, mv would even move into its folder.
    [ -e "$home" ] || mv "$work" "$home"
    rm -rf "$work" "$home/${work##*/}"
    trap - EXIT
  fi
  native "$home"
}

[ $# -gt 0 ] || fail "usage: install-claude.sh VERSION…"
for version in "$@"; do
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "not a version: $version"
  install_version "$version"
done
