/* Shared by the files of the overlay. README.md explains the model. */
#ifndef SENTRY_FS_OVERLAY_OVERLAY_IMPL_H
#define SENTRY_FS_OVERLAY_OVERLAY_IMPL_H

#include "sentry/fs/overlay/overlay.h"
#include "sentry/fs/tmpfs/dirtab.h"
#include "sentry/fs/tmpfs/memfile.h"
#include "sentry/vfs/simple_xattr.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

/* dirnode.flags. A node without an inode is a whiteout. A weak node holds a reference on
 * its directory and none on its inode, which takes the node along when it goes; any other
 * node holds a reference on its inode and none on its directory. */
#define OVL_IN_LOWER 1u /* the lower directory has this name */
#define OVL_WEAK 2u

struct ovl_inode {
	struct inode vfs;
	struct inode *lower;	/* one reference; NULL: made here */
	struct list aliases;	/* struct dirnode.alias: the names that lead here */
	bool pinned;		/* changed: kept for as long as it has a name */
	bool own_attrs;		/* the fields of vfs are the truth, not the lower inode's */
	bool own_xattrs;
	bool own_data;		/* regular files: `file` holds the contents */
	bool in_links;		/* in ovl_sb.links */
	bool link_ref;		/* ovl_sb.links holds a reference */
	RB_ENTRY(ovl_inode) by_lower;
	struct simple_xattrs xattrs;
	union {
		struct memfile file;
		struct dirtab dir;
		char *target;	/* symlinks made here */
	};
};
RB_HEAD(ovl_links, ovl_inode);

struct ovl_sb {
	struct memquota q;
	struct inode *filestore; /* one reference; NULL: contents are memory */
	struct mount *lower_mnt; /* in no tree: where lower files are opened */
	struct ovl_links links;	 /* lower files with several names, by identity */
	struct inode *root;	 /* borrowed */
};

static inline struct ovl_inode *ovl_i(struct inode *i)
{
	return container_of(i, struct ovl_inode, vfs);
}
static inline struct ovl_sb *ovl_s(struct superblock *sb)
{
	return sb->priv;
}

extern const struct inode_ops ovl_inode_ops;

/* ---- overlay.c ---- */
/* An inode for lower (reference taken over, also on failure), one reference. */
int ovl_from_lower(struct superblock *sb, struct inode *lower, struct inode **out);
/* A new inode that only exists here, one reference. */
int ovl_make(struct superblock *sb, uint32_t mode, uint32_t uid, uint32_t gid,
	     struct inode **out);
/* The fields of an unchanged object, as they are below. */
void ovl_take_attrs(struct inode *i, const struct inode *lower);
struct ovl_inode *ovl_links_find(struct ovl_sb *os, const struct inode *lower);
void ovl_links_drop_ref(struct ovl_inode *o);
void ovl_free(struct inode *i);
/* Keep o, and the directories above it, for as long as they have names. */
void ovl_pin(struct ovl_inode *o);
void ovl_node_make_strong(struct dirnode *n);

/* ---- copy_up.c ---- */
/* From now on the attributes are kept here. */
int ovl_own_attrs(struct ovl_inode *o);
/* … the contents, of which the first `limit` bytes are wanted. May drop the kernel lock. */
int ovl_own_data(struct ovl_inode *o, uint64_t limit);
int ovl_own_xattrs(struct ovl_inode *o);
/* Open the lower inode itself, with a path of the lower layer. */
int ovl_open_lower(struct ovl_inode *o, uint32_t fmode, uint32_t flags, struct file **out);

/* ---- overlay_dir.c ---- */
int ovl_lookup(struct inode *dir, const char *name, struct inode **out);
int ovl_lookup_ahead(struct inode *dir, const char *name, struct inode **out,
		     struct lookup_more *m);
int ovl_walk(struct inode *dir, const char *const *names, unsigned n, struct inode **out,
	     unsigned *count);
int ovl_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
	       struct inode **out);
int ovl_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, uint32_t uid,
	      uint32_t gid, struct inode **out);
int ovl_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
		uint32_t gid, struct inode **out);
int ovl_link(struct inode *dir, const char *name, struct inode *target);
int ovl_unlink(struct inode *dir, const char *name, struct inode *victim);
int ovl_rmdir(struct inode *dir, const char *name, struct inode *victim);
int ovl_rename(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
	       const char *nname, struct inode *dst, uint32_t flags);
int ovl_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out);

/* dir/name is no longer the lower object that i stands for: look it up anew. */
void ovl_drop_weak(struct inode *dir, const char *name, const struct inode *i);

/* ---- overlay_file.c ---- */
int ovl_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	     struct file **out);
/* Does the lower directory have a name that no whiteout hides? 1, 0 or -errno. */
int ovl_lower_shows(struct ovl_inode *o);

#endif
