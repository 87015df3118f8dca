#!/usr/bin/env bash
# runsc debug and --crash-reports: backtraces of static, position-independent and shared code,
# of waiting and of running threads, and of programs whose tables are nonsense.
# usage: debug.sh RUNSC
set -uo pipefail
runsc=$(readlink -f "$1")
. "$(dirname "$(readlink -f "$0")")/../harness/leaks.sh"
work=$(mktemp -d /tmp/runsc-test.debug.XXXXXX)
id=runsc-debug-$$
root=$work/root
cleanup() { "$runsc" --root "$root" delete --force "$id" >/dev/null 2>&1; rm -rf "$work"; }
trap cleanup EXIT
rc=0
verdict() { # name, 0 or 1, what was seen
  if [ "$2" = 0 ]; then echo "ok debug/$1"; else printf '%s\nFAIL debug/%s\n' "$3" "$1"; rc=1; fi
}
has() { # text, lines in this order
  local rest=$1 l
  shift
  for l in "$@"; do
    case $rest in *"$l"*) rest=${rest#*"$l"} ;; *) return 1 ;; esac
  done
}

cat >"$work/lib.c" <<'E'
__attribute__((noinline)) void lib_inner(volatile int *p) { *p = 5; }
__attribute__((noinline)) void lib_outer(volatile int *p) { lib_inner(p); __asm__ volatile(""); }
E
cat >"$work/main.c" <<'E'
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
void lib_outer(volatile int *p);
__attribute__((noinline)) static void deep(int n, volatile int *p)
{
	if (n)
		deep(n - 1, p);
	else
		lib_outer(p);
	__asm__ volatile("");
}
static void *spinner(void *a) { for (;;) __asm__ volatile("pause"); return a; }
static void *reader(void *a) { char b; return read(*(int *)a, &b, 1) ? a : 0; }
int main(int argc, char **argv)
{
	int p[2];
	pthread_t t;

	if (pipe(p))
		return 1;
	pthread_create(&t, 0, spinner, 0);
	pthread_create(&t, 0, reader, p);
	if (argc > 1 && !strcmp(argv[1], "abort"))
		abort();
	if (argc > 1 && !strcmp(argv[1], "fpe"))
		return argc / (argc - 2);
	if (argc > 1 && !strcmp(argv[1], "ill"))
		__builtin_trap();
	if (argc > 1)
		deep(2, 0);
	pause();
	return 0;
}
E
cc="gcc -O1 -g0 -fno-inline -fno-optimize-sibling-calls -w"
$cc -shared -fPIC -o "$work/liblib.so" "$work/lib.c"
$cc -o "$work/pie" "$work/main.c" "$work/lib.c" -lpthread
$cc -o "$work/shared" "$work/main.c" -L"$work" -llib -Wl,-rpath,"$work" -lpthread
$cc -static -o "$work/static" "$work/main.c" "$work/lib.c" -lpthread
$cc -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-omit-frame-pointer \
  -o "$work/frames" "$work/main.c" "$work/lib.c" -lpthread

# ---- crashes ----
crash() { # name, expected status, program, argument, lines
  local name=$1 want=$2 prog=$3 arg=$4 st
  shift 4
  rm -f "$work/report"
  leaks_before
  timeout 60 "$runsc" --crash-reports="$work/report" do -- "$work/$prog" "$arg" >/dev/null 2>&1 </dev/null
  st=$?
  [ $st = "$want" ] && has "$(cat "$work/report" 2>/dev/null)" "$@" "end of process"
  verdict "crash-$name" $? "status $st, report: $(head -c 3000 "$work/report" 2>/dev/null)"
  leaks_after "debug/crash-$name" || rc=1
}
for prog in pie static shared; do
  crash "$prog" 139 $prog segv "SIGSEGV (not mapped), address 0x0" "rip " "=> " "mov" "backtrace:" \
    "lib_inner+0" lib_outer "deep+" "deep+" "deep+" "main+" "_start+" "stack:" "maps near" r-x
done
crash frames 139 frames segv SIGSEGV "backtrace:" "lib_inner+0" "deep+" "deep+" "main+"
crash abort 134 static abort SIGABRT "backtrace:" "abort+" "main+"
crash fpe 136 pie fpe "SIGFPE (division by zero)" "idiv" "backtrace:" "main+"
crash ill 132 pie ill "SIGILL (illegal op" "ud2" "backtrace:" "main+"
out=$(timeout 60 "$runsc" --crash-reports do -- "$work/pie" segv 2>&1 </dev/null)
has "$out" "crash: process 1 (pie)" "main+"; verdict crash-stderr $? "$out"
out=$(timeout 60 "$runsc" --crash-reports="$work/none" do -- sh -c "kill -TERM \$\$" 2>&1; cat "$work/none")
[ -z "$out" ]; verdict crash-not-for-others $? "$out"
rm -f "$work/many"
timeout 120 "$runsc" --crash-reports="$work/many" do -- sh -c \
  "for i in 1 2 3 4 5 6; do $work/static segv & done; wait; $work/pie segv; exit 0" >/dev/null 2>&1
has "$(cat "$work/many")" "main+" "end of process" "crash: process" "(pie)" "end of process"
verdict crash-many $? "$(grep -c "^crash: process" "$work/many")"

# ---- nonsense ----
python3 - "$work" <<'E'
import random, struct, sys
work = sys.argv[1]
for name in ("pie", "static"):
    good = open(f"{work}/{name}", "rb").read()
    shoff, = struct.unpack_from("<Q", good, 40)
    shnum, shstr = struct.unpack_from("<HH", good, 60)
    secs = [struct.unpack_from("<IIQQQQ", good, shoff + 64 * i) for i in range(shnum)]
    names = good[secs[shstr][4]:][:secs[shstr][5]]
    want = (b".eh_frame", b".eh_frame_hdr", b".symtab", b".strtab", b".shstrtab")
    for seed in range(6):
        rnd, bad = random.Random(seed), bytearray(good)
        for s in secs:
            n = names[s[0]:].split(b"\0")[0]
            if n in want:
                for _ in range(max(4, s[5] // (4 if seed < 3 else 200))):
                    bad[s[4] + rnd.randrange(s[5])] = rnd.randrange(256)
        if seed % 2:
            for i in range(shnum * 64):
                if rnd.random() < 0.1:
                    bad[shoff + i] = rnd.randrange(256)
        open(f"{work}/bad-{name}-{seed}", "wb").write(bad)
E
chmod +x "$work"/bad-*
bad=0
for f in "$work"/bad-*; do
  rm -f "$work/report"
  timeout 60 "$runsc" --crash-reports="$work/report" do -- "$f" segv >/dev/null 2>&1 </dev/null
  st=$?
  [ $st = 139 ] && grep -q "^crash: process 1" "$work/report" || { echo "$f: status $st"; bad=1; }
done
verdict crash-nonsense $bad ""

# ---- stacks of a running container ----
mkdir -p "$work/bundle"
container() { # program
  (cd "$work/bundle" && rm -f config.json && "$runsc" spec && python3 - "$work/$1" <<'E'
import json, sys
c = json.load(open("config.json"))
c["root"] = {"path": "/", "readonly": True}
c["process"].update(terminal=False, args=[sys.argv[1]], cwd="/")
json.dump(c, open("config.json", "w"))
E
  ) && timeout 30 "$runsc" --root "$root" create --bundle "$work/bundle" "$id" >/dev/null 2>&1 </dev/null &&
    timeout 30 "$runsc" --root "$root" start "$id" && sleep 0.3
}
for prog in pie static shared frames; do
  container $prog || { echo "FAIL debug/container-$prog"; rc=1; }
  out=$(timeout 60 "$runsc" --root "$root" debug --stacks "$id" 2>&1)
  has "$out" "process 1" "thread 1 ($prog): waiting in pause(" "main+" "thread 2 ($prog): running" \
    "spinner+" "thread 3 ($prog): waiting in read(" "reader+"
  verdict "stacks-$prog" $? "$out"
  "$runsc" --root "$root" delete --force "$id"
done
bad=0
for f in "$work"/bad-*; do
  container "$(basename "$f")" || { echo "cannot start $f"; bad=1; continue; }
  out=$(timeout 60 "$runsc" --root "$root" debug --stacks "$id" 2>&1)
  [ $? != 124 ] && out=$(timeout 30 "$runsc" --root "$root" exec "$id" /bin/echo alive 2>&1)
  [ "$out" = alive ] || { echo "$f: $out"; bad=1; }
  "$runsc" --root "$root" delete --force "$id"
done
verdict stacks-nonsense $bad ""

container pie
out=$(timeout 60 "$runsc" --root "$root" debug --stacks --pid 77 "$id" 2>&1)
has "$out" "no process 77"; verdict stacks-no-process $? "$out"
timeout 60 "$runsc" --root "$root" debug --strace=%file,exit_group "$id" >"$work/trace" 2>&1 &
tracer=$!
sleep 0.3
timeout 30 "$runsc" --root "$root" exec "$id" /bin/cat /etc/hostname >/dev/null 2>&1
timeout 30 "$runsc" --root "$root" debug --strace=off "$id"
wait $tracer
out=$(cat "$work/trace")
has "$out" 'execve("/bin/cat"' 'openat(AT_FDCWD, "/etc/hostname", O_RDONLY)' "exit_group(0)" &&
  ! grep -q "mmap(" "$work/trace"
verdict strace-attach $? "$out"
out=$(timeout 30 "$runsc" --root "$root" debug --strace=nonsense "$id" 2>&1)
has "$out" "not a list of calls"; verdict strace-bad-list $? "$out"
out=$(timeout 30 "$runsc" --root "$root" debug --ps "$id" 2>&1)
has "$out" PID /pie; verdict ps $? "$out"
timeout 30 "$runsc" --root "$root" debug --signal TERM --pid 1 "$id"
for _ in 1 2 3 4 5 6 7 8 9 10; do
  "$runsc" --root "$root" state "$id" | grep -q '"stopped"' && break
  sleep 0.2
done
out=$("$runsc" --root "$root" state "$id")
has "$out" '"stopped"' || timeout 30 "$runsc" --root "$root" debug --signal KILL --pid 1 "$id"
sleep 0.5
out=$("$runsc" --root "$root" state "$id")
has "$out" '"stopped"'; verdict signal $? "$out"
"$runsc" --root "$root" delete --force "$id"
exit $rc
