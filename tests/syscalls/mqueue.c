/* POSIX message queues. */
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include "tests/harness/guest.h"

static char qname[64];

static mqd_t make(int flags, long maxmsg, long msgsize)
{
	struct mq_attr a = { .mq_maxmsg = maxmsg, .mq_msgsize = msgsize };
	mqd_t q;

	snprintf(qname, sizeof(qname), "/guest.%d", getpid());
	q = mq_open(qname, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a);
	CHECK(q >= 0);
	return q;
}

static void drop(mqd_t q)
{
	CHECK_EQ(mq_close(q), 0);
	CHECK_EQ(mq_unlink(qname), 0);
}

static struct timespec real_plus(long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec += ms * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

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

CASE(open_errors, "mq_open,mq_unlink")
{
	struct mq_attr a = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	char longname[300];
	mqd_t q;

	CHECK_ERR(syscall(SYS_mq_open, "guest.none", O_RDWR, 0, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "/a", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, (char *)8, O_RDWR, 0, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, (void *)8), EFAULT);
	memset(longname, 'a', 299);
	longname[299] = 0;
	CHECK_ERR(syscall(SYS_mq_open, longname, O_RDWR, 0, NULL), ENAMETOOLONG);
	a.mq_maxmsg = 0;
	CHECK_ERR(mq_open("/guest.bad", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = 4;
	a.mq_msgsize = -1;
	CHECK_ERR(mq_open("/guest.bad", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	a.mq_maxmsg = 65537;
	a.mq_msgsize = 1;
	CHECK_ERR(mq_open("/guest.bad", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	q = make(0, 4, 16);
	CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(mq_open(qname, O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
	CHECK_ERR(syscall(SYS_mq_open, qname + 1, O_ACCMODE, 0, NULL), EINVAL);
	drop(q);
	CHECK_ERR(mq_unlink(qname), ENOENT);
	CHECK_ERR(syscall(SYS_mq_unlink, "."), EACCES);
}

CASE(priorities, "mq_timedsend,mq_timedreceive")
{
	mqd_t q = make(0, 5, 16);
	const char *text[] = { "low", "high", "mid", "high2", "" };
	const unsigned prio[] = { 0, 32767, 5, 32767, 5 };
	const int order[] = { 1, 3, 2, 4, 0 };
	char buf[16];
	unsigned p;

	for (int i = 0; i < 5; i++)
		CHECK_EQ(mq_send(q, text[i], strlen(text[i]), prio[i]), 0);
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(mq_receive(q, buf, 16, &p), (long)strlen(text[order[i]]));
		CHECK_EQ(p, prio[order[i]]);
		CHECK(memcmp(buf, text[order[i]], strlen(text[order[i]])) == 0);
	}
	drop(q);
}

CASE(send_errors, "mq_timedsend,mq_timedreceive")
{
	struct timespec bad = { 0, -1 }, past = { 1, 0 };
	mqd_t q = make(O_NONBLOCK, 1, 8), rd = mq_open(qname, O_RDONLY),
	      wr = mq_open(qname, O_WRONLY);
	char buf[8];

	CHECK(rd >= 0 && wr >= 0);
	CHECK_ERR(mq_send(q, buf, 9, 0), EMSGSIZE);
	CHECK_ERR(mq_send(q, buf, 8, 32768), EINVAL);
	CHECK_ERR(mq_send(rd, buf, 8, 0), EBADF);
	CHECK_ERR(mq_send(1, buf, 8, 0), EBADF);
	CHECK_ERR(mq_send(99, buf, 8, 0), EBADF);
	CHECK_ERR(mq_send(q, (char *)8, 8, 0), EFAULT);
	CHECK_ERR(mq_timedsend(q, buf, 8, 0, &bad), EINVAL);
	CHECK_ERR(mq_receive(q, buf, 7, NULL), EMSGSIZE);
	CHECK_ERR(mq_receive(wr, buf, 8, NULL), EBADF);
	CHECK_ERR(mq_receive(q, buf, 8, NULL), EAGAIN);
	CHECK_ERR(mq_timedreceive(rd, buf, 8, NULL, &past), ETIMEDOUT);
	CHECK_EQ(mq_timedsend(wr, buf, 8, 0, &past), 0); /* no need to wait */
	CHECK_ERR(mq_send(q, buf, 8, 0), EAGAIN);
	CHECK_ERR(mq_timedsend(wr, buf, 8, 0, &past), ETIMEDOUT);
	CHECK_ERR(mq_receive(q, (char *)8, 8, NULL), EFAULT);
	CHECK_ERR(mq_receive(q, buf, 8, NULL), EAGAIN); /* and it is gone */
	CHECK_EQ(mq_close(rd), 0);
	CHECK_EQ(mq_close(wr), 0);
	drop(q);
}

CASE(timeout, "mq_timedreceive,mq_timedsend")
{
	mqd_t q = make(0, 1, 8);
	struct timespec ts = real_plus(20), now;
	char buf[8];

	CHECK_ERR(mq_timedreceive(q, buf, 8, NULL, &ts), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &now);
	CHECK(now.tv_sec > ts.tv_sec || (now.tv_sec == ts.tv_sec && now.tv_nsec >= ts.tv_nsec));
	CHECK_EQ(mq_send(q, "a", 1, 0), 0);
	ts = real_plus(20);
	CHECK_ERR(mq_timedsend(q, "b", 1, 0, &ts), ETIMEDOUT);
	drop(q);
}

CASE(waiting, "mq_timedreceive,mq_timedsend")
{
	mqd_t q = make(0, 2, 8);
	int st;
	pid_t p = fork();

	if (p == 0) {
		char buf[8];
		unsigned prio;

		CHECK_EQ(mq_receive(q, buf, 8, &prio), 2);
		CHECK_EQ(prio, 7);
		CHECK(memcmp(buf, "hi", 2) == 0);
		_exit(0);
	}
	asleep(p);
	CHECK_EQ(mq_send(q, "hi", 2, 7), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK_EQ(mq_send(q, "1", 1, 1), 0);
	CHECK_EQ(mq_send(q, "2", 1, 1), 0);
	p = fork();
	if (p == 0)
		_exit(mq_send(q, "9", 1, 9) ? 1 : 0);
	asleep(p);
	{
		char buf[8];

		CHECK_EQ(mq_receive(q, buf, 8, NULL), 1);
		CHECK_EQ(buf[0], '1');
		CHECK_EQ(waitpid(p, &st, 0), p);
		CHECK_EQ(st, 0);
		CHECK_EQ(mq_receive(q, buf, 8, NULL), 1);
		CHECK_EQ(buf[0], '9'); /* the waiter's goes before what lay there */
	}
	drop(q);
}

static void on_sig(int sig)
{
	(void)sig;
}

CASE(interrupted, "mq_timedreceive")
{
	struct sigaction sa = { .sa_handler = on_sig };
	mqd_t q = make(0, 1, 8);
	char buf[8];

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 20000);
	CHECK_ERR(mq_receive(q, buf, 8, NULL), EINTR);
	CHECK_EQ(mq_send(q, "a", 1, 0), 0);
	CHECK_ERR(mq_send(q, "b", 1, 0), EINTR);
	ualarm(0, 0);
	drop(q);
}

CASE(attributes, "mq_getsetattr")
{
	mqd_t q = make(0, 3, 20);
	struct mq_attr a = { 0 }, set = { .mq_flags = O_NONBLOCK, .mq_maxmsg = 99 };
	char buf[20];

	CHECK_EQ(mq_getattr(q, &a), 0);
	CHECK(a.mq_flags == 0 && a.mq_maxmsg == 3 && a.mq_msgsize == 20 && a.mq_curmsgs == 0);
	CHECK_EQ(mq_setattr(q, &set, &a), 0);
	CHECK_EQ(a.mq_flags, 0);
	CHECK_EQ(mq_getattr(q, &a), 0);
	CHECK(a.mq_flags == O_NONBLOCK && a.mq_maxmsg == 3);
	CHECK(fcntl(q, F_GETFL) & O_NONBLOCK);
	CHECK_ERR(mq_receive(q, buf, 20, NULL), EAGAIN);
	set.mq_flags = O_APPEND;
	CHECK_ERR(mq_setattr(q, &set, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_mq_getsetattr, 1, NULL, &a), EBADF);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, (void *)8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, NULL, (void *)8), EFAULT);
	CHECK_EQ(mq_send(q, "x", 1, 0), 0);
	CHECK_EQ(mq_getattr(q, &a), 0);
	CHECK_EQ(a.mq_curmsgs, 1);
	drop(q);
}

static volatile sig_atomic_t got_sig, got_code, got_value, got_pid;

static void on_info(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	got_sig = sig;
	got_code = si->si_code;
	got_value = si->si_value.sival_int;
	got_pid = si->si_pid;
}

CASE(notify_signal, "mq_notify")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1,
			       .sigev_value.sival_int = 77 };
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO };
	mqd_t q = make(0, 3, 8);

	sigaction(SIGUSR1, &sa, NULL);
	CHECK_EQ(mq_notify(q, &ev), 0);
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	CHECK_EQ(IN_CHILD(CHECK_ERR(mq_notify(q, &ev), EBUSY); CHECK_EQ(mq_notify(q, NULL), 0)), 0);
	CHECK_EQ(mq_send(q, "a", 1, 0), 0);
	CHECK_EQ(got_sig, SIGUSR1);
	CHECK_EQ(got_code, SI_MESGQ);
	CHECK_EQ(got_value, 77);
	CHECK_EQ(got_pid, getpid());
	got_sig = 0;
	CHECK_EQ(mq_notify(q, &ev), 0); /* once only; and only when it was empty */
	CHECK_EQ(mq_send(q, "b", 1, 0), 0);
	CHECK_EQ(got_sig, 0);
	CHECK_EQ(mq_notify(q, NULL), 0);
	CHECK_EQ(mq_notify(q, &ev), 0);
	CHECK_EQ(close(dup(q)), 0); /* closing any of its descriptors gives it up */
	CHECK_EQ(mq_notify(q, &ev), 0);
	ev.sigev_notify = 99;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 65;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_signo = SIGUSR1;
	CHECK_ERR(mq_notify(1, &ev), EBADF);
	CHECK_ERR(syscall(SYS_mq_notify, q, (void *)8), EFAULT);
	drop(q);
}

CASE(notify_none, "mq_notify")
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	mqd_t q = make(0, 3, 8);
	char text[128];
	int fd, n;

	CHECK_EQ(mq_notify(q, &ev), 0);
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	fd = (int)syscall(SYS_mq_open, qname + 1, O_RDONLY, 0, NULL);
	n = (int)read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	{
		char want[128];

		snprintf(want, sizeof(want), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
			 0UL, SIGEV_NONE, 0, getpid());
		CHECK(strcmp(text, want) == 0);
	}
	CHECK_EQ(mq_send(q, "abc", 3, 0), 0);
	CHECK_EQ(mq_send(q, "de", 2, 0), 0);
	n = (int)pread(fd, text, sizeof(text), 0);
	CHECK(n > 0);
	CHECK(strncmp(text, "QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", 60) == 0);
	CHECK_EQ(read(fd, text, sizeof(text)), 0);
	CHECK_ERR(write(q, "x", 1), EINVAL);
	close(fd);
	drop(q);
}

static volatile int threads_run;

static void on_thread(union sigval v)
{
	threads_run = v.sival_int;
}

CASE(notify_thread, "mq_notify,recvfrom")
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD,
			       .sigev_notify_function = on_thread,
			       .sigev_value.sival_int = 5 };
	mqd_t q = make(0, 3, 8);

	CHECK_EQ(mq_notify(q, &ev), 0);
	CHECK_EQ(mq_send(q, "a", 1, 0), 0);
	while (threads_run != 5)
		sched_yield();
	CHECK_EQ(mq_notify(q, &ev), 0);
	CHECK_EQ(mq_notify(q, NULL), 0);
	/* A bad cookie, not a socket, not a descriptor. */
	CHECK_ERR(syscall(SYS_mq_notify, q, &(struct sigevent){ .sigev_notify = SIGEV_THREAD,
		.sigev_signo = q, .sigev_value.sival_ptr = (void *)8 }), EFAULT);
	CHECK_ERR(syscall(SYS_mq_notify, q, &(struct sigevent){ .sigev_notify = SIGEV_THREAD,
		.sigev_signo = q, .sigev_value.sival_ptr = qname }), ENOTSOCK);
	CHECK_ERR(syscall(SYS_mq_notify, q, &(struct sigevent){ .sigev_notify = SIGEV_THREAD,
		.sigev_signo = 999, .sigev_value.sival_ptr = qname }), EBADF);
	drop(q);
}

/* A receiver that waits comes before the notification. */
CASE(notify_and_receiver, "mq_notify,mq_timedreceive")
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	struct sigaction sa = { .sa_sigaction = on_info, .sa_flags = SA_SIGINFO };
	mqd_t q = make(0, 3, 8);
	int st;
	pid_t p = fork();

	if (p == 0) {
		char buf[8];

		_exit(mq_receive(q, buf, 8, NULL) == 1 ? 0 : 1);
	}
	sigaction(SIGUSR1, &sa, NULL);
	CHECK_EQ(mq_notify(q, &ev), 0);
	asleep(p);
	CHECK_EQ(mq_send(q, "a", 1, 0), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK_EQ(got_sig, 0);
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	drop(q);
}

CASE(polling, "mq_open,poll,epoll_wait")
{
	mqd_t q = make(0, 1, 8);
	struct pollfd pfd = { .fd = q, .events = POLLIN | POLLOUT };
	struct epoll_event ee = { .events = EPOLLIN };
	int ep = epoll_create1(0), st;
	char buf[8];
	pid_t p;

	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK_EQ(pfd.revents, POLLOUT);
	CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, q, &ee), 0);
	CHECK_EQ(epoll_wait(ep, &ee, 1, 0), 0);
	p = fork();
	if (p == 0)
		_exit(epoll_wait(ep, &ee, 1, 5000) == 1 ? 0 : 1);
	asleep(p);
	CHECK_EQ(mq_send(q, "a", 1, 0), 0);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK_EQ(pfd.revents, POLLIN);
	pfd.events = POLLOUT;
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	p = fork();
	if (p == 0)
		_exit(poll(&pfd, 1, 5000) == 1 && pfd.revents == POLLOUT ? 0 : 1);
	asleep(p);
	CHECK_EQ(mq_receive(q, buf, 8, NULL), 1);
	CHECK_EQ(waitpid(p, &st, 0), p);
	CHECK_EQ(st, 0);
	drop(q);
}

CASE(rlimit, "mq_open,setrlimit")
{
	struct rlimit rl = { 10000, 10000 };
	struct mq_attr a = { .mq_maxmsg = 10, .mq_msgsize = 1000 };
	mqd_t q;

	if (getuid() != 0)
		SKIP("needs root");
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(setrlimit(RLIMIT_MSGQUEUE, &rl), 0);
		CHECK_EQ(setuid(4321), 0);
		CHECK_ERR(mq_open("/guest.rl", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		a.mq_msgsize = 904; /* 10 * (904 + 48 + 48) is just enough */
		q = mq_open("/guest.rl", O_CREAT | O_RDWR, 0600, &a);
		CHECK(q >= 0);
		a.mq_maxmsg = a.mq_msgsize = 1;
		CHECK_ERR(mq_open("/guest.rl2", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		CHECK_EQ(mq_unlink("/guest.rl"), 0);
		CHECK_ERR(mq_open("/guest.rl2", O_CREAT | O_RDWR, 0600, &a), EMFILE);
		CHECK_EQ(mq_close(q), 0);
		q = mq_open("/guest.rl2", O_CREAT | O_RDWR, 0600, &a);
		CHECK(q >= 0);
		CHECK_EQ(mq_unlink("/guest.rl2"), 0);
		a.mq_maxmsg = 11; /* above msg_max, for who is not privileged */
		CHECK_ERR(mq_open("/guest.rl3", O_CREAT | O_RDWR, 0600, &a), EINVAL);
	}), 0);
}

CASE(permissions, "mq_open,mq_unlink")
{
	mqd_t q = make(0, 1, 8);

	if (getuid() != 0)
		SKIP("needs root");
	CHECK_EQ(fchmod(q, 0622), 0);
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(setuid(4321), 0);
		CHECK_ERR(mq_open(qname, O_RDONLY), EACCES);
		CHECK_ERR(mq_open(qname, O_RDWR), EACCES);
		CHECK(mq_open(qname, O_WRONLY) >= 0);
		CHECK_ERR(syscall(SYS_mq_unlink, qname + 1), EPERM); /* the directory is sticky */
	}), 0);
	drop(q);
}

CASE(file_system, "mq_open,mount,stat,unlink")
{
	mqd_t q = make(0, 2, 8), q2;
	struct statfs sf;
	struct stat st, st2;
	char path[128], text[80];
	int fd;

	CHECK_EQ(fstat(q, &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0600);
	CHECK_EQ(st.st_size, 80);
	if (mkdir("mq", 0700) || mount("mqueue", "mq", "mqueue", 0, NULL))
		SKIP("cannot mount");
	CHECK_EQ(statfs("mq", &sf), 0);
	CHECK_EQ(sf.f_type, 0x19800202);
	CHECK_EQ(stat("mq", &st2), 0);
	CHECK_EQ(st2.st_mode, S_IFDIR | 01777);
	snprintf(path, sizeof(path), "mq%s", qname);
	CHECK_EQ(stat(path, &st2), 0);
	CHECK_EQ(st2.st_ino, st.st_ino);
	CHECK_EQ(st2.st_dev, st.st_dev);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof(text)) > 0);
	CHECK(strncmp(text, "QSIZE:0", 7) == 0);
	CHECK_EQ(mq_send(fd, "x", 1, 0), 0); /* it is a queue like any other */
	CHECK_EQ(mq_receive(q, text, 8, NULL), 1);
	close(fd);
	fd = open("mq/byname", O_CREAT | O_RDWR, 0640);
	CHECK(fd >= 0);
	close(fd);
	q2 = mq_open("/byname", O_RDWR);
	CHECK(q2 >= 0);
	CHECK_ERR(mkdir("mq/d", 0700), EPERM);
	CHECK_ERR(rename("mq/byname", "mq/other"), EPERM);
	CHECK_ERR(symlink("x", "mq/l"), EPERM);
	CHECK_EQ(unlink("mq/byname"), 0);
	CHECK_ERR(mq_open("/byname", O_RDWR), ENOENT);
	CHECK_EQ(mq_unlink(qname), 0);
	CHECK_ERR(stat(path, &st2), ENOENT);
	CHECK_EQ(umount("mq"), 0);
	CHECK_EQ(mq_send(q, "y", 1, 0), 0); /* without a name, but alive */
	mq_close(q);
}

CASE(exec_closes, "mq_open")
{
	mqd_t q = make(0, 1, 8);
	char link[64], to[128];
	long n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", q);
	n = readlink(link, to, sizeof(to) - 1);
	CHECK(n > 0);
	to[n] = 0;
	CHECK(strcmp(to, qname) == 0);
	drop(q);
}

CASE(many, "mq_timedsend,mq_timedreceive")
{
	mqd_t q = make(0, 10, 8);
	int st, sum = 0;
	char buf[8];

	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			for (int n = 0; n < 200; n++)
				CHECK_EQ(mq_send(q, (char *)&n, 4, (unsigned)n % 5), 0);
			_exit(0);
		}
	}
	for (int i = 0; i < 600; i++) {
		int v;

		CHECK_EQ(mq_receive(q, buf, 8, NULL), 4);
		memcpy(&v, buf, 4);
		sum += v;
	}
	while (wait(&st) > 0)
		CHECK_EQ(st, 0);
	CHECK_EQ(sum, 3 * 199 * 200 / 2);
	drop(q);
}

MAIN()
