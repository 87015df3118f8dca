/* Processes that come from outside: the container's first one, and those of `exec`. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "sentry/fs/tty/tty.h"
#include "sentry/task/exec_impl.h"
#include "sentry/task/pid.h"
#include "sentry/task/task_impl.h"
#include "sentry/time/posix_timer.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_resource.h"
#include "syscalls/abi/lx_signal.h"
#include "syscalls/abi/lx_stat.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PATH_BUF 4096

/* ---- what it runs ---- */

static const char *path_of(char *const *envp)
{
	for (; envp && *envp; envp++)
		if (!strncmp(*envp, "PATH=", 5))
			return *envp + 5;
	return DEFAULT_PATH;
}

/* As execvp(3): the first that can be run; EACCES is remembered, what is not there is
 * passed over. name: PATH_BUF bytes, what was found. */
static int open_in_path(struct task *t, const char *argv0, char *const *envp, char *name,
			struct file **f)
{
	const char *dir = path_of(envp), *end;
	int err, result = -LX_ENOENT;

	if (strlen(argv0) >= PATH_BUF)
		return -LX_ENAMETOOLONG;
	if (!argv0[0])
		return -LX_ENOENT;
	if (strchr(argv0, '/')) {
		strcpy(name, argv0);
		return vfs_open_exec(t, LX_AT_FDCWD, name, 0, f);
	}
	for (;; dir = end + 1) {
		int len;

		end = strchrnul(dir, ':');
		len = (int)(end - dir);
		if (snprintf(name, PATH_BUF, "%.*s%s%s", len, dir, len ? "/" : "", argv0) <
		    PATH_BUF) {
			err = vfs_open_exec(t, LX_AT_FDCWD, name, 0, f);
			if (!err)
				return 0;
			if (err == -LX_EACCES)
				result = err;
			else if (err != -LX_ENOENT && err != -LX_ENOTDIR &&
				 err != -LX_ENAMETOOLONG)
				return err;
		}
		if (!*end)
			return result;
	}
}

static int load_first(struct task *t, const struct task_spec *spec)
{
	struct strvec av = { .v = NULL }, ev = { .v = NULL };
	char *name = malloc(PATH_BUF);
	struct file *f = NULL;
	int err = name ? 0 : -LX_ENOMEM;

	if (!err)
		err = open_in_path(t, spec->argv[0], spec->envp, name, &f);
	if (!err)
		err = strvec_from(&av, spec->argv);
	if (!err)
		err = strvec_from(&ev, spec->envp);
	if (!err)
		err = exec_prepare(t, take(&f), name, false, &av, &ev, &t->exec);
	if (f)
		file_put(f);
	strvec_fini(&av);
	strvec_fini(&ev);
	free(name);
	return err;
}

/* ---- what it has ---- */

static int set_up_fs(struct task *t, const struct task_spec *spec)
{
	struct kernel *k = t->k;
	struct path root = { .mnt = k->mnt->root, .dentry = k->mnt->root->root }, cwd = root;
	int err = 0;

	path_get(&cwd);
	if (spec->cwd && spec->cwd[0]) {
		path_put(&cwd);
		err = vfs_make_mountpoint(k, &root, spec->cwd, true, &cwd);
		if (err)
			return err;
		if (!LX_S_ISDIR(cwd.dentry->inode->mode))
			err = -LX_ENOTDIR;
	}
	if (!err) {
		t->fs = fs_ctx_new(&root, &cwd, spec->umask);
		err = t->fs ? 0 : -LX_ENOMEM;
	}
	path_put(&cwd);
	return err;
}

static int set_up_fds(struct task *t, const struct task_spec *spec)
{
	int err;

	t->fds = fdtable_new();
	if (!t->fds)
		return -LX_ENOMEM;
	for (int i = 0; i < 3; i++) {
		if (!spec->stdio[i])
			continue;
		err = fdtable_set(t, i, spec->stdio[i], 0);
		if (err < 0)
			return err;
	}
	for (unsigned i = 0; spec->extra_files && i < spec->nextra; i++) {
		if (!spec->extra_files[i])
			continue;
		err = fdtable_set(t, 3 + (int)i, spec->extra_files[i], 0);
		if (err < 0)
			return err;
	}
	return 0;
}

static int set_up(struct task *t, const struct task_spec *spec)
{
	int err;

	memcpy(t->tg->rlim, spec->rlim, sizeof(t->tg->rlim));
	t->tg->oom_score_adj = spec->oom_score_adj;
	t->tg->exit_signal = LX_SIGCHLD;
	cred_get(spec->cred);
	t->cred = spec->cred;
	t->no_new_privs = spec->no_new_privs;
	t->sighand = sighand_new();
	if (!t->sighand)
		return -LX_ENOMEM;
	err = set_up_fs(t, spec);
	if (!err)
		err = set_up_fds(t, spec);
	return err ? err : load_first(t, spec);
}

/* ---- entering ---- */

static int enter(struct task *t, const struct task_spec *spec)
{
	struct tgroup *tg = t->tg;
	struct kernel *k = t->k;
	struct session *s;
	int id = pid_alloc(k, 0);

	if (id < 0)
		return id;
	s = session_new(id);
	if (!s)
		return -LX_ENOMEM;
	t->tid = id;
	tg->tgid = id;
	tg->leader = t;
	tg->on_exit = spec->on_exit;
	tg->on_exit_ctx = spec->on_exit_ctx;
	pid_add_tgroup(tg);
	pid_add_task(t);
	tgroup_set_pgid(tg, id);
	tgroup_set_session(tg, s);
	if (spec->ctty)
		tty_set_session(spec->ctty, s, id);
	session_put(s);
	list_push_back(&tg->tasks, &t->tg_link);
	tg->nlive++;
	k->ntasks++;
	k->pids->nlive++;
	k->total_forks++;
	if (!k->init)
		k->init = t;
	if (tg->rlim[LX_RLIMIT_CPU].cur != LX_RLIM_INFINITY)
		rlimit_cpu_changed(tg);
	return 0;
}

/* The caller's references are the process's now. */
static void take_over(const struct task_spec *spec)
{
	cred_put(spec->cred);
	for (int i = 0; i < 3; i++)
		if (spec->stdio[i])
			file_put(spec->stdio[i]);
	for (unsigned i = 0; spec->extra_files && i < spec->nextra; i++)
		if (spec->extra_files[i])
			file_put(spec->extra_files[i]);
}

static void drop(struct task *t)
{
	if (t->exec)
		task_exec_abort(t);
	if (t->fds)
		fdtable_put(t->fds, t);
	if (t->fs)
		fs_ctx_put(t->fs);
	t->fds = NULL;
	t->fs = NULL;
	task_put(t);
}

static int spawn_locked(struct kernel *k, const struct task_spec *spec, struct tgroup **out)
{
	struct tgroup *tg;
	struct task *t;
	int err;

	if (k->dying || k->init_ending)
		return -LX_ESRCH;
	if (k->ntasks >= k->max_tasks)
		return -LX_EAGAIN;
	tg = tgroup_alloc(k);
	if (!tg)
		return -LX_ENOMEM;
	t = task_alloc(k, tg);
	tgroup_put(tg); /* the task has its own */
	if (!t)
		return -LX_ENOMEM;
	/* The loader may drop the lock: nobody can see the task yet. */
	t->in_kernel = true;
	err = set_up(t, spec);
	t->in_kernel = false;
	if (!err && k->dying)
		err = -LX_ESRCH;
	if (!err)
		err = enter(t, spec);
	if (err) {
		drop(t);
		return err;
	}
	take_over(spec);
	memcpy(t->comm, t->exec->comm, sizeof(t->comm));
	if (t == k->init)
		klog_printf(k, "Run %s as init process", spec->argv[0]);
	*out = tg;
	return 0;
}

int process_spawn(struct kernel *k, const struct task_spec *spec, struct tgroup **out)
{
	int err;

	if (!spec->argv || !spec->argv[0])
		return -LX_EINVAL;
	kernel_lock(k);
	err = spawn_locked(k, spec, out);
	kernel_unlock(k);
	return err;
}

/* ---- starting ---- */

/* Runs from the ready list in place of a call: the stub is made only now, so that a
 * container that was created but not started has none. */
static long first_stub(struct task *t)
{
	int err = exec_make_stub(t);

	/* -LX_EINTR: it was killed meanwhile, and ends by that. */
	if (err && err != -LX_EINTR)
		tgroup_lose(t->tg, LX_SIGKILL,
			    err == -LX_ENOMEM ? "no memory or descriptors for its stub"
					      : "the host made no stub for it: is the pids limit too small?");
	else
		exec_commit(t);
	return -LX_ERAN;
}

void process_start(struct tgroup *tg)
{
	struct task *t = tg->leader;

	if (!t || t->state != TASK_NEW || t->started || t->call_fn)
		return;
	t->call_fn = first_stub;
	t->state = TASK_PARKED;
	task_ready(t);
}
