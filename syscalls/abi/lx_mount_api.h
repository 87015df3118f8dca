/* The newer mount calls: fsopen(2) and the ones around it, mount_setattr(2), statmount(2). */
#ifndef SYSCALLS_ABI_LX_MOUNT_API_H
#define SYSCALLS_ABI_LX_MOUNT_API_H

#include <stdint.h>

#define LX_FSOPEN_CLOEXEC 1u
#define LX_FSMOUNT_CLOEXEC 1u

#define LX_FSCONFIG_SET_FLAG 0u
#define LX_FSCONFIG_SET_STRING 1u
#define LX_FSCONFIG_SET_BINARY 2u
#define LX_FSCONFIG_SET_PATH 3u
#define LX_FSCONFIG_SET_PATH_EMPTY 4u
#define LX_FSCONFIG_SET_FD 5u
#define LX_FSCONFIG_CMD_CREATE 6u
#define LX_FSCONFIG_CMD_RECONFIGURE 7u
#define LX_FSCONFIG_CMD_CREATE_EXCL 8u

#define LX_FSPICK_CLOEXEC 1u
#define LX_FSPICK_SYMLINK_NOFOLLOW 2u
#define LX_FSPICK_NO_AUTOMOUNT 4u
#define LX_FSPICK_EMPTY_PATH 8u

#define LX_OPEN_TREE_CLONE 1u

#define LX_MOVE_MOUNT_F_SYMLINKS 0x1u
#define LX_MOVE_MOUNT_F_EMPTY_PATH 0x4u
#define LX_MOVE_MOUNT_T_SYMLINKS 0x10u
#define LX_MOVE_MOUNT_T_EMPTY_PATH 0x40u
#define LX_MOVE_MOUNT_SET_GROUP 0x100u
#define LX_MOVE_MOUNT_BENEATH 0x200u
#define LX_MOVE_MOUNT_MASK 0x377u

#define LX_MOUNT_ATTR_RDONLY 0x1u
#define LX_MOUNT_ATTR_NOSUID 0x2u
#define LX_MOUNT_ATTR_NODEV 0x4u
#define LX_MOUNT_ATTR_NOEXEC 0x8u
#define LX_MOUNT_ATTR_ATIME 0x70u
#define LX_MOUNT_ATTR_NOATIME 0x10u
#define LX_MOUNT_ATTR_STRICTATIME 0x20u
#define LX_MOUNT_ATTR_NODIRATIME 0x80u
#define LX_MOUNT_ATTR_NOSYMFOLLOW 0x200000u
#define LX_MOUNT_ATTR_VALID                                                                \
	(LX_MOUNT_ATTR_RDONLY | LX_MOUNT_ATTR_NOSUID | LX_MOUNT_ATTR_NODEV |               \
	 LX_MOUNT_ATTR_NOEXEC | LX_MOUNT_ATTR_ATIME | LX_MOUNT_ATTR_NODIRATIME |           \
	 LX_MOUNT_ATTR_NOSYMFOLLOW)

struct lx_mount_attr {
	uint64_t attr_set, attr_clr, propagation, userns_fd;
};
_Static_assert(sizeof(struct lx_mount_attr) == 32, "mount_attr");

struct lx_mnt_id_req {
	uint32_t size, mnt_ns_fd;
	uint64_t mnt_id, param, mnt_ns_id;
};
#define LX_MNT_ID_REQ_SIZE_VER0 24
#define LX_LSMT_ROOT UINT64_MAX
#define LX_LISTMOUNT_REVERSE 1u

#define LX_STATMOUNT_SB_BASIC 0x1u
#define LX_STATMOUNT_MNT_BASIC 0x2u
#define LX_STATMOUNT_PROPAGATE_FROM 0x4u
#define LX_STATMOUNT_MNT_ROOT 0x8u
#define LX_STATMOUNT_MNT_POINT 0x10u
#define LX_STATMOUNT_FS_TYPE 0x20u
#define LX_STATMOUNT_MNT_OPTS 0x80u
#define LX_STATMOUNT_SB_SOURCE 0x200u
#define LX_STATMOUNT_SUPPORTED_MASK 0x1000u

struct lx_statmount {
	uint32_t size, mnt_opts;
	uint64_t mask;
	uint32_t sb_dev_major, sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags, fs_type;
	uint64_t mnt_id, mnt_parent_id;
	uint32_t mnt_id_old, mnt_parent_id_old;
	uint64_t mnt_attr, mnt_propagation, mnt_peer_group, mnt_master, propagate_from;
	uint32_t mnt_root, mnt_point;
	uint64_t mnt_ns_id;
	uint32_t fs_subtype, sb_source;
	uint32_t opt_num, opt_array, opt_sec_num, opt_sec_array;
	uint64_t supported_mask;
	uint32_t mnt_uidmap_num, mnt_uidmap, mnt_gidmap_num, mnt_gidmap;
	uint64_t spare[43];
};
_Static_assert(sizeof(struct lx_statmount) == 512, "statmount");

#endif
