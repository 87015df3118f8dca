/* Generated files: directories and files that are made from tables of functions, not
 * stored. procfs and sysfs are built on it.
 *
 * A file's text is made whole when it is first read (and anew at each read from position
 * 0), and kept with the open file until its end was read: a reader that takes it in
 * pieces sees one consistent state. Inodes are made at each lookup, with numbers hashed
 * from their path, so that they come out the same each time. */
#ifndef SENTRY_FS_PROC_PSEUDO_H
#define SENTRY_FS_PROC_PSEUDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_stat.h"

struct task;
struct cred;
struct pseudo_entry;

/* Growing text. An allocation that fails is remembered; the read gives ENOMEM. */
struct pseudo_buf {
	char *data;
	size_t len, cap;
	bool failed;
};
#define PSEUDO_MAX_TEXT (64u << 20)
void pb_write(struct pseudo_buf *b, const void *data, size_t len);
void pb_puts(struct pseudo_buf *b, const char *s);
__attribute__((format(printf, 2, 3))) void pb_printf(struct pseudo_buf *b, const char *fmt, ...);
/* As Linux's seq_escape and d_path users do: characters of esc as \ooo. */
void pb_escape(struct pseudo_buf *b, const char *s, const char *esc);

/* What a node is about; a static child inherits it from its directory. */
struct pseudo_id {
	int tgid, tid;		/* 0: no process */
	uint64_t start;		/* of the process: tells a reused number */
	uint64_t arg;		/* of the file system */
};

struct pseudo_node {
	struct inode i;
	const struct pseudo_entry *e;
	struct pseudo_id id;
};

static inline struct pseudo_node *pseudo_node_of(struct inode *i)
{
	return container_of(i, struct pseudo_node, i);
}

/* A dynamic child as lookup finds it. */
struct pseudo_found {
	const struct pseudo_entry *e;
	struct pseudo_id id;	/* in: the directory's */
};

struct pseudo_entry {
	const char *name;	/* NULL ends a table */
	uint32_t mode;		/* with the type; what stat shows */
	const struct pseudo_entry *children; /* directories: static entries */
	/* The text. 0 or -errno. */
	int (*show)(struct pseudo_node *n, struct pseudo_buf *b);
	/* One write: bytes taken or -errno. text is NUL-terminated behind len bytes. */
	int64_t (*write)(struct pseudo_node *n, char *text, size_t len);
	int (*readlink)(struct pseudo_node *n, char *buf, size_t size);
	int (*get_link)(struct pseudo_node *n, struct task *t, struct path *out);
	/* Directories: further children. lookup: 0 with *out, or -errno. next: the first
	 * child at or after *cursor; sets *cursor to its own, false at the end. */
	int (*lookup)(struct pseudo_node *dir, const char *name, struct pseudo_found *out);
	bool (*next)(struct pseudo_node *dir, uint64_t *cursor, char *name, size_t size,
		     unsigned *dtype);
	/* Instead of the text file made from show and write. */
	int (*open)(struct pseudo_node *n, const struct path *path, uint32_t fmode,
		    uint32_t flags, struct file **out);
	/* Beyond the mode bits. 0 or -errno. */
	int (*permission)(struct pseudo_node *n, const struct cred *c, unsigned mask);
	/* Is it still there? (beyond the file system's own check) */
	bool (*valid)(struct pseudo_node *n);
	uint64_t arg;		/* for functions that serve several entries */
};

#define PSEUDO_DIR(name_, perm, ...) \
	{ .name = (name_), .mode = LX_S_IFDIR | (perm), __VA_ARGS__ }
#define PSEUDO_REG(name_, perm, ...) \
	{ .name = (name_), .mode = LX_S_IFREG | (perm), __VA_ARGS__ }
#define PSEUDO_LNK(name_, ...) \
	{ .name = (name_), .mode = LX_S_IFLNK | 0777, __VA_ARGS__ }

/* The file system: superblock.priv points to one. */
struct pseudo_fs {
	/* Bring owner and mode of the inode up to date; false: what it is about is gone.
	 * May be NULL. */
	bool (*refresh)(struct pseudo_node *n);
	uint64_t file_size;	/* what stat shows as the size of files */
};

/* A node for an entry of the file system; one reference. NULL: out of memory. */
struct inode *pseudo_inode_new(struct superblock *sb, const struct pseudo_entry *e,
			       const struct pseudo_id *id, uint64_t ino);
/* The number of child `name` of a directory. */
uint64_t pseudo_child_ino(uint64_t dir_ino, const char *name);
/* Handy as entry functions: a fixed text, a fixed link target (entry.arg is a string). */
int pseudo_show_text(struct pseudo_node *n, struct pseudo_buf *b);
int pseudo_readlink_text(struct pseudo_node *n, char *buf, size_t size);
#define PSEUDO_TEXT(s) ((uint64_t)(uintptr_t)(s))
/* Decimal (or 0x…) number in a write, surrounded by blanks. 0 or -LX_EINVAL. */
int pseudo_parse_i64(const char *text, int64_t *out);

#endif
