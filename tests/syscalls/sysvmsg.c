/* System V message queues. */
#include <sched.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#include "tests/harness/guest.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef MSG_STAT_ANY
#define MSG_STAT_ANY 13
#endif

struct m {
	long type;
	char text[8192];
};

static int queue(void)
{
	int id = msgget(IPC_PRIVATE, 0600);

	CHECK(id >= 0);
	return id;
}

static void drop(int id)
{
	CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

static int put(int id, long type, const char *text, int flg)
{
	struct m m = { .type = type };

	strcpy(m.text, text);
	return msgsnd(id, &m, strlen(text), flg);
}

/* The next message of a type is this one. */
static void expect(int id, long type, int flg, long want, const char *text)
{
	struct m m;
	long n = msgrcv(id, &m, sizeof(m.text), type, flg | IPC_NOWAIT);

	CHECK_EQ(n, (long)strlen(text));
	CHECK_EQ(m.type, want);
	CHECK(memcmp(m.text, text, (size_t)n) == 0);
}

static unsigned long count(int id)
{
	struct msqid_ds ds;

	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	return ds.msg_qnum;
}

/* Until child p sleeps. */
static void asleep(pid_t p)
{
	char path[64], buf[256], *s;

	snprintf(path, sizeof(path), "/proc/%d/stat", p);
	for (;;) {
		FILE *f = fopen(path, "r");

		CHECK(f);
		CHECK(fgets(buf, sizeof(buf), f));
		fclose(f);
		s = strrchr(buf, ')');
		if (s && s[2] == 'S')
			return;
		sched_yield();
	}
}

CASE(msgget_errors, "msgget")
{
	key_t key = 0x35600000 + getpid();
	int id;

	CHECK_ERR(msgget(key, 0600), ENOENT);
	id = msgget(key, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(msgget(key, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(msgget(key, 0), id);
	drop(id);
	CHECK_ERR(msgget(key, 0), ENOENT);
}

CASE(send_errors, "msgsnd")
{
	struct m m = { .type = 1 };
	int id = queue();

	CHECK_ERR(msgsnd(id, &m, 8193, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &m, (size_t)-1, 0), EINVAL);
	CHECK_ERR(msgsnd(-1, &m, 1, 0), EINVAL);
	m.type = 0;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = -4;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, (void *)8, 1, 0), EFAULT);
	CHECK_ERR(msgsnd(-1, (void *)8, 1, 0), EFAULT);
	m.type = 1;
	CHECK_ERR(msgsnd(id + (1 << 15), &m, 1, 0), EINVAL);
	CHECK_EQ(msgsnd(id, &m, 0, 0), 0);
	CHECK_EQ(count(id), 1);
	drop(id);
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
}

CASE(types, "msgsnd,msgrcv")
{
	int id = queue();

	CHECK_EQ(put(id, 5, "five", 0), 0);
	CHECK_EQ(put(id, 3, "three", 0), 0);
	CHECK_EQ(put(id, 9, "nine", 0), 0);
	CHECK_EQ(put(id, 3, "again", 0), 0);
	CHECK_EQ(put(id, 1, "one", 0), 0);
	expect(id, 3, 0, 3, "three");
	expect(id, -4, 0, 1, "one");
	expect(id, -4, 0, 3, "again");
	CHECK_ERR(msgrcv(id, &(struct m){ 0 }, 10, -4, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &(struct m){ 0 }, 10, 7, IPC_NOWAIT), ENOMSG);
	expect(id, 5, MSG_EXCEPT, 9, "nine");
	expect(id, 0, 0, 5, "five");
	CHECK_ERR(msgrcv(id, &(struct m){ 0 }, 10, 0, IPC_NOWAIT), ENOMSG);
	CHECK_EQ(put(id, 7, "min", 0), 0);
	expect(id, (long)(1UL << 63), 0, 7, "min");
	drop(id);
}

CASE(too_big, "msgrcv")
{
	struct m m = { 0 };
	int id = queue();

	CHECK_EQ(put(id, 2, "0123456789", 0), 0);
	CHECK_ERR(msgrcv(id, &m, 4, 0, 0), E2BIG);
	CHECK_EQ(count(id), 1);
	CHECK_ERR(msgrcv(id, &m, (size_t)-1, 0, 0), EINVAL);
	CHECK_EQ(msgrcv(id, &m, 4, 0, MSG_NOERROR), 4);
	CHECK(memcmp(m.text, "0123", 5) == 0);
	CHECK_EQ(count(id), 0);
	CHECK_EQ(put(id, 2, "x", 0), 0);
	CHECK_ERR(msgrcv(id, (void *)8, 4, 0, 0), EFAULT);
	CHECK_EQ(count(id), 0); /* and it is gone */
	drop(id);
}

CASE(copy, "msgrcv")
{
	struct m m = { 0 };
	int id = queue();

	CHECK_EQ(put(id, 4, "first", 0), 0);
	CHECK_EQ(put(id, 2, "second", 0), 0);
	CHECK_ERR(msgrcv(id, &m, 100, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &m, 100, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
	CHECK_EQ(msgrcv(id, &m, 100, 1, MSG_COPY | IPC_NOWAIT), 6);
	CHECK_EQ(m.type, 2);
	CHECK(memcmp(m.text, "second", 6) == 0);
	CHECK_EQ(msgrcv(id, &m, 100, 0, MSG_COPY | IPC_NOWAIT), 5);
	CHECK_EQ(m.type, 4);
	CHECK_ERR(msgrcv(id, &m, 100, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, 3, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERR(msgrcv(id, &m, 3, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
	CHECK_ERR(msgrcv(id, (void *)8, 100, 0, MSG_COPY | IPC_NOWAIT), EFAULT);
	CHECK_EQ(count(id), 2);
	drop(id);
}

CASE(receiver_waits, "msgsnd,msgrcv")
{
	int id = queue(), st;
	pid_t p = fork();

	if (p == 0) {
		struct m m;

		CHECK_EQ(msgrcv(id, &m, sizeof(m.text), 6, 0), 3);
		CHECK(m.type == 6 && memcmp(m.text, "six", 3) == 0);
		_exit(0);
	}
	asleep(p);
	CHECK_EQ(put(id, 5, "other", 0), 0);
	CHECK_EQ(put(id, 6, "six", 0), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK_EQ(count(id), 1);
	drop(id);
}

/* A waiting receiver with too small a buffer fails, and the message stays. */
CASE(receiver_too_small, "msgsnd,msgrcv")
{
	int id = queue(), st;
	pid_t p = fork();

	if (p == 0) {
		struct m m;

		CHECK_ERR(msgrcv(id, &m, 2, 0, 0), E2BIG);
		_exit(0);
	}
	asleep(p);
	CHECK_EQ(put(id, 5, "long one", 0), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK_EQ(count(id), 1);
	drop(id);
}

CASE(full, "msgsnd,msgrcv")
{
	static struct m m = { .type = 1 };
	int id = queue(), st;
	pid_t p;

	CHECK_EQ(msgsnd(id, &m, 8192, 0), 0);
	CHECK_EQ(msgsnd(id, &m, 8192, 0), 0);
	CHECK_ERR(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
	CHECK_EQ(msgsnd(id, &m, 0, IPC_NOWAIT), 0);
	p = fork();
	if (p == 0) {
		m.type = 2;
		_exit(msgsnd(id, &m, 100, 0) ? 1 : 0);
	}
	asleep(p);
	CHECK_EQ(count(id), 3);
	CHECK_EQ(msgrcv(id, &m, 8192, 0, 0), 8192);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK_EQ(msgrcv(id, &m, 8192, 2, IPC_NOWAIT), 100);
	drop(id);
}

CASE(removed, "msgctl,msgrcv,msgsnd")
{
	static struct m m = { .type = 1 };
	int id = queue(), st;
	pid_t p = fork();

	if (p == 0)
		_exit(msgrcv(id, &m, 10, 5, 0) == -1 && errno == EIDRM ? 0 : 1);
	asleep(p);
	drop(id);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	id = queue();
	CHECK_EQ(msgsnd(id, &m, 8192, 0), 0);
	CHECK_EQ(msgsnd(id, &m, 8192, 0), 0);
	p = fork();
	if (p == 0)
		_exit(msgsnd(id, &m, 10, 0) == -1 && errno == EIDRM ? 0 : 1);
	asleep(p);
	drop(id);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
}

static volatile int alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

CASE(interrupted, "msgrcv,msgsnd")
{
	static struct m m = { .type = 1 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	int id = queue();

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 20000);
	CHECK_ERR(msgrcv(id, &m, 10, 0, 0), EINTR);
	CHECK_EQ(msgsnd(id, &m, 8192, 0), 0);
	CHECK_EQ(msgsnd(id, &m, 8192, 0), 0);
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINTR);
	ualarm(0, 0);
	CHECK_EQ(count(id), 2);
	drop(id);
}

CASE(stat_and_set, "msgctl")
{
	struct msqid_ds ds;
	struct msginfo mi;
	int id = queue(), top, found = 0;

	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.msg_qbytes, 16384);
	CHECK_EQ(ds.msg_lspid, 0);
	CHECK_EQ(ds.msg_stime, 0);
	CHECK_EQ(put(id, 1, "abcdef", 0), 0);
	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.msg_lspid, getpid());
	CHECK_EQ(ds.__msg_cbytes, 6);
	CHECK(ds.msg_stime > 0);
	expect(id, 0, 0, 1, "abcdef");
	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.msg_lrpid, getpid());
	CHECK_EQ(ds.msg_qnum, 0);
	ds.msg_qbytes = 3;
	ds.msg_perm.mode = 0640;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	CHECK_ERR(put(id, 1, "abcdef", IPC_NOWAIT), EAGAIN);
	CHECK_EQ(put(id, 1, "", IPC_NOWAIT), 0);
	CHECK_EQ(put(id, 1, "", IPC_NOWAIT), 0);
	CHECK_EQ(put(id, 1, "", IPC_NOWAIT), 0);
	CHECK_ERR(put(id, 1, "", IPC_NOWAIT), EAGAIN); /* no more messages than bytes */
	CHECK_ERR(msgctl(id, 99, &ds), EINVAL);
	CHECK_ERR(msgctl(id, -1, &ds), EINVAL);
	CHECK_ERR(msgctl(id, IPC_STAT, (void *)8), EFAULT);
	CHECK_ERR(msgctl(-1, IPC_SET, (void *)8), EINVAL);
	CHECK_ERR(msgctl(id + (1 << 15), IPC_SET, (void *)8), EFAULT);
	top = msgctl(0, MSG_INFO, (void *)&mi);
	CHECK(top >= 0);
	CHECK(mi.msgpool >= 1 && mi.msgmap >= 3);
	CHECK_EQ(msgctl(0, IPC_INFO, (void *)&mi), top);
	CHECK_EQ(mi.msgmax, 8192);
	CHECK_EQ(mi.msgmnb, 16384);
	CHECK_EQ(mi.msgssz, 16);
	CHECK_EQ(mi.msgpool, 512000);
	CHECK_EQ(mi.msgseg, 0xffff);
	for (int i = 0; i <= top; i++)
		if (msgctl(i, MSG_STAT, &ds) == id)
			found = msgctl(i, MSG_STAT_ANY, &ds) == id && ds.msg_qnum == 3;
	CHECK(found);
	drop(id);
}

/* A waiting sender goes on when the limit is raised. */
CASE(limit_raised, "msgctl,msgsnd")
{
	struct msqid_ds ds;
	int id = queue(), st;
	pid_t p;

	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	ds.msg_qbytes = 2;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	p = fork();
	if (p == 0)
		_exit(put(id, 1, "abc", 0) ? 1 : 0);
	asleep(p);
	ds.msg_qbytes = 3;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	drop(id);
}

CASE(permissions, "msgget,msgsnd,msgrcv,msgctl")
{
	key_t key = 0x35700000 + getpid();
	int id = msgget(key, IPC_CREAT | 0622);

	if (getuid() != 0)
		SKIP("needs root");
	CHECK_EQ(IN_CHILD({
		struct msqid_ds ds = { 0 };
		struct m m;

		CHECK_EQ(setgid(1000), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_EQ(put(id, 1, "in", 0), 0);
		CHECK_ERR(msgrcv(id, &m, 10, 0, 0), EACCES);
		CHECK_ERR(msgctl(id, IPC_STAT, &ds), EACCES);
		CHECK_ERR(msgctl(id, IPC_RMID, NULL), EPERM);
		CHECK_ERR(msgctl(id, IPC_SET, &ds), EPERM);
		CHECK_ERR(msgget(key, 0444), EACCES);
		id = msgget(IPC_PRIVATE, 0600);
		CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
		ds.msg_qbytes = 20000;
		CHECK_ERR(msgctl(id, IPC_SET, &ds), EPERM);
		ds.msg_qbytes = 10000;
		CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
		drop(id);
	}), 0);
	drop(id);
}

CASE(ping_pong, "msgsnd,msgrcv")
{
	int id = queue(), st;
	pid_t p = fork();
	struct m m = { .type = 1 };

	if (p == 0) {
		for (int i = 0; i < 500; i++) {
			CHECK_EQ(msgrcv(id, &m, sizeof(m.text), 1, 0), 4);
			m.type = 2;
			CHECK_EQ(msgsnd(id, &m, 4, 0), 0);
		}
		_exit(0);
	}
	for (int i = 0; i < 500; i++) {
		m.type = 1;
		memcpy(m.text, &i, 4);
		CHECK_EQ(msgsnd(id, &m, 4, 0), 0);
		CHECK_EQ(msgrcv(id, &m, sizeof(m.text), 2, 0), 4);
		CHECK(memcmp(m.text, &i, 4) == 0);
	}
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	drop(id);
}

CASE(proc_file, "msgget")
{
	char line[256], want[96];
	int id = queue(), found = 0;
	FILE *f;

	CHECK_EQ(put(id, 1, "abc", 0), 0);
	f = fopen("/proc/sysvipc/msg", "r");
	CHECK(f);
	CHECK(fgets(line, sizeof(line), f));
	CHECK(strstr(line, "msqid perms      cbytes       qnum lspid lrpid"));
	snprintf(want, sizeof(want), "%10d %10d  %4o  %10u %10u %5u %5u", 0, id, 0600, 3, 1,
		 (unsigned)getpid(), 0);
	while (fgets(line, sizeof(line), f))
		found |= strncmp(line, want, strlen(want)) == 0;
	fclose(f);
	CHECK(found);
	drop(id);
}

static int sysctl_put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY), r;

	if (fd < 0)
		return -1;
	r = (int)write(fd, text, strlen(text));
	close(fd);
	return r > 0 ? 0 : -1;
}

CASE(limits, "msgget,msgsnd,semget,semop")
{
	struct m m = { .type = 1 };
	int id = queue();

	if (access("/proc/sys/kernel/msgmax", W_OK))
		SKIP("settings cannot be written");
	CHECK_EQ(sysctl_put("/proc/sys/kernel/msgmax", "100\n"), 0);
	CHECK_ERR(msgsnd(id, &m, 101, 0), EINVAL);
	CHECK_EQ(msgsnd(id, &m, 100, 0), 0);
	CHECK_EQ(sysctl_put("/proc/sys/kernel/msgmax", "8192\n"), 0);
	CHECK_EQ(sysctl_put("/proc/sys/kernel/msgmni", "0\n"), 0);
	CHECK_ERR(msgget(IPC_PRIVATE, 0600), ENOSPC);
	CHECK_ERR(sysctl_put("/proc/sys/kernel/msgmni", "32769\n"), EINVAL);
	CHECK_EQ(sysctl_put("/proc/sys/kernel/msgmni", "32000\n"), 0);
	drop(id);
}

MAIN()
