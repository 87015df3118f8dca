/* Encoding of struct container_process: a fixed header, the group ids, then the
 * strings (argv, envp, cwd), each with its NUL. */
#include "sentry/control/process_msg.h"

#include <stdlib.h>
#include <string.h>

#include "syscalls/abi/lx_errno.h"

#define MSG_MAGIC 0x31637078u
#define MAX_STRINGS 1000000u
#define MAX_GROUPS 65536u

struct msg_header {
	uint32_t magic, argc, envc, ngroups;
	uint32_t uid, gid, umask, flags;
	uint64_t caps[5];
	uint64_t rlim[CPROC_NRLIMITS][2];
	int32_t oom_score_adj;
	uint32_t pad;
};

#define FLAG_TERMINAL 1u
#define FLAG_NNP 2u

void *container_process_encode(const struct container_process *p, size_t *size)
{
	struct msg_header h = {
		.magic = MSG_MAGIC, .argc = p->argc, .envc = p->envc, .ngroups = p->ngroups,
		.uid = p->uid, .gid = p->gid, .umask = p->umask,
		.flags = (p->terminal ? FLAG_TERMINAL : 0) | (p->no_new_privs ? FLAG_NNP : 0),
		.caps = { p->cap_eff, p->cap_perm, p->cap_inh, p->cap_bset, p->cap_amb },
		.oom_score_adj = p->oom_score_adj,
	};
	size_t n = sizeof(h) + p->ngroups * sizeof(uint32_t) + strlen(p->cwd) + 1;
	uint8_t *buf, *w;

	memcpy(h.rlim, p->rlim, sizeof(h.rlim));
	for (unsigned i = 0; i < p->argc; i++)
		n += strlen(p->argv[i]) + 1;
	for (unsigned i = 0; i < p->envc; i++)
		n += strlen(p->envp[i]) + 1;
	buf = w = malloc(n);
	if (!buf)
		return NULL;
	w = (uint8_t *)mempcpy(w, &h, sizeof(h));
	if (p->ngroups)
		w = (uint8_t *)mempcpy(w, p->groups, p->ngroups * sizeof(uint32_t));
	for (unsigned i = 0; i < p->argc; i++)
		w = (uint8_t *)mempcpy(w, p->argv[i], strlen(p->argv[i]) + 1);
	for (unsigned i = 0; i < p->envc; i++)
		w = (uint8_t *)mempcpy(w, p->envp[i], strlen(p->envp[i]) + 1);
	memcpy(w, p->cwd, strlen(p->cwd) + 1);
	*size = n;
	return buf;
}

/* The next string of [*pos, end), or NULL when none ends there. */
static char *next_string(char **pos, char *end)
{
	char *s = *pos, *nul = s < end ? memchr(s, 0, (size_t)(end - s)) : NULL;

	if (nul)
		*pos = nul + 1;
	return nul ? s : NULL;
}

int container_process_decode(const void *buf, size_t size, struct container_process *out)
{
	struct msg_header h;
	size_t ptrs, groups, strings;
	char *block, *pos, *end;
	char **v;

	memset(out, 0, sizeof(*out));
	if (size < sizeof(h))
		return -LX_EINVAL;
	memcpy(&h, buf, sizeof(h));
	if (h.magic != MSG_MAGIC || !h.argc || h.argc > MAX_STRINGS || h.envc > MAX_STRINGS ||
	    h.ngroups > MAX_GROUPS)
		return -LX_EINVAL;
	groups = h.ngroups * sizeof(uint32_t);
	if (size - sizeof(h) < groups)
		return -LX_EINVAL;
	strings = size - sizeof(h) - groups;
	ptrs = ((size_t)h.argc + h.envc + 2) * sizeof(char *);
	block = calloc(1, ptrs + groups + strings);
	if (!block)
		return -LX_ENOMEM;
	v = (char **)(void *)block;
	out->groups = (uint32_t *)(void *)(block + ptrs);
	memcpy(out->groups, (const uint8_t *)buf + sizeof(h), groups + strings);
	pos = block + ptrs + groups;
	end = pos + strings;
	out->block = block;
	out->argv = v;
	out->envp = v + h.argc + 1;
	for (; out->argc < h.argc; out->argc++)
		if (!(out->argv[out->argc] = next_string(&pos, end)))
			goto bad;
	for (; out->envc < h.envc; out->envc++)
		if (!(out->envp[out->envc] = next_string(&pos, end)))
			goto bad;
	out->cwd = next_string(&pos, end);
	if (!out->cwd || pos != end)
		goto bad;
	out->uid = h.uid;
	out->gid = h.gid;
	out->umask = h.umask;
	out->ngroups = h.ngroups;
	out->cap_eff = h.caps[0];
	out->cap_perm = h.caps[1];
	out->cap_inh = h.caps[2];
	out->cap_bset = h.caps[3];
	out->cap_amb = h.caps[4];
	memcpy(out->rlim, h.rlim, sizeof(h.rlim));
	out->terminal = h.flags & FLAG_TERMINAL;
	out->no_new_privs = h.flags & FLAG_NNP;
	out->oom_score_adj = h.oom_score_adj;
	return 0;
bad:
	container_process_fini(out);
	return -LX_EINVAL;
}

void container_process_fini(struct container_process *p)
{
	free(p->block);
	memset(p, 0, sizeof(*p));
}
