/* From the spec's process to the form that the sentry takes. */
#include "oci-shim/sandbox/convert.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static char **strv_dup(const struct strv *v, const char *first)
{
	char **out = calloc(v->n + 2, sizeof(*out));
	unsigned n = 0;

	/* The strings are never written to. */
	if (out && first)
		memcpy(&out[n++], &first, sizeof(first));
	for (unsigned i = 0; out && i < v->n; i++)
		memcpy(&out[n++], &v->v[i], sizeof(v->v[i]));
	return out;
}

static struct rlimit caller_nofile;

void process_caller_nofile(const struct rlimit *r)
{
	caller_nofile = *r;
}

static void limits(const struct spec_process *p, struct container_process *out)
{
	for (int i = 0; i < CPROC_NRLIMITS; i++) {
		struct rlimit rl = { RLIM_INFINITY, RLIM_INFINITY };

		if (p->rlimits[i].set) {
			out->rlim[i].cur = p->rlimits[i].soft;
			out->rlim[i].max = p->rlimits[i].hard;
			continue;
		}
		if (i == RLIMIT_NOFILE && caller_nofile.rlim_max)
			rl = caller_nofile;
		else
			getrlimit((__rlimit_resource_t)i, &rl);
		out->rlim[i].cur = rl.rlim_cur;
		out->rlim[i].max = rl.rlim_max;
	}
}

int process_from_spec(const struct spec_process *p, struct container_process *out,
		      struct oerr *e)
{
	memset(out, 0, sizeof(*out));
	out->argv = strv_dup(&p->args, NULL);
	out->envp = strv_dup(&p->env, NULL);
	if (!out->argv || !out->envp)
		return oerr_set(e, "out of memory");
	out->argc = p->args.n;
	out->envc = p->env.n;
	memcpy(&out->cwd, &p->cwd, sizeof(p->cwd));
	out->uid = p->uid;
	out->gid = p->gid;
	out->umask = p->umask == SPEC_ID_UNSET ? 022 : p->umask;
	out->groups = p->groups;
	out->ngroups = p->ngroups;
	out->cap_eff = p->caps[CAPS_EFFECTIVE];
	out->cap_perm = p->caps[CAPS_PERMITTED];
	out->cap_inh = p->caps[CAPS_INHERITABLE];
	out->cap_bset = p->caps[CAPS_BOUNDING];
	out->cap_amb = p->caps[CAPS_AMBIENT];
	out->terminal = p->terminal;
	out->no_new_privs = p->no_new_privs;
	out->oom_score_adj = p->oom_set ? p->oom_score_adj : 0;
	limits(p, out);
	return 0;
}

int process_from_hook(const struct spec_hook *h, const struct spec_process *p,
		      struct container_process *out, struct oerr *e)
{
	static char root[] = "/";

	if (process_from_spec(p, out, e) < 0)
		return -1;
	free(out->argv);
	free(out->envp);
	out->argv = strv_dup(&h->args, h->args.n ? NULL : h->path);
	out->envp = strv_dup(&h->env, NULL);
	if (!out->argv || !out->envp)
		return oerr_set(e, "out of memory");
	out->argc = h->args.n ? h->args.n : 1;
	out->envc = h->env.n;
	/* What is run is the path; the task takes one name for both. */
	memcpy(&out->argv[0], &h->path, sizeof(h->path));
	out->cwd = root;
	out->uid = out->gid = 0;
	out->ngroups = 0;
	out->terminal = false;
	return 0;
}
