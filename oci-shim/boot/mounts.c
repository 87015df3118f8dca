/* The container's file system as the guest sees it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci-shim/boot/boot_impl.h"
#include "platform/base/log.h"
#include "sentry/fs/gofer/gofer_client.h"
#include "sentry/fs/overlay/overlay.h"
#include "sentry/fs/proc/hostinfo.h"
#include "sentry/fs/sys/cgroup.h"
#include "sentry/fs/tmpfs/memfile.h"
#include "sentry/fs/tmpfs/tmpfs.h"
#include "sentry/kernel.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_mount.h"
#include "syscalls/abi/lx_stat.h"

struct boot {
	struct kernel *k;
	const struct launch *l;
	struct gofer_conn *conn;
	struct inode *filestore; /* where the overlays' contents go, or NULL */
	bool root_readonly;	/* … is what is below it, and no overlay hides that */
	struct oerr *e;
};

static struct path ns_root(struct boot *b)
{
	return (struct path){ b->k->mnt->root, b->k->mnt->root->root };
}

static int lookup(struct boot *b, const struct path *from, const char *name, struct path *out)
{
	struct path root = ns_root(b);

	return vfs_lookup_at(b->k, from ? from : &root, name, WALK_FOLLOW, out);
}

/* Make one missing name in dir: a directory, or an empty file. */
static int make_one(struct path *dir, const char *name, bool file)
{
	struct inode *parent = dir->dentry->inode, *made = NULL;
	int r;

	if (dir->mnt->flags & MNT_RDONLY)
		return -LX_EROFS;
	if (!LX_S_ISDIR(parent->mode))
		return -LX_ENOTDIR;
	if (file)
		r = parent->ops->create
			    ? parent->ops->create(parent, name, LX_S_IFREG | 0644, 0, 0, &made)
			    : -LX_EPERM;
	else
		r = parent->ops->mkdir
			    ? parent->ops->mkdir(parent, name, LX_S_IFDIR | 0755, 0, 0, &made)
			    : -LX_EPERM;
	if (r == 0)
		inode_put(made);
	/* The walk that found it missing may have remembered that. */
	dcache_forget(dir->dentry, name);
	return r == -LX_EEXIST ? 0 : r;
}

/* Find a path in the container, making what is missing. */
static int find_or_make(struct boot *b, const char *dest, bool file, struct path *out)
{
	struct path cur, next;
	char *copy, *save = NULL, *c, *after;
	int r;

	r = lookup(b, NULL, dest, out);
	if (r != -LX_ENOENT)
		return r;
	copy = strdup(dest);
	if (!copy)
		return -LX_ENOMEM;
	r = lookup(b, NULL, "/", &cur);
	for (c = strtok_r(copy, "/", &save); r == 0 && c; c = after) {
		after = strtok_r(NULL, "/", &save);
		r = lookup(b, &cur, c, &next);
		if (r == -LX_ENOENT) {
			r = make_one(&cur, c, file && !after);
			if (r == 0)
				r = lookup(b, &cur, c, &next);
		}
		path_put(&cur);
		if (r == 0)
			cur = next;
	}
	free(copy);
	if (r == 0)
		*out = cur;
	return r;
}

static uint32_t mount_flags(uint32_t f)
{
	return (f & SPEC_MNT_RDONLY ? MNT_RDONLY : 0) | (f & SPEC_MNT_NOSUID ? MNT_NOSUID : 0) |
	       (f & SPEC_MNT_NODEV ? MNT_NODEV : 0) | (f & SPEC_MNT_NOEXEC ? MNT_NOEXEC : 0) |
	       (f & SPEC_MNT_NODIRATIME ? MNT_NODIRATIME : 0) |
	       (f & SPEC_MNT_NOSYMFOLLOW ? MNT_NOSYMFOLLOW : 0) |
	       (f & SPEC_MNT_NOATIME ? MNT_NOATIME
		: f & SPEC_MNT_STRICTATIME ? 0 : MNT_RELATIME);
}

static uint32_t propagation(uint32_t f)
{
	return f & SPEC_MNT_SHARED ? LX_MS_SHARED
	       : f & SPEC_MNT_SLAVE ? LX_MS_SLAVE
	       : f & SPEC_MNT_UNBINDABLE ? LX_MS_UNBINDABLE
	       : f & SPEC_MNT_PRIVATE ? LX_MS_PRIVATE : 0;
}

static bool has_overlay(const struct boot *b)
{
	return b->l->o->overlay.medium != OVERLAY_NONE;
}

/* The filestore is the export after the root and the bind mounts. */
static int attach_filestore(struct boot *b)
{
	const struct oci_spec *s = b->l->spec;
	struct superblock *sb;
	unsigned index = 1;
	int r;

	if (!overlay_on_disk(&b->l->o->overlay))
		return 0;
	for (unsigned i = 0; i < s->nmounts; i++)
		index += s->mounts[i].bind;
	r = gofer_mount(b->k, b->conn, index, false, false, &sb, &b->filestore);
	if (r == 0)
		superblock_put(sb);
	return r;
}

/* Put an overlay over what a gofer mount gave. */
static int put_overlay(struct boot *b, struct superblock **sb, struct inode **root)
{
	struct ovl_store store = { b->filestore, b->l->o->overlay.size };
	struct superblock *over_sb;
	struct inode *over;
	int r = overlay_mount_fresh(b->k, *root, &store, &over_sb, &over);

	inode_put(*root);
	superblock_put(*sb);
	if (r == 0) {
		*sb = over_sb;
		*root = over;
	}
	return r;
}

static int mount_root(struct boot *b)
{
	const struct launch *l = b->l;
	struct superblock *sb = NULL;
	struct inode *root = NULL;
	struct mount_ns *ns;
	int r;

	r = gofer_mount(b->k, b->conn, 0, l->root_shared,
			has_overlay(b) || l->spec->root_readonly, &sb, &root);
	if (r == 0 && has_overlay(b))
		r = put_overlay(b, &sb, &root);
	else if (r == 0)
		b->root_readonly = gofer_readonly(sb);
	if (r == 0) {
		r = mount_ns_new(b->k, sb, root, MNT_RELATIME,
				 has_overlay(b) ? "overlay" : "rootfs", &ns);
		if (r == 0)
			b->k->mnt = ns;
		inode_put(root);
		superblock_put(sb);
	}
	return r < 0 ? oerr_errno(b->e, -r, "root.path: %s", l->rootfs) : 0;
}

static int attach(struct boot *b, const char *dest, struct superblock *sb, struct inode *root,
		  uint32_t flags, const char *source, const char *options)
{
	struct path at;
	int r;

	/* What the configuration makes read-only, nobody in the sandbox makes writable. */
	if (flags & MNT_RDONLY)
		flags |= MNT_LOCK_RDONLY;
	r = find_or_make(b, dest, !LX_S_ISDIR(root->mode), &at);
	if (r == 0) {
		r = vfs_mount(b->k, &at, sb, root, flags, source, options);
		path_put(&at);
	}
	inode_put(root);
	superblock_put(sb);
	return r;
}

static int mount_fs(struct boot *b, const char *dest, const struct fs_type *fs,
		    const char *source, const char *data, uint32_t flags)
{
	struct superblock *sb;
	struct inode *root;
	int r;

	if (!source)
		source = fs->name;
	r = fs->mount(b->k, source, data && data[0] ? data : NULL, &sb, &root);
	if (r < 0)
		return r;
	return attach(b, dest, sb, root, flags, source, data);
}

static int mount_type(struct boot *b, const char *dest, const char *type, const char *source,
		      const char *data, uint32_t flags)
{
	const struct fs_type *fs = fs_type_lookup(type);

	return fs && fs->mount ? mount_fs(b, dest, fs, source, data, flags) : -LX_ENODEV;
}

static bool is_path(const char *a, const char *b)
{
	size_t n = strlen(a);

	while (n > 1 && a[n - 1] == '/')
		n--;
	return strlen(b) == n && !strncmp(a, b, n);
}

static int set_propagation(struct boot *b, const char *dest, uint32_t flags)
{
	struct path at;
	int r = lookup(b, NULL, dest, &at);

	if (r < 0)
		return r;
	r = vfs_mount_propagation(b->k, &at, propagation(flags), flags & SPEC_MNT_PROP_REC);
	path_put(&at);
	return r;
}

static int mount_one(struct boot *b, unsigned i, unsigned *next_export)
{
	const struct spec_mount *m = &b->l->spec->mounts[i];
	uint32_t flags = mount_flags(m->flags);
	const char *type = m->type ? m->type : "", *data = m->data;
	struct superblock *sb;
	struct inode *root;
	int r;

	if (m->bind) {
		bool over = has_overlay(b) && b->l->o->overlay.all &&
			    !(m->flags & SPEC_MNT_RDONLY);

		r = gofer_mount(b->k, b->conn, (*next_export)++, !m->exclusive,
				(m->flags & SPEC_MNT_RDONLY) || over, &sb, &root);
		if (r == 0 && over)
			r = put_overlay(b, &sb, &root);
		if (r == 0)
			r = attach(b, m->destination, sb, root,
				   flags | (!over && gofer_readonly(sb) ? MNT_RDONLY : 0),
				   m->source, NULL);
	} else if (!strcmp(type, "cgroup") || !strcmp(type, "cgroup2")) {
		r = mount_fs(b, m->destination, &cgroup2_type, "cgroup", NULL, flags | MNT_RDONLY);
	} else {
		/* /dev is ours, with the standard devices in it. */
		if (!strcmp(type, "tmpfs") && is_path(m->destination, "/dev"))
			type = "devtmpfs";
		r = mount_type(b, m->destination, type, m->source, data, flags);
	}
	if (r == 0 && propagation(m->flags))
		r = set_propagation(b, m->destination, m->flags);
	if (r == -LX_ENODEV)
		return oerr_set(b->e, "mounts[%u].type: \"%s\" is not supported: remove the mount or use tmpfs",
				i, type);
	if (r < 0)
		return oerr_errno(b->e, -r, "mounts[%u]: mounting %s on %s", i,
				  m->bind ? m->source : type, m->destination);
	return 0;
}

static bool mounted_at(const struct oci_spec *s, const char *dest)
{
	for (unsigned i = 0; i < s->nmounts; i++)
		if (is_path(s->mounts[i].destination, dest))
			return true;
	return false;
}

/* File systems that every container has, listed or not. */
static int mount_defaults(struct boot *b)
{
	static const struct {
		const char *dest, *type, *data;
		uint32_t flags;
	} defaults[] = {
		{ "/proc", "proc", NULL, MNT_NOSUID | MNT_NODEV | MNT_NOEXEC },
		{ "/sys", "sysfs", NULL, MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_RDONLY },
		{ "/dev", "devtmpfs", "mode=755", MNT_NOSUID },
		{ "/dev/pts", "devpts", "gid=5,mode=620,ptmxmode=666", MNT_NOSUID | MNT_NOEXEC },
		{ "/dev/shm", "tmpfs", "mode=1777", MNT_NOSUID | MNT_NODEV },
	};

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		int r;

		if (mounted_at(b->l->spec, defaults[i].dest))
			continue;
		r = mount_type(b, defaults[i].dest, defaults[i].type, NULL, defaults[i].data,
			       defaults[i].flags | MNT_RELATIME);
		if (r < 0)
			return oerr_errno(b->e, -r, "mounting %s on %s", defaults[i].type,
					  defaults[i].dest);
	}
	return 0;
}

static int make_device(struct boot *b, const struct spec_device *d)
{
	char dir[4096];
	const char *name = strrchr(d->path, '/') + 1;
	uint32_t fmt = d->type == 'c' ? LX_S_IFCHR : d->type == 'b' ? LX_S_IFBLK : LX_S_IFIFO;
	struct inode *made = NULL;
	struct path at;
	int r;

	if (strlen(d->path) >= sizeof(dir) || !*name)
		return -LX_ENAMETOOLONG;
	r = lookup(b, NULL, d->path, &at);
	if (r == 0) {
		bool same = (at.dentry->inode->mode & LX_S_IFMT) == fmt &&
			    (d->type == 'p' || at.dentry->inode->rdev == KDEV(d->major, d->minor));

		path_put(&at);
		return same ? 0 : -LX_EEXIST;
	}
	memcpy(dir, d->path, (size_t)(name - d->path));
	dir[name - d->path] = 0;
	r = find_or_make(b, dir, false, &at);
	if (r < 0)
		return r;
	if (at.dentry->inode->ops->mknod)
		r = at.dentry->inode->ops->mknod(at.dentry->inode, name, fmt | (d->mode & 07777),
						 KDEV(d->major, d->minor), d->uid, d->gid, &made);
	else
		r = -LX_EPERM;
	if (r == 0)
		inode_put(made);
	dcache_forget(at.dentry, name);
	path_put(&at);
	return r;
}

static int make_devices(struct boot *b)
{
	for (unsigned i = 0; i < b->l->spec->ndevices; i++) {
		const struct spec_device *d = &b->l->spec->devices[i];
		int r = make_device(b, d);

		if (r == -LX_EEXIST)
			return oerr_set(b->e, "linux.devices[%u]: %s exists already and is another device: remove the entry",
					i, d->path);
		if (r < 0)
			return oerr_errno(b->e, -r, "linux.devices[%u]: %s", i, d->path);
	}
	return 0;
}

/* Directories get an empty read-only tmpfs, files /dev/null on top. */
static int mask(struct boot *b, const char *target)
{
	struct superblock *sb;
	struct inode *root;
	const uint32_t locked = MNT_LOCKED | MNT_LOCK_RDONLY;
	struct path at, null;
	int r = lookup(b, NULL, target, &at);

	if (r < 0)
		return r == -LX_ENOENT || r == -LX_ENOTDIR ? 0 : r;
	if (LX_S_ISDIR(at.dentry->inode->mode)) {
		r = tmpfs_type.mount(b->k, "tmpfs", "size=4k,mode=755", &sb, &root);
		if (r == 0) {
			r = vfs_mount(b->k, &at, sb, root, MNT_RDONLY | MNT_RELATIME | locked,
				      "tmpfs", NULL);
			inode_put(root);
			superblock_put(sb);
		}
	} else {
		r = lookup(b, NULL, "/dev/null", &null);
		if (r == 0) {
			r = vfs_bind(b->k, &at, &null, false, MNT_LOCKED);
			path_put(&null);
		}
	}
	path_put(&at);
	return r;
}

static int make_readonly(struct boot *b, const char *target)
{
	struct path at;
	int r = lookup(b, NULL, target, &at);

	if (r < 0)
		return r == -LX_ENOENT || r == -LX_ENOTDIR ? 0 : r;
	r = vfs_bind(b->k, &at, &at, true, MNT_RDONLY | MNT_LOCKED | MNT_LOCK_RDONLY);
	path_put(&at);
	return r;
}

static int restrict_paths(struct boot *b)
{
	const struct oci_spec *s = b->l->spec;

	for (unsigned i = 0; i < s->readonly_paths.n; i++) {
		int r = make_readonly(b, s->readonly_paths.v[i]);

		if (r < 0)
			return oerr_errno(b->e, -r, "linux.readonlyPaths[%u]: %s", i,
					  s->readonly_paths.v[i]);
	}
	for (unsigned i = 0; i < s->masked_paths.n; i++) {
		int r = mask(b, s->masked_paths.v[i]);

		if (r < 0)
			return oerr_errno(b->e, -r, "linux.maskedPaths[%u]: %s", i,
					  s->masked_paths.v[i]);
	}
	return 0;
}

/* The working directory is made when it is missing, as image builders expect. */
static int make_cwd(struct boot *b)
{
	const char *cwd = b->l->spec->process.cwd;
	struct path at;
	int r = find_or_make(b, cwd, false, &at);

	if (r == 0) {
		if (!LX_S_ISDIR(at.dentry->inode->mode))
			r = -LX_ENOTDIR;
		path_put(&at);
	}
	return r < 0 ? oerr_errno(b->e, -r, "process.cwd: %s", cwd) : 0;
}

/* A tmpfs without size= holds half of the memory there is. */
static void set_tmpfs_default(const struct launch *l)
{
	const struct spec_resources *r = &l->spec->res;
	struct host_mem m;

	host_mem(&m);
	if (r->memory_limit > 0 && (uint64_t)r->memory_limit < m.total)
		m.total = (uint64_t)r->memory_limit;
	if (m.total)
		tmpfs_set_default_pages(m.total / 2 / 4096);
}

/* Who reopens memory objects for the sentry, which has no path to anything. */
static struct gofer_conn *reopener;

static int reopen_readonly(int fd)
{
	return gofer_reopen_readonly(reopener, fd);
}

void boot_mounts_end(void)
{
	memfile_reopen_readonly = NULL;
	if (reopener)
		gofer_conn_put(reopener);
	reopener = NULL;
}

/* The guest's cgroups are the host's business; it sees one group with its limits. */
static void show_limits(const struct launch *l)
{
	const struct spec_resources *r = &l->spec->res;
	struct cgroup_limits c = { 0 };

	if (r->memory_limit > 0)
		c.memory = (uint64_t)r->memory_limit;
	if (r->cpu_quota > 0) {
		c.cpu_quota = (uint64_t)r->cpu_quota;
		c.cpu_period = r->cpu_period;
	}
	if (r->pids_limit > 0)
		c.pids = (uint64_t)r->pids_limit;
	cgroup_set_limits(&c);
}

int boot_mounts(struct kernel *k, const struct launch *l, int gofer, struct oerr *e)
{
	struct boot b = { .k = k, .l = l, .e = e, .conn = gofer_conn_new(gofer) };
	unsigned next_export = 1;
	int r;

	if (!b.conn)
		return oerr_set(e, "out of memory");
	set_tmpfs_default(l);
	dcache_set_limit(l->o->dcache);
	gofer_conn_limit_fds(b.conn, l->o->fd_cache);
	kernel_lock(k);
	show_limits(l);
	r = attach_filestore(&b);
	if (r < 0)
		oerr_errno(e, -r, "--overlay2: the filestore");
	if (r == 0)
		r = mount_root(&b);
	for (unsigned i = 0; r == 0 && i < l->spec->nmounts; i++)
		r = mount_one(&b, i, &next_export);
	if (r == 0)
		r = mount_defaults(&b);
	if (r == 0)
		r = make_devices(&b);
	if (r == 0)
		r = make_cwd(&b);
	if (r == 0)
		r = restrict_paths(&b);
	if (r == 0 && (l->spec->root_readonly || b.root_readonly))
		k->mnt->root->flags |= MNT_RDONLY | MNT_LOCK_RDONLY;
	if (b.filestore)
		inode_put(b.filestore);
	kernel_unlock(k);
	reopener = b.conn;
	memfile_reopen_readonly = reopen_readonly;
	return r;
}
