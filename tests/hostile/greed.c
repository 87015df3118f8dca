/* A guest that takes all it can get: descriptors of every kind, threads, processes,
 * memory. The sandbox may refuse with the errors that Linux has for it and must be as
 * good as new when all is given back.
 *
 * usage: greed   prints "ok NAME"/"FAIL NAME" lines */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY_FDS 30000
#define MANY_THREADS 2500
#define MANY_PROCESSES 1000

static void report(const char *name, int good, const char *what, long got, int err)
{
	printf("%s greed/%s", good ? "ok" : "FAIL", name);
	if (!good)
		printf(": %s %ld: %s", what, got, strerror(err));
	putchar('\n');
}

/* ---- descriptors ---- */

static int get_file(void)
{
	return open("/proc/self/exe", O_RDONLY);
}
static int get_temp(void)
{
	return open("/tmp", O_TMPFILE | O_RDWR, 0600);
}
static int get_memfd(void)
{
	int fd = memfd_create("greed", 0);

	if (fd >= 0 && write(fd, "x", 1) != 1) {
		int err = errno;

		close(fd);
		errno = err;
		return -1;
	}
	return fd;
}
static int get_event(void)
{
	return eventfd(0, 0);
}
static int get_epoll(void)
{
	return epoll_create1(0);
}
static int get_timer(void)
{
	return timerfd_create(CLOCK_MONOTONIC, 0);
}
static int get_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}
static int get_inet(void)
{
	return socket(AF_INET, SOCK_DGRAM, 0);
}
static int get_directory(void)
{
	return open("/", O_RDONLY | O_DIRECTORY);
}

static void descriptors(const char *name, int (*get)(void))
{
	int first = -1, n, err = 0, again;

	for (n = 0; n < MANY_FDS; n++) {
		int fd = get();

		if (fd < 0) {
			err = errno;
			break;
		}
		if (first < 0)
			first = fd;
	}
	for (int i = 0; first >= 0 && i < n; i++)
		close(first + i);
	again = get();
	report(name,
	       n > 500 && again >= 0 &&
		       (n == MANY_FDS || err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS),
	       "opened", n, again < 0 ? errno : err);
	if (again >= 0)
		close(again);
}

/* ---- threads and processes ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_gate(void *arg)
{
	pthread_mutex_lock(&gate);
	pthread_mutex_unlock(&gate);
	return arg;
}

static void threads(void)
{
	static pthread_t t[MANY_THREADS];
	pthread_attr_t a;
	int n, err = 0;
	pthread_t one;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 16384);
	pthread_mutex_lock(&gate);
	for (n = 0; n < MANY_THREADS; n++) {
		err = pthread_create(&t[n], &a, wait_at_gate, NULL);
		if (err)
			break;
	}
	pthread_mutex_unlock(&gate);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	report("threads", n > 500 && (n == MANY_THREADS || err == EAGAIN), "made", n, err);
	err = pthread_create(&one, NULL, wait_at_gate, NULL);
	if (!err)
		pthread_join(one, NULL);
	report("thread-afterwards", !err, "made", 0, err);
}

static void processes(void)
{
	int n, err = 0, p[2], gone = 0;

	if (pipe(p) < 0)
		return;
	for (n = 0; n < MANY_PROCESSES; n++) {
		pid_t c = fork();
		char b;

		if (c == 0) {
			close(p[1]);
			_exit(read(p[0], &b, 1) == 0 ? 0 : 1);
		}
		if (c < 0) {
			err = errno;
			break;
		}
	}
	close(p[1]);
	close(p[0]);
	for (int st; waitpid(-1, &st, 0) > 0;)
		gone += WIFEXITED(st) && WEXITSTATUS(st) == 0;
	report("processes", gone == n && n > 100 && (n == MANY_PROCESSES || err == EAGAIN || err == ENOMEM),
	       "made", n, err);
}

/* ---- sizes ---- */

static void sizes(void)
{
	static struct iovec iov[1025];
	volatile size_t huge = (size_t)1 << 62;
	void *volatile nowhere = (void *)1;
	char *m;
	int fd, p[2], bad = 0;

	/* Each must be refused or cut down, none may be believed. */
	fd = memfd_create("sizes", 0);
	bad += fallocate(fd, 0, 0, 0x7fffffffffff0000) == 0;
	bad += ftruncate(fd, 0x7fffffffffffffff) != 0 && errno != EFBIG && errno != EINVAL;
	m = mmap(NULL, huge, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bad += m != MAP_FAILED;
	bad += read(fd, nowhere, huge) > 0;
	for (int i = 0; i < 1025; i++)
		iov[i] = (struct iovec){ (void *)(uintptr_t)(0x1000 * i), 0x7ffff000 };
	bad += readv(fd, iov, 1024) > 0;
	bad += writev(fd, iov, 1025) != -1;
	if (pipe(p) == 0) {
		bad += fcntl(p[0], F_SETPIPE_SZ, 0x7fffffff) > (64 << 20);
		bad += fcntl(p[0], F_SETPIPE_SZ, 0x80000001) >= 0;
		close(p[0]);
		close(p[1]);
	}
	close(fd);
	report("sizes", !bad, "believed", bad, 0);
}

/* ---- IPC ---- */

static int refused(int err)
{
	return err == ENOSPC || err == ENOMEM || err == EMFILE || err == EAGAIN;
}

/* Semaphores, each set with all that Linux allows, and a debt to each. */
static void semaphores(void)
{
	static int id[40000];
	struct sembuf b = { 0, 1, SEM_UNDO };
	int n = 0, err;

	while (n < 40000 && (id[n] = semget(IPC_PRIVATE, 32000, 0600)) >= 0)
		if (semop(id[n++], &b, 1))
			break;
	err = errno;
	report("semaphores", n > 100 && refused(err), "sets", n, err);
	while (n > 0)
		semctl(id[--n], 0, IPC_RMID);
	n = semget(IPC_PRIVATE, 32000, 0600);
	report("semaphores-again", n >= 0 && semctl(n, 0, IPC_RMID) == 0, "set", n, errno);
}

static void messages(void)
{
	static int id[40000];
	static struct {
		long type;
		char text[8000];
	} m = { 1, "" };
	int n = 0, err = 0;

	while (n < 40000 && !err && (id[n] = msgget(IPC_PRIVATE, 0600)) >= 0) {
		n++;
		while (msgsnd(id[n - 1], &m, sizeof(m.text), IPC_NOWAIT) == 0)
			;
		if (errno != EAGAIN)
			err = errno;
	}
	report("messages", n > 10 && refused(err ? err : errno), "queues", n, err);
	while (n > 0)
		msgctl(id[--n], IPC_RMID, NULL);
	n = msgget(IPC_PRIVATE, 0600);
	report("messages-again", n >= 0 && !msgsnd(n, &m, 0, 0) && !msgctl(n, IPC_RMID, NULL),
	       "queue", n, errno);
}

static void posix_queues(void)
{
	struct mq_attr a = { .mq_maxmsg = 10, .mq_msgsize = 8192 };
	char name[32];
	int n = 0, err;

	for (;; n++) {
		mqd_t q;

		snprintf(name, sizeof(name), "/greed%d", n);
		q = n < 30000 ? mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0600, &a) : -1;
		if (q < 0)
			break;
		while (mq_send(q, name, 8, 1) == 0 && n == 0)
			if (!mq_getattr(q, &a) && a.mq_curmsgs == a.mq_maxmsg)
				break;
		mq_close(q);
	}
	err = errno;
	report("posix-queues", n > 5 && refused(err), "queues", n, err);
	while (n > 0) {
		snprintf(name, sizeof(name), "/greed%d", --n);
		mq_unlink(name);
	}
	n = mq_open("/greed", O_CREAT | O_RDWR, 0600, &a);
	report("posix-queues-again", n >= 0 && !mq_unlink("/greed"), "queue", n, errno);
}

int main(void)
{
	static const struct {
		const char *name;
		int (*get)(void);
	} kinds[] = {
		{ "host-files", get_file },    { "temporary-files", get_temp }, { "memfds", get_memfd },
		{ "eventfds", get_event },     { "epolls", get_epoll },	      { "timerfds", get_timer },
		{ "unix-sockets", get_unix },  { "inet-sockets", get_inet },   { "directories", get_directory },
	};
	struct rlimit r = { 1 << 20, 1 << 20 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	setrlimit(RLIMIT_NOFILE, &r);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		descriptors(kinds[i].name, kinds[i].get);
	threads();
	processes();
	sizes();
	semaphores();
	messages();
	posix_queues();
	return 0;
}
