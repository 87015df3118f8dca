#!/usr/bin/env bash
# docs/locking.md from sentry/lock_order.def.
cd "$(dirname "$(readlink -f "$0")")/../.."
cat <<'MD'
# Locks

Generated from `sentry/lock_order.def` by `tests/lint/gen_locking.sh`; do not edit.

A thread may take a lock only if its rank is higher than that of every lock it holds.
Debug builds check that at run time (`platform/base/mutex.h`).

| rank | lock | guards |
| --- | --- | --- |
MD
sed -nE 's/^LOCK\(([A-Z_]+), ([0-9]+), "(.*)"\)$/| \2 | \1 | \3 |/p' sentry/lock_order.def
cat <<'MD'

The kernel lock is held while a handler runs and is never held while the sentry waits:
handlers park, workers wait for traps without it, and host operations that can take long
are bracketed by `kernel_release_host()` and `kernel_reacquire_host()`. Gofer requests
are made with the kernel lock held: they are bounded operations on local files.
MD
