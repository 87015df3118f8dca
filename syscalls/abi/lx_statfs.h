/* statfs(2). */
#ifndef SYSCALLS_ABI_LX_STATFS_H
#define SYSCALLS_ABI_LX_STATFS_H

#include <stdint.h>

struct lx_statfs {
	int64_t f_type, f_bsize;
	uint64_t f_blocks, f_bfree, f_bavail, f_files, f_ffree;
	int32_t f_fsid[2];
	int64_t f_namelen, f_frsize, f_flags;
	int64_t f_spare[4];
};
_Static_assert(sizeof(struct lx_statfs) == 120, "statfs");

#define LX_ST_RDONLY 0x1
#define LX_ST_NOSUID 0x2
#define LX_ST_NODEV 0x4
#define LX_ST_NOEXEC 0x8
#define LX_ST_VALID 0x20
#define LX_ST_NOATIME 0x400
#define LX_ST_NODIRATIME 0x800
#define LX_ST_RELATIME 0x1000
#define LX_ST_NOSYMFOLLOW 0x2000

#define LX_EXT4_MAGIC 0xef53u
#define LX_FUSE_MAGIC 0x65735546u
#define LX_NFS_MAGIC 0x6969u
#define LX_CIFS_MAGIC 0xff534d42u
#define LX_SMB2_MAGIC 0xfe534d42u
#define LX_CEPH_MAGIC 0xc36400u
#define LX_V9FS_MAGIC 0x1021997u
#define LX_TMPFS_MAGIC 0x01021994u
#define LX_RAMFS_MAGIC 0x858458f6u
#define LX_OVERLAYFS_MAGIC 0x794c7630u
#define LX_PROC_SUPER_MAGIC 0x9fa0u
#define LX_PIPEFS_MAGIC 0x50495045u
#define LX_SOCKFS_MAGIC 0x534f434bu
#define LX_ANON_INODE_FS_MAGIC 0x09041934u

#endif
