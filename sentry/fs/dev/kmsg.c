/* /dev/kmsg: the kernel log, one record for each read ("6,12,345678,-;text"). file.ra[0]
 * is the position in the log, ra[1] the number of the next record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/fs/dev/dev_impl.h"
#include "sentry/klog.h"
#include "sentry/mm/usercopy.h"
#include "syscalls/abi/lx_fcntl.h"
#include "syscalls/abi/lx_poll.h"

#define LINE_MAX_ 1024

/* The line at *pos without its end; *pos moves behind it. false: nothing there yet. */
static bool next_line(const struct klog *l, uint64_t *pos, char line[LINE_MAX_])
{
	size_t n = 0;

	while (*pos < l->end) {
		char c = l->buf[(*pos)++ % KLOG_SIZE];

		if (c == '\n') {
			line[n] = '\0';
			return true;
		}
		if (n < LINE_MAX_ - 1)
			line[n++] = c;
	}
	return false;
}

static int64_t kmsg_read(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	const struct klog *l = f->k->klog;
	char line[LINE_MAX_], out[LINE_MAX_ + 80];
	unsigned prio = 6;
	unsigned long long sec = 0, usec = 0;
	uint64_t at = f->ra[0];
	const char *text = line, *end;
	int n;

	(void)pos;
	(void)rwf;
	if (at < l->start) {
		bool lost = at != 0; /* overtaken, and not just opened */

		at = f->ra[0] = l->start;
		if (lost)
			return -LX_EPIPE;
	}
	if (!next_line(l, &at, line))
		return -LX_EAGAIN;
	if (sscanf(line, "<%u>[%llu.%llu]", &prio, &sec, &usec) == 3) {
		end = strchr(line, ']');
		text = end && end[1] == ' ' ? end + 2 : line;
	}
	n = snprintf(out, sizeof(out), "%u,%llu,%llu,-;%s\n", prio, (unsigned long long)f->ra[1],
		     sec * 1000000 + usec, text);
	if ((size_t)n > u->resid)
		return -LX_EINVAL;
	f->ra[0] = at;
	f->ra[1]++;
	return uio_to_user(u, out, (size_t)n);
}

static int64_t kmsg_write(struct file *f, struct uio *u, int64_t *pos, uint32_t rwf)
{
	char line[LINE_MAX_];
	const char *text = line, *end;
	size_t total = u->resid, n = total < sizeof(line) - 1 ? total : sizeof(line) - 1;
	long got;

	(void)pos;
	(void)rwf;
	if (total >= LINE_MAX_)
		return -LX_EINVAL;
	got = uio_from_user(u, line, n);
	if (got < 0)
		return got;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	end = line[0] == '<' ? strchr(line, '>') : NULL;
	if (end && end - line <= 5)
		text = end + 1;
	klog_printf(f->k, "%s", text);
	return (int64_t)total;
}

static uint32_t kmsg_poll(struct file *f, struct poll_ctx *pc)
{
	struct klog *l = f->k->klog;

	poll_wait(pc, &l->readers);
	return f->ra[0] < l->end ? LX_POLLIN | LX_POLLRDNORM : 0;
}

static int64_t kmsg_seek(struct file *f, int64_t off, int whence)
{
	const struct klog *l = f->k->klog;

	if (off)
		return -LX_ESPIPE;
	if (whence == LX_SEEK_SET)
		f->ra[0] = l->start;
	else if (whence == LX_SEEK_END)
		f->ra[0] = l->end;
	else if (whence == LX_SEEK_DATA)
		f->ra[0] = l->clear_pos > l->start ? l->clear_pos : l->start;
	else
		return -LX_EINVAL;
	return 0;
}

const struct file_ops dev_kmsg_ops = {
	.name = "kmsg", .read = kmsg_read, .write = kmsg_write, .poll = kmsg_poll,
	.seek = kmsg_seek,
};
