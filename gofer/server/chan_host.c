/* The gofer's side of the shared-memory channel (gofer/proto/channel.h). */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gofer/proto/channel.h"
#include "gofer/server/server_impl.h"

#define POLL_NS 120000		/* polls this long for the next request … */
#define GAP_NS 120000		/* … if the one before came within this time */
#define MOVE_NS 10000000	/* tries another CPU than the sentry's this often */

/* The channel's state that the client cannot write to. */
struct chan_server {
	struct gofer_chan *mem;
	int fd;			/* the memfd */
	uint32_t seen;		/* the last request's number */
	uint64_t answered_at, moved_at;
	bool eager;		/* the last request came soon: worth polling for the next */
	bool never_poll;	/* one CPU, or a share of them */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int chan_init(struct server *s, bool poll)
{
	struct chan_server *c = calloc(1, sizeof(*c));
	cpu_set_t cpus;

	if (!c)
		return -ENOMEM;
	s->chan = c;
	c->fd = memfd_create("gofer-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	/* Nobody may shrink it below the other side. */
	if (c->fd < 0 || ftruncate(c->fd, sizeof(*c->mem)) < 0 ||
	    fcntl(c->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	c->mem = mmap(NULL, sizeof(*c->mem), PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->mem == MAP_FAILED) {
		c->mem = NULL;
		return -errno;
	}
	c->never_poll = !poll || sched_getaffinity(0, sizeof(cpus), &cpus) < 0 ||
			CPU_COUNT(&cpus) < 2;
	gofer_chan_store(&c->mem->polls, !c->never_poll);
	return 0;
}

void chan_fini(struct server *s)
{
	struct chan_server *c = s->chan;

	if (!c)
		return;
	if (c->mem)
		munmap(c->mem, sizeof(*c->mem));
	if (c->fd >= 0)
		close(c->fd);
	free(c);
	s->chan = NULL;
}

int op_channel(struct server *s, const struct gofer_channel_req *q, struct gofer_channel_rep *p,
	       int *out_fd)
{
	int fd = fcntl(s->chan->fd, F_DUPFD_CLOEXEC, 3);

	(void)q;
	if (fd < 0)
		return -errno;
	*out_fd = fd;
	p->size = sizeof(struct gofer_chan);
	return 0;
}

bool chan_is_memory(const struct server *s, int fd)
{
	struct stat ours, st;

	return fstat(s->chan->fd, &ours) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_dev == ours.st_dev;
}

static bool has_request(const struct chan_server *c)
{
	return gofer_chan_load(&c->mem->req) != c->seen;
}

bool chan_poll(struct server *s)
{
	struct chan_server *c = s->chan;
	uint64_t start;

	if (has_request(c))
		return true;
	if (c->never_poll || !c->eager)
		return false;
	start = now_ns();
	do {
		for (int i = 0; i < 8; i++) {
			if (has_request(c))
				return true;
			gofer_chan_relax();
		}
		/* Whoever else wants to run here does: the guest, or the sentry itself. */
		sched_yield();
	} while (now_ns() - start < POLL_NS);
	return has_request(c);
}

bool chan_sleep(struct server *s)
{
	struct chan_server *c = s->chan;

	gofer_chan_store(&c->mem->state, GOFER_CHAN_ASLEEP);
	if (!has_request(c))
		return true;
	gofer_chan_store(&c->mem->state, GOFER_CHAN_AWAKE);
	return false;
}

void chan_woken(struct server *s)
{
	gofer_chan_store(&s->chan->mem->state, GOFER_CHAN_AWAKE);
}

ssize_t chan_take(struct server *s)
{
	struct chan_server *c = s->chan;
	uint64_t now = now_ns();
	uint32_t len;

	c->seen = gofer_chan_load(&c->mem->req);
	len = gofer_chan_load(&c->mem->req_len);
	if (len > sizeof(s->rx))
		return -EMSGSIZE;
	memcpy(s->rx, c->mem->req_data, len);
	if (!c->never_poll)
		c->eager = now - c->answered_at < GAP_NS;
	/* On one CPU with the sentry: once asleep, it is woken where there is nothing to do, if
	 * there is such a place. */
	if (c->eager && now - c->moved_at > MOVE_NS &&
	    gofer_chan_load(&c->mem->req_cpu) == (uint32_t)sched_getcpu()) {
		c->eager = false;
		c->moved_at = now;
	}
	return (ssize_t)len;
}

int chan_answer(struct server *s, size_t len, int fd)
{
	struct chan_server *c = s->chan;
	bool waits;

	memcpy(c->mem->rep_data, s->tx, len);
	gofer_chan_store(&c->mem->rep_len, (uint32_t)len);
	gofer_chan_store(&c->mem->rep_fd, fd >= 0);
	gofer_chan_store(&c->mem->rep, c->seen);
	waits = gofer_chan_clear(&c->mem->waits, c->seen);
	if (!c->never_poll)
		c->answered_at = now_ns();
	return fd >= 0 || waits ? server_ring(s, fd) : 0;
}
