/* /proc/PID/fd, fdinfo, exe, cwd, root, ns: links to what a process holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc.h"
#include "sentry/fs/proc/proc_impl.h"
#include "syscalls/abi/lx_clone.h"
#include "sentry/mm/mm.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_dirent.h"
#include "syscalls/abi/lx_fcntl.h"

#define FDINFO_LINE 256
#define FDINFO_MAX (1u << 24)

/* ---- fd and fdinfo ---- */

/* The open file of a node about fd id.arg, counted, or NULL. */
static struct file *file_of(const struct pseudo_node *n)
{
	PROC_REF struct proc_ref r = { NULL, NULL };

	if (proc_ref_get(n, &r) || !r.t->fds)
		return NULL;
	return fdtable_lookup(r.t->fds, (int)n->id.arg);
}

/* Still open? Also the link's mode, which tells the access. */
static bool fd_valid(struct pseudo_node *n)
{
	AUTO_PUT(file) struct file *f = file_of(n);

	if (!f)
		return false;
	if (LX_S_ISLNK(n->i.mode))
		n->i.mode = LX_S_IFLNK | (f->mode & FMODE_READ ? 0500 : 0) |
			    (f->mode & FMODE_WRITE ? 0300 : 0);
	return true;
}

static int fd_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (proc_ref_get(n, &r))
		return -LX_ENOENT;
	err = proc_link_access(&r, task_current);
	if (err)
		return err;
	f = file_of(n);
	return f ? proc_path_text(proc_kernel(n), &f->path, buf, size) : -LX_ENOENT;
}

static int fd_get_link(struct pseudo_node *n, struct task *t, struct path *out)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	AUTO_PUT(file) struct file *f = NULL;
	int err;

	if (proc_ref_get(n, &r))
		return -LX_ENOENT;
	err = proc_link_access(&r, t);
	if (err)
		return err;
	f = file_of(n);
	if (!f)
		return -LX_ENOENT;
	*out = f->path;
	path_get(out);
	return 0;
}

/* What the file has to say itself, however many lines: a text that ends near the end of the
 * room may have been cut. */
static void show_more(struct file *f, struct pseudo_buf *b)
{
	for (size_t size = 1024; size <= FDINFO_MAX; size *= 4) {
		AUTO_FREE char *text = malloc(size);
		int n = text ? f->ops->fdinfo(f, text, size) : -1;

		if (n < 0)
			b->failed = !text;
		if (n <= 0)
			return;
		if ((size_t)n < size - FDINFO_LINE || size == FDINFO_MAX) {
			pb_puts(b, text);
			return;
		}
	}
}

static int fdinfo_show(struct pseudo_node *n, struct pseudo_buf *b)
{
	AUTO_PUT(file) struct file *f = file_of(n);
	PROC_REF struct proc_ref r = { NULL, NULL };
	uint32_t flags;

	if (!f || proc_ref_get(n, &r))
		return -LX_ENOENT;
	flags = f->flags;
	/* Not kept, but what every 64-bit open() adds; objects without a name have none. */
	if (file_inode(f)->sb->magic != LX_ANON_INODE_FS_MAGIC &&
	    file_inode(f)->sb->magic != LX_PIPEFS_MAGIC &&
	    file_inode(f)->sb->magic != LX_SOCKFS_MAGIC)
		flags |= LX_O_LARGEFILE;
	if (r.t->fds && fdtable_flags(r.t->fds, (int)n->id.arg) == FD_CLOEXEC_FLAG)
		flags |= LX_O_CLOEXEC;
	if (f->mode & FMODE_PATH)
		flags |= LX_O_PATH;
	pb_printf(b, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (long long)f->pos, flags,
		  f->path.mnt->id, (unsigned long long)file_inode(f)->ino);
	if (f->ops->fdinfo)
		show_more(f, b);
	return 0;
}

static const struct pseudo_entry fd_entry =
	PSEUDO_LNK("fd", .readlink = fd_readlink, .get_link = fd_get_link, .valid = fd_valid);
static const struct pseudo_entry fdinfo_entry =
	PSEUDO_REG("fdinfo", 0444, .show = fdinfo_show, .valid = fd_valid,
		   .permission = proc_permission_ptrace);

/* The directory is 0500, but threads of the process always get in, even after it changed
 * its identity (a server that drops root and then opens /dev/stdout). As the VFS asks for
 * the mode bits first, the inode itself is open to all (proc_refresh) and this decides. */
int proc_fd_permission(struct pseudo_node *n, const struct cred *c, unsigned mask)
{
	if (task_current && task_current->tg->tgid == n->id.tgid)
		return 0;
	if (mask & MAY_WRITE)
		return -LX_EACCES;
	if (c->fsuid == n->i.uid || cred_has_cap(c, LX_CAP_DAC_READ_SEARCH) ||
	    cred_has_cap(c, LX_CAP_DAC_OVERRIDE))
		return 0;
	return -LX_EACCES;
}

static int lookup_number(struct pseudo_node *dir, const char *name, struct pseudo_found *out,
			 const struct pseudo_entry *e)
{
	AUTO_PUT(file) struct file *f = NULL;
	struct pseudo_node probe = { .i.sb = dir->i.sb, .id = dir->id };
	char *end;
	unsigned long fd;

	if (*name < '0' || *name > '9' || (*name == '0' && name[1]))
		return -LX_ENOENT;
	fd = strtoul(name, &end, 10);
	if (*end || fd > INT32_MAX)
		return -LX_ENOENT;
	probe.id.arg = fd;
	f = file_of(&probe);
	if (!f)
		return -LX_ENOENT;
	out->e = e;
	out->id.arg = fd;
	return 0;
}

int proc_fd_lookup(struct pseudo_node *dir, const char *name, struct pseudo_found *out)
{
	return lookup_number(dir, name, out, &fd_entry);
}

int proc_fdinfo_lookup(struct pseudo_node *dir, const char *name, struct pseudo_found *out)
{
	return lookup_number(dir, name, out, &fdinfo_entry);
}

static bool next_fd(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	struct file *f;
	int fd;

	if (*cursor > INT32_MAX || proc_ref_get(dir, &r) || !r.t->fds)
		return false;
	fd = fdtable_next(r.t->fds, (int)*cursor, &f);
	if (fd < 0)
		return false;
	file_put(f);
	*cursor = (uint64_t)fd;
	snprintf(name, size, "%d", fd);
	return true;
}

bool proc_fd_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		  unsigned *dtype)
{
	*dtype = LX_DT_LNK;
	return next_fd(dir, cursor, name, size);
}

bool proc_fdinfo_next(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		      unsigned *dtype)
{
	*dtype = LX_DT_REG;
	return next_fd(dir, cursor, name, size);
}

/* ---- exe, cwd, root ---- */

enum pid_link { LINK_EXE, LINK_CWD, LINK_ROOT };

static int link_path(const struct pseudo_node *n, enum pid_link which, const struct task *viewer,
		     struct path *out)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	int err = proc_ref_get(n, &r);

	if (!err)
		err = proc_link_access(&r, viewer);
	if (err)
		return err;
	if (which == LINK_EXE) {
		if (!r.t->mm || !r.t->mm->exe)
			return -LX_ENOENT;
		*out = r.t->mm->exe->path;
	} else {
		if (!r.t->fs)
			return -LX_ENOENT;
		*out = which == LINK_CWD ? r.t->fs->cwd : r.t->fs->root;
	}
	path_get(out);
	return 0;
}

static int link_text(struct pseudo_node *n, enum pid_link which, char *buf, size_t size)
{
	struct path p;
	int r = link_path(n, which, task_current, &p);

	if (r)
		return r;
	r = proc_path_text(proc_kernel(n), &p, buf, size);
	path_put(&p);
	return r;
}

int proc_exe_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	return link_text(n, LINK_EXE, buf, size);
}

int proc_exe_get_link(struct pseudo_node *n, struct task *t, struct path *out)
{
	return link_path(n, LINK_EXE, t, out);
}

int proc_cwd_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	return link_text(n, LINK_CWD, buf, size);
}

int proc_cwd_get_link(struct pseudo_node *n, struct task *t, struct path *out)
{
	return link_path(n, LINK_CWD, t, out);
}

int proc_root_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	return link_text(n, LINK_ROOT, buf, size);
}

int proc_root_get_link(struct pseudo_node *n, struct task *t, struct path *out)
{
	return link_path(n, LINK_ROOT, t, out);
}

/* ---- ns ---- */

static const struct {
	const char *type;
	uint64_t ino;
} namespaces[] = {
	/* Linux's own numbers of the initial namespaces. */
	{ "ipc", 4026531839u }, { "uts", 4026531838u }, { "user", 4026531837u },
	{ "pid", 4026531836u }, { "cgroup", 4026531835u }, { "time", 4026531834u },
	{ "mnt", 4026531841u }, { "net", 4026531840u },
};

uint64_t proc_ns_ino(const char *type)
{
	for (unsigned i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		if (!strcmp(namespaces[i].type, type))
			return namespaces[i].ino;
	return 0;
}

/* The namespace itself, as stat -L and open find it. */
static const struct pseudo_entry ns_file = PSEUDO_REG("ns", 0444);
static const struct pseudo_fs ns_fs;
static const struct sb_ops ns_sb_ops;

static int ns_readlink(struct pseudo_node *n, char *buf, size_t size)
{
	const char *type = (const char *)(uintptr_t)n->e->arg;

	return snprintf(buf, size, "%s:[%llu]", type, (unsigned long long)proc_ns_ino(type));
}

static int ns_get_link(struct pseudo_node *n, struct task *t, struct path *out)
{
	static const struct pseudo_id none;
	struct kernel *k = proc_kernel(n);
	AUTO_PUT(inode) struct inode *i = NULL;
	struct procfs *pf = procfs_of(k);
	char text[48];

	(void)t;
	if (!pf)
		return -LX_ENOMEM;
	if (!pf->ns_sb)
		pf->ns_sb = superblock_new(k, "nsfs", 0x6e736673, &ns_sb_ops,
					   (void *)(uintptr_t)&ns_fs);
	if (!pf->ns_sb)
		return -LX_ENOMEM;
	ns_readlink(n, text, sizeof(text));
	i = pseudo_inode_new(pf->ns_sb, &ns_file, &none,
			     proc_ns_ino((const char *)(uintptr_t)n->e->arg));
	if (!i)
		return -LX_ENOMEM;
	out->dentry = dentry_new_detached(i, text);
	if (!out->dentry)
		return -LX_ENOMEM;
	out->mnt = k->mnt->anon;
	mount_get(out->mnt);
	return 0;
}

uint64_t proc_ns_kind(const struct file *f)
{
	static const struct {
		const char *type;
		uint64_t flag;
	} kinds[] = {
		{ "cgroup", LX_CLONE_NEWCGROUP }, { "ipc", LX_CLONE_NEWIPC },
		{ "mnt", LX_CLONE_NEWNS },	  { "net", LX_CLONE_NEWNET },
		{ "pid", LX_CLONE_NEWPID },	  { "time", LX_CLONE_NEWTIME },
		{ "user", LX_CLONE_NEWUSER },	  { "uts", LX_CLONE_NEWUTS },
	};
	const struct inode *i = file_inode(f);

	if (!f->k->procfs || i->sb != f->k->procfs->ns_sb)
		return 0;
	for (unsigned n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++)
		if (proc_ns_ino(kinds[n].type) == i->ino)
			return kinds[n].flag;
	return 0;
}

#define NS(name, type)                                                       \
	PSEUDO_LNK(name, .readlink = ns_readlink, .get_link = ns_get_link,   \
		   .arg = PSEUDO_TEXT(type))

const struct pseudo_entry proc_ns_children[] = {
	NS("cgroup", "cgroup"), NS("ipc", "ipc"),   NS("mnt", "mnt"),
	NS("net", "net"),	NS("pid", "pid"),   NS("pid_for_children", "pid"),
	NS("time", "time"),	NS("time_for_children", "time"),
	NS("user", "user"),	NS("uts", "uts"),   { 0 },
};
