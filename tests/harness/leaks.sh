# Sourced: what a sandbox may not leave on the host. leaks_before, run it, leaks_after
# NAME prints FAIL lines for host processes, mounts, cgroups, sockets and temporary
# files that were not there before.
leaks_snapshot() {
  # processes of ours (by their titles), mounts, cgroups, run-time state, temp files
  ps -eo comm= 2>/dev/null | grep -E '^runsc' | sort | uniq -c | sed 's/^/proc /'
  sed 's/^/mount /' /proc/self/mountinfo | awk '{print $1, $5, $6}' | sort
  find /sys/fs/cgroup -maxdepth 4 -type d -name '*runsc*' 2>/dev/null | sed 's/^/cgroup /'
  find /run/runsc "${XDG_RUNTIME_DIR:-/nonexistent}/runsc" -mindepth 1 2>/dev/null | sed 's/^/state /'
  find /tmp /var/tmp -maxdepth 1 -name 'runsc*' ! -name 'runsc-test.*' ! -name 'runsc-bench.*' 2>/dev/null | sed 's/^/file /'
}
leaks_before() { LEAKS=$(leaks_snapshot); }
leaks_after() { # name
  local now i
  # Processes need a moment to be reaped by init after their parent has gone.
  for i in 1 2 3 4 5 6 7 8 9 10; do
    now=$(leaks_snapshot)
    [ "$now" = "$LEAKS" ] && return 0
    read -rt 0.2 <> <(:) || true
  done
  diff <(echo "$LEAKS") <(echo "$now")
  echo "FAIL leak/$1"
  return 1
}
