#!/usr/bin/env bash
# The file-system matrices and the random stress: the same program natively and in the
# sandbox, on a tmpfs, an overlay (also over what an earlier run has left), the root through the
# gofer and a shared bind mount; every line of the output must be the same.
#
# usage: run.sh RUNSC DIR [matrix|stress|tty] [--long] [--keep DIR]
#   DIR: where the programs matrix and stress are; --long: the whole matrix everywhere and
#   20 minutes of stress (STRESS_SECONDS), from seed 100 on (STRESS_SEED); --keep: leave the
#   outputs there
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1") bin=$(readlink -f "$2")
shift 2
what= long= keep=
while [ $# -gt 0 ]; do
  case $1 in
  --long) long=1 ;;
  --keep) keep=${2:?}; shift ;;
  *) what=$1 ;;
  esac
  shift
done
label=${RUNSC_TEST_LABEL:+$RUNSC_TEST_LABEL/}
# Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
work=$(mktemp -d /var/tmp/runsc-test.fs.XXXXXX)
shm=$(mktemp -d /dev/shm/runsc-test.fs.XXXXXX)
root=$work/state
rc=0
trap 'rm -rf "$work" "$shm"' EXIT
chmod 755 "$work" "$shm"
cp "$bin"/* "$work" || exit 1
out=${keep:-$work/out} want=
mkdir -p "$out"

say() { # ok?, name, detail
  if [ "$1" = 0 ]; then echo "ok ${label}fs/$2"; else echo "FAIL ${label}fs/$2: $3"; rc=1; fi
}

# A bundle whose root is served by the gofer, with write-through.
bundle=$work/bundle
mkdir -p "$bundle/rootfs/d" "$bundle/rootfs/tmp" "$work/native" "$work/overlay" "$work/bind"
cp "$bin"/* "$bundle/rootfs/"
(cd "$bundle" && "$runsc" spec) || exit 1

bundle_args() { # command…: what the bundle runs
  python3 - "$bundle/config.json" "$@" <<'PY'
import json, sys
p = sys.argv[1]
c = json.load(open(p))
c["process"]["args"] = sys.argv[2:]
c["process"]["terminal"] = False
c["root"]["readonly"] = False
caps = ["CAP_" + x for x in "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE DAC_READ_SEARCH SYS_ADMIN LINUX_IMMUTABLE LEASE SYS_RESOURCE IPC_LOCK".split()]
c["process"]["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
for r in c["process"].get("rlimits", []):
    r["hard"] = r["soft"] = 1024
json.dump(c, open(p, "w"))
PY
}

# The program with its arguments, which follow the directory, on one file system.
on() { # file system, program, arguments…
  local fs=$1 prog=$2
  shift 2
  case $fs in
  native-ext4) "$work/$prog" "$work/native" "$@" ;;
  native-tmpfs) "$work/$prog" "$shm" "$@" ;;
  tmpfs) timeout 1500 "$runsc" --debug-log "$work/log" do -- "$work/$prog" /dev/shm "$@" ;;
  overlay) timeout 1500 "$runsc" --debug-log "$work/log" do -- "$work/$prog" "$work/overlay" "$@" ;;
  lower) # forgets soon, and looks names up again
    timeout 1500 "$runsc" --dcache 4 --debug-log "$work/log" do -- "$work/$prog" "$work/overlay" "$@"
    ;;
  bind)
    timeout 1500 "$runsc" --debug-log "$work/log" do -v "$work/bind:/mnt" -- "$work/$prog" /mnt "$@"
    ;;
  root)
    bundle_args "/$prog" /d "$@"
    timeout 1500 "$runsc" --root "$root" --debug-log "$work/log" run --bundle "$bundle" "fs-$prog-$RUNSC_TEST_ID"
    ;;
  esac </dev/null 2>&1
}

log_check() { # name
  local bad
  bad=$(grep -E -e 'LEAK|BUG|made host call|crashed|Sanitizer|runtime error|ended unexpectedly' \
    -e 'is ended with|: killed|no stub|cannot be served|connection lost|is gone' \
    "$work/log" 2>/dev/null)
  [ -z "$bad" ]
  say $? "$1-log" "$bad"
  rm -f "$work/log"
}

# Differences that are known, and why: patterns on the name of a check.
known() { # file system
  case $1 in
  root | bind)
    # A file without a name has no way to its attributes: xattr calls do not take the
    # descriptors (O_PATH) that the gofer holds.
    echo '^xattr/(fsetxattr|flistxattr)/(tmpfile|reg-unlinked):'
    ;;
  overlay | tmpfs) ;;
  esac
  # Objects whose kernel side is another kind of file there: no read_iter or splice
  # operation of their own, a real inode.
  echo '^objects/.*/(pidfd|full|proc-file|null):'
  echo '^objects/(flistxattr/(socket|dgram)|write_fault/dgram|(set_)?rw_hint/.*):'
  # Without this protection the host lets users link to the files of others.
  [ "$(cat /proc/sys/fs/protected_hardlinks)" = 1 ] || echo '^link/.*-by-'
}

compare() { # native output, sandbox output, file system
  local family n skip bad
  known "$3" >"$work/known"
  if [ "$(tail -n 1 "$2")" != end ]; then
    say 1 "matrix/$3" "ended early: $(tail -n 2 "$2")"
    return
  fi
  for family in $(sed -n 's,/.*,,p' "$1" | sort -u); do
    grep "^$family/" "$1" | grep -vEf "$work/known" >"$work/a"
    grep "^$family/" "$2" | grep -vEf "$work/known" >"$work/b"
    n=$(wc -l <"$work/a")
    bad=$(diff "$work/a" "$work/b" | grep -c '^<')
    [ "$bad" = 0 ] || diff "$work/a" "$work/b" | head -n 20 | cut -c1-300
    cmp -s "$work/a" "$work/b"
    say $? "matrix/$3/$family ($n checks)" "$bad differ"
  done
}

matrix() {
  local stride fs of objects
  for fs in tmpfs overlay root bind; do
    of=native-ext4 stride=3 objects=
    [ $fs = tmpfs ] && of=native-tmpfs objects=objects
    # Each call on a bind mount that is shared with the host asks the gofer.
    [ $fs = root ] && stride=5
    [ $fs = bind ] && stride=7
    [ -n "$long" ] && stride=1
    [ -s "$out/$of.$stride" ] || on $of matrix $stride $objects >"$out/$of.$stride"
    leaks_before
    on $fs matrix $stride $objects >"$out/$fs.$stride"
    compare "$out/$of.$stride" "$out/$fs.$stride" $fs
    leaks_after "${label}fs/matrix-$fs" || rc=1
    log_check "matrix/$fs"
  done
}

# Digests of calls and tree; the lines of several processes come in any order. $want: the file
# of the native ones.
stress_run() { # file system, its native counterpart, seed, calls, processes
  local fs=$1 of=$2 seed=$3 calls=$4 procs=$5
  rm -rf "$work"/{native,overlay,bind}/* "$bundle/rootfs/d"/* "$shm"/*
  want=$out/s.$of.$seed.$calls.$procs
  # A lower tree: what another seed leaves natively.
  if [ "$fs" = lower ]; then
    want=$out/s.lower.$seed.$calls.$procs
    on "$of" stress $((seed + 7000)) "$calls" "$procs" >"$out/s.lower" && cp -a "$shm"/. "$work/overlay"
  fi
  [ -s "$want" ] || on "$of" stress "$seed" "$calls" "$procs" | sort >"$want"
  rm -rf "$work"/native/* "$shm"/*
  { on "$fs" stress "$seed" "$calls" "$procs" || echo "status $?"; } | sort >"$out/s.$fs"
  grep -q '^end 0' "$out/s.$fs" && cmp -s "$want" "$out/s.$fs"
}

stress_fs() { # file system: the short form
  local fs=$1 of=native-ext4 calls=4000 p bad=
  case $fs in tmpfs | overlay | lower) of=native-tmpfs calls=12000 ;; esac
  leaks_before
  for p in "1 1" "2 1" "3 4"; do
    set -- $p
    stress_run $fs $of "$1" $((calls / $2)) "$2" ||
      bad="seed $1 with $2 processes, $((calls / $2)) calls: $(diff "$want" "$out/s.$fs" | head -n 4)"
  done
  [ -z "$bad" ]
  say $? "stress/$fs" "$bad"
  leaks_after "${label}fs/stress-$fs" || rc=1
  log_check "stress/$fs"
}

# Twenty minutes of ever new seeds, on each file system with one process and with four.
stress_long() {
  local seed=${STRESS_SEED:-100} n=0 procs fs of
  leaks_before
  while [ $SECONDS -lt $((started + ${STRESS_SECONDS:-1200})) ]; do
    for fs in tmpfs overlay lower root bind; do
      of=native-ext4
      case $fs in tmpfs | overlay | lower) of=native-tmpfs ;; esac
      for procs in 1 4; do
        stress_run $fs $of $seed $((16000 / procs)) $procs ||
          say 1 "stress-long/$fs" "seed $seed, $procs processes: $(diff \
            "$want" "$out/s.$fs" | head -n 4); got: $(
            head -n 3 "$out/s.$fs"; tail -n 4 "$work/log")"
        n=$((n + 16000))
      done
    done
    rm -f "$out"/s.native* "$out"/s.lower*
    seed=$((seed + 1))
  done
  say 0 "stress-long ($n calls, seeds to $((seed - 1)))"
  leaks_after "${label}fs/stress-long" || rc=1
  log_check stress-long
}

stress() {
  local fs started=$SECONDS
  if [ -n "$long" ]; then
    stress_long
  else
    for fs in tmpfs overlay lower root bind; do stress_fs $fs; done
  fi
}

# Terminal settings by what is typed and written.
tty() {
  local part n
  "$work/tty_lines" >"$out/tty.native" 2>&1
  leaks_before
  timeout 300 "$runsc" --debug-log "$work/log" do -- "$work/tty_lines" >"$out/tty" 2>&1 </dev/null
  for part in cooked raw mix calls end; do
    grep "^$part" "$out/tty.native" >"$work/a"
    grep "^$part" "$out/tty" >"$work/b"
    n=$(wc -l <"$work/a")
    diff "$work/a" "$work/b" | head -n 6 | cut -c1-300
    [ "$n" -gt 0 ] && cmp -s "$work/a" "$work/b"
    say $? "tty/$part ($n checks)" differ
  done
  leaks_after "${label}fs/tty" || rc=1
  log_check tty
}

case $what in
matrix) matrix ;;
stress) stress ;;
tty) tty ;;
*) matrix; stress; tty ;;
esac
exit $rc
