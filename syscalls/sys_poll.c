/* poll, ppoll, select, pselect6 and the epoll calls.
 *
 * One pass asks every file and enrols the task on the way, until one is found ready;
 * enrolments are dropped before each re-run and at the end of the call. The deadline is
 * made absolute on the first run: 0 stands for "do not wait". */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/anon/epoll.h"
#include "sentry/mm/usercopy.h"
#include "sentry/signal/signal.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_epoll.h"
#include "syscalls/abi/lx_poll.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_time.h"
#include "syscalls/syscall_args.h"

#define WAIT_FOREVER UINT64_MAX

/* ---- time ---- */

/* Remember when to give up, on the first run of the call. rel_ns: WAIT_FOREVER, 0: now. */
static void wait_deadline(struct task *t, uint64_t rel_ns)
{
	uint64_t now;

	if (t->restart.has_deadline)
		return;
	t->restart.has_deadline = true;
	if (rel_ns == 0 || rel_ns == WAIT_FOREVER) {
		t->restart.deadline = rel_ns;
		return;
	}
	now = ktime_mono();
	t->restart.deadline = rel_ns < WAIT_FOREVER - 1 - now ? now + rel_ns : WAIT_FOREVER - 1;
}

static bool wait_over(const struct task *t)
{
	uint64_t d = t->restart.deadline;

	return d == 0 || (d != WAIT_FOREVER && ktime_mono() >= d);
}

/* -LX_EINVAL for what is no time. */
static int rel_ns_of(int64_t sec, int64_t nsec, uint64_t *out)
{
	if (sec < 0 || nsec < 0 || nsec >= LX_NSEC_PER_SEC)
		return -LX_EINVAL;
	if (sec >= INT64_MAX / LX_NSEC_PER_SEC)
		*out = WAIT_FOREVER - 1;
	else
		*out = (uint64_t)sec * LX_NSEC_PER_SEC + (uint64_t)nsec;
	return 0;
}

/* A relative timespec; a null pointer waits for ever. */
static int get_timespec(struct task *t, struct uaddr p, uint64_t *out)
{
	struct lx_timespec ts;
	int err;

	*out = WAIT_FOREVER;
	if (p.v == 0)
		return 0;
	err = copy_in(t, &ts, p, sizeof(ts));
	return err ? err : rel_ns_of(ts.sec, ts.nsec, out);
}

/* The end of select, pselect6 and ppoll: write back the time left. A call whose time
 * could not be written cannot be restarted. */
static long put_remaining(struct task *t, long ret, struct uaddr p, bool timeval)
{
	uint64_t left = 0, now, d = t->restart.deadline;
	struct lx_timespec ts;

	if (p.v == 0 || ret == -LX_EPARK || d == 0)
		return ret;
	now = ktime_mono();
	if (d > now)
		left = d - now;
	ts.sec = (int64_t)(left / LX_NSEC_PER_SEC);
	ts.nsec = (int64_t)(left % LX_NSEC_PER_SEC);
	if (timeval)
		ts.nsec /= 1000;
	if (copy_out(t, p, &ts, sizeof(ts)) && ret == -LX_ERESTARTNOHAND)
		return -LX_EINTR;
	return ret;
}

/* The temporary mask of the p-variants; a null pointer: none. */
static int set_sigmask(struct task *t, struct uaddr p, uint64_t size)
{
	sigset64 set;
	int err;

	if (p.v == 0)
		return 0;
	if (size != sizeof(set))
		return -LX_EINVAL;
	err = copy_in(t, &set, p, sizeof(set));
	if (err)
		return err;
	task_set_temp_sigmask(t, set);
	return 0;
}

/* ---- one pass ---- */

struct scan {
	struct poll_ctx pc;
	struct task *t;
	int err;
	bool enrol;		/* nothing is ready yet, and the call may wait */
};

static void scan_enrol(struct poll_ctx *pc, struct waitq *q)
{
	struct scan *s = container_of(pc, struct scan, pc);

	if (s->err == 0)
		s->err = task_enrol(s->t, q);
}

static void scan_init(struct scan *s, struct task *t)
{
	*s = (struct scan){ .pc = { .enrol = scan_enrol }, .t = t };
	s->enrol = !wait_over(t);
}

static uint32_t scan_file(struct scan *s, struct file *f, uint32_t want)
{
	s->pc.events = want;
	return file_poll(f, s->enrol ? &s->pc : NULL);
}

/* Nothing was ready: wait, or give up. */
static long scan_park(struct scan *s, int interrupted)
{
	if (s->err)
		return s->err;
	if (!s->enrol)
		return 0;
	task_park_until(s->t, s->t->restart.deadline);
	return task_park(s->t, interrupted);
}

/* ---- poll ---- */

/* The number of entries with events; all revents filled in. */
static long poll_scan(struct scan *s, struct lx_pollfd *fds, uint32_t n)
{
	long ready = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t want = (uint16_t)fds[i].events | LX_POLLERR | LX_POLLHUP, got;
		struct file *f;
		int err;

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		f = fd_file(s->t, fds[i].fd, &err);
		if (f == NULL) {
			got = LX_POLLNVAL;
		} else {
			got = scan_file(s, f, want) & want;
			file_put(f);
		}
		fds[i].revents = (int16_t)got;
		if (got != 0) {
			ready++;
			s->enrol = false;
		}
	}
	return ready;
}

static long do_poll(struct task *t, struct uaddr ufds, uint32_t nfds, int interrupted)
{
	struct lx_pollfd small[32], *fds = small;
	AUTO_FREE void *big = NULL;
	struct scan s;
	long ret;

	if (nfds > rlimit_cur(t, LX_RLIMIT_NOFILE) || nfds > LX_NR_OPEN_MAX)
		return -LX_EINVAL;
	if (nfds > sizeof(small) / sizeof(small[0])) {
		big = malloc((size_t)nfds * sizeof(*fds));
		if (big == NULL)
			return -LX_ENOMEM;
		fds = big;
	}
	ret = copy_in(t, fds, ufds, (size_t)nfds * sizeof(*fds));
	if (ret)
		return ret;
	scan_init(&s, t);
	ret = poll_scan(&s, fds, nfds);
	if (ret == 0)
		ret = scan_park(&s, interrupted);
	/* Linux writes revents on an interruption too. */
	if (ret != -LX_EPARK && copy_out(t, ufds, fds, (size_t)nfds * sizeof(*fds)))
		return -LX_EFAULT;
	return ret;
}

/* restart_syscall(2) after a stop: arguments and deadline are those of the call. */
static long poll_restart(struct task *t)
{
	long r = do_poll(t, (struct uaddr){ t->sysargs[0] }, (uint32_t)t->sysargs[1],
			 LX_ERESTART_RESTARTBLOCK);

	if (r == -LX_ERESTART_RESTARTBLOCK)
		t->restart_fn = poll_restart;
	return r;
}

long sys_poll(struct task *t, const struct poll_args *a)
{
	long r;

	wait_deadline(t, a->timeout_msecs < 0 ? WAIT_FOREVER
					      : (uint64_t)a->timeout_msecs * 1000000);
	r = do_poll(t, a->ufds, a->nfds, LX_ERESTART_RESTARTBLOCK);
	if (r == -LX_ERESTART_RESTARTBLOCK)
		t->restart_fn = poll_restart;
	return r;
}

long sys_ppoll(struct task *t, const struct ppoll_args *a)
{
	uint64_t rel;
	int err;

	if (!t->restart.has_deadline) {
		err = get_timespec(t, a->tsp, &rel);
		if (err == 0)
			err = set_sigmask(t, a->sigmask, a->sigsetsize);
		if (err)
			return err;
		wait_deadline(t, rel);
	}
	return put_remaining(t, do_poll(t, a->ufds, a->nfds, LX_ERESTARTNOHAND), a->tsp, false);
}

/* ---- select ---- */

#define SEL_IN_SET                                                                         \
	(LX_POLLRDNORM | LX_POLLRDBAND | LX_POLLIN | LX_POLLHUP | LX_POLLERR | LX_POLLNVAL)
#define SEL_OUT_SET (LX_POLLWRBAND | LX_POLLWRNORM | LX_POLLOUT | LX_POLLERR | LX_POLLNVAL)
#define SEL_EX_SET (LX_POLLPRI | LX_POLLNVAL)

static const uint32_t sel_bits[3] = { SEL_IN_SET, SEL_OUT_SET, SEL_EX_SET };

struct sel {
	struct uaddr user[3];
	uint64_t *in[3], *out[3];
	size_t words;		/* of each set */
};

/* Descriptors beyond the table are not looked at, however large n is. */
static int sel_limit(struct task *t, int n)
{
	int last = -1, fd = 0;
	struct file *f;

	if (n <= 1024)
		return n;
	for (; (fd = fdtable_next(t->fds, fd, &f)) >= 0; fd++) {
		file_put(f);
		last = fd;
	}
	last = (last + 64) & ~63;
	if (last < 1024)
		last = 1024;
	return n < last ? n : last;
}

static long sel_one(struct scan *s, struct sel *sel, int fd)
{
	uint64_t bit = 1ULL << (fd & 63);
	size_t w = (size_t)fd / 64;
	uint32_t got, want = 0;
	struct file *f;
	long count = 0;
	int err;

	if (((sel->in[0][w] | sel->in[1][w] | sel->in[2][w]) & bit) == 0)
		return 0;
	f = fd_file(s->t, fd, &err);
	if (f == NULL)
		return -LX_EBADF;
	for (int i = 0; i < 3; i++) {
		if (sel->in[i][w] & bit)
			want |= sel_bits[i];
	}
	got = scan_file(s, f, want);
	file_put(f);
	for (int i = 0; i < 3; i++) {
		if ((sel->in[i][w] & bit) != 0 && (got & sel_bits[i]) != 0) {
			sel->out[i][w] |= bit;
			count++;
		}
	}
	if (count > 0)
		s->enrol = false;
	return count;
}

static long sel_scan(struct scan *s, struct sel *sel, int n)
{
	long count = 0, r;

	for (int fd = 0; fd < n; fd++) {
		size_t w = (size_t)fd / 64;

		if ((fd & 63) == 0 && (sel->in[0][w] | sel->in[1][w] | sel->in[2][w]) == 0) {
			fd += 63;
			continue;
		}
		r = sel_one(s, sel, fd);
		if (r < 0)
			return r;
		count += r;
	}
	return count;
}

/* Sets are longs in the guest's memory: whole words travel, bits from n on are ignored
 * going in and zero coming out. */
static int sel_copy_in(struct task *t, struct sel *sel)
{
	for (int i = 0; i < 3; i++) {
		if (sel->user[i].v != 0 &&
		    copy_in(t, sel->in[i], sel->user[i], sel->words * 8))
			return -LX_EFAULT;
	}
	return 0;
}

static int sel_copy_out(struct task *t, const struct sel *sel)
{
	for (int i = 0; i < 3; i++) {
		if (sel->user[i].v != 0 &&
		    copy_out(t, sel->user[i], sel->out[i], sel->words * 8))
			return -LX_EFAULT;
	}
	return 0;
}

static long do_select(struct task *t, int n, struct uaddr in, struct uaddr out, struct uaddr ex)
{
	struct sel sel = { .user = { in, out, ex } };
	uint64_t small[6 * 16];
	AUTO_FREE void *big = NULL;
	uint64_t *mem = small;
	struct scan s;
	long ret;

	if (n < 0)
		return -LX_EINVAL;
	n = sel_limit(t, n);
	sel.words = ((size_t)n + 63) / 64;
	if (sel.words > 16) {
		mem = big = malloc(sel.words * 8 * 6);
		if (mem == NULL)
			return -LX_ENOMEM;
	}
	memset(mem, 0, sel.words * 8 * 6);
	for (size_t i = 0; i < 3; i++) {
		sel.in[i] = mem + i * sel.words;
		sel.out[i] = mem + (i + 3) * sel.words;
	}
	ret = sel_copy_in(t, &sel);
	if (ret)
		return ret;
	scan_init(&s, t);
	ret = sel_scan(&s, &sel, n);
	if (ret == 0)
		ret = scan_park(&s, LX_ERESTARTNOHAND);
	if (ret >= 0 && sel_copy_out(t, &sel))
		return -LX_EFAULT;
	return ret;
}

long sys_select(struct task *t, const struct select_args *a)
{
	uint64_t rel = WAIT_FOREVER;
	struct lx_timeval tv;
	int err;

	if (!t->restart.has_deadline && a->tvp.v != 0) {
		err = copy_in(t, &tv, a->tvp, sizeof(tv));
		if (err)
			return err;
		if (tv.sec > INT64_MAX / 2)
			tv.sec = INT64_MAX / 2;
		err = rel_ns_of(tv.sec + tv.usec / 1000000, tv.usec % 1000000 * 1000, &rel);
		if (err)
			return err;
	}
	wait_deadline(t, rel);
	return put_remaining(t, do_select(t, a->n, a->inp, a->outp, a->exp), a->tvp, true);
}

long sys_pselect6(struct task *t, const struct pselect6_args *a)
{
	struct lx_sigset_argpack pack = { 0, 0 };
	uint64_t rel;
	int err = 0;

	if (!t->restart.has_deadline) {
		if (a->sig.v != 0)
			err = copy_in(t, &pack, a->sig, sizeof(pack));
		if (err == 0)
			err = get_timespec(t, a->tsp, &rel);
		if (err == 0)
			err = set_sigmask(t, (struct uaddr){ pack.ptr }, pack.size);
		if (err)
			return err;
		wait_deadline(t, rel);
	}
	return put_remaining(t, do_select(t, a->n, a->inp, a->outp, a->exp), a->tsp, false);
}

/* ---- epoll ---- */

static long do_epoll_create(struct task *t, uint32_t flags)
{
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (flags & ~LX_EPOLL_CLOEXEC)
		return -LX_EINVAL;
	err = epoll_open(t->k, &f);
	if (err)
		return err;
	return fdtable_add(t, f, flags & LX_EPOLL_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
}

long sys_epoll_create(struct task *t, const struct epoll_create_args *a)
{
	return a->size <= 0 ? -LX_EINVAL : do_epoll_create(t, 0);
}

long sys_epoll_create1(struct task *t, const struct epoll_create1_args *a)
{
	return do_epoll_create(t, a->flags);
}

long sys_epoll_ctl(struct task *t, const struct epoll_ctl_args *a)
{
	AUTO_PUT(file) struct file *ef = NULL;
	AUTO_PUT(file) struct file *f = NULL;
	struct lx_epoll_event ev = { 0, 0 };
	int err;

	if (a->op != LX_EPOLL_CTL_DEL) {
		err = copy_in(t, &ev, a->event, sizeof(ev));
		if (err)
			return err;
	}
	ef = fd_file(t, a->epfd, &err);
	if (ef == NULL)
		return err;
	f = fd_file(t, a->fd, &err);
	if (f == NULL)
		return err;
	return epoll_control(ef, a->op, a->fd, f, &ev);
}

/* Hand out what is ready: a count, 0, or -LX_EFAULT (and everything stays as it was). */
static long epoll_take(struct task *t, struct file *ef, struct uaddr events, int max)
{
	struct lx_epoll_event small[64], *ev = small;
	AUTO_FREE void *big = NULL;
	int n, err;

	if (max > 4096)
		max = 4096;
	if (!epoll_maybe_ready(ef))
		return 0;
	if (max > 64) {
		big = malloc((size_t)max * sizeof(*ev));
		if (big != NULL)
			ev = big;
		else
			max = 64;
	}
	n = epoll_harvest(ef, ev, max);
	if (n == 0)
		return 0;
	err = copy_out(t, events, ev, (size_t)n * sizeof(*ev));
	epoll_commit(ef, err == 0);
	return err ? err : n;
}

static long do_epoll_wait(struct task *t, int epfd, struct uaddr events, int max)
{
	AUTO_PUT(file) struct file *ef = NULL;
	int err;
	long n;

	if (max <= 0 || max > (int)(INT32_MAX / sizeof(struct lx_epoll_event)))
		return -LX_EINVAL;
	ef = fd_file(t, epfd, &err);
	if (ef == NULL)
		return err;
	if (!file_is_epoll(ef))
		return -LX_EINVAL;
	n = epoll_take(t, ef, events, max);
	if (n != 0 || wait_over(t))
		return n;
	err = task_enrol(t, epoll_waitq(ef));
	if (err)
		return err;
	task_park_until(t, t->restart.deadline);
	return task_park(t, LX_EINTR);
}

static uint64_t rel_of_ms(int ms)
{
	return ms < 0 ? WAIT_FOREVER : (uint64_t)ms * 1000000;
}

long sys_epoll_wait(struct task *t, const struct epoll_wait_args *a)
{
	wait_deadline(t, rel_of_ms(a->timeout));
	return do_epoll_wait(t, a->epfd, a->events, a->maxevents);
}

long sys_epoll_pwait(struct task *t, const struct epoll_pwait_args *a)
{
	int err;

	if (!t->restart.has_deadline) {
		err = set_sigmask(t, a->sigmask, a->sigsetsize);
		if (err)
			return err;
	}
	wait_deadline(t, rel_of_ms(a->timeout));
	return do_epoll_wait(t, a->epfd, a->events, a->maxevents);
}

long sys_epoll_pwait2(struct task *t, const struct epoll_pwait2_args *a)
{
	uint64_t rel;
	int err;

	if (!t->restart.has_deadline) {
		err = get_timespec(t, a->timeout, &rel);
		if (err == 0)
			err = set_sigmask(t, a->sigmask, a->sigsetsize);
		if (err)
			return err;
		wait_deadline(t, rel);
	}
	return do_epoll_wait(t, a->epfd, a->events, a->maxevents);
}
