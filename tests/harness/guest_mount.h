/* For cases about mounts: natively in a mount namespace of the case's own; where none can be
 * had, in the one there is. What a case mounts below its directory goes when it ends. */
#ifndef TESTS_HARNESS_GUEST_MOUNT_H
#define TESTS_HARNESS_GUEST_MOUNT_H

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/harness/guest.h"

static inline void enter(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
	if (unshare(CLONE_NEWNS) == 0) {
		CHECK_EQ(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	} else {
		CHECK_EQ(errno, EPERM);
		CHECK_EQ(mkdir("probe", 0700), 0);
		if (mount("none", "probe", "tmpfs", 0, NULL) < 0)
			SKIP("mounting is not allowed");
		CHECK_EQ(umount("probe"), 0);
	}
	CHECK(chdir("/") == 0 && chdir(guest_dir) == 0);
}

static inline void tmpfs(const char *at, unsigned long flags, const char *data)
{
	CHECK(mkdir(at, 0755) == 0 || errno == EEXIST);
	CHECK_EQ(mount("none", at, "tmpfs", flags, data), 0);
}

static inline void make(const char *path, const char *text)
{
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	CHECK_EQ(close(fd), 0);
}

static inline bool has(const char *path)
{
	return access(path, F_OK) == 0;
}

static inline bool listed(const char *what)
{
	static char b[65536];
	int fd = open("/proc/self/mounts", O_RDONLY);
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, b + n, sizeof(b) - 1 - n)) > 0)
		n += (size_t)r;
	b[n] = 0;
	close(fd);
	return strstr(b, what) != NULL;
}

/* The optional fields of mountinfo ("shared:1 master:2") of what is mounted at
 * guest_dir/name, "-" if there are none, "" if nothing is mounted there. opts may be NULL: the
 * mount's options. */
static inline void mountinfo(const char *name, char *opts, char fields[200])
{
	static char line[8192];
	char where[300], at[4096], mopts[300];
	FILE *f = fopen("/proc/self/mountinfo", "r");

	snprintf(where, sizeof(where), "%s/%s", guest_dir, name);
	fields[0] = 0;
	while (f && fgets(line, sizeof(line), f)) {
		int n = 0;
		char *end;

		if (sscanf(line, "%*d %*d %*s %*s %4095s %299s %n", at, mopts, &n) < 2 ||
		    strcmp(at, where))
			continue;
		end = strstr(line + n - 1, " - ");
		*end = 0;
		snprintf(fields, 200, "%s", end > line + n ? line + n : "-");
		if (opts)
			strcpy(opts, mopts);
	}
	if (f)
		fclose(f);
}

/* The number behind "shared:" or "master:" there; 0: none. */
static inline int mountinfo_group(const char *name, const char *key)
{
	char fields[200];
	char *p;

	mountinfo(name, NULL, fields);
	p = strstr(fields, key);
	return p ? atoi(p + strlen(key)) : 0;
}

#endif
