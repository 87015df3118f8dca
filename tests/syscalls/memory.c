/* mmap and its family. */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/uio.h>

#include "tests/harness/guest.h"

static sigjmp_buf back;
static volatile siginfo_t seen;

static void on_segv(int sig, siginfo_t *si, void *uc)
{
	(void)uc;
	seen = *si;
	siglongjmp(back, sig);
}

/* Touch an address: 0, or the signal it gave. */
static int touch(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_sigaction = on_segv, .sa_flags = SA_SIGINFO | SA_NODEFER };
	int sig;

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sig = sigsetjmp(back, 1);
	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

#define ANON(len, prot) mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)

CASE(anon_is_zero, "mmap,munmap")
{
	char *m = ANON(3 * 4096, PROT_READ | PROT_WRITE);

	CHECK(m != MAP_FAILED);
	for (int i = 0; i < 3 * 4096; i++)
		CHECK(m[i] == 0);
	CHECK_EQ(munmap(m + 4096, 4096), 0);
	CHECK_EQ(touch(m, true), 0);
	CHECK_EQ(touch(m + 4096, true), SIGSEGV);
	CHECK_EQ(seen.si_code, SEGV_MAPERR);
	CHECK(seen.si_addr == m + 4096);
	CHECK_EQ(touch(m + 8192, true), 0);
}

CASE(mprotect_faults, "mprotect")
{
	char *m = ANON(4096, PROT_READ | PROT_WRITE);

	CHECK_EQ(mprotect(m, 4096, PROT_READ), 0);
	CHECK_EQ(touch(m, false), 0);
	CHECK_EQ(touch(m, true), SIGSEGV);
	CHECK_EQ(seen.si_code, SEGV_ACCERR);
	CHECK_EQ(mprotect(m, 4096, PROT_NONE), 0);
	CHECK_EQ(touch(m, false), SIGSEGV);
	CHECK_ERR(mprotect(m + 1, 4096, PROT_READ), EINVAL);
	munmap(m, 4096);
	CHECK_ERR(mprotect(m, 4096, PROT_READ), ENOMEM);
}

CASE(mmap_errors, "mmap")
{
	CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 5) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap((void *)1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mmap(NULL, 1UL << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
	CHECK_ERR(munmap((void *)1, 4096), EINVAL);
	CHECK_ERR(munmap((void *)4096, 0), EINVAL);
}

CASE(fixed_and_noreplace, "mmap")
{
	char *m = ANON(4 * 4096, PROT_READ | PROT_WRITE);

	m[4096] = 7;
	CHECK(mmap(m + 4096, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == m + 4096);
	CHECK_EQ(m[4096], 0);
	CHECK(mmap(m, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
	      errno == EEXIST);
}

CASE(file_mappings, "mmap,msync")
{
	int fd = open("f", O_RDWR | O_CREAT, 0644), ro;
	char *s, *p;
	char c;

	CHECK(fd >= 0 && ftruncate(fd, 8192) == 0);
	s = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(s != MAP_FAILED && p != MAP_FAILED);
	s[10] = 'x';
	CHECK(pread(fd, &c, 1, 10) == 1 && c == 'x');
	CHECK_EQ(p[10], 'x');
	p[10] = 'y';
	CHECK(pread(fd, &c, 1, 10) == 1 && c == 'x');
	CHECK_EQ(pwrite(fd, "w", 1, 4096), 1);
	CHECK_EQ(s[4096], 'w');
	CHECK_EQ(msync(s, 8192, MS_SYNC), 0);
	CHECK_ERR(msync(s + 1, 8192, MS_SYNC), EINVAL);
	ro = open("f", O_RDONLY);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0) == MAP_FAILED && errno == EACCES);
	s = mmap(NULL, 4096, PROT_READ, MAP_SHARED, ro, 0);
	CHECK(s != MAP_FAILED);
	CHECK_ERR(mprotect(s, 4096, PROT_READ | PROT_WRITE), EACCES);
	ro = open("f", O_WRONLY);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, ro, 0) == MAP_FAILED && errno == EACCES);
}

CASE(bus_error_past_end, "mmap,ftruncate")
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char *m;

	CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
	m = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	CHECK_EQ(touch(m, false), 0);
	CHECK_EQ(touch(m + 4096, false), SIGBUS);
}

CASE(mremap_grow_move, "mremap")
{
	char *m = ANON(4096, PROT_READ | PROT_WRITE), *n;

	strcpy(m, "keep");
	n = mremap(m, 4096, 1 << 20, MREMAP_MAYMOVE);
	CHECK(n != MAP_FAILED && !strcmp(n, "keep"));
	n[(1 << 20) - 1] = 1;
	n = mremap(n, 1 << 20, 4096, 0);
	CHECK(n != MAP_FAILED && !strcmp(n, "keep"));
	CHECK_EQ(touch(n + 4096, false), SIGSEGV);
	CHECK(mremap(n, 4096, 0, 0) == MAP_FAILED && errno == EINVAL);
	munmap(n, 4096);
	CHECK(mremap(n, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
}

CASE(brk_grows, "brk")
{
	char *a = sbrk(0);

	CHECK(sbrk(3 * 4096) != (void *)-1);
	a[4096] = 1;
	CHECK(sbrk(-3 * 4096) != (void *)-1);
	CHECK(sbrk(0) == a);
}

CASE(madvise_dontneed, "madvise")
{
	char *m = ANON(8192, PROT_READ | PROT_WRITE);

	m[0] = 1;
	CHECK_EQ(madvise(m, 4096, MADV_DONTNEED), 0);
	CHECK_EQ(m[0], 0);
	CHECK_ERR(madvise(m, 4096, 12345), EINVAL);
	CHECK_ERR(madvise(m + 1, 4096, MADV_DONTNEED), EINVAL);
	munmap(m + 4096, 4096);
	CHECK_ERR(madvise(m, 8192, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(madvise(m, 4096, MADV_DONTFORK), 0);
	CHECK_EQ(WTERMSIG(IN_CHILD({ signal(SIGSEGV, SIG_DFL); *(volatile char *)m; })), SIGSEGV);
}

CASE(wipe_on_fork, "madvise")
{
	char *m = ANON(4096, PROT_READ | PROT_WRITE);

	m[0] = 9;
	CHECK_EQ(madvise(m, 4096, MADV_WIPEONFORK), 0);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit(m[0]))), 0);
	CHECK_EQ(m[0], 9);
}

CASE(mlock_and_mincore, "mlock,munlock,mlockall,munlockall,mincore")
{
	char *m = ANON(8192, PROT_READ | PROT_WRITE);
	unsigned char vec[2];

	m[0] = 1;
	CHECK_EQ(mlock(m, 4096), 0);
	CHECK_EQ(munlock(m, 4096), 0);
	CHECK_EQ(mincore(m, 8192, vec), 0);
	CHECK(vec[0] & 1);
	munmap(m + 4096, 4096);
	CHECK_ERR(mincore(m, 8192, vec), ENOMEM);
	CHECK_ERR(mlock(m, 8192), ENOMEM);
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_EQ(munlockall(), 0);
}

CASE(memfd_and_seals, "memfd_create,fcntl")
{
	int fd = memfd_create("x", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "hello", 5), 5);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	CHECK_ERR(write(fd, "x", 1), EPERM);
	CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), 0);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
	CHECK_ERR(memfd_create("x", 0x8000), EINVAL);
}

CASE(process_vm, "process_vm_readv,process_vm_writev")
{
	char a[10] = "abcdefghi", b[10] = "";
	struct iovec l = { b, 9 }, r = { a, 9 };

	CHECK_EQ(process_vm_readv(getpid(), &l, 1, &r, 1, 0), 9);
	CHECK(!strcmp(a, b));
	b[0] = 'Z';
	CHECK_EQ(process_vm_writev(getpid(), &l, 1, &r, 1, 0), 9);
	CHECK_EQ(a[0], 'Z');
	r.iov_base = (void *)8;
	CHECK_ERR(process_vm_readv(getpid(), &l, 1, &r, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(999999, &l, 1, &r, 1, 0), ESRCH);
}

CASE(sysv_shm, "shmget,shmat,shmdt,shmctl")
{
	int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
	struct shmid_ds ds;
	char *m;

	CHECK(id >= 0);
	m = shmat(id, NULL, 0);
	CHECK(m != (void *)-1);
	IN_CHILD(strcpy(m, "child"));
	CHECK(!strcmp(m, "child"));
	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.shm_segsz, 8192);
	CHECK_EQ(ds.shm_nattch, 1);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	CHECK_EQ(shmdt(m), 0);
	CHECK_ERR(shmdt(m), EINVAL);
	CHECK_ERR(shmat(id, NULL, 0), EINVAL);
}

CASE(stack_grows, "mmap")
{
	volatile char big[1 << 20];

	big[0] = 1;
	big[sizeof(big) - 1] = 2;
	CHECK_EQ(big[0] + big[sizeof(big) - 1], 3);
}

CASE(null_dereference, "mmap")
{
	CHECK_EQ(touch(NULL, false), SIGSEGV);
	CHECK_EQ(seen.si_code, SEGV_MAPERR);
	CHECK(seen.si_addr == NULL);
}

CASE(mlock2_flags, "mlock2")
{
	char *m = ANON(8192, PROT_READ | PROT_WRITE);

	CHECK_EQ(syscall(SYS_mlock2, m, 8192, 0), 0);
	CHECK_EQ(syscall(SYS_mlock2, m, 4096, MLOCK_ONFAULT), 0);
	CHECK_ERR(syscall(SYS_mlock2, m, 4096, 2), EINVAL);
	munmap(m + 4096, 4096);
	CHECK_ERR(syscall(SYS_mlock2, m, 8192, 0), ENOMEM);
}

CASE(sealed_mappings, "mseal")
{
	char *m = ANON(8192, PROT_READ | PROT_WRITE);
	long r = syscall(462, m, 4096, 0);

	if (r == -1 && errno == ENOSYS)
		SKIP("no mseal");
	CHECK_EQ(r, 0);
	CHECK_ERR(munmap(m, 8192), EPERM);
	CHECK_ERR(mprotect(m, 4096, PROT_READ), EPERM);
	CHECK(mremap(m, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM);
	CHECK(mmap(m, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
	      errno == EPERM);
	CHECK_EQ(munmap(m + 4096, 4096), 0);
	m[0] = 1;
	CHECK_EQ(syscall(462, m, 4096, 0), 0);
	CHECK_ERR(syscall(462, m, 4096, 1), EINVAL);
	CHECK_ERR(syscall(462, m + 1, 4096, 0), EINVAL);
	CHECK_ERR(syscall(462, m, 8192, 0), ENOMEM);
}

CASE(advice_to_a_process, "process_madvise,pidfd_open")
{
	char *m = ANON(8192, PROT_READ | PROT_WRITE);
	struct iovec v = { m, 8192 };
	long fd = syscall(SYS_pidfd_open, getpid(), 0);

	CHECK(fd >= 0);
	m[0] = 7;
	CHECK_EQ(syscall(SYS_process_madvise, fd, &v, 1, MADV_WILLNEED, 0), 8192);
	CHECK_EQ(m[0], 7);
	CHECK_ERR(syscall(SYS_process_madvise, fd, &v, 1, MADV_WILLNEED, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_madvise, 999, &v, 1, MADV_WILLNEED, 0), EBADF);
	CHECK_ERR(syscall(SYS_process_madvise, fd, &v, 1, 12345, 0), EINVAL);
}

MAIN()
