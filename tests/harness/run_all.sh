#!/usr/bin/env bash
# The whole suite; called by ./dev test. Every part prints "ok NAME", "FAIL NAME" or
# "skip NAME" lines; the last line is "N passed, N failed, N skipped".
#
#   --fast        leave out the slow parts (runtimes, engines, asan)
#   --long        stress for ten minutes, on the asan build too; 50,000 files, all of /usr;
#                 a walk over 1,000,000 files
#   --only PART   one part: build lint unit platform gofer guest hostile oci fs files app
#                 stress runtimes engines asan
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
top=$PWD
only= fast= stress_seconds=15 files_long=
while [ $# -gt 0 ]; do
  case $1 in
  --fast) fast=1 ;;
  --long) stress_seconds=600 files_long=--long ;;
  --only) only=${2:?--only needs a part}; shift ;;
  *) echo "dev test: unknown option $1; see ./dev help" >&2; exit 1 ;;
  esac
  shift
done

work=$(mktemp -d /tmp/runsc-test.XXXXXX)
log=$work/log
passed=0 failed=0 skipped=0
cleanup() { rm -rf "$work"; }
trap cleanup EXIT

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

run() { # name function: to the part's files
  local t0=$SECONDS
  "$2" >"$work/out.$1" 2>&1
  echo "$? $((SECONDS - t0))" >"$work/end.$1"
}

report() { # name
  local name=$1 out=$work/out.$1 rc seconds p f s
  read -r rc seconds <"$work/end.$name"
  p=$(grep -c '^ok ' "$out") f=$(grep -c '^FAIL ' "$out") s=$(grep -c '^skip ' "$out")
  if [ "$rc" -ne 0 ] && [ "$f" = 0 ]; then
    f=1
    tail -n 40 "$out"
    echo "FAIL $name: ended with status $rc"
  elif [ "$f" != 0 ]; then
    grep -B8 '^FAIL ' "$out"
  fi
  grep '^skip ' "$out"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  printf '   %s: %d ok, %d failed, %d skipped (%d s)\n' "$name" "$p" "$f" "$s" "$seconds"
}

part() { # name
  wanted "$1" || return 0
  printf '== %s\n' "$1"
  run "$1" "p_$1"
  report "$1"
}

# Two parts that mostly wait, side by side: each looks for leftovers in namespaces of its own.
both() { # name name
  if [ -n "$only" ]; then
    part "$1"
    part "$2"
    return
  fi
  printf '== %s, %s\n' "$1" "$2"
  run "$1" "p_$1" &
  run "$2" "p_$2"
  wait
  report "$1"
  report "$2"
}

p_build() {
  ./dev build release && echo "ok build/gcc-release" || { echo "FAIL build/gcc-release"; return 1; }
  ./dev build debug && echo "ok build/gcc-debug" || { echo "FAIL build/gcc-debug"; return 1; }
  if [ -z "$fast" ]; then
    ./dev build clang && echo "ok build/clang" || echo "FAIL build/clang"
  fi
}

p_unit() {
  local t n=0
  for t in build-debug/tests/unit/*; do
    [ -x "$t" ] && [ -f "$t" ] || continue
    n=$((n + 1))
    if timeout 120 "$t" -j1 >"$work/unit" 2>&1; then
      echo "ok unit/$(basename "$t")"
    else
      cat "$work/unit"
      echo "FAIL unit/$(basename "$t")"
    fi
  done
  [ $n -gt 0 ]
}

p_platform() {
  local b
  for b in unotify unotify:direct unotify:full fake; do
    timeout 120 build-debug/tests/platform_conformance "$b" | sed 's/^\(ok\|FAIL\) /\1 platform\//'
  done
}

gofer_hostile() { # program, label: thousands of checks, one line
  local out
  out=$(timeout 240 "$1" 2>&1)
  if [ $? = 0 ] && [[ ${out##*$'\n'} == *" passed, 0 failed"* ]]; then
    echo "ok $2/hostile-client (${out##*$'\n'})"
  else
    printf '%s\n' "$out" | tail -30
    echo "FAIL $2/hostile-client"
  fi
}
p_gofer() { gofer_hostile build-debug/tests/gofer_hostile gofer; }

p_guest() { tests/harness/run_guest.sh build-debug/runsc build-debug/tests/guest; }
p_hostile() { tests/hostile/run.sh "$top/build-debug/runsc" build-debug/tests/hostile/hostile; }
p_oci() { tests/oci/run.sh "$top/build-debug/runsc"; }
p_fs() { tests/fs/run.sh "$top/build-debug/runsc" build-debug/tests/fs; }
p_app() {
  tests/app/run.sh "$top/build-debug/runsc"
  tests/app/strace.py "$top/build-debug/runsc"
  tests/app/debug.sh "$top/build-debug/runsc"
  tests/app/terminal.py "$top/build-debug/runsc"
  tests/app/files.sh "$top/build/runsc" $files_long
}
p_files() {
  tests/files/run.sh "$top/build-debug/runsc" build-debug/tests/files/files $files_long
  tests/files/many.sh "$top/build-debug/runsc" build-debug/tests/files/many $files_long
}
p_stress() { tests/stress/run.sh "$top/build-debug/runsc" build-debug/tests/stress/stress "$stress_seconds"; }
p_runtimes() { tests/runtimes/run.sh "$top/build/runsc"; }
p_engines() { tests/oci/engines.sh "$top/build/runsc"; }
p_lint() { tests/lint/run.sh; }

p_asan() {
  # Unit tests bring their own fakes of globals that the archive has too.
  export ASAN_OPTIONS=detect_odr_violation=0
  ./dev build asan || return 1
  local t
  for t in build-asan/tests/unit/*; do
    [ -x "$t" ] && [ -f "$t" ] || continue
    if timeout 240 "$t" -j1 >"$work/unit" 2>&1; then
      echo "ok asan/unit/$(basename "$t")"
    else
      cat "$work/unit"
      echo "FAIL asan/unit/$(basename "$t")"
    fi
  done
  gofer_hostile build-asan/tests/gofer_hostile asan/gofer
  RUNSC_TEST_LABEL=asan tests/harness/run_guest.sh build-asan/runsc build-asan/tests/guest --sandbox-only
  RUNSC_TEST_LABEL=asan tests/stress/run.sh build-asan/runsc build-asan/tests/stress/stress \
    "$stress_seconds" 10
}

for name in build lint unit platform gofer guest; do part $name; done
both hostile oci
both fs files
if [ -z "$fast" ]; then both app runtimes; else part app; fi
part stress
if [ -z "$fast" ]; then
  part engines
  part asan
fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
