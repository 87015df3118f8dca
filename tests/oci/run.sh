#!/usr/bin/env bash
# The OCI command line against bundles: life cycle, state, errors, leftovers.
# usage: run.sh RUNSC
set -uo pipefail
here=$(dirname "$(readlink -f "$0")")
. "$here/../harness/leaks.sh"
leaks_private "$@"
runsc=$(readlink -f "$1")
work=$(mktemp -d /tmp/runsc-test.oci.XXXXXX)
root=$work/root
rc=0
c1=c1-$RUNSC_TEST_ID c2=c2-$RUNSC_TEST_ID c3=c3-$RUNSC_TEST_ID run1=run1-$RUNSC_TEST_ID
trap 'for i in "$root"/*/; do [ -d "$i" ] && "$runsc" --root "$root" delete --force "$(basename "$i")" >/dev/null 2>&1; done; rm -rf "$work"' EXIT
r() { "$runsc" --root "$root" "$@"; }
t() { # name, then a condition run by the shell
  local name=$1
  shift
  if "$@"; then echo "ok oci/$name"; else echo "FAIL oci/$name"; rc=1; fi
}

# ---- a busybox bundle ----
bundle=$work/bb
mkdir -p "$bundle"/rootfs/{bin,proc,dev,sys,tmp,etc}
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
for a in sh cat echo ls sleep true false ps id mount env stat kill seq wc; do ln -s busybox "$bundle/rootfs/bin/$a"; done
(cd "$bundle" && "$runsc" spec) || { echo "FAIL oci/spec"; exit 1; }
config() { # args as JSON array, further jq-less edits by python expression on `c`
  python3 - "$bundle/config.json" "$1" "${2:-}" <<'PY'
import json, sys
p, args, edit = sys.argv[1:4]
c = json.load(open(p))
c["process"]["args"] = json.loads(args)
c["process"]["terminal"] = False
c["root"] = {"path": "rootfs", "readonly": False}
exec(edit)
json.dump(c, open(p, "w"))
PY
}
config '["/bin/sh","-c","echo hi; exit 3"]'
leaks_before
out=$(r run -b "$bundle" "$run1" 2>&1); st=$?
t run-output [ "$out" = hi ]
t run-status [ $st = 3 ]
t run-deletes-state [ ! -e "$root/$run1" ]
leaks_after oci/run || rc=1

config '["/bin/sh","-c","trap \"exit 5\" TERM; while :; do sleep 1; done"]'
leaks_before
r create -b "$bundle" --pid-file "$work/pid" "$c1" </dev/null >"$work/o" 2>&1
t create-status [ $? = 0 ]
t pid-file-no-newline test "$(wc -l <"$work/pid")" = 0
t state-created test "$(r state "$c1" | python3 -c 'import json,sys;s=json.load(sys.stdin);print(s["status"],s["id"],s["pid"]>0,s["bundle"])')" = "created $c1 True $bundle"
t published-pid-lives kill -0 "$(cat "$work/pid")"
out=$(r create -b "$bundle" "$c1" 2>&1 </dev/null); st=$?
t create-existing-id-fails [ $st != 0 ]
t create-existing-id-text test "${out#*container with given ID already exists}" != "$out"
out=$(r delete nosuch 2>&1); t delete-unknown test "${out#*does not exist}" != "$out"
r delete --force nosuch; t delete-force-unknown [ $? = 0 ]
r start "$c1"; t start [ $? = 0 ]
t state-running test "$(r state "$c1" | python3 -c 'import json,sys;print(json.load(sys.stdin)["status"])')" = running
out=$(r start "$c1" 2>&1); t start-twice test "${out#*cannot start an already running container}" != "$out"
out=$(r delete "$c1" 2>&1); t delete-running-refused test "${out#*cannot delete container $c1 that is not stopped}" != "$out"
t list-json test "$(r list -f json | python3 -c 'import json,sys;print([c["id"] for c in json.load(sys.stdin)])')" = "['$c1']"
t list-quiet test "$(r list -q)" = "$c1"
t ps-json test "$(r ps --format json "$c1")" = "[$(cat "$work/pid")]"
out=$(r exec "$c1" /bin/sh -c 'echo in; exit 4' 2>&1); st=$?
t exec-output [ "$out" = in ]
t exec-status [ $st = 4 ]
r pause "$c1"; t pause [ $? = 0 ]
t state-paused test "$(r state "$c1" | python3 -c 'import json,sys;print(json.load(sys.stdin)["status"])')" = paused
out=$(r exec "$c1" /bin/true 2>&1); t exec-paused test "${out#*cannot exec in a paused container}" != "$out"
r resume "$c1"; t resume [ $? = 0 ]
out=$(r resume "$c1" 2>&1); t resume-running test "${out#*container not paused}" != "$out"
t exec-after-resume test "$(r exec "$c1" /bin/echo again 2>&1)" = again
limit() { cat /sys/fs/cgroup/memory/"$c1"/memory.limit_in_bytes /sys/fs/cgroup/"$c1"/memory.max 2>/dev/null; }
for mb in 100 200 120; do # down, up (swap first), down
  echo "{\"memory\":{\"limit\":$((mb << 20)),\"reservation\":0,\"swap\":$((mb << 20)),\"kernel\":0},\"cpu\":{\"shares\":0},\"blockIO\":{\"weight\":0}}" | r update --resources - "$c1"
  t "update-$mb" [ $? = 0 ]
  t "update-$mb-limit" [ "$(limit)" = $((mb << 20)) ]
done
t events-stats test "$(r events --stats "$c1" | python3 -c 'import json,sys;s=json.load(sys.stdin);print(s["type"],s["data"]["memory"]["usage"]["usage"]>0,s["data"]["pids"]["current"]>0)')" = "stats True True"
r kill "$c1" TERM; t kill [ $? = 0 ]
for _ in $(seq 100); do [ "$(r state "$c1" | python3 -c 'import json,sys;print(json.load(sys.stdin)["status"])')" = stopped ] && break; sleep 0.05; done
t state-stopped test "$(r state "$c1" | python3 -c 'import json,sys;s=json.load(sys.stdin);print(s["status"],s["pid"])')" = "stopped 0"
out=$(r kill "$c1" TERM 2>&1); t kill-stopped test "${out#*container not running}" != "$out"
r kill --all "$c1" 9; t kill-all-stopped [ $? = 0 ]
r delete "$c1"; t delete [ $? = 0 ]
leaks_after oci/lifecycle || rc=1

# What callers probe.
r checkpoint --help >/dev/null; t checkpoint-help [ $? = 0 ]
out=$(r restore --lsm-mount-context 2>&1); t restore-probe test "${out#*flag needs an argument}" != "$out"
t version test "$(r --version | sed 's/[ :].*//' | paste -sd' ')" = "runsc commit spec"
t features test "$(r features | python3 -c 'import json,sys;f=json.load(sys.stdin);print("ociVersionMin" in f and "linux" in f)')" = True

# A created container that is never started dies by kill and delete.
leaks_before
r create -b "$bundle" "$c2" </dev/null >/dev/null 2>&1
r kill "$c2" KILL; t kill-created [ $? = 0 ]
r delete --force "$c2"; t delete-created [ $? = 0 ]
leaks_after oci/created || rc=1

# SIGKILL of any of the sandbox's processes ends all of them.
config '["/bin/sh","-c","sleep 1000 & sleep 1000"]'
for who in sentry gofer init stub; do
  leaks_before
  r create -b "$bundle" --pid-file "$work/pid" "$c3" </dev/null >/dev/null 2>&1 && r start "$c3"
  init=$(cat "$work/pid") sentry=$(pgrep -P "$(cat "$work/pid")" -x runsc-sentry)
  case $who in
  sentry) victim=$sentry ;;
  gofer) victim=$(pgrep -P "$init" -x runsc-gofer) ;;
  init) victim=$init ;;
  stub) victim=$(pgrep -P "$sentry" -x runsc-stub | paste -sd' ') ;;
  esac
  family="$init $sentry $(pgrep -P "$init" | paste -sd' ') $(pgrep -P "$sentry" | paste -sd' ')"
  kill -9 $victim
  for _ in $(seq 100); do kill -0 $family 2>/dev/null || break; sleep 0.05; done
  t "$who-killed-ends-all" [ -z "$(for p in $family; do kill -0 "$p" 2>/dev/null && echo "$p"; done)" ]
  t "$who-killed-state" test "$(r state "$c3" | python3 -c 'import json,sys;print(json.load(sys.stdin)["status"])')" = stopped
  r delete "$c3"; t "$who-killed-delete" [ $? = 0 ]
  leaks_after "oci/$who-killed" || rc=1
done

# The command that waits for a container says what ended it from outside.
config '["/bin/sh","-c","echo up; exec sleep 1000"]'
for who in sentry gofer init stub; do
  leaks_before
  timeout 60 "$runsc" --root "$root" --debug-log "$work/log" run -b "$bundle" --pid-file "$work/pid" "$c3" \
    </dev/null >"$work/o" 2>"$work/e" &
  cmd=$!
  for _ in $(seq 200); do grep -q up "$work/o" && break; read -rt 0.05 <> <(:); done
  init=$(cat "$work/pid") sentry=$(pgrep -P "$(cat "$work/pid")" -x runsc-sentry)
  case $who in
  sentry) victim=$sentry text="kernel process ended unexpectedly (signal 9)" ;;
  gofer) victim=$(pgrep -P "$init" -x runsc-gofer) text="file server ended unexpectedly (signal 9)" ;;
  init) victim=$init text="proxy ended unexpectedly (signal 9)" ;;
  # The first one makes the others.
  stub) victim=$(pgrep -P "$sentry" -x runsc-stub | sed -n 2p) text="ended with signal 9: its stub was killed" ;;
  esac
  kill -9 "$victim"
  wait $cmd; t "$who-killed-status" [ $? = 137 ]
  t "$who-killed-said" grep -qF "$text" "$work/e"
  t "$who-killed-logged" grep -qF "$text" "$work/log"
  rm -f "$work"/{o,log}
  leaks_after "oci/$who-killed-run" || rc=1
done
# A caller that ignores the end of its children.
config '["/bin/sh","-c","exit 3"]'
(trap '' CHLD; exec "$runsc" --root "$root" run -b "$bundle" "$c3" </dev/null >/dev/null 2>&1)
t run-sigchld-ignored [ $? = 3 ]
(trap '' CHLD; exec "$runsc" do -- sh -c '(exit 2) & wait $!; exit $(($? + 2))' </dev/null >/dev/null 2>&1)
t do-sigchld-ignored [ $? = 4 ]

# A user namespace whose root is another user of the host's.
leaks_before
config '["/bin/sh","-c","id -u; echo x >/tmp/by-root; mkdir /tmp/d; chown 5:6 /tmp/d; stat -c %u:%g /tmp/by-root /tmp/d"]' \
  'c["linux"]["namespaces"].append({"type": "user"}); c["linux"]["uidMappings"] = c["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]; [v.append("CAP_CHOWN") for v in c["process"]["capabilities"].values()]'
for n in mkdir chown; do ln -sf busybox "$bundle/rootfs/bin/$n"; done
chmod 711 "$work"; chown -R 100000:100000 "$bundle/rootfs"
out=$(timeout 60 "$runsc" --root "$root" run -b "$bundle" "$c3" 2>&1 </dev/null); st=$?
t userns-ids-inside [ "$(echo $out) $st" = "0 0:0 5:6 0" ]
t userns-ids-outside [ "$(cd "$bundle/rootfs/tmp" && stat -c %u:%g by-root d | paste -sd' ')" = "100000:100000 100005:100006" ]
rm -rf "$bundle/rootfs/tmp/by-root" "$bundle/rootfs/tmp/d"
chown -R 0:0 "$bundle/rootfs"
config '["/bin/sh"]' 'c["linux"]["namespaces"].pop(); c["linux"].pop("uidMappings"); c["linux"].pop("gidMappings"); [v.remove("CAP_CHOWN") for v in c["process"]["capabilities"].values()]'
leaks_after oci/userns || rc=1

# The host's OOM killer takes the process that eats memory, and the others go on.
leaks_before
config '["/bin/sh","-c","sleep 1000 & s=$!; dd if=/dev/zero of=/dev/null bs=300M count=1; echo dd $?; kill -0 $s && echo alive; exit 7"]' \
  'c["linux"].setdefault("resources", {})["memory"] = {"limit": 100 << 20, "swap": 100 << 20}'
ln -sf busybox "$bundle/rootfs/bin/dd"
# A victim goes in milliseconds or not at once, as it happens: several times. One big read;
# and a program that grows by small ones.
good=0 grown=0
for _ in 1 2 3 4 5 6 7 8; do
  out=$(timeout 60 "$runsc" --root "$root" run -b "$bundle" "$c3" 2>/dev/null </dev/null); st=$?
  [ "$(echo $out)" = "dd 137 alive" ] && [ $st = 7 ] && good=$((good + 1))
done
t oom-eater-killed-others-go-on [ $good = 8 ]
config '["/bin/sh","-c","sleep 1000 & s=$!; (x=$(head -c 300000000 /dev/zero | tr \\\\0 x)); echo grown $?; kill -0 $s && echo alive; exit 7"]'
for n in head tr; do ln -sf busybox "$bundle/rootfs/bin/$n"; done
for _ in 1 2 3; do
  out=$(timeout 60 "$runsc" --root "$root" run -b "$bundle" "$c3" 2>/dev/null </dev/null); st=$?
  [ "$(echo $out)" = "grown 137 alive" ] && [ $st = 7 ] && grown=$((grown + 1))
done
t oom-growing-by-reads [ $grown = 3 ]
leaks_after oci/oom || rc=1
config '["/bin/sh","-c","sleep 1000 & sleep 1000"]' 'c["linux"]["resources"].pop("memory")'

# ---- bad input: one line, what to do, nothing left ----
bad() { # name, expected piece of text, command…
  local name=$1 text=$2 out st n
  shift 2
  leaks_before
  out=$("$@" 2>&1 </dev/null); st=$?
  n=$(printf '%s\n' "$out" | wc -l)
  if [ $st != 0 ] && [ "$n" = 1 ] && [[ "$out" == *"$text"* ]]; then echo "ok oci/bad-$name"; else
    printf '  status %s, %s lines: %s\n' "$st" "$n" "$out"
    echo "FAIL oci/bad-$name"
    rc=1
  fi
  leaks_after "oci/bad-$name" || rc=1
}
cp "$bundle/config.json" "$work/good.json"
mkdir "$work/empty"
bad no-config config.json r run -b "$work/empty" x
printf '{\n "ociVersion": "1.0.2",\n "process": }\n' >"$bundle/config.json"
bad malformed-config config.json:3 r run -b "$bundle" x
cp "$work/good.json" "$bundle/config.json"; config '["/bin/true"]' 'c["process"]["args"]="oops"'
bad wrong-type process.args r run -b "$bundle" x
cp "$work/good.json" "$bundle/config.json"; config '["/bin/true"]' 'c["root"]["path"]="nosuch"'
bad no-rootfs nosuch r run -b "$bundle" x
cp "$work/good.json" "$bundle/config.json"; config '["/bin/true"]' 'c["process"]["capabilities"]["effective"]=["CAP_NONSENSE"]'
bad unknown-capability CAP_NONSENSE r run -b "$bundle" x
cp "$work/good.json" "$bundle/config.json"; config '["nosuchprogram"]'
bad no-program 'executable file not found in $PATH' r run -b "$bundle" x
out=$("$runsc" do -- nosuchprogram 2>&1); t do-missing-127 [ $? = 127 ]
out=$("$runsc" do -- /etc/passwd 2>&1); t do-not-executable-126 [ $? = 126 ]
config '["/etc"]'
bad program-is-directory 'permission denied' r run -b "$bundle" x
bad unknown-flag -- r run --nonsense -b "$bundle" x
bad unknown-verb nonsense r nonsense
out=$(r --log-format json --log "$work/log.json" run -b "$work/empty" x 2>&1)
t log-json python3 -c 'import json,sys; l=[json.loads(x) for x in open(sys.argv[1])]; assert len(l)==1 and l[0]["level"]=="error" and "config.json" in l[0]["msg"] and l[0]["time"]' "$work/log.json"
cp "$work/good.json" "$bundle/config.json"

# ---- many ----
config '["/bin/echo","x"]'
leaks_before
n=0
for i in $(seq "${RUNSC_TEST_SEQUENTIAL:-60}"); do [ "$(r run -b "$bundle" "s$i-$RUNSC_TEST_ID" 2>&1)" = x ] && n=$((n + 1)); done
t "sequential-${RUNSC_TEST_SEQUENTIAL:-60}" [ $n = "${RUNSC_TEST_SEQUENTIAL:-60}" ]
for i in $(seq 20); do r run -b "$bundle" "p$i-$RUNSC_TEST_ID" >"$work/par.$i" 2>&1 & done
wait
t parallel-20 test "$(cat "$work"/par.* | grep -c '^x$')" = 20
leaks_after oci/many || rc=1
"$here/confinement.sh" "$runsc" "$work" || rc=1
"$here/forbidden.sh" "$runsc" "$work" || rc=1
leaks_before
"$here/cli_errors.sh" "$runsc" || rc=1
leaks_after oci/cli-errors || rc=1
leaks_before
"$here/layers.sh" "$runsc" || rc=1
leaks_after oci/layers || rc=1
exit $rc
