#!/usr/bin/env python3
"""What --strace prints, beside what strace -f prints natively for the same program.

usage: strace.py RUNSC [-v] [NAME...]

Each program runs under both. Addresses, ids and times are made alike, lines that were cut
by another thread are joined, and the calls are compared process by process. A difference
that is not in EXPLAINED fails the test; docs/howto/strace.md says why those are there.
"""
import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile

PY = "/usr/bin/python3"
PROGRAMS = {
    "ls": ["ls", "-l", "DIR"],
    "pipe": ["sh", "-c", "echo hi | cat"],
    "status": ["sh", "-c", "cat /nonexistent 2>/dev/null; (exit 3); kill -USR1 $$"],
    "python": [PY, "-S", "-E", "-c", "import sys; sys.stdout.write(str(sum(range(10))))"],
    "perl": ["perl", "-e",
             'use Socket; socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die;'
             '$SIG{ALRM} = sub { }; syswrite($a, "x" x 40); sysread($b, my $c, 99);'
             'select(undef, undef, undef, 0.01); kill "ALRM", $$; mkdir "DIR/new", 0750;'
             'utime 1, 2, "DIR/new"; rename "DIR/new", "DIR/old"; rmdir "DIR/old"'],
    "tar": ["tar", "cf", "/dev/null", "DIR"],
    "find": ["find", "DIR", "-newer", "DIR/b", "-ls"],
}

# (part of a line with its sign, why): what is expected to differ.
EXPLAINED = [
    (r"^[-+](access|openat|readlink|newfstatat)\(.*selinux", "the sandbox shows no LSM"),
    (r"^[-+](statfs|fstatfs)\(", "file systems are the sandbox's own"),
    (r"^[-+].*(/proc/filesystems|/proc/mounts|/proc/self/)", "contents of /proc differ"),
    (r'^[-+]read\(\d+, "(nodev|\S+ / )', "contents of /proc differ"),
    (r'^[-+]read\(\d+, ".{4,16}", 4\) = 4', "random bytes"),
    (r"^[-+]rseq\(", "rseq may be missing in the sandbox; libraries do without"),
    (r"^[-+]getppid\(\)", "another parent"),
    (r"^[-+]ioctl\(\d+, TIOCG", "no terminal in the sandbox's test"),
]


def lines_of(path):
    """(pid, text) with cut lines joined."""
    cut, out = {}, []
    for line in open(path, errors="replace"):
        m = re.match(r"^(?:\[pid\s+(\d+)\]|(\d+)) +(.*)$", line.rstrip("\n"))
        if not m:
            continue
        pid, text = m[1] or m[2], m[3]
        if text.endswith("<unfinished ...>"):
            cut[pid] = text[: -len("<unfinished ...>")].rstrip(" ").removesuffix(",")
            continue
        m = re.match(r"<\.\.\. \S+ resumed>(.*)$", text)
        if m and pid in cut:
            rest = m[1].lstrip(" ")
            head = cut.pop(pid)
            if not head.endswith("(") and not rest.startswith((")", ",")):
                head += ", "
            text = head + rest
        out.append((pid, text))
    return out


def alike(text, pids):
    text = re.sub(r"\) += ", ") = ", text)
    text = re.sub(r"0x[0-9a-f]{6,}", "ADDR", text)
    text = re.sub(r"(?<==)0x[0-9a-f]+(?= /\* \d+ vars)", "ADDR", text)
    text = re.sub(r"/\* \d+ vars? \*/", "/* N vars */", text)
    text = re.sub(r"/\* \d{4}-\d\d-\S+ \*/", "/* date */", text)
    text = re.sub(r"tv_(n|u)sec=\d+|tv_sec=\d{6,}", "time", text)
    text = re.sub(r"si_[us]time=\d+( /\* [0-9.]+ s \*/)?", "time", text)
    text = re.sub(r"(?<=[{ ]si_pid=)(\d+)", lambda m: pids.get(m[1], m[1]), text)
    text = re.sub(r"^(getpid\(\)|gettid\(\)|getpgrp\(\)|set_tid_address\(ADDR\)) = \d+", r"\1 = PID",
                  text)
    text = re.sub(r"^((?:clone|clone3|vfork|fork)\(.*\)) = \d+", r"\1 = PID", text)
    text = re.sub(r"^((?:wait4|waitid)\(.*\)) = [1-9]\d*", r"\1 = PID", text)
    text = re.sub(r"^(wait4\()\d+", r"\1PID", text)
    text = re.sub(r"^((?:kill|tgkill|tkill)\()[\d, ]+,", r"\1PID,", text)
    text = re.sub(r'^getrandom\("[^"]*"(\.\.\.)?', 'getrandom("random"', text)
    text = re.sub(r"^(brk\(.*\)) = \w+", r"\1 = ADDR", text)
    text = re.sub(r"^(mmap|munmap)\((.*)\) = 0x\w+", r"\1(\2) = ADDR", text)
    text = re.sub(r"^(rt_sigreturn\(.*\)) = .*", r"\1 = OLD", text)
    if text.startswith("sysinfo("):
        text = re.sub(r"=\d+|\[[\d, ]+\]", "=N", text)
    text = re.sub(r"/tmp/runsc-test\.strace\.\w+", "TMP", text)
    text = re.sub(r"st_size=4096", "st_size=DIRSIZE", text)
    return re.sub(r"^(read\(\d+, )\"\\177ELF[^\"]*\"", r'\1"ELF"', text)


def processes(path):
    """The first process and then the others in the order they were made (who runs first is
    chance), each a list of lines."""
    order, per = [], {}
    rows = lines_of(path)
    for pid, _ in rows:
        if pid not in order:
            order.append(pid)
    order[1:] = sorted(order[1:], key=int)
    names = {p: "P%d" % i for i, p in enumerate(order)}
    handled = set()
    for pid, text in rows:
        # When a child's end is noticed is chance: neither it nor the handler's return counts.
        if text.startswith("--- SIGCHLD"):
            handled.add(pid)
            continue
        if text.startswith("rt_sigreturn(") and pid in handled:
            handled.discard(pid)
            continue
        # An interrupted wait is the interruption's business, not the program's.
        if "ERESTART" in text and not text.startswith("rt_sigsuspend"):
            continue
        if text.startswith("restart_syscall("):
            continue
        # How often the heap grows hangs on where it begins.
        if text.startswith("brk("):
            continue
        per.setdefault(pid, []).append(alike(text, names))
    return [per.get(p, []) for p in order]


def explained(line):
    return any(re.search(pattern, line) for pattern, _ in EXPLAINED)


def compare(name, argv, runsc, work, verbose):
    native, boxed = os.path.join(work, "native"), os.path.join(work, "boxed")
    for f in (native, boxed):
        if os.path.exists(f):
            os.unlink(f)
    quiet = dict(stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
           "HOME": "/root"}
    subprocess.run(["strace", "-f", "-o", native] + argv, env=env, timeout=120, **quiet)
    subprocess.run([runsc, "--debug-log", boxed, "--strace", "do", "--"] + argv, env=env, timeout=120,
                   **quiet)
    a, b = processes(native), processes(boxed)
    new, known = [], 0
    if len(a) != len(b):
        new.append("processes: %d natively, %d in the sandbox" % (len(a), len(b)))
    for i, (x, y) in enumerate(zip(a, b)):
        for line in difflib.unified_diff(x, y, "native", "sandbox", lineterm="", n=0):
            if line.startswith(("---", "+++ s", "@@")) and not line.startswith("+++ e"):
                continue
            if explained(line):
                known += 1
            else:
                new.append("process %d: %s" % (i, line))
    calls = sum(len(x) for x in a)
    if verbose or new:
        print("\n".join("  " + n for n in new[:40]))
    ok = calls > 5 and not new
    print("%s strace/%s (%d lines natively, %d explained differences)" %
          ("ok" if ok else "FAIL", name, calls, known))
    return ok


def main():
    args = [a for a in sys.argv[1:] if a != "-v"]
    runsc, want = os.path.abspath(args[0]), args[1:]
    if shutil.which("strace") is None:
        print("skip strace: no strace here")
        return 0
    work = tempfile.mkdtemp(prefix="runsc-test.strace.", dir="/tmp")
    good = True
    try:
        for name, argv in PROGRAMS.items():
            if want and name not in want:
                continue
            if shutil.which(argv[0]) is None:
                print("skip strace/%s: no %s here" % (name, argv[0]))
                continue
            tree = os.path.join(work, "d")
            shutil.rmtree(tree, ignore_errors=True)
            os.makedirs(os.path.join(tree, "sub"))
            for i, f in enumerate(["a", "b", "sub/c"]):
                with open(os.path.join(tree, f), "w") as out:
                    out.write("x" * (i + 1) * 100)
                os.utime(os.path.join(tree, f), (1700000000 + i, 1700000000 + i))
            os.symlink("a", os.path.join(tree, "l"))
            argv = [a.replace("DIR", tree) for a in argv]
            good &= compare(name, argv, runsc, work, "-v" in sys.argv)
    finally:
        shutil.rmtree(work)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
