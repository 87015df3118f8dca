#!/usr/bin/env bash
# Real programs in a sandbox: what issue and user expect of `runsc do`.
# usage: run.sh RUNSC [NAME…]
set -uo pipefail
runsc=$(readlink -f "$1")
shift
want=("$@")
. "$(dirname "$(readlink -f "$0")")/../harness/leaks.sh"
work=$(mktemp -d /tmp/runsc-test.app.XXXXXX)
trap 'rm -rf "$work"' EXIT
rc=0
py=/usr/bin/python3

app() { # name, expected output, command…: in the sandbox; "=native": the same natively
  local name=$1 expect=$2 got st
  shift 2
  if [ ${#want[@]} -gt 0 ]; then
    case " ${want[*]} " in *" $name "*) ;; *) return ;; esac
  fi
  [ "$expect" = "=native" ] && expect=$("$@" 2>&1 </dev/null)
  leaks_before
  got=$(timeout 120 "$runsc" ${flags:-} do -- "$@" 2>&1 </dev/null)
  st=$?
  if [ "$got" = "$expect" ] && [ $st = "${status:-0}" ]; then
    echo "ok app/$name"
  else
    printf '  expected (status %s): %s\n  got (status %s): %s\n' "${status:-0}" "$(head -c 600 <<<"$expect")" "$st" "$(head -c 600 <<<"$got")"
    echo "FAIL app/$name"
    rc=1
  fi
  leaks_after "app/$name" || rc=1
}

app echo "hi" echo hi
app ipc-limits =native ipcs -l
app ipc-perl =native perl -e 'use IPC::SysV qw(IPC_PRIVATE IPC_CREAT IPC_NOWAIT); use IPC::Semaphore; use IPC::Msg;
  $s = IPC::Semaphore->new(IPC_PRIVATE, 4, 0600 | IPC_CREAT); $s->setall(1, 2, 3, 4);
  $s->op(1, -1, IPC_NOWAIT); print join(",", $s->getall), " ", $s->getncnt(1), "\n"; $s->remove;
  $m = IPC::Msg->new(IPC_PRIVATE, 0600); $m->snd(7, "hello"); print $m->stat->qnum; $m->rcv($b, 256, 0);
  print "$b\n"; $m->remove;'
app ipc-tools =native sh -c 'q=$(ipcmk -Q | sed "s/.*: //"); s=$(ipcmk -S 3 | sed "s/.*: //"); ipcs -s -i $s | grep -c ^[012]
  ipcs -q -i $q | grep mode; ipcrm -q $q -s $s && echo gone'
app pipeline 100000 bash -c 'seq 100000 | sort -R | sort -n | tail -1'
app compile hi sh -c 'cd /tmp && printf "#include <stdio.h>\nint main(){puts(\"hi\");}" > a.c && gcc a.c && ./a.out'
[ -e /tmp/a.out ] && { echo "FAIL app/compile-left-a-file"; rc=1; }
status=7 app exit-status "" sh -c 'exit 7'
status=137 app killed "" sh -c 'kill -9 $$'
status=143 app termed "" sh -c 'kill $$'
app cwd "$PWD" pwd
FOO=bar app environment bar sh -c 'echo $FOO'
app uname "6.12.0-runsc" uname -r
app python "55 hi 3 True" $py -c '
import subprocess, threading, json, ssl, hashlib
r = []
ts = [threading.Thread(target=lambda i=i: r.append(i)) for i in range(11)]
[t.start() for t in ts]; [t.join() for t in ts]
print(sum(r), subprocess.check_output(["echo", "hi"], text=True).strip(), json.loads("[1,2,3]")[2], bool(ssl.OPENSSL_VERSION))'
app python-multiprocessing "[0, 1, 4, 9, 16]" $py -c '
import multiprocessing as m
def f(x): return x * x
if __name__ == "__main__":
    with m.get_context("fork").Pool(2) as p: print(p.map(f, range(5)))'
app perl "ok 42" perl -e 'my $p = open(my $h, "-|", "echo 42") or die; my $l = <$h>; close $h; print "ok $l"'
app git "1 file changed" bash -c 'cd /tmp && git init -q g && cd g && echo a > a && git add a && git -c user.name=a -c user.email=a@b commit -qm first && git show --stat --format= | grep -o "1 file changed" && git fsck 2>/dev/null'
app tar =native bash -c 'tar cf - -C /usr/share/doc/bash . 2>/dev/null | tar tf - | wc -l'
app find-usr =native bash -c 'find /usr 2>/dev/null | wc -l'
app make built bash -c 'mkdir /tmp/m && cd /tmp/m && for i in 1 2 3 4; do echo "int f$i(void){return $i;}" > f$i.c; done && echo "int main(void){return 0;}" > main.c && printf "OBJS=f1.o f2.o f3.o f4.o main.o\nprog: \$(OBJS)\n\tgcc -o prog \$(OBJS)\n" > Makefile && make -s -j2 && ./prog && echo built'
app heredoc "x" bash -c 'cat <<X
x
X'
app signals-trap "got TERM" bash -c 'trap "echo got TERM; exit 0" TERM; kill -TERM $$; sleep 5'
app background "done 3" bash -c '(exit 3) & wait $!; echo done $?'
app proc-self "sh" sh -c 'cat /proc/$$/comm'
app ps 1 sh -c 'ps -e | grep -c " ps$"'
app dmesg yes sh -c 'dmesg | grep -q runsc && echo yes'
app maps 1 sh -c 'grep -c "\[stack\]" /proc/self/maps'
app awk 5050 awk 'BEGIN{for(i=1;i<=100;i++)s+=i;print s}'
app xargs 20 bash -c 'seq 20 | xargs -P4 -n1 echo | wc -l'
app no-network "" sh -c 'ls /sys/class/net | grep -v "^lo$" || true'
app unix-sockets "pong" $py -c '
import socket, threading
a, b = socket.socketpair()
threading.Thread(target=lambda: b.sendall(b"pong")).start()
print(a.recv(4).decode())'
app loopback-tcp "hello" $py -c '
import socket, threading
s = socket.create_server(("127.0.0.1", 0))
def srv():
    c, _ = s.accept(); c.sendall(b"hello"); c.close()
threading.Thread(target=srv).start()
print(socket.create_connection(s.getsockname()).recv(5).decode())'
app sqlite "[(1,), (2,)]" $py -c '
import sqlite3
c = sqlite3.connect("/tmp/x.db"); c.execute("create table t(a)"); c.executemany("insert into t values(?)", [(1,), (2,)]); c.commit()
print(c.execute("select a from t").fetchall())'
app big-output 1000000 bash -c 'head -c 1000000 /dev/zero | wc -c'
app overlay-write "new" bash -c 'echo new > /etc/hostname && cat /etc/hostname'
[ "$(cat /etc/hostname 2>/dev/null)" = new ] && { echo "FAIL app/overlay-write-escaped"; rc=1; }

# An upper layer on disk: contents in nameless files there, and the limit holds.
mkdir -p "$work/store"
flags="--overlay2 root:dir=$work/store,size=64m" app overlay-on-disk $'63963136\nabc\n64\nstill' bash -c '
head -c 100M /dev/zero > /root/big 2> /dev/null; stat -c %s /root/big | sed s/^6[0-9]*/63963136/; rm /root/big
head -c 20M /dev/zero > /root/m; python3 -c "
import mmap
f = open(\"/root/m\", \"r+b\"); m = mmap.mmap(f.fileno(), 0); m[70000:70003] = b\"abc\"; m.close()
f.seek(70000); print(f.read(3).decode())"
echo $(( $(stat -f -c "%b * %S" /) >> 20 )); echo still > /etc/hostname; cat /etc/hostname' 2>/dev/null
[ -z "$(ls -A "$work/store")" ] || { echo "FAIL app/overlay-on-disk-left-files"; rc=1; }
for o in root:self root:self,size=1g all:memory; do
  flags="--overlay2 $o" app "overlay-$o" "new 100000" bash -c 'echo new > /etc/hostname; head -c 100000 /dev/urandom > /root/r; cp /root/r /root/s; cmp /root/r /root/s && echo $(cat /etc/hostname) $(stat -c %s /root/s)'
done

# --rw and --volume open what is named, and only that.
mkdir -p "$work/rw" "$work/vol"
echo in > "$work/vol/file"
"$runsc" do --rw "$work/rw" -- sh -c "echo out > $work/rw/x" && [ "$(cat "$work/rw/x" 2>/dev/null)" = out ] &&
  echo "ok app/do-rw" || { echo "FAIL app/do-rw"; rc=1; }
[ "$("$runsc" do --volume "$work/vol:/mnt" -- cat /mnt/file)" = in ] &&
  echo "ok app/do-volume" || { echo "FAIL app/do-volume"; rc=1; }
"$runsc" do -- sh -c "echo bad > $work/vol/file" 2>/dev/null
[ "$(cat "$work/vol/file")" = in ] && echo "ok app/do-host-unchanged" || { echo "FAIL app/do-host-unchanged"; rc=1; }

# stdin is passed through.
[ "$(echo through | "$runsc" do -- cat)" = through ] && echo "ok app/stdin" || { echo "FAIL app/stdin"; rc=1; }
[ "$(head -c 3000000 /dev/zero | "$runsc" do -- cat | wc -c)" = 3000000 ] &&
  echo "ok app/bulk-stdio" || { echo "FAIL app/bulk-stdio"; rc=1; }

# Without root, in user namespaces.
if id nobody >/dev/null 2>&1 && command -v setpriv >/dev/null; then
  cp "$runsc" "$work/runsc" && chmod 755 "$work" "$work/runsc"
  got=$(cd / && setpriv --reuid 65534 --regid 65534 --clear-groups env -i PATH="$PATH" HOME=/tmp "$work/runsc" do -- sh -c 'echo rootless; ls / | grep -c usr' 2>&1)
  if [ "$got" = "rootless
1" ]; then echo "ok app/rootless"; else echo "  got: $got"; echo "FAIL app/rootless"; rc=1; fi
fi

# A pty: job control and window size come through.
got=$($py - "$runsc" <<'PY'
import os, pty, sys, struct, fcntl, termios
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "do", "--", "bash", "-c", "stty size; tty >/dev/null && echo istty"])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
out = b""
try:
    while True:
        d = os.read(fd, 1000)
        if not d: break
        out += d
except OSError:
    pass
os.waitpid(pid, 0)
print(out.decode().replace("\r", "").split("\n")[-2])
PY
)
[ "$got" = istty ] && echo "ok app/terminal" || { echo "  got: $got"; echo "FAIL app/terminal"; rc=1; }

# Job control of a shell: natively, over the host's terminal, as pid 1 of a container with a
# terminal, and by `exec -t`.
job_steps() { $py "$(dirname "$0")/jobcontrol.py" "$@" || rc=1; }
shell=(bash --norc --noprofile -i)
job_steps native "${shell[@]}"
job_steps do "$runsc" do -- "${shell[@]}"
mkdir "$work/jobs"
(cd "$work/jobs" && "$runsc" spec)
jobs_config() { # terminal, args
  $py - "$work/jobs/config.json" "$@" <<'PY'
import json, sys
c = json.load(open(sys.argv[1]))
c["process"].update(terminal=sys.argv[2] == "true", args=sys.argv[3:],
                    env=["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "TERM=dumb"])
c["root"] = {"path": "/", "readonly": True}
json.dump(c, open(sys.argv[1], "w"))
PY
}
jobs_config true "${shell[@]}"
job_steps run "$runsc" --root "$work/jobs.state" run -b "$work/jobs" "jobs-$$"
jobs_config false sleep 1000
"$runsc" --root "$work/jobs.state" create -b "$work/jobs" "jobs-$$" </dev/null >/dev/null 2>&1
"$runsc" --root "$work/jobs.state" start "jobs-$$"
job_steps exec "$runsc" --root "$work/jobs.state" exec -t "jobs-$$" "${shell[@]}"
"$runsc" --root "$work/jobs.state" delete --force "jobs-$$"

# Isolation, as issue 1 names it.
got=$("$runsc" do -- cat /proc/version)
[[ $got == *runsc* ]] && ! grep -q "$(uname -r)" <<<"$got" && echo "ok app/proc-version" || { echo "FAIL app/proc-version"; rc=1; }
got=$("$runsc" do -- sh -c "kill -0 $$ 2>&1; ls /proc | grep -c '^[0-9]'")
[[ $got == *"No such process"* || $got == *"no such process"* ]] && echo "ok app/host-processes-hidden" || { echo "  got: $got"; echo "FAIL app/host-processes-hidden"; rc=1; }
exit $rc
