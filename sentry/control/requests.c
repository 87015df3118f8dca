/* The requests of the control channel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/log.h"
#include "sentry/control/container_impl.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/vfs.h"

#define PROCESS_MSG_MAX (8u << 20)

static void send_rep(struct conn *cn, const struct control_rep *rep)
{
	(void)!chost_send(cn->fd, rep, sizeof(*rep));
}

void conn_reply(struct conn *cn, int error, const char *text)
{
	struct control_rep rep = { .error = error };

	if (error)
		snprintf(rep.text, sizeof(rep.text), "%s", text ? text : strerror(-error));
	send_rep(cn, &rep);
}

void conn_close(struct container *c, struct conn *cn)
{
	list_del_init(&cn->link);
	c->nconns--;
	chost_close(cn->fd);
	free(cn);
}

/* ---- start ---- */

static void reply_starters(struct container *c, int error, const char *text)
{
	struct conn *cn;

	list_for_each(cn, &c->conns, link) {
		if (!cn->waiting)
			continue;
		conn_reply(cn, error, text);
		cn->waiting = false;
	}
}

static void start_failed(struct container *c, const char *text)
{
	reply_starters(c, -LX_EPERM, text);
	kernel_lock(c->k);
	c->stopping = true;
	c->stop_status = STATUS_FAILED_START;
	kernel_unlock(c->k);
}

void start_continue(struct container *c, const char *hook_error)
{
	const struct container_process *h;
	struct control_rep rep;
	struct cproc *p;
	int stdio[3];

	if (hook_error) {
		start_failed(c, hook_error);
		return;
	}
	if (c->next_hook == c->p.nhooks) {
		chost_close(c->hook_input);
		c->hook_input = -1;
		c->starting = false;
		container_start(c);
		reply_starters(c, 0, NULL);
		return;
	}
	h = &c->p.hooks[c->next_hook++];
	p = cproc_new(c, -1, 0);
	if (!p) {
		start_failed(c, "out of memory");
		return;
	}
	p->hook = true;
	/* Our own 0 is /dev/null. */
	stdio[0] = chost_dup(c->hook_input >= 0 ? c->hook_input : 0);
	stdio[1] = chost_dup(0);
	stdio[2] = chost_dup(0);
	if (cproc_spawn(c, p, h, stdio, NULL, 0, &rep) < 0) {
		char text[640];

		snprintf(text, sizeof(text), "startContainer hook %u: %s", c->next_hook - 1,
			 rep.text);
		cproc_free(p);
		start_failed(c, text);
		return;
	}
	kernel_lock(c->k);
	if (p->tg && !p->exited)
		process_start(p->tg);
	kernel_unlock(c->k);
}

static bool req_start(struct container *c, struct conn *cn, int *fds, unsigned nfds)
{
	if (c->started || c->starting) {
		conn_reply(cn, -LX_EBUSY, "cannot start an already running container");
		return false;
	}
	c->starting = true;
	cn->waiting = true;
	if (nfds) {
		c->hook_input = fds[0];
		fds[0] = -1;
	}
	start_continue(c, NULL);
	return true;
}

/* ---- kill ---- */

static void req_kill(struct container *c, struct conn *cn, const struct control_req *rq)
{
	int r;

	if (rq->flags & CONTROL_KILL_ALL)
		r = container_kill_all(c, rq->signo);
	else
		r = cproc_signal(c->init, rq->signo, false);
	conn_reply(cn, r, r == -LX_ESRCH ? "container not running" : NULL);
}

/* ---- ps ---- */

static int host_pid_of(struct container *c, const struct tgroup *tg)
{
	struct cproc *p;

	list_for_each(p, &c->procs, link)
		if (p->tg == tg)
			return p->host_pid;
	return 0;
}

/* The command line as ps shows it; guest memory, so anything may be in it. */
static void fill_cmd(struct task *t, char *buf, size_t size)
{
	struct mm *mm = t->mm;
	size_t n = 0;

	if (mm && mm->arg_end > mm->arg_start) {
		uint64_t len = mm->arg_end - mm->arg_start;
		long got = mm_copy_in_partial(mm, buf, mm->arg_start,
					      len < size - 1 ? (size_t)len : size - 1);

		n = got > 0 ? (size_t)got : 0;
	}
	while (n && buf[n - 1] == 0)
		n--;
	for (size_t i = 0; i < n; i++)
		if (buf[i] < ' ' || buf[i] > '~')
			buf[i] = ' ';
	buf[n] = 0;
	if (!n)
		snprintf(buf, size, "[%.15s]", t->comm);
}

static void fill_ps(struct container *c, struct tgroup *tg, struct control_ps *out)
{
	uint64_t user, sys;

	memset(out, 0, sizeof(*out));
	tgroup_cputime(tg, &user, &sys);
	out->tgid = tg->tgid;
	out->ppid = tg->parent ? tg->parent->tgid : 0;
	out->host_pid = host_pid_of(c, tg);
	out->nthreads = tg->nlive;
	out->cpu_ns = user + sys;
	out->start_ns = tg->start_mono_ns - c->k->boot_mono_ns;
	out->tty = tg->session && tg->session->tty ? tty_dev(tg->session->tty) : 0;
	out->state = tg->zombie ? 'Z' : tg->stopped ? 'T' : 'S';
	if (tg->leader && tg->leader->cred)
		out->uid = tg->leader->cred->euid;
	if (tg->leader)
		fill_cmd(tg->leader, out->cmd, sizeof(out->cmd));
}

static void req_ps(struct container *c, struct conn *cn)
{
	struct control_ps ps;
	struct tgroup *tg;
	int after = 0;

	for (;;) {
		kernel_lock(c->k);
		tg = tgroup_next(c->k, after);
		if (tg) {
			after = tg->tgid;
			fill_ps(c, tg, &ps);
			tgroup_put(tg);
		}
		kernel_unlock(c->k);
		if (!tg)
			break;
		if (chost_send(cn->fd, &ps, sizeof(ps)) < 0)
			return;
	}
	conn_reply(cn, 0, NULL);
}

/* ---- exec ---- */

static int load_process(int fd, struct container_process *out)
{
	long size = chost_file_size(fd), n;
	void *buf;
	int r;

	if (size <= 0 || size > (long)PROCESS_MSG_MAX)
		return -LX_EINVAL;
	buf = malloc((size_t)size);
	if (!buf)
		return -LX_ENOMEM;
	n = chost_read_file(fd, buf, (unsigned long)size);
	r = n == size ? container_process_decode(buf, (size_t)size, out) : -LX_EINVAL;
	free(buf);
	return r;
}

static void req_exec(struct container *c, struct conn *cn, const struct control_req *rq, int *fds,
		     unsigned nfds)
{
	struct control_rep rep = { 0 };
	struct container_process m = { 0 };
	struct cproc *p = NULL;
	int r;

	if (nfds < 5) {
		conn_reply(cn, -LX_EINVAL, NULL);
		return;
	}
	r = load_process(fds[0], &m);
	if (r == 0 && !(p = cproc_new(c, fds[1], rq->host_pid)))
		r = -LX_ENOMEM;
	if (r < 0) {
		container_process_fini(&m);
		conn_reply(cn, r, NULL);
		return;
	}
	fds[1] = -1;
	r = cproc_spawn(c, p, &m, fds + 2, fds + 5, nfds - 5, &rep);
	for (unsigned i = 2; i < nfds; i++)
		fds[i] = -1;
	container_process_fini(&m);
	if (r < 0) {
		cproc_free(p);
		send_rep(cn, &rep);
		return;
	}
	/* The reply first: the caller must know the process before it can end. */
	send_rep(cn, &rep);
	kernel_lock(c->k);
	if (p->tg && !p->exited)
		process_start(p->tg);
	kernel_unlock(c->k);
}

/* One request of a client; it closes the connection when it has its answer. */
void conn_serve(struct container *c, struct conn *cn)
{
	int fds[CONTROL_MAX_FDS];
	unsigned nfds = CONTROL_MAX_FDS;
	struct control_req rq;
	long n = chost_recv(cn->fd, &rq, sizeof(rq), fds, &nfds);
	bool keep = false;

	if (n == -LX_EAGAIN)
		return;
	if (n != (long)sizeof(rq) || rq.magic != CONTROL_MAGIC) {
		if (n <= 0)
			nfds = 0;
		goto out;
	}
	if (rq.op < CONTROL_TASKS)
		log_info("control request %u signo %d flags %u", rq.op, rq.signo, rq.flags);
	switch (rq.op) {
	case CONTROL_START:
		keep = req_start(c, cn, fds, nfds);
		break;
	case CONTROL_KILL:
		req_kill(c, cn, &rq);
		break;
	case CONTROL_PS:
		req_ps(c, cn);
		break;
	case CONTROL_EXEC:
		if (c->started)
			req_exec(c, cn, &rq, fds, nfds);
		else
			conn_reply(cn, -LX_EINVAL,
				   "cannot exec in a container that is not running: start it first");
		break;
	case CONTROL_STOP:
		kernel_lock(c->k);
		c->stopping = true;
		c->stop_status = 9;
		kernel_unlock(c->k);
		conn_reply(cn, 0, NULL);
		break;
	default:
		keep = debug_request(c, cn->fd, &rq, fds, nfds) == 0;
		if (!keep)
			conn_reply(cn, -LX_EINVAL, "unknown request");
	}
out:
	for (unsigned i = 0; i < nfds; i++)
		chost_close(fds[i]);
	if (!keep)
		conn_close(c, cn);
}
