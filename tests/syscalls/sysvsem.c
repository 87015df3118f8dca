/* System V semaphores. */
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <time.h>

#include "tests/harness/guest.h"

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

union arg {
	int val;
	struct semid_ds *buf;
	unsigned short *array;
	struct seminfo *info;
};

static int set_of(int n)
{
	int id = semget(IPC_PRIVATE, n, 0600);

	CHECK(id >= 0);
	return id;
}

static void drop(int id)
{
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static int op1(int id, int num, int op, int flg)
{
	struct sembuf b = { (unsigned short)num, (short)op, (short)flg };

	return semop(id, &b, 1);
}

/* Until n tasks wait for the semaphore. */
static void await(int id, int num, int cmd, int n)
{
	while (semctl(id, num, cmd) != n)
		sched_yield();
}

CASE(semget_errors, "semget")
{
	key_t key = 0x5e300000 + getpid();
	int id;

	CHECK_ERR(semget(IPC_PRIVATE, -1, 0600), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(semget(IPC_PRIVATE, 32001, 0600), EINVAL);
	CHECK_ERR(semget(key, 1, 0600), ENOENT);
	id = semget(key, 3, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(semget(key, 0, 0), id);
	CHECK_EQ(semget(key, 3, 0), id);
	CHECK_ERR(semget(key, 4, 0), EINVAL);
	CHECK_EQ(guest_raw(SYS_semget, DIRTY(key), DIRTY(2), DIRTY(0600), 0, 0, 0), id);
	drop(id);
	CHECK_ERR(semget(key, 3, 0600), ENOENT);
}

CASE(values, "semctl,semop")
{
	unsigned short v[4] = { 1, 2, 3, 32767 }, got[4];
	union arg a = { .array = v };
	int id = set_of(4);

	CHECK_EQ(semctl(id, 0, SETALL, a), 0);
	a.array = got;
	CHECK_EQ(semctl(id, 0, GETALL, a), 0);
	CHECK(memcmp(v, got, sizeof(v)) == 0);
	CHECK_EQ(semctl(id, 2, GETVAL), 3);
	CHECK_EQ(semctl(id, 2, GETPID), getpid());
	a.val = 7;
	CHECK_EQ(semctl(id, 2, SETVAL, a), 0);
	CHECK_EQ(semctl(id, 2, GETVAL), 7);
	a.val = 32768;
	CHECK_ERR(semctl(id, 2, SETVAL, a), ERANGE);
	a.val = -1;
	CHECK_ERR(semctl(id, 99, SETVAL, a), ERANGE);
	a.val = 1;
	CHECK_ERR(semctl(id, 4, SETVAL, a), EINVAL);
	CHECK_ERR(semctl(id, -1, GETVAL), EINVAL);
	CHECK_ERR(semctl(id, 4, GETNCNT), EINVAL);
	CHECK_ERR(semctl(id, 0, 99), EINVAL);
	CHECK_ERR(semctl(-1, 0, GETVAL), EINVAL);
	CHECK_ERR(semctl(id + (1 << 15), 0, GETVAL), EINVAL);
	v[1] = 40000;
	a.array = v;
	CHECK_ERR(semctl(id, 0, SETALL, a), ERANGE);
	CHECK_EQ(semctl(id, 1, GETVAL), 2);
	a.array = (void *)8;
	CHECK_ERR(semctl(id, 0, SETALL, a), EFAULT);
	CHECK_ERR(semctl(id, 0, GETALL, a), EFAULT);
	CHECK_ERR(op1(id, 3, 1, 0), ERANGE);
	CHECK_EQ(semctl(id, 3, GETVAL), 32767);
	drop(id);
	CHECK_ERR(semctl(id, 0, GETVAL), EINVAL);
}

CASE(semop_errors, "semop,semtimedop")
{
	struct sembuf b[600] = { { 0, 1, 0 } };
	struct timespec bad = { 0, 1000000000 };
	int id = set_of(2);

	for (int i = 1; i < 600; i++)
		b[i].sem_num = 1;
	CHECK_ERR(semop(id, b, 0), EINVAL);
	CHECK_ERR(semop(-1, b, 1), EINVAL);
	CHECK_ERR(semop(-1, b, 501), E2BIG);
	CHECK_ERR(semop(-1, (void *)8, 1), EFAULT);
	CHECK_ERR(semop(id, b, 501), E2BIG);
	CHECK_EQ(semop(id, b, 500), 0);
	CHECK_ERR(op1(id, 2, 1, 0), EFBIG);
	CHECK_ERR(op1(id + (1 << 15), 7, 1, 0), EINVAL);
	CHECK_ERR(semtimedop(id, b, 1, &bad), EINVAL);
	CHECK_ERR(semtimedop(id, b, 1, (void *)8), EFAULT);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	CHECK_ERR(op1(id, 0, -2, IPC_NOWAIT), EAGAIN);
	CHECK_ERR(op1(id, 0, 0, IPC_NOWAIT), EAGAIN);
	CHECK_EQ(op1(id, 0, -1, IPC_NOWAIT), 0);
	CHECK_EQ(op1(id, 0, 0, IPC_NOWAIT), 0);
	drop(id);
	CHECK_ERR(op1(id, 0, 1, 0), EINVAL);
}

CASE(all_or_nothing, "semop")
{
	struct sembuf b[3] = { { 0, 1, 0 }, { 1, 2, 0 }, { 2, -1, IPC_NOWAIT } };
	struct sembuf same[3] = { { 0, 1, 0 }, { 0, -1, 0 }, { 0, 0, 0 } };
	struct sembuf over[2] = { { 0, 32767, 0 }, { 0, 1, 0 } };
	int id = set_of(3);

	CHECK_ERR(semop(id, b, 3), EAGAIN);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK_EQ(semctl(id, 1, GETVAL), 0);
	CHECK_EQ(semop(id, same, 3), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK_ERR(semop(id, over, 2), ERANGE);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	b[2].sem_op = 1;
	CHECK_EQ(semop(id, b, 3), 0);
	CHECK_EQ(semctl(id, 1, GETVAL), 2);
	drop(id);
}

CASE(timeout, "semtimedop")
{
	struct sembuf b = { 0, -1, 0 };
	struct timespec ts = { 0, 20000000 }, zero = { 0, 0 }, t0, t1;
	int id = set_of(1);

	clock_gettime(CLOCK_MONOTONIC, &t0);
	CHECK_ERR(semtimedop(id, &b, 1, &ts), EAGAIN);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	CHECK((t1.tv_sec - t0.tv_sec) * 1000000000L + t1.tv_nsec - t0.tv_nsec >= 20000000);
	CHECK_ERR(semtimedop(id, &b, 1, &zero), EAGAIN);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	CHECK_EQ(op1(id, 0, 1, 0), 0);
	CHECK_EQ(semtimedop(id, &b, 1, &zero), 0);
	drop(id);
}

CASE(wait_and_counts, "semop,semctl")
{
	int id = set_of(2), st;
	pid_t p[3];

	CHECK_EQ(op1(id, 1, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		p[i] = fork();
		if (p[i] == 0)
			_exit(op1(id, i < 2 ? 0 : 1, i < 2 ? -1 : 0, 0) ? 1 : 0);
	}
	await(id, 0, GETNCNT, 2);
	await(id, 1, GETZCNT, 1);
	CHECK_EQ(semctl(id, 0, GETZCNT), 0);
	CHECK_EQ(semctl(id, 1, GETNCNT), 0);
	CHECK_EQ(op1(id, 1, -1, 0), 0);
	CHECK_EQ(waitpid(p[2], &st, 0), p[2]);
	CHECK_EQ(st, 0);
	CHECK_EQ(op1(id, 0, 2, 0), 0);
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(waitpid(p[i], &st, 0), p[i]);
		CHECK_EQ(st, 0);
	}
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	CHECK(semctl(id, 0, GETPID) == p[0] || semctl(id, 0, GETPID) == p[1]);
	drop(id);
}

/* Which of the children that wait come through, oldest first. */
CASE(order, "semop")
{
	int id = set_of(2), pipefd[2];
	const int need[] = { -3, -1, -2 };
	char who[4] = "";

	CHECK_EQ(pipe(pipefd), 0);
	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			char c = (char)('a' + i);

			CHECK_EQ(op1(id, 0, need[i], 0), 0);
			CHECK_EQ(write(pipefd[1], &c, 1), 1);
			_exit(0);
		}
		await(id, 0, GETNCNT, i + 1);
	}
	CHECK_EQ(op1(id, 0, 2, 0), 0); /* a needs more; b takes one; c would need two */
	CHECK_EQ(read(pipefd[0], who, 1), 1);
	CHECK_EQ(who[0], 'b');
	CHECK_EQ(semctl(id, 0, GETNCNT), 2);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	CHECK_EQ(op1(id, 0, 2, 0), 0);
	CHECK_EQ(read(pipefd[0], who, 1), 1);
	CHECK_EQ(who[0], 'a');
	CHECK_EQ(op1(id, 0, 2, 0), 0);
	CHECK_EQ(read(pipefd[0], who, 1), 1);
	CHECK_EQ(who[0], 'c');
	while (wait(NULL) > 0)
		;
	drop(id);
}

/* A decrement to zero lets a waiter for zero change something else in the same step. */
CASE(chain, "semop")
{
	int id = set_of(3), st;

	CHECK_EQ(op1(id, 0, 1, 0), 0);
	if (fork() == 0) {
		struct sembuf b[2] = { { 0, 0, 0 }, { 1, 1, 0 } };

		_exit(semop(id, b, 2) ? 1 : 0);
	}
	await(id, 0, GETZCNT, 1);
	if (fork() == 0) {
		struct sembuf b[2] = { { 1, -1, 0 }, { 2, 1, 0 } };

		_exit(semop(id, b, 2) ? 1 : 0);
	}
	await(id, 1, GETNCNT, 1);
	CHECK_EQ(op1(id, 0, -1, 0), 0);
	CHECK_EQ(op1(id, 2, -1, IPC_NOWAIT), 0); /* all of it has happened already */
	CHECK(wait(&st) > 0 && st == 0);
	CHECK(wait(&st) > 0 && st == 0);
	drop(id);
}

CASE(removed, "semctl,semop")
{
	int id = set_of(1);
	pid_t p = fork();
	int st;

	if (p == 0)
		_exit(op1(id, 0, -1, SEM_UNDO) == -1 && errno == EIDRM ? 0 : 1);
	await(id, 0, GETNCNT, 1);
	drop(id);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
}

static void on_alarm(int sig)
{
	(void)sig;
}

CASE(interrupted, "semop,semtimedop")
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct sembuf b = { 0, -1, 0 };
	struct timespec ts = { 100, 0 };
	int id = set_of(1);

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 20000);
	CHECK_ERR(semop(id, &b, 1), EINTR); /* SA_RESTART does not count here */
	CHECK_ERR(semtimedop(id, &b, 1, &ts), EINTR);
	ualarm(0, 0);
	CHECK_EQ(semctl(id, 0, GETNCNT), 0);
	drop(id);
}

CASE(undo, "semop,exit")
{
	union arg a = { .val = 5 };
	int id = set_of(2);

	CHECK_EQ(semctl(id, 0, SETVAL, a), 0);
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(op1(id, 0, -3, SEM_UNDO), 0);
		CHECK_EQ(op1(id, 1, 2, SEM_UNDO), 0);
		CHECK_EQ(op1(id, 1, 1, 0), 0);
	}), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 5);
	CHECK_EQ(semctl(id, 1, GETVAL), 1);
	/* Setting a value forgets what is owed. */
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(op1(id, 0, -3, SEM_UNDO), 0);
		CHECK_EQ(semctl(id, 0, SETVAL, a), 0);
	}), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 5);
	/* Never below zero. */
	CHECK_EQ(IN_CHILD(CHECK_EQ(op1(id, 0, 10, SEM_UNDO), 0); op1(id, 0, -12, 0)), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	/* A fork does not hand it on, an exec keeps it. */
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(op1(id, 0, 1, SEM_UNDO), 0);
		CHECK_EQ(IN_CHILD((void)0), 0);
		CHECK_EQ(semctl(id, 0, GETVAL), 1);
	}), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 0);
	drop(id);
}

CASE(undo_wakes, "semop,exit")
{
	union arg a = { .val = 1 };
	int id = set_of(1), st;
	pid_t p, q;

	CHECK_EQ(semctl(id, 0, SETVAL, a), 0);
	p = fork();
	if (p == 0) {
		CHECK_EQ(op1(id, 0, -1, SEM_UNDO), 0);
		pause();
	}
	while (semctl(id, 0, GETVAL) != 0)
		sched_yield();
	q = fork();
	if (q == 0)
		_exit(op1(id, 0, -1, 0) ? 1 : 0);
	await(id, 0, GETNCNT, 1);
	kill(p, SIGKILL);
	CHECK_EQ(waitpid(q, &st, 0), q);
	CHECK_EQ(st, 0);
	CHECK_EQ(semctl(id, 0, GETPID), q);
	waitpid(p, NULL, 0);
	drop(id);
}

CASE(undo_range, "semop")
{
	int id = set_of(1);

	CHECK_EQ(op1(id, 0, 32767, SEM_UNDO), 0);
	CHECK_EQ(op1(id, 0, -32767, 0), 0);
	CHECK_EQ(op1(id, 0, 1, SEM_UNDO), 0); /* owes -32768, the most there is */
	CHECK_ERR(op1(id, 0, 1, SEM_UNDO), ERANGE);
	CHECK_EQ(semctl(id, 0, GETVAL), 1);
	drop(id);
}

static void *thread_take(void *arg)
{
	CHECK_EQ(op1((int)(intptr_t)arg, 0, -2, SEM_UNDO), 0);
	return NULL;
}

/* Threads share one list (CLONE_SYSVSEM): it is settled when the last one ends. */
CASE(undo_threads, "semop,clone")
{
	union arg a = { .val = 5 };
	int id = set_of(1);

	CHECK_EQ(semctl(id, 0, SETVAL, a), 0);
	CHECK_EQ(IN_CHILD({
		pthread_t t;

		CHECK_EQ(pthread_create(&t, NULL, thread_take, (void *)(intptr_t)id), 0);
		pthread_join(t, NULL);
		CHECK_EQ(semctl(id, 0, GETVAL), 3);
	}), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 5);
	drop(id);
}

static void *thread_unshare(void *arg)
{
	int id = (int)(intptr_t)arg;

	/* What the thread owes, the list of the process owes: it leaves that. */
	CHECK_EQ(op1(id, 0, -1, SEM_UNDO), 0);
	CHECK_EQ(unshare(CLONE_SYSVSEM), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 4);
	CHECK_EQ(op1(id, 0, -2, SEM_UNDO), 0);
	CHECK_EQ(unshare(CLONE_SYSVSEM), 0); /* nobody else has this list */
	CHECK_EQ(semctl(id, 0, GETVAL), 4);
	return NULL;
}

CASE(undo_unshare, "unshare,semop")
{
	union arg a = { .val = 5 };
	int id = set_of(1);

	CHECK_EQ(semctl(id, 0, SETVAL, a), 0);
	CHECK_EQ(IN_CHILD({
		pthread_t t;

		CHECK_EQ(op1(id, 0, -1, SEM_UNDO), 0);
		CHECK_EQ(op1(id, 0, 1, SEM_UNDO), 0);
		CHECK_EQ(pthread_create(&t, NULL, thread_unshare, (void *)(intptr_t)id), 0);
		pthread_join(t, NULL);
		CHECK_EQ(semctl(id, 0, GETVAL), 4);
	}), 0);
	CHECK_EQ(semctl(id, 0, GETVAL), 5);
	drop(id);
}

CASE(stat_and_set, "semctl")
{
	struct semid_ds ds;
	struct seminfo si;
	union arg a = { .buf = &ds };
	int id = set_of(3), top, found = 0;
	time_t before = time(NULL);

	CHECK_EQ(semctl(id, 0, IPC_STAT, a), 0);
	CHECK_EQ(ds.sem_nsems, 3);
	CHECK_EQ(ds.sem_perm.mode, 0600);
	CHECK_EQ(ds.sem_perm.cuid, getuid());
	CHECK_EQ(ds.sem_otime, 0);
	CHECK(ds.sem_ctime >= before - 1);
	CHECK_EQ(op1(id, 0, 1, 0), 0);
	CHECK_EQ(semctl(id, 0, IPC_STAT, a), 0);
	CHECK(ds.sem_otime >= before - 1);
	ds.sem_perm.mode = 07644;
	ds.sem_perm.uid = 12;
	ds.sem_perm.gid = 13;
	CHECK_EQ(semctl(id, 0, IPC_SET, a), 0);
	memset(&ds, 0xff, sizeof(ds));
	CHECK_EQ(semctl(id, 0, IPC_STAT, a), 0);
	CHECK_EQ(ds.sem_perm.mode, 0644);
	CHECK_EQ(ds.sem_perm.uid, 12);
	CHECK_EQ(ds.sem_perm.gid, 13);
	ds.sem_perm.uid = (uid_t)-1;
	CHECK_ERR(semctl(id, 0, IPC_SET, a), EINVAL);
	a.buf = (void *)8;
	CHECK_ERR(semctl(id, 0, IPC_STAT, a), EFAULT);
	CHECK_ERR(semctl(id, 0, IPC_SET, a), EFAULT);
	a.info = &si;
	top = semctl(0, 0, SEM_INFO, a);
	CHECK(top >= 0);
	CHECK(si.semusz >= 1 && si.semaem >= 3);
	CHECK_EQ(semctl(0, 0, IPC_INFO, a), top);
	CHECK_EQ(si.semvmx, 32767);
	CHECK_EQ(si.semaem, 32767);
	CHECK_EQ(si.semusz, 20);
	CHECK_EQ(si.semopm, 500);
	CHECK_EQ(si.semmsl, 32000);
	CHECK_EQ(si.semmnu, 1024000000);
	a.buf = &ds;
	for (int i = 0; i <= top; i++) {
		int r = semctl(i, 0, SEM_STAT, a);

		if (r == id)
			found = semctl(i, 0, SEM_STAT_ANY, a) == id && ds.sem_nsems == 3;
		else if (r < 0)
			CHECK(errno == EINVAL || errno == EACCES);
	}
	CHECK(found);
	drop(id);
}

CASE(permissions, "semctl,semop,semget")
{
	key_t key = 0x5e400000 + getpid();
	int id = semget(key, 1, IPC_CREAT | 0644);

	if (getuid() != 0)
		SKIP("needs root");
	CHECK_EQ(IN_CHILD({
		struct semid_ds ds;
		union arg a = { .buf = &ds };

		CHECK_EQ(setgid(1000), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_EQ(semctl(id, 0, IPC_STAT, a), 0);
		CHECK_EQ(semctl(id, 0, GETVAL), 0);
		CHECK_ERR(op1(id, 0, 1, 0), EACCES);
		CHECK_EQ(op1(id, 0, 0, 0), 0); /* looking only */
		a.val = 1;
		CHECK_ERR(semctl(id, 0, SETVAL, a), EACCES);
		CHECK_ERR(semctl(id, 0, IPC_RMID), EPERM);
		a.buf = &ds;
		CHECK_ERR(semctl(id, 0, IPC_SET, a), EPERM);
		CHECK_ERR(semget(key, 1, 0666), EACCES);
		CHECK_EQ(semget(key, 1, 0444), id);
	}), 0);
	drop(id);
}

/* Four processes, one counter under a semaphore. */
CASE(mutex_stress, "semop")
{
	int id = set_of(1), fd[2], v = 0, st;

	CHECK_EQ(pipe(fd), 0);
	CHECK_EQ(write(fd[1], &v, sizeof(v)), (long)sizeof(v));
	CHECK_EQ(op1(id, 0, 1, 0), 0);
	for (int i = 0; i < 4; i++) {
		if (fork())
			continue;
		for (int n = 0; n < 250; n++) {
			int x;

			CHECK_EQ(op1(id, 0, -1, SEM_UNDO), 0);
			fcntl(fd[0], F_SETFL, O_NONBLOCK);
			CHECK_EQ(read(fd[0], &x, sizeof(x)), (long)sizeof(x));
			x++;
			CHECK_EQ(write(fd[1], &x, sizeof(x)), (long)sizeof(x));
			CHECK_EQ(op1(id, 0, 1, SEM_UNDO), 0);
		}
		_exit(0);
	}
	while (wait(&st) > 0)
		CHECK_EQ(st, 0);
	CHECK_EQ(read(fd[0], &v, sizeof(v)), (long)sizeof(v));
	CHECK_EQ(v, 1000);
	drop(id);
}

CASE(proc_file, "semget")
{
	char line[256], want[64];
	int id = set_of(5), found = 0;
	FILE *f = fopen("/proc/sysvipc/sem", "r");

	CHECK(f);
	CHECK(fgets(line, sizeof(line), f));
	CHECK(strcmp(line, "       key      semid perms      nsems   uid   gid  cuid  cgid"
			   "      otime      ctime\n") == 0);
	snprintf(want, sizeof(want), "%10d %10d  %4o %10u", 0, id, 0600, 5);
	while (fgets(line, sizeof(line), f))
		found |= strncmp(line, want, strlen(want)) == 0;
	fclose(f);
	CHECK(found);
	drop(id);
}

MAIN()
