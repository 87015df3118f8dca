/* Bugs of our own. Never used on anything a guest or a peer can choose. */
#ifndef PLATFORM_BASE_BUG_H
#define PLATFORM_BASE_BUG_H

/* Print file, line, expression and a backtrace, then abort. */
__attribute__((noreturn, cold)) void bug_at(const char *file, int line, const char *what);

#define BUG() bug_at(__FILE__, __LINE__, "reached")
#define BUG_ON(cond)                                        \
	do {                                                \
		if (__builtin_expect(!!(cond), 0))          \
			bug_at(__FILE__, __LINE__, #cond);  \
	} while (0)

#endif
