/* The contents of a regular file in the sentry's memory. Small ones are a plain buffer;
 * larger ones, and those that are mapped, are a memfd of their own. */
#ifndef SENTRY_FS_TMPFS_MEMFILE_H
#define SENTRY_FS_TMPFS_MEMFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "sentry/vfs/vfs.h"

/* What a file system may use; a maximum of 0 is no limit. */
struct memquota {
	uint64_t max_pages, used_pages;
	uint64_t max_inodes, used_inodes;
	/* Where contents go that outgrow the buffer: a new host file of the caller's, or
	 * -LX_E…. NULL: a memfd. */
	int (*host_file)(struct memquota *q);
};
bool memquota_take_inode(struct memquota *q); /* false: -LX_ENOSPC */
void memquota_give_inode(struct memquota *q);

#define MEMFILE_SMALL 65536u	    /* larger ones are no buffer any more */
#define MEMFILE_SMALL_ON_DISK 8192u /* … when what they become is not memory */

struct memfile {
	struct memquota *q;
	uint64_t size;
	uint64_t pages;		/* charged to q */
	uint8_t *buf;		/* cap bytes, while fd < 0 */
	size_t cap;
	int fd;			/* the memfd, or -1 */
	int ro_fd;		/* the same for reading only, once something mapped it so; or -1 */
	unsigned mappers;	/* open files that have mapped it */
	struct list idle;	/* small, with an fd that nobody needs; next NULL: not listed */
	uint32_t seals;		/* LX_F_SEAL_* */
};
void memfile_init(struct memfile *mf, struct memquota *q);
void memfile_fini(struct memfile *mf);

/* Bytes moved, -LX_ENOSPC, -LX_EFAULT, -LX_EFBIG, -LX_EPERM (seals), -LX_ENOMEM. */
int64_t memfile_read(struct memfile *mf, struct uio *u, int64_t pos);
int64_t memfile_write(struct memfile *mf, struct uio *u, int64_t pos);
int memfile_truncate(struct memfile *mf, uint64_t size);
int memfile_fallocate(struct memfile *mf, uint32_t mode, int64_t off, int64_t len);
/* What mapping needs; writable: the open file's mode. */
int memfile_map(struct memfile *mf, bool writable, struct file_map *m);
/* Pages may have come by writes to a mapping: ask the host, correct the charge. */
void memfile_refresh(struct memfile *mf);

/* Operations of a file whose priv is a memfile and whose inode shows its size. */
extern const struct file_ops memfile_file_ops;

/* How many small files keep their fd when nobody has mapped them any more; boot lowers it
 * where descriptors are few. */
extern unsigned memfile_idle_max;

/* Read-only mappings need an fd that cannot be used for more. The sentry itself cannot
 * reopen a memfd, the gofer can: boot sets this. fd is borrowed; a new fd or -LX_E…
 * (-LX_ENOSYS: nobody can; it is not asked again). */
extern int (*memfile_reopen_readonly)(int fd);

#endif
