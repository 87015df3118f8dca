/* Shared memory without a name: files on a tmpfs that is mounted nowhere, as in Linux.
 * MAP_SHARED|MAP_ANONYMOUS, /dev/zero and shmget(2) are made of it. */
#include <stdio.h>

#include "sentry/cred/cred.h"
#include "sentry/mm/mm.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

static int shmem_mount(struct kernel *k)
{
	struct superblock *sb = NULL;
	int err;

	if (k->shmem_root)
		return 0;
	err = tmpfs_type.mount(k, "tmpfs", "size=0,nr_inodes=0", &sb, &k->shmem_root);
	if (err)
		k->shmem_root = NULL;
	else
		superblock_put(sb); /* its root inode holds it */
	return err;
}

int shmem_file_new(struct kernel *k, const struct cred *c, const char *name, uint64_t size,
		   uint32_t mode, struct file **out)
{
	AUTO_PUT(inode) struct inode *i = NULL;
	struct iattr a = { .valid = IATTR_SIZE, .size = size };
	struct path p = { .mnt = k->mnt->anon };
	char text[300];
	int err = shmem_mount(k);

	if (err)
		return err;
	err = k->shmem_root->ops->tmpfile(k->shmem_root, LX_S_IFREG | mode, c ? c->fsuid : 0,
					  c ? c->fsgid : 0, &i);
	if (err)
		return err;
	if (size) {
		err = i->ops->setattr(i, &a);
		if (err)
			return err;
	}
	snprintf(text, sizeof(text), "/%s (deleted)", name);
	p.dentry = dentry_new_detached(i, text);
	if (!p.dentry)
		return -LX_ENOMEM;
	err = i->ops->open(i, &p, FMODE_READ | FMODE_WRITE, LX_O_RDWR, out);
	dentry_put(p.dentry); /* the file has its own reference */
	return err;
}

void shmem_fini(struct kernel *k)
{
	if (k->shmem_root)
		inode_put(take(&k->shmem_root));
}
