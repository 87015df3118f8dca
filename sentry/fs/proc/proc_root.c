/* procfs: mounting, the top directory, and who may see what of which process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/proc/proc_impl.h"
#include "sentry/klog.h"
#include "sentry/mm/mm.h"
#include "sentry/task/pid.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"

/* ---- processes behind nodes ---- */

int proc_ref_get(const struct pseudo_node *n, struct proc_ref *r)
{
	struct kernel *k = proc_kernel(n);

	r->t = NULL;
	r->tg = n->id.tgid ? tgroup_lookup(k, n->id.tgid) : NULL;
	if (!r->tg)
		return -LX_ESRCH;
	if (r->tg->start_mono_ns == n->id.start)
		r->t = task_lookup(k, n->id.tid ? n->id.tid : n->id.tgid);
	if (r->t && r->t->tg == r->tg)
		return 0;
	proc_ref_put(r);
	return -LX_ESRCH;
}

void proc_ref_put(struct proc_ref *r)
{
	if (r->t)
		task_put(take(&r->t));
	if (r->tg)
		tgroup_put(take(&r->tg));
}

int proc_may_access(const struct proc_ref *r, const struct cred *c)
{
	const struct cred *o = r->t->cred;
	bool cap;

	if (task_current && task_current->tg == r->tg)
		return 0;
	cap = cred_has_cap(c, LX_CAP_SYS_PTRACE);
	if (cap)
		return 0;
	if (c->fsuid != o->euid || c->fsuid != o->suid || c->fsuid != o->uid ||
	    c->fsgid != o->egid || c->fsgid != o->sgid || c->fsgid != o->gid)
		return -LX_EACCES;
	if (r->t->mm && !r->t->mm->dumpable)
		return -LX_EACCES;
	return o->cap_perm & ~c->cap_eff ? -LX_EACCES : 0;
}

int proc_permission_ptrace(struct pseudo_node *n, const struct cred *c, unsigned mask)
{
	PROC_REF struct proc_ref r = { NULL, NULL };

	(void)mask;
	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	return proc_may_access(&r, c);
}

int proc_link_access(const struct proc_ref *r, const struct task *viewer)
{
	return viewer ? proc_may_access(r, viewer->cred) : 0;
}

/* Who owns the files of a process; false when it is gone. */
static bool proc_refresh(struct pseudo_node *n)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	bool theirs;

	if (!n->id.tgid)
		return true;
	if (proc_ref_get(n, &r))
		return false;
	/* Private files of a process that changed its identity are root's. */
	theirs = n->e == &proc_pid_entry || n->e == &proc_tid_entry ||
		 (r.t->mm && r.t->mm->dumpable);
	n->i.uid = theirs ? r.t->cred->euid : 0;
	n->i.gid = theirs ? r.t->cred->egid : 0;
	if (n->e->permission == proc_fd_permission)
		n->i.mode |= 0555;
	return true;
}

/* ---- paths as text ---- */

const struct path *proc_viewer_root(void)
{
	return task_current && task_current->fs ? &task_current->fs->root : NULL;
}

void proc_show_path(struct kernel *k, struct pseudo_buf *b, const struct path *p,
		    const char *esc)
{
	char *text = vfs_path_string(k, p, proc_viewer_root());

	if (!text)
		b->failed = true;
	else
		pb_escape(b, text, esc);
	free(text);
}

int proc_path_text(struct kernel *k, const struct path *p, char *buf, size_t size)
{
	char *text = vfs_path_string(k, p, proc_viewer_root());
	int n;

	if (!text)
		return -LX_ENOMEM;
	n = strlen(text) < LX_PATH_MAX ? snprintf(buf, size, "%s", text) : -LX_ENAMETOOLONG;
	free(text);
	return n >= (int)size ? (int)size : n;
}

/* ---- kmsg: reading is SYSLOG_ACTION_READ ---- */

static int64_t kmsg_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	struct klog *l = f->k->klog;
	char buf[2048];
	size_t n = klog_read(f->k, &l->read_pos, buf,
			     u->resid < sizeof(buf) ? u->resid : sizeof(buf));

	(void)pos;
	(void)rwf;
	return n ? uio_to_user(u, buf, n) : -LX_EAGAIN;
}

static uint32_t kmsg_poll(struct file *f, struct poll_ctx *pc)
{
	struct klog *l = f->k->klog;

	poll_wait(pc, &l->readers);
	return l->read_pos < l->end ? LX_POLLIN | LX_POLLRDNORM : 0;
}

static const struct file_ops kmsg_ops = {
	.name = "proc_kmsg", .read = kmsg_read, .poll = kmsg_poll,
};

static int kmsg_open(struct pseudo_node *n, const struct path *path, uint32_t fmode,
		     uint32_t flags, struct file **out)
{
	if (task_current && !task_capable(task_current, LX_CAP_SYSLOG))
		return -LX_EPERM;
	*out = file_new(proc_kernel(n), &kmsg_ops, path, fmode, flags);
	return *out ? 0 : -LX_ENOMEM;
}

/* ---- keys ---- */

static void put_line(void *ctx, const char *line)
{
	pb_puts(ctx, line);
}

static int show_keys(struct pseudo_node *n, struct pseudo_buf *b)
{
	(void)n;
	if (task_current)
		keys_show(task_current, put_line, b);
	return 0;
}

static int show_key_users(struct pseudo_node *n, struct pseudo_buf *b)
{
	key_users_show(proc_kernel(n), put_line, b);
	return 0;
}

/* ---- the top directory ---- */

static const struct sb_ops proc_sb_ops;

static int self_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	(void)n;
	return task_current ? snprintf(buf, size, "%d", task_current->tg->tgid) : -LX_ENOENT;
}

static int thread_self_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	(void)n;
	return task_current ? snprintf(buf, size, "%d/task/%d", task_current->tg->tgid,
				       task_current->tid)
			    : -LX_ENOENT;
}

/* Decimal number without leading zeros, or 0. */
static int number_of(const char *name)
{
	char *end;
	long v;

	if (*name < '1' || *name > '9')
		return 0;
	v = strtol(name, &end, 10);
	return *end || v > INT32_MAX ? 0 : (int)v;
}

static int root_lookup(struct pseudo_node *dir, const char *name, struct pseudo_found *out)
{
	int tid = number_of(name);
	struct task *t = tid ? task_lookup(proc_kernel(dir), tid) : NULL;

	if (!t)
		return -LX_ENOENT;
	out->e = &proc_pid_entry;
	out->id = (struct pseudo_id){ .tgid = t->tg->tgid, .start = t->tg->start_mono_ns };
	if (t->tid != t->tg->tgid)
		out->id.tid = t->tid;
	task_put(t);
	return 0;
}

static bool root_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		      unsigned *dtype)
{
	struct tgroup *tg;

	if (*cursor > INT32_MAX)
		return false;
	tg = tgroup_next(proc_kernel(dir), (int)*cursor - 1);
	if (!tg)
		return false;
	*cursor = (uint64_t)tg->tgid;
	*dtype = LX_DT_DIR;
	snprintf(name, size, "%d", tg->tgid);
	tgroup_put(tg);
	return true;
}

struct tgroup *proc_pid_tgroup(const struct file *f, int *err)
{
	struct inode *i = file_inode(f);
	const struct pseudo_node *n;
	struct tgroup *tg;

	*err = -LX_EBADF;
	if (i->sb->ops != &proc_sb_ops || !LX_S_ISDIR(i->mode))
		return NULL;
	n = pseudo_node_of(i);
	if (n->e != &proc_pid_entry || n->id.tid)
		return NULL;
	*err = -LX_ESRCH;
	tg = tgroup_peek(f->k, n->id.tgid);
	return tg && tg->start_mono_ns == n->id.start ? tg : NULL;
}

#define TEXT(name, perm, text) \
	PSEUDO_REG(name, perm, .show = pseudo_show_text, .arg = PSEUDO_TEXT(text))

static const struct pseudo_entry empty_dir[] = { { 0 } };

static const struct pseudo_entry root_children[] = {
	PSEUDO_LNK("self", .readlink = self_readlink),
	PSEUDO_LNK("thread-self", .readlink = thread_self_readlink),
	PSEUDO_LNK("mounts", .readlink = pseudo_readlink_text, .arg = PSEUDO_TEXT("self/mounts")),
	PSEUDO_LNK("net", .readlink = pseudo_readlink_text, .arg = PSEUDO_TEXT("self/net")),
	PSEUDO_DIR("sys", 0555, .children = proc_sys_children),
	PSEUDO_DIR("sysvipc", 0555, .children = proc_sysvipc_children),
	PSEUDO_DIR("bus", 0555, .children = empty_dir),
	PSEUDO_DIR("driver", 0555, .children = empty_dir),
	PSEUDO_DIR("fs", 0555, .children = empty_dir),
	PSEUDO_DIR("irq", 0555, .children = empty_dir),
	PSEUDO_DIR("tty", 0555, .children = empty_dir),
	PSEUDO_REG("cpuinfo", 0444, .show = proc_show_cpuinfo),
	PSEUDO_REG("meminfo", 0444, .show = proc_show_meminfo),
	PSEUDO_REG("stat", 0444, .show = proc_show_gstat),
	PSEUDO_REG("uptime", 0444, .show = proc_show_uptime),
	PSEUDO_REG("loadavg", 0444, .show = proc_show_loadavg),
	PSEUDO_REG("filesystems", 0444, .show = proc_show_filesystems),
	PSEUDO_REG("vmstat", 0444, .show = proc_show_vmstat),
	PSEUDO_REG("interrupts", 0444, .show = proc_show_interrupts),
	PSEUDO_REG("softirqs", 0444, .show = proc_show_softirqs),
	PSEUDO_REG("zoneinfo", 0444, .show = proc_show_zoneinfo),
	PSEUDO_REG("keys", 0444, .show = show_keys),
	PSEUDO_REG("key-users", 0444, .show = show_key_users),
	PSEUDO_REG("kmsg", 0400, .open = kmsg_open),
	PSEUDO_REG("sysrq-trigger", 0200),
	TEXT("version", 0444, KERNEL_SYSNAME " version " KERNEL_RELEASE
	     " (runsc@sandbox) (gcc, ld) " KERNEL_VERSION "\n"),
	TEXT("cmdline", 0444, "BOOT_IMAGE=/runsc quiet\n"),
	TEXT("devices", 0444, "Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n"
	     "  5 /dev/ptmx\n136 pts\n\nBlock devices:\n"),
	TEXT("partitions", 0444, "major minor  #blocks  name\n\n"),
	TEXT("swaps", 0444, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
	TEXT("modules", 0444, ""),
	TEXT("diskstats", 0444, ""),
	TEXT("cgroups", 0444, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n"),
	TEXT("misc", 0444, ""),
	TEXT("iomem", 0400, ""),
	TEXT("ioports", 0400, ""),
	TEXT("locks", 0444, ""),
	TEXT("buddyinfo", 0400, ""),
	TEXT("consoles", 0444, ""),
	TEXT("dma", 0444, ""),
	TEXT("execdomains", 0444, "0-0\tLinux           \t[kernel]\n"),
	{ 0 },
};

const struct pseudo_entry proc_root_entry =
	PSEUDO_DIR("/", 0555, .children = root_children, .lookup = root_lookup, .next = root_next);

/* ---- mounting ---- */

static const struct pseudo_fs proc_pseudo_fs = { .refresh = proc_refresh };

struct procfs *procfs_of(struct kernel *k)
{
	if (!k->procfs)
		k->procfs = calloc(1, sizeof(*k->procfs));
	return k->procfs;
}

void procfs_free(struct kernel *k)
{
	if (k->procfs && k->procfs->ns_sb)
		superblock_put(k->procfs->ns_sb);
	free(take(&k->procfs));
}

static int proc_mount(struct kernel *k, const char *source, const char *data,
		      struct superblock **out_sb, struct inode **root)
{
	static const struct pseudo_id none;
	struct superblock *sb;

	(void)source;
	(void)data; /* hidepid and the like: accepted */
	sb = superblock_new(k, "proc", PROC_MAGIC, &proc_sb_ops,
			    (void *)(uintptr_t)&proc_pseudo_fs);
	if (!sb)
		return -LX_ENOMEM;
	*root = pseudo_inode_new(sb, &proc_root_entry, &none, 1);
	if (!*root) {
		superblock_put(sb);
		return -LX_ENOMEM;
	}
	*out_sb = sb;
	return 0;
}

const struct fs_type proc_type = {
	.name = "proc",
	.mount = proc_mount,
	.nodev = true,
	.guest_mountable = true,
};
