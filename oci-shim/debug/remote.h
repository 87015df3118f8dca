/* A guest process seen through the control channel: its maps, memory and mapped files.
 * Everything that comes from there was chosen by the guest. Used by one confined process
 * that ends when it is done; nothing is freed one by one. */
#ifndef OCI_SHIM_DEBUG_REMOTE_H
#define OCI_SHIM_DEBUG_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "sentry/control/control.h"

#define REMOTE_MAPS_MAX 8192u
#define REMOTE_PAGES 64u

struct remote_page {
	uint64_t addr;
	uint32_t len;		/* valid bytes; 0: unused */
	uint8_t data[4096];
};

struct elf_object;

struct remote {
	int sock;
	int tid;		/* whose address space it is */
	struct control_map *maps;
	unsigned nmaps;
	struct remote_page *pages;
	unsigned next_page;
	struct elf_object *objects; /* elf.c */
	unsigned nobjects;
};

/* For the address space of thread tid. 0, or -1: it is gone, or memory is short. */
int remote_open(struct remote *r, int sock, int tid);
void remote_close(struct remote *r);
/* All of len bytes of guest memory. */
bool remote_read(struct remote *r, uint64_t addr, void *buf, size_t len);
/* Bytes of the file mapped at addr; 0 at its end, -1. */
long remote_file(struct remote *r, uint64_t addr, uint64_t off, void *buf, size_t len);
/* The mapping that holds addr, or NULL. */
const struct control_map *remote_map(const struct remote *r, uint64_t addr);
/* Send a request. 0 or -1. */
int remote_ask(int sock, const struct control_req *rq);

/* ---- elf.c ---- */

/* Where the object that holds ip was loaded, and its unwind table. false: unknown. */
struct unwind_table {
	uint64_t start, end;	/* of the mapping */
	uint64_t hdr, table, count; /* .eh_frame_hdr, its search table, entries */
};
bool elf_unwind_table(struct remote *r, uint64_t ip, struct unwind_table *out);
/* From a table that elf_unwind_table() made itself. */
bool elf_read_made(const struct remote *r, uint64_t addr, void *buf, size_t len);
/* "name+0x12 (/lib/libc.so.6)" or "0x1234 (/lib/libc.so.6)" or "???". */
void elf_symbol(struct remote *r, uint64_t ip, char *out, size_t size);

/* ---- unwind.c ---- */

#define FRAMES_MAX 128u
/* Return addresses, innermost first: at least the first one. regs: struct plat_regs. */
unsigned unwind_stack(struct remote *r, const uint64_t regs[18], uint64_t ips[FRAMES_MAX]);

/* ---- report.c ---- */

/* One line per frame. */
void report_stack(FILE *out, struct remote *r, const uint64_t regs[18]);
/* All threads of the process (0: of all processes) with their stacks. 0 or -1: no such. */
int report_stacks(FILE *out, int sock, int pid);
/* What happened to a thread that is about to die. */
void report_crash(FILE *out, int sock, const struct control_crash *ev);
/* Give up everything but the socket and open files: what follows parses what a guest wrote.
 * 0 or -1. cpu: seconds this process may use from now on; 0: no limit. */
int report_confine(unsigned cpu);

#endif
