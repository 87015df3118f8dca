/* Pending-signal queues with payloads, and the per-user count that RLIMIT_SIGPENDING
 * limits. Everything under the kernel lock. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "sentry/signal/signal_impl.h"
#include "syscalls/abi/lx_resource.h"

/* How many infos a user has queued. An entry lives while its count is not zero. */
struct siguser {
	uint32_t uid;
	unsigned count;
	UT_hash_handle hh;
};

struct siginfo_node {
	struct list link;
	struct siguser *user;	/* NULL: a timer's, which has paid already */
	struct ksiginfo info;
};

static struct siguser *users; /* [kernel lock] */

static struct siguser *siguser_find(uint32_t uid)
{
	struct siguser *u = NULL;

	HASH_FIND(hh, users, &uid, sizeof(uid), u);
	return u;
}

static struct siguser *siguser_charge(uint32_t uid)
{
	struct siguser *u = siguser_find(uid);

	if (u == NULL) {
		u = calloc(1, sizeof(*u));
		if (u == NULL)
			return NULL;
		u->uid = uid;
		HASH_ADD(hh, users, uid, sizeof(u->uid), u);
	}
	u->count++;
	return u;
}

static void siguser_uncharge(struct siguser *u)
{
	if (--u->count == 0) {
		HASH_DEL(users, u);
		free(u);
	}
}

struct siguser *siguser_reserve(struct task *t)
{
	if (siguser_count(t->cred->uid) >= t->tg->rlim[LX_RLIMIT_SIGPENDING].cur)
		return NULL;
	return siguser_charge(t->cred->uid);
}

void siguser_release(struct siguser *u)
{
	siguser_uncharge(u);
}

unsigned siguser_count(uint32_t uid)
{
	const struct siguser *u = siguser_find(uid);

	return u != NULL ? u->count : 0;
}

void sigqueue_init(struct sigqueue *q)
{
	q->set = 0;
	q->count = 0;
	list_init(&q->infos);
}

static void node_free(struct sigqueue *q, struct siginfo_node *n)
{
	list_del_init(&n->link);
	if (n->user != NULL)
		siguser_uncharge(n->user);
	q->count--;
	free(n);
}

void signal_discard(struct sigqueue *q, sigset64 set)
{
	struct siginfo_node *n, *tmp;

	if ((q->set & set) == 0)
		return;
	q->set &= ~set;
	list_for_each_safe(n, tmp, &q->infos, link)
		if (set & SIGBIT(n->info.signo))
			node_free(q, n);
}

void sigqueue_flush(struct sigqueue *q)
{
	signal_discard(q, ~0ULL);
}

int sigqueue_add(struct sigqueue *q, struct task *payer, const struct ksiginfo *info,
		 bool rt_strict)
{
	uint64_t limit = payer->tg->rlim[LX_RLIMIT_SIGPENDING].cur;
	struct siginfo_node *n = NULL;
	bool timer = info->timer_seq != 0;
	bool exempt = timer || (info->signo < LX_SIGRTMIN && info->code >= 0);

	if (exempt || siguser_count(payer->cred->uid) < limit)
		n = malloc(sizeof(*n));
	if (n != NULL) {
		n->user = timer ? NULL : siguser_charge(payer->cred->uid);
		if (n->user == NULL && !timer) {
			free(n);
			n = NULL;
		}
	}
	if (n != NULL) {
		n->info = *info;
		list_push_back(&q->infos, &n->link);
		q->count++;
	} else if (rt_strict && info->signo >= LX_SIGRTMIN && info->code != LX_SI_USER) {
		return -LX_EAGAIN;
	}
	q->set |= SIGBIT(info->signo);
	return 0;
}

const struct ksiginfo *sigqueue_peek(const struct sigqueue *q, int signo)
{
	const struct siginfo_node *n;

	if ((q->set & SIGBIT(signo)) == 0)
		return NULL;
	list_for_each(n, &q->infos, link)
		if (n->info.signo == signo)
			return &n->info;
	return NULL;
}

void sigqueue_take(struct sigqueue *q, int signo, struct ksiginfo *out)
{
	struct siginfo_node *n, *first = NULL;
	bool more = false;

	list_for_each(n, &q->infos, link) {
		if (n->info.signo != signo)
			continue;
		if (first != NULL) {
			more = true;
			break;
		}
		first = n;
	}
	if (!more)
		q->set &= ~SIGBIT(signo);
	if (first == NULL) {
		/* Linux says SI_USER with pid and uid 0 when the info was lost. */
		memset(out, 0, sizeof(*out));
		out->signo = signo;
		return;
	}
	*out = first->info;
	node_free(q, first);
}

int sigset_first(sigset64 set)
{
	if (set & SIGSET_SYNC)
		set &= SIGSET_SYNC;
	return __builtin_ctzll(set) + 1;
}
