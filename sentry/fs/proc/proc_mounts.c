/* /proc/PID/mounts, mountinfo, mountstats. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc_impl.h"

#define ESC " \t\n\\#"

enum form { MOUNTS, MOUNTINFO, MOUNTSTATS };

struct show_ctx {
	struct pseudo_buf *b;
	enum form form;
};

static void show_flags(struct pseudo_buf *b, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ MNT_NOSUID, ",nosuid" }, { MNT_NODEV, ",nodev" }, { MNT_NOEXEC, ",noexec" },
		{ MNT_NOATIME, ",noatime" }, { MNT_RELATIME, ",relatime" },
	};

	pb_puts(b, flags & MNT_RDONLY ? "ro" : "rw");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].flag)
			pb_puts(b, names[i].text);
}

/* Where in its file system the mount's root lies. */
static void show_root(struct pseudo_buf *b, const struct dentry *d)
{
	const struct dentry *up[256];
	unsigned n = 0;

	for (; d && d->parent && n < 256; d = d->parent)
		up[n++] = d;
	if (!n)
		pb_puts(b, "/");
	while (n--) {
		pb_puts(b, "/");
		pb_escape(b, up[n]->name, ESC);
	}
}

static void show_super(struct pseudo_buf *b, const struct mount *m)
{
	pb_puts(b, m->flags & MNT_RDONLY ? "ro" : "rw");
	if (m->options && *m->options) {
		pb_puts(b, ",");
		pb_escape(b, m->options, ESC);
	}
}

static int show_one(void *ctx, const struct mount *m, const char *mountpoint)
{
	struct show_ctx *c = ctx;
	struct pseudo_buf *b = c->b;
	const char *source = m->source && *m->source ? m->source : "none";

	switch (c->form) {
	case MOUNTSTATS:
		pb_puts(b, "device ");
		pb_escape(b, source, ESC);
		pb_puts(b, " mounted on ");
		pb_escape(b, mountpoint, ESC);
		pb_printf(b, " with fstype %s\n", m->sb->type);
		break;
	case MOUNTS:
		pb_escape(b, source, ESC);
		pb_puts(b, " ");
		pb_escape(b, mountpoint, ESC);
		pb_printf(b, " %s ", m->sb->type);
		show_flags(b, m->flags);
		if (m->options && *m->options) {
			pb_puts(b, ",");
			pb_escape(b, m->options, ESC);
		}
		pb_puts(b, " 0 0\n");
		break;
	case MOUNTINFO:
		pb_printf(b, "%d %d %u:%u ", m->id, m->parent_id, m->sb->dev >> 20,
			  m->sb->dev & 0xfffff);
		show_root(b, m->root);
		pb_puts(b, " ");
		pb_escape(b, mountpoint, ESC);
		pb_puts(b, " ");
		show_flags(b, m->flags);
		pb_printf(b, " - %s ", m->sb->type);
		pb_escape(b, source, ESC);
		pb_puts(b, " ");
		show_super(b, m);
		pb_puts(b, "\n");
		break;
	}
	return 0;
}

static int show(struct pseudo_node *n, struct pseudo_buf *b, enum form form)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	struct show_ctx c = { b, form };

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	if (!r.t->fs)
		return -LX_EINVAL;
	/* As that process sees them. */
	return mount_ns_show(proc_kernel(n), &r.t->fs->root, show_one, &c);
}

int proc_show_mounts(struct pseudo_node *n, struct pseudo_buf *b)
{
	return show(n, b, MOUNTS);
}

int proc_show_mountinfo(struct pseudo_node *n, struct pseudo_buf *b)
{
	return show(n, b, MOUNTINFO);
}

int proc_show_mountstats(struct pseudo_node *n, struct pseudo_buf *b)
{
	return show(n, b, MOUNTSTATS);
}
