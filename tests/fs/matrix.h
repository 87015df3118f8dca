/* What the parts of the matrix share: see matrix.c. */
#ifndef TESTS_FS_MATRIX_H
#define TESTS_FS_MATRIX_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum kind {
	K_NONE, K_REG, K_EMPTYDIR, K_FULLDIR, K_FIFO, K_SOCK, K_LINK_REG, K_LINK_DIR, K_DANGLING,
	K_LOOP, KINDS
};
extern const char *const kind_names[KINDS];
extern char big_path[5000], name255[256], name256[257];

/* One operation on a path; it reports through result() and leaves nothing open. "other" is
 * a regular file and "otherdir" an empty directory when two names are needed; a new name
 * is "fresh". */
struct op {
	const char *family, *name;
	long (*fn)(const char *path);
};
extern const struct op ops[];
extern const unsigned nops;

__attribute__((format(printf, 1, 2))) void result(const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void check_begin(const char *family, const char *fmt, ...);
void check_end(void);
/* Is it this check's turn? To be asked once for each. */
bool wanted(void);
const char *err_name(long r);
void become(unsigned uid, unsigned gid, int ngroups, const gid_t *groups);
void be_root(void);
__attribute__((noreturn)) void die(const char *what);
void wipe(void);
void make(enum kind k, const char *name);
void describe(const char *dir);

void matrix_kinds(void);
void matrix_paths(void);
void matrix_perms(void);
void matrix_rename(void);
void matrix_times(void);
void matrix_files(void);
void matrix_objects(void);
void matrix_inotify(void);

#endif
