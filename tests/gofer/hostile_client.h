/* The hostile client's tools: a gofer over a directory full of traps, requests that are
 * watched for answers, and the count of what held. */
#ifndef TESTS_GOFER_HOSTILE_CLIENT_H
#define TESTS_GOFER_HOSTILE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "gofer/proto/proto.h"

/* A served gofer: its process and our end of the socket. */
struct gofer {
	int sock;
	pid_t pid;
	uint32_t seq;
	bool hung_up;
};

/* The gofer has no fds_dir. */
extern bool by_name;
extern char top[];	/* the directory that holds everything */
extern struct stat secret; /* the file outside that must stay out of reach */

/* One more check; the name is printed when it failed. */
void check(bool ok, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For checks made by the thousand: only failures count and show, each kind once. */
void require(bool ok, const char *what);
/* The sum of require() since the last call, as one check. */
void check_required(const char *name);
int report(void); /* prints "N passed, N failed"; the exit status */

void make_tree(void);
void remove_tree(void);

/* nofile: the gofer's RLIMIT_NOFILE (0: as it is). */
struct gofer start(unsigned nofile);
/* Hang up; the process must end by itself, with status 0. */
void stop(struct gofer *g, const char *name);
/* As it was before: start anew if the gofer has hung up (which it may). */
void renew(struct gofer *g, const char *name);

/* Send bytes as they are. false: the gofer has hung up. */
bool send_raw(struct gofer *g, const void *buf, size_t len);
/* An answer within 5 seconds, or a hang-up: bytes, 0. *fd: donated (or -1). Others that came
 * are looked at and closed; ncame is how many there were in all. */
extern unsigned ncame;
ssize_t receive(struct gofer *g, void *buf, size_t size, int *fd);
/* A donated descriptor must be a regular file, not the secret, and of no more access. */
void check_fd(int fd, bool may_write);
void check_attr(const struct gofer_attr *a);

/* A well-formed request and its reply. -EPIPE: hung up. */
#define GREC(name, fields)
#define GMSG(num, NAME, name, req, rep)                                         \
	int do_##name(struct gofer *g, const struct gofer_##name##_req *q,      \
		      struct gofer_##name##_rep *p, int *fd);
#include "gofer/proto/messages.def"
#undef GREC
#undef GMSG

uint32_t attach(struct gofer *g, uint32_t index);
/* Walk one name: the node, or 0 with *err. */
uint32_t walk1(struct gofer *g, uint32_t dir, const char *name, struct gofer_attr *a, int *err);
/* Encode a random request of operation op into buf; plausible unless the dice say not. */
size_t random_request(uint32_t op, uint32_t seq, uint8_t *buf, size_t size);
uint32_t rnd(uint32_t below);
void rnd_seed(uint64_t seed);
/* Node ids that random requests use besides random ones. */
extern uint32_t pool[256];
extern unsigned npool;
int count_fds(pid_t pid);

/* ---- hostile_ahead.c ---- */
void test_ahead(void);

/* ---- hostile_open.c ---- */
void test_opens(void);

/* ---- hostile_channel.c ---- */
void test_channel(void);

#endif
