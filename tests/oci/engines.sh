#!/usr/bin/env bash
# Real container managers: dockerd and containerd from Debian, each on a private root.
# usage: engines.sh RUNSC
set -uo pipefail
. "$(dirname "$(readlink -f "$0")")/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1")
work=$(mktemp -d /tmp/runsc-test.eng.XXXXXX)
rc=0 dpid= cpid=
stop() { # pid
  [ -n "$1" ] || return 0
  kill "$1" 2>/dev/null
  for _ in $(seq 100); do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done
  kill -9 "$1" 2>/dev/null
}
cleanup() {
  stop "$dpid"
  stop "$cpid"
  awk -v w="$work" 'index($2, w) == 1 {print $2}' /proc/mounts | sort -r | xargs -r -n1 umount -l 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT
t() { local n=$1; shift; if "$@"; then echo "ok engine/$n"; else [ ! -s "$work/err" ] || cat "$work/err"; echo "FAIL engine/$n"; rc=1; fi; }
wait_for() { for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done; return 1; }

# ---- an image: busybox ----
mkdir -p "$work/img"/{bin,tmp,etc,proc,sys,dev}
cp "$(command -v busybox)" "$work/img/bin/busybox"
for a in sh cat echo ls sleep true ps id mount env; do ln -s busybox "$work/img/bin/$a"; done
tar -C "$work/img" -cf "$work/img.tar" .

# ---- docker ----
docker=$(command -v /usr/bin/docker || command -v docker)
if command -v dockerd >/dev/null && [ -n "$docker" ]; then
  cat >"$work/daemon.json" <<JSON
{"runtimes": {"runsc": {"path": "$runsc"}}, "bridge": "none", "iptables": false, "ip6tables": false,
 "storage-driver": "vfs", "exec-opts": ["native.cgroupdriver=cgroupfs"]}
JSON
  dockerd --config-file "$work/daemon.json" --data-root "$work/docker" --exec-root "$work/dexec" \
    -H "unix://$work/docker.sock" --pidfile "$work/docker.pid" >"$work/dockerd.log" 2>&1 &
  dpid=$!
  dk() { DOCKER_HOST="unix://$work/docker.sock" DOCKER_CONFIG="$work" timeout 100 "$docker" "$@"; }
  if wait_for dk info; then
    dk import "$work/img.tar" bb:1 >/dev/null 2>&1
    out=$(dk run --rm --runtime runsc --network none bb:1 sh -c 'echo hi; exit 3' 2>"$work/err"); st=$?
    t docker-run-output [ "$out" = hi ]
    t docker-run-status [ $st = 3 ]
    out=$(dk run --rm --runtime runsc --network none bb:1 nosuch 2>&1); t docker-run-127 [ $? = 127 ]
    out=$(dk run --rm --runtime runsc --network none bb:1 /etc 2>&1); t docker-run-126 [ $? = 126 ]
    id=$(dk run -d --runtime runsc --network none bb:1 sh -c 'echo started; trap "exit 0" TERM; while :; do sleep 1; done' 2>"$work/err")
    t docker-run-detached [ -n "$id" ]
    logs() { [ "$(dk logs "$id" 2>/dev/null)" = started ]; }
    t docker-logs wait_for logs
    t docker-exec [ "$(dk exec "$id" sh -c 'echo inside' 2>&1)" = inside ]
    dk exec "$id" sh -c 'exit 7' >/dev/null 2>&1; t docker-exec-status [ $? = 7 ]
    t docker-exec-tty [ "$(dk exec -t "$id" sh -c 'test -t 0 && echo tty' 2>&1 | tr -d '\r')" = tty ]
    t docker-top [ "$(dk top "$id" | grep -c 'echo started')" = 1 ]
    dk pause "$id" >/dev/null && [ "$(dk inspect -f '{{.State.Status}}' "$id")" = paused ] && dk unpause "$id" >/dev/null
    t docker-pause [ $? = 0 ]
    t docker-exec-after-pause [ "$(dk exec "$id" sh -c 'echo inside' 2>&1)" = inside ]
    dk update -m 100m --memory-swap 100m "$id" >/dev/null; t docker-update [ $? = 0 ]
    dk stop -t 10 "$id" >/dev/null; t docker-stop [ $? = 0 ]
    t docker-stop-status [ "$(dk inspect -f '{{.State.ExitCode}}' "$id")" = 0 ]
    dk rm "$id" >/dev/null; t docker-rm [ $? = 0 ]
    mkdir "$work/vol"
    dk run --rm --runtime runsc --network none -v "$work/vol:/vol" -w /new/dir bb:1 sh -c 'pwd >/vol/f' 2>&1
    t docker-volume [ "$(cat "$work/vol/f" 2>/dev/null)" = /new/dir ]
    out=$(dk run --rm -t --runtime runsc --network none bb:1 sh -c 'test -t 1 && echo tty' 2>&1 | tr -d '\r'); t docker-tty [ "$out" = tty ]
    t docker-stdin [ "$(echo piped | dk run --rm -i --runtime runsc --network none bb:1 cat 2>&1)" = piped ]
  else
    tail -5 "$work/dockerd.log"
    echo "FAIL engine/dockerd-start"
    rc=1
  fi
  stop "$dpid"
  dpid=
else
  echo "skip engine/docker: dockerd is not installed"
fi

# ---- containerd: ctr with the runc shim and BinaryName ----
if command -v containerd >/dev/null && command -v ctr >/dev/null; then
  cat >"$work/containerd.toml" <<TOML
version = 2
root = "$work/cd"
state = "$work/cdrun"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "$work/cd.sock"
TOML
  containerd -c "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
  cpid=$!
  ct() { timeout 100 ctr -a "$work/cd.sock" "$@"; }
  if wait_for ct version; then
    # ctr wants an image with a manifest: run from a root directory instead.
    mkdir -p "$work/ctrroot" && tar -C "$work/ctrroot" -xf "$work/img.tar"
    out=$(ct run --rm --runtime io.containerd.runc.v2 --runc-binary "$runsc" --rootfs "$work/ctrroot" c1 /bin/sh -c 'echo hi; exit 3' 2>"$work/err"); st=$?
    t ctr-run-output [ "$out" = hi ]
    t ctr-run-status [ $st = 3 ]
    ct run -d --runtime io.containerd.runc.v2 --runc-binary "$runsc" --rootfs "$work/ctrroot" c2 /bin/sleep 1000 >"$work/err" 2>&1
    t ctr-run-detached [ $? = 0 ]
    t ctr-task-exec [ "$(ct task exec --exec-id e1 c2 /bin/echo inside 2>&1)" = inside ]
    ct task kill -s 9 c2 >/dev/null 2>&1
    gone() { ct task rm c2; }
    t ctr-task-delete wait_for gone
    ct container rm c2 >/dev/null 2>&1
  else
    tail -5 "$work/containerd.log"
    echo "FAIL engine/containerd-start"
    rc=1
  fi
  stop "$cpid"
  cpid=
else
  echo "skip engine/containerd: containerd is not installed"
fi
# ---- a Debian root: RUNSC_TEST_DEBIAN=1 makes one, RUNSC_TEST_DEBIAN=DIR copies one ----
if [ -n "${RUNSC_TEST_DEBIAN:-}" ]; then
  deb=$work/deb
  mkdir -p "$deb"
  if [ "$RUNSC_TEST_DEBIAN" = 1 ]; then
    mmdebstrap --variant=minbase bookworm "$deb/rootfs" >"$work/mmdebstrap.log" 2>&1 || tail -5 "$work/mmdebstrap.log"
  else
    cp -a "$RUNSC_TEST_DEBIAN" "$deb/rootfs"
  fi
  (cd "$deb" && "$runsc" spec)
  debian() { # overlay, shell script
    python3 - "$deb/config.json" "$2" <<'PY'
import json, sys
p, script = sys.argv[1:]
c = json.load(open(p))
c["process"].update(terminal=False, args=["/bin/bash", "-c", script])
c["root"] = {"path": "rootfs", "readonly": False}
json.dump(c, open(p, "w"))
PY
    timeout 100 "$runsc" --root "$work/debroot" --overlay2 "$1" run -b "$deb" "deb-$RUNSC_TEST_ID" </dev/null 2>&1
  }
  script='apt-get --version | head -1; dpkg -l | wc -l; perl -e "print 6*7, qq(\n)"; command -v python3 || echo none'
  want=$(chroot "$deb/rootfs" /bin/bash -c "$script")
  for o in none root:memory; do
    got=$(debian $o "$script")
    t "debian-$o" [ "$got" = "$want" ] || true
    [ "$got" = "$want" ] || printf '  want: %s\n  got: %s\n' "$want" "$got"
    t "debian-$o-write" [ "$(debian $o "echo $o >/root/written; cat /root/written")" = $o ]
  done
  t debian-write-through [ "$(cat "$deb/rootfs/root/written" 2>/dev/null)" = none ]
else
  echo "skip engine/debian: RUNSC_TEST_DEBIAN=1 makes a root with mmdebstrap, which takes minutes"
fi
left=$(ps -eo comm= | grep -cE '^runsc')
t nothing-left [ "$left" = 0 ]
[ "$left" = 0 ] || ps -eo pid,ppid,comm,args | grep '[r]unsc'
exit $rc
