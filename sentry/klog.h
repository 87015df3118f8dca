/* The kernel log: what dmesg shows. A ring of text; a position counts all bytes that
 * were ever written, so that a reader can tell when it was overtaken. Everything
 * needs the kernel lock. klog_printf() is in sentry/kernel.h. */
#ifndef SENTRY_KLOG_H
#define SENTRY_KLOG_H

#include <stddef.h>
#include <stdint.h>

#include "sentry/wait.h"

struct kernel;

#define KLOG_SIZE (16u << 10)

struct klog {
	char *buf;		/* KLOG_SIZE bytes; text at pos % KLOG_SIZE */
	uint64_t start, end;	/* positions of the oldest whole line and of the end */
	uint64_t read_pos;	/* SYSLOG_ACTION_READ has come this far */
	uint64_t clear_pos;	/* SYSLOG_ACTION_CLEAR: nothing before it is shown */
	struct waitq readers;	/* a line was added */
};

/* 0 or -LX_ENOMEM; sets k->klog. */
int klog_init(struct kernel *k);
void klog_fini(struct kernel *k);

/* Copy whole lines ("<6>[    0.000000] text\n") from *pos on and advance it; a
 * position that was overwritten moves to the oldest line. Bytes copied; 0 at the end,
 * or when not even one line fits. */
size_t klog_read(struct kernel *k, uint64_t *pos, char *out, size_t size);
/* Where to begin so that the last whole lines of at most `size` bytes are read, not
 * before `from`. */
uint64_t klog_tail(struct kernel *k, uint64_t from, size_t size);

#endif
