/* Debug log of the runtime's own processes. Off (one load and a branch) unless
 * --debug-log gave a file. One line per call, 4 KiB at most, written with one
 * write(2), so lines of several threads and processes do not mix. */
#ifndef PLATFORM_BASE_LOG_H
#define PLATFORM_BASE_LOG_H

#include <stdbool.h>

enum log_level { LOG_ERROR = 1, LOG_WARN, LOG_INFO, LOG_DEBUG };

extern int log_max_level; /* 0: nothing is logged */

/* fd: where to write (not owned; stays open for the process's life); who: the
 * process's role ("sentry", "gofer" …), a string literal. */
void log_setup(int fd, enum log_level max, const char *who);

__attribute__((format(printf, 2, 3))) void log_write(enum log_level l, const char *fmt, ...);

#define log_at(l, ...)                         \
	do {                                   \
		if ((int)(l) <= log_max_level) \
			log_write(l, __VA_ARGS__); \
	} while (0)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
