/* Shared between the files of sentry/seccomp. Kernel lock held. */
#ifndef SENTRY_SECCOMP_SECCOMP_IMPL_H
#define SENTRY_SECCOMP_SECCOMP_IMPL_H

#include "platform/base/auto.h"
#include "platform/base/list.h"
#include "platform/base/refs.h"
#include "sentry/kernel.h"
#include "sentry/seccomp/seccomp.h"
#include "sentry/wait.h"

/* Numbers above are judged by running the filters. */
#define SECCOMP_CACHED_CALLS 512

struct seccomp_listener {	/* as long as its file is open */
	struct list notifs;	/* struct seccomp_notif, oldest first */
	uint64_t next_id;
};

struct seccomp_filter {
	struct refs refs;	/* tasks, later filters, a listener's file */
	struct kernel *k;
	struct seccomp_filter *prev; /* one reference */
	unsigned users;		/* tasks and later filters: without any, nobody can call */
	unsigned cost;		/* bpf_cost() */
	bool wait_killable;
	struct seccomp_listener *listener; /* NULL: none, or closed */
	struct waitq wq;	/* of the listener: something to receive, or hung up */
	uint8_t allowed[SECCOMP_CACHED_CALLS / 8]; /* calls that this and all before allow */
	unsigned n;
	struct lx_sock_filter prog[];
};

enum notif_state { NOTIF_INIT, NOTIF_SENT, NOTIF_REPLIED };

struct seccomp_notif {		/* a call that waits for a listener's answer */
	struct list link;	/* in listener->notifs, unless that is gone */
	struct task *t;		/* borrowed: it owns this */
	struct seccomp_filter *f; /* one reference */
	enum notif_state state;
	uint64_t id;
	struct lx_seccomp_data data;
	int64_t val;
	int32_t error;
	uint32_t flags;
};

void seccomp_filter_get(struct seccomp_filter *f);
void seccomp_filter_put(struct seccomp_filter *f);
DEFINE_AUTO_PUT(seccomp_filter)

/* SIGSYS instead of the call in t->sysno. The dispatcher's result. */
long seccomp_sigsys(struct task *t, int code, uint32_t data);

/* ---- user_dispatch.c ---- */

/* As call_refused(), for a task with t->sud.on. */
bool user_dispatch_refuses(struct task *t, long *result);

/* ---- notify.c ---- */

/* A file for f's listener. 0 or -LX_ENOMEM; *out has one reference. */
int seccomp_listener_new(struct seccomp_filter *f, struct file **out);
/* Ask f's listener about the call: the dispatcher's result. */
long seccomp_ask(struct task *t, struct seccomp_filter *f, const struct lx_seccomp_data *d);
/* Drop what t waits for. */
void seccomp_notif_drop(struct task *t);
/* The call ends with this value: not an error of the sentry's that would be looked at. */
long seccomp_raw_result(struct task *t, int64_t value);

#endif
