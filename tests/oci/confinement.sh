#!/usr/bin/env bash
# What a running sandbox's processes may do, read back from the host.
# usage: confinement.sh RUNSC WORKDIR
set -uo pipefail
runsc=$1 work=$2 rc=0
t() { local n=$1; shift; if "$@"; then echo "ok oci/confinement-$n"; else echo "FAIL oci/confinement-$n"; rc=1; fi; }
mkfifo "$work/go"
"$runsc" do -- sh -c 'echo up; read x' <"$work/go" >"$work/up" 2>&1 &
command=$!
exec 9>"$work/go"
for _ in $(seq 100); do grep -q up "$work/up" && break; sleep 0.05; done
field() { sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"; }
init=$(pgrep -P "$command" -x runsc-init)
sentry=$(pgrep -P "$init" -x runsc-sentry) gofer=$(pgrep -P "$init" -x runsc-gofer)
stub=$(pgrep -P "$sentry" -nx runsc-stub)
t sentry-runs [ -n "$sentry" ]
t gofer-runs [ -n "$gofer" ]
t stub-runs [ -n "$stub" ]
for p in sentry gofer stub; do
  pid=${!p}
  t "$p-no-new-privs" [ "$(field "$pid" NoNewPrivs)" = 1 ]
  t "$p-seccomp-filter" [ "$(field "$pid" Seccomp)" = 2 ]
done
for p in sentry stub; do
  pid=${!p}
  t "$p-no-caps-eff" [ "$(field "$pid" CapEff)" = 0000000000000000 ]
  t "$p-no-caps-prm" [ "$(field "$pid" CapPrm)" = 0000000000000000 ]
  for ns in user pid mnt ipc uts net; do
    t "$p-own-$ns-ns" [ "$(readlink "/proc/$pid/ns/$ns")" != "$(readlink "/proc/self/ns/$ns")" ]
  done
  t "$p-empty-root" [ -z "$(ls -A "/proc/$pid/root/" 2>/dev/null)" ]
done
t gofer-own-mount-ns [ "$(readlink "/proc/$gofer/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ]
# chown, dac_override, dac_read_search, fowner, fsetid, mknod, setfcap
t gofer-few-caps [ $((0x$(field "$gofer" CapEff) & ~0x8800001f)) = 0 ]
echo >&9
exec 9>&-
wait
exit $rc
