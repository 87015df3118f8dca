#!/usr/bin/env python3
"""Overhead of sandboxed runs: medians and ratios, all from one run.

usage: bench/run.py [--runtime NAME=PATH]... [--json FILE] [--quick] [--only NAME,...]

Runs every benchmark natively, in runc (if installed) and in build/runsc, with one and
the same OCI bundle: its root is an overlayfs mount over the host's root, as container
engines make them, with a tmpfs on /tmp. Prints a table and writes JSON. Needs root.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MICRO = ["getpid", "pipe_rw1", "pipe_pingpong", "read4k", "read4k_written", "read64k", "stat",
         "open_close", "fork_exit_wait", "fork_exec_dynamic", "anon_fault", "mmap_munmap"]
SHELL200 = "i=0; while [ $i -lt 100 ]; do /bin/true; /usr/bin/basename /a/b >/dev/null; i=$((i+1)); done"
CC = ("cd /tmp && printf '#include <stdio.h>\\nint main(void){puts(\"hi\");return 0;}\\n' > b.c && "
      "gcc -O1 b.c -o b && ./b > /dev/null")


def spec(args, extra_mounts=()):
    caps = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"]

    mounts = [{"destination": "/proc", "type": "proc", "source": "proc"},
              {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
               "options": ["nosuid", "mode=755"]},
              {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]}]
    return {
        "ociVersion": "1.0.2",
        "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": args, "cwd": "/",
                    "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
                    "capabilities": {k: caps for k in ("bounding", "effective", "permitted")},
                    "noNewPrivileges": True},
        "root": {"path": "rootfs", "readonly": False},
        "hostname": "bench",
        "mounts": mounts + list(extra_mounts),
        "linux": {"namespaces": [{"type": t} for t in ("pid", "ipc", "uts", "mount", "network")],
                  "resources": {}},
    }


class Bundle:
    """The bundle, and its root: an overlay in which /bench holds the guest program."""

    def __init__(self, base, bench_dir):
        self.dir = os.path.join(base, "bundle")
        self.bench_dir = bench_dir
        self.root = os.path.join(self.dir, "rootfs")
        top = os.path.join(base, "top")
        for d in (self.root, top):
            os.makedirs(d)
        run(["mount", "-t", "tmpfs", "tmpfs", top])
        for d in ("upper/bench", "work"):
            os.makedirs(os.path.join(top, d))
        for name in os.listdir(bench_dir):
            shutil.copy(os.path.join(bench_dir, name), os.path.join(top, "upper/bench"))
        run(["mount", "-t", "overlay", "overlay", "-o",
             "lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (top, top), self.root])
        self.mounts = [self.root, top]

    def close(self):
        for m in self.mounts:
            subprocess.run(["umount", "-l", m], stderr=subprocess.DEVNULL)

    def write(self, args):
        with open(os.path.join(self.dir, "config.json"), "w") as f:
            json.dump(spec(args, self.extra_mounts()), f)

    def extra_mounts(self):
        return []

    def native_path(self, arg):
        """Where an argument's path is natively."""
        return arg.replace("/bench/", self.bench_dir + "/")


class Native:
    name = "native"

    def command(self, bundle, args):
        return [bundle.native_path(a) for a in args]


class Runtime:
    def __init__(self, name, path, base):
        self.name, self.path = name, path
        self.root = os.path.join(base, "root-" + name)
        self.count = 0

    def command(self, bundle, args):
        bundle.write(args)
        self.count += 1
        return [self.path, "--root", self.root, "run", "--bundle", bundle.dir,
                "bench-%s-%d-%d" % (self.name, os.getpid(), self.count)]


def run(cmd):
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if p.returncode:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(cmd), p.returncode, p.stderr.strip()))
    return p.stdout


def timed(side, bundle, args, rounds):
    times = []
    for _ in range(rounds + 1):
        cmd = side.command(bundle, args)
        a = time.monotonic()
        run(cmd)
        times.append((time.monotonic() - a) * 1e9)
    return statistics.median(times[1:])


def pss_of(pids):
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as f:
                for line in f:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        except OSError:
            pass
    return total


def processes():
    return {int(d) for d in os.listdir("/proc") if d.isdigit()}


def memory(side, bundle):
    """PSS in KiB over all processes of an idle container, and the peak seen from its
    start to its end while it allocates nothing of its own."""
    bundle.write(["/bin/sleep", "1000"])
    side.count += 1
    ident = "bench-mem-%s-%d" % (side.name, os.getpid())
    before = processes()
    base = [side.path, "--root", side.root]
    peak = 0
    null = open(os.devnull, "r+")
    subprocess.run(base + ["create", "--bundle", bundle.dir, ident], check=True, stdin=null,
                   stdout=null, stderr=null)
    try:
        subprocess.run(base + ["start", ident], check=True, stdin=null, stdout=null, stderr=null)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            now = pss_of(processes() - before)
            peak = max(peak, now)
            time.sleep(0.05)
        idle = pss_of(processes() - before)
    finally:
        subprocess.run(base + ["kill", ident, "KILL"], stdin=null, stdout=null, stderr=null)
        for _ in range(100):
            if subprocess.run(base + ["delete", ident], stdin=null, stdout=null,
                              stderr=null).returncode == 0:
                break
            time.sleep(0.05)
    return idle, peak


def fmt(ns):
    for unit, div in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= div:
            return "%.2f %s" % (ns / div, unit)
    return "%.0f ns" % ns


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runtime", action="append", default=[], metavar="NAME=PATH")
    ap.add_argument("--json", default=os.path.join(TOP, "build", "bench.json"))
    ap.add_argument("--only", help="comma-separated benchmark names")
    ap.add_argument("--quick", action="store_true", help="fewer rounds")
    opt = ap.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root: runc and bind mounts need it")
    base = tempfile.mkdtemp(prefix="runsc-bench.")
    try:
        results = bench(opt, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    report(results, opt)


def bench(opt, base):
    bench_dir = os.path.join(base, "bin")
    os.makedirs(bench_dir)
    run(["gcc", "-O2", "-static", "-o", os.path.join(bench_dir, "bench_guest"),
         os.path.join(TOP, "bench/micro/bench_guest.c")])
    bundle = Bundle(base, bench_dir)
    try:
        return measure(opt, base, bundle)
    finally:
        bundle.close()


def runtimes(opt, base):
    """runc, what --runtime names, and ours."""
    named = [r.split("=", 1) for r in opt.runtime]
    if not any(n == "runc" for n, *_ in named) and shutil.which("runc"):
        named.insert(0, ["runc", shutil.which("runc")])
    named.append(["ours", os.path.join(TOP, "build", "runsc")])
    return [Runtime(n, os.path.abspath(shutil.which(p) or p), base) for n, p in named]


def machine():
    with open("/proc/cpuinfo") as f:
        cpu = next((l.split(":", 1)[1].strip() for l in f if l.startswith("model name")), "?")
    return {"cpu": cpu, "cpus": os.cpu_count(), "kernel": platform.release()}


def measure(opt, base, bundle):
    sides = [Native()] + runtimes(opt, base)
    only = opt.only.split(",") if opt.only else None
    want = [m for m in MICRO if not only or m in only]
    rounds = 5 if opt.quick else 15
    table = {}
    for side in sides:
        print("bench: %s …" % side.name, file=sys.stderr)
        if want:
            out = run(side.command(bundle, ["/bench/bench_guest"] + want))
            for line in out.splitlines():
                name, ns, _ = line.split()
                table.setdefault(name, {})[side.name] = float(ns)
        for name, args in (("start_true", ["/bin/true"]),
                           ("shell_200_commands", ["/bin/sh", "-c", SHELL200]),
                           ("compile_c", ["/bin/sh", "-c", CC])):
            if only and name not in only:
                continue
            n = rounds if name == "start_true" else max(3, rounds // 3)
            table.setdefault(name, {})[side.name] = timed(side, bundle, args, n)
        if isinstance(side, Runtime) and (not only or "memory" in only):
            idle, peak = memory(side, bundle)
            table.setdefault("idle_pss_kib", {})[side.name] = idle
            table.setdefault("peak_pss_kib", {})[side.name] = peak
    return {"machine": machine(), "sides": [s.name for s in sides], "medians": table}


def report(res, opt):
    m = res["machine"]
    sides = res["sides"]
    print("%s, %d CPUs, Linux %s; medians; x = ratio to native" % (m["cpu"], m["cpus"], m["kernel"]))
    head = "%-19s" % "benchmark" + "%11s" % "native"
    for s in sides[1:]:
        head += "%20s" % s
    print(head)
    ratios = {}
    for name, row in res["medians"].items():
        memory_row = name.endswith("_kib")
        line = "%-19s" % name
        nat = row.get("native")
        line += "%11s" % (fmt(nat) if nat else "-")
        for s in sides[1:]:
            v = row.get(s)
            if v is None:
                line += "%20s" % "-"
            elif memory_row:
                line += "%20s" % ("%d KiB" % v)
            else:
                r = v / nat if nat else 0
                ratios.setdefault(name, {})[s] = round(r, 3)
                line += "%20s" % ("%s %6.2fx" % (fmt(v), r))
        print(line)
    row = res["medians"].get("start_true", {})
    if "runc" in row and "ours" in row:
        print("run /bin/true: ours / runc = %.2f" % (row["ours"] / row["runc"]))
    res["ratios_to_native"] = ratios
    os.makedirs(os.path.dirname(os.path.abspath(opt.json)), exist_ok=True)
    with open(opt.json, "w") as f:
        json.dump(res, f, indent=1)
    print("JSON: %s" % opt.json)


if __name__ == "__main__":
    main()
