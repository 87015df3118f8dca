#!/usr/bin/env bash
# Threads, processes, signals and timers under stress: natively first, then in a sandbox,
# which may report nothing, leave nothing behind and not hang.
# usage: run.sh RUNSC STRESS-PROGRAM [SECONDS [PERCENT]]
#   PERCENT of the full counts (10,000 blocked threads, 2,000 processes); natively always
#   a short run.
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1") program=$(readlink -f "$2")
seconds=${3:-15} percent=${4:-100} label=${RUNSC_TEST_LABEL:+@$RUNSC_TEST_LABEL}
# Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
work=$(mktemp -d /var/tmp/runsc-test.stress.XXXXXX)
trap 'rm -rf "$work"' EXIT
cp "$program" "$work/stress" || exit 1
rc=0

results() { # suffix: the program's lines as the suite's
  sed -nE "s#^(ok|FAIL) ([a-z0-9_]+)#\1 stress/\2$1#p; s#^(  .*)#\1#p" "$work/out"
  grep -q '^FAIL ' "$work/out" && rc=1
}

if [ -z "$label" ]; then
  timeout 120 "$work/stress" --seconds 6 --scale "$percent" >"$work/out" 2>&1 || rc=1
  results @native
fi
leaks_before
timeout -k 10 $((seconds * 4 + 180)) "$runsc" --debug-log "$work/log" do -- \
  "$work/stress" --seconds "$seconds" --scale "$percent" >"$work/out" 2>&1 </dev/null
st=$?
results "$label"
if [ $st = 0 ]; then
  echo "ok stress/ended$label"
else
  echo "FAIL stress/ended$label: status $st (124: it hung)"
  tail -5 "$work/out"
  rc=1
fi
bad=$(grep -E 'LEAK|BUG|made host call|crashed|Sanitizer|runtime error|ended unexpectedly|lock order' "$work/log" "$work/out")
if [ -z "$bad" ]; then
  echo "ok stress/no-report$label"
else
  head -20 <<<"$bad"
  echo "FAIL stress/no-report$label"
  rc=1
fi
leaks_after "stress$label" || rc=1
exit $rc
