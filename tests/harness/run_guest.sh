#!/usr/bin/env bash
# The native-oracle harness: every guest test program runs natively first, then in the
# sandbox; a case that fails natively is the test's fault, one that fails only in the
# sandbox is ours. After each sandbox nothing may be left on the host.
#
# usage: run_guest.sh RUNSC DIR [--sandbox-only] [PROGRAM…]
set -uo pipefail
runsc=$(readlink -f "$1") dir=$2
shift 2
native=1
[ "${1:-}" = --sandbox-only ] && { native=; shift; }
. "$(dirname "$0")/leaks.sh"
label=${RUNSC_TEST_LABEL:-unotify}
out=$(mktemp) log=$(mktemp)
trap 'rm -f "$out" "$log"' EXIT
rc=0

show() { # side program
  sed -E "s#^(ok|FAIL|skip) (.*)#\\1 syscall/$2/\\2@$1#" "$out"
  grep -q '^FAIL ' "$out" && rc=1
}

progs=("$@")
[ ${#progs[@]} -gt 0 ] || progs=("$dir"/*)
for p in "${progs[@]}"; do
  [ -x "$p" ] && [ -f "$p" ] || continue
  name=$(basename "$p")
  if [ -n "$native" ]; then
    timeout 300 "$p" >"$out" 2>&1 </dev/null || grep -q '^FAIL ' "$out" ||
      echo "FAIL $name-ended-early" >>"$out"
    show native "$name"
  fi
  leaks_before
  : >"$log"
  timeout 300 "$runsc" --debug-log "$log" do -- "$(readlink -f "$p")" >"$out" 2>&1 </dev/null || grep -q '^FAIL ' "$out" ||
    echo "FAIL $name-ended-early($?)" >>"$out"
  show "$label" "$name"
  leaks_after "syscall/$name@$label" || rc=1
  # Debug builds count their objects; sanitizers write to the log, too.
  if grep -E ' LEAK |BUG at|Sanitizer|runtime error:' "$log"; then
    echo "FAIL leak/objects-$name@$label"
    rc=1
  fi
done
exit $rc
