/* The kernel log ring. */
#include "sentry/klog.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sentry/kernel.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_errno.h"

#define LINE_MAX_LEN 512

int klog_init(struct kernel *k)
{
	struct klog *l = calloc(1, sizeof(*l));

	if (!l)
		return -LX_ENOMEM;
	l->buf = malloc(KLOG_SIZE);
	if (!l->buf) {
		free(l);
		return -LX_ENOMEM;
	}
	waitq_init(&l->readers);
	k->klog = l;
	return 0;
}

void klog_fini(struct kernel *k)
{
	if (!k->klog)
		return;
	waitq_fini(&k->klog->readers);
	free(k->klog->buf);
	free(k->klog);
	k->klog = NULL;
}

static char at(const struct klog *l, uint64_t pos)
{
	return l->buf[pos % KLOG_SIZE];
}

/* The position after the line that begins at pos. */
static uint64_t line_end(const struct klog *l, uint64_t pos)
{
	while (pos < l->end && at(l, pos) != '\n')
		pos++;
	return pos < l->end ? pos + 1 : l->end;
}

static void append(struct klog *l, const char *s, size_t len)
{
	while (l->end + len - l->start > KLOG_SIZE)
		l->start = line_end(l, l->start);
	for (size_t i = 0; i < len; i++)
		l->buf[l->end++ % KLOG_SIZE] = s[i];
}

void klog_printf(struct kernel *k, const char *fmt, ...)
{
	uint64_t us = kernel_uptime_ns(k) / 1000;
	char line[LINE_MAX_LEN];
	va_list ap;
	int n, m;

	if (!k->klog)
		return;
	n = snprintf(line, sizeof(line), "<6>[%5llu.%06llu] ", (unsigned long long)(us / 1000000),
		     (unsigned long long)(us % 1000000));
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	n += m;
	if (n > (int)sizeof(line) - 1)
		n = (int)sizeof(line) - 1;
	/* A line stays one line, whatever a guest put into its name. */
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20)
			line[i] = '?';
	line[n++] = '\n';
	append(k->klog, line, (size_t)n);
	waitq_wake(&k->klog->readers, 0);
}

size_t klog_read(struct kernel *k, uint64_t *pos, char *out, size_t size)
{
	const struct klog *l = k->klog;
	size_t done = 0;

	if (*pos < l->start)
		*pos = l->start;
	while (*pos < l->end) {
		uint64_t next = line_end(l, *pos);

		if (next - *pos > size - done)
			break;
		while (*pos < next)
			out[done++] = at(l, (*pos)++);
	}
	return done;
}

uint64_t klog_tail(struct kernel *k, uint64_t from, size_t size)
{
	const struct klog *l = k->klog;
	uint64_t pos = from > l->start ? from : l->start;

	while (pos < l->end && l->end - pos > size)
		pos = line_end(l, pos);
	return pos;
}
