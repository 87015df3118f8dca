/* devtmpfs: a tmpfs with the usual nodes in it. */
#include "sentry/fs/dev/dev.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_stat.h"

static const struct {
	const char *name;
	uint32_t mode, rdev;
} nodes[] = {
	{ "null", 0666, KDEV(1, 3) },	{ "zero", 0666, KDEV(1, 5) },
	{ "full", 0666, KDEV(1, 7) },	{ "random", 0666, KDEV(1, 8) },
	{ "urandom", 0666, KDEV(1, 9) }, { "kmsg", 0644, KDEV(1, 11) },
	{ "tty", 0666, KDEV(5, 0) },	{ "console", 0620, KDEV(5, 1) },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "ptmx", "pts/ptmx" },		 { "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },	 { "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
};

static const struct {
	const char *name;
	uint32_t mode;
} dirs[] = { { "shm", 01777 }, { "pts", 0755 }, { "mqueue", 01777 } };

/* Make one entry unless the name is taken. target: of a symlink. */
static int make(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev,
		const char *target)
{
	const struct inode_ops *ops = dir->ops;
	struct inode *i = NULL;
	int err = ops->lookup(dir, name, &i);

	if (err == -LX_ENOENT) {
		if (target)
			err = ops->symlink(dir, name, target, 0, 0, &i);
		else if (LX_S_ISDIR(mode))
			err = ops->mkdir(dir, name, mode, 0, 0, &i);
		else
			err = ops->mknod(dir, name, mode, rdev, 0, 0, &i);
	}
	if (!err)
		inode_put(i);
	return err;
}

int dev_populate(struct kernel *k, struct inode *dir, bool console)
{
	unsigned n;
	int err = 0;

	(void)k;
	for (n = 0; !err && n < sizeof(nodes) / sizeof(nodes[0]); n++)
		if (nodes[n].rdev != KDEV(5, 1) || console)
			err = make(dir, nodes[n].name, LX_S_IFCHR | nodes[n].mode, nodes[n].rdev,
				   NULL);
	for (n = 0; !err && n < sizeof(links) / sizeof(links[0]); n++)
		err = make(dir, links[n].name, 0, 0, links[n].target);
	for (n = 0; !err && n < sizeof(dirs) / sizeof(dirs[0]); n++)
		err = make(dir, dirs[n].name, LX_S_IFDIR | dirs[n].mode, 0, NULL);
	return err;
}

static int devtmpfs_mount(struct kernel *k, const char *source, const char *data,
			  struct superblock **sb, struct inode **root)
{
	int err = tmpfs_type.mount(k, source, data ? data : "mode=755", sb, root);

	if (err)
		return err;
	(*sb)->type = "devtmpfs";
	err = dev_populate(k, *root, true);
	if (err) {
		inode_put(*root);
		superblock_put(*sb);
	}
	return err;
}

const struct fs_type devtmpfs_type = {
	.name = "devtmpfs",
	.mount = devtmpfs_mount,
	.nodev = true,
	.guest_mountable = true,
};
