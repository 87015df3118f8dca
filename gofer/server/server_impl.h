/* What the files of the gofer server share. One thread, no locks. */
#ifndef GOFER_SERVER_SERVER_IMPL_H
#define GOFER_SERVER_SERVER_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gofer/proto/proto.h"
#include "gofer/server/gofer_server.h"

#define NODE_MAX 131072u	/* nodes at most; fewer when RLIMIT_NOFILE is lower */
#define NODE_IDX_BITS 18	/* of an id; the rest is the generation */
#define NODE_INLINE_NAME 32
#define SPARE_FDS 64		/* descriptors that are not nodes */
_Static_assert(NODE_MAX + SPARE_FDS <= GOFER_NOFILE, "what the launcher asks for");

/* A file the client knows: an O_PATH descriptor, and the last name it was known by, which
 * is how it is opened for I/O (checked against dev and ino afterwards). */
struct node {
	int fd;
	uint32_t refs;		/* the client's id (1), children by `parent`; 0: free slot */
	uint32_t parent;	/* index; 0: an export's root; free slot: next free */
	uint32_t mode;		/* S_IFMT bits */
	uint64_t dev, ino;
	uint16_t gen;
	uint16_t export;
	bool known;		/* the client holds the id */
	bool opaque;		/* a kernel's file system (proc …): nothing below is shown */
	char *name;		/* inl, or malloc'd; "" for an unnamed file */
	char inl[NODE_INLINE_NAME];
};

struct export_root {
	int fd;			/* O_PATH */
	int dirfd;		/* O_PATH of the directory it lies in; name: in it */
	char *name;
	bool readonly, filestore;
};

struct chan_server;

struct server {
	int sock;
	struct chan_server *chan; /* chan_host.c */
	int rx_fd;		/* came with the request; -1: none */
	int more_fds[GOFER_OPENS_MAX]; /* nmore of them go with the reply after its first one */
	unsigned nmore;
	int fds_dir;		/* /proc/self/fd, or -1 */
	uint32_t uid;		/* whose files we make */
	uint32_t umask;		/* the process's */
	int in_fd;		/* the host's inotify, or -1; then fds_dir is where we stand */
	uint32_t watches[GOFER_WATCHES]; /* the descriptors in use: nwatches of them */
	unsigned nwatches;
	bool acl_asked;		/* the client wants to know of ACLs */
	bool no_xattrat;	/* the host has no getxattrat(2) and so on (before Linux 6.13) */
	struct export_root *exports;
	unsigned nexports;

	struct node *nodes;	/* [1, cap) */
	uint32_t cap, high, free_head;

	/* The directory READDIR was in last, so that the next batch goes on from there. */
	uint32_t dir_id;
	int dir_fd;
	uint64_t dir_pos;	/* UINT64_MAX: unknown */
	uint64_t names_dev;	/* the device that exact_fs is about; 0: none yet */
	bool exact_fs;		/* it finds no name that it does not list */

	uint8_t rx[GOFER_MSG_MAX], tx[GOFER_MSG_MAX], scratch[GOFER_MSG_MAX];
	uint8_t dents[32768] __attribute__((aligned(8)));
};

/* ---- node_host.c ---- */
int server_init_nodes(struct server *s, uint32_t cap);
/* Open the exports' roots. 0 or -errno. */
int server_init_exports(struct server *s, const struct gofer_export *exports, unsigned n);
void server_fini(struct server *s);

/* The node behind a client's id, or NULL. */
struct node *node_of(struct server *s, uint32_t id);
uint32_t node_id(const struct server *s, const struct node *n);
/* A new node with the client's reference; takes over fd in every case. parent NULL: the
 * root of `export`. 0 or -errno. */
int node_add(struct server *s, unsigned export, struct node *parent, const char *name, int fd,
	     const struct gofer_attr *a, uint32_t *out_id);
void node_forget(struct server *s, uint32_t id);
/* The file is known as name in dir from now on. */
void node_set_name(struct server *s, struct node *n, struct node *dir, const char *name);
/* Where n was last known: directory descriptor and name. false: nowhere. */
bool node_where(struct server *s, const struct node *n, int *dirfd, const char **name);

static inline bool node_readonly(const struct server *s, const struct node *n)
{
	return s->exports[n->export].readonly || s->exports[n->export].filestore;
}

/* A single name as a client may give it: no '/', not "." or "..", 1 to 255 bytes. */
bool name_ok(struct gofer_str name);

/* Open once more what the descriptor fd is of, with other access: fd, -ENOSYS when there is
 * no fds_dir, or -errno. Only for what may not block: regular files. */
int reopen_fd(const struct server *s, int fd, int flags);
/* openat2 of one name in dirfd, never through a symlink. fd or -errno. */
int open_one(int dirfd, const char *name, int flags, mode_t mode);
/* The same, and resolve: more RESOLVE_ flags. */
int open_resolved(int dirfd, const char *name, int flags, mode_t mode, uint64_t resolve);
/* Open a node's regular file or directory: fd or -errno. flags: access mode. hint_dir
 * (may be NULL): try this name first. */
int node_open(struct server *s, const struct node *n, int flags, const struct node *hint_dir,
	      const char *hint_name);

/* Attributes of a descriptor (also O_PATH), or of a name in it. 0 or -errno. */
int fd_attr(int fd, struct gofer_attr *out);
int name_attr(int dirfd, const char *name, struct gofer_attr *out);
/* chmod of what an O_PATH descriptor stands for; n says where it may be found. */
int node_chmod(struct server *s, const struct node *n, uint32_t mode);

/* ---- dir_host.c ---- */
/* The listed record of the directory n, after its index; *out: the same, where it was put.
 * false: it cannot be listed, or does not fit. */
bool put_listed(struct server *s, struct gofer_enc *e, uint32_t index, const struct node *n,
		struct gofer_listed *out);

/* ---- ops_host.c ---- */
/* One step of a walk: name in the directory `at`. resolve: more of openat2's RESOLVE_ flags. */
int walk_step(struct server *s, struct node *at, struct gofer_str name, uint64_t resolve,
	      struct gofer_walked *out);

/* ---- attr_host.c ---- */
/* Is the file behind fd (also O_PATH) known to have no ACL? One host call. */
bool fd_has_no_acl(struct server *s, int fd);

/* ---- filter_host.c ---- */
/* Install the seccomp filter. 0 or -errno. */
int gofer_filter_install(void);

/* ---- serve_host.c ---- */
/* A datagram of one byte, with the descriptor fd unless it is -1, and with more_fds. 0 or
 * -errno. */
int server_ring(struct server *s, int fd);
void server_drop_more(struct server *s);

/* ---- chan_host.c ---- */
int chan_init(struct server *s, bool poll); /* 0 or -errno; chan_fini() also after a failure */
void chan_fini(struct server *s);
/* Is there a request? Waits for one a little when that is worth it. */
bool chan_poll(struct server *s);
/* About to wait on the socket: true, or there is a request after all. */
bool chan_sleep(struct server *s);
void chan_woken(struct server *s);
/* The request into s->rx: its size, or -errno. */
ssize_t chan_take(struct server *s);
/* Is this one of the kernel's memory objects, as memfd_create(2) makes them? */
bool chan_is_memory(const struct server *s, int fd);
/* The reply in s->tx (len bytes) and a descriptor (-1: none) to the client. 0 or -errno. */
int chan_answer(struct server *s, size_t len, int fd);

/* ---- dispatch.c ---- */
/* Serve the request in s->rx (len bytes). 1: the reply is s->tx, *out_len bytes, with *out_fd
 * (owned by the caller, -1: none); 0: there is no reply; -errno: hang up. */
int gofer_dispatch(struct server *s, size_t len, size_t *out_len, int *out_fd);

/* ---- operations: ops_host.c, ahead_host.c, create_host.c, attr_host.c, dir_host.c ---- */
/* 0 or -errno. Strings and bytes of a reply may lie in s->scratch. *out_fd: a descriptor
 * to donate (the dispatcher closes it, and more_fds). */
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                                                \
	int op_##name(struct server *s, const struct gofer_##name##_req *q,            \
		      struct gofer_##name##_rep *p, int *out_fd);
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG

#endif
