/* From a path back to text: getcwd, /proc/PID/fd, /proc/PID/maps, mountinfo. */
#include <stdio.h>
#include <stdlib.h>

#include "sentry/vfs/vfs_impl.h"

/* One step towards the root: the name to put in front (NULL: none), and the next place.
 * False: cur is the top of everything. */
static bool step_up(struct path *cur, const char **name, unsigned *len)
{
	*name = NULL;
	if (cur->dentry != cur->mnt->root && cur->dentry->parent) {
		*name = cur->dentry->name;
		*len = cur->dentry->name_len;
		cur->dentry = cur->dentry->parent;
		return true;
	}
	if (cur->mnt->parent && cur->dentry == cur->mnt->root) {
		*cur = (struct path){ cur->mnt->parent, cur->mnt->mountpoint };
		return true;
	}
	return false;
}

/* Longer than any path that a call takes or gives. A guest can make a tree as deep as it
 * likes: of one that is deeper still only the lower end is shown. */
#define TEXT_MAX (2 * LX_PATH_MAX)

char *path_text(struct kernel *k, const struct path *p, const struct path *root, unsigned *flags)
{
	size_t need = 0;
	char *buf = NULL;

	*flags = p->dentry->unhashed ? PATH_TEXT_DELETED : 0;
	/* First measure, then write from the end. */
	for (int pass = 0; pass < 2; pass++) {
		struct path cur = *p;
		size_t at = need;
		const char *name;
		unsigned len;

		while ((!root || !path_equal(&cur, root)) && (pass ? at : TEXT_MAX - need)) {
			if (!step_up(&cur, &name, &len)) {
				if (cur.mnt != k->mnt->root || root)
					*flags |= PATH_TEXT_UNREACHABLE;
				break;
			}
			if (!name)
				continue;
			if (pass == 0) {
				if (need + len + 1 > TEXT_MAX)
					break;
				need += len + 1;
				continue;
			}
			if (len + 1 > at)
				break;
			at -= len + 1;
			buf[at] = '/';
			memcpy(buf + at + 1, name, len);
		}
		if (pass == 0) {
			if (need == 0)
				return strdup("/");
			buf = malloc(need + 1);
			if (!buf)
				return NULL;
			buf[need] = '\0';
		}
	}
	return buf;
}

/* Objects without a tree: "pipe:[7]", "anon_inode:[eventfd]", "/memfd:x". */
static char *anon_text(const struct path *p)
{
	const struct inode *i = p->dentry->inode;
	const char *name = p->dentry->name;
	char *out = NULL;
	int n;

	if (name[0] == '/' || strchr(name, ':'))
		return strdup(name);
	if (LX_S_ISFIFO(i->mode) || LX_S_ISSOCK(i->mode))
		n = asprintf(&out, "%s:[%llu]", LX_S_ISFIFO(i->mode) ? "pipe" : "socket",
			     (unsigned long long)i->ino);
	else if (strcmp(name, "inotify") == 0) /* the one without brackets */
		n = asprintf(&out, "anon_inode:%s", name);
	else
		n = asprintf(&out, "anon_inode:[%s]", name);
	return n < 0 ? NULL : out;
}

char *vfs_path_string(struct kernel *k, const struct path *p, const struct path *root)
{
	unsigned flags;
	char *text, *out;
	int n;

	if (p->mnt == k->mnt->anon)
		return anon_text(p);
	text = path_text(k, p, root, &flags);
	if (!text || !flags)
		return text;
	n = asprintf(&out, "%s%s%s", flags & PATH_TEXT_UNREACHABLE ? "(unreachable)" : "", text,
		     flags & PATH_TEXT_DELETED ? " (deleted)" : "");
	free(text);
	return n < 0 ? NULL : out;
}
