/* The virtual file system: inodes, dentries, mounts, path walk, open files, fd
 * tables. Everything under the kernel lock. Permission checks are made here with
 * the guest's credentials; a file system only stores and fetches. */
#ifndef SENTRY_VFS_VFS_H
#define SENTRY_VFS_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/base/auto.h"
#include "platform/base/list.h"
#include "platform/base/refs.h"
#include "sentry/kernel.h"
#include "sentry/mm/usercopy.h"
#include "sentry/wait.h"
#include "syscalls/abi/lx_errno.h"
#include "syscalls/abi/lx_types.h"

struct cred;
struct task;
struct inode;
struct dentry;
struct mount;
struct file;
struct superblock;
struct acl;

struct ktime64 {
	int64_t sec;
	uint32_t nsec;
};

/* Attributes, as in statx(2). */
struct kstat {
	uint64_t ino, size, blocks; /* blocks of 512 */
	uint32_t mode, nlink, uid, gid, blksize;
	uint32_t dev_major, dev_minor, rdev_major, rdev_minor;
	struct ktime64 atime, mtime, ctime, btime;
};

enum iattr_valid {
	IATTR_MODE = 1, IATTR_UID = 2, IATTR_GID = 4, IATTR_SIZE = 8,
	/* None of them: only the change time moves. */
	IATTR_ATIME = 16, IATTR_MTIME = 32, /* times given in the struct; CTIME follows */
};
struct iattr {
	uint32_t valid;
	uint32_t mode, uid, gid;
	uint64_t size;
	struct ktime64 atime, mtime;
	struct file *file;	/* ftruncate: the open file, else NULL */
};

struct path {
	struct mount *mnt;	/* one reference each, when owned */
	struct dentry *dentry;
};
void path_get(const struct path *p);
void path_put(struct path *p);	/* and clears it */

/* Device number as in the kernel: major << 20 | minor. */
#define KDEV(ma, mi) ((uint32_t)(((uint32_t)(ma) << 20) | (uint32_t)(mi)))

/* readdir: return false to stop (buffer full). next_pos: the position to resume at. */
struct dir_ctx {
	bool (*emit)(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		     unsigned dtype, int64_t next_pos);
};

struct poll_ctx; /* enrols a poller: poll_wait(pc, &q) */
/* Called by file_ops.poll for each queue that can change readiness; pc may be NULL. */
void poll_wait(struct poll_ctx *pc, struct waitq *q);
struct poll_ctx {
	void (*enrol)(struct poll_ctx *pc, struct waitq *q);
	uint32_t events;	/* a hint: the poll bits the caller waits for (besides ERR and
				 * HUP), so that a reader need not be woken for room to write.
				 * 0: all of them */
};

/* What mmap needs from a file. */
struct file_map {
	uint64_t off, len;	/* in */
	bool shared, want_write;/* in: MAP_SHARED; writable now or later (VMA_MAYWRITE) */
	int host_fd;		/* out: a dup the caller owns, with no more access than asked;
				 * -1: map anonymous zero memory instead */
	uint64_t host_off;	/* out */
	bool no_maywrite;	/* out: file is not writable: mprotect must not add WRITE */
};

/* Open file operations. NULL entries give the errno in brackets. None blocks: what
 * would block gives -LX_EAGAIN, and the call layer waits with poll. Short counts
 * are normal. pos NULL: the file has no position (-LX_ESPIPE was checked). */
struct file_ops {
	const char *name;
	int64_t (*read)(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf);  /* EINVAL */
	int64_t (*write)(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf); /* EINVAL */
	/* Ready events; enrol pc (may be NULL) first. NULL op: always IN|OUT|RDNORM|WRNORM. */
	uint32_t (*poll)(struct file *f, struct poll_ctx *pc);
	int64_t (*ioctl)(struct task *t, struct file *f, uint32_t cmd, uint64_t arg); /* ENOTTY */
	int64_t (*seek)(struct file *f, int64_t off, int whence);  /* generic by inode size */
	int (*readdir)(struct file *f, struct dir_ctx *c);	/* ENOTDIR; f->pos is the cursor */
	int (*mmap)(struct file *f, struct file_map *m);	/* ENODEV */
	int (*fsync)(struct file *f, bool data_only);		/* 0: nothing to do */
	int (*fallocate)(struct file *f, uint32_t mode, int64_t off, int64_t len); /* EOPNOTSUPP */
	int (*set_flags)(struct file *f, uint32_t flags);	/* F_SETFL told; may be NULL */
	int (*flush)(struct file *f, struct task *t);		/* each close(2) of an fd, which
								 * gives the result */
	void (*release)(struct file *f);			/* the last reference went */
	/* fcntl(2) commands that belong to the object: F_ADD_SEALS, F_GET_SEALS. EINVAL */
	int64_t (*fcntl)(struct task *t, struct file *f, uint32_t cmd, uint64_t arg);
	/* As read, but leaves the data where it is: pipes, for tee and splice. NULL: the
	 * file cannot be looked into. */
	int64_t (*peek)(struct file *f, struct uio *u);
	/* How a blocking read or write waits after -LX_EAGAIN, when the file has a rule of its
	 * own (socket timeouts): 0: try again; else the result of the call. NULL: by poll. */
	long (*wait)(struct task *t, struct file *f, uint32_t events);
	/* Bytes of a regular file were read through a descriptor from ->mmap(): what else a read
	 * does. NULL: read it by ->read() only. */
	void (*was_read)(struct file *f);
	/* A descriptor that its opener may write to a regular file with, for the caller to own,
	 * and with no more access than that; or -1. Then was_written(): up to end. Both or none. */
	int (*lend_write)(struct file *f);
	void (*was_written)(struct file *f, int64_t end);
	/* A short text for /proc/PID/fdinfo after pos/flags/mnt_id; may be NULL. */
	int (*fdinfo)(struct file *f, char *buf, size_t size);
	bool async;	/* O_ASYNC has an effect: its poll queues give SIGIO */
};

#define FMODE_READ 1u
#define FMODE_WRITE 2u
#define FMODE_EXEC 4u
#define FMODE_PATH 8u		/* O_PATH */
#define FMODE_STREAM 16u	/* no position: pipes, sockets, ttys: ESPIPE on seek/pread */
#define FMODE_WRITE_ALL 32u	/* a blocking write goes on until all is written */
#define FMODE_CREATED 128u	/* this open made the file: F_CREATED_QUERY */
#define FMODE_MAPPED 512u	/* it has been mapped: the file system's own note */
#define FMODE_HOST_POS 64u	/* its own position is the host's: read and write get pos NULL,
				 * pread and pwrite their position; needs ops->seek */

/* F_SETOWN, F_SETSIG: who gets the signals of a file, by whose rights. */
struct file_owner {
	int type;		/* LX_F_OWNER_* */
	int pid;		/* 0: nobody */
	uint32_t uid, euid;	/* of the one who said so */
	int sig;		/* 0: plain SIGIO */
};

/* An open file description. */
struct file {
	struct refs refs;
	struct kernel *k;
	const struct file_ops *ops;
	uint32_t mode;		/* FMODE_* */
	uint32_t flags;		/* LX_O_APPEND, NONBLOCK, DIRECT, NOATIME, ASYNC + access mode */
	int64_t pos;
	struct path path;	/* one reference; anonymous objects sit on the anon mount */
	struct inode *inode;	/* one reference; == path.dentry->inode at open, but for
				 * overlay files that are read straight from the lower
				 * layer: there the lower inode (file_inode() is the other) */
	void *priv;		/* of ops */
	struct file_owner owner;
	struct fasync *fasync;	/* O_ASYNC is on: sentry/vfs/fasync.c */
	struct list epoll_links;/* struct epitem; sentry/fs/anon/epoll.c. file_new() makes it
				 * empty; the last file_put() calls epoll_file_released()
				 * (sentry/fs/anon/epoll.h) before ops->release */
	uint64_t ra[2];
	struct list dead_link;	/* VFS: waiting for its release */
};

/* Makes a file with one reference; takes references on path and its inode. */
struct file *file_new(struct kernel *k, const struct file_ops *ops, const struct path *path,
		      uint32_t mode, uint32_t flags);
/* An object without a name in any tree (eventfd, epoll …): "anon_inode:[name]" as
 * /proc/self/fd shows it; name is a literal. mode: S_IFMT bits for fstat (0: the
 * anonymous inode's 0600; pipes: S_IFIFO|0600; sockets: S_IFSOCK|0777).
 * link: what readlink shows, NULL: "anon_inode:name" ("pipe:[ino]" etc. are made from
 * mode and ino). */
struct file *file_new_anon(struct kernel *k, const struct file_ops *ops, const char *name,
			   uint32_t mode_fmt, uint32_t fmode, uint32_t flags, void *priv);
/* The two halves of file_new_anon, for several files on one inode (both ends of a pipe):
 * a fresh inode of the anon superblock (one reference, own number, mode_fmt as above; its
 * mode keeps S_IFIFO, so that opening /proc/PID/fd/N of a pipe is a fifo_open()), and a
 * file on such an inode (takes its own reference on i). NULL: out of memory. */
struct inode *anon_inode_new(struct kernel *k, uint32_t mode_fmt);
struct file *file_new_anon_inode(struct kernel *k, const struct file_ops *ops, const char *name,
				 struct inode *i, uint32_t fmode, uint32_t flags, void *priv);
void file_get(struct file *f);
void file_put(struct file *f);
DEFINE_AUTO_PUT(file)

/* The inode that the name led to: what stat, locks and inotify are about. */
static inline struct inode *file_inode(const struct file *f);

/* ops->seek of objects without a position where lseek(2) succeeds and changes nothing:
 * eventfd, epoll and the like. */
int64_t file_seek_nowhere(struct file *f, int64_t off, int whence);

/* For readdir operations: "." and ".." as entries 0 and 1 of the cursor. A file system's
 * readdir emits all its entries, these two included. After each accepted entry the VFS
 * sets f->pos to the next_pos that was given with it. False: the buffer is full. */
bool dir_emit_dots(struct file *f, struct dir_ctx *c);
/* A read happened: update the access time in the inode's fields as the mount's atime
 * options say (relatime by default). For file systems that live in memory. */
void file_touch_atime(struct file *f);

/* Blocking I/O on behalf of t (parks): the results of read(2), write(2) and friends.
 * pos: NULL for the file's own. Handles O_NONBLOCK, RWF_NOWAIT, partial results. */
int64_t file_read(struct task *t, struct file *f, struct uio *u, int64_t *pos, uint32_t rwf);
int64_t file_write(struct task *t, struct file *f, struct uio *u, int64_t *pos, uint32_t rwf);
/* Wait until one of the events may be ready: -LX_EPARK or -LX_ERESTARTSYS. */
long file_wait(struct task *t, struct file *f, uint32_t events);
/* Read from sentry code (loader): bytes or -errno; may drop the kernel lock. */
int64_t file_pread_kernel(struct file *f, void *buf, size_t len, int64_t pos);

/* ---- inodes ---- */

/* ->walk() as part of ->revalidate_walk(): names in; found (room for n), count and err out,
 * 0 and 0 beforehand. */
struct chain_walk {
	const char *const *names;
	unsigned n;
	struct inode **found;
	unsigned count;
	int err;
};

/* How ->lookup_ahead() tells what it found beside the name asked for. */
struct lookup_more {
	/* Is this name in the cache already? (Or known otherwise, and not to be brought?) */
	bool (*cached)(const struct lookup_more *m, struct dentry *parent, const char *name,
		       unsigned len);
	/* Into the cache; takes over the inode's reference. The entry, counted, or NULL. Its
	 * inode is i, or a file system's above that holds i. */
	struct dentry *(*enter)(const struct lookup_more *m, struct dentry *parent,
				const char *name, unsigned len, struct inode *i);
	struct dentry *parent;	/* the directory's entry */
	struct inode *up;	/* the directory that it lies in, or NULL */
	struct dentry *first;	/* the entry of the name asked for, if it was entered; counted */
};

struct inode_ops {
	/* Directory operations; dir is locked by the kernel lock. On success *out has one
	 * reference. lookup gives -LX_ENOENT for a missing name. */
	int (*lookup)(struct inode *dir, const char *name, struct inode **out);
	/* Optional, instead of lookup: entries that are likely to be asked for next are put
	 * into the cache by the way, also when it fails. */
	int (*lookup_ahead)(struct inode *dir, const char *name, struct inode **out,
			    struct lookup_more *m);
	/* Optional: resolve several components at once (no symlink following, no "..");
	 * out[i] referenced for i < *count; *count < n: out stops there, and *err says why
	 * (-LX_ENOENT: that name is missing; 0: stop at a non-directory). */
	int (*walk)(struct inode *dir, const char *const *names, unsigned n, struct inode **out,
		    unsigned *count);
	/* uid/gid/mode are final (umask and setgid-directory already applied), unless the
	 * superblock says umask_below. */
	int (*create)(struct inode *dir, const char *name, uint32_t mode, uint32_t uid,
		      uint32_t gid, struct inode **out); /* regular, exclusive */
	int (*mkdir)(struct inode *dir, const char *name, uint32_t mode, uint32_t uid,
		     uint32_t gid, struct inode **out);
	int (*mknod)(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev,
		     uint32_t uid, uint32_t gid, struct inode **out); /* FIFO, socket, devices */
	int (*symlink)(struct inode *dir, const char *name, const char *target, uint32_t uid,
		       uint32_t gid, struct inode **out);
	int (*link)(struct inode *dir, const char *name, struct inode *target);
	int (*unlink)(struct inode *dir, const char *name, struct inode *victim);
	int (*rmdir)(struct inode *dir, const char *name, struct inode *victim);
	int (*rename)(struct inode *odir, const char *oname, struct inode *victim_src,
		      struct inode *ndir, const char *nname, struct inode *victim_dst,
		      uint32_t flags); /* LX_RENAME_* */
	int (*tmpfile)(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		       struct inode **out);
	/* Symlinks: target into buf (size bytes), length or -errno. */
	int (*readlink)(struct inode *i, char *buf, size_t size);
	/* Magic links (/proc/self/fd/N, exe, cwd, root): jump straight to the path
	 * (referenced). NULL for ordinary symlinks. t: who walks. */
	int (*get_link)(struct inode *i, struct task *t, struct path *out);

	/* NULL: from the inode's fields. */
	int (*getattr)(struct inode *i, struct kstat *out);
	int (*setattr)(struct inode *i, const struct iattr *a); /* EPERM; update the fields too */
	/* Make the open file; path is where it was found. NULL: ENXIO. Symlinks never. */
	int (*open)(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		    struct file **out);
	/* Is the cached entry still true? (shared mounts, /proc/PID) NULL: always. */
	bool (*revalidate)(struct dentry *d);
	/* Instead of revalidate, for several at once: d[0] and entries each of which lies in
	 * the one before it. How many of them, from the first on, are still true. Missing names
	 * may be cached, and are not believed after the call that found them missing. */
	unsigned (*revalidate_chain)(struct dentry *const *d, unsigned n);
	/* Optional: the same, and if all are true also ->walk from the last of them. */
	unsigned (*revalidate_walk)(struct dentry *const *d, unsigned n, struct chain_walk *w);
	int64_t (*getxattr)(struct inode *i, const char *name, void *buf, size_t size);
	int (*setxattr)(struct inode *i, const char *name, const void *val, size_t size,
			uint32_t flags);
	int64_t (*listxattr)(struct inode *i, char *buf, size_t size);
	int (*removexattr)(struct inode *i, const char *name);
	/* POSIX ACLs (sentry/vfs/acl.h); NULL: the file system has none. get_acl: *out counted
	 * or NULL; 0: the answer holds until it is changed through here or forgotten; 1: ask
	 * again each time; -LX_EOPNOTSUPP: this one cannot have any. set_acl: a NULL removes;
	 * an access list brings the mode with it. */
	int (*get_acl)(struct inode *i, int type, struct acl **out);
	int (*set_acl)(struct inode *i, int type, struct acl *a);
	bool lists_acl; /* listxattr names them */
	/* inotify has got its first mark on i, or lost its last one: whoever changes things
	 * without the VFS is to be watched. at: where i was found. NULL: nobody does. */
	void (*watch)(struct inode *i, const struct dentry *at, bool on);
	/* Inode flags of regular files and directories: LX_FS_*_FL. NULL: none (ENOTTY). */
	int (*fileattr_get)(struct inode *i, uint32_t *flags);
	int (*fileattr_set)(struct inode *i, uint32_t flags);
	void (*free)(struct inode *i); /* last reference: free priv and the inode itself */
	/* Access beyond mode bits (e.g. /proc/PID ownership); NULL: none. */
	int (*permission)(struct inode *i, const struct cred *c, unsigned mask);
};

struct inode {
	struct refs refs;
	const struct inode_ops *ops;
	struct superblock *sb;	/* one reference */
	uint64_t ino;
	uint32_t mode, nlink, uid, gid, rdev; /* rdev: KDEV */
	uint64_t size, blocks;
	struct ktime64 atime, mtime, ctime, btime;
	void *priv;
	struct list watches;	/* inotify marks */
	void *pipe;		/* S_IFIFO of any kind (also of pipe(2)): opened with
				 * fifo_open(), sentry/fs/pipe/pipe.h */
	void *socket;		/* bound AF_UNIX socket: sentry/net */
	void *locks;		/* flock and POSIX locks: sentry/vfs/lock.c */
	uint8_t write_hint;	/* F_SET_RW_HINT: remembered */
	uint32_t writers;	/* open for writing (ETXTBSY), in VFS's hands */
	int32_t deny_write;	/* being executed */
	bool linkable;		/* O_TMPFILE: may get its first name */
	uint32_t fl;		/* LX_FS_*_FL that the VFS heeds */
	uint32_t attributes;	/* LX_STATX_ATTR_* beside those */
	uint8_t acl_known;	/* 1 << ACL_*: acl[] has the answer (NULL: none) … */
	struct acl *acl[2];	/* … one reference each */
};

#define INODE_ACL_UNSUPPORTED 4u /* in acl_known */

/* Fill in the common fields; one reference; takes one on sb. */
void inode_init(struct inode *i, struct superblock *sb, const struct inode_ops *ops,
		uint64_t ino, uint32_t mode);
void inode_fini(struct inode *i); /* counterpart, called by ops->free */
void inode_get(struct inode *i);
void inode_put(struct inode *i);
DEFINE_AUTO_PUT(inode)
void inode_touch_ctime(struct inode *i);
void inode_touch_mtime(struct inode *i); /* and ctime */
uint64_t superblock_next_ino(struct superblock *sb);

struct superblock {
	struct refs refs;
	struct kernel *k;
	const char *type;	/* "tmpfs", literal */
	uint32_t dev;		/* st_dev, KDEV(0, n), unique */
	uint64_t magic;		/* statfs f_type */
	uint64_t next_ino;
	void *priv;
	const struct sb_ops *ops;
	bool negative_ok;	/* missing names may be cached (exclusive) */
	bool no_dcache;		/* look every name up again (proc) */
	bool special_open;	/* its FIFOs, sockets and device nodes are opened by its
				 * own ops->open (host stdio files, devpts) */
	bool readonly;		/* the file system itself, whatever the mount says */
	bool opening;		/* lookups under way are WALK_OPEN's: a file system that has to ask
				 * elsewhere may ask for more at once */
	uint32_t attributes;	/* LX_STATX_ATTR_* that inodes may have, beside the usual ones */
	bool umask_below;	/* new objects get their mode with MODE_UMASK bits: what is below
				 * applies the umask, or a directory's default ACL instead */
	uint8_t stack_depth;	/* file systems below this one, stacked */
	uint32_t nmounts;	/* in VFS's hands */
	uint32_t writers;	/* files open for writing, in VFS's hands */
};
#define MODE_UMASK_SHIFT 16
#define MODE_UMASK(mode) ((mode) >> MODE_UMASK_SHIFT & 0777u)
struct lx_statfs;
struct sb_ops {
	int (*statfs)(struct superblock *sb, struct lx_statfs *out);
	void (*free)(struct superblock *sb); /* free priv */
	int (*sync)(struct superblock *sb);
	/* mount(2) with MS_REMOUNT: new options (NULL: none). NULL op: ignored. */
	int (*remount)(struct superblock *sb, const char *data);
	/* The options as mountinfo shows them, malloc'd ("size=64k,mode=755"); NULL op: what
	 * was given when it was mounted. */
	char *(*options)(struct superblock *sb);
};
struct superblock *superblock_new(struct kernel *k, const char *type, uint64_t magic,
				  const struct sb_ops *ops, void *priv);
void superblock_get(struct superblock *sb);
void superblock_put(struct superblock *sb);

/* ---- file system types and mounts ---- */

#define MNT_RDONLY 1u
#define MNT_NOSUID 2u
#define MNT_NODEV 4u
#define MNT_NOEXEC 8u
#define MNT_NOATIME 16u
#define MNT_RELATIME 32u
#define MNT_NODIRATIME 64u
#define MNT_NOSYMFOLLOW 128u
#define MNT_ATIME_MASK (MNT_NOATIME | MNT_RELATIME | MNT_NODIRATIME)
/* What the guest may ask for. */
#define MNT_USER_MASK (MNT_RDONLY | MNT_NOSUID | MNT_NODEV | MNT_NOEXEC | MNT_ATIME_MASK | \
		       MNT_NOSYMFOLLOW)
#define MNT_UNBINDABLE 256u
#define MNT_LOCKED 512u		/* not to be taken away on its own */
#define MNT_LOCK_RDONLY 1024u	/* not to be made writable */

struct fs_type {
	const char *name;
	/* data: mount options ("size=1m,mode=755"), may be NULL. *root: root inode. */
	int (*mount)(struct kernel *k, const char *source, const char *data,
		     struct superblock **sb, struct inode **root);
	/* As mount, for types whose options name paths: resolved for t. Instead of mount. */
	int (*mount_by)(struct task *t, const char *source, const char *data,
			struct superblock **sb, struct inode **root);
	/* Is this option good? (fsconfig) value NULL: a flag. NULL op: told when mounting. */
	int (*check)(const char *key, const char *value);
	bool nodev;		/* /proc/filesystems */
	bool guest_mountable;
};
/* Table in sentry/fs/fs_types.c */
const struct fs_type *fs_type_lookup(const char *name);
extern const struct fs_type tmpfs_type, proc_type, sysfs_type, devtmpfs_type, devpts_type,
	mqueue_type, ramfs_type, cgroup2_type, overlayfs_type;
const struct fs_type *fs_type_at(unsigned i); /* NULL past the end */

struct mount {
	struct refs refs;
	int id, parent_id;
	struct superblock *sb;
	struct dentry *root;	/* one reference */
	struct mount *parent;	/* borrowed: the mount tree holds children */
	struct dentry *mountpoint; /* one reference; NULL for the root mount */
	uint32_t flags;		/* MNT_* */
	uint32_t writers;	/* files open for writing through it */
	bool expiry_mark;	/* MNT_EXPIRE was asked for, and nobody came by since */
	bool attached;		/* in the tree of the sandbox */
	bool floating;		/* was never there: its reference is a file's to drop */
	char *source, *options;	/* for mountinfo */
	struct list children, sibling; /* in parent->children */
	struct list all;	/* in mount_ns.all */
	/* Propagation, sentry/vfs/mount_prop.c. */
	int group;		/* peer group, 0: not shared */
	struct list peers;	/* ring of the group's mounts */
	struct mount *master;	/* whose events come here; borrowed: it lets go of its slaves */
	struct list slaves, slave_link;
	struct {
		struct list link;
		struct mount *leader;	/* the first of its group that was met */
		struct mount *above;	/* leaders: that of the master's group */
		struct mount *rep;	/* leaders: what copies in the group are made from */
		struct mount *copy;	/* the one made here */
		struct mount *twin;	/* while a tree is copied: the copy of this mount */
		bool own;		/* leaders: rep is a mount in this group */
		bool seen, fresh;
	} walk;			/* of mount_prop.c, while it runs */
};
/* Never used again for another mount (statx, statmount). */
static inline uint64_t mount_unique_id(const struct mount *m)
{
	return (1ull << 31) + (uint64_t)m->id;
}
struct mount_ns {
	struct mount *root;
	struct list all;
	int next_group;		/* of peers */
	struct mount *anon;	/* pipes, sockets, anon inodes; not in any tree */
};
/* Root of the sandbox. */
int mount_ns_new(struct kernel *k, struct superblock *sb, struct inode *root, uint32_t flags,
		 const char *source, struct mount_ns **out);
/* Shutdown: let go of all mounts and k->mnt. */
void mount_ns_free(struct kernel *k);
/* Attach a file system (or, for a bind, an existing subtree) at path. */
int vfs_mount(struct kernel *k, const struct path *at, struct superblock *sb,
	      struct inode *root, uint32_t flags, const char *source, const char *options);
int vfs_bind(struct kernel *k, const struct path *at, const struct path *from, bool recursive,
	     uint32_t flags);
/* flags: LX_MNT_*. -LX_EAGAIN: MNT_EXPIRE marked it (the caller sets expiry_mark anew after
 * it has let go of at). */
int vfs_umount(struct kernel *k, const struct path *at, uint32_t flags);
/* Take the tree at `from` (the root of a mount, perhaps one that is in no tree yet) and hang
 * it in at `to`. */
int vfs_move_mount(struct kernel *k, const struct path *from, const struct path *to);
/* Make new_root the root of the sandbox and hang the old one in at put_old. root: the
 * caller's root. Tasks whose root or working directory was the old root go along. */
int vfs_pivot_root(struct kernel *k, const struct path *root, const struct path *new_root,
		   const struct path *put_old);
/* Propagation type of the mount at p, which must be its root: one of LX_MS_SHARED,
 * LX_MS_PRIVATE, LX_MS_SLAVE, LX_MS_UNBINDABLE; rec: and of all below. */
int vfs_mount_propagation(struct kernel *k, const struct path *p, uint32_t type, bool rec);
/* A copy of the mount at p (rec: with what is mounted below), in no tree; *out has the one
 * reference that mount_discard() drops. p must be in the tree. */
int vfs_clone_tree(struct kernel *k, const struct path *p, bool rec, struct mount **out);
/* The end of a tree that was never hung in; nothing if it was. */
void mount_discard(struct mount *m);
/* Set and clear MNT_* flags of the mount at p (its root), rec: of all below too, or of none. */
int vfs_mount_setattr(const struct path *p, uint32_t set, uint32_t clear, bool rec);
/* to joins the peers and the master of from. */
int vfs_mount_set_group(struct mount *from, struct mount *to);
/* Where in its file system m's root lies, malloc'd. */
char *mount_root_text(const struct mount *m);
/* What mountinfo shows besides flags, malloc'd; never NULL but without memory. */
char *mount_options_text(const struct mount *m);
/* The closest mount above m's master that can be seen from root: propagate_from. */
int mount_dominating_group(const struct mount *m, const struct path *root);
/* The mount after `m` in the tree below top, parents first; NULL at the end. */
struct mount *mount_tree_next(const struct mount *m, const struct mount *top);
/* Make `name` below start if it is missing, parents too (mode 0755, root's): a directory,
 * or an empty file. *out (may be NULL) is referenced. For boot; no permission checks. */
int vfs_make_mountpoint(struct kernel *k, const struct path *start, const char *name, bool dir,
			struct path *out);
/* Every mount that can be seen from root, in mount order, with its mount point as text:
 * for /proc/PID/mountinfo. emit returns 0 to go on. */
int mount_ns_show(struct kernel *k, const struct path *root,
		  int (*emit)(void *ctx, const struct mount *m, const char *mountpoint), void *ctx);
/* Change the user's MNT_* flags of the mount that p is on; bind: of the mount alone, else
 * of its file system too, with new options. -LX_EBUSY: not read-only while files are open
 * for writing. -LX_EPERM: locked read-only. */
int vfs_remount(struct kernel *k, const struct path *p, uint32_t flags, bool bind,
		const char *data);
/* A mount that is in no tree: internal layers. One reference; takes one on sb and root. */
struct mount *mount_new(struct superblock *sb, struct inode *root, uint32_t flags,
			const char *source, const char *options);
void mount_get(struct mount *m);
void mount_put(struct mount *m);

/* ---- dentries ---- */
struct dentry {
	struct refs refs;
	struct dentry *parent;	/* one reference; NULL for a root; kept when unlinked */
	struct inode *inode;	/* one reference; NULL: negative */
	char *name;
	bool unhashed;		/* removed or renamed over: "(deleted)" */
	uint32_t hash, name_len;
	unsigned nmounts;	/* something is mounted here in some mount */
	uint64_t valid_at;	/* revalidate_chain: kernel->ctxt when last found true */
	void *impl[8];		/* dcache linkage, sentry/vfs/dcache.c */
};
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
struct dentry *dentry_new_root(struct inode *root); /* one ref; takes one on root */
/* Forget cached children, e.g. after a mount's content changed. */
void dcache_prune(struct dentry *d);
/* The entry (parent, name) went away or changed without a call through the VFS: forget it. */
void dcache_forget(struct dentry *parent, const char *name);
/* How many unused entries are kept (default 65536). */
void dcache_set_limit(unsigned max_unused);
unsigned dcache_limit(void);
/* Let go of all but the max_unused last used of the unused entries, now. */
void dcache_shrink(unsigned max_unused);
/* A name for inode i that no tree shows (memfd, shm): takes a reference on i. */
struct dentry *dentry_new_detached(struct inode *i, const char *name);

static inline struct inode *file_inode(const struct file *f)
{
	return f->path.dentry->inode;
}

/* ---- path walk ---- */
#define WALK_FOLLOW 1u		/* follow a symlink at the end */
#define WALK_DIRECTORY 2u	/* must be a directory */
#define WALK_PARENT 4u		/* stop at the parent of the last component */
#define WALK_EMPTY 8u		/* AT_EMPTY_PATH: "" means dfd itself */
#define WALK_NO_SYMLINKS 16u	/* RESOLVE_NO_SYMLINKS */
#define WALK_NO_MAGIC 32u
#define WALK_NO_XDEV 64u
#define WALK_BENEATH 128u
#define WALK_IN_ROOT 256u
#define WALK_NO_MOUNT 512u	/* do not cross into a mount at the last component */
#define WALK_OPEN 1024u		/* a regular file at the end is going to be opened for reading */

/* Resolve name relative to dfd (LX_AT_FDCWD or an fd). *out is referenced, its dentry
 * positive. May leave the kernel lock? No: it is held throughout. */
int vfs_lookup(struct task *t, int dfd, const char *name, unsigned walk, struct path *out);
/* With WALK_PARENT semantics: *out is the parent directory, *last points into name's
 * copy (malloc'd *last_buf, caller frees); trailing: a slash followed. */
int vfs_lookup_parent(struct task *t, int dfd, const char *name, unsigned walk,
		      struct path *out, char **last_buf, bool *trailing_slash);
/* From a given start without a task (boot). */
int vfs_lookup_at(struct kernel *k, const struct path *start, const char *name, unsigned walk,
		  struct path *out);

/* Path text as seen from root (NULL: the mount root); "(unreachable)…" or " (deleted)"
 * as /proc shows. malloc'd. */
char *vfs_path_string(struct kernel *k, const struct path *p, const struct path *root);

/* MAY_* mask check on an inode with cred c: 0 or -LX_EACCES/-LX_EPERM. */
#define MAY_EXEC 1u
#define MAY_WRITE 2u
#define MAY_READ 4u
int inode_permission(const struct cred *c, struct inode *i, unsigned mask);
int vfs_getattr(const struct path *p, struct kstat *out);
int file_getattr(struct file *f, struct kstat *out);

/* open(2) in full: flags LX_O_*, mode for creation, resolve LX_RESOLVE_*. */
int vfs_open(struct task *t, int dfd, const char *name, uint32_t flags, uint32_t mode,
	     uint64_t resolve, struct file **out);
/* Open what path points to (no lookup, permission checked unless c is NULL). */
int vfs_open_path(struct kernel *k, const struct cred *c, const struct path *p, uint32_t flags,
		  struct file **out);
/* Open a program to run: execute permission, regular, mount not noexec, deny writers. */
int vfs_open_exec(struct task *t, int dfd, const char *name, uint32_t at_flags,
		  struct file **out);
/* Bind an AF_UNIX name: make a socket node; *out has one reference. */
int vfs_mksock(struct task *t, const char *name, uint32_t mode, struct path *out);

/* ---- per-task file system context ---- */
struct fs_ctx {
	struct refs refs;
	struct path root, cwd;
	uint32_t umask;
};
struct fs_ctx *fs_ctx_new(const struct path *root, const struct path *cwd, uint32_t umask);
struct fs_ctx *fs_ctx_dup(const struct fs_ctx *old);
void fs_ctx_get(struct fs_ctx *f);
void fs_ctx_put(struct fs_ctx *f);

/* ---- fd tables ---- */
struct fdtable; /* sentry/vfs/fdtable.c */
struct fdtable *fdtable_new(void);
struct fdtable *fdtable_dup(struct fdtable *old); /* NULL: out of memory */
void fdtable_get(struct fdtable *ft);
void fdtable_put(struct fdtable *ft, struct task *t); /* the last one closes all */
/* Counted or NULL. */
struct file *fdtable_lookup(struct fdtable *ft, int fd);
/* As fdget in calls: -LX_EBADF through *err, refuses O_PATH files. */
struct file *fd_file(struct task *t, int fd, int *err);
struct file *fd_file_any(struct task *t, int fd, int *err); /* O_PATH allowed */
#define FD_CLOEXEC_FLAG 1u
/* Lowest free fd >= min below RLIMIT_NOFILE: fd or -LX_EMFILE/-LX_ENOMEM. Takes its own
 * reference on f. */
int fdtable_add(struct task *t, struct file *f, uint32_t fdflags);
int fdtable_add_min(struct task *t, struct file *f, int min, uint32_t fdflags);
int fdtable_set(struct task *t, int fd, struct file *f, uint32_t fdflags); /* dup2 */
int fdtable_close(struct task *t, int fd);
void fdtable_close_exec(struct task *t);
int fdtable_next(struct fdtable *ft, int from, struct file **out); /* fd >= from, -1 at end; counted */
int fdtable_flags(struct fdtable *ft, int fd); /* FD_CLOEXEC_FLAG or 0, -LX_EBADF */
int fdtable_set_flags(struct fdtable *ft, int fd, uint32_t fdflags);

/* ---- events for inotify: called by VFS and file systems ---- */
void fsnotify(struct inode *i, uint32_t mask, const char *name, uint32_t cookie);
void fsnotify_dentry(struct dentry *d, uint32_t mask); /* to the inode and its parent */

#endif
