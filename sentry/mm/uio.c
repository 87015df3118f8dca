/* Where the bytes of a read or write go or come from: guest iovecs or a buffer of the
 * sentry, with a cursor. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/bug.h"
#include "sentry/mm/mm.h"
#include "sentry/task/task.h"

#define MAX_RW_COUNT 0x7ffff000ULL

void uio_init_user(struct uio *u, struct task *t, struct uaddr base, size_t len)
{
	*u = (struct uio){ .mm = t->mm, .niov = 1, .task = t };
	u->resid = len < MAX_RW_COUNT ? len : MAX_RW_COUNT;
	u->inline_iov[0] = (struct uiov){ base.v, u->resid };
	u->iov = u->inline_iov;
}

void uio_init_kernel(struct uio *u, void *buf, size_t len)
{
	*u = (struct uio){ .kbuf = buf, .resid = len };
	u->iov = u->inline_iov;
}

/* Lengths and addresses as import_iovec() checks them; the total is cut to what one
 * call may move. */
static int check_iov(struct uio *u)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < u->niov; i++) {
		struct uiov *v = &u->iov[i];

		if ((int64_t)v->len < 0)
			return -LX_EINVAL;
		if (v->base > PLAT_GUEST_MAX || v->len > PLAT_GUEST_MAX - v->base)
			return -LX_EFAULT;
		if (v->len > MAX_RW_COUNT - total)
			v->len = MAX_RW_COUNT - total;
		total += v->len;
	}
	u->resid = total;
	return 0;
}

int uio_init_iov(struct uio *u, struct task *t, struct uaddr iov, uint64_t count)
{
	int err;

	*u = (struct uio){ .mm = t->mm, .task = t };
	u->iov = u->inline_iov;
	if (count > UIO_MAXIOV)
		return -LX_EINVAL;
	if (count > 1) {
		u->iov = malloc(count * sizeof(*u->iov));
		if (!u->iov) {
			u->iov = u->inline_iov;
			return -LX_ENOMEM;
		}
	}
	u->niov = (unsigned)count;
	err = copy_in(t, u->iov, iov, count * sizeof(*u->iov));
	if (!err)
		err = check_iov(u);
	if (err)
		uio_fini(u);
	return err;
}

void uio_fini(struct uio *u)
{
	if (u->iov != u->inline_iov)
		free(u->iov);
	u->iov = u->inline_iov;
	u->niov = 0;
	u->resid = 0;
}

enum uio_op { UIO_TO, UIO_FROM, UIO_ZERO };

static long move_one(struct uio *u, enum uio_op op, const void *src, void *dst, size_t n)
{
	uint64_t addr;

	if (!u->mm) {
		if (op == UIO_TO)
			memcpy(u->kbuf + u->off, src, n);
		else if (op == UIO_FROM)
			memcpy(dst, u->kbuf + u->off, n);
		else
			memset(u->kbuf + u->off, 0, n);
		return (long)n;
	}
	addr = u->iov[u->cur].base + u->off;
	if (op == UIO_FROM)
		return mm_copy_in_partial(u->mm, dst, addr, n);
	return mm_copy_out_partial(u->mm, addr, src, n);
}

static long uio_move(struct uio *u, enum uio_op op, const uint8_t *src, uint8_t *dst, size_t n)
{
	static const uint8_t zeros[16384];
	size_t done = 0;

	if (n > u->resid)
		n = u->resid;
	while (done < n) {
		size_t chunk = n - done;
		long got;

		if (u->mm) {
			while (u->off == u->iov[u->cur].len) {
				u->cur++;
				u->off = 0;
			}
			if (chunk > u->iov[u->cur].len - u->off)
				chunk = u->iov[u->cur].len - u->off;
		}
		if (op == UIO_ZERO && chunk > sizeof(zeros))
			chunk = sizeof(zeros);
		got = move_one(u, op, op == UIO_TO ? src + done : zeros,
			       op == UIO_FROM ? dst + done : NULL, chunk);
		if (got <= 0)
			return done ? (long)done : -LX_EFAULT;
		u->off += (size_t)got;
		u->resid -= (size_t)got;
		done += (size_t)got;
		if ((size_t)got < chunk)
			break;
	}
	return (long)done;
}

long uio_to_user(struct uio *u, const void *src, size_t n)
{
	return uio_move(u, UIO_TO, src, NULL, n);
}

long uio_from_user(struct uio *u, void *dst, size_t n)
{
	return uio_move(u, UIO_FROM, NULL, dst, n);
}

long uio_zero(struct uio *u, size_t n)
{
	return uio_move(u, UIO_ZERO, NULL, NULL, n);
}

/* Is all that is left one piece of the guest's memory? */
static bool one_piece(const struct uio *u, size_t n)
{
	return u->mm && n == u->resid && u->cur < u->niov && u->off + n == u->iov[u->cur].len;
}

void *uio_place(struct uio *u, size_t n)
{
	return one_piece(u, n) ? mm_place(u->mm, u->iov[u->cur].base + u->off, n) : NULL;
}

void uio_placed(struct uio *u, size_t n)
{
	mm_placed(u->iov[u->cur].base + u->off, n);
	uio_took(u, n);
}

const void *uio_brought(struct uio *u, size_t n)
{
	return one_piece(u, n) ? mm_brought(u->mm, u->iov[u->cur].base + u->off, n) : NULL;
}

void uio_took(struct uio *u, size_t n)
{
	u->off += n;
	u->resid -= n;
}

void uio_revert(struct uio *u, size_t n)
{
	u->resid += n;
	while (u->mm && n > u->off) {
		BUG_ON(u->cur == 0);
		n -= u->off;
		u->cur--;
		u->off = u->iov[u->cur].len;
	}
	BUG_ON(n > u->off);
	u->off -= n;
}
