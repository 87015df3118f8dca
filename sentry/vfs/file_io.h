/* File operations for the call layer, beyond those of vfs.h. All under the kernel lock. */
#ifndef SENTRY_VFS_FILE_IO_H
#define SENTRY_VFS_FILE_IO_H

#include "sentry/vfs/vfs.h"

/* The checks that come before any byte moves: 0 or -errno. */
int file_may_read(const struct file *f, const int64_t *pos, uint32_t rwf);
int file_may_write(const struct file *f, const int64_t *pos, uint32_t rwf);
/* One operation, no waiting, no restart record; advances *pos (NULL: the file's own).
 * t NULL: no limits. */
int64_t file_read_once(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf);
int64_t file_write_once(struct task *t, struct file *f, struct uio *u, int64_t *pos,
			uint32_t rwf);
/* Ready events now, without enrolling anybody. */
uint32_t file_ready(struct file *f);
/* Advance without moving bytes. */
void uio_skip(struct uio *u, size_t n);
/* lseek(2): the new position or -errno. */
int64_t file_seek(struct file *f, int64_t off, int whence);

/* sendfile(2), splice(2), tee(2), copy_file_range(2) in splice.c. Positions NULL: the
 * file's own. They park, and keep what was moved in t->restart.done. */
#define SPLICE_CALL_MAX (16u << 20) /* bytes one run moves before it returns short */
int64_t file_splice(struct task *t, struct file *in, int64_t *in_pos, struct file *out,
		    int64_t *out_pos, uint64_t len, bool nonblock);
int64_t file_tee(struct task *t, struct file *in, struct file *out, uint64_t len, bool nonblock);
int64_t file_copy_range(struct task *t, struct file *in, int64_t *in_pos, struct file *out,
			int64_t *out_pos, uint64_t len);

/* Room for one more fd? 0 or -LX_EMFILE. */
int fdtable_room(struct task *t);
/* close_range(2): close, or mark close-on-exec, all fds of [first, last]. */
void fdtable_close_range(struct task *t, unsigned first, unsigned last, bool cloexec_only);
/* Number of references: 1 means that the table is not shared. */
bool fdtable_is_shared(const struct fdtable *ft);

/* ---- fasync.c ---- */
/* F_SETOWN and F_SETOWN_EX: type LX_F_OWNER_*, pid 0 for nobody. 0 or -LX_ESRCH. */
int file_set_owner(struct task *t, struct file *f, int type, int pid);
/* pid 0: nobody, or gone. */
void file_get_owner(struct file *f, int *type, int *pid);
/* Begin or end to signal the owner; for files whose ops->async is set. fd: what siginfo
 * shows. 0 or -LX_ENOMEM. */
int file_set_async(struct file *f, int fd, bool on);
/* The file goes away. */
void file_fasync_drop(struct file *f);

/* ---- lock.c ---- */
struct lx_flock;
/* cmd: LX_F_GETLK, SETLK, SETLKW or the OFD forms; *fl in and out. Parks for SETLKW. */
long file_posix_lock(struct task *t, struct file *f, uint32_t cmd, struct lx_flock *fl);
/* op: LX_LOCK_*. Parks unless LX_LOCK_NB. */
long file_flock(struct task *t, struct file *f, uint32_t op);

#endif
