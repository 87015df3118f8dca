/* The entries of a directory in memory: found by name, listed in the order in which they
 * were made, so that a readdir cursor stays good while entries come and go. */
#ifndef SENTRY_FS_TMPFS_DIRTAB_H
#define SENTRY_FS_TMPFS_DIRTAB_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "platform/base/list.h"

struct inode;

struct dirnode {
	RB_ENTRY(dirnode) by_name, by_seq;
	uint64_t seq;
	struct inode *inode;	/* whose reference it is, the file system says */
	uint32_t hash;
	uint16_t len;
	uint16_t flags;		/* of the file system */
	struct inode *dir;	/* overlay: the directory it is in */
	struct list alias;	/* overlay: all nodes of one inode */
	char name[];
};
RB_HEAD(dirnames, dirnode);
RB_HEAD(dirseqs, dirnode);

struct dirtab {
	struct dirnames names;
	struct dirseqs seqs;
	uint64_t next_seq;	/* never reused */
	uint64_t count;
};

void dirtab_init(struct dirtab *d);
struct dirnode *dirtab_find(struct dirtab *d, const char *name);
struct dirnode *dirtab_find_n(struct dirtab *d, const char *name, unsigned len);
/* A new entry; the name must be free. NULL: out of memory. */
struct dirnode *dirtab_add(struct dirtab *d, const char *name, struct inode *inode);
void dirtab_del(struct dirtab *d, struct dirnode *n); /* and frees n */
/* The first entry with seq or a later one; NULL at the end. */
struct dirnode *dirtab_from(struct dirtab *d, uint64_t seq);
struct dirnode *dirtab_first(struct dirtab *d);

#endif
