/* Messages between the sentry and a gofer: structs, encoding, decoding.
 *
 * One SOCK_SEQPACKET socket, one datagram per message, one request at a time: the gofer
 * answers each request (but FORGET) before it reads the next. Integers are in host
 * order, both ends run on the same machine. Decoders check every length against the
 * datagram and leave strings and bytes where they are: pointers into the caller's
 * receive buffer, valid until that buffer is used again.
 *
 * For each message `foo` of messages.def there are struct gofer_foo_req and
 * struct gofer_foo_rep, gofer_put_foo_req(), gofer_get_foo_req() and the same for rep;
 * for each record `bar` struct gofer_bar, gofer_put_bar(), gofer_get_bar(). */
#ifndef GOFER_PROTO_PROTO_H
#define GOFER_PROTO_PROTO_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The largest datagram: a 64 KiB extended attribute and what goes with it. */
#define GOFER_MSG_MAX (65536u + 1024u)
#define GOFER_NAME_MAX 255u
#define GOFER_PATH_MAX 4096u	/* symlink targets, with the NUL */
#define GOFER_WALK_MAX 64u	/* components of one WALK */
#define GOFER_BELOW_MAX 256u	/* records of one LOOKUPS that nobody asked for by name */
#define GOFER_OPENS_MAX 32u	/* nodes of one OPENS, and so descriptors of one reply */
#define GOFER_FORGET_MAX 1024u	/* nodes of one FORGET */
#define GOFER_XATTR_MAX 65536u

/* In a mode: known to have no ACLs. Told once a GETXATTR has asked for one: only users
 * without privileges need to know. */
#define GOFER_ATTR_NO_ACL 0x10000u
/* Also there: of statx's attributes compressed, immutable, append, nodump and encrypted. */
#define GOFER_ATTR_STATX_SHIFT 17
#define GOFER_ATTR_STATX_MASK 0x874u
/* SETFLAGS: sync, nodump, noatime, dirsync. Not those that would keep the host from changing
 * or removing the file. */
#define GOFER_FLAGS_SETTABLE 0x100c8u
#define GOFER_WATCHES 4096u /* of the host's inotify, at a time */
/* OPEN access */
#define GOFER_OPEN_READ 0u
#define GOFER_OPEN_WRITE 1u
#define GOFER_OPEN_RDWR 2u
/* CREATE flags */
#define GOFER_CREATE_TMPFILE 1u
/* READDIR flags */
#define GOFER_READDIR_ATTR 1u
/* FSYNC flags */
#define GOFER_FSYNC_DATA 1u
#define GOFER_FSYNC_FS 2u	/* the node's whole file system */
/* SETATTR valid */
#define GOFER_SET_MODE 1u
#define GOFER_SET_UID 2u
#define GOFER_SET_GID 4u
#define GOFER_SET_SIZE 8u
#define GOFER_SET_ATIME 16u
#define GOFER_SET_MTIME 32u
#define GOFER_SET_ALL 63u

struct gofer_str {
	const char *p;	/* NUL-terminated */
	uint32_t len;	/* without the NUL */
};
struct gofer_bytes {
	const uint8_t *p;
	uint32_t len;
};

/* Where to write or read next. bad: did not fit, or was malformed; sticky. */
struct gofer_enc {
	uint8_t *p, *end;
	bool bad;
};
struct gofer_dec {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct gofer_str gofer_str(const char *s)
{
	return (struct gofer_str){ s, (uint32_t)strlen(s) };
}

/* ---- basic fields ---- */

static inline void gofer_put_raw(struct gofer_enc *e, const void *src, size_t n)
{
	if (e->bad || (size_t)(e->end - e->p) < n) {
		e->bad = true;
		return;
	}
	if (n)
		memcpy(e->p, src, n);
	e->p += n;
}

static inline void gofer_get_raw(struct gofer_dec *d, void *dst, size_t n)
{
	if (d->bad || (size_t)(d->end - d->p) < n) {
		d->bad = true;
		memset(dst, 0, n);
		return;
	}
	memcpy(dst, d->p, n);
	d->p += n;
}

#define GOFER_INT(name, type)                                                      \
	static inline void gofer_put_##name(struct gofer_enc *e, const type *v)    \
	{                                                                          \
		gofer_put_raw(e, v, sizeof(*v));                                   \
	}                                                                          \
	static inline void gofer_get_##name(struct gofer_dec *d, type *v)          \
	{                                                                          \
		gofer_get_raw(d, v, sizeof(*v));                                   \
	}
GOFER_INT(u8, uint8_t)
GOFER_INT(u32, uint32_t)
GOFER_INT(u64, uint64_t)
GOFER_INT(i32, int32_t)
GOFER_INT(i64, int64_t)
#undef GOFER_INT

static inline void gofer_put_bytes(struct gofer_enc *e, const struct gofer_bytes *v)
{
	gofer_put_u32(e, &v->len);
	gofer_put_raw(e, v->p, v->len);
}

static inline void gofer_get_bytes(struct gofer_dec *d, struct gofer_bytes *v)
{
	gofer_get_u32(d, &v->len);
	v->p = d->p;
	if (d->bad || (size_t)(d->end - d->p) < v->len) {
		d->bad = true;
		v->len = 0;
		return;
	}
	d->p += v->len;
}

static inline void gofer_put_str(struct gofer_enc *e, const struct gofer_str *v)
{
	gofer_put_u32(e, &v->len);
	gofer_put_raw(e, v->p, v->len);
	gofer_put_raw(e, "", 1);
}

static inline void gofer_get_str(struct gofer_dec *d, struct gofer_str *v)
{
	gofer_get_u32(d, &v->len);
	v->p = (const char *)d->p;
	if (d->bad || (size_t)(d->end - d->p) <= v->len || d->p[v->len] != 0 ||
	    memchr(d->p, 0, v->len)) {
		d->bad = true;
		v->p = "";
		v->len = 0;
		return;
	}
	d->p += v->len + 1;
}

/* rest: written as it stands; it is the reader who counts. */
static inline void gofer_put_rest(struct gofer_enc *e, const struct gofer_bytes *v)
{
	gofer_put_raw(e, v->p, v->len);
}

static inline void gofer_get_rest(struct gofer_dec *d, struct gofer_bytes *v)
{
	v->p = d->p;
	v->len = d->bad ? 0 : (uint32_t)(d->end - d->p);
	d->p += v->len;
}

/* ---- structs ---- */

#define GTYPE_u8 uint8_t
#define GTYPE_u32 uint32_t
#define GTYPE_u64 uint64_t
#define GTYPE_i32 int32_t
#define GTYPE_i64 int64_t
#define GTYPE_str struct gofer_str
#define GTYPE_bytes struct gofer_bytes
#define GTYPE_rest struct gofer_bytes
#define GTYPE_attr struct gofer_attr

#define F(type, name) GTYPE_##type name;
#define GREC(name, fields)    \
	struct gofer_##name { \
		fields        \
	};
#define GMSG(num, NAME, name, req, rep) \
	struct gofer_##name##_req {     \
		req                     \
	};                              \
	struct gofer_##name##_rep {     \
		rep                     \
	};
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
#undef F

/* ---- encoders ---- */

#define F(type, name) gofer_put_##type(e, &m->name);
#define GOFER_PUT_FN(fn, st, fields)                                              \
	static inline void gofer_put_##fn(struct gofer_enc *e, const struct st *m) \
	{                                                                         \
		(void)e;                                                          \
		(void)m;                                                          \
		fields                                                            \
	}
#define GREC(name, fields) GOFER_PUT_FN(name, gofer_##name, fields)
#define GMSG(num, NAME, name, req, rep)                \
	GOFER_PUT_FN(name##_req, gofer_##name##_req, req) \
	GOFER_PUT_FN(name##_rep, gofer_##name##_rep, rep)
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
#undef F
#undef GOFER_PUT_FN

/* ---- decoders ---- */

#define F(type, name) gofer_get_##type(d, &m->name);
#define GOFER_GET_FN(fn, st, fields)                                         \
	static inline void gofer_get_##fn(struct gofer_dec *d, struct st *m) \
	{                                                                    \
		(void)d;                                                     \
		(void)m;                                                     \
		fields                                                       \
	}
#define GREC(name, fields) GOFER_GET_FN(name, gofer_##name, fields)
#define GMSG(num, NAME, name, req, rep)                \
	GOFER_GET_FN(name##_req, gofer_##name##_req, req) \
	GOFER_GET_FN(name##_rep, gofer_##name##_rep, rep)
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
#undef F
#undef GOFER_GET_FN

/* A message must be used up: bytes left over are as wrong as bytes missing. */
static inline bool gofer_dec_done(const struct gofer_dec *d)
{
	return !d->bad && d->p == d->end;
}

/* ---- operation numbers ---- */

#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep) GOFER_OP_##NAME = (num),
enum gofer_op {
#include "gofer/proto/messages.def"
	GOFER_OP_END
};
#undef GREC
#undef GMSG

static inline const char *gofer_op_name(uint32_t op)
{
	switch (op) {
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep) \
	case num:                       \
		return #NAME;
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
	default:
		return "?";
	}
}

#endif
