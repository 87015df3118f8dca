#!/usr/bin/env bash
# Files of the host: its errors, its changes behind a shared mount, what survives a kill, a
# root that means harm, and the limits of the caches.
# usage: run.sh RUNSC FILES-PROGRAM [--long]      --long: a walk over 1,000,000 files
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1") program=$(readlink -f "$2")
guests=$(dirname "$program")/../guest
long=
[ "${3:-}" = --long ] && long=1
# Not below /tmp: a sandbox sees the host's files, but has a /tmp of its own.
work=$(mktemp -d /var/tmp/runsc-test.files.XXXXXX)
trap 'for m in small small2 ro fuse; do umount -l "$work/$m" 2>/dev/null; done; rm -rf "$work"' EXIT
cp "$program" "$work/files" || exit 1
rc=0
say() { # ok?, name, detail
  if [ "$1" = 0 ]; then echo "ok files/$2"; else echo "FAIL files/$2: $3"; rc=1; fi
}
sandbox() { timeout 120 "$runsc" --debug-log "$work/log" do "$@"; }
privileged=
[ "$(id -u)" = 0 ] && mount -t tmpfs -o size=1m small "$work" 2>/dev/null && umount "$work" && privileged=1

# ---- the host's errors, word by word ----

same() { # name, mode, host directory, options of the volume
  timeout 60 "$work/files" "$2" "$3" >"$work/native" 2>&1
  [ -z "${5:-}" ] || "$5"
  sandbox -v "$3:/mnt${4:-}" -- "$work/files" "$2" /mnt >"$work/out" 2>&1 </dev/null
  cmp -s "$work/native" "$work/out" && [ -s "$work/out" ]
  say $? "$1" "$(diff "$work/native" "$work/out" | head -5)"
}
if [ -n "$privileged" ]; then
  mkdir "$work/small" "$work/small2" "$work/ro"
  mount -t tmpfs -o size=1m,nr_inodes=200 small "$work/small"
  refill() { umount "$work/small"; mount -t tmpfs -o size=1m,nr_inodes=200 small "$work/small"; }
  same no-space full "$work/small" "" refill
  grep -q "write to a full file system: ENOSPC" "$work/out"
  say $? no-space-is-enospc "$(head -3 "$work/out")"
  mkdir "$work/small2/dir"; echo text >"$work/small2/file"
  mount --bind "$work/small2" "$work/ro"
  mkdir -p "$work/ro/dir"
  mount -o remount,bind,ro "$work/ro"
  same read-only readonly "$work/ro"
  same read-only-volume readonly "$work/ro" :ro
  # What no ordinary file system can be made to say.
  mkdir "$work/fuse"
  if "$here/errors.py" "$work/fuse" </dev/null >"$work/out" 2>&1; then
    anew() { umount "$work/fuse"; "$here/errors.py" "$work/fuse" </dev/null >/dev/null 2>&1; }
    same errors errors "$work/fuse" "" anew
    [ "$(grep -c 'EDQUOT\|EIO\|ENOSPC\|EROFS' "$work/native")" -ge 20 ]
    say $? errors-were-made "$(head -3 "$work/native")"
  else
    echo "skip files/errors: $(head -1 "$work/out")"
  fi
fi
mkdir "$work/plain"
same limits limits "$work/plain"

# ---- the suite's own programs with their files on a shared mount ----

mkdir "$work/tmp" "$work/guest"
for p in fs_attr fs_dir fs_open fs_rw fs_lock acl; do
  cp "$guests/$p" "$work/guest" || continue
  sandbox -v "$work/tmp:/tmp" -- "$work/guest/$p" >"$work/out" 2>&1 </dev/null
  [ $? = 0 ] && grep -q '^ok ' "$work/out" && ! grep -q '^FAIL' "$work/out"
  say $? "shared-$p" "$(grep -v '^ok' "$work/out" | head -5)"
done

# ---- the host changes files behind a shared mount ----

mkdir "$work/shared" "$work/shared/d"
echo one >"$work/shared/a"; echo two >"$work/shared/b"; echo deep >"$work/shared/d/f"
mkfifo "$work/in" "$work/reply"
sandbox -v "$work/shared:/s" -- sh <"$work/in" >"$work/reply" 2>&1 &
shell=$!
exec 7>"$work/in" 8<"$work/reply"
expect() { # name, guest command (one line of output), expected
  local got done
  echo "$2; echo done" >&7
  read -rt 20 got <&8 && read -rt 20 done <&8
  [ "$got" = "$3" ]
  say $? "shared/$1" "\"$got\" instead of \"$3\""
}
expect read 'cat /s/a' one
mv "$work/shared/b" "$work/shared/a"
expect replaced 'cat /s/a' two
expect gone 'test -e /s/b || echo no' no
chmod 4711 "$work/shared/a"
expect chmod 'stat -c %a /s/a' 4711
ln "$work/shared/a" "$work/shared/hard"
expect links 'stat -c %h /s/a' 2
expect same-file 'test /s/a -ef /s/hard && echo yes' yes
expect open 'exec 5</s/a; exec 6>>/s/d/f; echo opened' opened
rm "$work/shared/a" "$work/shared/hard"
expect open-unlinked 'cat <&5' two
expect open-unlinked-stat 'stat -L -c %h /proc/self/fd/5' 0
expect reopen-unlinked 'cat /proc/self/fd/5' two
mv "$work/shared/d" "$work/shared/e"
expect directory-renamed 'cat /s/e/f; test -e /s/d && echo still there' deep
expect write-by-old-fd 'echo more >&6; tail -n 1 /s/e/f' more
[ "$(tail -n 1 "$work/shared/e/f")" = more ]
say $? shared/write-reached-the-host "$(cat "$work/shared/e/f")"
mkdir "$work/shared/d"
echo new >"$work/shared/d/f"
expect directory-replaced 'cat /s/d/f' new
ln -s e "$work/shared/link"
expect new-symlink 'tail -n 1 /s/link/f' more
rm "$work/shared/link"; ln -s d "$work/shared/link"
expect symlink-changed 'cat /s/link/f' new
echo longer text >"$work/shared/d/f"
expect grown 'stat -c %s /s/d/f; :' 12
# Access control lists: set by the host, kept in mind by the sandbox until they change.
echo secret >"$work/shared/acl"; chmod 600 "$work/shared/acl"
as='setpriv --reuid 77 --regid 77 --clear-groups cat /s/acl 2>&1 | sed "s/.*: //"'
expect acl-none "$as" "Permission denied"
setfacl -m u:77:r "$work/shared/acl"
expect acl-added "$as" secret
setfacl -m m::- "$work/shared/acl"
expect acl-masked "$as" "Permission denied"
setfacl -m m::r "$work/shared/acl"
expect acl-unmasked "$as" secret
expect acl-shown 'getfacl -cpn /s/acl | grep 77' user:77:r--
expect acl-set 'setfacl -m u:78:rw,m::rw /s/acl; stat -c %a /s/acl' 660
getfacl -cpn "$work/shared/acl" 2>/dev/null | grep -qx user:78:rw-
say $? shared/acl-reached-the-host "$(getfacl -cpn "$work/shared/acl" 2>&1)"
setfacl -b "$work/shared/acl"
expect acl-removed "$as" "Permission denied"
# Inode flags: those that would lock the host out are refused, and the host's are heeded.
flags() { expect "$1" "$2 2>&1 | tail -n 1 | sed 's/.*: //'" "$3"; }
echo text >"$work/shared/flags"
if lsattr "$work/shared/flags" >/dev/null 2>&1; then
  flags flags-nodump 'chattr +d /s/flags; lsattr /s/flags | grep -c "^-*d"' 1
  [ "$(lsattr "$work/shared/flags" | cut -d' ' -f1 | tr -d -- -e)" = d ]
  say $? shared/flags-reached-the-host "$(lsattr "$work/shared/flags")"
  flags flags-immutable 'chattr +i /s/flags' 'Operation not permitted while setting flags on /s/flags'
  flags flags-append 'chattr +a /s/flags' 'Operation not permitted while setting flags on /s/flags'
  if [ -n "$privileged" ] && chattr +i "$work/shared/flags"; then
    flags flags-of-the-host 'lsattr /s/flags | grep -c "^-*i"' 1
    flags flags-heeded 'rm -f /s/flags' 'Operation not permitted'
    chattr -i "$work/shared/flags"
  fi
fi
if [ -n "$privileged" ]; then
  expect devices-harmless 'mknod /s/null c 1 3 && mknod /s/white c 0 0 && echo x >/s/null && stat -c %t:%T /s/null' 1:3
  expect devices-refused 'for d in "b 8 0" "c 1 2" "c 10 229"; do mknod /s/bad $d 2>/dev/null && echo made; done; ls /s/bad 2>&1 | wc -l' 1
  [ -c "$work/shared/null" ] && [ ! -e "$work/shared/bad" ]
  say $? shared/devices-on-the-host "$(ls -l "$work/shared")"
fi
exec 7>&- 8<&-
wait $shell

# ---- inotify: each change once, whoever made it ----

cat >"$work/watch" <<'EOS'
cd "$1" || exit 1
inotifywait -m -e modify,attrib,close_write,move,create,delete,delete_self --format '%w%f %e' . d f 2>&1 &
read -r go
touch own; echo text >>own; chmod 600 own; mv own d/own; ln d/own d/own2; truncate -s 9 d/own; rm d/own d/own2
mkdir own; mv own own2; rmdir own2; ln -s x own; rm own; cp /bin/true d/copy; rm d/copy
dd if=/dev/zero of=own bs=4M count=1 2>/dev/null; rm own; touch own-done
read -r go
kill $!
EOS
watch() { # output, directory, command…
  local out=$1 d=$2 n=0
  shift 2
  rm -f "$work/go"; mkfifo "$work/go"
  rm -rf "$d"; mkdir -p "$d/d"; echo 1 >"$d/f"
  "$@" <"$work/go" >"$out" 2>&1 &
  exec 9>"$work/go"
  seen() { for _ in $(seq 400); do grep -q "$1" "$out" && return; sleep 0.05; done; }
  host() { "$@"; n=$((n + 1)); touch "$d/host-done$n"; seen "host-done$n CLOSE_WRITE"; }
  seen established
  host sh -c "echo new >'$d/a'"
  host sh -c "echo more >>'$d/f'"
  host chmod 600 "$d/f"
  host mv "$d/a" "$d/d/b"
  host mkdir "$d/d/sub"
  host rm "$d/d/b"
  host rmdir "$d/d/sub"
  echo >&9
  seen "own-done CLOSE_WRITE"
  host mv "$d/f" "$d/g"
  host rm "$d/g"
  host rmdir "$d/d"
  echo >&9
  exec 9>&-
  wait $!
}
watch "$work/native" "$work/seen" sh "$work/watch" "$work/seen"
watch "$work/out" "$work/seen" timeout 100 "$runsc" --debug-log "$work/log" do -v "$work/seen:/mnt" sh "$work/watch" /mnt
cmp -s "$work/native" "$work/out" && [ "$(wc -l <"$work/out")" -gt 60 ]
say $? inotify "$(diff "$work/native" "$work/out" | head -9)"

# ---- a killed sandbox has lost nothing that it acknowledged ----

for how in volume rw; do
  mkdir "$work/ack-$how"
  if [ $how = volume ]; then opt=(-v "$work/ack-$how:/mnt") dir=/mnt; else opt=(--rw "$work/ack-$how") dir=$work/ack-$how; fi
  "$runsc" do "${opt[@]}" -- "$work/files" acked "$dir" 2>/dev/null </dev/null >"$work/acks" &
  command=$!
  for _ in $(seq 200); do [ "$(stat -c %s "$work/acks")" -gt 8000 ] && break; sleep 0.05; done
  kill -9 "$(pgrep -P "$(pgrep -P $command -x runsc-init)" -x runsc-sentry)"
  wait $command 2>/dev/null
  why=$(python3 - "$work/acks" "$work/ack-$how" <<'PY'
import os, struct, sys
acks, d = sys.argv[1:]
n = os.path.getsize(acks) // 4
if n < 2000: sys.exit(print("only", n, "records") or 1)
want = list(range(1, n + 1))
def words(name, skip, count):
    return list(struct.unpack("<%dI" % count, open(f"{d}/{name}", "rb").read()[skip:skip + count * 4].ljust(count * 4, b"\0")))
for name, skip in ("written", 4), ("appended", 0), ("mapped", 4):
    got = words(name, skip, n)
    if got != want:
        sys.exit(print(name, "differs at", next(i for i in range(n) if got[i] != want[i]), "of", n) or 1)
missing = [i for i in range(64, n + 1, 64) if not os.path.exists(f"{d}/f{i}")]
if missing: sys.exit(print("names missing", missing[:5]) or 1)
PY
)
  say $? "killed-$how" "$why"
done

# ---- a root that means harm ----

bundle=$work/bundle
mkdir -p "$bundle/rootfs/root/race/x" "$bundle/rootfs/proc" "$bundle/rootfs/dir" "$bundle/outside"
echo SECRET >"$bundle/outside/secret"
cp "$work/files" "$bundle/rootfs/files"
r=$bundle/rootfs/root
echo text >"$r/file"; echo text >"$r/race/x/secret"
ln -s / "$r/slash"; ln -s ../.. "$r/up"; ln -s ../../../outside "$r/out"; ln -s "$bundle/outside/secret" "$r/abs"
ln -s /proc/self/root/../outside "$r/magic"; ln -s /proc/1/root/proc/1/cwd "$r/magic2"; ln -s loop "$r/loop"
ln -s ../../../../outside "$r/race/y"; ln -s "$(printf '../%.0s' {1..200})etc" "$r/long"
mkfifo "$r/fifo"
python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1])' "$r/sock"
[ -z "$privileged" ] || { mknod "$r/null" c 1 3; mknod "$r/mem" c 1 1; mknod "$r/disk" b 8 0; } 2>/dev/null
(cd "$bundle" && "$runsc" spec) || exit 1
python3 - "$bundle/config.json" <<'PY'
import json, sys
c = json.load(open(sys.argv[1]))
c["process"].update(args=["/files", "traps", "/root", "4"], terminal=False)
c["root"]["readonly"] = False
c["mounts"] = [m for m in c["mounts"] if m["destination"] == "/proc"]
c["mounts"].append({"destination": "/dir", "type": "bind", "source": "rootfs/root", "options": ["bind", "rw"]})
json.dump(c, open(sys.argv[1], "w"))
PY
python3 - "$r/race/x" "$r/race/y" <<'PY' &
import ctypes, os, sys
libc = ctypes.CDLL(None)
a, b = (s.encode() for s in sys.argv[1:])
while True:
    libc.renameat2(-100, a, -100, b, 2)
PY
racer=$!
for dir in /root /dir; do # ours alone; shared with the host
  sed -i "s#\"traps\", \"[^\"]*\"#\"traps\", \"$dir\"#" "$bundle/config.json"
  timeout 100 "$runsc" --root "$work/state" run -b "$bundle" "traps$RUNSC_TEST_ID" >"$work/out" 2>&1 </dev/null
  st=$?
  [ $st = 0 ] && grep -qx 'secrets: 0' "$work/out" && grep -qx 'opened: some' "$work/out" &&
    grep -q 'connect to a socket of the host: ECONNREFUSED' "$work/out" &&
    grep -q 'write to a fifo nobody reads: ENXIO' "$work/out"
  say $? "traps$dir" "status $st: $(tail -4 "$work/out")"
done
kill $racer
wait $racer 2>/dev/null
[ "$(ls "$bundle/outside")" = secret ] && [ "$(cat "$bundle/outside/secret")" = SECRET ] &&
  [ "$(stat -c %a "$bundle/outside/secret")" = 644 ]
say $? traps-outside-untouched "$(ls -l "$bundle/outside")"

# ---- a gofer that does not answer: the sandbox can still be looked at and ended ----

sed -i 's#"4"#"100"#' "$bundle/config.json"
id=hung$RUNSC_TEST_ID
timeout 20 "$runsc" --root "$work/state" create -b "$bundle" "$id" >"$work/out" 2>&1 </dev/null
timeout 20 "$runsc" --root "$work/state" start "$id"
init=$("$runsc" --root "$work/state" state "$id" | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
kill -STOP "$(pgrep -P "$init" -x runsc-gofer)"
timeout 20 "$runsc" --root "$work/state" state "$id" | grep -q '"running"'
say $? hung-gofer-state "$(cat "$work/out")"
timeout 20 "$runsc" --root "$work/state" kill "$id" KILL
say $? hung-gofer-kill "status $?"
for _ in $(seq 100); do "$runsc" --root "$work/state" state "$id" | grep -q '"stopped"' && break; sleep 0.1; done
timeout 20 "$runsc" --root "$work/state" delete "$id"
say $? hung-gofer-delete "it did not stop"

# ---- caches keep to their limits ----

# Everything in a tree is looked at, then the guest gives the caches back (a few hundred last
# names go with the next request). The gofer's limit of descriptors may be lower than what the
# sentry would keep.
caches() { # unused names, directories, files in each, most kB of the sentry, where…
  local unused=$1 ndirs=$2 nfiles=$3 most=$4 dir command init sentry gofer fds least peak rss rest
  shift 4
  least=$((unused / 2)) rest=$most
  # Less than that is not worth a call.
  [ "$unused" -lt 10000 ] || rest=6000
  [ $least -lt 5000 ] || least=5000
  mkdir "$work/tree"
  python3 - "$work/tree" "$ndirs" "$nfiles" <<'PY'
import os, sys
top, nd, nf = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for d in range(nd):
    os.mkdir(f"{top}/{d}")
    for f in range(nf):
        os.close(os.open(f"{top}/{d}/{f}", os.O_CREAT | os.O_WRONLY))
PY
  for dir in "$@"; do
    rm -f "$work/go"
    mkfifo "$work/go"
    "$runsc" --dcache "$unused" do -v "$work/tree:/mnt" -- "$work/files" stats "$dir" "$ndirs" "$nfiles" <"$work/go" >"$work/out" 2>&1 &
    command=$!
    exec 9>"$work/go"
    for _ in $(seq $((1200 + ndirs * nfiles / 100))); do grep -q walked "$work/out" && break; sleep 0.05; done
    init=$(pgrep -P $command -x runsc-init)
    sentry=$(pgrep -P "$init" -x runsc-sentry) gofer=$(pgrep -P "$init" -x runsc-gofer)
    fds=$(ls "/proc/$gofer/fd" | wc -l)
    [ "$fds" -gt $least ] && [ "$fds" -lt $((unused + 1500)) ]
    say $? "limit-of-the-gofers-files-$unused" "$fds"
    peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$sentry/status")
    [ -n "${RUNSC_TEST_LABEL:-}" ] || [ "$peak" -lt "$most" ] # sanitizers need more
    say $? "limit-of-the-sentrys-memory-$unused" "$peak kB"
    echo >&9
    for _ in $(seq 200); do grep -q drop "$work/out" && break; sleep 0.05; done
    for _ in $(seq 50); do fds=$(ls "/proc/$gofer/fd" | wc -l); [ "$fds" -lt 600 ] && break; sleep 0.05; done
    [ "$fds" -lt 600 ]
    say $? "dropped-caches-$unused" "$fds files"
    rss=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$sentry/status")
    [ -n "${RUNSC_TEST_LABEL:-}" ] || [ "$rss" -lt $rest ]
    say $? "memory-given-back-$unused ($((ndirs * nfiles)) files: $peak kB, then $rss kB)" "$rss kB"
    exec 9>&-
    wait $command
  done
  rm -rf "$work/tree"
}
caches 1000 20 500 16384 /mnt "$work/tree"
if [ -n "$long" ]; then
  caches 65536 1000 1000 98304 /mnt "$work/tree"
else
  caches 12000 40 1000 20480 "$work/tree"
fi
exit $rc
