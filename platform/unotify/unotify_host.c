/* The backend's frame: probing the host, building up, taking down, the table. */
#include <errno.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "platform/unotify/fpstate.h"
#include "platform/unotify/host_ops.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static void kernel_version(unsigned v[3])
{
	struct utsname un;

	v[0] = v[1] = v[2] = 0;
	if (uname(&un) == 0)
		sscanf(un.release, "%u.%u.%u", &v[0], &v[1], &v[2]);
}

static bool kernel_at_least(unsigned major, unsigned minor)
{
	unsigned v[3];

	kernel_version(v);
	return v[0] > major || (v[0] == major && v[1] >= minor);
}

/* Before Linux 6.18 (and 6.12.53), a received call that is answered just when a signal
 * comes could be made a second time. The hand-over call is not concerned: it blocks
 * signals. */
static bool calls_made_once(void)
{
	unsigned v[3];

	kernel_version(v);
	return kernel_at_least(6, 18) || (v[0] == 6 && v[1] == 12 && v[2] >= 53);
}

/* Which filter flags does this kernel know? A bad address as program gives EFAULT
 * when the flags are known and EINVAL when they are not; nothing is installed. */
int unotify_probe_flags(unsigned *out_flags, struct plat_caps *caps)
{
	unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long barriers;

	caps->wait_killable = false;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, NULL) < 0 &&
	    errno == EFAULT) {
		flags |= SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
		caps->wait_killable = true;
	}
	caps->sync_wakeup = kernel_at_least(6, 6);
	caps->recv_hangup = kernel_at_least(6, 11);
	barriers = syscall(SYS_membarrier, 0 /* MEMBARRIER_CMD_QUERY */, 0, 0);
	caps->membarrier = barriers > 0 ? (uint32_t)barriers : 0;
	caps->direct = caps->wait_killable && calls_made_once();
	*out_flags = flags;
	return caps->wait_killable ? 0 : -ENOSYS;
}

int unotify_probe(char *why, size_t why_size)
{
	struct plat_caps caps = { 0 };
	unsigned action = SECCOMP_RET_USER_NOTIF, flags;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0) {
		snprintf(why, why_size,
			 "this kernel has no seccomp user notification; Linux 5.19 or newer with "
			 "CONFIG_SECCOMP_FILTER is needed");
		return -ENOSYS;
	}
	if (unotify_probe_flags(&flags, &caps) < 0) {
		snprintf(why, why_size,
			 "this kernel lacks SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; Linux 5.19 or "
			 "newer is needed");
		return -ENOSYS;
	}
	return 0;
}

/* ---- what a signal's FPU image looks like on this machine ---- */

static uint8_t *volatile probe_out;
static volatile size_t probe_len, probe_max; /* written by the handler behind a leaf call */

static void probe_handler(int sig, siginfo_t *si, void *uc)
{
	(void)sig;
	(void)si;
	probe_len = fpstate_capture(((ucontext_t *)uc)->uc_mcontext.fpregs, probe_out, probe_max);
}

static int probe_fpstate(struct unotify *u)
{
	struct sigaction sa = { .sa_sigaction = probe_handler, .sa_flags = SA_SIGINFO }, old;

	probe_out = u->fp_init;
	probe_max = sizeof(u->fp_init);
	probe_len = 0;
	sigaction(SIGURG, &sa, &old);
	raise(SIGURG);
	sigaction(SIGURG, &old, NULL);
	if (!probe_len)
		return -ENOSYS;
	fpstate_make_initial(u->fp_init);
	u->fp_init_len = probe_len;
	u->caps.xstate_size = probe_len;
	return 0;
}

/* ---- up ---- */

static int unotify_create(const struct plat_config *cfg, struct plat **out)
{
	struct unotify *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return -ENOMEM;
	u->o.b = &unotify_backend;
	u->cfg = *cfg;
	mutex_init(&u->mu, LOCK_PLATFORM);
	pthread_mutex_init(&u->spawn_mu, NULL);
	pthread_cond_init(&u->work, NULL);
	pthread_cond_init(&u->quiet, NULL);
	list_init(&u->spaces);
	list_init(&u->dying);
	list_init(&u->newborn);
	list_init(&u->free_chunks);
	list_init(&u->listener_queue);
	u->zsock = -1;
	err = probe_fpstate(u);
	if (!err)
		err = zygote_start(u);
	if (err) {
		free(u);
		return err;
	}
	/* Two who poll for each other need a CPU each. */
	u->ncpus = sched_getaffinity(0, sizeof(u->cpus), &u->cpus) ? 1 :
		   (unsigned)CPU_COUNT(&u->cpus);
	if (u->cfg.fast && !strchr(cfg->backend, ':') && u->caps.direct && u->ncpus > 1)
		u->fast_entry = zygote_fast_entry(u);
	u->caps.fast = u->fast_entry != 0;
	*out = (struct plat *)(void *)u;
	return 0;
}

static int unotify_start(struct plat *p)
{
	struct unotify *u = (struct unotify *)(void *)p;
	pthread_attr_t a;
	int err;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 128 * 1024);
	err = pthread_create(&u->reaper, &a, reaper_main, u);
	pthread_attr_destroy(&a);
	return -err;
}

/* ---- down ---- */

static void kill_spare(struct unotify *u)
{
	pid_t pid;
	int fd;

	if (!u->spare.asked)
		return;
	u->spare.asked = false;
	if (zygote_collect(u, u->spare.pipe, u->spare.chunk, &pid, &fd) == 0) {
		close(fd);
		kill(pid, SIGKILL);
		while (waitid(P_PID, (id_t)pid, &(siginfo_t){ 0 }, WEXITED | __WALL) < 0 && errno == EINTR)
			;
	}
	chunk_free(u, u->spare.chunk);
}

static void unotify_stop(struct plat *p)
{
	struct unotify *u = (struct unotify *)(void *)p;
	struct plat_as *as;

	if (u->stopped)
		return;
	u->stopped = true;
	mutex_lock(&u->mu);
	u->stopping = true;
	list_for_each (as, &u->spaces, link)
		as_kill_locked(as);
	pthread_cond_broadcast(&u->work);
	mutex_unlock(&u->mu);
	pthread_mutex_lock(&u->mu.m);
	while (u->nworkers)
		pthread_cond_wait(&u->quiet, &u->mu.m);
	pthread_mutex_unlock(&u->mu.m);
	kill_spare(u);
	kill(u->zygote, SIGKILL);
	if (u->reaper)
		pthread_join(u->reaper, NULL);
	u->reaper = 0;
}

static void unotify_destroy(struct plat *p)
{
	struct unotify *u = (struct unotify *)(void *)p;

	unotify_stop(p);
	close(u->zsock);
	while (!list_empty(&u->free_chunks)) {
		struct chunk *c = list_first(&u->free_chunks, struct chunk, link);

		list_del_init(&c->link);
		chunk_free(u, c);
	}
	free(u);
}

/* ---- small entries ---- */

static const struct plat_caps *unotify_caps(const struct plat *p)
{
	return &((const struct unotify *)(const void *)p)->caps;
}

static uint64_t fast_calls(const struct plat *p)
{
	return atomic_load(&((const struct unotify *)(const void *)p)->nfast);
}

static struct plat_regs *thread_regs(struct plat_thread *th)
{
	return &th->regs;
}

static int host_tid(const struct plat_thread *th)
{
	return th->tid;
}

static int set_affinity(struct plat_thread *th, const void *cpuset, size_t size)
{
	if (!th->tid)
		return -ESRCH;
	return syscall(SYS_sched_setaffinity, th->tid, size, cpuset) < 0 ? -errno : 0;
}

const struct plat_backend unotify_backend = {
	.name = "unotify",
	.probe = unotify_probe,
	.create = unotify_create,
	.start = unotify_start,
	.stop = unotify_stop,
	.destroy = unotify_destroy,
	.caps = unotify_caps,
	.fast_calls = fast_calls,
	.as_new = unotify_as_new,
	.as_get = unotify_as_get,
	.as_put = unotify_as_put,
	.as_kill = unotify_as_kill,
	.read = unotify_read,
	.write = unotify_write,
	.cmpxchg32 = unotify_cmpxchg32,
	.as_cputime = unotify_cputime,
	.as_host_pid = unotify_as_host_pid,
	.thread_new = unotify_thread_new,
	.thread_regs = thread_regs,
	.peek_regs = direct_peek,
	.call_rip = fast_call_rip,
	.shown_regs = fast_shown_regs,
	.window_avail = fast_window_avail,
	.window_read = fast_window_read,
	.window_in = fast_window_in,
	.window_place = fast_window_place,
	.window_placed = fast_window_placed,
	.window_flush = fast_window_flush,
	.window_close = fast_window_close,
	.get_fpstate = frame_get_fpstate,
	.set_fpstate = frame_set_fpstate,
	.resume = unotify_resume,
	.thread_exit = unotify_thread_exit,
	.kick = unotify_kick,
	.release = unotify_release,
	.note = unotify_note,
	.noted_cpu = unotify_noted_cpu,
	.noted_usage = unotify_noted_usage,
	.host_tid = host_tid,
	.set_affinity = set_affinity,
};
