/*
 * From a number and six registers to a handler. The number comes from the guest
 * and may be anything.
 */
#include <stdatomic.h>
#include <stddef.h>

#include "platform/platform.h"
#include "syscalls/abi/lx_errno.h"
#include "syscalls/table.h"
#include "syscalls/trace/trace.h"

/* Calls made that no handler serves; the last counter is for unknown numbers. */
static _Atomic uint64_t missing[SYSCALL_NR_END + 1];

long syscall_dispatch(struct task *t, uint64_t nr, const uint64_t args[6])
{
	const struct syscall_desc *d = syscall_lookup(nr);

	if (d != NULL && d->call != NULL)
		return d->call(t, args);
	atomic_fetch_add_explicit(&missing[d != NULL ? d->nr : SYSCALL_NR_END], 1,
				  memory_order_relaxed);
	return d != NULL ? -(long)d->error : -LX_ENOSYS;
}

uint64_t syscall_missing_count(uint64_t nr)
{
	const struct syscall_desc *d = syscall_lookup(nr);

	return atomic_load_explicit(&missing[d != NULL ? d->nr : SYSCALL_NR_END],
				    memory_order_relaxed);
}

void syscall_direct_set(uint64_t *set, uint32_t nbits)
{
	for (uint32_t nr = 0; nr < nbits; nr++) {
		const struct syscall_desc *d = syscall_lookup(nr);

		if (d != NULL && !d->frame)
			set[nr / 64] |= 1ULL << (nr % 64);
	}
}

void syscall_fast_kinds(uint8_t *kind, uint32_t n)
{
	for (uint32_t nr = 0; nr < n; nr++) {
		const struct syscall_desc *d = syscall_lookup(nr);

		if (d == NULL || d->nr != nr)
			continue;
		if (d->nargs > 0 && d->args[0].kind == ARG_KIND_path)
			kind[nr] = PLAT_FAST_PATH0;
		else if (d->nargs > 1 && d->args[1].kind == ARG_KIND_path)
			kind[nr] = PLAT_FAST_PATH1;
		else if (d->nargs > 2 && d->args[1].kind == ARG_KIND_buf_in)
			kind[nr] = PLAT_FAST_BUF1;
		if (nr <= 1 || nr == 17 || nr == 18) /* read, write, pread64, pwrite64 */
			kind[nr] |= PLAT_FAST_SMALL;
	}
}

static const char *name_of(uint64_t nr)
{
	const struct syscall_desc *d = syscall_lookup(nr);

	return d != NULL ? d->name : NULL;
}

const struct syscall_table *syscall_table(void)
{
	static const struct syscall_table table = {
		.dispatch = syscall_dispatch,
		.name = name_of,
		.trace_filter_new = trace_filter_new,
		.trace_filter_free = trace_filter_free,
		.trace_call_new = trace_call_new,
		.trace_call_free = trace_call_free,
		.trace_enter = trace_enter,
		.trace_exit = trace_exit,
		.trace_park = trace_park,
		.trace_break = trace_break,
		.trace_abandon = trace_abandon,
		.trace_siginfo = trace_siginfo,
		.trace_quote = trace_quote,
	};

	return &table;
}
