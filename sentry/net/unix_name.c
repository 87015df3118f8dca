/* Names of AF_UNIX sockets: in the file system, abstract, and given by autobind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include "sentry/net/unix_impl.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_stat.h"

#define PATH_OFF 2u /* offsetof(struct sockaddr_un, sun_path) */
#define AUTOBIND_NAMES 0x100000u

void unix_addr_put(struct unix_addr *a)
{
	if (refs_put(&a->refs))
		free(a);
}

static struct unix_addr *addr_new(const struct lx_sockaddr_storage *a, uint32_t len)
{
	struct unix_addr *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return NULL;
	refs_init(&n->refs, "unix_addr");
	n->len = len;
	n->sa.family = LX_AF_UNIX;
	memcpy(n->sa.bytes + PATH_OFF, a->bytes + PATH_OFF, len - PATH_OFF);
	return n;
}

/* What Linux's unix_validate_addr asks. */
static int addr_check(const struct lx_sockaddr_storage *a, uint32_t len)
{
	if (len <= PATH_OFF || len > sizeof(struct lx_sockaddr_un) || a->family != LX_AF_UNIX)
		return -LX_EINVAL;
	return 0;
}

/* The path in a: NUL-terminated, however the guest gave it. */
static void addr_path(const struct lx_sockaddr_storage *a, uint32_t len,
		      char out[LX_UNIX_PATH_MAX + 1])
{
	memcpy(out, a->bytes + PATH_OFF, len - PATH_OFF);
	out[len - PATH_OFF] = '\0';
}

/* ---- abstract names ---- */

static unsigned make_key(uint8_t key[112], int type, const struct lx_sockaddr_storage *a,
			 uint32_t len)
{
	key[0] = (uint8_t)type;
	memcpy(key + 1, a->bytes + PATH_OFF, len - PATH_OFF);
	return len - PATH_OFF + 1;
}

static struct usock *find_abstract(struct kernel_net *n, int type,
				   const struct lx_sockaddr_storage *a, uint32_t len)
{
	uint8_t key[112];
	unsigned keylen = make_key(key, type, a, len);
	struct usock *u;

	HASH_FIND(hh, n->abstract, key, keylen, u);
	return u;
}

static int bind_abstract(struct usock *u, const struct lx_sockaddr_storage *a, uint32_t len)
{
	struct kernel_net *n = usock_net(u);

	if (find_abstract(n, u->s.type, a, len) != NULL)
		return -LX_EADDRINUSE;
	u->addr = addr_new(a, len);
	if (u->addr == NULL)
		return -LX_ENOMEM;
	u->keylen = make_key(u->key, u->s.type, a, len);
	HASH_ADD(hh, n->abstract, key, u->keylen, u);
	if (find_abstract(n, u->s.type, a, len) != u) {
		u->keylen = 0;
		unix_addr_put(u->addr);
		u->addr = NULL;
		return -LX_ENOMEM;
	}
	return 0;
}

int unix_autobind(struct usock *u)
{
	struct kernel_net *n = usock_net(u);
	struct lx_sockaddr_storage a = { .family = LX_AF_UNIX };
	char name[8];
	int err;

	if (u->addr != NULL)
		return 0;
	for (unsigned i = 0; i < AUTOBIND_NAMES; i++) {
		n->next_auto = (n->next_auto + 1) % AUTOBIND_NAMES;
		snprintf(name, sizeof(name), "%05x", n->next_auto);
		memcpy(a.bytes + PATH_OFF + 1, name, 5);
		err = bind_abstract(u, &a, PATH_OFF + 6);
		if (err != -LX_EADDRINUSE)
			return err;
	}
	return -LX_ENOSPC;
}

/* ---- binding ---- */

static int bind_path(struct task *t, struct usock *u, const struct lx_sockaddr_storage *a,
		     uint32_t len)
{
	struct lx_sockaddr_storage full = { .family = LX_AF_UNIX };
	char name[LX_UNIX_PATH_MAX + 1];
	struct unix_addr *addr;
	int err;

	addr_path(a, len, name);
	len = PATH_OFF + (uint32_t)strlen(name) + 1;
	memcpy(full.bytes + PATH_OFF, name, strlen(name));
	addr = addr_new(&full, len);
	if (addr == NULL)
		return -LX_ENOMEM;
	err = vfs_mksock(t, name, 0777, &u->path);
	if (err) {
		unix_addr_put(addr);
		return err == -LX_EEXIST ? -LX_EADDRINUSE : err;
	}
	u->addr = addr;
	u->path.dentry->inode->socket = u;
	return 0;
}

int unix_bind(struct task *t, struct socket *s, const struct lx_sockaddr_storage *a,
	      uint32_t len)
{
	struct usock *u = usock_of(s);
	int err;

	if (len == PATH_OFF && a->family == LX_AF_UNIX)
		return unix_autobind(u);
	err = addr_check(a, len);
	if (err)
		return err;
	if (u->addr != NULL)
		return -LX_EINVAL;
	return a->bytes[PATH_OFF] != 0 ? bind_path(t, u, a, len) : bind_abstract(u, a, len);
}

void unix_unbind(struct usock *u)
{
	if (u->keylen != 0) {
		HASH_DEL(usock_net(u)->abstract, u);
		u->keylen = 0;
	}
	if (u->path.dentry != NULL) {
		u->path.dentry->inode->socket = NULL;
		path_put(&u->path);
	}
}

/* ---- looking up ---- */

static int find_path(struct task *t, const char *name, int type, struct usock **out)
{
	struct path p = { NULL, NULL };
	struct usock *u;
	int err;

	err = vfs_lookup(t, LX_AT_FDCWD, name, WALK_FOLLOW, &p);
	if (err)
		return err;
	err = inode_permission(t->cred, p.dentry->inode, MAY_WRITE);
	u = p.dentry->inode->socket;
	if (err == 0 && (!LX_S_ISSOCK(p.dentry->inode->mode) || u == NULL))
		err = -LX_ECONNREFUSED;
	if (err == 0 && u->s.type != type)
		err = -LX_EPROTOTYPE;
	if (err == 0) {
		usock_get(u);
		*out = u;
	}
	path_put(&p);
	return err;
}

int unix_find(struct task *t, const struct lx_sockaddr_storage *a, uint32_t len, int type,
	      struct usock **out)
{
	char name[LX_UNIX_PATH_MAX + 1];
	struct usock *u;
	int err = addr_check(a, len);

	if (err)
		return err;
	if (a->bytes[PATH_OFF] != 0) {
		addr_path(a, len, name);
		return find_path(t, name, type, out);
	}
	u = find_abstract(t->k->net, type, a, len);
	if (u == NULL)
		return -LX_ECONNREFUSED;
	usock_get(u);
	*out = u;
	return 0;
}

int unix_getname(struct socket *s, bool peer, struct lx_sockaddr_storage *out, uint32_t *len)
{
	const struct usock *u = usock_of(s);

	if (peer) {
		u = u->peer;
		if (u == NULL)
			return -LX_ENOTCONN;
	}
	memset(out, 0, sizeof(*out));
	out->family = LX_AF_UNIX;
	*len = PATH_OFF;
	if (u->addr != NULL) {
		*out = u->addr->sa;
		*len = u->addr->len;
	}
	return 0;
}
