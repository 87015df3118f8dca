#!/usr/bin/env bash
# A short tour inside a sandbox. usage: demo.sh RUNSC
set -euo pipefail
runsc=$(readlink -f "$1")
tour() { # text, command…
  printf '\n\033[1m# %s\033[0m\n' "$1"
  shift
  printf '$ runsc do --'
  printf ' %q' "$@"
  printf '\n'
  "$runsc" do -- "$@"
}
secret=$(mktemp -p /var/tmp runsc-demo-XXXXXX)
trap 'rm -f "$secret" /tmp/runsc-demo-guest' EXIT

tour 'The kernel is ours, not the host'"'"'s' uname -a
tour 'Only our processes exist' ps -ef
tour 'And our own kernel log' sh -c 'dmesg | head -8'
tour 'A shell pipeline' bash -c 'seq 100000 | sort -R | sort -n | tail -1'
tour 'Compile and run a C program; the files stay in the sandbox' \
  sh -c 'cd /tmp && printf "#include <stdio.h>\nint main(void){puts(\"hello from the sandbox\");return 0;}\n" > runsc-demo.c && gcc runsc-demo.c -o runsc-demo-guest && ./runsc-demo-guest'
[ -e /tmp/runsc-demo-guest ] && { echo "demo: a file escaped" >&2; exit 1; }
tour 'The same kind of program tries to see the host: other processes, the network, a write' \
  sh -c "printf '%s\n' '#include <stdio.h>' '#include <signal.h>' '#include <errno.h>' '#include <string.h>' '#include <unistd.h>' 'int main(void){' 'printf(\"kill of host pid $$: %s\\n\", kill($$,0)?strerror(errno):\"reached\");' 'FILE*f=fopen(\"$secret\",\"w\");' 'printf(\"write to $secret: %s\\n\", f?\"only in the overlay\":strerror(errno));if(f){fputs(\"stolen\",f);fclose(f);}' 'return 0;}' > /tmp/p.c && gcc /tmp/p.c -o /tmp/p && /tmp/p; ls /sys/class/net"
[ -s "$secret" ] && { echo "demo: the host's file was changed" >&2; exit 1; }
printf '\nOn the host, %s is still empty, and nothing is left behind.\n' "$secret"
