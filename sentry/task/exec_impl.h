/* The parts of execve: strings, scripts, credentials. Kernel lock held. */
#ifndef SENTRY_TASK_EXEC_IMPL_H
#define SENTRY_TASK_EXEC_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sentry/mm/mm.h"
#include "syscalls/abi/lx_types.h"

struct cred;
struct file;
struct task;

/* ---- exec_strings.c ---- */

/* An argument vector as sentry strings. */
struct strvec {
	char **v;		/* NULL-terminated; each malloc'd or in `arena` */
	unsigned count;
	char *arena;
	size_t bytes;		/* of all strings with their NULs */
};
#define EXEC_STRLEN_MAX (128u << 10)	/* MAX_ARG_STRLEN */

/* Copy argv and envp in, with Linux's limits. path_bytes: the file name's, which count,
 * too. 0, -LX_EFAULT, -LX_E2BIG, -LX_ENOMEM. */
int exec_strings_copy(struct task *t, struct uaddr argv, struct uaddr envp, size_t path_bytes,
		      struct strvec *out_argv, struct strvec *out_envp);
/* From sentry strings (the first process). 0 or -LX_ENOMEM. */
int strvec_from(struct strvec *sv, char *const *v);
/* Replace the first string by n others. 0 or -LX_ENOMEM. */
int strvec_replace_first(struct strvec *sv, const char *const *with, unsigned n);
void strvec_fini(struct strvec *sv);

#define SCRIPT_LINE 256 /* BINPRM_BUF_SIZE */

/* Is it a `#!` file? line: the first bytes, zero-padded to SCRIPT_LINE; it is cut up.
 * 1 with *interp and *arg (NULL: none), 0: no script, -LX_ENOEXEC: a broken one. */
int script_parse(char line[SCRIPT_LINE + 1], char **interp, char **arg);

/* ---- exec_cred.c ---- */

/* The credentials of t after it runs f: set-id bits, file capabilities, the rules of
 * capabilities(7). *out: one reference; *secure: AT_SECURE. 0, -LX_ENOMEM, -LX_EPERM. */
int exec_cred(struct task *t, struct file *f, struct cred **out, bool *secure);

/* ---- task_exec.c ---- */

struct exec_state {
	struct exec_image img;
	struct cred *cred;
	bool secure;
	bool readable;		/* the caller may read the program: dumpable */
	char comm[16];
	struct plat_as *as;	/* the new stub */
	struct plat_thread *pt;
	bool has_stub;		/* plat_as_new() came back */
	bool committed;		/* the old program is gone */
	unsigned next_batch;
};

/* Load the program that f opens, following scripts. name: what the script's interpreter
 * gets for it. Takes over f; consumes the vectors' contents. 0 with a new state. */
int exec_prepare(struct task *t, struct file *f, const char *name, bool inaccessible,
		 struct strvec *argv, struct strvec *envp, struct exec_state **out);
/* Make the stub: drops the kernel lock. 0, -LX_EAGAIN, -LX_ENOMEM, -LX_EINTR (killed). */
int exec_make_stub(struct task *t);
void exec_commit(struct task *t);

#endif
