/* Names of capabilities, resource limits and mount options. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "oci-shim/spec/spec.h"

static const char *const cap_names[] = {
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW",
	"CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
	"CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE",
	"CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",
	"CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
};
#define NCAPS (sizeof(cap_names) / sizeof(cap_names[0]))

static const char *const rlimit_names[SPEC_NRLIMITS] = {
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
	"RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS",
	"RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
};

int cap_from_name(const char *name)
{
	if (!strncasecmp(name, "CAP_", 4))
		name += 4;
	for (size_t i = 0; i < NCAPS; i++)
		if (!strcasecmp(name, cap_names[i] + 4))
			return (int)i;
	return -1;
}

const char *cap_name(int cap)
{
	return cap >= 0 && (size_t)cap < NCAPS ? cap_names[cap] : NULL;
}

int rlimit_from_name(const char *name)
{
	for (int i = 0; i < SPEC_NRLIMITS; i++)
		if (!strcmp(name, rlimit_names[i]))
			return i;
	return -1;
}

/* Options that are flags of a mount; the ones with an r in front are for mounts below, too,
 * which a gofer export does not show as mounts. Propagation is a matter between the mounts
 * in the sandbox: the host's are not among them. */
#define ATIME (SPEC_MNT_NOATIME | SPEC_MNT_STRICTATIME)
#define PROP (SPEC_MNT_PRIVATE | SPEC_MNT_SHARED | SPEC_MNT_SLAVE | SPEC_MNT_UNBINDABLE)
#define PROPAGATION(name, flag)                                  \
	{ name, flag, (PROP & ~(flag)) | SPEC_MNT_PROP_REC }, \
		{ "r" name, (flag) | SPEC_MNT_PROP_REC, PROP & ~(flag) }
static const struct {
	const char *name;
	uint32_t set, clear;
} mount_flags[] = {
	{ "ro", SPEC_MNT_RDONLY, 0 },	 { "rw", 0, SPEC_MNT_RDONLY },
	{ "rro", SPEC_MNT_RDONLY, 0 },	 { "rrw", 0, SPEC_MNT_RDONLY },
	{ "nosuid", SPEC_MNT_NOSUID, 0 }, { "suid", 0, SPEC_MNT_NOSUID },
	{ "rnosuid", SPEC_MNT_NOSUID, 0 }, { "rsuid", 0, SPEC_MNT_NOSUID },
	{ "nodev", SPEC_MNT_NODEV, 0 },	 { "dev", 0, SPEC_MNT_NODEV },
	{ "rnodev", SPEC_MNT_NODEV, 0 }, { "rdev", 0, SPEC_MNT_NODEV },
	{ "noexec", SPEC_MNT_NOEXEC, 0 }, { "exec", 0, SPEC_MNT_NOEXEC },
	{ "rnoexec", SPEC_MNT_NOEXEC, 0 }, { "rexec", 0, SPEC_MNT_NOEXEC },
	{ "noatime", SPEC_MNT_NOATIME, ATIME }, { "atime", 0, SPEC_MNT_NOATIME },
	{ "rnoatime", SPEC_MNT_NOATIME, ATIME }, { "ratime", 0, SPEC_MNT_NOATIME },
	{ "strictatime", SPEC_MNT_STRICTATIME, ATIME }, { "rstrictatime", SPEC_MNT_STRICTATIME, ATIME },
	{ "nostrictatime", 0, SPEC_MNT_STRICTATIME }, { "rnostrictatime", 0, SPEC_MNT_STRICTATIME },
	{ "relatime", 0, ATIME }, { "rrelatime", 0, ATIME },
	{ "norelatime", 0, 0 }, { "rnorelatime", 0, 0 },
	{ "nodiratime", SPEC_MNT_NODIRATIME, 0 }, { "diratime", 0, SPEC_MNT_NODIRATIME },
	{ "rnodiratime", SPEC_MNT_NODIRATIME, 0 }, { "rdiratime", 0, SPEC_MNT_NODIRATIME },
	{ "nosymfollow", SPEC_MNT_NOSYMFOLLOW, 0 }, { "symfollow", 0, SPEC_MNT_NOSYMFOLLOW },
	{ "rnosymfollow", SPEC_MNT_NOSYMFOLLOW, 0 }, { "rsymfollow", 0, SPEC_MNT_NOSYMFOLLOW },
	PROPAGATION("private", SPEC_MNT_PRIVATE), PROPAGATION("shared", SPEC_MNT_SHARED),
	PROPAGATION("slave", SPEC_MNT_SLAVE), PROPAGATION("unbindable", SPEC_MNT_UNBINDABLE),
	{ "defaults", 0, 0 }, { "async", 0, 0 }, { "sync", 0, 0 }, { "dirsync", 0, 0 },
	{ "iversion", 0, 0 }, { "noiversion", 0, 0 },
	{ "lazytime", 0, 0 }, { "nolazytime", 0, 0 }, { "loud", 0, 0 }, { "silent", 0, 0 },
	{ "mand", 0, 0 }, { "nomand", 0, 0 }, { "remount", 0, 0 },
	{ "tmpcopyup", 0, 0 },
};

static bool mount_flag(struct spec_mount *m, const char *o)
{
	if (!strcmp(o, "bind") || !strcmp(o, "rbind")) {
		m->bind = true;
		m->recursive |= *o == 'r';
		return true;
	}
	for (size_t i = 0; i < sizeof(mount_flags) / sizeof(mount_flags[0]); i++) {
		if (strcmp(o, mount_flags[i].name))
			continue;
		m->flags = (m->flags & ~mount_flags[i].clear) | mount_flags[i].set;
		return true;
	}
	return false;
}

int mount_options_parse(struct spec_mount *m, const struct strv *options, struct oerr *e)
{
	size_t len = 1;

	for (unsigned i = 0; i < options->n; i++)
		len += strlen(options->v[i]) + 1;
	m->data = calloc(1, len);
	if (!m->data)
		return oerr_set(e, "out of memory");
	if (m->type && !strcmp(m->type, "bind"))
		m->bind = true;
	for (unsigned i = 0; i < options->n; i++) {
		const char *o = options->v[i];

		if (!strcmp(o, "idmap") || !strcmp(o, "ridmap"))
			return oerr_set(e, "option \"%s\" is not supported: remove it", o);
		if (mount_flag(m, o))
			continue;
		if (m->data[0])
			strcat(m->data, ",");
		strcat(m->data, o);
	}
	if (m->bind && m->data[0])
		return oerr_set(e, "\"%s\" is not an option of a bind mount: remove it", m->data);
	return 0;
}
