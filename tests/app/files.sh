#!/usr/bin/env bash
# Programs that live off the file system, natively and in a sandbox, with the same result:
# git, tar, rsync, cp, find, du, dpkg, sqlite with writers that are killed, inotifywait,
# flock.
# usage: files.sh RUNSC [--long] [NAME…]      --long: 50,000 files, and all of /usr
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1")
shift
files=3000 tree=/usr/share/doc copied=/usr/share/doc limit=200
# What is copied three times must fit into memory.
[ "${1:-}" = --long ] && { files=50000 tree=/usr copied=/usr/share limit=1500; shift; }
want=("$@")
work=$(mktemp -d /var/tmp/runsc-test.files.XXXXXX)
trap 'rm -rf "$work"' EXIT
rc=0

wanted() { [ ${#want[@]} = 0 ] || [[ " ${want[*]} " == *" $1 "* ]]; }
result() { # status, name
  if [ "$1" = 0 ]; then echo "ok app/$2"; else echo "FAIL app/$2"; rc=1; fi
}
# Runs the script in a directory of its own, natively and with that directory shared (the
# gofer), in the sandbox's root (the overlay) and on its tmpfs; the output must be the same.
same() { # name, script; $F: number of files, $T: a tree, $C: a smaller one
  local name=$1 script=$2 place st
  wanted "$name" || return 0
  export F=$files T=$tree C=$copied LC_ALL=C HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1
  export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
  export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
  # Nothing in the background that another command may meet, or not.
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=gc.auto GIT_CONFIG_VALUE_0=0
  mkdir -p "$work/native" "$work/rw" && cd "$work/native" || return 1
  timeout $limit bash -c "$script" >"$work/want" 2>&1 </dev/null
  echo "status $?" >>"$work/want"
  for place in "$work/rw" /var/tmp/upper /dev/shm/t; do
    leaks_before
    timeout $((limit * 3)) "$runsc" do --rw "$work/rw" -- bash -c \
      "mkdir -p $place && cd $place && { $script
}" >"$work/got" 2>&1 </dev/null
    st=$?
    echo "status $st" >>"$work/got"
    case $place in "$work/rw") place=shared ;; /dev/shm/t) place=tmpfs ;; *) place=overlay ;; esac
    diff "$work/want" "$work/got" >"$work/diff"
    result $? "$name-$place"
    head -20 "$work/diff"
    leaks_after "app/$name" || rc=1
  done
  cd / && rm -rf "$work/native" "$work/rw"
}

same git '
mkdir src && cd src && git init -q -b main . &&
for ((d = 0; d < F / 100; d++)); do mkdir d$d; for ((i = 0; i < 100; i++)); do echo "file $d $i" >d$d/f$i; done; done &&
git add . && git commit -qm first && echo changed >d1/f1 && rm d2/f2 && echo new >d3/new && git status -s &&
git commit -qam second && git rev-parse HEAD && cd .. && git clone -q src copy && cd copy &&
git status -s | wc -l && git log --oneline | cat && git ls-files | wc -l && git gc -q && git fsck 2>&1 | grep -v "^notice" ;
ls .git/objects/pack | sed "s/pack-[0-9a-f]*/pack/" | sort; git checkout -q HEAD~1 && git rev-parse HEAD^{tree}; git diff --stat HEAD main | tail -1'

# Sizes of directories are each file system's own affair.
listing='find . \( -type d -printf "%P d %m\n" -o -printf "%P %y %m %s %l\n" \) | LC_ALL=C sort; find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum'
same tar-out 'tar cf - -C "$T" . 2>/dev/null | tar tvf - | sort | sha256sum; tar cf - -C "$T" . 2>/dev/null | tar xf - --no-same-owner && { '"$listing"'; } | sha256sum'
same tar-times 'mkdir a && cd a && for i in 1 2 3; do echo $i >f$i; touch -d "2001-02-03 04:05:0$i.123456789" f$i; ln f$i l$i; ln -s f$i s$i; done; mkfifo p; chmod 4755 f1; chmod 1777 .; touch -h -d "2002-02-02 02:02:02" p s1 s2 s3 .; cd .. && tar cf a.tar a && mkdir b && tar xpf a.tar -C b && cd b && find . -mindepth 1 -type d -printf "%P %m %T@\n" -o -mindepth 1 -printf "%P %y %m %s %T@ %n %l\n" | sort'
same cp-rsync 'cp -a --reflink=auto "$C" c && cp -a c d && diff -r c d && echo same; (cd c && find . | wc -l); command -v rsync >/dev/null && { rsync -a c/ e/ && rsync -ain --checksum c/ e/ && touch -d 2001-01-01 c && rsync -ain c/ e/; }'
same find-du 'find "$T" -type f | wc -l; find "$T" -type d | wc -l; find "$T" -newer /etc/passwd | wc -l; du -s --apparent-size "$T" | cut -f1; find "$T" -perm /111 -type f | wc -l; find "$T" -type l -printf "%l\n" | sort | md5sum'
same flock '
lock() { flock 9; n=$(cat n); echo $((n + 1)) >n; } 9>lock
echo 0 >n; for w in 1 2 3 4; do (for i in 1 2 3 4 5 6 7 8 9 10; do (lock) 9>lock; done) & done; wait; cat n
exec 8>l2; flock -n 8 && echo got; flock -n l2 echo no || echo busy; flock -u 8; flock -n l2 echo free; (flock -s 8; flock -s -w 1 l2 echo shared)'
command -v inotifywait >/dev/null && same inotifywait '
mkdir w; inotifywait -q -m -r --format "%e %f" w >events 2>&1 & p=$!
for ((i = 0; i < 300; i++)); do grep -qs "inotify" /proc/$p/fdinfo/3 && break; sleep 0.02; done; sleep 0.2
echo a >w/a; mv w/a w/b; ln w/b w/c; chmod 600 w/b; rm w/c; mkdir w/d; sleep 0.3; echo x >w/d/x; rm -r w/d; cat w/b >/dev/null; truncate -s 0 w/b; touch w/b; echo >w/end
for ((i = 0; i < 300; i++)); do grep -q "CLOSE_WRITE,CLOSE end" events && break; sleep 0.02; done
kill $p; wait $p 2>/dev/null; cat events'

# A package is installed into the overlay: dpkg with its fsyncs, renames and maintainer scripts.
package() {
  local deb
  wanted package || return 0
  mkdir -p "$work/deb/DEBIAN" "$work/deb/usr/bin" && chmod 755 "$work/deb" "$work/deb/DEBIAN"
  printf 'Package: runsc-test-hello\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b>\nDescription: test\n' >"$work/deb/DEBIAN/control"
  printf '#!/bin/sh\necho configured >/var/lib/runsc-test-hello\n' >"$work/deb/DEBIAN/postinst"
  printf '#!/bin/sh\necho hello from a package\n' >"$work/deb/usr/bin/runsc-test-hello"
  chmod 755 "$work/deb/DEBIAN/postinst" "$work/deb/usr/bin/runsc-test-hello"
  deb=$work/runsc-test-hello.deb
  dpkg-deb -b --root-owner-group "$work/deb" "$deb" >/dev/null || return 1
  leaks_before
  timeout 200 "$runsc" do -- sh -c "apt-get install -y $deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    runsc-test-hello && cat /var/lib/runsc-test-hello && dpkg -s runsc-test-hello | grep Status &&
    apt-get remove -y runsc-test-hello >/dev/null 2>&1 && [ ! -e /usr/bin/runsc-test-hello ] && dpkg --audit" \
    >"$work/got" 2>&1 </dev/null
  diff - "$work/got" <<'TXT'
hello from a package
configured
Status: install ok installed
TXT
  result $? package
  [ ! -e /usr/bin/runsc-test-hello ] && [ ! -e /var/lib/runsc-test-hello ]
  result $? package-stays-inside
  leaks_after app/package || rc=1
}
package

# Four writers on one WAL database; the sandbox is killed: what was acknowledged is there.
sqlite() {
  local turn pid
  wanted sqlite || return 0
  mkdir -p "$work/db"
  for turn in 1 2 3; do
    rm -rf "$work/db"; mkdir "$work/db"
    leaks_before
    "$runsc" do --rw "$work/db" -- /usr/bin/python3 "$here/sqlite_writers.py" "$work/db/x.db" \
      >"$work/acked" 2>"$work/err" </dev/null &
    pid=$!
    for _ in $(seq 400); do
      [ "$(wc -l <"$work/acked")" -ge $((turn * 40)) ] && break
      sleep 0.05
    done
    # Every process of the sandbox at once: they are children of the one we started.
    pkill -KILL -P $pid
    kill -KILL $pid
    wait $pid 2>/dev/null
    /usr/bin/python3 "$here/sqlite_writers.py" "$work/db/x.db" --check "$work/acked" >"$work/got" 2>&1
    [ $? = 0 ] || { cat "$work/got" "$work/err" | head -10; false; }
    result $? "sqlite-killed-$turn"
    leaks_after app/sqlite || rc=1
  done
}
sqlite
exit $rc
