/* --crash-reports: before a process ends by a fault, its thread waits here while the
 * reporter, a process of its own that is confined and knows only a socket, asks for
 * registers and memory as `runsc debug` does. The thread's worker answers; everybody else
 * goes on. One crash is reported at a time, others end unreported meanwhile. */
#include <string.h>

#include "platform/base/log.h"
#include "sentry/control/container_impl.h"
#include "sentry/task/task.h"

#define PATIENCE_MS 10000 /* for each of the reporter's questions */
#define PATIENCE_NS 60000000000ull /* for all of them */

static bool busy; /* kernel lock */

static void answer(struct container *c)
{
	uint64_t deadline = ktime_mono() + PATIENCE_NS;
	struct control_req rq;

	for (;;) {
		if (ktime_mono() > deadline || !chost_readable(c->p.crash_fd, PATIENCE_MS)) {
			log_warn("the crash reporter does not answer");
			return;
		}
		if (chost_recv(c->p.crash_fd, &rq, sizeof(rq), NULL, NULL) != (long)sizeof(rq)) {
			log_warn("the crash reporter is gone");
			chost_close(c->p.crash_fd);
			c->p.crash_fd = -1;
			return;
		}
		if (rq.magic != CONTROL_MAGIC || rq.op == CONTROL_DONE)
			return;
		/* It gets to see, not to change. */
		if (rq.op == CONTROL_SIGNAL || rq.op == CONTROL_STRACE ||
		    debug_request(c, c->p.crash_fd, &rq, NULL, 0) < 0)
			return;
	}
}

static void crash(struct task *t, const struct ksiginfo *info)
{
	struct container *c = t->k->crash_ctx;
	struct control_crash ev = {
		.magic = CONTROL_MAGIC, .tid = t->tid, .tgid = t->tg->tgid, .signo = info->signo,
		.code = info->code, .addr = info->addr, .has_fault = info->code > 0,
		.err = t->fault_err, .trapno = t->fault_trapno,
	};

	if (busy || c->p.crash_fd < 0) {
		log_info("process %d: signal %d, not reported", t->tg->tgid, info->signo);
		return;
	}
	busy = true;
	kernel_release_host(t->k);
	if (chost_send(c->p.crash_fd, &ev, sizeof(ev)) == (long)sizeof(ev))
		answer(c);
	kernel_reacquire_host(t->k);
	task_current = t; /* answering may have run others from the ready list */
	busy = false;
}

void crash_init(struct container *c)
{
	if (c->p.crash_fd < 0)
		return;
	c->k->crash_ctx = c;
	c->k->crash = crash;
}
