/* The devices of this folder. */
#ifndef SENTRY_FS_DEV_DEV_IMPL_H
#define SENTRY_FS_DEV_DEV_IMPL_H

#include "sentry/vfs/vfs.h"

extern const struct file_ops dev_null_ops, dev_zero_ops, dev_full_ops, dev_random_ops,
	dev_kmsg_ops;

#endif
