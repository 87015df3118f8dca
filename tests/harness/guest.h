/* The frame of a guest test program: cases that run natively and in the sandbox and
 * must pass in both.
 *
 *	CASE(dup_shares_offset, "dup,lseek")
 *	{
 *		CHECK(…);
 *	}
 *	MAIN()
 *
 * The second word names the calls the case covers. Each case runs in a child of its
 * own, with ten seconds to end. Output: "ok NAME" or "FAIL NAME", a reason before it;
 * SKIP(reason) ends a case as skipped. Arguments: names of cases to run. */
#ifndef TESTS_HARNESS_GUEST_H
#define TESTS_HARNESS_GUEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct guest_case {
	const char *name, *covers;
	void (*fn)(void);
	struct guest_case *next;
};

extern struct guest_case *guest_cases;
extern char guest_dir[]; /* a fresh directory, the case's cwd; removed afterwards */

void guest_register(struct guest_case *c);
__attribute__((format(printf, 3, 4), noreturn)) void guest_fail(const char *file, int line,
								const char *fmt, ...);
__attribute__((noreturn)) void guest_skip(const char *why);
int guest_main(int argc, char **argv);

/* A raw call whose narrow arguments arrive with garbage in their upper halves. */
long guest_raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);
#define DIRTY(v) ((uint64_t)(uint32_t)(v) | 0xdead0000deadULL << 32)

#define CASE(id, covers_)                                                     \
	static void case_##id(void);                                          \
	__attribute__((constructor)) static void reg_##id(void)               \
	{                                                                     \
		static struct guest_case c = { #id, covers_, case_##id, NULL }; \
		guest_register(&c);                                           \
	}                                                                     \
	static void case_##id(void)

#define MAIN()                              \
	int main(int argc, char **argv)     \
	{                                   \
		return guest_main(argc, argv); \
	}

#define CHECK(cond)                                                                          \
	do {                                                                                 \
		if (!(cond))                                                                 \
			guest_fail(__FILE__, __LINE__, "%s (errno %d: %s)", #cond, errno,    \
				   strerror(errno));                                         \
	} while (0)
#define CHECK_EQ(a, b)                                                                       \
	do {                                                                                 \
		long long a_ = (long long)(a), b_ = (long long)(b);                          \
		if (a_ != b_)                                                                \
			guest_fail(__FILE__, __LINE__, "%s is %lld, not %s = %lld (errno %d: %s)", \
				   #a, a_, #b, b_, errno, strerror(errno));                  \
	} while (0)
/* The call fails with exactly this errno. */
#define CHECK_ERR(call, want)                                                                \
	do {                                                                                 \
		errno = 0;                                                                   \
		long long r_ = (long long)(call);                                            \
		int e_ = errno;                                                              \
		if (r_ != -1 || e_ != (want))                                                \
			guest_fail(__FILE__, __LINE__, "%s gives %lld, errno %d (%s), not %s", #call, \
				   r_, e_, strerror(e_), #want);                             \
	} while (0)
#define SKIP(why) guest_skip(why)

/* Run in a child; its wait status. */
#define IN_CHILD(...)                           \
	({                                      \
		int st_ = -1;                   \
		pid_t p_ = fork();              \
		if (p_ == 0) {                  \
			__VA_ARGS__;            \
			_exit(0);               \
		}                               \
		CHECK(p_ > 0);                  \
		CHECK(waitpid(p_, &st_, 0) == p_); \
		st_;                            \
	})

#endif
