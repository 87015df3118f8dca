/* The kernel object: boot, shutdown, the kernel lock and the ready list. */
#include "sentry/kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "platform/platform.h"
#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/proc/proc.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/hostpoll_impl.h"
#include "sentry/ipc/ipc.h"
#include "sentry/keys/keys.h"
#include "sentry/klog.h"
#include "sentry/mm/mm.h"
#include "sentry/net/socket.h"
#include "sentry/task/pid.h"
#include "sentry/task/sched.h"
#include "sentry/task/task.h"
#include "sentry/time/timer.h"
#include "sentry/vfs/vfs.h"

#define DEFAULT_MAX_TASKS 32768

/* Tasks that this thread will resume once it has dropped the lock. A handler that is
 * run from kernel_unlock() and drops the lock itself must not keep them waiting. */
static _Thread_local struct list *going;

static void copy_name(char dst[65], const char *src)
{
	snprintf(dst, 65, "%s", src ? src : "");
}

static void first_lines(struct kernel *k)
{
	struct host_mem mem;

	host_mem(&mem);
	klog_printf(k, "%s version %s (%s)", KERNEL_SYSNAME, KERNEL_RELEASE, KERNEL_VERSION);
	klog_printf(k, "runsc: user-space kernel, %u tasks at most", k->max_tasks);
	klog_printf(k, "Memory: %lluK/%lluK available", (unsigned long long)(mem.free >> 10),
		    (unsigned long long)(mem.total >> 10));
	klog_printf(k, "smp: %u CPUs", host_cpus()->count);
	klog_printf(k, "pid_max: default: %d minimum: 301", PID_MAX);
}

int kernel_new(const struct kernel_params *p, struct plat *plat, struct kernel **out)
{
	struct kernel *k = calloc(1, sizeof(*k));
	int err;

	if (!k)
		return -LX_ENOMEM;
	mutex_init(&k->mu, LOCK_KERNEL);
	pthread_cond_init(&k->idle, NULL);
	list_init(&k->ready);
	k->plat = plat;
	k->table = p->table;
	k->host_network = p->host_network;
	k->mem_limit = p->mem_limit;
	k->max_tasks = p->max_tasks ? p->max_tasks : DEFAULT_MAX_TASKS;
	copy_name(k->hostname, p->hostname);
	copy_name(k->domainname, p->domainname ? p->domainname : "(none)");
	k->boot_mono_ns = ktime_mono();
	k->boot_real_ns = ktime_real();

	err = pidtab_init(k);
	if (!err)
		err = klog_init(k);
	if (!err)
		err = timers_init(k);
	if (!err)
		err = hostpoll_init(k);
	if (!err)
		err = strace_init(k, p);
	if (err) {
		kernel_free(k);
		return err;
	}
	first_lines(k);
	*out = k;
	return 0;
}

int kernel_start(struct kernel *k)
{
	int err = hostpoll_start(k);

	if (!err)
		err = plat_start(k->plat);
	if (err)
		return err;
	kernel_lock(k);
	k->started = true;
	kernel_unlock(k);
	return 0;
}

void kernel_stop(struct kernel *k)
{
	kernel_lock(k);
	k->dying = true;
	kernel_end_tasks(k);
	/* A handler with a host operation under way ends its task when it comes back. */
	while (k->ntasks > 0)
		pthread_cond_wait(&k->idle, &k->mu.m);
	kernel_end_tasks(k); /* reaps those */
	kernel_unlock(k);
	hostpoll_stop(k);
}

int kernel_free(struct kernel *k)
{
	if (k->pids)
		kernel_stop(k);
	kernel_lock(k);
	if (k->mnt)
		mount_ns_free(k);
	if (k->ipc)
		ipc_fini(k);
	if (k->shmem_root)
		shmem_fini(k);
	keys_fini(k);
	if (k->net)
		net_fini(k);
	if (k->ttys)
		ttys_free(k);
	if (k->procfs)
		procfs_free(k);
	kernel_unlock(k);
	strace_fini(k);
	if (k->timers)
		timers_fini(k);
	hostpoll_fini(k);
	klog_fini(k);
	pidtab_fini(k);
	pthread_cond_destroy(&k->idle);
	free(k);
	return refs_report(NULL);
}

/* ---- the lock and the ready list ---- */

void kernel_lock(struct kernel *k)
{
	mutex_lock(&k->mu);
}

static void resume_all(struct list *go)
{
	while (!list_empty(go)) {
		struct task *t = list_first(go, struct task, ready_link);

		/* Once resumed it may be back on the ready list before we look again. */
		list_del_init(&t->ready_link);
		task_resume(t);
		task_put(t);
	}
}

/* Run what is ready; those to be resumed go to `go`, with the list's reference. */
static void run_ready(struct kernel *k, struct list *go)
{
	while (!list_empty(&k->ready)) {
		struct task *t = list_first(&k->ready, struct task, ready_link);

		list_del_init(&t->ready_link);
		if (task_rerun(t)) {
			task_pin(t);
			list_push_back(go, &t->ready_link);
		} else {
			task_put(t);
		}
	}
}

void kernel_unlock_resume(struct kernel *k, struct task *self)
{
	struct list go = LIST_INIT(go);

	if (self)
		task_pin(self);
	if (__builtin_expect(list_empty(&k->ready), 1)) {
		mutex_unlock(&k->mu);
		if (self)
			task_resume(self);
		return;
	}
	if (self) {
		task_get(self);
		list_push_back(&go, &self->ready_link);
	}
	BUG_ON(going);
	going = &go;
	run_ready(k, &go);
	going = NULL;
	mutex_unlock(&k->mu);
	resume_all(&go);
}

void kernel_unlock(struct kernel *k)
{
	kernel_unlock_resume(k, NULL);
}

void kernel_release_host(struct kernel *k)
{
	struct list go = LIST_INIT(go);

	/* The others must not wait for this operation: the event thread runs them. */
	if (!list_empty(&k->ready))
		hostpoll_kick(k);
	if (going)
		list_splice_back(&go, going);
	mutex_unlock(&k->mu);
	resume_all(&go);
}

void kernel_reacquire_host(struct kernel *k)
{
	mutex_lock(&k->mu);
}
