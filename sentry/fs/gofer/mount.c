/* Superblocks: an export of a gofer as a file system. */
#include <stdlib.h>

#include "sentry/fs/gofer/gofer_impl.h"
#include "syscalls/abi/lx_stat.h"
#include "syscalls/abi/lx_statfs.h"

static int gofer_statfs(struct superblock *sb, struct lx_statfs *out)
{
	struct gofer_sb *g = sb->priv;
	struct gofer_statfs_req q = { g->root ? g->root->node : 0 };
	struct gofer_statfs_rep p;
	int err = gofer_call_statfs(g->c, &q, &p, NULL);

	if (err)
		return err;
	*out = (struct lx_statfs){
		.f_type = (int64_t)p.type, .f_bsize = (int64_t)p.bsize,
		.f_blocks = p.blocks, .f_bfree = p.bfree, .f_bavail = p.bavail,
		.f_files = p.files, .f_ffree = p.ffree,
		.f_fsid = { (int32_t)sb->dev, 0 },
		.f_namelen = p.namelen, .f_frsize = (int64_t)p.frsize,
	};
	return 0;
}

static void gofer_sb_free(struct superblock *sb)
{
	struct gofer_sb *g = sb->priv;

	gofer_forget_flush(g->c);
	gofer_conn_put(g->c);
	free(g);
}

static int gofer_sync(struct superblock *sb)
{
	struct gofer_sb *g = sb->priv;
	struct gofer_fsync_req q = { g->root ? g->root->node : 0, GOFER_FSYNC_FS };
	struct gofer_fsync_rep p;

	return g->readonly ? 0 : gofer_call_fsync(g->c, &q, &p, NULL);
}

static const struct sb_ops gofer_sb_ops = {
	.statfs = gofer_statfs,
	.free = gofer_sb_free,
	.sync = gofer_sync,
};

bool gofer_readonly(const struct superblock *sb)
{
	const struct gofer_sb *g = sb->priv;

	return g->readonly;
}

int gofer_mount(struct kernel *k, struct gofer_conn *c, unsigned index, bool shared,
		bool readonly, struct superblock **out_sb, struct inode **root)
{
	struct gofer_attach_req q = { index };
	struct gofer_attach_rep p;
	struct gofer_sb *g;
	int err;

	gofer_conn_open_channel(c);
	err = gofer_call_attach(c, &q, &p, NULL);
	if (err)
		return err;
	gofer_note_max_nodes(c, p.max_nodes);
	g = calloc(1, sizeof(*g));
	if (!g)
		goto oom;
	g->sb = superblock_new(k, "gofer", p.fs_type, &gofer_sb_ops, g);
	if (!g->sb) {
		free(g);
		goto oom;
	}
	gofer_conn_get(c);
	g->c = c;
	g->shared = shared;
	g->readonly = readonly || p.readonly;
	g->sb->negative_ok = !shared;
	g->sb->umask_below = true;
	if (p.fs_type == LX_EXT4_MAGIC)
		g->sb->attributes = LX_STATX_ATTR_COMPRESSED | LX_STATX_ATTR_ENCRYPTED |
				    LX_STATX_ATTR_VERITY;
	err = gofer_inode_get(g, p.node, &p.attr, root);
	if (err) {
		superblock_put(g->sb);
		return err;
	}
	g->root = gofer_i(*root);
	*out_sb = g->sb;
	return 0;
oom:
	gofer_forget(c, p.node, 0);
	return -LX_ENOMEM;
}
