/* The part of the matrix about open files: calls on descriptors of every kind and way of
 * opening, and sizes at the limits. */
#include "tests/fs/matrix.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static char buf[70000] = "12345678";
static char *volatile nowhere = (char *)8; /* behind the compiler's back */

struct fd_op {
	const char *family, *name;
	long (*fn)(int fd);
};

#define FD_OP(id, expr)             \
	static long f_##id(int fd)  \
	{                           \
		(void)fd;            \
		return (long)(expr); \
	}
FD_OP(fchmod, fchmod(fd, 0751))
FD_OP(fchown, fchown(fd, 1001, 1002))
FD_OP(fchown_none, fchown(fd, (uid_t)-1, (gid_t)-1))
FD_OP(ftruncate_0, ftruncate(fd, 0))
FD_OP(ftruncate_up, ftruncate(fd, 9000))
FD_OP(ftruncate_same, ftruncate(fd, 8))
FD_OP(ftruncate_neg, ftruncate(fd, -1))
FD_OP(futimens, futimens(fd, NULL))
FD_OP(futimens_path, utimensat(fd, "", NULL, AT_EMPTY_PATH))
FD_OP(futimes_null, syscall(SYS_utimensat, fd, NULL, NULL, 0))
FD_OP(futimes_null_flag, syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW))
FD_OP(fchownat_empty, fchownat(fd, "", 7, 8, AT_EMPTY_PATH))
FD_OP(fchmodat_empty, syscall(SYS_fchmodat2, fd, "", 0604, AT_EMPTY_PATH))
FD_OP(linkat_empty, linkat(fd, "", AT_FDCWD, "fresh", AT_EMPTY_PATH))
FD_OP(openat_below, openat(fd, "x", O_RDONLY))
FD_OP(mkdirat, mkdirat(fd, "sub", 0755))
FD_OP(unlinkat, unlinkat(fd, "x", 0))
FD_OP(symlinkat, symlinkat("t", fd, "s"))
FD_OP(renameat, renameat(AT_FDCWD, "other", fd, "r"))
FD_OP(fchdir, fchdir(fd))
FD_OP(fstat, ({ struct stat st; fstat(fd, &st); }))
FD_OP(read, read(fd, buf, 5))
FD_OP(read_0, read(fd, buf, 0))
FD_OP(read_fault, read(fd, nowhere, 5))
FD_OP(write, write(fd, "hello", 5))
FD_OP(write_0, write(fd, "hello", 0))
FD_OP(write_fault, write(fd, nowhere, 5))
FD_OP(pread, pread(fd, buf, 5, 2))
FD_OP(pread_neg, pread(fd, buf, 5, -1))
FD_OP(pwrite, pwrite(fd, "abc", 3, 20))
FD_OP(pwrite_neg, pwrite(fd, "abc", 3, -1))
FD_OP(pwrite_max, pwrite(fd, "abc", 3, INT64_MAX))
FD_OP(readv_neg, syscall(SYS_readv, fd, NULL, -1))
FD_OP(readv_1025, syscall(SYS_readv, fd, buf, 1025))
FD_OP(writev_0, syscall(SYS_writev, fd, NULL, 0))
FD_OP(preadv2_cur, ({ struct iovec v = { buf, 3 }; preadv2(fd, &v, 1, -1, 0); }))
FD_OP(preadv2_nowait, ({ struct iovec v = { buf, 3 }; preadv2(fd, &v, 1, 0, RWF_HIPRI); }))
FD_OP(pwritev2_append, ({ struct iovec v = { buf, 3 }; pwritev2(fd, &v, 1, 0, RWF_APPEND); }))
FD_OP(pwritev2_sync, ({ struct iovec v = { buf, 3 }; pwritev2(fd, &v, 1, 0, RWF_SYNC); }))
FD_OP(pwritev2_noappend, ({ struct iovec v = { buf, 3 }; pwritev2(fd, &v, 1, 0, 0x20); }))
FD_OP(pwritev2_both, ({ struct iovec v = { buf, 3 }; pwritev2(fd, &v, 1, 0, 0x30); }))
FD_OP(pwritev2_bad, ({ struct iovec v = { buf, 3 }; pwritev2(fd, &v, 1, 0, 0x40000000); }))
FD_OP(preadv2_bad, ({ struct iovec v = { buf, 3 }; preadv2(fd, &v, 1, 0, 0x40000000); }))
FD_OP(lseek_set, lseek(fd, 4, SEEK_SET))
FD_OP(lseek_neg, lseek(fd, -1, SEEK_SET))
FD_OP(lseek_cur_neg, lseek(fd, -1, SEEK_CUR))
FD_OP(lseek_whence, lseek(fd, 0, 9))
FD_OP(fsync, fsync(fd))
FD_OP(fdatasync, fdatasync(fd))
FD_OP(syncfs, syncfs(fd))
FD_OP(sync_range, sync_file_range(fd, 0, 8, 7))
FD_OP(sync_range_bad, sync_file_range(fd, 0, 8, 8))
FD_OP(sync_range_neg, sync_file_range(fd, -1, 8, 7))
FD_OP(fadvise, ({ int e = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); errno = e; e ? -1 : 0; }))
FD_OP(fadvise_bad, ({ int e = posix_fadvise(fd, 0, 0, 77); errno = e; e ? -1 : 0; }))
FD_OP(fadvise_neg, ({ int e = posix_fadvise(fd, 0, -1, 0); errno = e; e ? -1 : 0; }))
FD_OP(readahead, readahead(fd, 0, 4096))
FD_OP(fallocate, fallocate(fd, 0, 0, 5000))
FD_OP(fallocate_keep, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 5000))
FD_OP(fallocate_0, fallocate(fd, 0, 0, 0))
FD_OP(fallocate_neg, fallocate(fd, 0, -1, 10))
FD_OP(fallocate_over, fallocate(fd, 0, INT64_MAX, 10))
FD_OP(fallocate_punch, fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10))
FD_OP(fallocate_punch_keep, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 3))
FD_OP(fallocate_two, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, 1, 3))
FD_OP(fallocate_bad, fallocate(fd, 0x10000, 0, 10))
FD_OP(sendfile_in, ({ off_t o = 0; int out = open("out", O_CREAT | O_WRONLY, 0600); long r = sendfile(out, fd, &o, 100); int e = errno; close(out); errno = e; r; }))
FD_OP(sendfile_out, ({ int in = open("other", O_RDONLY); long r = sendfile(fd, in, NULL, 100); int e = errno; close(in); errno = e; r; }))
FD_OP(copy_in, ({ off_t o = 0; int out = open("out", O_CREAT | O_WRONLY, 0600); long r = copy_file_range(fd, &o, out, NULL, 100, 0); int e = errno; close(out); errno = e; r; }))
FD_OP(copy_out, ({ int in = open("other", O_RDONLY); long r = copy_file_range(in, NULL, fd, NULL, 100, 0); int e = errno; close(in); errno = e; r; }))
FD_OP(copy_self, ({ off_t a = 0, b = 4; copy_file_range(fd, &a, fd, &b, 100, 0); }))
FD_OP(copy_flags, ({ copy_file_range(fd, NULL, fd, NULL, 1, 1); }))
FD_OP(splice_in, ({ int p[2]; long r; int e; pipe(p); r = splice(fd, NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK); e = errno; close(p[0]); close(p[1]); errno = e; r; }))
FD_OP(splice_out, ({ int p[2]; long r; int e; pipe(p); r = write(p[1], "xyz", 3); r = splice(p[0], NULL, fd, NULL, 100, 0); e = errno; close(p[0]); close(p[1]); errno = e; r; }))
FD_OP(flock, flock(fd, LOCK_EX | LOCK_NB))
FD_OP(flock_bad, flock(fd, 64))
FD_OP(lock_r, ({ struct flock l = { .l_type = F_RDLCK }; fcntl(fd, F_SETLK, &l); }))
FD_OP(lock_w, ({ struct flock l = { .l_type = F_WRLCK }; fcntl(fd, F_SETLK, &l); }))
FD_OP(lock_get, ({ struct flock l = { .l_type = F_WRLCK }; fcntl(fd, F_GETLK, &l) ? -1 : l.l_type; }))
FD_OP(lock_bad, ({ struct flock l = { .l_type = 9 }; fcntl(fd, F_SETLK, &l); }))
FD_OP(lock_whence, ({ struct flock l = { .l_type = F_RDLCK, .l_whence = 7 }; fcntl(fd, F_SETLK, &l); }))
FD_OP(ofd_pid, ({ struct flock l = { .l_type = F_RDLCK, .l_pid = 1 }; fcntl(fd, F_OFD_SETLK, &l); }))
FD_OP(ofd_w, ({ struct flock l = { .l_type = F_WRLCK }; fcntl(fd, F_OFD_SETLK, &l); }))
FD_OP(lease_get, fcntl(fd, F_GETLEASE))
FD_OP(lease_bad, fcntl(fd, F_SETLEASE, 77))
FD_OP(getfl, fcntl(fd, F_GETFL) & ~O_LARGEFILE)
FD_OP(setfl, fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK))
FD_OP(setfl_direct, fcntl(fd, F_SETFL, O_DIRECT) < 0 && errno == EBADF ? -1 : 0)
FD_OP(getown, fcntl(fd, F_GETOWN))
FD_OP(setown, fcntl(fd, F_SETOWN, getpid()))
FD_OP(setsig, fcntl(fd, F_SETSIG, 99))
FD_OP(getsig, fcntl(fd, F_GETSIG))
FD_OP(pipe_size, fcntl(fd, F_GETPIPE_SZ))
FD_OP(set_pipe_size, fcntl(fd, F_SETPIPE_SZ, 4096))
FD_OP(get_seals, fcntl(fd, F_GET_SEALS) < 0 ? -1 : 1)
FD_OP(rw_hint, ({ uint64_t h = 77; fcntl(fd, F_GET_RW_HINT, &h) ? -1 : (long)h; }))
FD_OP(set_rw_hint, ({ uint64_t h = 3; fcntl(fd, F_SET_RW_HINT, &h); }))
FD_OP(set_rw_hint_bad, ({ uint64_t h = 33; fcntl(fd, F_SET_RW_HINT, &h); }))
FD_OP(file_rw_hint, ({ uint64_t h = 77; fcntl(fd, 1037, &h) ? -1 : (long)h; }))
FD_OP(dupfd_query, fcntl(fd, 1027, fd))
FD_OP(dupfd_query_bad, fcntl(fd, 1027, 999))
FD_OP(created_query, fcntl(fd, 1028, 0))
FD_OP(fcntl_bad, fcntl(fd, 7777, 0))
FD_OP(cancellk, fcntl(fd, 1029, 0))
FD_OP(fionread, ({ int n = -5; ioctl(fd, FIONREAD, &n) ? -1 : n; }))
FD_OP(fionbio, ({ int n = 1; ioctl(fd, FIONBIO, &n); }))
FD_OP(fioasync, ({ int n = 1; ioctl(fd, FIOASYNC, &n); }))
FD_OP(fioclex, ioctl(fd, FIOCLEX))
FD_OP(fioqsize, ({ long long n = 0; ioctl(fd, 0x5460, &n); }))
FD_OP(figetbsz, ({ int n = 0; ioctl(fd, FIGETBSZ, &n); }))
FD_OP(fibmap, ({ int n = 0; ioctl(fd, FIBMAP, &n) < 0 && errno == EBADF ? -1 : 0; }))
FD_OP(tcgets, ({ char t[64]; ioctl(fd, 0x5401, t); }))
FD_OP(blkgetsize, ({ long n = 0; ioctl(fd, 0x1260, &n); }))
FD_OP(ioctl_bad, ioctl(fd, 0x12345678, 0))
FD_OP(clone_bad, ioctl(fd, FICLONE, 999))
FD_OP(clone_self, ioctl(fd, FICLONE, fd))
FD_OP(clone_other, ({ int o = open("other", O_RDONLY); long r = ioctl(fd, FICLONE, o); int e = errno; close(o); errno = e; r; }))
FD_OP(dedupe, ({ struct file_dedupe_range *d = (void *)buf; memset(d, 0, 200); d->dest_count = 1; d->src_length = 1; ioctl(fd, FIDEDUPERANGE, d); }))
FD_OP(mmap_r, ({ void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0); p == MAP_FAILED ? -1 : munmap(p, 4096); }))
FD_OP(mmap_w, ({ void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0); p == MAP_FAILED ? -1 : munmap(p, 4096); }))
FD_OP(mmap_wp, ({ void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); p == MAP_FAILED ? -1 : munmap(p, 4096); }))
FD_OP(getdents, syscall(SYS_getdents64, fd, buf, 4096) < 0 ? -1 : 0)
FD_OP(getdents_small, syscall(SYS_getdents64, fd, buf, 10))
FD_OP(fsetxattr, fsetxattr(fd, "user.f", "v", 1, 0))
FD_OP(flistxattr, flistxattr(fd, NULL, 0))
FD_OP(dup2_self, dup2(fd, fd) == fd ? 0 : -1)
FD_OP(dup3_self, dup3(fd, fd, 0))
FD_OP(dup3_bad, dup3(fd, 200, 7))
FD_OP(close_range_bad, close_range(300, 200, 0))
FD_OP(close_range_flags, close_range(300, 400, 1))

#define F(family, id) { family, #id, f_##id }
static const struct fd_op fd_ops[] = {
	F("chmod", fchmod), F("chown", fchown), F("chown", fchown_none), F("ftruncate", ftruncate_0),
	F("ftruncate", ftruncate_up), F("ftruncate", ftruncate_same), F("ftruncate", ftruncate_neg),
	F("utimensat", futimens), F("utimensat", futimens_path), F("utimensat", futimes_null),
	F("utimensat", futimes_null_flag), F("chown", fchownat_empty), F("chmod", fchmodat_empty),
	F("link", linkat_empty), F("open", openat_below), F("mkdir", mkdirat), F("unlink", unlinkat),
	F("symlink", symlinkat), F("rename", renameat), F("misc", fchdir), F("stat", fstat),
	F("rw", read), F("rw", read_0), F("rw", read_fault), F("rw", write), F("rw", write_0),
	F("rw", write_fault), F("rw", pread), F("rw", pread_neg), F("rw", pwrite),
	F("rw", pwrite_neg), F("rw", pwrite_max), F("rw", readv_neg),
	F("rw", readv_1025), F("rw", writev_0), F("rw", preadv2_cur), F("rw", preadv2_nowait),
	F("rw", pwritev2_append), F("rw", pwritev2_sync), F("rw", pwritev2_noappend),
	F("rw", pwritev2_both), F("rw", pwritev2_bad), F("rw", preadv2_bad), F("rw", lseek_set),
	F("rw", lseek_neg), F("rw", lseek_cur_neg), F("rw", lseek_whence),
	F("sync", fsync), F("sync", fdatasync), F("sync", syncfs), F("sync", sync_range),
	F("sync", sync_range_bad), F("sync", sync_range_neg), F("sync", fadvise),
	F("sync", fadvise_bad), F("sync", fadvise_neg), F("sync", readahead),
	F("fallocate", fallocate), F("fallocate", fallocate_keep), F("fallocate", fallocate_0),
	F("fallocate", fallocate_neg), F("fallocate", fallocate_over),
	F("fallocate", fallocate_punch), F("fallocate", fallocate_punch_keep),
	F("fallocate", fallocate_two), F("fallocate", fallocate_bad), F("copy", sendfile_in),
	F("copy", sendfile_out), F("copy", copy_in), F("copy", copy_out), F("copy", copy_self),
	F("copy", copy_flags), F("copy", splice_in), F("copy", splice_out), F("lock", flock),
	F("lock", flock_bad), F("lock", lock_r), F("lock", lock_w), F("lock", lock_get),
	F("lock", lock_bad), F("lock", lock_whence), F("lock", ofd_pid), F("lock", ofd_w),
	F("lock", lease_get), F("lock", lease_bad),
	F("fcntl", getfl), F("fcntl", setfl), F("fcntl", setfl_direct), F("fcntl", getown),
	F("fcntl", setown), F("fcntl", setsig), F("fcntl", getsig), F("fcntl", pipe_size),
	F("fcntl", set_pipe_size), F("fcntl", get_seals), F("fcntl", rw_hint),
	F("fcntl", set_rw_hint), F("fcntl", set_rw_hint_bad), F("fcntl", file_rw_hint),
	F("fcntl", dupfd_query), F("fcntl", dupfd_query_bad), F("fcntl", created_query),
	F("fcntl", fcntl_bad), F("fcntl", cancellk), F("ioctl", fionread), F("ioctl", fionbio),
	F("ioctl", fioasync), F("ioctl", fioclex), F("ioctl", fioqsize), F("ioctl", figetbsz),
	F("ioctl", fibmap), F("ioctl", tcgets), F("ioctl", blkgetsize), F("ioctl", ioctl_bad),
	F("ioctl", clone_bad), F("ioctl", clone_self), F("ioctl", clone_other), F("ioctl", dedupe), F("mmap", mmap_r), F("mmap", mmap_w), F("mmap", mmap_wp),
	F("misc", getdents), F("misc", getdents_small), F("xattr", fsetxattr),
	F("xattr", flistxattr), F("fcntl", dup2_self), F("fcntl", dup3_self),
	F("fcntl", dup3_bad), F("fcntl", close_range_bad), F("fcntl", close_range_flags),
};

/* Ways to open the object "o". */
static const struct way {
	const char *name;
	enum kind kind;
	int flags;
} ways[] = {
	{ "reg-r", K_REG, O_RDONLY }, { "reg-w", K_REG, O_WRONLY }, { "reg-rw", K_REG, O_RDWR },
	{ "reg-append", K_REG, O_RDWR | O_APPEND }, { "reg-path", K_REG, O_PATH },
	{ "reg-created", K_NONE, O_RDWR | O_CREAT }, { "tmpfile", K_FULLDIR, O_RDWR | O_TMPFILE },
	{ "dir", K_FULLDIR, O_RDONLY }, { "dir-path", K_FULLDIR, O_PATH },
	{ "fifo", K_FIFO, O_RDWR | O_NONBLOCK }, { "link-path", K_LINK_REG, O_PATH | O_NOFOLLOW },
	{ "reg-unlinked", K_REG, O_RDWR },
};

/* Things that are no files of the file system. */
static int object(unsigned kind, int *other)
{
	struct sigaction ign = { .sa_handler = SIG_IGN };
	int p[2] = { -1, -1 };
	sigset_t set;

	*other = -1;
	switch (kind) {
	case 0:
	case 1:
		if (pipe2(p, O_NONBLOCK))
			die("pipe");
		*other = p[!kind];
		return p[kind];
	case 2:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p))
			die("socketpair");
		*other = p[1];
		return p[0];
	case 3:
		return socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	case 4:
		return eventfd(3, EFD_NONBLOCK);
	case 5:
		return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	case 6:
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		return signalfd(-1, &set, SFD_NONBLOCK);
	case 7:
		return epoll_create1(0);
	case 8:
		return inotify_init1(IN_NONBLOCK);
	case 9:
		p[0] = memfd_create("matrix", MFD_ALLOW_SEALING);
		if (write(p[0], "contents", 8) != 8)
			die("memfd");
		return p[0];
	case 10:
		return open("/dev/null", O_RDWR);
	case 11:
		return open("/dev/zero", O_RDWR);
	case 12:
		return open("/dev/full", O_RDWR);
	case 13:
		sigaction(SIGHUP, &ign, NULL);
		return posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK);
	case 14:
		return (int)syscall(SYS_pidfd_open, getpid(), 0);
	case 15:
		return open("/proc/self/comm", O_RDWR);
	default:
		return open("/proc/self", O_RDONLY | O_DIRECTORY);
	}
}

void matrix_objects(void)
{
	static const char *const names[] = {
		"pipe-r", "pipe-w", "socket", "dgram", "eventfd", "timerfd", "signalfd", "epoll",
		"inotify", "memfd", "null", "zero", "full", "ptmx", "pidfd", "proc-file", "proc-dir",
	};
	int here = open(".", O_PATH), fd, other, e;
	long r;

	for (unsigned i = 0; i < sizeof(fd_ops) / sizeof(fd_ops[0]); i++)
		for (unsigned k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			if (!wanted())
				continue;
			/* It would rename what it was given. */
			if (k >= 10 && (!strcmp(fd_ops[i].family, "chmod") ||
					!strcmp(fd_ops[i].family, "chown") ||
					!strcmp(fd_ops[i].family, "utimensat") ||
					!strcmp(fd_ops[i].family, "xattr")))
				continue;
			wipe();
			make(K_REG, "other");
			fd = object(k, &other);
			if (fd < 0)
				die(names[k]);
			check_begin("objects", "%s/%s", fd_ops[i].name, names[k]);
			errno = 0;
			r = fd_ops[i].fn(fd);
			e = errno;
			if (fchdir(here))
				die("fchdir");
			errno = e;
			result("%s;", err_name(r));
			describe(".");
			close(fd);
			if (other >= 0)
				close(other);
			check_end();
		}
	close(here);
}

void matrix_files(void)
{
	int here = open(".", O_PATH), fd;

	if (here < 0)
		die("open .");
	for (unsigned i = 0; i < sizeof(fd_ops) / sizeof(fd_ops[0]); i++)
		for (unsigned w = 0; w < sizeof(ways) / sizeof(ways[0]) + 1; w++) {
			bool closed = w == sizeof(ways) / sizeof(ways[0]);
			int e;
			long r;

			if (!wanted())
				continue;
			wipe();
			make(K_REG, "other");
			if (!closed)
				make(ways[w].kind, "o");
			fd = closed ? 99 : open("o", ways[w].flags, 0640);
			if (fd < 0)
				die("open o");
			if (!closed && !strcmp(ways[w].name, "reg-unlinked"))
				unlink("o");
			check_begin(fd_ops[i].family, "%s/%s", fd_ops[i].name,
				    closed ? "closed" : ways[w].name);
			errno = 0;
			r = fd_ops[i].fn(fd);
			e = errno;
			if (fchdir(here))
				die("fchdir");
			if (r > 2 && !strcmp(fd_ops[i].name, "openat_below")) {
				close((int)r);
				r = 0;
			}
			errno = e;
			result("%s;", err_name(r));
			describe(".");
			close(fd);
			check_end();
		}
	close(here);
}
