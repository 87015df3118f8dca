"""Concurrent writers on a SQLite database in WAL mode, and the check after they were killed.

usage: sqlite_writers.py DB                 four writers; prints "WRITER N" once row N is committed
       sqlite_writers.py DB --check ACKED   the database is sound and has every row printed
"""
import os
import sqlite3
import sys


def connect(path):
    c = sqlite3.connect(path, timeout=60, isolation_level=None)
    c.execute("pragma journal_mode=wal")
    c.execute("pragma synchronous=full")
    return c


def write(path, who):
    c = connect(path)
    n = 0
    while True:
        n += 1
        c.execute("begin immediate")
        c.execute("insert into t values (?, ?, ?)", (who, n, "x" * (n % 3000)))
        c.execute("commit")
        os.write(1, b"%d %d\n" % (who, n))


def check(path, acked):
    c = connect(path)
    if c.execute("pragma integrity_check").fetchall() != [("ok",)]:
        sys.exit("the database is damaged")
    rows = set(c.execute("select who, n from t"))
    lines = [l for l in open(acked) if l.endswith("\n")]
    missing = [l for l in lines if tuple(map(int, l.split())) not in rows]
    if missing or not lines:
        sys.exit("%d of %d acknowledged rows are missing" % (len(missing), len(lines)))


if len(sys.argv) == 4:
    check(sys.argv[1], sys.argv[3])
else:
    connect(sys.argv[1]).execute("create table t (who, n, filler)")
    for i in range(4):
        if os.fork() == 0:
            write(sys.argv[1], i)
    os.wait()
