#!/bin/sh
# Overlays over what the host goes on changing (--overlay2 all:…), and mounts that the
# configuration locks. Needs root. usage: layers.sh RUNSC
set -u
RUNSC=$(realpath "$1")
T=$(mktemp -d)
fails=0
trap 'rm -rf "$T"' EXIT

check() { # NAME WANT GOT
	if [ "$2" = "$3" ]; then
		echo "ok oci/$1"
	else
		printf '  want: %s\n  got: %s\nFAIL oci/%s\n' "$2" "$3" "$1"
		fails=$((fails + 1))
	fi
}

config() { # OPTIONS SCRIPT
	cat >"$T/config.json" <<-X
	{
	  "ociVersion": "1.0.2", "root": {"path": "/", "readonly": true},
	  "process": {"args": ["/bin/sh", "-c", "$2"], "cwd": "/mnt", "user": {"uid": 0, "gid": 0},
	    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
	    "capabilities": {"bounding": ["CAP_SYS_ADMIN"], "effective": ["CAP_SYS_ADMIN"],
	      "permitted": ["CAP_SYS_ADMIN"]}},
	  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
	    {"destination": "/mnt", "type": "bind", "source": "$T/src", "options": [$1]}],
	  "linux": {"maskedPaths": ["/proc/keys", "/sys/firmware"], "readonlyPaths": ["/proc/sys"]}
	}
	X
}

# The container says when it has looked, and waits for the host's file "go".
mkdir -p "$T/src/d"
echo one >"$T/src/f"
echo x >"$T/src/g"
echo dx >"$T/src/d/x"
config '"rbind"' 'cat f g d/x; echo mine > own; echo more >> g; echo READY; until [ -e go ]; do sleep 0.05; done; cat f g d/x own new; ls'
mkfifo "$T/out"
timeout 30 "$RUNSC" --root "$T/state" --overlay2 all:memory run -b "$T" layers >"$T/out" 2>&1 &
got=$({
	while read -r line && [ "$line" != READY ]; do echo "$line"; done
	rm "$T/src/f"
	echo two >"$T/src/f"
	echo new >"$T/src/new"
	echo changed >"$T/src/g"
	mv "$T/src/d" "$T/src/d2"
	mkdir "$T/src/d"
	echo dy >"$T/src/d/x"
	touch "$T/src/go"
	cat
} <"$T/out" | tr '\n' ' ')
wait
check overlay-follows-the-host "one x dx two x more dy mine new d d2 f g go new own " "$got"
check overlay-keeps-to-itself "changed" "$(cat "$T/src/g")"
[ -e "$T/src/own" ] && check overlay-leaves-nothing "no file" "src/own"

config '"rbind", "ro", "rshared", "nodiratime", "nosymfollow"' \
	'grep -c \" /mnt ro,nodiratime,relatime,nosymfollow shared:1 \" /proc/self/mountinfo; mount -o remount,rw,bind /mnt 2>/dev/null && echo writable; umount /proc/sys 2>/dev/null && echo gone; umount /sys/firmware 2>/dev/null && echo gone; mount -o remount,rw / 2>/dev/null && echo root; touch /mnt/x 2>/dev/null || echo done'
got=$(timeout 30 "$RUNSC" --root "$T/state" run -b "$T" layers 2>&1 </dev/null | tr '\n' ' ')
check locked-mounts "1 done " "$got"
[ $fails = 0 ]
