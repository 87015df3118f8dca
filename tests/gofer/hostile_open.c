/* Descriptors that come with walks, and several at once: regular files below the export, for
 * reading, and nothing else, whatever the request says. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/gofer/hostile_client.h"

static uint8_t buf[GOFER_MSG_MAX];

/* Did a descriptor come? It is looked at and closed. */
static bool came(int fd)
{
	if (fd < 0)
		return false;
	check_fd(fd, false);
	close(fd);
	return true;
}

/* A walk of the names in list, separated by '/', that opens what it ends at. */
static bool walk_opens(struct gofer *g, uint32_t dir, const char *list)
{
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_walk_req q = { .dir = dir, .open = UINT32_MAX };
	struct gofer_walk_rep p;
	char copy[256], *save, *one;
	int fd = -1;

	snprintf(copy, sizeof(copy), "%s", list);
	for (one = strtok_r(copy, "/", &save); one; one = strtok_r(NULL, "/", &save)) {
		gofer_put_name(&e, &(struct gofer_name){ gofer_str(one) });
		q.count++;
	}
	q.names = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	(void)do_walk(g, &q, &p, &fd);
	return came(fd);
}

static void test_walks(struct gofer *g, uint32_t root, uint32_t ro, uint32_t store)
{
	static const char *const not[] = {
		"dir", "dir/sub", "nothing", "dir/nothing", "file/x", "traps/rel", "traps/abs",
		"traps/dirlink", "traps/dirlink/secret", "traps/proc", "traps/sock", "traps/fifo",
		"traps/null", "..", "dir/..", ".",
	};

	check(walk_opens(g, root, "file") && walk_opens(g, root, "dir/sub/deep"),
	      "a walk opens a file");
	check(walk_opens(g, ro, "file"), "a walk opens a file of a read-only export");
	check(!walk_opens(g, store, "file"), "a walk opens nothing of a filestore");
	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		check(!walk_opens(g, root, not[i]), "a walk opens %s", not[i]);
}

/* REVALIDATE of name, which is said to be node, and of another name below (NULL: none). */
static bool check_opens(struct gofer *g, uint32_t dir, uint32_t node, const char *name,
			const char *below)
{
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_revalidate_req q = { .dir = dir, .open = 1, .count = 1, .nnames = below != NULL };
	struct gofer_revalidate_rep p;
	int fd = -1;

	gofer_put_check(&e, &(struct gofer_check){ node, gofer_str(name) });
	if (below)
		gofer_put_name(&e, &(struct gofer_name){ gofer_str(below) });
	q.checks = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	(void)do_revalidate(g, &q, &p, &fd);
	return came(fd);
}

static void test_checks(struct gofer *g, uint32_t root)
{
	int err;
	uint32_t file = walk1(g, root, "file", NULL, &err), dir = walk1(g, root, "dir", NULL, &err);
	uint32_t traps = walk1(g, root, "traps", NULL, &err);

	check(check_opens(g, root, file, "file", NULL), "what is still there is opened");
	check(!check_opens(g, root, dir, "file", NULL), "what is another file is not opened");
	check(!check_opens(g, root, file, "nothing", NULL), "nothing is not opened");
	check(!check_opens(g, root, dir, "dir", NULL), "a directory is not opened");
	check(!check_opens(g, root, dir, "dir", "sub"), "nor one below");
	check(!check_opens(g, root, dir, "dir", "nothing"), "what is missing is not opened");
	check(!check_opens(g, root, file, "file", "x"), "a file is no directory");
	check(!check_opens(g, root, traps, "traps", "fifo"), "a FIFO is not opened");
	check(!check_opens(g, root, traps, "traps", "abs"), "a symlink is not opened");
}

static int opens(struct gofer *g, const uint32_t *ids, uint32_t n, uint32_t said, uint32_t *bits)
{
	struct gofer_opens_req q = { said, { (const uint8_t *)ids, n * 4 } };
	struct gofer_opens_rep p = { .opened = 0 };
	int fd = -1, err;

	ncame = 0;
	err = do_opens(g, &q, &p, &fd);
	*bits = err ? 0 : p.opened;
	(void)came(fd);
	check(err ? ncame == 0 : ncame == (unsigned)__builtin_popcount(p.opened),
	      "as many descriptors as are spoken of: %d, %u", err, ncame);
	return err;
}

static void test_many(struct gofer *g, uint32_t root, uint32_t ro)
{
	int err, fds = count_fds(g->pid);
	uint32_t file = walk1(g, root, "file", NULL, &err), dir = walk1(g, root, "dir", NULL, &err);
	uint32_t traps = walk1(g, root, "traps", NULL, &err), bits = 0, same[GOFER_OPENS_MAX + 1];
	uint32_t ids[] = { file, dir, walk1(g, traps, "fifo", NULL, &err),
			   walk1(g, traps, "abs", NULL, &err), 0xdeadbeef,
			   walk1(g, ro, "file", NULL, &err), file, 0 };

	check(opens(g, ids, 8, 8, &bits) == 0 && bits == 0x61, "regular files only");
	check(opens(g, ids, 1, 1, &bits) == 0 && bits == 1, "one");
	check(opens(g, ids, 0, 0, &bits) == -EPROTO, "none");
	check(opens(g, ids, 8, 7, &bits) == 0 && bits == 0x61, "fewer than came");
	check(opens(g, ids, 8, 9, &bits) == -EPROTO, "more than came");
	check(opens(g, ids, 8, UINT32_MAX, &bits) == -EPROTO, "far more than came");
	check(opens(g, ids + 1, 7, 7, &bits) == -EISDIR, "a directory first");
	check(opens(g, ids + 2, 6, 6, &bits) < 0, "a FIFO first");
	check(opens(g, ids + 4, 4, 4, &bits) == -EBADF, "nothing first");
	for (unsigned i = 0; i <= GOFER_OPENS_MAX; i++)
		same[i] = file;
	check(opens(g, same, GOFER_OPENS_MAX, GOFER_OPENS_MAX, &bits) == 0 && bits == UINT32_MAX,
	      "as many as there may be");
	check(opens(g, same, GOFER_OPENS_MAX + 1, GOFER_OPENS_MAX + 1, &bits) == -EPROTO,
	      "more than there may be");
	check(count_fds(g->pid) == fds + 6, "the gofer keeps none of them: %d, %d", fds,
	      count_fds(g->pid));
}

void test_opens(void)
{
	for (int i = 0; i < 2; i++) {
		struct gofer g;
		uint32_t root, ro;

		by_name = i;
		g = start(0);
		root = attach(&g, 0);
		ro = attach(&g, 1);
		test_walks(&g, root, ro, attach(&g, 3));
		test_checks(&g, root);
		test_many(&g, root, ro);
		check_required("opens");
		stop(&g, "opens");
	}
	by_name = false;
}
