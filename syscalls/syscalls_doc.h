/*
 * The system-call table for people and programs: `runsc syscalls`.
 */
#ifndef SYSCALLS_SYSCALLS_DOC_H
#define SYSCALLS_SYSCALLS_DOC_H

#include <stdio.h>

/* format: "text", "md" (docs/compatibility.md) or "json". -LX_EINVAL for any
 * other, -LX_EIO if the stream has failed. */
int syscalls_print(FILE *out, const char *format);

#endif
