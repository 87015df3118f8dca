#!/usr/bin/env bash
# Forbidden host calls, tried from within the sentry and the gofer of a debug build: each
# must end the process, never run. (Stubs: tests/hostile jumps into their code.)
# usage: forbidden.sh RUNSC WORKDIR
set -uo pipefail
runsc=$1 work=$2 rc=0
try() { # who name number
  local log=$work/forbidden.log out
  : >"$log"
  out=$(RUNSC_TEST_FORBIDDEN="$1:$3" timeout 20 "$runsc" --debug-log "$log" do -- echo reached 2>&1)
  if [[ $out != *reached* ]] && ! grep -q 'was let through' "$log"; then
    echo "ok oci/forbidden-$1-$2"
  else
    printf '  %s\n' "$out"
    grep 'let through' "$log"
    echo "FAIL oci/forbidden-$1-$2"
    rc=1
  fi
}
out=$(RUNSC_TEST_FORBIDDEN=sentry:39 timeout 20 "$runsc" do -- echo reached 2>&1)
if [[ $out == *reached* ]]; then
  echo "skip oci/forbidden: not a debug build"
  exit 0
fi
for c in open:2 openat:257 openat2:437 execve:59 execveat:322 fork:57 vfork:58 \
  ptrace:101 mount:165 umount2:166 pivot_root:155 chroot:161 setns:308 unshare:272 \
  init_module:175 bpf:321 io_uring_setup:425 userfaultfd:323 kexec_load:246 keyctl:250 \
  perf_event_open:298 setuid:105 capset:126 unlink:87 rename:82 mknod:133 reboot:169; do
  try sentry "${c%:*}" "${c#*:}"
done
for c in socket:41 connect:42 bind:49 execve:59 execveat:322 fork:57 clone:56 clone3:435 \
  ptrace:101 mount:165 setns:308 unshare:272 bpf:321 io_uring_setup:425 process_vm_readv:310 \
  kill:62 open:2 reboot:169; do
  try gofer "${c%:*}" "${c#*:}"
done
exit $rc
