/* Giving up privileges and the host's file tree; runs in freshly forked processes. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci-shim/sandbox/process.h"

int caps_reduce(uint64_t keep, struct oerr *e)
{
	struct __user_cap_header_struct h = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct d[2] = {
		{ (uint32_t)keep, (uint32_t)keep, 0 },
		{ (uint32_t)(keep >> 32), (uint32_t)(keep >> 32), 0 },
	};
	struct __user_cap_data_struct have[2];

	/* Dropping from the bounding set needs CAP_SETPCAP; without it there is nothing
	 * that no_new_privs does not cover. */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep & (1ULL << cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			break;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return oerr_errno(e, errno, "prctl(PR_SET_NO_NEW_PRIVS)");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capget, &h, have) == 0) {
		d[0].permitted &= have[0].permitted;
		d[1].permitted &= have[1].permitted;
		d[0].effective = d[0].permitted;
		d[1].effective = d[1].permitted;
	}
	if (syscall(SYS_capset, &h, d) < 0)
		return oerr_errno(e, errno, "dropping capabilities");
	return 0;
}

int root_stage(int *old_root, struct oerr *e)
{
	int fs, mnt;

	*old_root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*old_root < 0)
		return oerr_errno(e, errno, "opening /");
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return oerr_errno(e, errno, "fsopen(tmpfs)");
	fsconfig(fs, FSCONFIG_SET_STRING, "size", "1m", 0);
	fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		close(fs);
		return oerr_errno(e, errno, "creating a tmpfs");
	}
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	close(fs);
	if (mnt < 0)
		return oerr_errno(e, errno, "mounting a tmpfs");
	if (move_mount(mnt, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0 || fchdir(mnt) < 0) {
		close(mnt);
		return oerr_errno(e, errno, "placing a tmpfs");
	}
	close(mnt);
	return 0;
}

int root_switch(int old_root, struct oerr *e)
{
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return oerr_errno(e, errno, "pivot_root");
	/* The old root now lies on top of the new one. */
	if (fchdir(old_root) < 0 || umount2(".", MNT_DETACH) < 0)
		return oerr_errno(e, errno, "detaching the old root");
	close(old_root);
	if (chdir("/") < 0)
		return oerr_errno(e, errno, "chdir(/)");
	return 0;
}

int root_make_empty(struct oerr *e)
{
	struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
	int old;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return oerr_errno(e, errno, "making mounts private");
	if (root_stage(&old, e) < 0 || root_switch(old, e) < 0)
		return -1;
	if (mount_setattr(AT_FDCWD, "/", 0, &ro, sizeof(ro)) < 0)
		return oerr_errno(e, errno, "making the empty root read-only");
	return 0;
}
