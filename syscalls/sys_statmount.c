/* statmount(2) and listmount(2): mounts by their unique ids. */
#include <stdlib.h>
#include <string.h>

#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "sentry/vfs/vfs.h"
#include "syscalls/abi/lx_mount.h"
#include "syscalls/abi/lx_mount_api.h"
#include "syscalls/syscall_args.h"

static int req_in(struct task *t, struct uaddr ureq, struct lx_mnt_id_req *r)
{
	uint32_t size;
	int err;

	if (copy_in(t, &size, ureq, sizeof(size)))
		return -LX_EFAULT;
	if (size < LX_MNT_ID_REQ_SIZE_VER0)
		return -LX_EINVAL;
	err = copy_in_sized(t, r, sizeof(*r), ureq, size);
	if (err)
		return err;
	if (r->mnt_id <= 1ull << 31)
		return -LX_EINVAL; /* an old id */
	/* There is one mount namespace, and nobody is told its number. */
	if (r->mnt_ns_fd)
		return -LX_EINVAL;
	return r->mnt_ns_id ? -LX_ENOENT : 0;
}

static struct mount *by_id(struct kernel *k, uint64_t id)
{
	struct mount *m;

	list_for_each(m, &k->mnt->all, all)
		if (mount_unique_id(m) == id)
			return m;
	return NULL;
}

/* ---- statmount ---- */

struct answer {
	struct lx_statmount s;
	char *text;
	size_t len;
};

/* Add a string; its place goes to *field. The text is taken over; NULL: no memory. */
static int add(struct answer *a, uint32_t mask, uint32_t *field, char *text)
{
	size_t n = text ? strlen(text) + 1 : 0;
	char *more = text ? realloc(a->text, a->len + n) : NULL;

	if (!more) {
		free(text);
		return -LX_ENOMEM;
	}
	a->text = more;
	memcpy(a->text + a->len, text, n);
	*field = (uint32_t)a->len;
	a->len += n;
	a->s.mask |= mask;
	free(text);
	return 0;
}

static uint64_t attrs_of(uint32_t flags)
{
	return (flags & MNT_RDONLY ? LX_MOUNT_ATTR_RDONLY : 0) |
	       (flags & MNT_NOSUID ? LX_MOUNT_ATTR_NOSUID : 0) |
	       (flags & MNT_NODEV ? LX_MOUNT_ATTR_NODEV : 0) |
	       (flags & MNT_NOEXEC ? LX_MOUNT_ATTR_NOEXEC : 0) |
	       (flags & MNT_NODIRATIME ? LX_MOUNT_ATTR_NODIRATIME : 0) |
	       (flags & MNT_NOSYMFOLLOW ? LX_MOUNT_ATTR_NOSYMFOLLOW : 0) |
	       (flags & MNT_NOATIME	 ? LX_MOUNT_ATTR_NOATIME
		: flags & MNT_RELATIME ? 0
				       : LX_MOUNT_ATTR_STRICTATIME);
}

static void basic(struct answer *a, const struct mount *m, uint64_t mask)
{
	struct lx_statmount *s = &a->s;

	if (mask & LX_STATMOUNT_SB_BASIC) {
		s->mask |= LX_STATMOUNT_SB_BASIC;
		s->sb_dev_major = m->sb->dev >> 20;
		s->sb_dev_minor = m->sb->dev & 0xfffff;
		s->sb_magic = m->sb->magic;
		s->sb_flags = m->sb->readonly ? LX_MS_RDONLY : 0;
	}
	if (mask & LX_STATMOUNT_MNT_BASIC) {
		const struct mount *up = m->parent ? m->parent : m;

		s->mask |= LX_STATMOUNT_MNT_BASIC;
		s->mnt_id = mount_unique_id(m);
		s->mnt_parent_id = mount_unique_id(up);
		s->mnt_id_old = (uint32_t)m->id;
		s->mnt_parent_id_old = (uint32_t)up->id;
		s->mnt_attr = attrs_of(m->flags);
		s->mnt_propagation = (m->group ? LX_MS_SHARED : 0) | (m->master ? LX_MS_SLAVE : 0) |
				     (m->flags & MNT_UNBINDABLE ? LX_MS_UNBINDABLE : 0);
		if (!s->mnt_propagation)
			s->mnt_propagation = LX_MS_PRIVATE;
		s->mnt_peer_group = (uint64_t)m->group;
		s->mnt_master = m->master ? (uint64_t)m->master->group : 0;
	}
	if (mask & LX_STATMOUNT_SUPPORTED_MASK) {
		s->mask |= LX_STATMOUNT_SUPPORTED_MASK;
		s->supported_mask = LX_STATMOUNT_SB_BASIC | LX_STATMOUNT_MNT_BASIC |
				    LX_STATMOUNT_PROPAGATE_FROM | LX_STATMOUNT_MNT_ROOT |
				    LX_STATMOUNT_MNT_POINT | LX_STATMOUNT_FS_TYPE |
				    LX_STATMOUNT_MNT_OPTS | LX_STATMOUNT_SB_SOURCE |
				    LX_STATMOUNT_SUPPORTED_MASK;
	}
}

static int fill(struct task *t, struct answer *a, struct mount *m, uint64_t mask)
{
	struct path at = { m, m->root };
	char *opts;
	int err = 0;

	basic(a, m, mask);
	if (mask & LX_STATMOUNT_PROPAGATE_FROM) {
		a->s.mask |= LX_STATMOUNT_PROPAGATE_FROM;
		a->s.propagate_from = (uint64_t)mount_dominating_group(m, &t->fs->root);
	}
	if (mask & LX_STATMOUNT_FS_TYPE)
		err = add(a, LX_STATMOUNT_FS_TYPE, &a->s.fs_type, strdup(m->sb->type));
	if (!err && (mask & LX_STATMOUNT_MNT_ROOT))
		err = add(a, LX_STATMOUNT_MNT_ROOT, &a->s.mnt_root, mount_root_text(m));
	if (!err && (mask & LX_STATMOUNT_MNT_POINT))
		err = add(a, LX_STATMOUNT_MNT_POINT, &a->s.mnt_point,
			  vfs_path_string(t->k, &at, &t->fs->root));
	if (!err && (mask & LX_STATMOUNT_SB_SOURCE))
		err = add(a, LX_STATMOUNT_SB_SOURCE, &a->s.sb_source, strdup(m->source));
	if (!err && (mask & LX_STATMOUNT_MNT_OPTS)) {
		opts = mount_options_text(m);
		if (opts && !*opts)
			free(opts); /* none: not announced */
		else
			err = add(a, LX_STATMOUNT_MNT_OPTS, &a->s.mnt_opts, opts);
	}
	return err;
}

long sys_statmount(struct task *t, const struct statmount_args *a)
{
	struct answer ans = { .len = 0 };
	struct lx_mnt_id_req r;
	struct mount *m;
	uint64_t need;
	long err;

	if (a->flags)
		return -LX_EINVAL;
	err = req_in(t, a->req, &r);
	if (err)
		return err;
	m = by_id(t->k, r.mnt_id);
	if (!m)
		return -LX_ENOENT;
	err = fill(t, &ans, m, r.param);
	need = sizeof(ans.s) + ans.len;
	/* Without strings a short buffer gets the beginning of the struct. */
	if (!err && ans.len && a->bufsize < need)
		err = -LX_EOVERFLOW;
	ans.s.size = (uint32_t)need;
	if (!err)
		err = copy_out(t, a->buf, &ans.s, a->bufsize < sizeof(ans.s) ? a->bufsize
									     : sizeof(ans.s));
	if (!err && ans.len)
		err = copy_out(t, uaddr_add(a->buf, sizeof(ans.s)), ans.text, ans.len);
	free(ans.text);
	return err;
}

/* ---- listmount ---- */

static bool is_below(const struct mount *m, const struct mount *top)
{
	while (m && m != top)
		m = m->parent;
	return m != NULL;
}

static int cmp_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

long sys_listmount(struct task *t, const struct listmount_args *a)
{
	bool reverse = a->flags & LX_LISTMOUNT_REVERSE;
	AUTO_FREE uint64_t *ids = NULL;
	struct lx_mnt_id_req r;
	struct mount *top, *m;
	uint64_t n = 0, out = 0;
	int err;

	if (a->flags & ~LX_LISTMOUNT_REVERSE)
		return -LX_EINVAL;
	if (a->nr_mnt_ids > 1000000)
		return -LX_EOVERFLOW;
	err = req_in(t, a->req, &r);
	if (err)
		return err;
	top = r.mnt_id == LX_LSMT_ROOT ? t->k->mnt->root : by_id(t->k, r.mnt_id);
	if (!top)
		return -LX_ENOENT;
	list_for_each(m, &t->k->mnt->all, all)
		n++;
	ids = calloc(n ? n : 1, sizeof(*ids));
	if (!ids)
		return -LX_ENOMEM;
	n = 0;
	list_for_each(m, &t->k->mnt->all, all)
		if (mount_unique_id(m) != r.mnt_id && is_below(m, top))
			ids[n++] = mount_unique_id(m);
	qsort(ids, n, sizeof(*ids), cmp_ids);
	for (uint64_t i = 0; i < n && out < a->nr_mnt_ids; i++) {
		uint64_t id = ids[reverse ? n - 1 - i : i];

		if (r.param && (reverse ? id >= r.param : id <= r.param))
			continue;
		if (copy_out(t, uaddr_add(a->mnt_ids, out * 8), &id, sizeof(id)))
			return -LX_EFAULT;
		out++;
	}
	return (long)out;
}
