/* The gofer's root: a small tmpfs that holds nothing but the exported trees, named
 * "0" (the container's root), "1", "2" … (bind mounts in config order). */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/magic.h>

#include "gofer/server/gofer_server.h"
#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"
#include "platform/base/log.h"

#define BIT(cap) (1ULL << (cap))
#define GOFER_CAPS                                                                          \
	(BIT(CAP_CHOWN) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) |                \
	 BIT(CAP_FOWNER) | BIT(CAP_FSETID) | BIT(CAP_MKNOD) | BIT(CAP_SETFCAP))

/* A copy of the mounts at path that nobody else sees. */
static int clone_tree(const char *path, bool recursive)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
	int fd = open_tree(AT_FDCWD, path, flags);

	/* In a user namespace the mounts below may be locked to their place. */
	if (fd < 0 && errno == EINVAL && !recursive)
		fd = open_tree(AT_FDCWD, path, flags | AT_RECURSIVE);
	return fd < 0 ? -errno : fd;
}

static int open_in_root(int root, const char *path, uint64_t flags, uint64_t mode)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = RESOLVE_IN_ROOT };
	long fd = syscall(SYS_openat2, root, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* mkdir -p below root, following symlinks inside it; a directory fd or -errno. */
static int make_dirs(int root, char *path)
{
	int dir = dup(root), next;
	char *save = NULL, *partial = calloc(1, strlen(path) + 2);

	if (dir < 0 || !partial)
		goto out;
	for (char *c = strtok_r(path, "/", &save); c; c = strtok_r(NULL, "/", &save)) {
		strcat(partial, "/");
		strcat(partial, c);
		next = open_in_root(root, partial, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		if (next == -ENOENT && strcmp(c, "..") && mkdirat(dir, c, 0755) == 0)
			next = open_in_root(root, partial, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
		close(dir);
		dir = next;
		if (dir < 0)
			break;
	}
out:
	free(partial);
	return dir;
}

static bool covered(const struct oci_spec *s, unsigned i)
{
	const char *d = s->mounts[i].destination;

	for (unsigned j = 0; j < i; j++) {
		size_t n = strlen(s->mounts[j].destination);

		if (!strncmp(d, s->mounts[j].destination, n) && d[n] == '/')
			return true;
	}
	return false;
}

/* A read-only root without an overlay: the sentry will not be able to make missing
 * mount points, so they are made here. Failing is fine: the sentry will complain. */
static void make_mountpoints(const struct launch *l, int root)
{
	for (unsigned i = 0; i < l->spec->nmounts; i++) {
		const struct spec_mount *m = &l->spec->mounts[i];
		char *path = strdup(m->destination), *slash;
		struct stat st;
		int fd;

		if (!path || covered(l->spec, i)) {
			free(path);
			continue;
		}
		slash = strrchr(path, '/');
		if (m->bind && slash && stat(m->source, &st) == 0 && !S_ISDIR(st.st_mode)) {
			*slash = 0;
			fd = make_dirs(root, path);
			if (fd >= 0) {
				int file = openat(fd, slash + 1,
						  O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC,
						  0644);

				if (file >= 0)
					close(file);
			}
		} else {
			fd = make_dirs(root, path);
		}
		if (fd >= 0)
			close(fd);
		free(path);
	}
}

struct export_set {
	int *trees;
	struct gofer_export *exports;
	char (*names)[16];
	unsigned n;
};

static int add_tree(struct export_set *x, int tree, bool readonly, bool shared, struct oerr *e)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (readonly ? MOUNT_ATTR_RDONLY : 0),
		.propagation = MS_PRIVATE,
	};

	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &a, sizeof(a)) < 0)
		return oerr_errno(e, errno, "setting mount attributes");
	snprintf(x->names[x->n], sizeof(x->names[0]), "/%u", x->n);
	x->trees[x->n] = tree;
	x->exports[x->n] = (struct gofer_export){
		.path = x->names[x->n], .readonly = readonly, .shared = shared };
	x->n++;
	return 0;
}

/* Where the contents of an upper layer go: nothing in it can be seen or changed by the
 * sentry, which only gets files without a name there. The last export. */
static int add_filestore(const struct launch *l, struct export_set *x, struct oerr *e)
{
	const char *dir = l->o->overlay.medium == OVERLAY_SELF ? l->rootfs : l->o->overlay.dir;
	int tree = clone_tree(dir, false);

	if (tree < 0)
		return oerr_errno(e, -tree, "--overlay2: %s", dir);
	if (add_tree(x, tree, false, false, e) < 0)
		return oerr_ctx(e, "--overlay2: %s", dir);
	x->exports[x->n - 1].filestore = true;
	return 0;
}

static int collect(const struct launch *l, struct export_set *x, struct oerr *e)
{
	const struct overlay_opts *over = &l->o->overlay;
	bool ro = over->medium != OVERLAY_NONE || l->spec->root_readonly;
	bool over_mounts = over->medium != OVERLAY_NONE && over->all;
	int tree = clone_tree(l->rootfs, true);

	if (tree < 0)
		return oerr_errno(e, -tree, "root.path: %s", l->rootfs);
	if (l->spec->root_readonly && over->medium == OVERLAY_NONE)
		make_mountpoints(l, tree);
	if (add_tree(x, tree, ro, l->root_shared, e) < 0)
		return oerr_ctx(e, "root.path: %s", l->rootfs);
	for (unsigned i = 0; i < l->spec->nmounts; i++) {
		const struct spec_mount *m = &l->spec->mounts[i];
		char abs[4096];

		if (!m->bind)
			continue;
		snprintf(abs, sizeof(abs), "%s%s%s", m->source[0] == '/' ? "" : l->bundle,
			 m->source[0] == '/' ? "" : "/", m->source);
		tree = clone_tree(abs, m->recursive);
		if (tree < 0)
			return oerr_errno(e, -tree, "mounts[%u].source: %s", i, abs);
		if (add_tree(x, tree, (m->flags & SPEC_MNT_RDONLY) || over_mounts, !m->exclusive,
			     e) < 0)
			return oerr_ctx(e, "mounts[%u].source: %s", i, abs);
	}
	return overlay_on_disk(over) ? add_filestore(l, x, e) : 0;
}

static int place(struct export_set *x, struct oerr *e)
{
	for (unsigned i = 0; i < x->n; i++) {
		const char *name = x->names[i] + 1;
		struct stat st;
		int r;

		if (fstatat(x->trees[i], "", &st, AT_EMPTY_PATH) < 0)
			return oerr_errno(e, errno, "export %u", i);
		r = S_ISDIR(st.st_mode) ? mkdir(name, 0700) : mknod(name, S_IFREG | 0600, 0);
		if (r < 0 || move_mount(x->trees[i], "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
			return oerr_errno(e, errno, "placing export %u", i);
		close(x->trees[i]);
	}
	return 0;
}

/* Our own /proc/self/fd, and nothing else of /proc: the gofer opens by it what it holds
 * already. A mount of its own, so that no ".." leads out. -1: not to be had. */
static int clone_fds_dir(void)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
	};
	struct statfs f;
	int fd = clone_tree("/proc/self/fd", false);

	if (fd >= 0 && (fstatfs(fd, &f) < 0 || f.f_type != PROC_SUPER_MAGIC ||
			mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		log_info("no /proc/self/fd: files are opened by name");
	return fd < 0 ? -1 : fd;
}

static int setup(const struct launch *l, struct export_set *x, int *fds_dir, struct oerr *e)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	unsigned room = l->spec->nmounts + 2;
	int old;

	x->trees = calloc(room, sizeof(*x->trees));
	x->exports = calloc(room, sizeof(*x->exports));
	x->names = calloc(room, sizeof(*x->names));
	if (!x->trees || !x->exports || !x->names)
		return oerr_set(e, "out of memory");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return oerr_errno(e, errno, "making mounts private");
	*fds_dir = clone_fds_dir();
	if (collect(l, x, e) < 0 || root_stage(&old, e) < 0 || place(x, e) < 0 ||
	    root_switch(old, e) < 0)
		return -1;
	if (mount_setattr(AT_FDCWD, "/", 0, &ro, sizeof(ro)) < 0)
		return oerr_errno(e, errno, "making the gofer's root read-only");
	return caps_reduce(GOFER_CAPS, e);
}

/* While we still may. */
static void raise_nofile(void)
{
	struct rlimit r, want = { GOFER_NOFILE, GOFER_NOFILE };

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_max < GOFER_NOFILE)
		(void)setrlimit(RLIMIT_NOFILE, &want);
}

void gofer_main(const struct launch *l, int sock, int report)
{
	struct export_set x = { 0 };
	struct oerr e = { 0 };
	int keep[] = { sock, report, l->o->debug_fd };
	sigset_t none;
	int r, fds_dir = -1;

	prctl(PR_SET_NAME, "runsc-gofer");
	title_set(l->o, "runsc-gofer");
	fds_keep_only(keep, 3);
	fds_stderr(l->o->debug_fd);
	log_setup(l->o->debug_fd, l->o->debug ? LOG_DEBUG : LOG_INFO, "gofer");
	setsid();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	raise_nofile();
	if (setup(l, &x, &fds_dir, &e) < 0) {
		report_send(report, REPORT_ERROR, 0, 0, &e);
		_exit(1);
	}
	/* After the last change of credentials, which would clear it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(report);
	r = gofer_serve(sock, fds_dir, spec_two_cpus(&l->spec->res), x.exports, x.n);
	log_error("gofer: %s", strerror(-r));
	_exit(1);
}
