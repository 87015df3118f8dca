/* See hostile_client.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gofer/server/gofer_server.h"
#include "tests/gofer/hostile_client.h"

#define PATIENCE_MS 5000

char top[64];
struct stat secret;
uint32_t pool[256];
unsigned npool;

bool by_name;
static unsigned passed, failed;
static unsigned required, broken;
static const char *last_broken;

/* ---- counting ---- */

void check(bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

void require(bool ok, const char *what)
{
	required++;
	if (ok)
		return;
	if (last_broken != what)
		printf("  %s\n", what);
	last_broken = what;
	broken++;
}

void check_required(const char *name)
{
	check(broken == 0, "%s: %u of %u", name, broken, required);
	required = broken = 0;
	last_broken = NULL;
}

int report(void)
{
	printf("%u passed, %u failed\n", passed, failed);
	return failed != 0;
}

/* ---- the tree ---- */

static void at(char *out, size_t size, const char *rel)
{
	snprintf(out, size, "%s/%s", top, rel);
}

static void put_file(const char *rel, const char *text)
{
	char p[256];
	int fd;

	at(p, sizeof(p), rel);
	fd = open(p, O_CREAT | O_WRONLY | O_TRUNC, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0) {
		perror(p);
		exit(2);
	}
	close(fd);
}

static void put_dir(const char *rel)
{
	char p[256];

	at(p, sizeof(p), rel);
	if (mkdir(p, 0755) < 0) {
		perror(p);
		exit(2);
	}
}

static void put_link(const char *rel, const char *target)
{
	char p[256];

	at(p, sizeof(p), rel);
	if (symlink(target, p) < 0) {
		perror(p);
		exit(2);
	}
}

static void put_socket(const char *rel)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/%s", top, rel);
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)
		perror(a.sun_path);
	close(s);
}

void make_tree(void)
{
	char p[256];

	strcpy(top, "/tmp/gofer-hostile-XXXXXX");
	if (!mkdtemp(top)) {
		perror(top);
		exit(2);
	}
	put_dir("outside");
	put_file("outside/secret", "SECRET");
	put_dir("root");
	put_dir("root/dir");
	put_dir("root/dir/sub");
	put_file("root/dir/sub/deep", "deep\n");
	put_file("root/file", "hello\n");
	put_dir("root/traps");
	put_link("root/traps/rel", "../../outside/secret");
	put_link("root/traps/abs", "/etc/passwd");
	put_link("root/traps/dirlink", "../../outside");
	put_link("root/traps/self", "self");
	put_link("root/traps/proc", "/proc/self/root");
	put_socket("root/traps/sock");
	at(p, sizeof(p), "root/traps/fifo");
	if (mkfifo(p, 0666) < 0)
		perror(p);
	at(p, sizeof(p), "root/traps/null");
	if (mknod(p, S_IFCHR | 0666, makedev(1, 3)) < 0)
		printf("note: no device node here: %s\n", strerror(errno));
	put_dir("root/race");
	put_dir("ro");
	put_file("ro/file", "read only\n");
	put_dir("ro/dir");
	put_file("single", "one file\n");
	at(p, sizeof(p), "outside/secret");
	if (stat(p, &secret) < 0)
		exit(2);
}

void remove_tree(void)
{
	char cmd[192];

	snprintf(cmd, sizeof(cmd), "chmod -R u+rwX '%s'; rm -rf '%s'", top, top);
	if (system(cmd))
		printf("note: %s stays\n", top);
}

/* ---- the gofer ---- */

/* As the gofer will be: without CAP_SYS_RESOURCE a limit stays where it was put. */
static void drop_sys_resource(void)
{
	cap_t c = cap_get_proc();
	cap_value_t v = CAP_SYS_RESOURCE;

	if (c && cap_set_flag(c, CAP_EFFECTIVE, 1, &v, CAP_CLEAR) == 0 &&
	    cap_set_flag(c, CAP_PERMITTED, 1, &v, CAP_CLEAR) == 0)
		(void)cap_set_proc(c);
	cap_free(c);
}

struct gofer start(unsigned nofile)
{
	struct gofer g = { .sock = -1 };
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		exit(2);
	fflush(stdout);
	g.pid = fork();
	if (g.pid == 0) {
		char root[128], ro[128], single[128];
		struct gofer_export ex[] = { { .path = root, .shared = true },
					     { .path = ro, .readonly = true },
					     { .path = single, .readonly = true },
					     { .path = root, .filestore = true } };
		struct rlimit r = { nofile, nofile };

		close(sv[0]);
		if (nofile) {
			setrlimit(RLIMIT_NOFILE, &r);
			drop_sys_resource();
		}
		at(root, sizeof(root), "root");
		at(ro, sizeof(ro), "ro");
		at(single, sizeof(single), "single");
		_exit(-gofer_serve(sv[1],
				   by_name ? -1 : open("/proc/self/fd", O_PATH | O_CLOEXEC), true,
				   ex, 4));
	}
	close(sv[1]);
	g.sock = sv[0];
	return g;
}

void stop(struct gofer *g, const char *name)
{
	struct pollfd p = { .events = POLLIN };
	int st = -1;

	close(g->sock);
	g->sock = -1;
	p.fd = (int)syscall(SYS_pidfd_open, g->pid, 0);
	if (poll(&p, 1, PATIENCE_MS) == 1) {
		waitpid(g->pid, &st, 0);
		close(p.fd);
		check(WIFEXITED(st) && WEXITSTATUS(st) == 0,
		      "%s: the gofer ended with status %#x", name, (unsigned)st);
		return;
	}
	close(p.fd);
	check(false, "%s: the gofer does not end", name);
	kill(g->pid, SIGKILL);
	waitpid(g->pid, &st, 0);
}

void renew(struct gofer *g, const char *name)
{
	if (!g->hung_up)
		return;
	stop(g, name);
	*g = start(0);
}

bool send_raw(struct gofer *g, const void *buf, size_t len)
{
	if (send(g->sock, buf, len, MSG_NOSIGNAL) < 0) {
		g->hung_up = true;
		return false;
	}
	return true;
}

unsigned ncame;

ssize_t receive(struct gofer *g, void *buf, size_t size, int *fd)
{
	char space[CMSG_SPACE((GOFER_OPENS_MAX + 4) * sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { buf, size };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	struct pollfd p = { g->sock, POLLIN, 0 };
	struct cmsghdr *h;
	uint32_t op = 0;
	ssize_t n;

	*fd = -1;
	if (poll(&p, 1, PATIENCE_MS) != 1) {
		require(false, "no answer in time: the gofer is blocked");
		kill(g->pid, SIGKILL);
		g->hung_up = true;
		return 0;
	}
	n = recvmsg(g->sock, &m, MSG_CMSG_CLOEXEC);
	if (n <= 0) {
		g->hung_up = true;
		return 0;
	}
	h = CMSG_FIRSTHDR(&m);
	ncame = 0;
	if (h && h->cmsg_type == SCM_RIGHTS) {
		ncame = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		require(ncame <= GOFER_OPENS_MAX, "too many descriptors came");
		memcpy(fd, CMSG_DATA(h), sizeof(int));
	}
	memcpy(&op, buf, n < 4 ? 0 : 4);
	require(ncame <= 1 || n < 4 || op == GOFER_OP_OPENS, "more than one descriptor came");
	for (unsigned i = 1; i < ncame; i++) {
		int other;

		memcpy(&other, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
		check_fd(other, false);
		close(other);
	}
	return n;
}

void check_attr(const struct gofer_attr *a)
{
	require(a->ino != secret.st_ino || a->dev != secret.st_dev,
		"the file outside was looked at");
}

void check_fd(int fd, bool may_write)
{
	struct stat st;

	require(fstat(fd, &st) == 0 && S_ISREG(st.st_mode),
		"a descriptor of something else than a regular file was donated");
	require(st.st_ino != secret.st_ino || st.st_dev != secret.st_dev,
		"the file outside was donated");
	require(may_write || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY,
		"a descriptor that may write was donated");
}

#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                                                  \
	int do_##name(struct gofer *g, const struct gofer_##name##_req *q,               \
		      struct gofer_##name##_rep *p, int *fd)                             \
	{                                                                                \
		static uint8_t tx[GOFER_MSG_MAX], rx[GOFER_MSG_MAX];                     \
		struct gofer_head h = { num, ++g->seq, 0 };                              \
		struct gofer_enc e = { tx, tx + sizeof(tx), false };                     \
		struct gofer_dec d;                                                      \
		ssize_t n;                                                               \
		int got;                                                                 \
                                                                                         \
		gofer_put_head(&e, &h);                                                  \
		gofer_put_##name##_req(&e, q);                                           \
		if (!send_raw(g, tx, (size_t)(e.p - tx)))                                \
			return -EPIPE;                                                   \
		if (num == GOFER_OP_FORGET)                                              \
			return 0;                                                        \
		n = receive(g, rx, sizeof(rx), &got);                                    \
		if (got >= 0 && fd)                                                      \
			*fd = got;                                                       \
		else if (got >= 0)                                                       \
			close(got);                                                      \
		if (n <= 0)                                                              \
			return -EPIPE;                                                   \
		d = (struct gofer_dec){ rx, rx + n, false };                             \
		gofer_get_head(&d, &h);                                                  \
		require(!d.bad && h.op == num && h.seq == g->seq, "a reply out of order"); \
		if (h.err)                                                               \
			return h.err;                                                    \
		gofer_get_##name##_rep(&d, p);                                           \
		require(gofer_dec_done(&d), "a malformed reply");                        \
		return 0;                                                                \
	}
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG

uint32_t attach(struct gofer *g, uint32_t index)
{
	struct gofer_attach_req q = { index };
	struct gofer_attach_rep p;

	return do_attach(g, &q, &p, NULL) ? 0 : p.node;
}

uint32_t walk1(struct gofer *g, uint32_t dir, const char *name, struct gofer_attr *a, int *err)
{
	uint8_t buf[8192];
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_name nm = { gofer_str(name) };
	struct gofer_walk_req q = { .dir = dir, .count = 1 };
	struct gofer_walk_rep p = { .count = 0 };
	struct gofer_walked w = { .node = 0 };
	struct gofer_dec d;

	gofer_put_name(&e, &nm);
	q.names = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	*err = do_walk(g, &q, &p, NULL);
	if (*err)
		return 0;
	*err = p.stop;
	if (p.count != 1)
		return 0;
	d = (struct gofer_dec){ p.entries.p, p.entries.p + p.entries.len, false };
	gofer_get_walked(&d, &w);
	require(gofer_dec_done(&d), "a malformed walk entry");
	check_attr(&w.attr);
	if (a)
		*a = w.attr;
	return w.node;
}

/* ---- random requests ---- */

static uint64_t rnd_state;

void rnd_seed(uint64_t seed)
{
	rnd_state = seed * 0x9e3779b97f4a7c15ULL + 1;
}

uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 32) % below;
}

static const char *const names[] = {
	"file", "dir", "sub", "deep", "traps", "rel", "abs", "dirlink", "self", "proc", "fifo",
	"sock", "null", "race", "new1", "new2", "new3", "new4", "..", ".", "", "/", "a/b",
	"../outside", "/etc/passwd", "user.x", "trusted.y", "security.selinux",
	"security.capability", "outside", "secret", "dir/sub", "\xff\xfe", " ",
};

static uint32_t rnd_u32(void)
{
	static const uint32_t odd[] = { 0, 1, 2, 3, 4, 0xffffffff, 0x7fffffff, 0x80000000,
					0644, 0100644, 0010666, 0140777, 0020666, 07777, 65536 };

	if (npool && rnd(3))
		return pool[rnd(npool)];
	return rnd(4) ? odd[rnd(sizeof(odd) / sizeof(odd[0]))] : rnd(0xffffffff);
}

static void rnd_put_u32(struct gofer_enc *e)
{
	uint32_t v = rnd_u32();

	gofer_put_u32(e, &v);
}
static void rnd_put_u64(struct gofer_enc *e)
{
	uint64_t v = rnd(2) ? rnd(70000) : (uint64_t)rnd_u32() << 32 | rnd_u32();

	/* Not gigabytes of real file. */
	gofer_put_u64(e, &v);
}
static void rnd_put_i64(struct gofer_enc *e)
{
	rnd_put_u64(e);
}
static void rnd_put_str(struct gofer_enc *e)
{
	static char longname[5000];
	struct gofer_str s = gofer_str(names[rnd(sizeof(names) / sizeof(names[0]))]);

	if (rnd(40) == 0) {
		memset(longname, 'x', sizeof(longname) - 1);
		s = (struct gofer_str){ longname, 200 + rnd(4700) };
		s.p = longname + sizeof(longname) - 1 - s.len;
	}
	gofer_put_str(e, &s);
}
static void rnd_put_bytes(struct gofer_enc *e)
{
	static uint8_t data[70000];
	struct gofer_bytes b = { data, rnd(20) ? rnd(100) : rnd(66000) };

	gofer_put_bytes(e, &b);
}
/* Names, or nodes, as it comes. */
static void rnd_put_rest(struct gofer_enc *e)
{
	uint32_t n = rnd(6);

	for (uint32_t i = 0; i < n; i++) {
		if (rnd(2))
			rnd_put_str(e);
		else
			rnd_put_u32(e);
	}
}

#define F(type, name) rnd_put_##type(e);
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                      \
	static void random_##name(struct gofer_enc *e)       \
	{                                                    \
		(void)e;                                     \
		req                                          \
	}
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
#undef F

/* Walks get a fair chance to be right: the other requests live on their nodes. */
static void good_walk(struct gofer_enc *e, bool lookups)
{
	uint32_t dir = npool ? pool[rnd(npool)] : rnd_u32(), count = 1 + rnd(4);

	gofer_put_u32(e, &dir);
	for (int i = 0; i < (lookups ? 3 : 1); i++)
		rnd_put_u32(e);
	gofer_put_u32(e, &count);
	while (count--)
		rnd_put_str(e);
}

size_t random_request(uint32_t op, uint32_t seq, uint8_t *buf, size_t size)
{
	struct gofer_enc e = { buf, buf + size, false };
	struct gofer_head h = { op, seq, 0 };

	gofer_put_head(&e, &h);
	if ((op == GOFER_OP_WALK || op == GOFER_OP_LOOKUPS) && rnd(4)) {
		good_walk(&e, op == GOFER_OP_LOOKUPS);
		return (size_t)(e.p - buf);
	}
	switch (op) {
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep) \
	case num:                       \
		random_##name(&e);      \
		break;
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
	default:
		rnd_put_rest(&e);
	}
	return (size_t)(e.p - buf);
}

int count_fds(pid_t pid)
{
	char p[64];
	DIR *d;
	int n = 0;

	snprintf(p, sizeof(p), "/proc/%d/fd", (int)pid);
	d = opendir(p);
	if (!d)
		return -1;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}
