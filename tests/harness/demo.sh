#!/usr/bin/env bash
# A short tour inside a sandbox. usage: demo.sh RUNSC
set -euo pipefail
runsc=$(readlink -f "$1")
here=$(dirname "$(readlink -f "$0")")
tour() { # text, then a shell command for the sandbox
  printf '\n\033[1m# %s\033[0m\n$ %s\n' "$1" "$2"
  "$runsc" do --volume "$here:/demo:ro" -- bash -c "$2"
}
secret=$(mktemp -p /var/tmp runsc-demo-XXXXXX)
trap 'rm -f "$secret"' EXIT
victim=$$

echo "Everything below runs inside sandboxes made by: $runsc do -- …"
tour "The kernel is ours, not the host's" 'uname -a'
tour 'Only our processes exist' 'ps -ef'
tour 'And our own kernel log' 'dmesg | head -6'
tour 'A shell pipeline' 'seq 100000 | sort -R | sort -n | tail -1'
tour 'A C program, compiled and run; its files stay in the sandbox' \
  'cd /tmp && echo "int puts(const char *); int main(void) { puts(\"hello\"); }" > runsc-demo.c &&
  gcc runsc-demo.c -o runsc-demo && ./runsc-demo'
[ ! -e /tmp/runsc-demo ] || { echo "demo: a file escaped" >&2; exit 1; }
tour 'A program looks for the host: its processes, its files, its network' \
  "gcc /demo/demo_intruder.c -o /tmp/intruder && /tmp/intruder $victim $secret; ls /sys/class/net"
[ ! -s "$secret" ] || { echo "demo: the host's file was changed" >&2; exit 1; }
printf '\nOn the host %s is still empty, and nothing is left behind.\n' "$secret"
