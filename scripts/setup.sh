#!/bin/sh
# What Korrigan needs beyond npm: checks for it and, as root on Debian or Ubuntu, installs it. Silent when all is there.
#
#   scripts/setup.sh run     what `krg` needs
#   scripts/setup.sh test    that, a C compiler, and the programs that the tests move
#
# Exit status: 0 all is there · 1 something is missing, named on stderr.
set -eu

purpose=${1:-test}
case $purpose in
  run | test) ;;
  *)
    echo "usage: $0 run|test" >&2
    exit 2
    ;;
esac

[ "$(uname -s)" = Linux ] || { echo "korrigan: it needs Linux; this is $(uname -s)" >&2; exit 1; }
[ "$(uname -m)" = x86_64 ] || { echo "korrigan: it runs on x86-64 only for now; this is $(uname -m)" >&2; exit 1; }

missing=''   # packages
reasons=''   # one line each: package, and what was looked for

need() { # need PACKAGE COMMAND|/FILE
  case $2 in
    /*) [ -e "$2" ] && return ;;
    *) command -v "$2" >/dev/null && return ;;
  esac
  missing="$missing $1"
  reasons="$reasons  $1 (for $2)
"
}

check() {
  missing='' reasons=''
  need util-linux unshare
  need iproute2 ip
  need procps ps
  [ "$purpose" = test ] || return 0
  need gcc gcc
  need libc6-dev /usr/include/stdio.h
  need binutils objdump
  need python3 python3
  need perl perl
  need sqlite3 sqlite3
  need redis-server redis-server
  need redis-tools redis-cli
  need gzip gzip
  need etcd-server etcd
  need tmux tmux
  need htop htop
  need psmisc pstree
  need lsof lsof
  need strace strace
  need gdb gdb
}

# Debian's redis-server and etcd-server start services of the host when they are installed. The tests start their own, so those are put to rest.
quiet_services() {
  [ -d /run/systemd/system ] || return 0
  for service in redis etcd; do
    case $missing in
      *$service-server*) quiet_service $service ;;
    esac
  done
}

quiet_service() { # quiet_service redis|etcd
  unit=$1
  [ "$unit" != redis ] || unit=redis-server
  systemctl disable --now --quiet "$unit" >/dev/null 2>&1 || true
}

# install PACKAGES…: its output is shown only when it fails.
install() {
  log=$(mktemp)
  export DEBIAN_FRONTEND=noninteractive
  if apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 ||
    { apt-get update >"$log" 2>&1 && apt-get install -y --no-install-recommends "$@" >"$log" 2>&1; }; then
    rm -f "$log"
    return 0
  fi
  tail -n 5 "$log" >&2
  rm -f "$log"
  return 1
}

# A Java compiler and machine are nice to have: tried once in a checkout; the tests of java say so and are skipped without it.
try_java() {
  tried=$(dirname "$0")/../node_modules/.java-was-tried
  { command -v javac >/dev/null || [ -e "$tried" ]; } && return 0
  [ -d "${tried%/*}" ] && : >"$tried"
  echo 'korrigan: installing default-jdk-headless (optional)' >&2
  install default-jdk-headless || echo 'korrigan: java could not be installed; its tests will be skipped' >&2
}

may_install() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

check
if [ -n "$missing" ] && may_install; then
  echo "korrigan: installing$missing" >&2
  # Unquoted on purpose: a list of package names.
  # shellcheck disable=SC2086
  if install $missing; then quiet_services; fi
  check
fi
if [ -n "$missing" ]; then
  {
    echo 'korrigan: these Debian packages (or what they hold) are missing:'
    printf '%s' "$reasons"
    if may_install; then echo 'apt-get could not install them, see above.'
    elif command -v apt-get >/dev/null; then echo "Run as root, this installs them by itself; or: sudo apt-get install$missing"
    else echo 'Install them with the package manager of this machine (it has no apt-get).'; fi
  } >&2
  exit 1
fi
[ "$purpose" = run ] || ! may_install || try_java
