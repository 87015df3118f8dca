#!/usr/bin/env bash
# Many of everything, natively and in the sandbox, with the same result: locks of more than a
# hundred processes, thousands of descriptors, more events and watches than there may be,
# trees deeper than a path, names of every byte, listings that change. On a shared mount,
# the root through the gofer, an overlay and a tmpfs.
# usage: many.sh RUNSC MANY-PROGRAM [--long] [PART…]
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1") program=$(readlink -f "$2")
shift 2
long=
[ "${1:-}" = --long ] && { long=long; shift; }
want=("$@")
# Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
work=$(mktemp -d /var/tmp/runsc-test.many.XXXXXX)
shm=$(mktemp -d /dev/shm/runsc-test.many.XXXXXX)
trap 'rm -rf "$work" "$shm"' EXIT
rc=0
say() { # ok?, name, detail
  if [ "$1" = 0 ]; then echo "ok files/$2"; else echo "FAIL files/$2: $3"; rc=1; fi
}
wanted() { [ ${#want[@]} = 0 ] || [[ " ${want[*]} " == *" $1 "* ]]; }
chmod 755 "$work" "$shm"
cp "$program" "$work/many" || exit 1
# What the gofer serves is in memory, where it is quick, or on the disk.
limit=60 served=$shm
[ -z "$long" ] || limit=900 served=$work

# A bundle whose root is the gofer's, written through; the host's programs are there too.
bundle=$served/bundle
mkdir -p "$bundle/rootfs"/{d,tmp,proc,usr}
cp "$program" "$bundle/rootfs/many"
for d in bin lib lib64; do ln -s usr/$d "$bundle/rootfs/$d"; done
(cd "$bundle" && "$runsc" spec) || exit 1
bundle_args() {
  python3 - "$bundle/config.json" "$@" <<'PY'
import json, resource, sys
p = sys.argv[1]
c = json.load(open(p))
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
c["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}] # as natively
c["process"].update(args=sys.argv[2:], terminal=False)
c["root"]["readonly"] = False
caps = ["CAP_" + x for x in "CHOWN DAC_OVERRIDE FOWNER SETGID SETUID KILL SYS_RESOURCE".split()]
c["process"]["capabilities"] = {k: caps for k in ("bounding", "effective", "permitted")}
c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]
c["mounts"].append({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]})
json.dump(c, open(p, "w"))
PY
}

on() { # place, part
  local place=$1 part=$2 d
  case $place in
  native | native-tmpfs)
    d=$served/native
    [ $place = native ] || d=$shm/native
    mkdir -p "$d"
    timeout $limit "$work/many" "$part" "$d" $long
    rm -rf "$d"
    ;;
  shared)
    mkdir -p "$served/shared"
    timeout $limit "$runsc" --debug-log "$work/log" do -v "$served/shared:/mnt" -- "$work/many" "$part" /mnt $long
    rm -rf "$served/shared"
    ;;
  root)
    rm -rf "$bundle/rootfs/d"; mkdir "$bundle/rootfs/d"
    bundle_args /many "$part" /d $long
    timeout $limit "$runsc" --root "$work/state" --debug-log "$work/log" run -b "$bundle" "many$RUNSC_TEST_ID"
    ;;
  *)
    d=/dev/shm/d
    [ $place = tmpfs ] || d=/var/tmp/upper
    timeout $limit "$runsc" --debug-log "$work/log" do -- sh -c "mkdir $d && exec $work/many $part $d $long"
    ;;
  esac 2>&1
}

# A part of the program on each place; the output must be that of Linux.
same() { # part, place…
  local part=$1 place of bad
  shift
  wanted "$part" || return 0
  for place in "$@"; do
    of=native
    [ "$place" != tmpfs ] || of=native-tmpfs
    [ -s "$work/$part.$of" ] || on $of "$part" </dev/null >"$work/$part.$of"
    leaks_before
    on "$place" "$part" </dev/null >"$work/out"
    cmp -s "$work/$part.$of" "$work/out" && [ "$(tail -n 1 "$work/out")" = end ]
    say $? "$part-$place" "$(diff "$work/$part.$of" "$work/out" | head -n 20 | cut -c1-300)"
    leaks_after "files/$part" || rc=1
    bad=$(grep -E 'LEAK|BUG|made host call|crashed|Sanitizer|runtime error|ended unexpectedly' "$work/log" 2>/dev/null)
    [ -z "$bad" ]
    say $? "$part-$place-log" "$bad"
    rm -f "$work/log"
  done
}

# Until a line with $1 is in the output of a sandbox that waits for a line on descriptor 9.
begin() { # line, most seconds, sandbox…
  local line=$1 seconds=$2 n
  shift 2
  rm -f "$work/go"
  mkfifo "$work/go"
  timeout $limit "$runsc" --debug-log "$work/log" do "$@" <"$work/go" >"$work/out" 2>&1 &
  command=$!
  exec 9>"$work/go"
  for ((n = 0; n < seconds * 20; n++)); do grep -q "$line" "$work/out" && break; sleep 0.05; done
  init=$(pgrep -P "$(pgrep -P $command -x runsc)" -x runsc-init || pgrep -P $command -x runsc-init)
  sentry=$(pgrep -P "$init" -x runsc-sentry) gofer=$(pgrep -P "$init" -x runsc-gofer)
}
end() {
  echo >&9
  exec 9>&-
  wait "$command"
}
kb() { sed -n "s/^$2:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$1/status"; }

# Watches on trees that several processes change: none is left in the gofer.
watch_races() {
  local n place
  wanted watch-races || return 0
  on native watch-races </dev/null >"$work/native.races"
  for place in /mnt /dev/shm /var/tmp; do
    mkdir -p "$served/shared"
    begin 'let go' 40 -v "$served/shared:/mnt" -- sh -c "cd $place && mkdir r && exec $work/many watch-races r $long"
    n=$(cat /proc/"$gofer"/fdinfo/* 2>/dev/null | grep -c '^inotify')
    [ -n "$gofer" ] && [ "$n" = 0 ]
    say $? "watch-races-none-left $place" "$n watches of gofer '$gofer'"
    end
    cmp -s "$work/native.races" "$work/out"
    say $? "watch-races $place" "$(diff "$work/native.races" "$work/out" | head)"
    rm -rf "$served/shared"
  done
}

# What a large directory, or thousands of open files, took is given back.
given_back() { # part, place, where, most kB of the sentry, of the gofer
  local part=$1 place=$2 d=$3 most=$4 gofers=$5 peak gpeak rss grss
  wanted given-back || return 0
  mkdir -p "$shm/shared"
  begin '^end$' $limit -v "$shm/shared:/mnt" -- sh -c "mkdir $d && $work/many $part $d $long; read go
    echo 3 >/proc/sys/vm/drop_caches; stat $d/x; echo dropped; read go"
  peak=$(kb "$sentry" VmHWM) gpeak=$(kb "$gofer" VmHWM)
  echo >&9
  for _ in $(seq 200); do grep -q dropped "$work/out" && break; sleep 0.05; done
  sleep 0.3
  rss=$(kb "$sentry" VmRSS) grss=$(kb "$gofer" VmRSS)
  # Sanitizers need more.
  [ -n "${RUNSC_TEST_LABEL:-}" ] || { [ "${peak:-999999}" -lt "$most" ] && [ "${gpeak:-999999}" -lt "$gofers" ]; }
  say $? "memory-of-$part-$place" "sentry $peak kB, gofer $gpeak kB"
  [ -n "${RUNSC_TEST_LABEL:-}" ] || { [ "${rss:-999999}" -lt 9000 ] && [ "${grss:-999999}" -lt 9000 ]; }
  say $? "given-back-$part-$place (sentry $peak kB, then $rss; gofer $gpeak kB, then $grss)" "sentry $rss kB, gofer $grss kB"
  end
  rm -rf "$shm/shared"
}

# What the gofer may have open comes to its end: that is said, and does no harm.
without_end() {
  wanted without-end || return 0
  mkdir -p "$shm/shared"
  timeout $limit "$runsc" --debug-log "$work/log" do -v "$shm/shared:/mnt" -- \
    "$work/many" descriptors-without-end /mnt >"$work/out" 2>&1 </dev/null
  diff - "$work/out" >"$work/diff" <<'TXT'
files: ENFILE
pipe: ok
stat: ok
what is not there: ENOENT
one more: ENFILE
read of what is open: ok
afterwards all is well
end
TXT
  say $? without-end "$(cat "$work/diff")"
  rm -rf "$shm/shared"
}

# Where a part is the same everywhere, the short form looks at fewer places.
all="shared root overlay tmpfs"
few="shared tmpfs"
[ -z "$long" ] || few=$all
# shellcheck disable=SC2086
{
  same locks $few
  same deadlocks tmpfs
  same descriptors $few
  same watches $few
  same watch-limits overlay
  same deep $all
  same names $all
  same listing $all
}
watch_races
given_back listing shared /mnt/d 99999 20000
given_back listing tmpfs /dev/shm/d 150000 20000
given_back descriptors shared /mnt/d 99999 20000
[ -z "$long" ] || without_end
exit $rc
