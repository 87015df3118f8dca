/* What the files of sentry/vfs share among themselves. */
#ifndef SENTRY_VFS_VFS_IMPL_H
#define SENTRY_VFS_VFS_IMPL_H

#include <string.h>

#include "sentry/vfs/fsnotify.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"

/* Bits of file.mode that only the VFS knows. */
#define FMODE_COUNTED_WRITER (1u << 28) /* in inode.writers */
#define FMODE_DENIES_WRITE (1u << 29)	/* in inode.deny_write */

#define VFS_MAX_LINKS 40

/* ---- attr.c ---- */
/* After -LX_ESTALE: the file system knows a file by a name that is gone, but there is
 * another. Tell it the one that led here; true: worth another try. */
bool path_renew(const struct path *p);

/* ---- dcache.c ---- */

#define NAME_HASH_INIT 0x811c9dc5u
static inline uint32_t name_hash_step(uint32_t h, unsigned char c)
{
	return (h ^ c) * 0x01000193u;
}
static inline uint32_t name_hash(const char *name, unsigned len)
{
	uint32_t h = NAME_HASH_INIT;

	for (unsigned i = 0; i < len; i++)
		h = name_hash_step(h, (unsigned char)name[i]);
	return h;
}

/* Is there an entry, negative ones too? It is not used by this. */
bool dcache_has(const struct dentry *parent, const char *name, unsigned len, uint32_t hash);
/* A cached entry (positive or negative), counted, or NULL. */
struct dentry *dcache_find(struct dentry *parent, const char *name, unsigned len, uint32_t hash);
/* A new entry with one reference, not in the table; takes its own references on parent
 * and inode (NULL: negative). NULL: out of memory. */
struct dentry *dentry_new(struct dentry *parent, const char *name, unsigned len, uint32_t hash,
			  struct inode *inode);
void dcache_insert(struct dentry *d);
/* Out of the table; the entry itself lives on while it is referenced. */
void dcache_remove(struct dentry *d);
/* dcache_remove, and mark as deleted. */
void dcache_delete(struct dentry *d);
bool dentry_is_hashed(const struct dentry *d);
/* After a successful rename. -LX_ENOMEM leaves the entry out of the table instead. */
void dcache_move(struct dentry *d, struct dentry *new_parent, const char *name, unsigned len);
void dcache_exchange(struct dentry *a, struct dentry *b);
/* Is d below (or equal to) top? */
bool dentry_is_below(const struct dentry *d, const struct dentry *top);
/* d's name is gone from the file system: tell cache and listeners. */
void dentry_removed(struct dentry *d, bool is_dir);
/* A rename was done: old has the name nname in ndir now, where victim (may be NULL) was. */
void dcache_renamed(struct dentry *old, struct dentry *ndir, const char *nname,
		    struct dentry *victim, uint32_t flags);
/* Remember that a name is missing, if the file system allows it. */
void dcache_add_negative(struct dentry *parent, const char *name, unsigned len, uint32_t hash);
/* Numbers for tests. */
unsigned dcache_count(void);

/* ---- mount.c ---- */
/* What is mounted on (mnt, d): borrowed or NULL. */
struct mount *mount_find(struct mount *mnt, struct dentry *d);
/* Follow mounts upwards from p (owned) in place. */
void path_cross_mounts(struct path *p);
/* The directory above the root of p's mount, as a referenced path; false at the top. */
bool path_leave_mount(const struct path *p, const struct path *root, struct path *out);
static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->mnt == b->mnt && a->dentry == b->dentry;
}
static inline bool path_readonly(const struct path *p)
{
	return (p->mnt->flags & MNT_RDONLY) || p->mnt->sb->readonly;
}
#define MAX_MOUNTS 10000 /* in a sandbox; Linux has 100000 a namespace (fs.mount-max) */
/* Attached and other mounts of guests; false: no more. */
bool mounts_room(void);
/* A mount like m, whose tree begins at root: no parent, no peers. NULL: no memory. */
struct mount *mount_copy(const struct mount *m, struct dentry *root);
/* Hang m (its reference taken over) in at parent, mountpoint; on top: it is found first. */
void mount_link(struct mount *m, struct mount *parent, struct dentry *mountpoint);
/* The counterpart; the reference goes to the caller. */
void mount_unlink(struct mount *m);
/* m and all below it enter the sandbox's list of mounts. */
void mount_tree_enter(struct kernel *k, struct mount *m);
/* Detach m and all below it, the leaves first, and drop the tree's references. */
void umount_tree(struct mount *m);

/* ---- mount_prop.c ---- */
static inline bool mount_shared(const struct mount *m)
{
	return m->group != 0;
}
/* One of LX_MS_SHARED … for m alone. */
void mount_set_propagation(struct mount *m, uint32_t type);
/* copy becomes a peer of old, or a slave of its master, as old is. */
void mount_join(struct mount *copy, struct mount *old);
void mount_become_slave(struct mount *m, struct mount *master);
/* The tree at m, whose root is `from`, copied. prune_unbindable: leave those out. */
int mount_copy_tree(struct mount *m, struct dentry *from, bool prune_unbindable,
		    struct mount **out);
/* m's tree is to be hung in at (parent, mp): give the peers and slaves of parent their
 * copies. Before it is linked; nothing has changed on failure. */
int mount_propagate(struct kernel *k, struct mount *m, struct mount *parent, struct dentry *mp);
/* Is what was propagated along with m in use? */
bool mount_propagated_busy(struct mount *m);
/* m is about to be taken away: take away its propagated copies that nothing is mounted on. */
void mount_propagate_umount(struct mount *m);

/* ---- path_text.c ---- */
#define PATH_TEXT_UNREACHABLE 1u
#define PATH_TEXT_DELETED 2u
/* The bare text, malloc'd; *flags says what it is not. */
char *path_text(struct kernel *k, const struct path *p, const struct path *root, unsigned *flags);

/* ---- walk.c ---- */
enum last_type { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };

struct walk {
	struct kernel *k;
	struct task *t;		  /* NULL at boot */
	const struct cred *cred;  /* NULL: no permission checks */
	struct path root;	  /* borrowed */
	struct path root_hold;	  /* owned copy when root is dfd (BENEATH, IN_ROOT) */
	struct path path;	  /* owned: where we are */
	unsigned flags;		  /* WALK_* */
	unsigned nlinks;
	bool at_end;		  /* the component is the last of all */
	enum last_type last_type;
	const char *last;	  /* not terminated: a '/' may follow */
	unsigned last_len;
	uint32_t last_hash;
	unsigned depth;		  /* nested symlinks below this component */
	const char *rest[VFS_MAX_LINKS + 1];
	char *bufs[VFS_MAX_LINKS + 1]; /* symlink bodies, freed at the end */
	unsigned nbufs;
	const char *name;	  /* what walk_parents() will go through */
};
int walk_init(struct walk *w, struct task *t, int dfd, const char *name, unsigned flags);
void walk_init_at(struct walk *w, struct kernel *k, const struct path *start, const char *name,
		  unsigned flags);
void walk_fini(struct walk *w);
/* All but the last component; then w->path is its directory and w->last the component. */
int walk_parents(struct walk *w);
/* The last component. 1: it was a symlink, its body is next: walk_parents() again. */
int walk_last(struct walk *w);
/* The two together, to the end, with the WALK_DIRECTORY check. */
int walk_all(struct walk *w);
static inline bool walk_trailing_slash(const struct walk *w)
{
	return w->last_type == LAST_NORM && w->last[w->last_len] != '\0';
}
/* The entry w->last of the directory w->path: counted positive, -LX_ENOENT …. No symlinks
 * followed, no mounts crossed. */
int walk_lookup_last(struct walk *w, struct dentry **out);
/* Go on to d (reference taken over), following mounts and, if asked for, a symlink: 1. */
int walk_step_into(struct walk *w, struct dentry *d, bool trailing);
/* w->last as a terminated string. */
void walk_last_name(const struct walk *w, char name[LX_NAME_MAX + 1]);

/* name (len bytes) in the directory parent: *out counted and positive, or -LX_ENOENT …. */
int dentry_lookup(struct dentry *parent, const char *name, unsigned len, uint32_t hash,
		  struct dentry **out);

/* ---- create.c ---- */
/* In procfs the lookup of a missing name fails, where other file systems find nothing: that
 * is what a call which would make it gives, before it asks for anything else. */
static inline bool dir_fails_lookups(const struct inode *dir)
{
	return dir->sb->magic == LX_PROC_SUPER_MAGIC;
}
/* May t make or remove entries in dir? */
int dir_may_create(const struct cred *c, const struct path *dir);
/* Ownership and mode of a new object in dir. */
struct new_attrs {
	uint32_t mode, uid, gid;
	struct acl *acl[2];	/* from the directory's default list; one reference each */
};
/* 0 or -LX_E…; after 0 new_attrs_done() is to be called in every case. */
int new_attrs_for(struct task *t, struct inode *dir, uint32_t mode, struct new_attrs *out);
/* i: the new object, NULL: none came to be. It gets its lists. 0 or -LX_E…. */
int new_attrs_done(struct new_attrs *a, struct inode *i);
/* Put the new inode (one reference, taken over) into the cache as (dir, name). */
int create_done(const struct path *dir, const char *name, struct inode *i, struct dentry **out);

/* ---- lock.c ---- */
void locks_close_posix(struct file *f, const void *owner);
void locks_release_file(struct file *f);
void locks_free_inode(struct inode *i);

/* ---- attr.c ---- */
/* A write or a change of length happens: drop set-id bits unless c may keep them. */
int inode_drop_privs(const struct cred *c, struct inode *i);

static inline struct ktime64 ktime64_now(void)
{
	int64_t ns = ktime_real();

	return (struct ktime64){ ns / 1000000000, (uint32_t)(ns % 1000000000) };
}

#endif
