/* WATCH: the host's inotify for one more file, or no longer. The client reads the events
 * itself; a watch says nothing that it could not find out by asking again and again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gofer/server/server_impl.h"

/* inotify_add_watch(2) wants a path: the link in our own /proc/self/fd, which we then stand
 * in. Everything else is relative to descriptors. */
static int start(struct server *s)
{
	if (s->in_fd >= 0)
		return 0;
	if (s->fds_dir < 0 || fchdir(s->fds_dir) < 0)
		return -EOPNOTSUPP;
	s->in_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	return s->in_fd < 0 ? -errno : 0;
}

/* Where wd is among those in use; nwatches: it is not. */
static unsigned find_watch(const struct server *s, uint32_t wd)
{
	unsigned n = 0;

	while (n < s->nwatches && s->watches[n] != wd)
		n++;
	return n;
}

/* Also of a file that is gone, whose watch the host has removed by itself. */
static void drop_watch(struct server *s, uint32_t wd)
{
	unsigned n = find_watch(s, wd);

	if (n == s->nwatches)
		return;
	(void)inotify_rm_watch(s->in_fd, (int)wd);
	s->watches[n] = s->watches[--s->nwatches];
}

int op_watch(struct server *s, const struct gofer_watch_req *q, struct gofer_watch_rep *p,
	     int *out_fd)
{
	struct node *n = node_of(s, q->node);
	char link[16];
	int err, wd;

	if (!q->on) {
		drop_watch(s, q->wd);
		return 0;
	}
	if (!n)
		return -EBADF;
	if (n->opaque || S_ISLNK(n->mode))
		return -EOPNOTSUPP;
	if (s->nwatches == GOFER_WATCHES)
		return -ENOSPC;
	err = start(s);
	if (err)
		return err;
	snprintf(link, sizeof(link), "%d", n->fd);
	wd = inotify_add_watch(s->in_fd, link,
			       IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY |
				       IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF);
	if (wd < 0)
		return -errno;
	/* The host has one for each file, by whatever name it is asked for. */
	if (find_watch(s, (uint32_t)wd) == s->nwatches)
		s->watches[s->nwatches++] = (uint32_t)wd;
	p->wd = (uint32_t)wd;
	if (q->want_fd) {
		*out_fd = fcntl(s->in_fd, F_DUPFD_CLOEXEC, 3);
		if (*out_fd < 0) {
			err = -errno;
			drop_watch(s, p->wd);
			return err;
		}
	}
	return 0;
}
