/* /proc/PID/mounts, mountinfo, mountstats. */
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/proc/proc_impl.h"

#define ESC " \t\n\\#"

enum form { MOUNTS, MOUNTINFO, MOUNTSTATS };

struct show_ctx {
	struct pseudo_buf *b;
	const struct path *root;
	enum form form;
};

static void show_flags(struct pseudo_buf *b, uint32_t flags, bool ro)
{
	static const struct {
		uint32_t flag;
		const char *text;
	} names[] = {
		{ MNT_NOSUID, ",nosuid" }, { MNT_NODEV, ",nodev" }, { MNT_NOEXEC, ",noexec" },
		{ MNT_NOATIME, ",noatime" }, { MNT_NODIRATIME, ",nodiratime" },
		{ MNT_RELATIME, ",relatime" }, { MNT_NOSYMFOLLOW, ",nosymfollow" },
	};

	pb_puts(b, ro ? "ro" : "rw");
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags & names[i].flag)
			pb_puts(b, names[i].text);
}

static void show_root(struct pseudo_buf *b, const struct mount *m)
{
	char *text = mount_root_text(m);

	if (text)
		pb_escape(b, text, ESC);
	else
		b->failed = true;
	free(text);
}

static void show_options(struct pseudo_buf *b, const struct mount *m)
{
	char *text = mount_options_text(m);

	if (text && *text) {
		pb_puts(b, ",");
		pb_escape(b, text, ESC);
	}
	free(text);
}

static void show_propagation(struct pseudo_buf *b, const struct mount *m,
			     const struct path *root)
{
	if (m->group)
		pb_printf(b, " shared:%d", m->group);
	if (m->master) {
		int seen = mount_dominating_group(m, root);

		pb_printf(b, " master:%d", m->master->group);
		if (seen && seen != m->master->group)
			pb_printf(b, " propagate_from:%d", seen);
	}
	if (m->flags & MNT_UNBINDABLE)
		pb_puts(b, " unbindable");
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
		show_flags(b, m->flags, (m->flags & MNT_RDONLY) || m->sb->readonly);
		show_options(b, m);
		pb_puts(b, " 0 0\n");
		break;
	case MOUNTINFO:
		pb_printf(b, "%d %d %u:%u ", m->id, m->parent_id, m->sb->dev >> 20,
			  m->sb->dev & 0xfffff);
		show_root(b, m);
		pb_puts(b, " ");
		pb_escape(b, mountpoint, ESC);
		pb_puts(b, " ");
		show_flags(b, m->flags, m->flags & MNT_RDONLY);
		show_propagation(b, m, c->root);
		pb_printf(b, " - %s ", m->sb->type);
		pb_escape(b, source, ESC);
		pb_puts(b, m->sb->readonly ? " ro" : " rw");
		show_options(b, m);
		pb_puts(b, "\n");
		break;
	}
	return 0;
}

static int show(struct pseudo_node *n, struct pseudo_buf *b, enum form form)
{
	PROC_REF struct proc_ref r = { NULL, NULL };
	struct show_ctx c = { .b = b, .form = form };

	if (proc_ref_get(n, &r))
		return -LX_ESRCH;
	if (!r.t->fs)
		return -LX_EINVAL;
	/* As that process sees them. */
	c.root = &r.t->fs->root;
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
