/* Starting and signalling the processes of a container that are started from
 * outside: the first one, `runsc exec`, and hooks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/base/log.h"
#include "sentry/control/container_impl.h"
#include "sentry/vfs/vfs.h"

/* Signals that end a process by default, as bits. */
#define FATAL_DEFAULT                                                                       \
	(~0ULL & ~(SIGBIT(17) | SIGBIT(18) | SIGBIT(19) | SIGBIT(20) | SIGBIT(21) |         \
		   SIGBIT(22) | SIGBIT(23) | SIGBIT(28)))

struct cproc *cproc_new(struct container *c, int proxy, int host_pid)
{
	struct cproc *p;

	if (c->nprocs >= MAX_PROCS)
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->c = c;
	p->proxy = proxy;
	p->host_pid = host_pid;
	list_push_back(&c->procs, &p->link);
	c->nprocs++;
	return p;
}

void cproc_free(struct cproc *p)
{
	struct kernel *k = p->c->k;

	list_del_init(&p->link);
	p->c->nprocs--;
	chost_close(p->proxy);
	kernel_lock(k);
	if (p->tg)
		tgroup_put(p->tg);
	if (p->tty_file)
		file_put(p->tty_file);
	kernel_unlock(k);
	free(p);
}

/* tgroup.on_exit: under the kernel lock, on any thread. */
static void on_exit_cb(struct tgroup *tg, void *ctx)
{
	struct cproc *p = ctx;

	p->status = tg->exit_code;
	p->ended_by = tg->ended_by;
	p->exited = true;
	chost_event_set(p->c->event_fd);
}

/* runc's phrases: callers match on them to tell 126 from 127. */
static void exec_error(struct control_rep *rep, const char *argv0, int err)
{
	rep->error = err;
	rep->code = 126;
	if (err == -LX_ENOENT && !strchr(argv0, '/')) {
		snprintf(rep->text, sizeof(rep->text),
			 "exec: \"%.300s\": executable file not found in $PATH", argv0);
		rep->code = 127;
	} else if (err == -LX_ENOENT) {
		snprintf(rep->text, sizeof(rep->text),
			 "exec: \"%.300s\": no such file or directory", argv0);
		rep->code = 127;
	} else if (err == -LX_ENOTDIR) {
		snprintf(rep->text, sizeof(rep->text), "exec: \"%.300s\": not a directory", argv0);
		rep->code = 127;
	} else if (err == -LX_EACCES || err == -LX_EPERM || err == -LX_EISDIR) {
		snprintf(rep->text, sizeof(rep->text),
			 "exec: \"%.300s\": permission denied: it must be an executable file",
			 argv0);
	} else if (err == -LX_ENOEXEC) {
		snprintf(rep->text, sizeof(rep->text),
			 "exec: \"%.300s\": exec format error: not an x86-64 ELF file or #! script",
			 argv0);
	} else {
		snprintf(rep->text, sizeof(rep->text), "exec: \"%.300s\": %s", argv0,
			 strerror(-err));
	}
}

static int check_cwd(struct container *c, const char *cwd, struct control_rep *rep)
{
	struct path start = { c->k->mnt->root, c->k->mnt->root->root }, p;
	int r;

	kernel_lock(c->k);
	r = vfs_lookup_at(c->k, &start, cwd, WALK_FOLLOW | WALK_DIRECTORY, &p);
	if (r == 0)
		path_put(&p);
	kernel_unlock(c->k);
	if (r < 0) {
		rep->error = r;
		rep->code = 126;
		snprintf(rep->text, sizeof(rep->text), "working directory \"%.300s\": %s", cwd,
			 strerror(-r));
	}
	return r;
}

static int cmp_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static struct cred *make_cred(const struct container_process *m)
{
	struct cred *c = cred_new(m->ngroups);

	if (!c)
		return NULL;
	c->uid = c->euid = c->suid = c->fsuid = m->uid;
	c->gid = c->egid = c->sgid = c->fsgid = m->gid;
	c->ngroups = m->ngroups;
	if (m->ngroups) {
		memcpy(c->groups, m->groups, m->ngroups * sizeof(uint32_t));
		qsort(c->groups, m->ngroups, sizeof(uint32_t), cmp_u32);
	}
	c->cap_bset = m->cap_bset & CAP_FULL;
	c->cap_inh = m->cap_inh & CAP_FULL;
	c->cap_amb = m->cap_amb & m->cap_inh & m->cap_perm & CAP_FULL;
	/* What execve makes of the sets: root gets all it may have, anybody else
	 * keeps the ambient ones. */
	if (m->uid == 0)
		c->cap_perm = (c->cap_inh | c->cap_bset) & CAP_FULL;
	else
		c->cap_perm = c->cap_amb;
	c->cap_eff = c->cap_perm;
	return c;
}

/* Wrap the host fds; a terminal given several times becomes one file. Consumes the
 * fds. Kernel lock held. */
static int make_stdio(struct container *c, struct cproc *p, const int *fds, struct file **out)
{
	int r = 0;

	for (int i = 0; i < 3; i++) {
		int same = -1;

		for (int j = 0; j < i && r == 0; j++)
			if (out[j] && hostfile_tty(out[j]) && chost_same_tty(fds[j], fds[i]))
				same = j;
		if (fds[i] < 0)
			continue;
		if (r == 0 && same < 0) {
			r = hostfile_new(c->k, fds[i], &out[i]);
			if (r == 0 && !p->tty && hostfile_tty(out[i])) {
				p->tty = hostfile_tty(out[i]);
				p->tty_file = out[i];
				file_get(out[i]);
			}
			continue;
		}
		if (r == 0) {
			out[i] = out[same];
			file_get(out[i]);
		}
		chost_close(fds[i]);
	}
	return r;
}

static int make_extra(struct container *c, const int *fds, unsigned n, struct file **out)
{
	int r = 0;

	for (unsigned i = 0; i < n; i++) {
		if (fds[i] < 0)
			continue;
		if (r == 0)
			r = hostfile_new(c->k, fds[i], &out[i]);
		else
			chost_close(fds[i]);
	}
	return r;
}

static int spawn_with(struct container *c, struct cproc *p, const struct container_process *m,
		      struct file **stdio, struct file **extra, unsigned nextra)
{
	struct task_spec spec = {
		.argv = m->argv, .envp = m->envp, .cwd = m->cwd,
		.stdio = { stdio[0], stdio[1], stdio[2] },
		.extra_files = nextra ? extra : NULL, .nextra = nextra,
		.ctty = p->tty, .umask = m->umask, .no_new_privs = m->no_new_privs,
		.oom_score_adj = m->oom_score_adj, .on_exit = on_exit_cb, .on_exit_ctx = p,
	};
	struct tgroup *tg;
	int r;

	for (int i = 0; i < LX_RLIM_NLIMITS; i++) {
		spec.rlim[i].cur = m->rlim[i].cur;
		spec.rlim[i].max = m->rlim[i].max;
	}
	spec.cred = make_cred(m);
	if (!spec.cred)
		return -LX_ENOMEM;
	r = process_spawn(c->k, &spec, &tg);
	kernel_lock(c->k);
	if (r < 0) {
		cred_put(spec.cred);
	} else if (!p->exited) {
		p->tg = tg;
		tgroup_get(tg);
		if (c->p.native_signals && tg->tgid == 1)
			tg->init_killable = true;
	}
	kernel_unlock(c->k);
	return r;
}

int cproc_spawn(struct container *c, struct cproc *p, const struct container_process *m,
		const int *stdio, const int *extra, unsigned nextra, struct control_rep *rep)
{
	struct file *files[3] = { NULL, NULL, NULL }, **more = NULL;
	int r, r2;

	memset(rep, 0, sizeof(*rep));
	if (nextra)
		more = calloc(nextra, sizeof(struct file *));
	kernel_lock(c->k);
	r = make_stdio(c, p, stdio, files);
	r2 = nextra && more ? make_extra(c, extra, nextra, more) : nextra ? -LX_ENOMEM : 0;
	kernel_unlock(c->k);
	if (r == 0)
		r = r2;
	if (r < 0) {
		rep->error = r;
		snprintf(rep->text, sizeof(rep->text), "stdio: %s", strerror(-r));
	} else {
		r = check_cwd(c, m->cwd, rep);
	}
	if (r == 0) {
		r = spawn_with(c, p, m, files, more, nextra);
		if (r < 0)
			exec_error(rep, m->argv[0], r);
	}
	if (r < 0) {
		kernel_lock(c->k);
		for (int i = 0; i < 3; i++)
			if (files[i])
				file_put(files[i]);
		for (unsigned i = 0; more && i < nextra; i++)
			if (more[i])
				file_put(more[i]);
		kernel_unlock(c->k);
	}
	free(more);
	return r;
}

/* SIGKILL and SIGSTOP from outside reach pid 1 too; they count as the kernel's own. */
static const struct ksiginfo *outside_info(int signo, const struct ksiginfo *info)
{
	return signo == 9 || signo == 19 ? NULL : info;
}

int cproc_signal(struct cproc *p, int signo, bool from_tty)
{
	struct ksiginfo info = { .signo = signo };
	struct container *c = p->c;
	int r = 0;

	if (signo < 0 || signo > LX_NSIG)
		return -LX_EINVAL;
	kernel_lock(c->k);
	if (!p->tg || p->exited) {
		r = -LX_ESRCH;
	} else if (signo == 0) {
		r = 0;
	} else if (p == c->init && !c->started) {
		/* Nothing runs yet: what would end it ends the container. */
		if (FATAL_DEFAULT & SIGBIT(signo)) {
			log_info("signal %d ends the container before its start", signo);
			c->stopping = true;
			c->stop_status = signo;
		}
	} else {
		if (from_tty && p->tty)
			host_tty_signal(c->k, p->tty, signo);
		else
			r = signal_send_group(p->tg, signo, outside_info(signo, &info));
	}
	kernel_unlock(c->k);
	return r;
}

int container_kill_all(struct container *c, int signo)
{
	struct ksiginfo info = { .signo = signo };
	struct tgroup *tg;
	int after = 0;

	if (signo < 0 || signo > LX_NSIG)
		return -LX_EINVAL;
	if (!c->started)
		return cproc_signal(c->init, signo, false);
	kernel_lock(c->k);
	while (signo && (tg = tgroup_next(c->k, after))) {
		after = tg->tgid;
		if (!tg->zombie &&
		    signal_send_group(tg, signo, outside_info(signo, &info)) < 0)
			log_debug("kill --all: signal %d for %d was not queued", signo, after);
		tgroup_put(tg);
	}
	kernel_unlock(c->k);
	return 0;
}
