#!/usr/bin/env python3
"""Overhead of file access in sandboxed runs: medians and ratios, all from one run.

usage: bench/files.py [--runtime NAME=PATH]... [--json FILE] [--quick] [--only NAME,...]

The same bundle natively, in runc and in build/runsc: its root is an overlayfs mount
over the host's root; /data is a bind mount of a directory of the host, shared with it;
/tmp is a tmpfs. Benchmarks: calls (stat, open, create on each file system), fio (needs
fio), find, tar, git. Needs root and about 2 GiB below --dir.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

from run import TOP, Native, Runtime, Bundle, fmt, report, run, timed, machine, runtimes

FIO = [("seq_read_4k", "read", "4k"), ("seq_read_1m", "read", "1m"),
       ("seq_write_4k", "write", "4k"), ("seq_write_1m", "write", "1m"),
       ("rand_read_4k", "randread", "4k"), ("rand_write_4k", "randwrite", "4k")]
# Where each file system is seen: inside; natively.
PLACES = ["root", "bind", "tmpfs"]


class FileBundle(Bundle):
    """Bundle with /data, a bind mount. Natively the directories behind it are used."""

    def __init__(self, base, bench_dir):
        super().__init__(base, bench_dir)
        self.data = os.path.join(base, "data")
        self.tmp = os.path.join(base, "tmp")
        os.makedirs(self.data)
        os.makedirs(self.tmp)
        run(["mount", "-t", "tmpfs", "tmpfs", self.tmp])
        self.mounts.insert(0, self.tmp)
        for d in ("data", "on-root"):
            os.makedirs(os.path.join(self.root, d), exist_ok=True)

    def extra_mounts(self):
        return [{"destination": "/data", "type": "bind", "source": self.data,
                 "options": ["rbind", "rw"]}]

    def native_path(self, arg):
        if arg.startswith("--") and "=/" in arg:
            option, path = arg.split("=", 1)
            return option + "=" + self.native_path(path)
        for inside, outside in (("/bench/", self.bench_dir + "/"), ("/data", self.data),
                                ("/on-root", os.path.join(self.root, "on-root")), ("/tmp", self.tmp)):
            if arg == inside or arg.startswith(inside if inside.endswith("/") else inside + "/"):
                return outside + arg[len(inside):]
        return arg


def directory(place):
    return {"root": "/on-root", "bind": "/data", "tmpfs": "/tmp"}[place]


def calls(sides, bundle, table, rounds):
    """ns a call. The first pass of stat walks a tree that this container has not seen."""
    for d in (os.path.join(bundle.data, "tree"), os.path.join(bundle.root, "on-root", "tree")):
        run([os.path.join(bundle.bench_dir, "bench_files"), "make", d])
    for place in PLACES:
        jobs = [(directory(place) + "/tree", ["stat_first", "stat_again", "open_read_close"]),
                (directory(place), ["create", "unlink"])]
        if place == "tmpfs":
            jobs = jobs[1:]
        for side in sides:
            got = {}
            for _ in range(rounds):
                for where, passes in jobs:
                    out = run(side.command(bundle, ["/bench/bench_files", "run", place, where] + passes))
                    for line in out.splitlines():
                        name, ns = line.split()
                        got.setdefault(name, []).append(float(ns))
            for name, v in got.items():
                table.setdefault(name, {})[side.name] = statistics.median(v)


def fio(sides, bundle, table, rounds, quick):
    if not shutil.which("fio"):
        print("bench: fio is not installed: no throughput", file=sys.stderr)
        return
    for place in PLACES:
        for name, rw, bs in FIO:
            for side in sides:
                got = []
                for _ in range(rounds):
                    out = run(side.command(bundle, [
                        "/usr/bin/fio", "--name=b", "--thread", "--ioengine=psync", "--rw=" + rw,
                        "--bs=" + bs, "--size=%dm" % (64 if quick else 256), "--output-format=json",
                        "--filename=" + directory(place) + "/fio.dat", "--allow_mounted_write=0",
                        "--runtime=4", "--fallocate=none", "--end_fsync=0"]))
                    job = json.loads(out[out.index("{"):])["jobs"][0]
                    got.append(1e9 / job["write" if "write" in rw else "read"]["iops"])
                table.setdefault("%s_%s" % (name, place), {})[side.name] = statistics.median(got)
        for d in (bundle.data, bundle.tmp, os.path.join(bundle.root, "on-root")):
            if os.path.exists(os.path.join(d, "fio.dat")):
                os.unlink(os.path.join(d, "fio.dat"))


def make_repository(path, files):
    os.makedirs(path)
    run(["git", "init", "-q", path])
    for i in range(files):
        d = os.path.join(path, "d%03d" % (i // 100))
        if i % 100 == 0:
            os.makedirs(d)
        with open(os.path.join(d, "f%d" % i), "w") as f:
            f.write("file %d\n" % i)
    run(["git", "-C", path, "add", "."])
    run(["git", "-C", path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "all"])
    run(["git", "-C", path, "status", "-s"])


def programs(sides, bundle, table, rounds, want, quick):
    make_repository(os.path.join(bundle.data, "repo"), 5000 if quick else 50000)
    run(["tar", "cf", os.path.join(bundle.data, "t.tar"), "-C", "/usr/share", "doc"])
    jobs = {
        "find_usr": ["/usr/bin/find", "/usr", "-name", "no-such-file"],
        "git_status": ["/usr/bin/git", "-c", "safe.directory=*", "-C", "/data/repo", "status", "-s"],
        "tar_extract": ["/bin/tar", "xf", "/data/t.tar", "-C", "/data/out"],
        "tar_create": ["/bin/tar", "cf", "/data/out/t2.tar", "-C", "/usr/share", "doc"],
    }
    for name, args in jobs.items():
        if want and name not in want:
            continue
        for side in sides:
            out = os.path.join(bundle.data, "out")
            shutil.rmtree(out, ignore_errors=True)
            os.makedirs(out)
            table.setdefault(name, {})[side.name] = timed(side, bundle, args, rounds)


def bench(opt, base):
    bench_dir = os.path.join(base, "bin")
    os.makedirs(bench_dir)
    for name in ("bench_guest", "bench_files"):
        run(["gcc", "-O2", "-static", "-D_GNU_SOURCE", "-o", os.path.join(bench_dir, name),
             os.path.join(TOP, "bench/micro/%s.c" % name)])
    sides = [Native()] + runtimes(opt, base)
    bundle = FileBundle(base, bench_dir)
    only = opt.only.split(",") if opt.only else None
    rounds = 1 if opt.quick else 3
    table = {}
    try:
        if not only or "calls" in only:
            calls(sides, bundle, table, rounds)
        if not only or "fio" in only:
            fio(sides, bundle, table, rounds, opt.quick)
        if not only or set(only) - {"calls", "fio"}:
            programs(sides, bundle, table, rounds, only, opt.quick)
    finally:
        bundle.close()
    return {"machine": machine(), "sides": [s.name for s in sides], "medians": table}


def main():
    ap = argparse.ArgumentParser(description=__doc__,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runtime", action="append", default=[], metavar="NAME=PATH")
    ap.add_argument("--json", default=os.path.join(TOP, "build", "bench-files.json"))
    ap.add_argument("--only", help="of: calls, fio, find_usr, git_status, tar_extract, tar_create")
    ap.add_argument("--quick", action="store_true", help="fewer and smaller rounds")
    ap.add_argument("--dir", help="where the files go (default: TMPDIR or /var/tmp)",
                    default=os.environ.get("TMPDIR", "/var/tmp"))
    opt = ap.parse_args()
    if os.geteuid() != 0:
        sys.exit("bench: needs root: runc and bind mounts need it")
    base = tempfile.mkdtemp(prefix="runsc-bench.", dir=opt.dir)
    try:
        results = bench(opt, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    report(results, opt)


if __name__ == "__main__":
    main()
