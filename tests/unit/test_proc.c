/* procfs and sysfs: every file can be read by root; some contents; names that go stale. */
#include "tests/unit/fs_world.h"

TestSuite(proc, .init = setup);

struct names {
	struct dir_ctx c;
	char name[512][64];
	unsigned count;
};

static bool collect(struct dir_ctx *c, const char *name, unsigned len, uint64_t ino,
		    unsigned dtype, int64_t next_pos)
{
	struct names *n = container_of(c, struct names, c);

	cr_assert_neq(ino, 0);
	cr_assert_neq(dtype, 0);
	cr_assert_gt(next_pos, 0);
	if (strcmp(name, ".") && strcmp(name, ".."))
		snprintf(n->name[n->count++], 64, "%.*s", (int)len, name);
	return n->count < 512;
}

static unsigned read_all(const char *path, const struct path *p)
{
	struct file *f;
	char buf[4096];
	int64_t r;

	/* Reading these waits, or needs an address space. */
	if (strstr(path, "/kmsg") || !strcmp(path + strlen(path) - 4, "/mem"))
		return 0;
	if (!(p->dentry->inode->mode & 0444))
		return 0;
	cr_assert_eq(vfs_open_path(k, A->cred, p, LX_O_RDONLY, &f), 0, "%s", path);
	while ((r = rd(f, buf, 700)) > 0)
		;
	cr_assert_eq(r, 0, "%s: %lld", path, (long long)r);
	file_put(f);
	return 1;
}

static unsigned walk(const char *path)
{
	struct names *n;
	struct path p;
	struct file *f;
	unsigned files = 0, mode;

	cr_assert_eq(vfs_lookup(A, LX_AT_FDCWD, path, 0, &p), 0, "%s", path);
	mode = p.dentry->inode->mode;
	if (LX_S_ISREG(mode))
		files = read_all(path, &p);
	if (LX_S_ISDIR(mode)) {
		n = calloc(1, sizeof(*n));
		n->c.emit = collect;
		cr_assert_eq(vfs_open_path(k, A->cred, &p, LX_O_RDONLY, &f), 0);
		cr_assert_eq(f->ops->readdir(f, &n->c), 0);
		file_put(f);
		for (unsigned i = 0; i < n->count; i++) {
			char child[512];

			snprintf(child, sizeof(child), "%s/%s", path, n->name[i]);
			files += walk(child);
		}
		free(n);
	}
	path_put(&p);
	return files;
}

Test(proc, everything_reads)
{
	cr_assert_gt(walk("/proc"), 300);
	cr_assert_gt(walk("/sys"), 100);
}

static void link_is(const char *path, const char *want)
{
	char buf[256];
	struct path p;
	int n;

	cr_assert_eq(vfs_lookup(A, LX_AT_FDCWD, path, 0, &p), 0);
	n = p.dentry->inode->ops->readlink(p.dentry->inode, buf, sizeof(buf) - 1);
	path_put(&p);
	cr_assert_gt(n, 0);
	buf[n] = '\0';
	cr_assert_str_eq(buf, want);
}

Test(proc, self_and_fds)
{
	struct file *f = must_open("/dev/null", LX_O_RDWR), *g;

	cr_assert_eq(fdtable_add(A, f, 0), 0);
	link_is("/proc/self", "1");
	link_is("/proc/self/fd/0", "/dev/null");
	link_is("/proc/self/cwd", "/");
	link_is("/proc/self/ns/net", "net:[4026531840]");
	g = must_open("/dev/fd/0", LX_O_WRONLY);
	cr_assert_eq(wr(g, "x"), 1);
	file_put(g);
	cr_assert_eq(fdtable_close(A, 0), 0);
	cr_assert_eq(open_error("/proc/self/fd/0", LX_O_RDONLY), -LX_ENOENT);
	task_current = B;
	link_is("/proc/thread-self", "2/task/2");
	file_put(f);
}

Test(proc, stat_of_a_process)
{
	struct file *f = must_open("/proc/2/stat", LX_O_RDONLY);
	char buf[1024], state;
	int pid, ppid, pgid, sid, n;

	cr_assert_gt(rd(f, buf, sizeof(buf) - 1), 0);
	cr_assert_eq(sscanf(buf, "%d (child) %c %d %d %d", &pid, &state, &ppid, &pgid, &sid), 5);
	cr_assert(pid == 2 && state == 'S' && ppid == 1 && pgid == 2 && sid == 1);
	n = 0;
	for (const char *c = buf; *c; c++)
		n += *c == ' ';
	cr_assert_eq(n, 51); /* 52 fields */
	file_put(f);
}

Test(proc, a_number_used_again_is_another_process)
{
	struct file *f = must_open("/proc/2/stat", LX_O_RDONLY);
	char buf[64];

	B->tg->start_mono_ns++;
	cr_assert_eq(rd(f, buf, 63), -LX_ESRCH);
	file_put(f);
	f = must_open("/proc/2/stat", LX_O_RDONLY);
	cr_assert_gt(rd(f, buf, 63), 0);
	file_put(f);
	cr_assert_eq(open_error("/proc/3/stat", LX_O_RDONLY), -LX_ENOENT);
	cr_assert_eq(open_error("/proc/01/stat", LX_O_RDONLY), -LX_ENOENT);
}

Test(proc, partial_reads_see_one_state)
{
	struct file *f = must_open("/proc/self/comm", LX_O_RDONLY);
	char buf[16];

	cr_assert_eq(rd(f, buf, 2), 2);
	strcpy(A->comm, "changed");
	cr_assert_eq(rd(f, buf, 15), 3);
	cr_assert_str_eq(buf, "it\n");
	cr_assert_eq(file_seek(f, 0, LX_SEEK_SET), 0);
	reads(f, "changed\n");
	file_put(f);
}

Test(proc, others_may_not_look)
{
	struct file *f;

	B->cred->uid = B->cred->euid = B->cred->suid = B->cred->fsuid = 1000;
	B->cred->cap_eff = B->cred->cap_perm = 0;
	task_current = B;
	cr_assert_eq(open_error("/proc/1/environ", LX_O_RDONLY), -LX_EACCES);
	cr_assert_eq(open_error("/proc/1/maps", LX_O_RDONLY), -LX_EACCES);
	cr_assert_eq(open_error("/proc/1/fd", LX_O_RDONLY), -LX_EACCES);
	cr_assert_eq(open_error("/proc/1/cwd", LX_O_RDONLY), -LX_EACCES);
	cr_assert_eq(open_error("/proc/sys/kernel/hostname", LX_O_WRONLY), -LX_EACCES);
	f = must_open("/proc/1/status", LX_O_RDONLY);
	file_put(f);
	/* Its own descriptors, even when it is not dumpable. */
	B->mm->dumpable = false;
	f = must_open("/proc/self/fd", LX_O_RDONLY);
	file_put(f);
}

Test(proc, settings)
{
	struct file *f = must_open("/proc/sys/kernel/hostname", LX_O_RDWR | LX_O_TRUNC);

	cr_assert_eq(wr(f, "name\n"), 5);
	cr_assert_str_eq(k->hostname, "name");
	file_put(f);
	f = must_open("/proc/sys/kernel/pid_max", LX_O_RDWR);
	cr_assert_eq(wr(f, "7"), -LX_EINVAL);
	cr_assert_eq(wr(f, " 400 \n"), 6);
	cr_assert_eq(sysctl_get(k, SYSCTL_PID_MAX), 400);
	file_put(f);
	f = must_open("/proc/self/oom_score_adj", LX_O_RDWR);
	cr_assert_eq(wr(f, "500\n"), 4);
	cr_assert_eq(A->tg->oom_score_adj, 500);
	file_put(f);
	cr_assert_eq(open_error("/proc/sys/kernel/ostype", LX_O_WRONLY), -LX_EACCES);
	cr_assert_eq(open_error("/proc/sys/vm/overcommit_memory", LX_O_WRONLY), -LX_EACCES);
}
