/* The life of a container inside the sentry: the loop of its main thread. */
#include "sentry/control/container.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/log.h"
#include "sentry/control/container_impl.h"
#include "sentry/vfs/vfs.h"

#define STATUS_KILLED 9

struct container *container_new(const struct container_params *p)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->k = p->k;
	c->p = *p;
	c->hook_input = -1;
	list_init(&c->procs);
	list_init(&c->conns);
	crash_init(c);
	c->event_fd = chost_eventfd();
	if (c->event_fd < 0) {
		free(c);
		return NULL;
	}
	return c;
}

int container_spawn_init(struct container *c, const struct container_process *p, int stdio[3],
			 const int *extra, unsigned nextra, struct control_rep *rep)
{
	c->init = cproc_new(c, c->p.proxy_fd, c->p.proxy_pid);
	if (!c->init) {
		memset(rep, 0, sizeof(*rep));
		rep->error = -LX_ENOMEM;
		snprintf(rep->text, sizeof(rep->text), "out of memory");
		return -LX_ENOMEM;
	}
	return cproc_spawn(c, c->init, p, stdio, extra, nextra, rep);
}

void container_start(struct container *c)
{
	kernel_lock(c->k);
	c->started = true;
	if (c->init->tg && !c->init->exited)
		process_start(c->init->tg);
	kernel_unlock(c->k);
}

/* Messages of a proxy, or its end. */
static void serve_proxy(struct container *c, struct cproc *p)
{
	struct proxy_msg m;
	long n;

	while ((n = chost_recv(p->proxy, &m, sizeof(m), NULL, NULL)) > 0) {
		if (n != (long)sizeof(m))
			continue;
		if (m.kind == PROXY_SIGNAL || m.kind == PROXY_TTY_SIGNAL)
			cproc_signal(p, m.value, m.kind == PROXY_TTY_SIGNAL);
	}
	if (n == -LX_EAGAIN)
		return;
	/* The proxy was killed: what it stands for goes with it. */
	log_info("proxy %d is gone", p->host_pid);
	chost_close(p->proxy);
	p->proxy = -1;
	if (p == c->init) {
		kernel_lock(c->k);
		c->stopping = true;
		c->stop_status = STATUS_KILLED;
		kernel_unlock(c->k);
		return;
	}
	cproc_signal(p, STATUS_KILLED, false);
}

static void tell_proxy(struct cproc *p, int status)
{
	struct proxy_msg m = { PROXY_EXIT, status };

	if (p->proxy >= 0)
		(void)!chost_send(p->proxy, &m, sizeof(m));
}

/* A hook has ended: the next one, or the start, or the end of it all. */
static void hook_done(struct container *c, struct cproc *p, int status)
{
	char text[128];

	cproc_free(p);
	if (status == 0) {
		start_continue(c, NULL);
		return;
	}
	snprintf(text, sizeof(text), "startContainer hook %u ended with %s %d", c->next_hook - 1,
		 status & 0x7f ? "signal" : "status",
		 status & 0x7f ? status & 0x7f : (status >> 8) & 0xff);
	start_continue(c, text);
}

/* Deal with processes that have ended. true when the container's end has come. */
static bool reap(struct container *c)
{
	struct cproc *p, *tmp;
	bool over;

	list_for_each_safe(p, tmp, &c->procs, link) {
		bool gone;
		int status;

		kernel_lock(c->k);
		gone = p->exited;
		status = p->status;
		kernel_unlock(c->k);
		if (!gone || p == c->init)
			continue;
		if (p->hook) {
			hook_done(c, p, status);
			return reap(c); /* the list has changed more than by p */
		}
		tell_proxy(p, status);
		cproc_free(p);
	}
	kernel_lock(c->k);
	over = c->stopping || c->init->exited;
	kernel_unlock(c->k);
	return over;
}

static unsigned fill_pollfds(struct container *c, struct pollfd *pf, void **who)
{
	struct cproc *p;
	struct conn *cn;
	unsigned n = 0;

	pf[n] = (struct pollfd){ .fd = c->event_fd, .events = POLLIN };
	who[n++] = NULL;
	if (c->p.control_fd >= 0 && c->nconns < MAX_CONNS) {
		pf[n] = (struct pollfd){ .fd = c->p.control_fd, .events = POLLIN };
		who[n++] = NULL;
	}
	list_for_each(cn, &c->conns, link) {
		pf[n] = (struct pollfd){ .fd = cn->fd, .events = POLLIN };
		who[n++] = cn;
	}
	list_for_each(p, &c->procs, link) {
		if (p->proxy < 0)
			continue;
		pf[n] = (struct pollfd){ .fd = p->proxy, .events = POLLIN };
		who[n++] = p;
	}
	return n;
}

static void accept_conn(struct container *c)
{
	struct conn *cn;
	int fd = chost_accept(c->p.control_fd);

	if (fd < 0)
		return;
	cn = calloc(1, sizeof(*cn));
	if (!cn || !chost_peer_ok(fd)) {
		log_warn("control connection refused");
		chost_close(fd);
		free(cn);
		return;
	}
	cn->fd = fd;
	list_push_back(&c->conns, &cn->link);
	c->nconns++;
}

/* Which of the two lists does an entry belong to? Entries may have gone since. */
static struct conn *find_conn(struct container *c, const void *who)
{
	struct conn *cn;

	list_for_each(cn, &c->conns, link)
		if (cn == who)
			return cn;
	return NULL;
}

static struct cproc *find_proc(struct container *c, const void *who)
{
	struct cproc *p;

	list_for_each(p, &c->procs, link)
		if (p == who)
			return p;
	return NULL;
}

static void dispatch(struct container *c, const struct pollfd *pf, void **who, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct conn *cn;
		struct cproc *p;

		if (!pf[i].revents)
			continue;
		if (pf[i].fd == c->event_fd) {
			chost_event_clear(c->event_fd);
		} else if (!who[i]) {
			accept_conn(c);
		} else if ((cn = find_conn(c, who[i])) && cn->fd == pf[i].fd) {
			conn_serve(c, cn);
		} else if ((p = find_proc(c, who[i])) && p->proxy == pf[i].fd) {
			serve_proxy(c, p);
		}
	}
}

int container_serve(struct container *c)
{
	struct cproc *p, *tmp;
	struct conn *cn, *ctmp;
	struct pollfd *pf = NULL, *more;
	void **who = NULL, **wmore;
	unsigned room = 0;
	int status;

	while (!reap(c)) {
		unsigned want = 2 + c->nconns + c->nprocs;

		if (want > room) {
			more = realloc(pf, want * 2 * sizeof(*pf));
			wmore = realloc(who, want * 2 * sizeof(*who));
			if (more)
				pf = more;
			if (wmore)
				who = wmore;
			if (!more || !wmore) {
				log_error("out of memory in the control loop");
				break;
			}
			room = want * 2;
		}
		want = fill_pollfds(c, pf, who);
		if (chost_poll(pf, want) < 0) {
			log_error("the control loop cannot wait");
			break;
		}
		dispatch(c, pf, who, want);
	}
	free(pf);
	free(who);
	kernel_lock(c->k);
	status = c->init->exited ? c->init->status
		 : c->stopping	 ? c->stop_status
				 : STATUS_KILLED;
	kernel_unlock(c->k);
	log_info("the container ends with %s %d%s", status & 0x7f ? "signal" : "status",
		 status & 0x7f ? status & 0x7f : (status >> 8) & 0xff,
		 c->init->exited ? "" : ", its first process with it");
	/* Everything else in the container ends with its first process, and whoever
	 * waits for it hears of that before the end of the first one. */
	list_for_each_safe(p, tmp, &c->procs, link) {
		int st;

		if (p == c->init)
			continue;
		kernel_lock(c->k);
		st = p->exited ? p->status : STATUS_KILLED;
		kernel_unlock(c->k);
		tell_proxy(p, st);
	}
	list_for_each_safe(cn, ctmp, &c->conns, link) {
		conn_reply(cn, cn->waiting ? -LX_ESRCH : 0, "container not running");
		conn_close(c, cn);
	}
	return status;
}

void container_release(struct container *c)
{
	struct cproc *p;

	kernel_lock(c->k);
	list_for_each(p, &c->procs, link) {
		if (p->tg)
			tgroup_put(p->tg);
		if (p->tty_file)
			file_put(p->tty_file);
		p->tg = NULL;
		p->tty = NULL;
		p->tty_file = NULL;
	}
	kernel_unlock(c->k);
}

const char *container_ended_by(struct container *c)
{
	const char *why;

	kernel_lock(c->k);
	why = c->init->ended_by;
	kernel_unlock(c->k);
	return why;
}

void container_finish(struct container *c, int status)
{
	tell_proxy(c->init, status);
}
