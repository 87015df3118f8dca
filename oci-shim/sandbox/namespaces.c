/* The namespaces of the proxy, which is what callers inspect and configure. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oci-shim/sandbox/fds.h"
#include "oci-shim/sandbox/process.h"

void ns_loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return;
	if (ioctl(s, SIOCSIFFLAGS, &r) < 0) {
		/* Not ours to configure: then somebody else does. */
	}
	close(s);
}

/* Maps with more than our own id must be written from outside, with privilege. */
bool ns_maps_by_parent(const struct launch *l)
{
	return l->o->privileged && l->spec->ns[NS_USER].listed && !l->spec->ns[NS_USER].path;
}

static int write_map(pid_t pid, const char *file, const struct spec_idmap *m, unsigned n,
		     struct oerr *e)
{
	char path[64], text[4096];
	size_t len = 0;
	int r;

	for (unsigned i = 0; i < n && len < sizeof(text) - 64; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%u %u %u\n",
					m[i].container_id, m[i].host_id, m[i].size);
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	r = write_file(path, text);
	if (r < 0)
		return oerr_errno(e, -r, "linux.%cidMappings", file[0]);
	return 0;
}

int ns_write_maps(const struct launch *l, pid_t pid, struct oerr *e)
{
	const struct oci_spec *s = l->spec;

	if (!s->nuid_maps || !s->ngid_maps)
		return oerr_set(e, "linux.uidMappings and linux.gidMappings: a new user namespace needs both");
	if (write_map(pid, "uid_map", s->uid_maps, s->nuid_maps, e) < 0)
		return -1;
	return write_map(pid, "gid_map", s->gid_maps, s->ngid_maps, e);
}

static int map_self(uid_t uid, gid_t gid, struct oerr *e)
{
	char map[64];
	int r;

	r = write_file("/proc/self/setgroups", "deny");
	if (r < 0)
		return oerr_errno(e, -r, "/proc/self/setgroups");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	r = write_file("/proc/self/uid_map", map);
	if (r == 0) {
		snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
		r = write_file("/proc/self/gid_map", map);
	}
	return r < 0 ? oerr_errno(e, -r, "mapping uid %u to root in a user namespace",
				  (unsigned)uid)
		     : 0;
}

static int join_path(const char *path, int type, const char *name, struct oerr *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;

	if (fd < 0)
		return oerr_errno(e, errno, "linux.namespaces: %s: %s", name, path);
	r = setns(fd, type) < 0 ? errno : 0;
	close(fd);
	if (r == EINVAL)
		return oerr_set(e, "linux.namespaces: %s: %s is not a %s namespace", name, path,
				name);
	return r ? oerr_errno(e, r, "linux.namespaces: %s: %s", name, path) : 0;
}

int ns_enter_user(const struct launch *l, int report, struct oerr *e)
{
	const struct spec_ns *u = &l->spec->ns[NS_USER];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char go;

	if (u->path) {
		if (join_path(u->path, CLONE_NEWUSER, "user", e) < 0)
			return -1;
	} else if (!l->o->privileged) {
		if (unshare(CLONE_NEWUSER) < 0)
			return oerr_errno(e, errno,
					  "making a user namespace: run as root, or allow it (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone)");
		return map_self(uid, gid, e);
	} else if (u->listed) {
		if (unshare(CLONE_NEWUSER) < 0)
			return oerr_errno(e, errno, "making a user namespace");
		report_send(report, REPORT_NAMESPACES, 1, 0, NULL);
		if (read(report, &go, 1) != 1)
			return oerr_set(e, "the command ended");
	} else {
		return 0;
	}
	if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return oerr_errno(e, errno, "becoming root of the user namespace");
	/* With other ids than before, our own files in /proc are the host's root's until then:
	 * the sentry's id maps are written through them. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return oerr_errno(e, errno, "prctl(PR_SET_DUMPABLE)");
	return 0;
}

/* Is it a sysctl of a namespace that the container has to itself? */
static int sysctl_ok(const struct oci_spec *s, const char *key)
{
	if (!strncmp(key, "net.", 4))
		return s->ns[NS_NETWORK].listed;
	if (!strncmp(key, "fs.mqueue.", 10) || !strncmp(key, "kernel.shm", 10) ||
	    !strncmp(key, "kernel.msg", 10) || !strcmp(key, "kernel.sem"))
		return s->ns[NS_IPC].listed;
	if (!strcmp(key, "kernel.hostname") || !strcmp(key, "kernel.domainname"))
		return s->ns[NS_UTS].listed;
	return 0;
}

static int set_sysctls(const struct oci_spec *s, struct oerr *e)
{
	for (unsigned i = 0; i < s->nsysctls; i++) {
		const char *key = s->sysctls[i].key;
		char path[512];
		int r;

		if (strchr(key, '/') || strstr(key, "..") || !sysctl_ok(s, key))
			return oerr_set(e, "linux.sysctl: \"%s\" does not belong to a namespace of the container: remove it",
					key);
		snprintf(path, sizeof(path), "/proc/sys/%s", key);
		for (char *p = path; *p; p++)
			if (*p == '.')
				*p = '/';
		r = write_file(path, s->sysctls[i].value);
		if (r < 0)
			return oerr_errno(e, -r, "linux.sysctl: %s = %s", key,
					  s->sysctls[i].value);
	}
	return 0;
}

int ns_enter_rest(const struct launch *l, struct oerr *e)
{
	static const struct {
		enum spec_ns_kind kind;
		int flag;
		const char *name;
	} kinds[] = {
		{ NS_NETWORK, CLONE_NEWNET, "network" },
		{ NS_IPC, CLONE_NEWIPC, "ipc" },
		{ NS_UTS, CLONE_NEWUTS, "uts" },
	};
	const struct oci_spec *s = l->spec;
	int fresh = 0;

	for (int i = 0; i < 3; i++) {
		const struct spec_ns *n = &s->ns[kinds[i].kind];

		if (n->path && join_path(n->path, kinds[i].flag, kinds[i].name, e) < 0)
			return -1;
		if (n->listed && !n->path)
			fresh |= kinds[i].flag;
	}
	if (fresh && unshare(fresh) < 0)
		return oerr_errno(e, errno, "linux.namespaces: making namespaces");
	if (fresh & CLONE_NEWNET)
		ns_loopback_up();
	if ((fresh & CLONE_NEWUTS) && s->hostname &&
	    sethostname(s->hostname, strlen(s->hostname)) < 0)
		return oerr_errno(e, errno, "hostname");
	if ((fresh & CLONE_NEWUTS) && s->domainname &&
	    setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return oerr_errno(e, errno, "domainname");
	return set_sysctls(s, e);
}

int ns_join(pid_t pid, struct oerr *e)
{
	static const struct {
		const char *name;
		int flag;
	} kinds[] = { { "user", CLONE_NEWUSER }, { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS },
		      { "net", CLONE_NEWNET } };

	for (int i = 0; i < 4; i++) {
		char mine[64], theirs[64], a[64], b[64];
		ssize_t na, nb;
		int fd, r;

		snprintf(mine, sizeof(mine), "/proc/self/ns/%s", kinds[i].name);
		snprintf(theirs, sizeof(theirs), "/proc/%d/ns/%s", (int)pid, kinds[i].name);
		na = readlink(mine, a, sizeof(a));
		nb = readlink(theirs, b, sizeof(b));
		if (na == nb && na > 0 && !memcmp(a, b, (size_t)na))
			continue;
		fd = open(theirs, O_RDONLY | O_CLOEXEC);
		r = fd < 0 || setns(fd, kinds[i].flag) < 0 ? errno : 0;
		if (fd >= 0)
			close(fd);
		if (r)
			return oerr_errno(e, r, "joining %s", theirs);
	}
	return 0;
}
