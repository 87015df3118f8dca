#!/usr/bin/env bash
# Guests that mean harm, and sandboxes whose parts are killed: nothing but the culprit
# may suffer, nothing may be left behind. Fixed seeds, about a minute.
#
# usage: run.sh RUNSC DIR   DIR: where the guest programs hostile and greed are, or one
# of them
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1") dir=$(readlink -f "$2")
[ -d "$dir" ] || dir=$(dirname "$dir")
# Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
work=$(mktemp -d /var/tmp/runsc-test.hostile.XXXXXX)
root=$work/root
rc=0
trap 'rm -rf "$work"' EXIT
cp "$dir/hostile" "$dir/greed" "$dir/mounts" "$work" || exit 1

say() { # ok?, name, detail
  if [ "$1" = 0 ]; then echo "ok $2"; else echo "FAIL $2: $3"; rc=1; fi
}
now_ms() { echo $(($(date +%s%N) / 1000000)); }

# The log of a sandbox that ended by itself may hold nothing bad.
log_check() { # name
  local bad
  bad=$(grep -E 'LEAK|BUG|made host call|crashed|Sanitizer|runtime error|ended unexpectedly' "$work/log")
  [ -z "$bad" ]
  say $? "hostile/$1-log" "$bad"
  rm -f "$work/log"
}

# ---- attacks from the inside ----

guest() { # name, seconds, number of cases, program and arguments: it prints ok and FAIL lines
  local name=$1 limit=$2 cases=$3 st n
  shift 3
  leaks_before
  timeout "$limit" "$runsc" --debug-log "$work/log" do -- "$@" 2>&1 </dev/null | cat >"$work/out" # no file: a random call would cut it off
  st=${PIPESTATUS[0]}
  grep -aE '^(ok|FAIL|skip) ' "$work/out"
  grep -aq '^FAIL ' "$work/out" && rc=1
  n=$(grep -acE '^(ok|FAIL) ' "$work/out")
  [ "$n" = "$cases" ]
  say $? "hostile/$name-cases" "$n of $cases"
  say $st "hostile/$name-status" "status $st: $(grep -avE '^ok ' "$work/out" | tail -3)"
  log_check "$name"
  leaks_after "hostile/$name" || rc=1
}
guest attacks 90 78 "$work/hostile" 1 2 3 4 5 6 7 8
guest greed 90 19 "$work/greed"
guest mounts 60 1 "$work/mounts" 1 5

# ---- a fork bomb under a limit of processes ----

bundle=$work/bundle
mkdir -p "$bundle/rootfs/tmp"
cp "$work/hostile" "$bundle/rootfs/hostile"
(cd "$bundle" && "$runsc" spec) || exit 1
python3 - "$bundle/config.json" <<'PY'
import json, sys
p = sys.argv[1]
c = json.load(open(p))
c["process"]["args"] = ["/hostile", "bomb"]
c["process"]["terminal"] = False
c["root"] = {"path": "rootfs", "readonly": True}
c["linux"].setdefault("resources", {})["pids"] = {"limit": 200}
json.dump(c, open(p, "w"))
PY
bomb() {
  local st most=0 n run
  leaks_before
  timeout 60 "$runsc" --debug-log "$work/log" --root "$root" run -b "$bundle" "bomb-$RUNSC_TEST_ID" \
    >"$work/out" 2>&1 </dev/null &
  run=$!
  while kill -0 $run 2>/dev/null; do
    n=$(pgrep -cx runsc-stub)
    [ "$n" -le "$most" ] || most=$n
    sleep 0.1
  done
  wait $run
  st=$?
  grep -E '^(ok|FAIL|skip) ' "$work/out"
  say $st hostile/bomb-status "status $st: $(tail -3 "$work/out")"
  # The zygote and the spare stub are not the guest's.
  [ "$most" -gt 20 ] && [ "$most" -le 210 ]
  say $? hostile/bomb-limited "$most host processes at the most"
  log_check bomb
  leaks_after hostile/bomb || rc=1
}
bomb

# ---- parts of a sandbox killed from outside ----

ours() { # comm: pids of processes of that name that come from our sandbox
  local p
  for p in $(pgrep -x "$1"); do
    [ $$ = 1 ] || grep -qzsx "RUNSC_TEST_ID=$RUNSC_TEST_ID" "/proc/$p/environ" \
      "/proc/$(ps -o ppid= -p "$p" | tr -d ' ')/environ" || continue
    echo "$p"
  done
}
busy='i=0; while [ $i -lt 20 ]; do (while :; do /bin/true; cat /proc/self/stat >/dev/null; done) & i=$((i+1)); done; echo up; wait'
kill_part() { # name of the process, signal it gets
  local part=$1 cli victim t0 t1 st left
  leaks_before
  : >"$work/out"
  timeout 60 "$runsc" --debug-log "$work/log" do -- sh -c "$busy" >"$work/out" 2>&1 </dev/null &
  cli=$!
  for _ in $(seq 200); do grep -q up "$work/out" && break; sleep 0.05; done
  victim=$(ours "$part" | sort -n | head -1)
  t0=$(now_ms)
  kill -KILL $victim
  wait $cli
  st=$?
  t1=$(now_ms)
  [ $st != 0 ] && [ $st != 124 ] && [ $((t1 - t0)) -lt 3000 ]
  say $? "hostile/kill-$part-ends" "status $st after $((t1 - t0)) ms"
  left=$(ours runsc-stub; ours runsc-sentry; ours runsc-gofer; ours runsc-init)
  for _ in 1 2 3 4 5; do
    [ -z "$left" ] && break
    sleep 0.2
    left=$(ours runsc-stub; ours runsc-sentry; ours runsc-gofer; ours runsc-init)
  done
  [ -z "$left" ]
  say $? "hostile/kill-$part-leaves-nothing" "$left"
  if [ "$part" = runsc-stub ]; then # the oldest is the zygote
    grep -q 'the zygote died' "$work/log"
    say $? hostile/kill-zygote-tells "$(tail -2 "$work/log")"
  fi
  rm -f "$work/log"
  leaks_after "hostile/kill-$part" || rc=1
}
kill_part runsc-sentry
kill_part runsc-gofer
kill_part runsc-stub

# A stub: only its guest process dies, and its parent hears of it.
stub() {
  local cli st before victim
  leaks_before
  mkfifo "$work/go"
  : >"$work/out"
  timeout 60 "$runsc" --debug-log "$work/log" do -- sh -c \
    'read x; sleep 1000 & p=$!; echo up; wait $p; echo "status $?"; /bin/echo still here; exit 7' \
    <"$work/go" >"$work/out" 2>&1 &
  cli=$!
  exec 9>"$work/go"
  before=
  for _ in $(seq 200); do
    before=$(ours runsc-stub | sort -n)
    [ "$(echo "$before" | wc -l)" -ge 3 ] && break # zygote, spare, shell
    sleep 0.05
  done
  echo go >&9
  exec 9>&-
  for _ in $(seq 200); do grep -q up "$work/out" && break; sleep 0.05; done
  sleep 0.3
  # In the order of their start: the zygote, the shell's, the spare that became the
  # sleeper's, the next spare. The last must not be missed when it has gone, either.
  victim=$(echo "$before" | sed -n 3p)
  spare=$(ours runsc-stub | sort -n | tail -1)
  kill -KILL "$spare"
  for _ in $(seq 100); do [ -e "/proc/$spare" ] || break; sleep 0.05; done
  kill -KILL "$victim"
  wait $cli
  st=$?
  [ $st = 7 ] && grep -q 'status 137' "$work/out" && grep -q 'still here' "$work/out"
  say $? hostile/kill-stub "status $st: $(tr '\n' ' ' <"$work/out")"
  log_check kill-stub
  leaks_after hostile/kill-stub || rc=1
}
stub
exit $rc
