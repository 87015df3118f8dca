# Sourced: what a sandbox may not leave on the host. leaks_before, run it, leaks_after
# NAME prints FAIL lines for processes, mounts, cgroups, run-time state and temporary
# files that were not there before. Other sandboxes may run at the same time.
#
# leaks_private "$@", first thing in a script: as root the script runs itself again in
# pid and mount namespaces of its own with its own /run: then everything that is seen is
# the script's, and nothing outlives it, whatever happens.
leaks_private() {
  if [ "$(id -u)" = 0 ] && [ -z "${RUNSC_TEST_PRIVATE:-}" ]; then
    export RUNSC_TEST_PRIVATE=1 RUNSC_TEST_ID=$$
    exec unshare --mount --pid --fork --mount-proc --kill-child bash "$(readlink -f "$0")" "$@"
  fi
  [ $$ = 1 ] || return 0
  mount -t tmpfs -o mode=755 tmpfs /run
  trap 'exit 143' TERM INT HUP # the first process of a pid namespace has no defaults
}

# Inherited by every process of the runtime, and part of the ids of containers.
export RUNSC_TEST_ID=${RUNSC_TEST_ID:-$$}

leaks_processes() {
  local pid ppid stat comm
  ps -eo pid=,ppid=,stat=,comm= | while read -r pid ppid stat comm; do
    [[ $comm == runsc* && $stat != Z* ]] || continue
    # A stub has no environment; its parent, the sentry, has.
    [ $$ = 1 ] || grep -qzsx "RUNSC_TEST_ID=$RUNSC_TEST_ID" "/proc/$pid/environ" "/proc/$ppid/environ" || continue
    echo "proc $comm"
  done | sort | uniq -c
}
leaks_snapshot() {
  leaks_processes
  awk '{print "mount", $1, $5, $6}' /proc/self/mountinfo | sort
  find /sys/fs/cgroup -maxdepth 5 -type d -name "*-$RUNSC_TEST_ID" 2>/dev/null | sed 's/^/cgroup /'
  [ $$ != 1 ] || find /run/runsc -mindepth 1 2>/dev/null | sed 's/^/state /'
}
leaks_before() { LEAKS=$(leaks_snapshot); }
leaks_after() { # name
  local now i
  # Processes need a moment to be reaped by init after their parent has gone.
  for i in 1 2 3 4 5 6 7 8 9 10; do
    now=$(leaks_snapshot)
    [ "$now" = "$LEAKS" ] && return 0
    sleep 0.2
  done
  diff <(echo "$LEAKS") <(echo "$now")
  echo "FAIL leak/$1"
  return 1
}
