/* From a device number to an open file. */
#include "sentry/fs/dev/dev.h"
#include "sentry/fs/dev/dev_impl.h"
#include "sentry/fs/tty/tty.h"

#define MEM_MAJOR 1
#define TTYAUX_MAJOR 5

static const struct {
	uint32_t rdev;
	const struct file_ops *ops;
} simple[] = {
	{ KDEV(MEM_MAJOR, 3), &dev_null_ops },	 { KDEV(MEM_MAJOR, 5), &dev_zero_ops },
	{ KDEV(MEM_MAJOR, 7), &dev_full_ops },	 { KDEV(MEM_MAJOR, 8), &dev_random_ops },
	{ KDEV(MEM_MAJOR, 9), &dev_random_ops }, { KDEV(MEM_MAJOR, 11), &dev_kmsg_ops },
};

int device_open(struct kernel *k, struct task *t, uint32_t rdev, bool blockdev,
		const struct path *p, uint32_t fmode, uint32_t flags, struct file **out)
{
	if (blockdev)
		return -LX_ENXIO;
	for (unsigned i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		if (simple[i].rdev != rdev)
			continue;
		*out = file_new(k, simple[i].ops, p, fmode & (FMODE_READ | FMODE_WRITE), flags);
		return *out ? 0 : -LX_ENFILE;
	}
	switch (rdev) {
	case KDEV(TTYAUX_MAJOR, 0):
		return tty_open_current(t, p, fmode, flags, out);
	case KDEV(TTYAUX_MAJOR, 1):
		return tty_open_console(k, p, fmode, flags, out);
	case KDEV(TTYAUX_MAJOR, 2):
		return tty_open_ptmx(k, p, fmode, flags, out);
	default:
		return -LX_ENXIO;
	}
}
