/* The sentry's way from a forked command line to serving a guest. The order matters:
 * what needs the host's files comes first, what parses anything of the guest's last. */
#include "oci-shim/boot/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "oci-shim/boot/boot_impl.h"
#include "oci-shim/sandbox/convert.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/forbidden.h"
#include "platform/base/log.h"
#include "platform/platform.h"
#include "sentry/control/container.h"
#include "sentry/fs/proc/hostinfo.h"
#include "sentry/kernel.h"
#include "sentry/mm/pressure.h"
#include "sentry/task/task.h"
#include "syscalls/table.h"

struct boot_state {
	const struct launch *l;
	int report;
	int gofer; /* debug builds: keeps the gofer waiting until the very end; -1 */
	struct plat *plat;
	struct kernel *k;
	struct container *c;
	struct container_process init;
	struct container_process *hooks;
	unsigned nhooks;
};

__attribute__((noreturn)) static void fail(struct boot_state *b, const struct oerr *e)
{
	report_send(b->report, REPORT_ERROR, e->code, 0, e);
	_exit(1);
}

static void close_inherited(const struct launch *l, int proxy, int gofer, int report)
{
	int keep[CONTROL_MAX_FDS + 16 + 3 * CGROUP_WATCH_MAX];
	unsigned n = 0;

	keep[n++] = proxy;
	keep[n++] = gofer;
	keep[n++] = report;
	keep[n++] = l->control_fd;
	keep[n++] = l->o->debug_fd;
	keep[n++] = l->strace_fd;
	keep[n++] = l->crash_fd;
	for (int i = 0; i < 3; i++)
		keep[n++] = l->stdio[i];
	for (unsigned i = 0; i < l->nextra && i < CONTROL_MAX_FDS; i++)
		keep[n++] = l->extra[i];
	for (unsigned i = 0; i < l->nmem; i++) {
		keep[n++] = l->mem[i].limit;
		keep[n++] = l->mem[i].usage;
		keep[n++] = l->mem[i].stat;
	}
	fds_keep_only(keep, n);
	fds_stderr(l->o->debug_fd);
}

static void make_platform(struct boot_state *b)
{
	struct plat_config cfg = { .backend = b->l->o->platform, .ops = &task_plat_ops };
	struct oerr e = { 0 };
	char why[256] = "";
	int r;

	syscall_direct_set(cfg.direct, PLAT_DIRECT_BITS);
	syscall_fast_kinds(cfg.fast_kind, PLAT_DIRECT_BITS);
	cfg.fast = spec_two_cpus(&b->l->spec->res);
	r = plat_new(&cfg, &b->plat);

	if (r == 0)
		return;
	if (plat_probe(cfg.backend, why, sizeof(why)) < 0)
		oerr_set(&e, "--platform %s: %s", cfg.backend, why);
	else
		oerr_errno(&e, -r, "--platform %s", cfg.backend);
	fail(b, &e);
}

static void watch_memory(const struct launch *l)
{
	struct mem_watch w[CGROUP_WATCH_MAX];

	for (unsigned i = 0; i < l->nmem; i++)
		w[i] = (struct mem_watch){ l->mem[i].limit, l->mem[i].usage, l->mem[i].stat };
	mem_watch_init(w, l->nmem);
}

static void make_kernel(struct boot_state *b, int control_fd, int proxy, pid_t proxy_pid)
{
	const struct launch *l = b->l;
	const struct spec_resources *res = &l->spec->res;
	struct kernel_params kp = {
		.hostname = l->spec->hostname ? l->spec->hostname : "runsc",
		.domainname = l->spec->domainname ? l->spec->domainname : "(none)",
		.table = syscall_table(), .host_network = l->o->network == NET_HOST,
		.max_tasks = res->pids_limit > 0 && res->pids_limit < 1 << 22
				     ? (uint32_t)res->pids_limit
				     : 0,
		.mem_limit = res->memory_limit > 0 ? (uint64_t)res->memory_limit : 0,
		.strace_filter = l->o->strace, .strace_fd = l->strace_fd,
	};
	struct container_params cp = {
		.control_fd = control_fd, .crash_fd = l->crash_fd, .proxy_fd = proxy, .proxy_pid = proxy_pid,
		.native_signals = l->native_signals, .hooks = b->hooks, .nhooks = b->nhooks,
	};
	struct oerr e = { 0 };
	int r;

	watch_memory(l);
	krandom(kp.rng_seed, sizeof(kp.rng_seed));
	host_cpus();
	r = kernel_new(&kp, b->plat, &b->k);
	if (r < 0) {
		oerr_errno(&e, -r, "making the kernel");
		fail(b, &e);
	}
	cp.k = b->k;
	b->c = container_new(&cp);
	if (!b->c) {
		oerr_set(&e, "making the kernel: out of memory");
		fail(b, &e);
	}
}

static void convert_processes(struct boot_state *b)
{
	const struct spec_hooks *h = &b->l->spec->hooks[HOOK_START_CONTAINER];
	struct oerr e = { 0 };

	if (process_from_spec(&b->l->spec->process, &b->init, &e) < 0)
		fail(b, &e);
	b->hooks = calloc(h->n + 1, sizeof(*b->hooks));
	for (unsigned i = 0; b->hooks && i < h->n; i++)
		if (process_from_hook(&h->v[i], &b->l->spec->process, &b->hooks[i], &e) < 0)
			fail(b, &e);
	b->nhooks = b->hooks ? h->n : 0;
}

static void spawn_init(struct boot_state *b)
{
	struct control_rep rep;
	struct oerr e = { 0 };
	int stdio[3] = { b->l->stdio[0], b->l->stdio[1], b->l->stdio[2] };

	if (container_spawn_init(b->c, &b->init, stdio, b->l->extra, b->l->nextra, &rep) == 0)
		return;
	e.code = rep.code;
	oerr_set(&e, "%s", rep.text);
	fail(b, &e);
}

/* The end: nothing is freed in a release build; the kernel ends the stubs with us. */
__attribute__((noreturn)) static void finish(struct boot_state *b, int status)
{
	const char *why = container_ended_by(b->c);
	struct oerr e = { 0 };

	if (why) {
		oerr_set(&e, "the container's first process was ended with signal %d: %s",
			 status & 0x7f, why);
		report_send(b->report, REPORT_ERROR, 0, 0, &e);
	}
#ifndef NDEBUG
	kernel_stop(b->k);
	plat_stop(b->plat);
	container_release(b->c);
	boot_mounts_end();
	if (kernel_free(b->k))
		log_error("objects were leaked");
	plat_free(b->plat);
#endif
	container_finish(b->c, status);
	_exit(0);
}

void sentry_main(const struct launch *l, int proxy, int gofer, int report, pid_t proxy_pid)
{
	struct boot_state b = { .l = l, .report = report, .gofer = -1 };
	struct oerr e = { 0 };

	prctl(PR_SET_NAME, "runsc-sentry");
	title_set(l->o, "runsc-sentry");
	close_inherited(l, proxy, gofer, report);
	log_setup(l->o->debug_fd, l->o->debug ? LOG_DEBUG : LOG_INFO, "sentry");
	process_caller_nofile(&l->nofile);
	if (confine_begin(l, &e) < 0)
		fail(&b, &e);
	convert_processes(&b);
	make_platform(&b);
	make_kernel(&b, l->control_fd, proxy, proxy_pid);
	confine_last_words(report);
#ifndef NDEBUG
	b.gofer = fcntl(gofer, F_DUPFD_CLOEXEC, 0);
#endif
	if (confine_tree(&e) < 0 || confine_filter(&e) < 0)
		fail(&b, &e);
	log_info("confined");
	forbidden_call_test("sentry");
	if (boot_mounts(b.k, l, gofer, &e) < 0)
		fail(&b, &e);
	spawn_init(&b);
	if (kernel_start(b.k) < 0) {
		oerr_set(&e, "the sentry cannot start its threads: is the pids limit too small?");
		fail(&b, &e);
	}
	log_info("ready");
	report_send(report, REPORT_READY, 0, 0, NULL);
	if (l->auto_start)
		container_start(b.c);
	finish(&b, container_serve(b.c));
}
