/* SCM_RIGHTS and SCM_CREDENTIALS: parsing, accounting, freeing, handing out. */
#include "sentry/net/scm.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "sentry/net/net_impl.h"
#include "sentry/net/unix_impl.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_resource.h"

#define MAX_INFLIGHT_FILES (1U << 20) /* per user, whatever its limits and capabilities */
#define GC_EVERY 1024

struct uid_inflight {
	uint32_t uid;
	uint32_t count;
	UT_hash_handle hh;
};

/* ---- parsing ---- */

static int parse_cred(struct task *t, const uint8_t *data, uint64_t len, struct lx_ucred *out)
{
	const struct cred *c = t->cred;
	struct lx_ucred u;

	if (len != sizeof(u))
		return -LX_EINVAL;
	memcpy(&u, data, sizeof(u));
	if (u.pid != t->tg->tgid && !task_capable(t, LX_CAP_SYS_ADMIN))
		return -LX_EPERM;
	if (u.uid != c->uid && u.uid != c->euid && u.uid != c->suid &&
	    !task_capable(t, LX_CAP_SETUID))
		return -LX_EPERM;
	if (u.gid != c->gid && u.gid != c->egid && u.gid != c->sgid &&
	    !task_capable(t, LX_CAP_SETGID))
		return -LX_EPERM;
	*out = u;
	return 0;
}

static int parse_rights(struct task *t, const uint8_t *data, uint64_t len, struct scm **out)
{
	unsigned n = (unsigned)(len / sizeof(int32_t)), have = *out ? (*out)->count : 0;
	struct scm *s;

	if (len > LX_SCM_MAX_FD * sizeof(int32_t) || have + n > LX_SCM_MAX_FD)
		return -LX_EINVAL;
	if (n == 0)
		return 0;
	s = realloc(*out, sizeof(*s) + (have + n) * sizeof(s->files[0]));
	if (s == NULL)
		return -LX_ENOMEM;
	if (have == 0)
		*s = (struct scm){ .count = 0 };
	list_init(&s->link);
	*out = s;
	for (unsigned i = 0; i < n; i++) {
		int32_t fd;
		int err;

		memcpy(&fd, data + i * sizeof(fd), sizeof(fd));
		s->files[s->count] = fd_file_any(t, fd, &err);
		if (s->files[s->count] == NULL)
			return err;
		s->count++;
	}
	return 0;
}

int scm_parse(struct task *t, const uint8_t *ctl, uint32_t len, struct lx_ucred *cred,
	      struct scm **out)
{
	struct lx_cmsghdr h;
	uint32_t off = 0;
	int err = 0;

	*out = NULL;
	*cred = (struct lx_ucred){ t->tg->tgid, t->cred->uid, t->cred->gid };
	while (err == 0 && off <= len && len - off >= sizeof(h)) {
		const uint8_t *data = ctl + off + sizeof(h);

		memcpy(&h, ctl + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > len - off)
			err = -LX_EINVAL;
		else if (h.cmsg_level != LX_SOL_SOCKET)
			;
		else if (h.cmsg_type == LX_SCM_RIGHTS)
			err = parse_rights(t, data, h.cmsg_len - sizeof(h), out);
		else if (h.cmsg_type == LX_SCM_CREDENTIALS)
			err = parse_cred(t, data, h.cmsg_len - sizeof(h), cred);
		else
			err = -LX_EINVAL;
		if (err == 0)
			off += (uint32_t)LX_CMSG_ALIGN(h.cmsg_len);
	}
	if (err && *out != NULL) {
		scm_free(t->k->net, *out);
		*out = NULL;
	}
	return err;
}

struct scm *scm_dup(const struct scm *s)
{
	struct scm *n = malloc(sizeof(*n) + s->count * sizeof(n->files[0]));

	if (n == NULL)
		return NULL;
	*n = (struct scm){ .count = s->count };
	list_init(&n->link);
	for (unsigned i = 0; i < s->count; i++) {
		n->files[i] = s->files[i];
		file_get(n->files[i]);
	}
	return n;
}

/* ---- in flight ---- */

static struct uid_inflight *uid_entry(struct kernel_net *n, uint32_t uid)
{
	struct uid_inflight *u, *check;

	HASH_FIND(hh, n->by_uid, &uid, sizeof(uid), u);
	if (u != NULL)
		return u;
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return NULL;
	u->uid = uid;
	HASH_ADD(hh, n->by_uid, uid, sizeof(u->uid), u);
	HASH_FIND(hh, n->by_uid, &uid, sizeof(uid), check);
	if (check == NULL)
		free(u);
	return check;
}

static void uid_uncharge(struct kernel_net *n, uint32_t uid, unsigned count)
{
	struct uid_inflight *u;

	HASH_FIND(hh, n->by_uid, &uid, sizeof(uid), u);
	if (u == NULL)
		return;
	u->count -= count;
	if (u->count == 0) {
		HASH_DEL(n->by_uid, u);
		free(u);
	}
}

int scm_launch(struct task *t, struct kernel_net *n, struct scm *s)
{
	struct uid_inflight *u = uid_entry(n, t->cred->uid);
	bool gc = false;

	if (u == NULL)
		return -LX_ENOMEM;
	if (u->count > MAX_INFLIGHT_FILES ||
	    (u->count > rlimit_cur(t, LX_RLIMIT_NOFILE) &&
	     !task_capable(t, LX_CAP_SYS_RESOURCE) && !task_capable(t, LX_CAP_SYS_ADMIN)))
		return -LX_ETOOMANYREFS;
	u->count += s->count;
	s->uid = t->cred->uid;
	s->inflight = true;
	for (unsigned i = 0; i < s->count; i++) {
		struct usock *us = usock_of_file(s->files[i]);

		if (us == NULL)
			continue;
		if (us->inflight++ == 0)
			list_push_back(&n->inflight, &us->gc_link);
		if (++n->ninflight % GC_EVERY == 0)
			gc = true;
	}
	if (gc)
		unix_gc(n);
	return 0;
}

void scm_land(struct kernel_net *n, struct scm *s)
{
	if (!s->inflight)
		return;
	s->inflight = false;
	uid_uncharge(n, s->uid, s->count);
	for (unsigned i = 0; i < s->count; i++) {
		struct usock *us = usock_of_file(s->files[i]);

		if (us == NULL)
			continue;
		n->ninflight--;
		if (--us->inflight == 0)
			list_del_init(&us->gc_link);
	}
}

void scm_free(struct kernel_net *n, struct scm *s)
{
	if (s == NULL)
		return;
	scm_land(n, s);
	if (s->count == 0) {
		free(s);
		return;
	}
	list_push_back(&n->dead, &s->link);
	if (n->reaping)
		return;
	n->reaping = true;
	while (!list_empty(&n->dead)) {
		s = list_first(&n->dead, struct scm, link);
		list_del_init(&s->link);
		for (unsigned i = 0; i < s->count; i++)
			file_put(s->files[i]);
		free(s);
	}
	n->reaping = false;
}

/* ---- handing out ---- */

struct ctl_out {		/* the guest's control buffer, from the current position */
	struct task *t;
	struct uaddr at;
	uint64_t room;
	uint32_t *flags;
};

static void ctl_advance(struct ctl_out *c, uint64_t n)
{
	n = LX_CMSG_ALIGN(n);
	if (n > c->room)
		n = c->room;
	c->at = uaddr_add(c->at, n);
	c->room -= n;
}

/* One ready message, cut off where the room ends (put_cmsg in Linux). */
static void ctl_put(struct ctl_out *c, int level, int type, const void *data, uint32_t len)
{
	struct lx_cmsghdr h = { sizeof(h) + len, level, type };

	if (c->room < sizeof(h)) {
		*c->flags |= LX_MSG_CTRUNC;
		return;
	}
	if (c->room < h.cmsg_len) {
		*c->flags |= LX_MSG_CTRUNC;
		h.cmsg_len = c->room;
		len = (uint32_t)(c->room - sizeof(h));
	}
	if (copy_out(c->t, c->at, &h, sizeof(h)) == 0 &&
	    copy_out(c->t, uaddr_add(c->at, sizeof(h)), data, len) == 0)
		ctl_advance(c, h.cmsg_len);
}

static void ctl_put_files(struct ctl_out *c, struct scm *s, uint32_t fdflags)
{
	struct lx_cmsghdr h = { 0, LX_SOL_SOCKET, LX_SCM_RIGHTS };
	uint64_t max = c->room > sizeof(h) ? (c->room - sizeof(h)) / sizeof(int32_t) : 0;
	unsigned i;

	for (i = 0; i < s->count && i < max; i++) {
		int32_t fd = fdtable_add(c->t, s->files[i], fdflags);

		if (fd < 0)
			break;
		if (copy_out(c->t, uaddr_add(c->at, sizeof(h) + i * sizeof(fd)), &fd,
			     sizeof(fd))) {
			(void)fdtable_close(c->t, fd);
			break;
		}
	}
	if (i < s->count)
		*c->flags |= LX_MSG_CTRUNC;
	if (i == 0)
		return;
	h.cmsg_len = sizeof(h) + i * sizeof(int32_t);
	if (copy_out(c->t, c->at, &h, sizeof(h)) == 0)
		ctl_advance(c, h.cmsg_len);
}

/* Control messages of a host socket, already in the guest's layout. */
static void ctl_put_raw(struct ctl_out *c, const uint8_t *ctl, uint32_t len)
{
	struct lx_cmsghdr h;
	uint32_t off = 0;

	while (off <= len && len - off >= sizeof(h)) {
		memcpy(&h, ctl + off, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > len - off)
			break;
		ctl_put(c, h.cmsg_level, h.cmsg_type, ctl + off + sizeof(h),
			(uint32_t)(h.cmsg_len - sizeof(h)));
		off += (uint32_t)LX_CMSG_ALIGN(h.cmsg_len);
	}
}

int sock_put_control(struct task *t, struct sockmsg *m, struct uaddr ctl,
		     uint64_t *len)
{
	struct ctl_out c = { t, ctl, ctl.v != 0 ? *len : 0, &m->out_flags };
	uint64_t room = c.room;

	if (m->has_cred)
		ctl_put(&c, LX_SOL_SOCKET, LX_SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
	if (m->scm != NULL)
		ctl_put_files(&c, m->scm,
			      m->flags & LX_MSG_CMSG_CLOEXEC ? FD_CLOEXEC_FLAG : 0);
	if (m->ctl_out_len > 0)
		ctl_put_raw(&c, m->ctl_out, m->ctl_out_len);
	if (m->scm != NULL) {
		scm_free(t->k->net, m->scm);
		m->scm = NULL;
	}
	*len = room - c.room;
	return 0;
}
