/* The state directory of a container: making, locking, saving, removing. */
#include "oci-shim/state/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "oci-shim/spec/json_util.h"
#include "oci-shim/state/state_impl.h"
#include "platform/base/auto.h"

int state_check_id(const char *id, struct oerr *e)
{
	static const char ok[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-";
	size_t n = strlen(id);

	if (n && n <= 255 && strspn(id, ok) == n && strcmp(id, ".") && strcmp(id, ".."))
		return 0;
	return oerr_set(e, "invalid container id \"%.300s\": use letters, digits and _ + . -", id);
}

void time_rfc3339(char *buf, size_t size, bool nanoseconds)
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	if (nanoseconds)
		snprintf(buf + n, size - n, ".%09ldZ", ts.tv_nsec);
	else
		snprintf(buf + n, size - n, "Z");
}

static int mkdir_p(const char *path)
{
	char buf[4096];
	size_t n = strlen(path);

	if (n >= sizeof(buf))
		return -ENAMETOOLONG;
	memcpy(buf, path, n + 1);
	if (mkdir(buf, 0711) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return -errno;
	for (char *p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(buf, 0711) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(buf, 0711) < 0 && errno != EEXIST ? -errno : 0;
}

static struct state *state_alloc(const char *id)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->dirfd = -1;
	s->id = strdup(id);
	if (s->id)
		return s;
	free(s);
	return NULL;
}

int state_create(const struct runsc_opts *o, const char *id, struct state **out, struct oerr *e)
{
	char path[4096], now[40];
	struct state *s;
	int r;

	if (state_check_id(id, e) < 0)
		return -1;
	if (snprintf(path, sizeof(path), "%s/%s", o->root, id) >= (int)sizeof(path))
		return oerr_set(e, "--root %s: path too long", o->root);
	s = state_alloc(id);
	if (!s)
		return oerr_set(e, "out of memory");
	r = mkdir(path, 0700) < 0 ? errno : 0;
	if (r == ENOENT) {
		r = -mkdir_p(o->root);
		if (!r)
			r = mkdir(path, 0700) < 0 ? errno : 0;
	}
	if (r) {
		state_free(s);
		if (r == EEXIST)
			return oerr_set(e, "container with given ID already exists: %s: choose another id or delete it with \"runsc delete\"",
					id);
		return oerr_errno(e, r, "state directory %s: choose another with --root", path);
	}
	s->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0 || flock(s->dirfd, LOCK_EX) < 0) {
		r = errno;
		rmdir(path);
		state_free(s);
		return oerr_errno(e, r, "%s", path);
	}
	time_rfc3339(now, sizeof(now), true);
	s->created = strdup(now);
	s->status = ST_CREATING;
	*out = s;
	return 0;
}

int state_open(const struct runsc_opts *o, const char *id, bool lock, struct state **out,
	       struct oerr *e)
{
	char path[4096];
	struct state *s;
	struct stat a, b;

	if (state_check_id(id, e) < 0)
		return -1;
	if (snprintf(path, sizeof(path), "%s/%s", o->root, id) >= (int)sizeof(path))
		return oerr_set(e, "--root %s: path too long", o->root);
	s = state_alloc(id);
	if (!s)
		return oerr_set(e, "out of memory");
again:
	s->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0 && errno == ENOENT) {
		state_free(s);
		oerr_set(e, "container does not exist: %s: see \"runsc list\" (state directory %s)",
			 id, o->root);
		e->cause = ENOENT;
		return -1;
	}
	if (s->dirfd < 0) {
		oerr_errno(e, errno, "%s", path);
		state_free(s);
		return -1;
	}
	if (lock) {
		/* Whoever held the lock may have deleted the directory meanwhile. */
		flock(s->dirfd, LOCK_EX);
		if (fstat(s->dirfd, &a) < 0 || stat(path, &b) < 0 || a.st_ino != b.st_ino) {
			close(s->dirfd);
			goto again;
		}
	}
	if (state_read_json(s, e) < 0) {
		state_free(s);
		return oerr_ctx(e, "container %s", id);
	}
	*out = s;
	return 0;
}

int state_save(struct state *s, struct oerr *e)
{
	AUTO_FREE char *text = state_file_text(s);
	AUTO_CLOSE int fd = -1;
	size_t n;

	if (!text)
		return oerr_set(e, "out of memory");
	n = strlen(text);
	fd = openat(s->dirfd, ".state.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n ||
	    renameat(s->dirfd, ".state.json", s->dirfd, "state.json") < 0)
		return oerr_errno(e, errno ? errno : ENOSPC, "%s: state.json", s->id);
	return 0;
}

int state_remove(const struct runsc_opts *o, struct state *s, struct oerr *e)
{
	char path[4096];
	struct dirent *d;
	DIR *dir = fdopendir(dup(s->dirfd));

	while (dir && (d = readdir(dir)))
		if (strcmp(d->d_name, ".") && strcmp(d->d_name, ".."))
			unlinkat(s->dirfd, d->d_name, 0);
	if (dir)
		closedir(dir);
	snprintf(path, sizeof(path), "%s/%s", o->root, s->id);
	if (rmdir(path) < 0 && errno != ENOENT)
		return oerr_errno(e, errno, "%s", path);
	return 0;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	free(s->id);
	free(s->version);
	free(s->bundle);
	free(s->rootfs);
	free(s->created);
	free(s->owner);
	free(s->annotations);
	for (unsigned i = 0; i < s->ncgroups; i++)
		free(s->cgroups[i]);
	free(s->freezer);
	json_object_put(s->json);
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s);
}

/* ---- processes ---- */

uint64_t proc_start_time(pid_t pid, bool *zombie)
{
	AUTO_CLOSE int fd = -1;
	char path[64], buf[1024], *p;
	ssize_t n;
	uint64_t v;

	if (zombie)
		*zombie = false;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return 0;
	buf[n] = 0;
	/* The name may hold anything, also ')': fields are counted after the last one. */
	p = strrchr(buf, ')');
	if (!p || p[1] != ' ')
		return 0;
	p += 2;
	if (zombie)
		*zombie = *p == 'Z' || *p == 'X';
	for (int field = 3; field < 22 && p; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	v = p ? strtoull(p, NULL, 10) : 0;
	return v ? v : 1;
}

bool proc_alive(const struct state_proc *p)
{
	bool zombie;

	return p->pid > 0 && proc_start_time(p->pid, &zombie) == p->start && !zombie;
}

int proc_pidfd(const struct state_proc *p)
{
	int fd;

	if (p->pid <= 0)
		return -1;
	fd = pidfd_open_(p->pid);
	if (fd < 0)
		return -1;
	/* Only now: the pidfd pins the pid, so the check cannot be overtaken. */
	if (proc_alive(p))
		return fd;
	close(fd);
	return -1;
}

enum cstatus state_status(const struct state *s)
{
	if (s->init.pid == 0 && s->status == ST_CREATING)
		return ST_CREATING;
	return proc_alive(&s->init) ? s->status : ST_STOPPED;
}

const char *status_name(enum cstatus st)
{
	static const char *const names[] = {
		[ST_CREATING] = "creating", [ST_CREATED] = "created", [ST_RUNNING] = "running",
		[ST_PAUSED] = "paused",	    [ST_STOPPED] = "stopped",
	};

	return names[st];
}

/* ---- list ---- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int state_for_each(const struct runsc_opts *o, void (*fn)(struct state *, void *), void *ctx,
		   struct oerr *e)
{
	DIR *dir = opendir(o->root);
	char **names = NULL, **more;
	struct dirent *d;
	size_t n = 0;

	if (!dir)
		return errno == ENOENT ? 0 : oerr_errno(e, errno, "%s", o->root);
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.' && (!d->d_name[1] || d->d_name[1] == '.'))
			continue;
		more = realloc(names, (n + 1) * sizeof(*names));
		if (!more)
			break;
		names = more;
		names[n] = strdup(d->d_name);
		n += names[n] != NULL;
	}
	closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++) {
		struct oerr ignored = { 0 };
		struct state *s;

		/* Deleted meanwhile, or not one of ours: not listed. */
		if (state_open(o, names[i], false, &s, &ignored) == 0) {
			fn(s, ctx);
			state_free(s);
		}
		free(names[i]);
	}
	free(names);
	return 0;
}
