/*
 * The system-call table at run time, as made from syscall.def.
 */
#ifndef SYSCALLS_TABLE_H
#define SYSCALLS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "syscalls/abi/syscall_table.h"
#include "syscalls/syscall_kinds.h"

/* One past the highest number. Numbers between have gaps. */
#define SYSCALL_NR_END 470u

enum syscall_level {
	SYSCALL_LEVEL_FULL,
	SYSCALL_LEVEL_PARTIAL,
	SYSCALL_LEVEL_NONE,
};

struct syscall_arg {
	enum arg_kind kind;
	const char *name;
};

struct syscall_desc {
	uint32_t nr;
	uint32_t nargs;
	bool frame;		/* intercepted with all registers: see syscall.def */
	enum syscall_level level;
	int error;		/* LEVEL_NONE: what it gives, positive */
	const char *error_name; /* LEVEL_NONE: "ENOSYS" */
	const char *name;
	const char *note;
	const struct syscall_arg *args;
	/* Narrows the registers and calls the handler; NULL for LEVEL_NONE. */
	long (*call)(struct task *t, const uint64_t regs[6]);
};

struct arg_kind_info {
	const char *name;
	enum arg_class class;
	enum arg_dir dir;
	uint32_t size;
};

/* NULL for a number that Linux does not know. Only the low 32 bits count, as in Linux. */
const struct syscall_desc *syscall_lookup(uint64_t nr);
/* NULL for an unknown name. */
const struct syscall_desc *syscall_lookup_name(const char *name);
const struct arg_kind_info *arg_kind_info(enum arg_kind kind);

/* Runs one call; the results are those of struct syscall_table. */
long syscall_dispatch(struct task *t, uint64_t nr, const uint64_t args[6]);
/* How often a call without a handler was made; unknown numbers share one counter. */
uint64_t syscall_missing_count(uint64_t nr);

/* The numbers whose rows do not say FRAME, as plat_config.direct wants them. */
void syscall_direct_set(uint64_t *set, uint32_t nbits);

/* What calls bring along, as plat_config.fast_kind wants it. */
void syscall_fast_kinds(uint8_t *kind, uint32_t n);

/* For the kernel at boot; static. */
const struct syscall_table *syscall_table(void);

#endif
