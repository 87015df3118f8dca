/* execve: everything that can fail is done first (open, strings, load, a new stub);
 * then the other threads go, and the process changes over to the new stub, which runs
 * the image's batches one after another. Past the point of no return an error kills.
 *
 * t->exec holds the state from the load to the first instruction. The handler may park
 * in between (other threads have to go). */
#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "platform/base/log.h"
#include "sentry/ipc/futex.h"
#include "sentry/task/exec_impl.h"
#include "sentry/task/pid.h"
#include "sentry/task/process.h"
#include "sentry/task/task_impl.h"
#include "sentry/time/posix_timer.h"
#include "sentry/vfs/file_io.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_signal.h"

#define SCRIPT_DEPTH 5
#define EFLAGS_START 0x202 /* interrupts on; bit 1 is always set */
/* READ_IMPLIES_EXEC, ADDR_COMPAT_LAYOUT, MMAP_PAGE_ZERO, ADDR_NO_RANDOMIZE */
#define PERSONALITY_CLEAR_ON_SETID 0x0740000ULL

/* ---- loading ---- */

static void exec_state_free(struct exec_state *x)
{
	if (x->cred)
		cred_put(x->cred);
	exec_image_fini(&x->img);
	free(x);
}

static void set_comm(struct exec_state *x, const char *name)
{
	const char *slash = strrchr(name, '/');

	memset(x->comm, 0, sizeof(x->comm));
	memcpy(x->comm, slash ? slash + 1 : name,
	       strnlen(slash ? slash + 1 : name, sizeof(x->comm) - 1));
}

/* Follow `#!` lines. *f: the program, replaced by the last interpreter. */
static int follow_scripts(struct task *t, struct file **f, const char *name, bool inaccessible,
			  struct strvec *argv)
{
	char *script = strdup(name);
	int err = script ? 0 : -LX_ENOMEM;

	for (int depth = 0; !err; depth++) {
		char line[SCRIPT_LINE + 1] = "", *interp, *arg;
		int64_t n = file_pread_kernel(*f, line, SCRIPT_LINE, 0);
		const char *with[3];
		struct file *next;
		int is;

		if (n < 0) {
			err = (int)n;
			break;
		}
		is = script_parse(line, &interp, &arg);
		if (is <= 0) {
			err = is;
			break;
		}
		/* The interpreter could not open the name of a close-on-exec fd. */
		err = depth >= SCRIPT_DEPTH ? -LX_ELOOP : inaccessible ? -LX_ENOENT : 0;
		if (err)
			break;
		with[0] = interp;
		with[1] = arg ? arg : script;
		with[2] = script;
		err = strvec_replace_first(argv, with, arg ? 3 : 2);
		if (err)
			break;
		err = vfs_open_exec(t, LX_AT_FDCWD, interp, 0, &next);
		if (err)
			break;
		file_put(*f);
		*f = next;
		free(script);
		script = strdup(interp);
		if (!script)
			err = -LX_ENOMEM;
	}
	free(script);
	return err;
}

int exec_prepare(struct task *t, struct file *f, const char *name, bool inaccessible,
		 struct strvec *argv, struct strvec *envp, struct exec_state **out)
{
	AUTO_PUT(file) struct file *prog = f;
	struct exec_state *x = calloc(1, sizeof(*x));
	struct exec_args a;
	int err;

	if (!x)
		return -LX_ENOMEM;
	set_comm(x, name);
	err = follow_scripts(t, &prog, name, inaccessible, argv);
	if (!err)
		err = exec_cred(t, prog, &x->cred, &x->secure);
	if (!err) {
		x->readable = inode_permission(t->cred, prog->inode, MAY_READ) == 0;
		a = (struct exec_args){
			.argv = argv->v, .argc = argv->count,
			.envp = envp->v, .envc = envp->count,
			.filename = name, .file = prog,
			.cred = x->cred, .secure = x->secure,
		};
		err = loader_load(t, &a, &x->img);
	}
	if (err) {
		exec_state_free(x);
		return err;
	}
	*out = x;
	return 0;
}

/* ---- the new stub ---- */

int exec_make_stub(struct task *t)
{
	struct exec_state *x = t->exec;
	struct kernel *k = t->k;
	int err;

	task_get(t); /* the platform's, for the new thread */
	kernel_release_host(k);
	err = plat_as_new(k->plat, t, &x->as, &x->pt);
	kernel_reacquire_host(k);
	if (err) {
		task_put(t);
		return err == -LX_EAGAIN ? -LX_EAGAIN : -LX_ENOMEM;
	}
	x->has_stub = true;
	return t->killed ? -LX_EINTR : 0;
}

void task_exec_abort(struct task *t)
{
	struct exec_state *x = t->exec;

	t->exec = NULL;
	if (t->tg->exec_task == t)
		t->tg->exec_task = NULL;
	if (x->has_stub && !x->committed) {
		plat_as_kill(x->as);
		plat_thread_release(x->pt);
		task_put(t);
		plat_as_put(x->as);
	}
	exec_state_free(x);
}

/* ---- the change-over ---- */

/* A thread that is not the leader takes the leader's place and number. */
static void become_leader(struct task *t)
{
	struct tgroup *tg = t->tg;
	struct task *old = tg->leader;
	struct tgroup *c;

	if (t == old)
		return;
	list_for_each(c, &tg->children, sibling)
		if (c->parent_tid == t->tid)
			c->parent_tid = tg->tgid;
	pid_del_task(t);
	pid_del_task(old);
	if (t->k->strace)
		strace_superseded(t, tg->tgid);
	t->tid = tg->tgid;
	pid_add_task(t);
	tg->leader = t;
	if (t->k->init == old)
		t->k->init = t;
	task_put(old); /* its own reference, kept while it was the leader */
}

static int unshare_for_exec(struct task *t)
{
	struct sighand *sh;
	struct fdtable *ft;

	if (fdtable_is_shared(t->fds)) {
		ft = fdtable_dup(t->fds);
		if (!ft)
			return -LX_ENOMEM;
		fdtable_put(t->fds, t);
		t->fds = ft;
	}
	if (refs_count(&t->sighand->refs) > 1) {
		sh = sighand_dup(t->sighand);
		if (!sh)
			return -LX_ENOMEM;
		sighand_put(t->sighand);
		t->sighand = sh;
	}
	return 0;
}

static void leave_old_mm(struct task *t)
{
	struct mm *mm = t->mm;
	struct plat_thread *pt = t->pt;
	uint32_t zero = 0;

	if (!mm)
		return;
	if (t->robust_list)
		futex_exit_robust(t);
	if (t->clear_child_tid && mm->users > 1 &&
	    mm_copy_out(mm, t->clear_child_tid, &zero, sizeof(zero)) == 0)
		futex_wake_addr(mm, t->clear_child_tid, 1);
	t->cpu_base_ns = task_cpu_ns(t);
	tgroup_account_as(t->tg, mm, pt);
	vfork_release(t);
	t->mm = NULL;
	t->pt = NULL;
	if (--mm->users == 0 && mm->as)
		plat_as_kill(mm->as);
	task_release_pt(t, pt);
	mm_put(mm);
}

static void enter_new_mm(struct task *t, struct exec_state *x)
{
	struct mm *mm = x->img.mm;

	x->img.mm = NULL;
	mm->as = x->as;
	mm->users = 1;
	mm->dumpable = !x->secure && x->readable;
	t->mm = mm;
	t->pt = x->pt;
	t->regs = NULL;
	t->partial = false;
	t->tg->shares_mm = false;
	t->robust_list = 0;
	t->clear_child_tid = 0;
	t->set_child_tid = 0;
	t->fs_base = t->gs_base = 0;
	t->sud.on = false;
	keys_exec(t);
}

void exec_commit(struct task *t)
{
	struct exec_state *x = t->exec;
	struct tgroup *tg = t->tg;
	bool first = !t->mm;

	x->committed = true;
	tg->exec_task = NULL;
	become_leader(t);
	if (t->mm)
		x->img.mm->flags = mm_flags_inherited(t->mm) & ~(uint32_t)MMF_SYNC_CORE;
	leave_old_mm(t);
	enter_new_mm(t, x);
	if (!first) {
		fdtable_close_exec(t);
		sighand_exec(t->sighand);
		posix_timers_exec(tg);
	}
	t->altstack.sp = t->altstack.size = 0; /* the flags stay, as in Linux */
	if (x->secure) {
		t->pdeath_signal = 0;
		t->personality &= ~PERSONALITY_CLEAR_ON_SETID;
	}
	t->keepcaps = false;
	memcpy(t->comm, x->comm, sizeof(t->comm));
	task_set_cred(t, take(&x->cred));
	tg->did_exec = true;
	tg->exit_signal = LX_SIGCHLD;
	t->restart_fn = NULL;
	t->started = true;
}

/* Runs instead of the handler while other threads are still going. */
static long exec_wait(struct task *t)
{
	if (t->tg->nlive > 1)
		return -LX_EPARK;
	if (unshare_for_exec(t))
		tgroup_lose(t->tg, LX_SIGKILL, "no memory for execve");
	else
		exec_commit(t);
	return -LX_ERAN;
}

static long exec_switch(struct task *t)
{
	struct tgroup *tg = t->tg;
	struct task *other;

	if (tg->exiting || tg->exec_task)
		return -LX_EAGAIN;
	tg->exec_task = t;
	list_for_each(other, &tg->tasks, tg_link) {
		if (other == t)
			continue;
		other->killed = true;
		task_interrupt(other);
	}
	t->call_fn = exec_wait;
	return exec_wait(t);
}

static int open_program(struct task *t, int dfd, const char *name, uint32_t at_flags,
			struct file **f, char **shown, bool *inaccessible)
{
	int err = vfs_open_exec(t, dfd, name, at_flags, f);

	*shown = NULL;
	*inaccessible = false;
	if (err)
		return err;
	/* What a script's interpreter will be given. */
	if (dfd == LX_AT_FDCWD || name[0] == '/') {
		*shown = strdup(name);
	} else {
		char buf[32];
		size_t n = (size_t)snprintf(buf, sizeof(buf), "/dev/fd/%d", dfd);

		*shown = malloc(n + strlen(name) + 2);
		if (*shown && name[0])
			sprintf(*shown, "%s/%s", buf, name);
		else if (*shown)
			strcpy(*shown, buf);
		*inaccessible = fdtable_flags(t->fds, dfd) == (int)FD_CLOEXEC_FLAG;
	}
	if (*shown)
		return 0;
	file_put(*f);
	*f = NULL;
	return -LX_ENOMEM;
}

long task_execve(struct task *t, int dfd, const char *name, struct uaddr argv,
		 struct uaddr envp, uint32_t at_flags)
{
	struct strvec av, ev;
	struct exec_state *x = NULL;
	bool inaccessible;
	struct file *f;
	char *shown;
	long r;

	r = open_program(t, dfd, name, at_flags, &f, &shown, &inaccessible);
	if (r)
		return r;
	r = exec_strings_copy(t, argv, envp, strlen(shown) + 1, &av, &ev);
	if (r) {
		file_put(f);
		free(shown);
		return r;
	}
	r = exec_prepare(t, f, shown, inaccessible, &av, &ev, &x);
	strvec_fini(&av);
	strvec_fini(&ev);
	free(shown);
	if (r)
		return r;
	if (t->killed) {
		exec_state_free(x);
		return -LX_EINTR;
	}
	t->exec = x;
	r = exec_make_stub(t);
	if (!r)
		r = exec_switch(t);
	if (r != -LX_ERAN && r != -LX_EPARK)
		task_exec_abort(t);
	return r;
}

/* ---- running the image ---- */

static void next_part(struct task *t)
{
	(void)t; /* the KICK only says that the batch is done */
}

static bool exec_fail(struct task *t, const char *what)
{
	tgroup_lose(t->tg, LX_SIGKILL, what);
	return task_to_guest(t, 0, false);
}

static bool enter_image(struct task *t)
{
	struct exec_state *x = t->exec;
	const struct exec_image *img = &x->img;

	for (unsigned i = 0; i < img->nwrites; i++)
		if (mm_copy_out(t->mm, img->writes[i].addr, img->writes[i].data,
				img->writes[i].len))
			return exec_fail(t, "the stack of its new program cannot be written");
	memset(t->regs, 0, sizeof(*t->regs));
	t->regs->rip = img->entry;
	t->regs->rsp = img->sp;
	t->regs->eflags = EFLAGS_START;
	plat_thread_set_fpstate(t->pt, NULL, 0);
	plat_batch_add(&t->batch, (struct plat_cmd){ .op = PLAT_CMD_SET_FS, .fd = -1 });
	plat_batch_add(&t->batch, (struct plat_cmd){ .op = PLAT_CMD_SET_GS, .fd = -1 });
	if (t->strace_open)
		strace_exit(t, -LX_ERAN);
	else if (t->k->strace && !t->tg->called)
		strace_spawned(t, img->sp);
	t->exec = NULL;
	exec_state_free(x);
	t->batch_of_call = false;
	return task_to_guest(t, 0, false);
}

bool task_exec_advance(struct task *t)
{
	struct exec_state *x = t->exec;

	if (t->killed)
		return task_to_guest(t, 0, false);
	t->call_fn = NULL;
	t->regs = plat_thread_regs(t->pt);
	if (x->next_batch == x->img.nbatches)
		return enter_image(t);
	/* The batch moves: what it carries is the platform's from here. */
	t->batch = x->img.batches[x->next_batch];
	x->img.batches[x->next_batch++].count = 0;
	return task_batch_then(t, next_part);
}
