/* The host calls of this folder. */
#include <poll.h>
#include <unistd.h>

#include "sentry/task/task_impl.h"

void batch_drop(struct plat_batch *b)
{
	for (unsigned i = 0; i < b->count; i++)
		if (b->cmd[i].op == PLAT_CMD_MMAP && b->cmd[i].fd >= 0)
			close(b->cmd[i].fd);
	b->count = 0;
}

void strace_write(int fd, const char *line, size_t len)
{
	/* One write for a line, so that lines do not mix; a full disk must not matter. */
	if (write(fd, line, len) < 0)
		return;
}

void strace_close(int fd)
{
	close(fd);
}

void task_yield(void)
{
	/* A millisecond at most; the filter has no call that only yields. */
	(void)poll(NULL, 0, 1);
}
