/* Shared by the files of the guest's overlayfs. README.md explains the model. */
#ifndef SENTRY_FS_OVERLAYFS_OFS_IMPL_H
#define SENTRY_FS_OVERLAYFS_OFS_IMPL_H

#include <bsd/sys/tree.h>

#include "sentry/vfs/layer.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

#define OFS_MAX_LOWER 500 /* as on Linux */

/* One layer's part of an object. */
struct ofs_part {
	struct dentry *dentry;	/* one reference; NULL: not there */
	struct mount *mnt;	/* borrowed from the superblock */
	uint8_t fs;		/* which of the file systems that layers are on */
};

struct ofs_inode {
	struct inode vfs;
	struct ofs_part upper;
	struct ofs_part *lower;	/* directories: all that are merged; else at most one */
	unsigned nlower;
	struct inode *parent;	/* one reference; where `name` is, for copying up; NULL: root */
	char *name;
	const struct inode *key; /* in ofs_sb.inodes; NULL: not */
	RB_ENTRY(ofs_inode) by_key;
};
RB_HEAD(ofs_inodes, ofs_inode);

/* A file that was copied up goes on showing the number it had below. */
struct ofs_origin {
	RB_ENTRY(ofs_origin) by_upper;
	uint64_t upper_ino, ino;
};
RB_HEAD(ofs_origins, ofs_origin);

struct ofs_sb {
	struct mount *upper, *work;	/* in no tree; NULL: read-only */
	struct mount **lower;
	unsigned nlower;
	struct dentry *workdir;		/* the directory "work" in the work directory */
	const char *prefix;		/* of our own attributes: "trusted.overlay." … */
	struct ofs_inodes inodes;
	struct ofs_origins origins;
	uint64_t tmp;			/* names in workdir */
	char *options;
};

static inline struct ofs_inode *ofs_i(struct inode *i)
{
	return container_of(i, struct ofs_inode, vfs);
}
static inline struct ofs_sb *ofs_s(struct superblock *sb)
{
	return sb->priv;
}
/* The part that is seen. */
static inline struct ofs_part *ofs_top(struct ofs_inode *o)
{
	return o->upper.dentry ? &o->upper : &o->lower[0];
}
static inline struct path ofs_path(const struct ofs_part *p)
{
	return (struct path){ p->mnt, p->dentry };
}
static inline bool ofs_is_whiteout(const struct inode *i)
{
	return LX_S_ISCHR(i->mode) && i->rdev == 0;
}

extern const struct inode_ops ofs_inode_ops;

/* ---- ofs_inode.c ---- */
struct ofs_parts {
	struct ofs_part upper, *lower;
	unsigned nlower;
};
void ofs_parts_free(struct ofs_parts *p);
/* The overlay's inode for these parts, which are taken over, also on failure. */
int ofs_inode_get(struct superblock *sb, struct ofs_parts *p, struct inode *parent,
		  const char *name, struct inode **out);
/* The fields that permission checks look at, from the part that is seen. */
void ofs_sync(struct ofs_inode *o);
/* The upper part has come to be. */
void ofs_set_upper(struct ofs_inode *o, struct dentry *d);
/* The number that the overlay shows for an object of the upper file system. */
uint64_t ofs_upper_ino(struct ofs_sb *os, uint64_t ino);
/* The last name of an upper object went. */
void ofs_origin_drop(struct ofs_sb *os, uint64_t upper_ino);
bool ofs_is_opaque(struct ofs_sb *os, struct inode *i);
int ofs_set_opaque(struct ofs_sb *os, struct inode *i);
int ofs_lookup(struct inode *dir, const char *name, struct inode **out);
/* 1: a lower layer shows the name in dir; 0, or -errno. */
int ofs_lower_has(struct inode *dir, const char *name);
bool ofs_own_xattr(const struct ofs_sb *os, const char *name);

/* ---- ofs_copy_up.c ---- */
/* i and the directories above it get an upper part. Of the contents the first `limit`
 * bytes are wanted. May drop the kernel lock. */
int ofs_copy_up(struct inode *i, uint64_t limit);
/* A name in workdir that nobody uses. */
void ofs_tmp_name(struct ofs_sb *os, char name[32]);

/* ---- ofs_dir.c ---- */
int ofs_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
	       struct inode **out);
int ofs_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, uint32_t uid,
	      uint32_t gid, struct inode **out);
int ofs_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
		uint32_t gid, struct inode **out);
int ofs_link(struct inode *dir, const char *name, struct inode *target);
int ofs_unlink(struct inode *dir, const char *name, struct inode *victim);
int ofs_rmdir(struct inode *dir, const char *name, struct inode *victim);
int ofs_rename(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
	       const char *nname, struct inode *dst, uint32_t flags);
int ofs_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out);

/* ---- ofs_file.c ---- */
int ofs_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	     struct file **out);

/* ---- ofs_readdir.c ---- */
int ofs_open_dir(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
		 struct file **out);
/* 0: nothing in it can be seen; -LX_ENOTEMPTY, or another error. */
int ofs_check_empty(struct inode *dir);
/* Remove the whiteouts in the upper part, which are all there is. */
int ofs_clear_whiteouts(struct inode *dir);

#endif
