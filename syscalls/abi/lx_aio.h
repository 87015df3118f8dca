/* Linux AIO: io_setup(2) and friends. */
#ifndef SYSCALLS_ABI_LX_AIO_H
#define SYSCALLS_ABI_LX_AIO_H

#include <stdint.h>

#define LX_IOCB_CMD_PREAD 0
#define LX_IOCB_CMD_PWRITE 1
#define LX_IOCB_CMD_FSYNC 2
#define LX_IOCB_CMD_FDSYNC 3
#define LX_IOCB_CMD_POLL 5
#define LX_IOCB_CMD_NOOP 6
#define LX_IOCB_CMD_PREADV 7
#define LX_IOCB_CMD_PWRITEV 8

#define LX_IOCB_FLAG_RESFD 1u
#define LX_IOCB_FLAG_IOPRIO 2u

#define LX_AIO_MAX_NR 65536u
#define LX_AIO_RING_MAGIC 0xa10a10a1u
#define LX_KIOCB_KEY 0u

struct lx_iocb {
	uint64_t data;
	uint32_t key, rw_flags;
	uint16_t opcode;
	int16_t reqprio;
	int32_t fd;
	uint64_t buf, nbytes;
	int64_t offset;
	uint64_t reserved2;
	uint32_t flags;
	int32_t resfd;
};
_Static_assert(sizeof(struct lx_iocb) == 64, "struct iocb");

struct lx_io_event {
	uint64_t data, obj;
	int64_t res, res2;
};
_Static_assert(sizeof(struct lx_io_event) == 32, "struct io_event");

/* The head of the completion ring, which programs may read and empty by themselves. */
struct lx_aio_ring {
	uint32_t id, nr, head, tail, magic, compat_features, incompat_features, header_length;
};
_Static_assert(sizeof(struct lx_aio_ring) == 32, "struct aio_ring");

struct lx_aio_sigset {
	uint64_t sigmask, sigsetsize; /* a pointer, a size */
};

#endif
