/* What the files of the gofer client share. Everything runs under the kernel lock; the
 * connection's own lock (LOCK_GOFER) covers one request with its reply.
 *
 * Requests are synchronous with the kernel lock held: a gofer's operation is a bounded,
 * local one (it never opens what could block), and the caches below make them rare. */
#ifndef SENTRY_FS_GOFER_GOFER_IMPL_H
#define SENTRY_FS_GOFER_GOFER_IMPL_H

/* uthash must not end the process when memory is short. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "gofer/proto/proto.h"
#include "platform/base/mutex.h"
#include "sentry/fs/gofer/gofer_client.h"

#define GOFER_FD_CACHE 4096	/* donated descriptors kept, per connection */
#define GOFER_FORGET_BATCH 128	/* nodes let go of per message */
#define GOFER_FORGET_BLOCKS 2048 /* … or as soon as they hold this much (of 512 bytes) */
#define GOFER_FORGET_QUEUE 512
#define GOFER_LISTING_CACHE (16u << 20) /* bytes of listings kept on directories */
#define GOFER_LISTING_MAX (256u << 20)	/* of one directory */
#define GOFER_DEVS 256		/* host devices told apart below one export */

struct gofer_inode;
struct gofer_watch;
struct gofer_watches;

struct gofer_chan_client;

/* Descriptors that came with a message. */
struct gofer_fds {
	int fd[GOFER_OPENS_MAX];
	unsigned n;
	bool lost;		/* not all that were sent */
};

struct gofer_conn {
	struct refs refs;
	int sock;		/* [I] */
	struct mutex mu;
	struct gofer_chan_client *chan; /* [mu] NULL: requests go over the socket */
	bool chan_tried;
	struct gofer_fds more;	/* of the last reply, but for its first one */
	bool unanswered;	/* [mu] the channel's last message was a FORGET */
	uint32_t seq;		/* [mu] */
	bool dead;		/* [mu] hung up or talked nonsense: everything is EIO */
	uint32_t max_nodes;	/* of the gofer; 0: not known yet */
	uint32_t nforget;	/* [mu] queued in forget[] */
	uint32_t forget[GOFER_FORGET_QUEUE];
	uint64_t forget_blocks;	/* what they hold on the host's disk */

	struct gofer_watches *watches; /* watch.c; NULL: none yet */
	struct list idle_fds;	/* struct gofer_fd without users, oldest first */
	unsigned nfds, max_fds;

	uint8_t tx[GOFER_MSG_MAX], rx[GOFER_MSG_MAX]; /* [mu] */
};

/* A descriptor that the gofer donated; of an inode's cache, or on its own until its last
 * user goes. */
struct gofer_fd {
	struct gofer_conn *c;
	struct gofer_inode *owner; /* NULL: no longer cached */
	struct list idle;	/* in c->idle_fds when users is 0 */
	unsigned users;		/* open files */
	int fd;
	bool readable, writable;
	bool ahead;		/* it came along with another one, and nobody has wanted it yet */
};

/* The names in a directory, as of one moment. */
struct gofer_listing {
	struct refs refs;
	uint32_t count, cap;
	size_t size, room;	/* bytes of data */
	size_t holes;		/* … of removed entries */
	bool exact;		/* what is not in it does not exist */
	uint32_t *hash;		/* 1 + where in data, by name; NULL: not needed yet */
	uint32_t nhash, nused;
	uint32_t *off;		/* where entry i begins in data */
	uint8_t *data;		/* struct gofer_entry, packed */
	uint64_t ino_dev;	/* the directory's host device */
};
struct gofer_entry {
	uint64_t ino;		/* the host's */
	uint8_t type, len;
	char name[];		/* not terminated */
} __attribute__((packed));

struct gofer_sb {
	struct gofer_conn *c;	/* one reference */
	struct superblock *sb;
	struct gofer_inode *inodes; /* uthash by (hdev, hino): weak */
	struct gofer_inode *root; /* weak */
	bool shared, readonly;
	uint64_t devs[GOFER_DEVS];
	unsigned ndevs;
	size_t listing_size;	/* bytes of listings kept on inodes */
};

struct gofer_key {
	uint64_t dev, ino;	/* the host's */
};

struct gofer_inode {
	struct inode i;		/* first */
	struct gofer_key key;
	UT_hash_handle hh;
	bool hashed;
	uint32_t node;
	bool stale;		/* I/O went past the cached attributes: ask the host's fd */
	bool wmapped;		/* a shared writable mapping was made: always stale */
	bool no_xattr;		/* exclusive: known to have none */
	bool plain;		/* exclusive: a directory whose names are matched as they are */
	unsigned appends;	/* long appends under way without the kernel lock … */
	uint64_t append_end;	/* … and where the last of them will end */
	uint64_t fresh_at;	/* shared: kernel->ctxt when last looked at */
	char *target;		/* symlink, once read */
	struct gofer_fd *ro, *rw, *wo; /* wo: to be lent; not for rw's users */
	struct gofer_listing *listing;
	struct {		/* a directory's lookups so far: ahead.c */
		uint32_t at;	/* where in the listing the next ones begin */
		uint16_t misses;
		bool read;	/* somebody has read the listing; what follows is from then on */
		bool others;	/* not only of directories */
		bool walked;	/* it came along itself: somebody walks the tree */
		bool others_below; /* below it, not only of directories */
		bool descends;	/* there were lookups in one of its directories */
	} ahead;
	struct {		/* a directory's files, opened for reading: fd.c */
		uint32_t at;	/* where in the listing the next ones are */
		uint32_t wanted, brought, used; /* requests; came along; of them wanted since */
		bool below;	/* there were such requests in one of its directories */
	} opens;
	struct gofer_key dir;	/* the directory it was last found in */
	struct gofer_watch *watch; /* the host's inotify */
};

static inline struct gofer_inode *gofer_i(struct inode *i)
{
	return (struct gofer_inode *)i;
}
static inline struct gofer_sb *gofer_s(const struct inode *i)
{
	return i->sb->priv;
}
static inline struct gofer_conn *gofer_c(const struct inode *i)
{
	return gofer_s(i)->c;
}

/* ---- conn.c: one function for each message ---- */

/* Send the request, wait for the reply, decode it. 0 or -LX_E…. Strings and bytes in *p
 * point into the connection's buffer: good until its next request. out_fd (may be NULL):
 * a donated descriptor or -1, owned by the caller. */
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                                                     \
	int gofer_call_##name(struct gofer_conn *c, const struct gofer_##name##_req *q,     \
			      struct gofer_##name##_rep *p, int *out_fd);
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG
/* Set up the shared-memory channel, if the gofer offers one. */
void gofer_conn_open_channel(struct gofer_conn *c);
/* Queue a node to be let go of. blocks: what it keeps on disk (0 unless deleted). */
void gofer_forget(struct gofer_conn *c, uint32_t node, uint64_t blocks);
void gofer_forget_flush(struct gofer_conn *c);
/* The host's file system is full: true if deleted files were let go of, so that it may have
 * room now. */
bool gofer_make_room(struct gofer_inode *gi);
/* The gofer holds this many nodes at most: keep fewer unused entries than that. */
void gofer_note_max_nodes(struct gofer_conn *c, uint32_t max);
/* The gofer has no room for nodes: give up cached entries. */
void gofer_relieve(struct gofer_conn *c);

/* ---- chan_host.c: all give -errno ---- */
/* Map the channel's memory; fd stays the caller's. */
int gofer_chan_open(int fd, struct gofer_chan_client **out);
void gofer_chan_close(struct gofer_chan_client *h); /* may be NULL */
/* Hand a message over. Each one is to be waited for before the next. */
int gofer_chan_post(struct gofer_chan_client *h, int sock, const void *msg, size_t len);
/* The answer into buf: its length. fds: as for gofer_host_recv(). */
long gofer_chan_wait(struct gofer_chan_client *h, int sock, void *buf, size_t size,
		     struct gofer_fds *fds);

/* ---- conn_host.c, io_host.c: host calls; all give -errno ---- */
/* fd: goes along, unless it is -1. */
long gofer_host_send(int sock, const void *buf, size_t len, int fd);
/* Bytes received (0: hang-up), and descriptors, which are the caller's. */
long gofer_host_recv(int sock, void *buf, size_t size, struct gofer_fds *fds);
/* The same, -EAGAIN when there is nothing yet. */
long gofer_host_try_recv(int sock, void *buf, size_t size, struct gofer_fds *fds);
void gofer_host_close(int fd);
void gofer_host_close_all(struct gofer_fds *fds);
int gofer_host_dup(int fd);
int gofer_host_flush(int fd);
long gofer_host_read(int fd, void *buf, size_t len);
long gofer_host_pread(int fd, void *buf, size_t len, int64_t pos);
long gofer_host_pwrite(int fd, const void *buf, size_t len, int64_t pos);
int gofer_host_fsync(int fd, bool data_only);
int gofer_host_ftruncate(int fd, uint64_t size);
int gofer_host_fallocate(int fd, uint32_t mode, int64_t off, int64_t len);
int64_t gofer_host_lseek(int fd, int64_t off, int whence);
int gofer_host_attr(int fd, struct gofer_attr *out); /* btime is left 0 */

/* ---- inode.c ---- */
/* The inode for a node the gofer just gave: the one that is there for the same host file,
 * or a new one. Takes over the node. *out has one reference. 0 or -LX_ENOMEM. */
int gofer_inode_get(struct gofer_sb *g, uint32_t node, const struct gofer_attr *a,
		    struct inode **out);
/* The inode of a host file, if there is one; borrowed. */
struct gofer_inode *gofer_inode_find(struct gofer_sb *g, struct gofer_key key);
void gofer_apply_attr(struct gofer_inode *gi, const struct gofer_attr *a);
/* The guest's inode number for a host file below g. */
uint64_t gofer_ino(struct gofer_sb *g, uint64_t dev, uint64_t ino);
/* Is i one of ours? */
bool gofer_owns(const struct inode *i);

extern const struct inode_ops gofer_iops_exclusive, gofer_iops_shared;

/* names.c */
int gofer_lookup(struct inode *dir, const char *name, struct inode **out);
int gofer_walk(struct inode *dir, const char *const *names, unsigned n, struct inode **out,
	       unsigned *count);
unsigned gofer_revalidate(struct dentry *const *d, unsigned n);
/* w may be NULL. */
unsigned gofer_revalidate_walk(struct dentry *const *d, unsigned n, struct chain_walk *w);
int gofer_create(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		 struct inode **out);
int gofer_mkdir(struct inode *dir, const char *name, uint32_t mode, uint32_t uid, uint32_t gid,
		struct inode **out);
int gofer_mknod(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev, uint32_t uid,
		uint32_t gid, struct inode **out);
int gofer_symlink(struct inode *dir, const char *name, const char *target, uint32_t uid,
		  uint32_t gid, struct inode **out);
int gofer_link(struct inode *dir, const char *name, struct inode *target);
int gofer_unlink(struct inode *dir, const char *name, struct inode *victim);
int gofer_rmdir(struct inode *dir, const char *name, struct inode *victim);
int gofer_rename(struct inode *odir, const char *oname, struct inode *src, struct inode *ndir,
		 const char *nname, struct inode *dst, uint32_t flags);
int gofer_tmpfile(struct inode *dir, uint32_t mode, uint32_t uid, uint32_t gid,
		  struct inode **out);
int gofer_readlink(struct inode *i, char *buf, size_t size);

/* ahead.c */
int gofer_lookup_ahead(struct inode *dir, const char *name, struct inode **out,
		       struct lookup_more *m);

/* attr.c */
/* Bring the cached attributes up to date (a host call or a request when they may differ). */
int gofer_refresh(struct gofer_inode *gi);
int gofer_getattr(struct inode *i, struct kstat *out);
int gofer_setattr(struct inode *i, const struct iattr *a);
int64_t gofer_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int gofer_setxattr(struct inode *i, const char *name, const void *val, size_t size,
		   uint32_t flags);
int64_t gofer_listxattr(struct inode *i, char *buf, size_t size);
int gofer_removexattr(struct inode *i, const char *name);
int gofer_get_acl(struct inode *i, int type, struct acl **out);
int gofer_set_acl(struct inode *i, int type, struct acl *a);
int gofer_fileattr_get(struct inode *i, uint32_t *flags);
int gofer_fileattr_set(struct inode *i, uint32_t flags);

/* ---- fd.c ---- */
/* Make fd (owned, also on failure) the inode's cached descriptor for writing (RDWR) or reading. */
int gofer_fd_install(struct gofer_inode *gi, int fd, bool readable, bool writable);
/* Keep fd (owned) for who is going to read the file. */
void gofer_fd_keep(struct gofer_inode *gi, int fd);
/* A descriptor that allows fmode, from the cache or from the gofer; path (may be NULL):
 * where the file was found. *out is in use until gofer_fd_unuse(). */
int gofer_fd_use(struct gofer_inode *gi, uint32_t fmode, const struct path *path,
		 struct gofer_fd **out);
void gofer_fd_unuse(struct gofer_fd *d);
/* A read-only descriptor for mmap, borrowed from the cache: fd or -LX_E…. */
int gofer_fd_readonly(struct gofer_inode *gi, const struct path *path);
/* Likewise one for writing only. */
int gofer_fd_writeonly(struct gofer_inode *gi, const struct path *path);
/* The last name of gi is about to go: whoever has it open can have it mapped still, and it
 * cannot be opened afterwards. Best effort. */
void gofer_fd_before_unlink(struct gofer_inode *gi);
/* Any cached descriptor, or -1. */
int gofer_fd_any(const struct gofer_inode *gi);
/* The inode's contents may move to another file of the host's overlay: new readers must
 * not go on with a descriptor from before. */
void gofer_fd_drop_ro(struct gofer_inode *gi);
void gofer_fd_drop_all(struct gofer_inode *gi);

/* ---- file.c, dir.c ---- */
int gofer_open(struct inode *i, const struct path *path, uint32_t fmode, uint32_t flags,
	       struct file **out);
extern const struct file_ops gofer_file_ops, gofer_dir_ops;

/* ---- listing.c ---- */
/* Can this be a name in a directory? */
bool gofer_name_ok(struct gofer_str name);
/* An empty one for gi, counted; NULL: no memory. */
struct gofer_listing *gofer_listing_new(const struct gofer_inode *gi);
void gofer_listing_put(struct gofer_listing *l);
int gofer_listing_add(struct gofer_listing *l, struct gofer_str name, uint8_t type, uint64_t ino);
/* It is complete, and may be kept for long: gives back what it did not need. */
void gofer_listing_trim(struct gofer_listing *l);
/* The inode keeps it, if there is room. Exclusive mode only, as all that follows. */
void gofer_listing_keep(struct gofer_inode *gi, struct gofer_listing *l);
void gofer_listing_drop(struct gofer_inode *gi);
/* What a reply says of a directory's entries is kept, if it is well formed. */
void gofer_listing_take(struct gofer_inode *gi, const struct gofer_listed *l);
/* A directory just made, in one whose names are plain. */
void gofer_listing_begin(struct gofer_inode *gi);
/* Is name known not to exist? */
bool gofer_listing_misses(struct gofer_inode *gi, const char *name);
/* Where name is in the listing, which there must be, and its type; -1: it is not. */
int64_t gofer_listing_find(struct gofer_inode *gi, const char *name, uint8_t *type);
/* The host has made or removed name. */
void gofer_listing_made(struct gofer_inode *gi, const char *name, uint32_t mode, uint64_t ino);
void gofer_listing_removed(struct gofer_inode *gi, const char *name);

/* dir.c: have the directory's listing fetched and kept, as far as there is room. */
void gofer_listing_want(struct gofer_inode *gi);

#endif
