/* The zygote: an empty stub that forks the stub of every exec. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/log.h"
#include "platform/unotify/host_ops.h"

extern const uint8_t stub_blob[], stub_blob_end[];

struct blob_head {
	uint64_t entry, restorer, zygote, fast;
};

/* The kernel's struct sigaction, which glibc hides. */
struct ksa {
	uint64_t handler, flags, restorer, mask;
};
#define SA_RESTORER_ 0x04000000UL

uint64_t random_token(void)
{
	uint64_t v = 0;

	if (getrandom(&v, sizeof(v), 0) != sizeof(v))
		abort();
	return v | 1;
}

static void die(const char *what)
{
	log_error("zygote: %s: %s", what, strerror(errno));
	_exit(1);
}

/* The vdso is put into the lower part of this, below the guest's limit. */
#define VDSO_ROOM 0x1800000UL
#define VDSO_RANGE 0x800000UL

struct maps_info {
	uint64_t vvar_lo, vvar_hi, vdso_lo, vdso_hi;
	struct { uint64_t lo, hi; } used[128], vdso_part[8];
	unsigned nused, nparts;
};

static int read_maps(struct maps_info *m)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[512];

	memset(m, 0, sizeof(*m));
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		unsigned long lo, hi;

		if (sscanf(line, "%lx-%lx", &lo, &hi) != 2)
			continue;
		if (hi > PLAT_GUEST_MAX - VDSO_ROOM && m->nused < 128)
			m->used[m->nused].lo = lo, m->used[m->nused++].hi = hi;
		if ((strstr(line, "[vvar") || strstr(line, "[vdso]")) && m->nparts < 8)
			m->vdso_part[m->nparts].lo = lo, m->vdso_part[m->nparts++].hi = hi;
		if (strstr(line, "[vvar")) {
			if (!m->vvar_lo)
				m->vvar_lo = lo;
			m->vvar_hi = hi;
		} else if (strstr(line, "[vdso]")) {
			m->vdso_lo = lo;
			m->vdso_hi = hi;
		}
	}
	fclose(f);
	return 0;
}

static bool near_used(const struct maps_info *m, uint64_t at, uint64_t len, uint64_t distance)
{
	for (unsigned i = 0; i < m->nused; i++)
		if (at < m->used[i].hi + distance && at + len + distance > m->used[i].lo)
			return true;
	return false;
}

/* A random place for the stub's region above what guests may use, clear of what
 * this process has there (the zygote still needs its stack when it moves in). The
 * code must not straddle a 4 GiB boundary: the filter compares one upper half. */
static uint64_t pick_region(const struct maps_info *m)
{
	const uint64_t top = 0x7ffffffff000UL - STUB_REGION_SIZE;

	for (int tries = 0; tries < 1000; tries++) {
		uint64_t at = PLAT_GUEST_MAX + 0x100000 +
			      random_token() % (top - PLAT_GUEST_MAX - 0x200000);

		at &= ~0xfffffUL;
		if (!near_used(m, at, STUB_REGION_SIZE, 0x1000000))
			return at;
	}
	return 0;
}

/* Put the vdso with its data pages at a random place below the guest's limit, where the
 * zygote has nothing that it still needs (its stack may be there). */
static int move_vdso(struct unotify *u, const struct maps_info *m)
{
	uint64_t lo = m->vvar_lo && m->vvar_lo < m->vdso_lo ? m->vvar_lo : m->vdso_lo;
	uint64_t len = m->vdso_hi - lo, to = 0;

	for (int tries = 0; tries < 1000; tries++) {
		to = (PLAT_GUEST_MAX - VDSO_ROOM + random_token() % VDSO_RANGE) & ~0xfffUL;
		if (!near_used(m, to, len, 0x100000))
			break;
	}
	u->caps.vvar_start = to;
	u->caps.vvar_end = to + (m->vdso_lo - lo);
	u->caps.vdso_start = u->caps.vvar_end;
	u->caps.vdso_end = to + len;
	return 0;
}

/* In the zygote: carry out what move_vdso() decided. Each mapping separately, the
 * kernel moves one at a time; their distances stay. (The list was read before the
 * fork: the sentry may have left its root by now, and /proc with it.) */
static void zygote_move_vdso(const struct unotify *u, const struct maps_info *m)
{
	for (unsigned i = 0; i < m->nparts; i++) {
		uint64_t from = m->vdso_part[i].lo, len = m->vdso_part[i].hi - from;
		uint64_t to = u->caps.vvar_start + (from - m->vdso_part[0].lo);

		if (syscall(SYS_mremap, from, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, to) !=
		    (long)to)
			die("mremap vdso");
	}
}

static void zygote_signals(uint64_t region, const struct blob_head *h)
{
	static const int sigs[] = { SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP };
	struct ksa dfl = { 0 }, sa = { region + h->entry,
				       SA_SIGINFO | SA_ONSTACK | SA_RESTORER_,
				       region + h->restorer, ~0UL };
	uint64_t all = ~0UL; /* until a thread's first rt_sigreturn: a kick must wait */

	for (int s = 1; s <= 64; s++)
		syscall(SYS_rt_sigaction, s, &dfl, NULL, 8);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		if (syscall(SYS_rt_sigaction, sigs[i], &sa, NULL, 8) < 0)
			die("sigaction");
	/* A call that a kick ends before the sentry has received it is made again. */
	sa.flags |= SA_RESTART;
	if (syscall(SYS_rt_sigaction, STUB_KICK_SIGNAL, &sa, NULL, 8) < 0)
		die("sigaction");
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
}

static void drop_privileges(void)
{
	struct __user_cap_header_struct hdr = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	struct rlimit none = { 0, 0 };

	if (syscall(SYS_capset, &hdr, data) < 0)
		die("capset");
	setrlimit(RLIMIT_CORE, &none);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		die("prctl");
	prctl(PR_SET_NAME, "runsc-stub", 0, 0, 0);
}

static void place_image(struct unotify *u, unsigned filter_flags, int sock, int proc,
			const char *oom)
{
	uint8_t *at = (uint8_t *)(uintptr_t)u->region;
	struct stub_config *cf = (struct stub_config *)(void *)(at + STUB_CONFIG_OFF);
	size_t len = (size_t)(stub_blob_end - stub_blob);

	if (len > STUB_CONFIG_OFF)
		die("stub image too large");
	if (mmap(at, STUB_CODE_SIZE + STUB_STACK_SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != at)
		die("mmap stub region");
	memcpy(at, stub_blob, len);
	cf->region = u->region;
	cf->vdso_lo = u->caps.vvar_start;
	cf->vdso_hi = u->caps.vdso_end;
	cf->sock = sock;
	cf->proc = proc;
	cf->oom_len = (uint16_t)strlen(oom);
	memcpy(cf->oom, oom, cf->oom_len);
	memcpy(cf->fast_kind, u->cfg.fast_kind, sizeof(cf->fast_kind));
	for (unsigned nr = 0; nr < STUB_KINDS; nr++)
		if (u->cfg.direct[nr / 64] >> (nr % 64) & 1)
			cf->fast_kind[nr] |= STUB_KIND_DIRECT;
	cf->filter_flags = filter_flags;
	cf->filter_len = (uint16_t)stub_filter(u->region, STUB_CODE_SIZE, u->cfg.direct, cf->filter);
	cf->filter_ptr = u->region + STUB_CONFIG_OFF + offsetof(struct stub_config, filter);
	if (mprotect(at, STUB_CODE_SIZE, PROT_READ | PROT_EXEC) < 0)
		die("mprotect");
}

/* Tell the kernel to forget the memory areas that glibc registered for this thread;
 * they are about to be unmapped. */
static void forget_rseq(void)
{
	extern const ptrdiff_t __rseq_offset __attribute__((weak));
	extern const unsigned __rseq_size __attribute__((weak));

	if (&__rseq_offset && &__rseq_size && __rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32, 1,
			0x53053053);
}

__attribute__((noreturn)) static void zygote_main(struct unotify *u, const struct maps_info *m,
						 unsigned flags, int sock, int proc,
						 const char *oom)
{
	const struct blob_head *h = (const struct blob_head *)(const void *)stub_blob;

	/* Clear of the places that they are going to. */
	sock = fcntl(sock, F_DUPFD, 5);
	proc = proc < 0 ? -1 : fcntl(proc, F_DUPFD, 5);
	if (dup2(sock, 3) < 0 || (proc >= 0 && dup2(proc, 4) < 0))
		die("dup2");
	if (proc < 0)
		close(4);
	if (syscall(SYS_close_range, 5, ~0U, 0) < 0 || syscall(SYS_close_range, 0, 2, 0) < 0)
		die("close_range");
	setsid();
	drop_privileges();
	zygote_move_vdso(u, m);
	place_image(u, flags, 3, proc < 0 ? -1 : 4, proc < 0 ? "" : oom);
	zygote_signals(u->region, h);
	forget_rseq();
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%1" ::"r"(u->region + STUB_CODE_SIZE + STUB_STACK_SIZE - 64),
			 "r"(u->region + h->zygote)
			 : "memory");
	__builtin_unreachable();
}

/* The host's OOM killer is to take a guest before the process that makes guests: what a new
 * stub writes to its oom_score_adj. Empty: it stays (-1000 means never). */
static void oom_text(char text[8])
{
	int now = -1000, fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	char b[16] = "";

	if (fd >= 0 && read(fd, b, sizeof(b) - 1) > 0)
		now = atoi(b);
	if (fd >= 0)
		close(fd);
	text[0] = 0;
	if (now > -1000)
		snprintf(text, 8, "%d",
			 now + PLAT_OOM_GAP < 1000 ? now + PLAT_OOM_GAP : 1000);
}

uint64_t zygote_fast_entry(const struct unotify *u)
{
	return u->region + ((const struct blob_head *)(const void *)stub_blob)->fast;
}

int zygote_start(struct unotify *u)
{
	struct maps_info m;
	unsigned flags;
	int sv[2], err, proc;
	char oom[8];

	err = unotify_probe_flags(&flags, &u->caps);
	if (!err)
		err = read_maps(&m);
	if (!err)
		err = move_vdso(u, &m);
	if (err)
		return err;
	if (strstr(u->cfg.backend, ":full"))
		u->caps.direct = false;
	if (!u->caps.direct)
		memset(u->cfg.direct, 0, sizeof(u->cfg.direct));
	u->region = pick_region(&m);
	if (!u->region)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	oom_text(oom);
	proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	u->zygote = fork();
	if (u->zygote == 0)
		zygote_main(u, &m, flags, sv[1], proc, oom);
	err = u->zygote < 0 ? -errno : 0;
	if (proc >= 0)
		close(proc);
	close(sv[1]);
	u->zsock = sv[0];
	return err;
}

int zygote_spawn(struct unotify *u, struct chunk *c, uint64_t token, int *out_pipe)
{
	struct stub_spawn req = { c->guest, token };
	struct iovec iov = { &req, sizeof(req) };
	union {
		struct cmsghdr h;
		char buf[CMSG_SPACE(2 * sizeof(int))];
	} ctl = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = ctl.buf,
			      .msg_controllen = sizeof(ctl.buf) };
	int p[2], fds[2], err = 0;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	fds[0] = c->memfd;
	fds[1] = p[1];
	ctl.h.cmsg_level = SOL_SOCKET;
	ctl.h.cmsg_type = SCM_RIGHTS;
	ctl.h.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&ctl.h), fds, sizeof(fds));
	if (sendmsg(u->zsock, &msg, MSG_NOSIGNAL) < 0)
		err = -errno;
	close(p[1]);
	if (err) {
		close(p[0]);
		return err;
	}
	*out_pipe = p[0];
	return 0;
}

int zygote_collect(struct unotify *u, int pipe_fd, struct chunk *c, pid_t *out_pid,
		   int *out_listener)
{
	const struct stub_slot *s = (const struct stub_slot *)(void *)c->host;
	struct pollfd pfd = { .fd = pipe_fd };
	int64_t pid = 0;
	int pidfd, err = 0, fd;
	ssize_t n;

	do
		n = read(u->zsock, &pid, sizeof(pid));
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(pid))
		pid = -EAGAIN;
	/* The child drops its end when its filter stands, or when it died. */
	while (pid > 0 && poll(&pfd, 1, -1) < 0 && errno == EINTR)
		;
	close(pipe_fd);
	if (pid <= 0)
		return (int)pid;
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = s->listener <= 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, s->listener - 1, 0);
	if (fd < 0) {
		err = s->listener > 0 ? -errno : s->listener;
		log_error("stub %lld has no listener: %s", (long long)pid, strerror(-err));
		kill((pid_t)pid, SIGKILL);
		err = -EAGAIN;
	}
	close(pidfd);
	*out_pid = (pid_t)pid;
	*out_listener = fd;
	return err;
}
