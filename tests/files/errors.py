#!/usr/bin/env python3
"""A host file system that fails: an operation OP on a file called NAME.OP.ERROR gives ERROR.
It speaks to /dev/fuse itself, keeps the rest in memory, and ends with its mount.
usage: errors.py DIRECTORY"""
import ctypes, errno, os, struct, sys

libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/dev/fuse", os.O_RDWR)
opts = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % fd
if libc.mount(b"errors", sys.argv[1].encode(), b"fuse.errors", 6, opts.encode()):
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
if os.fork():
    os._exit(0)

OPS = {1: "lookup", 3: "getattr", 4: "setattr", 9: "mkdir", 10: "unlink", 11: "rmdir",
       12: "rename", 14: "open", 15: "read", 16: "write", 17: "statfs", 18: "release",
       20: "fsync", 25: "flush", 26: "init", 27: "opendir", 28: "readdir", 29: "releasedir",
       35: "create", 43: "fallocate", 45: "rename"}
NO_REPLY = (2, 36, 42)  # forget, interrupt, forget many
NAME_AT = {"mkdir": 8, "create": 16, "rename": 16}
names, nodes, data, modes, nxt = {}, {1: ""}, {}, {1: 0o40755}, [2]

def attr(n):
    size = len(data.get(n, b""))
    return struct.pack("<QQQQQQIIIIIIIIII", n, size, (size + 511) // 512, 0, 0, 0, 0, 0, 0,
                       modes[n], 1, 0, 0, 0, 4096, 0)

def entry(n):
    return struct.pack("<QQQQII", n, 0, 0, 0, 0, 0) + attr(n)

def verdict(name, op):
    p = name.split(".")
    return getattr(errno, p[2]) if len(p) == 3 and p[1] == op else 0

def new(name, mode):
    n = nxt[0]
    nxt[0] += 1
    names[name], nodes[n], modes[n], data[n] = n, name, mode, b""
    return n

def serve(op, code, node, body):
    name = nodes.get(node, "")
    if op in ("lookup", "unlink", "rmdir"):
        name = body.rstrip(b"\0").decode()
    elif op in NAME_AT:
        at = 8 if code == 12 else NAME_AT[op]
        name, to = (body[at:].split(b"\0") + [b""])[:2]
        name, to = name.decode(), to.decode("latin1")
    err = verdict(name, op)
    if err:
        return -err, b""
    if op == "init":
        return 0, struct.pack("<IIIIHHIIHHIIHH", 7, 31, 65536, 0, 16, 16, 65536, 1, 1,
                              0, 0, 0, 0, 0) + b"\0" * 20
    if op == "lookup":
        return (0, entry(names[name])) if name in names else (-errno.ENOENT, b"")
    if op in ("getattr", "setattr"):
        if op == "setattr":
            valid, _, _, size = struct.unpack_from("<IIQQ", body)
            if valid & 8:
                data[node] = data[node][:size].ljust(size, b"\0")
            if valid & 1:
                modes[node] = struct.unpack_from("<I", body, 68)[0]
        return 0, struct.pack("<QII", 0, 0, 0) + attr(node)
    if op == "mkdir":
        return 0, entry(new(name, 0o40755))
    if op == "create":
        return 0, entry(new(name, 0o100644)) + struct.pack("<QII", 0, 0, 0)
    if op in ("open", "opendir"):
        return 0, struct.pack("<QII", 0, 0, 0)
    if op == "write":
        _, off, size = struct.unpack_from("<QQI", body)
        d = data[node].ljust(off, b"\0")
        data[node] = d[:off] + body[40:40 + size] + d[off + size:]
        return 0, struct.pack("<II", size, 0)
    if op == "read":
        _, off, size = struct.unpack_from("<QQI", body)
        return 0, data[node][off:off + size]
    if op in ("unlink", "rmdir"):
        return (0, b"") if names.pop(name, None) else (-errno.ENOENT, b"")
    if op == "rename":
        names[to] = names.pop(name)
        nodes[names[to]] = to
        return 0, b""
    if op == "statfs":
        return 0, struct.pack("<QQQQQIIII", 1000, 500, 500, 100, 50, 4096, 255, 4096, 0) + b"\0" * 24
    if op in ("fsync", "flush", "release", "releasedir", "fallocate", "readdir"):
        return 0, b""
    return -errno.ENOSYS, b""

while True:
    try:
        req = os.read(fd, 1 << 20)
    except OSError as e:
        if e.errno == errno.ENODEV:
            break
        continue
    _, code, unique, node = struct.unpack_from("<IIQQ", req)
    if code in NO_REPLY:
        continue
    err, out = serve(OPS.get(code, "?"), code, node, req[40:])
    try:
        os.write(fd, struct.pack("<IiQ", 16 + len(out), err, unique) + out)
    except OSError:
        pass
