/* Asking for maps, memory and files, with a small cache of pages. */
#include "oci-shim/debug/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int remote_ask(int sock, const struct control_req *rq)
{
	ssize_t n;

	do
		n = send(sock, rq, sizeof(*rq), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*rq) ? 0 : -1;
}

int remote_open(struct remote *r, int sock, int tid)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = CONTROL_MAPS, .pid = tid };
	union {
		struct control_map map;
		struct control_rep rep;
	} u;
	ssize_t n;

	memset(r, 0, sizeof(*r));
	r->sock = sock;
	r->tid = tid;
	r->maps = calloc(REMOTE_MAPS_MAX, sizeof(*r->maps));
	r->pages = calloc(REMOTE_PAGES, sizeof(*r->pages));
	if (!r->maps || !r->pages || remote_ask(sock, &rq) < 0)
		goto bad;
	for (;;) {
		n = recv(sock, &u, sizeof(u), 0);
		if (n == (ssize_t)sizeof(u.rep)) {
			if (u.rep.error)
				goto bad;
			return 0;
		}
		if (n != (ssize_t)sizeof(u.map))
			goto bad;
		u.map.path[sizeof(u.map.path) - 1] = 0;
		if (r->nmaps < REMOTE_MAPS_MAX)
			r->maps[r->nmaps++] = u.map;
	}
bad:
	remote_close(r);
	return -1;
}

void remote_close(struct remote *r)
{
	free(r->maps);
	free(r->pages);
	r->maps = NULL;
	r->pages = NULL;
	r->nmaps = 0;
}

/* Bytes, 0 at a file's end, -1. */
static long fetch(struct remote *r, enum control_op op, uint64_t addr, uint64_t off, void *buf,
		  size_t len)
{
	struct control_req rq = { .magic = CONTROL_MAGIC, .op = op, .pid = r->tid, .addr = addr,
				  .off = off,
				  .len = len < CONTROL_DATA_MAX ? len : CONTROL_DATA_MAX };
	static struct control_data d;
	size_t head = offsetof(struct control_data, data);
	ssize_t n;

	if (remote_ask(r->sock, &rq) < 0)
		return -1;
	do
		n = recv(r->sock, &d, sizeof(d), 0);
	while (n < 0 && errno == EINTR);
	if (n < (ssize_t)head || d.error || d.len != (size_t)n - head || d.len > len)
		return -1;
	memcpy(buf, d.data, d.len);
	return (long)d.len;
}

long remote_file(struct remote *r, uint64_t addr, uint64_t off, void *buf, size_t len)
{
	return fetch(r, CONTROL_FILE, addr, off, buf, len);
}

static struct remote_page *page_at(struct remote *r, uint64_t addr)
{
	struct remote_page *p;
	long n;

	for (unsigned i = 0; i < REMOTE_PAGES; i++)
		if (r->pages[i].len && r->pages[i].addr == addr)
			return &r->pages[i];
	p = &r->pages[r->next_page++ % REMOTE_PAGES];
	p->len = 0;
	n = fetch(r, CONTROL_READ, addr, 0, p->data, sizeof(p->data));
	if (n <= 0)
		return NULL;
	p->addr = addr;
	p->len = (uint32_t)n;
	return p;
}

bool remote_read(struct remote *r, uint64_t addr, void *buf, size_t len)
{
	uint8_t *to = buf;

	while (len > 0) {
		size_t in = (size_t)(addr & 4095), n = 4096 - in;
		const struct remote_page *p = page_at(r, addr - in);

		if (n > len)
			n = len;
		if (!p || in + n > p->len)
			return false;
		memcpy(to, p->data + in, n);
		to += n;
		addr += n;
		len -= n;
	}
	return true;
}

const struct control_map *remote_map(const struct remote *r, uint64_t addr)
{
	for (unsigned i = 0; i < r->nmaps; i++)
		if (addr >= r->maps[i].start && addr < r->maps[i].end)
			return &r->maps[i];
	return NULL;
}
