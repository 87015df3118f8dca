/* The only way to guest memory. Copy in once, check the copy. Never sleeps for
 * long; may be called with the kernel lock held. */
#ifndef SENTRY_MM_USERCOPY_H
#define SENTRY_MM_USERCOPY_H

#include <stddef.h>
#include <stdint.h>

#include "syscalls/abi/lx_types.h"

struct task;
struct mm;

/* 0 or -LX_EFAULT. */
__attribute__((warn_unused_result)) int copy_in(struct task *t, void *dst, struct uaddr src,
						size_t len);
__attribute__((warn_unused_result)) int copy_out(struct task *t, struct uaddr dst,
						 const void *src, size_t len);
/* NUL-terminated string of at most size-1 bytes. Length without the NUL, -LX_EFAULT,
 * or -LX_ENAMETOOLONG when there is no NUL within size bytes. */
__attribute__((warn_unused_result)) long copy_in_str(struct task *t, char *dst,
						     struct uaddr src, size_t size);
/* A path (PATH_MAX 4096, -LX_ENAMETOOLONG, -LX_EFAULT); *out is malloc'd. */
__attribute__((warn_unused_result)) int copy_in_path(struct task *t, struct uaddr src,
						     char **out);
int mm_copy_in(struct mm *mm, void *dst, uint64_t src, size_t len);
int mm_copy_out(struct mm *mm, uint64_t dst, const void *src, size_t len);
/* Bytes copied before the first fault (>0), or -LX_EFAULT. */
long mm_copy_in_partial(struct mm *mm, void *dst, uint64_t src, size_t len);
long mm_copy_out_partial(struct mm *mm, uint64_t dst, const void *src, size_t len);
/* For uio_place() and uio_brought(): see plat_window_place(). */
void *mm_place(struct mm *mm, uint64_t dst, size_t len);
void mm_placed(uint64_t dst, size_t len);
const void *mm_brought(struct mm *mm, uint64_t src, size_t len);
/* Fill with zeros: 0 or -LX_EFAULT. */
int mm_clear(struct mm *mm, uint64_t dst, size_t len);
/* Futex words: aligned 32-bit. */
int mm_load32(struct mm *mm, uint64_t addr, uint32_t *out);
int mm_cmpxchg32(struct mm *mm, uint64_t addr, uint32_t *expected, uint32_t desired);

static inline struct uaddr uaddr_add(struct uaddr a, uint64_t n)
{
	return (struct uaddr){ a.v + n };
}

/* Linux's copy_struct_from_user(): a struct whose size the guest says. A shorter one is
 * filled with zeros, what is beyond ours must be zero (-LX_E2BIG); usize is at most a page. */
int copy_in_sized(struct task *t, void *dst, size_t size, struct uaddr src, uint64_t usize);

/* Where bytes of a read or write go or come from: guest iovecs or a sentry
 * buffer. Bounded: resid never exceeds LX_MAX_RW_COUNT (0x7ffff000). */
#define UIO_MAXIOV 1024
struct uiov {
	uint64_t base, len;
};
struct uio {
	struct mm *mm;		/* NULL: kbuf */
	uint8_t *kbuf;
	struct uiov *iov, inline_iov[1];
	unsigned niov, cur;
	size_t off;		/* into iov[cur] or kbuf */
	size_t resid;		/* bytes left */
	struct task *task;	/* on whose behalf (SIGPIPE, SCM credentials): set by
				 * uio_init_user and uio_init_iov, NULL by
				 * uio_init_kernel; splice and sendfile set it after that */
};
void uio_init_user(struct uio *u, struct task *t, struct uaddr base, size_t len);
void uio_init_kernel(struct uio *u, void *buf, size_t len);
/* readv/writev argument. 0, -LX_EINVAL (count, negative total), -LX_EFAULT, -LX_ENOMEM. */
int uio_init_iov(struct uio *u, struct task *t, struct uaddr iov, uint64_t count);
void uio_fini(struct uio *u);
/* Move up to n bytes and advance; returns bytes moved (short at a fault), or
 * -LX_EFAULT when nothing could be moved and n > 0. */
long uio_to_user(struct uio *u, const void *src, size_t n);
long uio_from_user(struct uio *u, void *dst, size_t n);
long uio_zero(struct uio *u, size_t n);
/* Without a copy, where that can be: a place for all that is left (n bytes), into which up to
 * so many may be put before uio_placed() says how many; and all that is left as it was
 * brought, of which uio_took() says how much was used. The guest may see and change either
 * at any time. NULL: not now; move it. */
void *uio_place(struct uio *u, size_t n);
void uio_placed(struct uio *u, size_t n);
const void *uio_brought(struct uio *u, size_t n);
void uio_took(struct uio *u, size_t n);
void uio_revert(struct uio *u, size_t n); /* step back n bytes */

#endif
