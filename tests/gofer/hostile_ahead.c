/* LOOKUPS with all that comes along: nothing beyond the root, beyond a symlink or on another
 * mount, never more than the bounds say, and no room for nodes is no trouble. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "tests/gofer/hostile_client.h"

/* What one reply had. */
struct seen {
	uint32_t walked, below, listed;
	uint32_t depth;		/* of the deepest record, 0: named */
	bool bad;		/* a malformed reply, or something that must not be there */
	char names[4096];	/* of the below records, each with a / behind it */
	uint32_t ids[GOFER_WALK_MAX + GOFER_BELOW_MAX], nids;
};

static bool may_be_there(const struct gofer_attr *a)
{
	return a->dev != secret.st_dev || a->ino != secret.st_ino;
}

static void see_record(struct seen *s, uint32_t node, const struct gofer_attr *a)
{
	if (!node)
		return;
	s->ids[s->nids++] = node;
	s->bad |= !may_be_there(a);
}

static void see_below(struct seen *s, struct gofer_dec *d, uint32_t *depths, bool *is_dir)
{
	uint32_t at = s->walked + s->below++;
	struct gofer_below b;
	size_t used = strlen(s->names);

	gofer_get_below(d, &b);
	if (d->bad || b.parent >= at || !is_dir[b.parent] || !b.node || strchr(b.name.p, '/') ||
	    s->below > GOFER_BELOW_MAX) {
		s->bad = true;
		return;
	}
	depths[at] = depths[b.parent] + 1;
	is_dir[at] = S_ISDIR(b.attr.mode);
	if (depths[at] > s->depth)
		s->depth = depths[at];
	if (used + b.name.len + 2 < sizeof(s->names))
		snprintf(s->names + used, sizeof(s->names) - used, "%s/", b.name.p);
	see_record(s, b.node, &b.attr);
}

static void see(struct seen *s, const struct gofer_lookups_rep *p)
{
	struct gofer_dec d = { p->entries.p, p->entries.p + p->entries.len, false };
	uint32_t depths[GOFER_WALK_MAX + GOFER_BELOW_MAX] = { 0 };
	bool is_dir[GOFER_WALK_MAX + GOFER_BELOW_MAX] = { false };

	for (; s->walked < p->count && s->walked < GOFER_WALK_MAX; s->walked++) {
		struct gofer_walked w;

		gofer_get_walked(&d, &w);
		is_dir[s->walked] = w.node && S_ISDIR(w.attr.mode);
		see_record(s, w.node, &w.attr);
	}
	while (d.p < d.end && !d.bad && !s->bad) {
		struct gofer_listed l;
		uint32_t index;

		gofer_get_u32(&d, &index);
		if (index == s->walked + s->below) {
			see_below(s, &d, depths, is_dir);
			continue;
		}
		gofer_get_listed(&d, &l);
		s->bad |= d.bad || index > s->walked + s->below || !is_dir[index];
		s->listed++;
	}
	s->bad |= !gofer_dec_done(&d);
}

/* One request for the count names, separated by '/'. */
static int look(struct gofer *g, uint32_t dir, const char *list, uint32_t below, bool all,
		struct seen *s)
{
	static uint8_t buf[GOFER_MSG_MAX];
	struct gofer_enc e = { buf, buf + sizeof(buf), false };
	struct gofer_lookups_req q = { .dir = dir, .list = 1, .below = below, .below_all = all };
	struct gofer_lookups_rep p = { .count = 0 };
	char copy[256], *save, *one;
	int err;

	snprintf(copy, sizeof(copy), "%s", list);
	for (one = strtok_r(copy, "/", &save); one; one = strtok_r(NULL, "/", &save)) {
		gofer_put_name(&e, &(struct gofer_name){ gofer_str(one) });
		q.count++;
	}
	q.names = (struct gofer_bytes){ buf, (uint32_t)(e.p - buf) };
	memset(s, 0, sizeof(*s));
	err = do_lookups(g, &q, &p, NULL);
	if (!err)
		see(s, &p);
	return err;
}

static void make_dir(const char *name)
{
	char p[256];

	snprintf(p, sizeof(p), "%s/root/ahead%s", top, name);
	if (mkdir(p, 0755) < 0 && errno != EEXIST)
		perror(p);
}

static void make_trees(void)
{
	char p[1024];
	int len;

	make_dir("");
	make_dir("/wide");
	for (int i = 0; i < 400; i++) {
		char name[32];

		snprintf(name, sizeof(name), "/wide/w%d", i);
		make_dir(name);
	}
	len = snprintf(p, sizeof(p), "%s/root/ahead", top);
	for (int i = 0; i < 60; i++) {
		len += snprintf(p + len, sizeof(p) - (size_t)len, "/deep");
		if (mkdir(p, 0755) < 0 && errno != EEXIST)
			perror(p);
	}
	make_dir("/mounted");
	make_dir("/mounted/m");
}

/* A file system below an export, if we may. */
static bool mount_there(void)
{
	char p[256];

	snprintf(p, sizeof(p), "%s/root/ahead/mounted/m", top);
	return unshare(CLONE_NEWNS) == 0 && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", p, "tmpfs", 0, NULL) == 0;
}

static void test_bounds(struct gofer *g, uint32_t root, bool mounted)
{
	static struct seen s;
	char p[256];

	check(look(g, root, "dir/traps/race/nothing", UINT32_MAX, true, &s) == 0 && !s.bad,
	      "what comes along is within the root");
	check(strstr(s.names, "sub/") && strstr(s.names, "deep/") && strstr(s.names, "dirlink/"),
	      "what comes along: %s", s.names);
	check(!strstr(s.names, "secret"), "nothing beyond a symlink comes along");
	check(look(g, root, "dir", UINT32_MAX, false, &s) == 0 && !s.bad &&
		      !strcmp(s.names, "sub/"), "directories only: %s", s.names);
	check(look(g, root, "dir", 0, true, &s) == 0 && s.below == 0 && s.listed == 1,
	      "a listing alone");
	check(look(g, root, "ahead", UINT32_MAX, true, &s) == 0 && !s.bad &&
		      s.below == GOFER_BELOW_MAX, "a wide tree: %u records", s.below);
	check(look(g, walk1(g, root, "ahead", NULL, &(int){ 0 }), "deep", 100, true, &s) == 0 &&
		      !s.bad && s.depth > 8 && s.depth < 40, "a deep tree: %u levels", s.depth);
	check(look(g, root, "dir/..", 10, true, &s) == 0 && s.walked == 1 && !s.bad,
	      "dots among the names");
	check(look(g, root, "..", 10, true, &s) == -EPROTO, "dots as the name");
	check(look(g, 12345, "dir", 10, true, &s) == -EBADF, "no directory");
	if (!mounted) {
		printf("note: no mount here\n");
		return;
	}
	check(look(g, walk1(g, root, "ahead", NULL, &(int){ 0 }), "mounted", 10, true, &s) == 0 &&
		      !s.bad && s.below == 0, "nothing of another mount");
	snprintf(p, sizeof(p), "%s/root/ahead/mounted/m", top);
	umount2(p, MNT_DETACH);
}

void test_ahead(void)
{
	static struct seen s;
	struct gofer_forget_req fq = { 0, { (uint8_t *)s.ids, 0 } };
	struct gofer_forget_rep fp;
	struct gofer g;
	uint32_t root;
	bool mounted;
	int before, err;

	make_trees();
	mounted = mount_there();
	g = start(0);
	root = attach(&g, 0);
	test_bounds(&g, root, mounted);
	stop(&g, "ahead");
	g = start(200);
	root = attach(&g, 0);
	before = count_fds(g.pid);
	for (int i = 0; i < 50; i++) {
		check(look(&g, root, "ahead/dir/race", UINT32_MAX, true, &s) == 0 && !s.bad &&
			      s.nids > 3 && s.nids < 200, "no room for all of it");
		fq.count = s.nids;
		fq.nodes.len = s.nids * 4;
		do_forget(&g, &fq, &fp, NULL);
	}
	check(walk1(&g, root, "file", NULL, &err) && count_fds(g.pid) == before + 1,
	      "what came along has gone");
	check_required("ahead");
	stop(&g, "ahead, few descriptors");
}
