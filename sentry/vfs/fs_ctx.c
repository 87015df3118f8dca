/* Root, working directory and umask: shared by CLONE_FS, copied by fork. */
#include <stdlib.h>

#include "sentry/vfs/vfs_impl.h"

struct fs_ctx *fs_ctx_new(const struct path *root, const struct path *cwd, uint32_t umask)
{
	struct fs_ctx *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	refs_init(&f->refs, "fs_ctx");
	f->root = *root;
	f->cwd = *cwd;
	path_get(&f->root);
	path_get(&f->cwd);
	f->umask = umask & LX_S_IRWXUGO;
	return f;
}

struct fs_ctx *fs_ctx_dup(const struct fs_ctx *old)
{
	return fs_ctx_new(&old->root, &old->cwd, old->umask);
}

void fs_ctx_get(struct fs_ctx *f)
{
	refs_get(&f->refs);
}

void fs_ctx_put(struct fs_ctx *f)
{
	if (!refs_put(&f->refs))
		return;
	path_put(&f->root);
	path_put(&f->cwd);
	free(f);
}
