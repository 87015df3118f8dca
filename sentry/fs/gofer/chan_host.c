/* The sentry's side of the shared-memory channel (gofer/proto/channel.h). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "gofer/proto/channel.h"
#include "sentry/fs/gofer/gofer_impl.h"

#define POLL_NS 400000 /* polls this long for an answer before it sleeps */
#define POLL_LITTLE_NS 20000 /* … where there is no CPU for that */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

struct gofer_chan_client {
	struct gofer_chan *mem;
	uint32_t seq;	/* of the last request */
};

/* A gofer could give us something that shrinks while we read it (SIGBUS). */
static bool usable(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	return seals >= 0 && (seals & SEALS) == SEALS && fstat(fd, &st) == 0 &&
	       st.st_size >= (off_t)sizeof(struct gofer_chan);
}

int gofer_chan_open(int fd, struct gofer_chan_client **out)
{
	struct gofer_chan_client *h;
	void *p;

	if (!usable(fd))
		return -EPROTO;
	h = calloc(1, sizeof(*h));
	if (!h)
		return -ENOMEM;
	p = mmap(NULL, sizeof(*h->mem), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		free(h);
		return -ENOMEM;
	}
	/* No stub shall inherit it. */
	if (madvise(p, sizeof(*h->mem), MADV_DONTFORK) < 0) {
		munmap(p, sizeof(*h->mem));
		free(h);
		return -ENOMEM;
	}
	h->mem = p;
	h->seq = gofer_chan_load(&h->mem->rep);
	*out = h;
	return 0;
}

void gofer_chan_close(struct gofer_chan_client *h)
{
	if (!h)
		return;
	munmap(h->mem, sizeof(*h->mem));
	free(h);
}

int gofer_chan_post(struct gofer_chan_client *h, int sock, const void *msg, size_t len)
{
	struct gofer_chan *m = h->mem;
	long r = 0;

	memcpy(m->req_data, msg, len);
	gofer_chan_store(&m->req_len, (uint32_t)len);
	gofer_chan_store(&m->req_cpu, (uint32_t)sched_getcpu());
	h->seq += h->seq == UINT32_MAX ? 2 : 1; /* never 0 */
	gofer_chan_store(&m->req, h->seq);
	if (gofer_chan_swap(&m->state, GOFER_CHAN_AWAKE) == GOFER_CHAN_ASLEEP)
		r = gofer_host_send(sock, "", 1, -1);
	return r < 0 ? (int)r : 0;
}

static bool answered(const struct gofer_chan_client *h)
{
	return gofer_chan_load(&h->mem->rep) == h->seq;
}

/* Wait for the answer without sleeping; the gofer, if it needs our CPU for it, gets it. */
static bool poll_answer(const struct gofer_chan_client *h)
{
	uint64_t start, most;

	if (answered(h))
		return true;
	most = gofer_chan_load(&h->mem->polls) ? POLL_NS : POLL_LITTLE_NS;
	start = ktime_mono();
	do {
		for (int i = 0; i < 16; i++) {
			if (answered(h))
				return true;
			gofer_chan_relax();
		}
		sched_yield(); /* perhaps to the gofer */
	} while (ktime_mono() - start < most);
	return false;
}

/* One datagram of one byte, perhaps with descriptors. soon: it is on its way. 0, or -errno. */
static int await_ring(int sock, bool soon, struct gofer_fds *fds)
{
	uint64_t start = soon ? ktime_mono() : 0;
	long n = -EAGAIN;
	uint8_t byte;

	while (n == -EAGAIN && soon) {
		n = gofer_host_try_recv(sock, &byte, sizeof(byte), fds);
		soon = ktime_mono() - start < POLL_NS;
	}
	if (n == -EAGAIN)
		n = gofer_host_recv(sock, &byte, sizeof(byte), fds);
	if (n != 1)
		gofer_host_close_all(fds);
	if (n < 0)
		return (int)n;
	return n == 1 ? 0 : -EPIPE;
}

long gofer_chan_wait(struct gofer_chan_client *h, int sock, void *buf, size_t size,
		     struct gofer_fds *fds)
{
	struct gofer_chan *m = h->mem;
	bool rings = false;
	uint32_t len;
	int err;

	fds->n = 0;
	fds->lost = false;
	if (!poll_answer(h)) {
		gofer_chan_store(&m->waits, h->seq);
		if (!answered(h) || !gofer_chan_clear(&m->waits, h->seq)) {
			rings = true;
			err = await_ring(sock, false, fds);
			if (err)
				return err;
			/* It rings when it has answered, not before. */
			if (!answered(h))
				return -EPROTO;
		}
	}
	if (gofer_chan_load(&m->rep_fd) && !rings) {
		err = await_ring(sock, true, fds);
		if (err)
			return err;
	}
	len = gofer_chan_load(&m->rep_len);
	if (len > size)
		return -EMSGSIZE;
	memcpy(buf, m->rep_data, len);
	return len;
}
