/* The file-system types there are: /proc/filesystems and mount(2). */
#include <string.h>

#include "sentry/vfs/vfs.h"

static const struct fs_type *const types[] = {
	&sysfs_type, &tmpfs_type, &proc_type, &cgroup2_type, &devtmpfs_type, &ramfs_type,
	&devpts_type, &overlayfs_type, &mqueue_type,
};

const struct fs_type *fs_type_at(unsigned i)
{
	return i < sizeof(types) / sizeof(types[0]) ? types[i] : NULL;
}

const struct fs_type *fs_type_lookup(const char *name)
{
	for (unsigned i = 0; fs_type_at(i); i++)
		if (strcmp(types[i]->name, name) == 0)
			return types[i];
	return NULL;
}
