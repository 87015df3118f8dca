#!/usr/bin/env bash
# Language runtimes in a sandbox, compared with themselves run natively: Java, Go, Node,
# and CPython's own tests of processes, signals, threads, memory and time.
# usage: run.sh RUNSC [java go node cpython]
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1")
shift
want=${*:-java go node cpython}
# Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
work=$(mktemp -d /var/tmp/runsc-test.runtimes.XXXXXX)
trap 'rm -rf "$work"' EXIT
rc=0
wanted() { [[ " $want " = *" $1 "* ]]; }
have() { # part, program
  command -v "$2" >/dev/null || { echo "skip runtimes/$1: $2 is not installed"; return 1; }
}
compare() { # name, command…: the same output and status
  local name=$1 a b
  shift
  leaks_before
  timeout 120 "$@" >"$work/native" 2>&1 </dev/null
  a=$?
  timeout 240 "$runsc" do -- "$@" >"$work/inside" 2>&1 </dev/null
  b=$?
  if [ $a = 0 ] && [ $b = 0 ] && diff "$work/native" "$work/inside"; then
    echo "ok runtimes/$name"
  else
    tail -5 "$work/inside"
    echo "FAIL runtimes/$name: status $a natively, $b inside"
    rc=1
  fi
  leaks_after "runtimes/$name" || rc=1
}

if wanted java && have java javac; then
  javac -d "$work" "$here/Jvm.java" || rc=1
  compare java java -cp "$work" Jvm
  compare java-interpreted java -Xint -XX:+UseParallelGC -cp "$work" Jvm
fi
if wanted go && have go go; then
  (cd "$work" && HOME=$work GO111MODULE=off GOFLAGS= go build -o goroutines "$here/goroutines.go") || rc=1
  compare go "$work/goroutines"
  compare go-collector env GOGC=5 GODEBUG=madvdontneed=1 "$work/goroutines"
fi
if wanted node && have node node; then
  cp "$here/node.js" "$work"
  compare node node "$work/node.js"
fi
if wanted cpython; then
  py=/usr/bin/python3
  if ! $py -c 'import test.test_signal' 2>/dev/null; then
    echo "skip runtimes/cpython: the package libpython3-testsuite is not installed"
  else
    for t in test_signal test_threading test_subprocess test_os test_mmap test_time \
      test_posix test_fork1 test_wait3 test_wait4; do
      leaks_before
      if timeout 400 "$runsc" do -- $py -m test $t >"$work/inside" 2>&1 </dev/null; then
        echo "ok runtimes/cpython-$t"
      elif timeout 400 $py -m test $t >"$work/native" 2>&1 </dev/null; then
        grep -A12 -E '^(ERROR|FAIL):' "$work/inside" | head -60
        tail -3 "$work/inside"
        echo "FAIL runtimes/cpython-$t"
        rc=1
      else
        echo "skip runtimes/cpython-$t: it fails natively too"
      fi
      leaks_after "runtimes/cpython-$t" || rc=1
    done
  fi
fi
exit $rc
