#!/usr/bin/env bash
# The project's own rules, checked by machine. Prints "ok lint/X" or "FAIL lint/X".
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
rc=0
sources() { git ls-files -co --exclude-standard "$@" | sort -u | while read -r f; do [ -f "$f" ] && echo "$f"; done; }
check() { # name, output of the check on stdin: any line is a failure
  local out
  out=$(cat)
  if [ -n "$out" ]; then
    printf '%s\n' "$out"
    echo "FAIL lint/$1"
    rc=1
  else
    echo "ok lint/$1"
  fi
}

# ---- layers: who may include what ----
layer_of() { case $1 in
  platform/base/* | syscalls/abi/* | sentry/lock_order.def) echo 0 ;;
  platform/*) echo 1 ;;
  sentry/*) echo 2 ;;
  syscalls/*) echo 3 ;;
  gofer/*) echo g ;;
  oci-shim/boot/*) echo 9 ;;
  oci-shim/*) echo o ;;
  *) echo x ;;
esac; }
layers() {
  sources '*.c' '*.h' | grep -Ev '^(tests|bench)/' | while read -r f; do
    me=$(layer_of "$f")
    grep -oE '^#include "[^"]+"' "$f" | cut -d'"' -f2 | while read -r inc; do
      case "$f $inc" in # the exceptions that docs/architecture.md names
      "oci-shim/sandbox/proxy.c oci-shim/boot/boot.h" | \
        "oci-shim/cmd/info.c syscalls/syscalls_doc.h" | \
        "oci-shim/boot/confine_host.c sentry_filter.h") continue ;;
      esac
      case $inc in */*) ;; *) echo "$f: include is not rooted: $inc"; continue ;; esac
      [ -f "$inc" ] || continue
      it=$(layer_of "$inc")
      case $me$it in
      ?0 | 9? | 11 | 22 | 21 | 33 | 32 | 31 | gg | oo | o1 | og | 2g) ;;
      *) case $inc in gofer/proto/* | sentry/control/*) ;; *) echo "$f: layer $me must not include $inc" ;; esac ;;
      esac
      case $inc in *_impl.h) [ "$(dirname "$inc")" = "$(dirname "$f")" ] ||
        echo "$f: $inc is private to its folder" ;; esac
    done
  done
}
layers | check layers

# ---- sizes ----
sizes() {
  sources '*.c' '*.h' | while read -r f; do
    n=$(wc -l <"$f")
    case $f in syscalls/sys_*) max=600 ;; *) max=1000 ;; esac
    [ "$n" -le $max ] || echo "$f: $n lines, at most $max"
  done
}
sizes | check file-sizes

# ---- raw host calls only in *_host.c (sentry and syscalls) ----
host_calls() {
  sources 'sentry/*.c' 'syscalls/*.c' | grep -v '_host\.c$' | while read -r f; do
    grep -nE '(^|[^_a-z>.])(open|openat|read|write|pread|pwrite|ioctl|mmap|munmap|socket|connect|sendmsg|recvmsg|epoll_wait|epoll_ctl|poll|ppoll|fork|execve|kill|memfd_create|syscall)\(' "$f" |
      grep -vE '^\s*[0-9]+:\s*(/?\*|//)|->|\* |"[^"]*(open|read|write|ioctl|mmap|socket|poll|kill|syscall)\(|(static|int|long|int64_t|uint32_t|void|bool) \*?(open|read|write|ioctl|poll|kill|socket|connect)\(' |
      sed "s#^#$f:#"
  done
}
host_calls | check host-calls

# ---- every header compiles alone ----
headers() {
  sources '*.h' | grep -Ev '^(syscalls/syscall_end.h)' | while read -r h; do
    echo "#include \"$h\"" | gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -I. -Itests -fsyntax-only -x c - 2>&1 |
      grep -E 'error|warning' | head -1
  done
}
headers | check headers-compile-alone

# ---- no sleeps as synchronisation ----
sources '*.c' | grep -Ev '^(tests/syscalls|tests/platform|tests/stress|tests/hostile|bench|tests/app)/' |
  xargs grep -nE '(^|[^a-z_])(usleep|sleep)\(' /dev/null | check no-sleeps

# ---- generated documents are up to date ----
generated() {
  local bin
  for bin in build/runsc build-debug/runsc; do [ -x $bin ] && break; done
  [ -x "$bin" ] || { echo "no build to generate documents with"; return; }
  "$bin" syscalls --format=md | diff -q - docs/compatibility.md >/dev/null ||
    echo "docs/compatibility.md is stale: $bin syscalls --format=md > docs/compatibility.md"
  tests/lint/gen_locking.sh | diff -q - docs/locking.md >/dev/null ||
    echo "docs/locking.md is stale: tests/lint/gen_locking.sh > docs/locking.md"
}
generated | check generated-docs

# ---- coverage: every implemented call has a case or a reason ----
tests/lint/coverage.sh | check coverage

# ---- formatting of what changed most: no trailing blanks, no spaces before tabs ----
sources '*.c' '*.h' '*.def' '*.md' '*.sh' '*.py' 'dev' | xargs grep -nE '[ 	]+$' /dev/null | head -20 | check trailing-blanks

exit $rc
