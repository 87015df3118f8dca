#!/bin/sh
# What the command line says and returns for bad input, and that nothing is left after it.
# Needs root. usage: cli_errors.sh RUNSC
set -u
RUNSC=$(realpath "$1")
T=$(mktemp -d)
ROOT=$T/state
fails=0
trap 'rm -rf "$T"' EXIT

bundle() { # NAME: a fresh bundle with a spec that is good
	rm -rf "$T/$1" && mkdir -p "$T/$1/rootfs"
	cat >"$T/$1/config.json" <<-EOF
	{
	  "ociVersion": "1.0.2",
	  "process": {"args": ["/bin/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "env": []},
	  "root": {"path": "rootfs"},
	  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
	}
	EOF
}

edit() { sed -i "$2" "$T/$1/config.json"; }

# NAME STATUS TEXT -- ARGUMENTS: one line with TEXT on stderr, that exit status.
expect() {
	name=$1 status=$2 text=$3
	shift 4
	"$RUNSC" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" </dev/null
	got=$?
	sed -i 's/\\"/"/g' "$T/err"
	if [ "$got" != "$status" ] || ! grep -qF -- "$text" "$T/err" || [ "$(wc -l <"$T/err")" != 1 ]; then
		echo "  status $got (want $status), stderr:"
		sed "s/^/  /" "$T/err"
		echo "FAIL oci/cli-$name"
		fails=$((fails + 1))
	else
		echo "ok oci/cli-$name"
	fi
	left=$(ls -A "$ROOT" 2>/dev/null | grep -v '^keep$')
	if [ -n "$left" ]; then
		echo "  left in the state directory: $left"
		echo "FAIL oci/cli-$name-leftovers"
		fails=$((fails + 1))
		rm -rf "${ROOT:?}"/*
	fi
}

bundle b
expect no-such-flag 1 'unknown flag --nonsense' -- --nonsense list
expect no-such-verb-flag 1 'unknown flag --nonsense' -- run --nonsense x
expect no-such-verb 1 'unknown command "frobnicate"' -- frobnicate
expect missing-argument 1 'flag needs an argument: --bundle' -- run --bundle
expect log-format 1 '--log-format xml: use text or json' -- --log-format xml list
expect network 1 '--network x: use none or host' -- --network x list
expect no-id 1 'needs a container id' -- run --bundle "$T/b"
expect empty-id 1 'needs a container id' -- create --bundle "$T/b" ''
expect bad-id 1 'invalid container id "a/b"' -- run --bundle "$T/b" a/b
expect unknown-state 1 'container does not exist' -- state nobody
expect unknown-kill 1 'container does not exist' -- kill nobody 9
expect unknown-start 1 'container does not exist' -- start nobody
expect unknown-delete 1 'container does not exist' -- delete nobody
expect unknown-exec 255 'container does not exist' -- exec nobody ls
expect bad-signal 1 'unknown signal "SIGNONE"' -- kill nobody SIGNONE
expect no-bundle 1 'No such file or directory' -- run --bundle "$T/none" x
mkdir -p "$T/empty"
expect no-config 1 'config.json: no such file' -- run --bundle "$T/empty" x

bundle b; edit b '3s/,$//'
expect malformed 1 "config.json:4:" -- run --bundle "$T/b" x
bundle b; edit b 's/"1.0.2"/"2.0.0"/'
expect version 1 'ociVersion: version 2.0.0 is not supported' -- run --bundle "$T/b" x
bundle b; edit b 's/\["\/bin\/true"\]/"\/bin\/true"/'
expect args-type 1 'process.args: must be an array, not string' -- run --bundle "$T/b" x
bundle b; edit b 's/"cwd": "\/"/"cwd": "tmp"/'
expect cwd 1 'process.cwd: must be an absolute path' -- run --bundle "$T/b" x
bundle b; edit b 's/"env": \[\]/"env": [], "capabilities": {"bounding": ["CAP_FLY"]}/'
expect capability 1 'process.capabilities.bounding[0]: unknown capability "CAP_FLY"' -- run --bundle "$T/b" x
bundle b; edit b 's/"env": \[\]/"env": [], "rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]/'
expect rlimit-twice 1 'process.rlimits[1].type: RLIMIT_CORE is listed twice' -- run --bundle "$T/b" x
bundle b; edit b 's/{"type": "mount"}/{"type": "mount"}, {"type": "mount"}/'
expect ns-twice 1 'linux.namespaces[2]: namespace "mount" is listed twice' -- run --bundle "$T/b" x
bundle b; edit b 's/{"type": "mount"}/{"type": "network", "path": "\/proc\/self\/ns\/uts"}/'
expect ns-type 1 'is not a network namespace' -- --network host run --bundle "$T/b" x
bundle b; rmdir "$T/b/rootfs"
expect no-rootfs 1 'root.path' -- run --bundle "$T/b" x
bundle b; rmdir "$T/b/rootfs"; : >"$T/b/rootfs"
expect rootfs-file 1 'not a directory' -- run --bundle "$T/b" x
bundle b; edit b 's/"linux"/"mounts": [{"destination": "\/x", "type": "bind", "source": "\/no\/such"}], "linux"/'
expect no-source 1 'mounts[0].source: /no/such' -- run --bundle "$T/b" x
bundle b; edit b 's/"env": \[\]/"env": [], "terminal": true/'
expect console 1 'cannot allocate tty if runc will detach without setting console socket' -- create --bundle "$T/b" x
bundle b
expect not-there 127 '"/bin/true": no such file or directory' -- run --bundle "$T/b" x
expect not-there-create 1 '"/bin/true": no such file or directory' -- create --bundle "$T/b" x
bundle b; edit b 's/\/bin\/true/nosuch/'
expect not-in-path 127 'executable file not found in $PATH' -- run --bundle "$T/b" x
bundle b; mkdir -p "$T/b/rootfs/bin"; echo x >"$T/b/rootfs/bin/true"; chmod 644 "$T/b/rootfs/bin/true"
expect not-executable 126 'permission denied' -- run --bundle "$T/b" x
[ -d /run/systemd/system ] ||
	expect systemd 1 'systemd not running on this host, cannot use systemd cgroups manager' -- --systemd-cgroup run --bundle "$T/b" x
expect do-not-there 127 'executable file not found' -- do -- no-such-program-anywhere
expect do-not-executable 126 'permission denied' -- do -- /etc/passwd
expect do-nothing 1 'needs a command' -- do

check() { # NAME STATUS-OF-THE-CONDITION
	if [ "$2" = 0 ]; then
		echo "ok oci/cli-$1"
	else
		echo "FAIL oci/cli-$1"
		fails=$((fails + 1))
	fi
}

# The same as JSON, and in the log file.
"$RUNSC" --root "$ROOT" --log-format json state nobody 2>"$T/err"
grep -q '^{"level":"error","msg":"container does not exist.*","time":"....-..-..T..:..:..Z"}$' "$T/err"
check json-on-stderr $?
"$RUNSC" --root "$ROOT" --log "$T/log" --log-format=json state nobody 2>/dev/null
[ "$(wc -l <"$T/log")" = 1 ] && grep -q '"level":"error"' "$T/log"
check json-in-the-log $?
"$RUNSC" --root "$ROOT" delete --force nobody
check delete-force $?

# An id that exists.
bundle keep; edit keep 's/\/bin\/true/sleep/'
if [ -x /bin/busybox ]; then
	mkdir -p "$T/keep/rootfs/bin"
	cp /bin/busybox "$T/keep/rootfs/bin/sleep"
	edit keep 's/"sleep"/"\/bin\/sleep", "100"/'
	"$RUNSC" --root "$ROOT" create --bundle "$T/keep" keep </dev/null >/dev/null 2>&1
	expect exists 1 'container with given ID already exists' -- create --bundle "$T/keep" keep
	expect exec-created 255 'start it first' -- exec keep /bin/sleep 1
	"$RUNSC" --root "$ROOT" delete --force keep
fi
! grep -q "$T" /proc/self/mountinfo
check no-mounts-left $?
[ "$fails" = 0 ]
