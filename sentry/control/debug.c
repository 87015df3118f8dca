/* What `runsc debug` and the crash reporter ask for: threads with their registers, maps,
 * guest memory, mapped files. Nothing of it is looked into here: a guest chooses all these
 * bytes, and taking them apart is left to a process that has nothing to lose. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/control/container_impl.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/mm/mm.h"
#include "sentry/task/sched.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/syscall_table.h"

#define TASKS_MAX 4096u
#define MAPS_MAX 65530u
#define KICK_TRIES 200 /* of a millisecond each */

/* ---- threads ---- */

struct snap {
	struct task *t;		/* one reference */
	struct plat_regs regs;
	bool asked, waits, has_regs; /* waits: t->want_regs is ours */
	char state;
};

static void collect_group(struct tgroup *tg, struct snap *snaps, unsigned *n)
{
	struct task *t;

	list_for_each(t, &tg->tasks, tg_link) {
		if (*n == TASKS_MAX || !t->started || t->state == TASK_DEAD)
			continue;
		task_get(t);
		snaps[(*n)++] = (struct snap){ .t = t };
	}
}

static unsigned collect(struct kernel *k, int pid, struct snap *snaps)
{
	struct tgroup *tg;
	unsigned n = 0;
	int after = 0;

	if (pid) {
		tg = tgroup_lookup(k, pid);
		if (tg) {
			collect_group(tg, snaps, &n);
			tgroup_put(tg);
		}
		return n;
	}
	while ((tg = tgroup_next(k, after)) != NULL) {
		after = tg->tgid;
		collect_group(tg, snaps, &n);
		tgroup_put(tg);
	}
	return n;
}

static void ask(struct snap *s)
{
	struct task *t = s->t;

	s->state = t->state == TASK_STOPPED ? 'T' : t->state == TASK_RUNNING && !t->in_kernel ? 'R' : 'S';
	s->asked = t->state != TASK_NEW && t->state != TASK_DEAD && t->pt && !t->want_regs;
}

/* Another look at one thread: is there nothing left to wait for? A thread that waits has its
 * registers here, or the platform fetches them; one that runs guest code is made to trap. */
static bool settled(struct snap *s)
{
	struct task *t = s->t;

	if (!s->asked || s->has_regs)
		return true;
	if (s->waits && t->want_regs != &s->regs) {
		s->has_regs = true;
		return true;
	}
	if (t->state == TASK_DEAD || !t->pt)
		return true;
	if (t->state == TASK_RUNNING && !t->in_kernel) {
		t->want_regs = &s->regs;
		s->waits = true;
		plat_kick(t->pt);
		return false;
	}
	if (s->waits)
		t->want_regs = NULL;
	s->waits = false;
	if (!t->partial && t->regs) {
		s->regs = *t->regs;
		s->has_regs = true;
	} else if (t->partial && !t->in_kernel) {
		s->has_regs = plat_thread_peek_regs(t->pt, &s->regs);
	}
	return s->has_regs;
}

static bool all_settled(struct snap *snaps, unsigned n)
{
	bool all = true;

	for (unsigned i = 0; i < n; i++)
		all &= settled(&snaps[i]);
	return all;
}

static void get_registers(struct kernel *k, struct snap *snaps, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ask(&snaps[i]);
	for (int tries = 0; tries < KICK_TRIES && !all_settled(snaps, n); tries++) {
		kernel_unlock(k);
		(void)chost_readable(-1, 1);
		kernel_lock(k);
	}
	/* Whoever has not trapped by now must not write to what is about to go. */
	for (unsigned i = 0; i < n; i++) {
		if (snaps[i].waits && snaps[i].t->want_regs == &snaps[i].regs)
			snaps[i].t->want_regs = NULL;
	}
}

/* The call as --strace shows it while it waits. */
struct call_text {
	struct task *t;
	char *buf;
	size_t size;
};

static int call_read(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct call_text *c = ctx;

	return c->t->mm ? mm_copy_in(c->t->mm, buf, addr, len) : -LX_EFAULT;
}

static void call_emit(void *ctx, const char *text, size_t len, unsigned how)
{
	struct call_text *c = ctx;

	if (len >= c->size || !(how & TRACE_EMIT_START))
		len = len < c->size ? len : c->size - 1;
	memcpy(c->buf, text, len);
	c->buf[len] = '\0';
}

static void describe_call(struct task *t, char *buf, size_t size)
{
	struct call_text ctx = { t, buf, size };
	struct trace_io io = { .ctx = &ctx, .read = call_read, .emit = call_emit };
	const struct syscall_table *table = t->k->table;
	struct trace_call *c;

	if (t->sysno == UINT64_MAX || (t->state != TASK_PARKED && t->state != TASK_READY))
		return;
	c = table->trace_call_new();
	if (!c)
		return;
	table->trace_enter(c, NULL, &io, t->sysno, t->sysargs);
	table->trace_park(c, &io);
	table->trace_call_free(c);
}

static void send_task(int fd, const struct snap *s)
{
	struct control_task out;

	_Static_assert(sizeof(out.regs) == sizeof(s->regs), "registers");
	memset(&out, 0, sizeof(out));
	out.tid = s->t->tid;
	out.tgid = s->t->tg->tgid;
	memcpy(out.comm, s->t->comm, sizeof(out.comm) - 1);
	out.state = s->state;
	out.has_regs = s->has_regs;
	memcpy(out.regs, &s->regs, sizeof(out.regs));
	describe_call(s->t, out.call, sizeof(out.call));
	(void)!chost_send(fd, &out, sizeof(out));
}

static void end_of_list(int fd, int error)
{
	struct control_rep rep = { .error = error };

	if (error)
		snprintf(rep.text, sizeof(rep.text), "%s", strerror(-error));
	(void)!chost_send(fd, &rep, sizeof(rep));
}

static void req_tasks(struct kernel *k, int fd, int pid)
{
	struct snap *snaps = calloc(TASKS_MAX, sizeof(*snaps));
	unsigned n;

	if (!snaps) {
		end_of_list(fd, -LX_ENOMEM);
		return;
	}
	kernel_lock(k);
	n = collect(k, pid, snaps);
	get_registers(k, snaps, n);
	for (unsigned i = 0; i < n; i++) {
		send_task(fd, &snaps[i]);
		task_put(snaps[i].t);
	}
	kernel_unlock(k);
	free(snaps);
	end_of_list(fd, n ? 0 : -LX_ESRCH);
}

/* ---- memory ---- */

/* A reference to the address space of a thread, or NULL. Kernel lock held. */
static struct mm *mm_of(struct kernel *k, int tid)
{
	struct task *t = task_lookup(k, tid);
	struct mm *mm = t ? t->mm : NULL;

	if (mm)
		mm_get(mm);
	if (t)
		task_put(t);
	return mm;
}

static void send_map(struct kernel *k, int fd, const struct vma_info *v)
{
	struct control_map out = {
		.start = v->start, .end = v->end, .off = v->pgoff * LX_PAGE_SIZE, .prot = v->prot,
		.is_file = v->file != NULL,
	};
	char *path = NULL;

	if (v->file) {
		out.ino = file_inode(v->file)->ino;
		path = vfs_path_string(k, &v->file->path, NULL);
	}
	snprintf(out.path, sizeof(out.path), "%s", path ? path : v->name ? v->name : "");
	free(path);
	(void)!chost_send(fd, &out, sizeof(out));
}

static void req_maps(struct kernel *k, int fd, int tid)
{
	struct vma_info v;
	uint64_t at = 0;
	struct mm *mm;

	kernel_lock(k);
	mm = mm_of(k, tid);
	for (unsigned i = 0; mm && i < MAPS_MAX && mm_next_vma(mm, at, &v); i++, at = v.end)
		send_map(k, fd, &v);
	if (mm)
		mm_put(mm);
	kernel_unlock(k);
	end_of_list(fd, mm ? 0 : -LX_ESRCH);
}

static void send_data(int fd, struct control_data *d, long got)
{
	d->error = got < 0 ? (int)got : 0;
	d->len = got < 0 ? 0 : (uint32_t)got;
	(void)!chost_send(fd, d, offsetof(struct control_data, data) + d->len);
}

static void req_read(struct kernel *k, int fd, const struct control_req *rq)
{
	struct control_data *d = calloc(1, sizeof(*d)), none = { 0 };
	size_t len = rq->len < CONTROL_DATA_MAX ? (size_t)rq->len : CONTROL_DATA_MAX;
	long got = -LX_ESRCH;
	struct mm *mm;

	if (!d) {
		send_data(fd, &none, -LX_ENOMEM);
		return;
	}
	kernel_lock(k);
	mm = mm_of(k, rq->pid);
	if (mm) {
		got = mm_copy_in_partial(mm, d->data, rq->addr, len);
		mm_put(mm);
	}
	kernel_unlock(k);
	send_data(fd, d, got);
	free(d);
}

/* The file behind a mapping: what it has of the program and memory has not, its symbols. */
static long read_file(struct kernel *k, const struct control_req *rq, void *buf, size_t len)
{
	struct mm *mm = mm_of(k, rq->pid);
	struct file *f = NULL;
	struct vma_info v;
	long got = -LX_ENOENT;

	if (!mm)
		return -LX_ESRCH;
	if (mm_next_vma(mm, rq->addr, &v) && v.start <= rq->addr)
		f = v.file;
	if (f) {
		file_get(f);
		got = rq->off > INT64_MAX ? -LX_EINVAL
					  : (long)file_pread_kernel(f, buf, len, (int64_t)rq->off);
		file_put(f);
	}
	mm_put(mm);
	return got;
}

static void req_file(struct kernel *k, int fd, const struct control_req *rq)
{
	struct control_data *d = calloc(1, sizeof(*d)), none = { 0 };
	size_t len = rq->len < CONTROL_DATA_MAX ? (size_t)rq->len : CONTROL_DATA_MAX;
	long got;

	if (!d) {
		send_data(fd, &none, -LX_ENOMEM);
		return;
	}
	kernel_lock(k);
	got = read_file(k, rq, d->data, len);
	kernel_unlock(k);
	send_data(fd, d, got);
	free(d);
}

/* ---- the rest ---- */

static void req_signal(struct kernel *k, int fd, const struct control_req *rq)
{
	struct tgroup *tg;
	int r = -LX_EINVAL;

	kernel_lock(k);
	tg = tgroup_lookup(k, rq->pid);
	if (!tg)
		r = -LX_ESRCH;
	else if (rq->signo >= 1 && rq->signo <= LX_NSIG)
		r = signal_send_group(tg, rq->signo, NULL);
	if (tg)
		tgroup_put(tg);
	kernel_unlock(k);
	end_of_list(fd, r);
}

static void req_strace(struct kernel *k, int fd, const struct control_req *rq, int *fds,
		       unsigned nfds)
{
	char filter[sizeof(rq->text)];
	int r;

	memcpy(filter, rq->text, sizeof(filter));
	filter[sizeof(filter) - 1] = '\0';
	kernel_lock(k);
	r = strace_switch(k, nfds ? filter : NULL, nfds ? fds[0] : -1);
	if (r == 0 && nfds)
		fds[0] = -1;
	kernel_unlock(k);
	end_of_list(fd, r);
}

int debug_request(struct container *c, int fd, const struct control_req *rq, int *fds,
		  unsigned nfds)
{
	switch (rq->op) {
	case CONTROL_TASKS:
		req_tasks(c->k, fd, rq->pid);
		return 0;
	case CONTROL_MAPS:
		req_maps(c->k, fd, rq->pid);
		return 0;
	case CONTROL_READ:
		req_read(c->k, fd, rq);
		return 0;
	case CONTROL_FILE:
		req_file(c->k, fd, rq);
		return 0;
	case CONTROL_SIGNAL:
		req_signal(c->k, fd, rq);
		return 0;
	case CONTROL_STRACE:
		req_strace(c->k, fd, rq, fds, nfds);
		return 0;
	default:
		return -LX_EINVAL;
	}
}
