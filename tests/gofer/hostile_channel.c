/* The shared-memory channel under a client that lies in it: lengths, numbers and bytes that
 * are wrong or change while the gofer reads them, rings for nothing, answers not taken. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gofer/proto/channel.h"
#include "tests/gofer/hostile_client.h"

#define PATIENCE_S 5

static uint8_t tx[GOFER_MSG_MAX], rx[GOFER_MSG_MAX];

static struct gofer_chan *map_channel(struct gofer *g)
{
	struct gofer_channel_req q;
	struct gofer_channel_rep p;
	struct gofer_chan *m;
	int fd = -1;

	if (do_channel(g, &q, &p, &fd) || fd < 0)
		return NULL;
	check(p.size == sizeof(*m) && ftruncate(fd, 0) < 0, "the channel keeps its size");
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return m == MAP_FAILED ? NULL : m;
}

static void post(struct gofer *g, struct gofer_chan *m, uint32_t len)
{
	gofer_chan_store(&m->req_len, len);
	gofer_chan_store(&m->req, gofer_chan_load(&m->req) + 1);
	if (gofer_chan_swap(&m->state, GOFER_CHAN_AWAKE) == GOFER_CHAN_ASLEEP)
		send_raw(g, "", 1);
}

/* Until the gofer has answered number n, or hung up: false. */
static bool answered(struct gofer *g, struct gofer_chan *m, uint32_t n)
{
	time_t end = time(NULL) + PATIENCE_S;
	char c;

	while (gofer_chan_load(&m->rep) != n) {
		if (recv(g->sock, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
			g->hung_up = true;
			return false;
		}
		if (time(NULL) > end) {
			require(false, "no answer in the channel in time");
			return false;
		}
		sched_yield();
	}
	return true;
}

static int stat_by_channel(struct gofer *g, struct gofer_chan *m, uint32_t node,
			   struct gofer_stat_rep *p)
{
	struct gofer_enc e = { m->req_data, m->req_data + GOFER_MSG_MAX, false };
	struct gofer_head h = { GOFER_OP_STAT, 77, 0 };
	struct gofer_stat_req q = { node };
	struct gofer_dec d;
	uint32_t n = gofer_chan_load(&m->req) + 1;

	gofer_put_head(&e, &h);
	gofer_put_stat_req(&e, &q);
	post(g, m, (uint32_t)(e.p - m->req_data));
	if (!answered(g, m, n))
		return -1;
	d = (struct gofer_dec){ m->rep_data, m->rep_data + gofer_chan_load(&m->rep_len), false };
	gofer_get_head(&d, &h);
	if (h.err)
		return h.err;
	gofer_get_stat_rep(&d, p);
	return gofer_dec_done(&d) ? 0 : -1;
}

static void test_honest_channel(void)
{
	struct gofer g = start(0);
	uint32_t root = attach(&g, 0), file, n;
	struct gofer_chan *m = map_channel(&g);
	struct gofer_attr a;
	struct gofer_stat_rep p = { .attr = { .mode = 0 } };
	struct gofer_head h = { GOFER_OP_OPEN, 5, 0 };
	struct gofer_open_req q = { .name = gofer_str("") };
	struct gofer_enc e;
	int err, fd;

	check(m != NULL, "a channel");
	if (!m)
		exit(1);
	file = walk1(&g, root, "file", &a, &err);
	for (int i = 0; i < 2000; i++) {
		require(stat_by_channel(&g, m, file, &p) == 0 && p.attr.ino == a.ino,
			"stat by the channel");
		if (i % 100 == 0) /* once it has gone to sleep */
			while (gofer_chan_load(&m->state) != GOFER_CHAN_ASLEEP)
				sched_yield();
		if (i % 7 == 0)
			require(walk1(&g, root, "file", NULL, &err) != 0, "both ways mixed");
	}
	e = (struct gofer_enc){ m->req_data, m->req_data + GOFER_MSG_MAX, false };
	q.node = file;
	gofer_put_head(&e, &h);
	gofer_put_open_req(&e, &q);
	n = gofer_chan_load(&m->req) + 1;
	post(&g, m, (uint32_t)(e.p - m->req_data));
	check(answered(&g, m, n) && gofer_chan_load(&m->rep_fd) == 1, "open by the channel");
	check(receive(&g, rx, sizeof(rx), &fd) == 1 && fd >= 0, "its descriptor");
	check_fd(fd, false);
	close(fd);
	check_required("honest channel");
	munmap(m, sizeof(*m));
	stop(&g, "honest channel");
}

/* Lengths and numbers; a gofer that does not like them may hang up. */
static void test_wild_words(void)
{
	static const uint32_t lens[] = { 0, 1, 11, 12, 13, GOFER_MSG_MAX, GOFER_MSG_MAX + 1,
					 0x7fffffff, 0x80000000, 0xffffffff };
	struct gofer g = start(0);
	struct gofer_chan *m = NULL;

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		if (!m)
			m = map_channel(&g);
		if (!m)
			break;
		memset(m->req_data, (int)i * 51, 64);
		post(&g, m, lens[i]);
		if (answered(&g, m, gofer_chan_load(&m->req)))
			continue;
		munmap(m, sizeof(*m));
		m = NULL;
		renew(&g, "wild words");
	}
	check(m || (m = map_channel(&g)) != NULL, "it serves on");
	for (int i = 0; m && i < 500; i++) {
		gofer_chan_store(&m->waits, rnd(3));
		gofer_chan_store(&m->state, rnd(5));
		gofer_chan_store(&m->rep, rnd(1000));
		gofer_chan_store(&m->rep_len, rnd(0xffffffff));
		send_raw(&g, "", 1);
	}
	check(attach(&g, 0) != 0, "rings for nothing do no harm");
	check_required("wild words");
	if (m)
		munmap(m, sizeof(*m));
	stop(&g, "wild words");
}

/* ---- races ---- */

struct meddler {
	struct gofer_chan *m;
	uint32_t stop;
	bool numbers;	/* also the words that steer the channel */
};

static void *meddle(void *arg)
{
	struct meddler *x = arg;
	uint64_t r = 0x9e3779b97f4a7c15u;

	while (!gofer_chan_load(&x->stop)) {
		r = r * 6364136223846793005u + 1442695040888963407u;
		x->m->req_data[4 + (r >> 33) % 60] ^= (uint8_t)(1u << (r >> 60 & 7));
		x->m->rep_data[(r >> 40) % 200] = (uint8_t)r;
		if (!x->numbers)
			continue;
		gofer_chan_store(&x->m->req_len, (uint32_t)(r >> 50) % 120);
		gofer_chan_store(&x->m->rep_fd, (uint32_t)(r >> 20) & 1);
		if ((r >> 37) % 16 == 0)
			gofer_chan_store(&x->m->req, (uint32_t)(r >> 44) % 64);
	}
	return NULL;
}

static void drain(struct gofer *g)
{
	char space[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec iov = { rx, sizeof(rx) };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	int fd;

	while (recvmsg(g->sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);

		if (c && c->cmsg_type == SCM_RIGHTS) {
			memcpy(&fd, CMSG_DATA(c), sizeof(fd));
			check_fd(fd, true);
			close(fd);
		}
		h.msg_controllen = sizeof(space);
	}
}

static void test_races(bool numbers)
{
	const char *name = numbers ? "meddling with numbers" : "meddling with messages";
	struct gofer g = start(0);
	struct meddler x = { .numbers = numbers };
	pthread_t th;

	rnd_seed(numbers ? 11 : 12);
	npool = 0;
	pool[npool++] = attach(&g, 0);
	pool[npool++] = walk1(&g, pool[0], "file", NULL, &(int){ 0 });
	x.m = map_channel(&g);
	if (!x.m || pthread_create(&th, NULL, meddle, &x))
		exit(1);
	for (uint32_t i = 0; i < 6000 && !g.hung_up; i++) {
		uint32_t op = 1 + i % (GOFER_OP_END - 1);
		size_t len = random_request(op, i, tx, 4096);

		memcpy(x.m->req_data, tx, len);
		post(&g, x.m, (uint32_t)len);
		for (int spin = 0; spin < 200; spin++)
			gofer_chan_relax();
		drain(&g);
	}
	gofer_chan_store(&x.stop, 1);
	pthread_join(th, NULL);
	munmap(x.m, sizeof(*x.m));
	check_required(name);
	/* It is still there or has hung up; in both cases it ends by itself. */
	stop(&g, name);
}

void test_channel(void)
{
	test_honest_channel();
	test_wild_words();
	test_races(false);
	test_races(true);
}
