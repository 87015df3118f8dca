/* Making, entering and removing the container's cgroups. */
#include "oci-shim/sandbox/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "oci-shim/sandbox/cgroup_impl.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/spec/json_util.h"
#include "platform/base/auto.h"

#define CG_ROOT "/sys/fs/cgroup"
#define CGROUP2_MAGIC 0x63677270

/* One line of /proc/self/cgroup: where it is mounted, and where we are in it. */
static bool hierarchy_parse(char *line, struct hierarchy *h)
{
	char *ctrl = strchr(line, ':'), *path;
	struct stat st;
	struct statfs fs;

	if (!ctrl || !(path = strchr(ctrl + 1, ':')))
		return false;
	*ctrl++ = 0;
	*path++ = 0;
	snprintf(h->self, sizeof(h->self), "%s", path);
	snprintf(h->controllers, sizeof(h->controllers), ",%s,", ctrl);
	h->v2 = !*ctrl;
	if (h->v2) {
		if (statfs(CG_ROOT, &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_MAGIC)
			snprintf(h->mount, sizeof(h->mount), CG_ROOT);
		else
			snprintf(h->mount, sizeof(h->mount), CG_ROOT "/unified");
	} else {
		if (!strncmp(ctrl, "name=", 5))
			ctrl += 5;
		snprintf(h->mount, sizeof(h->mount), CG_ROOT "/%s", ctrl);
	}
	return stat(h->mount, &st) == 0;
}

unsigned hierarchies(struct hierarchy *out, unsigned room)
{
	char buf[8192], *line, *save = NULL;
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	unsigned count = 0;

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	for (line = strtok_r(buf, "\n", &save); line && count < room;
	     line = strtok_r(NULL, "\n", &save))
		if (hierarchy_parse(line, &out[count]))
			count++;
	return count;
}

/* A path below the hierarchy's mount must stay there. */
static int check_path(const char *path, struct oerr *e)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && !strncmp(p, "..", 2))
			return oerr_set(e, "linux.cgroupsPath: \"%s\" must not contain \"..\"", path);
		p += n + strspn(p + n, "/");
	}
	if (strlen(path) > 1024)
		return oerr_set(e, "linux.cgroupsPath: longer than 1024 characters");
	return 0;
}

/* A v1 cpuset can hold no task before its cpus and mems are set. */
static void cpuset_inherit(const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

	for (int i = 0; i < 2; i++) {
		char path[1600], buf[1024];
		const char *slash = strrchr(dir, '/');
		int fd;
		ssize_t n;

		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - dir), dir, files[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			continue;
		buf[n] = 0;
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		write_file(path, buf);
	}
}

static int remember(struct state *st, const char *dir, struct oerr *e)
{
	if (st->ncgroups == STATE_MAX_CGROUPS)
		return oerr_set(e, "cgroup %s: more than %d directories to make", dir,
				STATE_MAX_CGROUPS);
	st->cgroups[st->ncgroups] = strdup(dir);
	if (!st->cgroups[st->ncgroups])
		return oerr_set(e, "out of memory");
	st->ncgroups++;
	return 0;
}

static int made(const struct hierarchy *h, struct state *st, const char *dir, struct oerr *e)
{
	if (!h->v2 && strstr(h->controllers, ",cpuset,"))
		cpuset_inherit(dir);
	return remember(st, dir, e);
}

/* Make dir and its missing parents, and remember which are ours. */
static int make_dir(const struct hierarchy *h, struct state *st, const char *dir, struct oerr *e)
{
	char buf[1600];
	size_t base = strlen(h->mount);
	int tries = 0;

again:
	if (mkdir(dir, 0755) == 0)
		return made(h, st, dir, e);
	if (errno == EEXIST)
		return 0;
	/* Somebody else's end may take a parent away while it is empty. */
	if (errno != ENOENT || tries++ == 10)
		return oerr_errno(e, errno, "cgroup %s", dir);
	snprintf(buf, sizeof(buf), "%s", dir);
	for (char *p = buf + base + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(buf, 0755) == 0) {
			if (made(h, st, buf, e) < 0)
				return -1;
		} else if (errno != EEXIST && errno != ENOENT) {
			return oerr_errno(e, errno, "cgroup %s", buf);
		}
		*p = '/';
	}
	goto again;
}

static int open_one(struct cgroup *cg, const char *dir, bool v2)
{
	char path[1600];
	int fd;

	if (v2) {
		cg->unified_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return cg->unified_fd < 0 ? -errno : 0;
	}
	snprintf(path, sizeof(path), "%s/tasks", dir);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	cg->task_fds[cg->ntask_fds++] = fd;
	return 0;
}

static bool limits_asked(const struct spec_resources *r)
{
	return r->pids_limit > 0 || r->memory_limit > 0 || r->cpu_quota > 0 || r->nunified;
}

static int create_in(const struct hierarchy *h, const char *rel, struct state *st,
		     struct cgroup *cg, struct oerr *e)
{
	char dir[1600];
	int r;

	if (rel[0] == '/')
		snprintf(dir, sizeof(dir), "%s%s", h->mount, rel);
	else
		snprintf(dir, sizeof(dir), "%s%s/%s", h->mount, h->self[1] ? h->self : "", rel);
	if (make_dir(h, st, dir, e) < 0)
		return -1;
	r = open_one(cg, dir, h->v2);
	if (r < 0)
		return oerr_errno(e, -r, "cgroup %s", dir);
	if (strstr(h->controllers, ",freezer,") || (h->v2 && !st->freezer)) {
		free(st->freezer);
		if (asprintf(&st->freezer, "%s/%s", dir,
			     h->v2 ? "cgroup.freeze" : "freezer.state") < 0)
			st->freezer = NULL;
		st->freezer_v2 = h->v2;
	}
	return 0;
}

int cgroup_create(const struct runsc_opts *o, const struct oci_spec *spec, struct state *st,
		  struct cgroup *cg, struct oerr *e)
{
	struct hierarchy h[CGROUP_MAX_HIERARCHIES];
	char rel[1100];
	bool must = limits_asked(&spec->res) || (spec->cgroups_path && o->privileged);
	struct oerr first = { 0 };
	unsigned n;

	*cg = (struct cgroup){ .unified_fd = -1 };
	if (o->systemd_cgroup)
		return systemd_refuse(spec, e);
	snprintf(rel, sizeof(rel), "/%s", st->id);
	if (spec->cgroups_path && spec->cgroups_path[0]) {
		if (check_path(spec->cgroups_path, e) < 0)
			return -1;
		snprintf(rel, sizeof(rel), "%s", spec->cgroups_path);
	}
	if (!o->privileged && !must)
		return 0;
	n = hierarchies(h, CGROUP_MAX_HIERARCHIES);
	for (unsigned i = 0; i < n; i++) {
		if (create_in(&h[i], rel, st, cg, e) == 0)
			continue;
		/* A hierarchy that we cannot write to only matters when a limit needs it. */
		if (!first.text[0])
			first = *e;
		if (o->privileged && e->cause != EROFS && e->cause != EACCES && e->cause != EPERM)
			goto fail;
	}
	if (limits_set(h, n, rel, &spec->res, e) == 0)
		return 0;
	if (first.text[0])
		*e = first;
fail:
	cgroup_close(cg);
	cgroup_remove(st, &first);
	return -1;
}

/* A directory made on the way to the container's own. */
static bool is_parent(const struct state *st, unsigned i)
{
	size_t n = strlen(st->cgroups[i]);

	for (unsigned j = 0; j < st->ncgroups; j++)
		if (!strncmp(st->cgroups[j], st->cgroups[i], n) && st->cgroups[j][n] == '/')
			return true;
	return false;
}

void cgroup_open(const struct state *st, struct cgroup *cg)
{
	*cg = (struct cgroup){ .unified_fd = -1 };
	for (unsigned i = 0; i < st->ncgroups; i++) {
		struct statfs fs;

		if (!is_parent(st, i) && statfs(st->cgroups[i], &fs) == 0)
			open_one(cg, st->cgroups[i], (unsigned long)fs.f_type == CGROUP2_MAGIC);
	}
}

int cgroup_join(const struct cgroup *cg)
{
	for (unsigned i = 0; i < cg->ntask_fds; i++)
		if (write(cg->task_fds[i], "0", 1) < 0)
			return -errno;
	return 0;
}

void cgroup_close(struct cgroup *cg)
{
	if (cg->unified_fd >= 0)
		close(cg->unified_fd);
	for (unsigned i = 0; i < cg->ntask_fds; i++)
		close(cg->task_fds[i]);
	*cg = (struct cgroup){ .unified_fd = -1 };
}

/* Wait until somebody listed in dir/cgroup.procs is gone. false: nobody is listed. */
static bool wait_for_member(const char *dir, bool kill_it)
{
	char path[1600], buf[64];
	struct pollfd pf = { .events = POLLIN };
	ssize_t n;
	int fd;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return false;
	buf[n] = 0;
	pid = (pid_t)strtol(buf, NULL, 10);
	if (pid <= 0 || pid == getpid())
		return false;
	pf.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pf.fd < 0)
		return true; /* gone in between */
	if (kill_it)
		pidfd_signal(pf.fd, SIGKILL);
	n = poll(&pf, 1, 10000);
	close(pf.fd);
	return n != 0;
}

/* With nobody listed, a task may still be between exit and its last release: the
 * v2 events file tells when the group is empty; v1 only lets one try again. */
static bool wait_until_empty(const char *dir)
{
	char path[1600], buf[256];
	struct pollfd pf = { .events = POLLPRI };
	ssize_t n;

	snprintf(path, sizeof(path), "%s/cgroup.events", dir);
	pf.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (pf.fd < 0) {
		sched_yield();
		return true;
	}
	n = pread(pf.fd, buf, sizeof(buf) - 1, 0);
	buf[n > 0 ? n : 0] = 0;
	if (strstr(buf, "populated 1"))
		poll(&pf, 1, 2000);
	close(pf.fd);
	return true;
}

static int remove_one(const char *dir)
{
	for (int tries = 0; tries < 1000; tries++) {
		if (rmdir(dir) == 0 || errno == ENOENT)
			return 0;
		if (errno != EBUSY)
			return -errno;
		if (!wait_for_member(dir, false))
			wait_until_empty(dir);
	}
	return -EBUSY;
}

int cgroup_remove(struct state *st, struct oerr *e)
{
	int err = 0;

	for (unsigned i = st->ncgroups; i-- > 0;) {
		int r;

		/* A parent may hold other containers by now: then it stays. */
		if (is_parent(st, i)) {
			rmdir(st->cgroups[i]);
			continue;
		}
		r = remove_one(st->cgroups[i]);
		if (r < 0) {
			oerr_errno(e, -r, "cgroup %s", st->cgroups[i]);
			err = -1;
		}
	}
	while (st->ncgroups)
		free(st->cgroups[--st->ncgroups]);
	return err;
}

void cgroup_kill(const struct state *st)
{
	unsigned first = st->ncgroups;

	for (unsigned i = 0; i < st->ncgroups; i++) {
		char path[1600];

		if (is_parent(st, i))
			continue;
		if (first == st->ncgroups)
			first = i;
		snprintf(path, sizeof(path), "%s/cgroup.kill", st->cgroups[i]);
		if (write_file(path, "1") == 0)
			return;
	}
	if (first < st->ncgroups)
		while (wait_for_member(st->cgroups[first], true))
			;
}

int cgroup_freeze(const struct state *st, bool freeze, struct oerr *e)
{
	int r;

	if (!st->freezer)
		return oerr_set(e, "no cgroup freezer for this container: pause needs one");
	r = write_file(st->freezer, st->freezer_v2 ? freeze ? "1" : "0"
						   : freeze ? "FROZEN" : "THAWED");
	return r < 0 ? oerr_errno(e, -r, "%s", st->freezer) : 0;
}
