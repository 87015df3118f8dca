/* prctl(2) and arch_prctl(2): options that tests of other areas do not touch. */
#include <asm/prctl.h>
#include <linux/prctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "tests/harness/guest.h"

#define PAGE 4096
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
#ifndef PR_MDWE_NO_INHERIT
#define PR_MDWE_NO_INHERIT 2
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif

static long pr(int opt, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	return syscall(SYS_prctl, opt, a, b, c, d);
}

static bool has_cap(int cap)
{
	char line[256];
	unsigned long long caps = 0;
	FILE *f = fopen("/proc/self/status", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		sscanf(line, "CapEff: %llx", &caps);
	fclose(f);
	return caps >> cap & 1;
}
#define CAP_RESOURCE 24

CASE(options_of_other_machines, "prctl")
{
	static const int none[] = { 5, 6, 9, 10, 11, 12, 17, 18, 19, 20, 43, 44, 45, 46, 48, 49, 50, 51,
				    54, 55, 56, 60, 61, 62, 63, 64, 69, 70, 71, 72, 73, 74, 75, 76, 9999 };
	int x;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		errno = 0;
		if (pr(none[i], (uintptr_t)&x, 0, 0, 0) != -1 || errno != EINVAL)
			guest_fail(__FILE__, __LINE__, "option %d: errno %d", none[i], errno);
	}
}

CASE(mce_kill, "prctl")
{
	CHECK_EQ(pr(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
	CHECK_EQ(pr(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0), 0);
	CHECK_EQ(pr(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_EARLY);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit((int)pr(PR_MCE_KILL_GET, 0, 0, 0, 0)))),
		 PR_MCE_KILL_EARLY);
	CHECK_EQ(pr(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0), 0);
	CHECK_EQ(pr(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_LATE);
	CHECK_ERR(pr(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 1, 0), EINVAL);
	CHECK_ERR(pr(PR_MCE_KILL_GET, 0, 0, 0, 1), EINVAL);
	CHECK_EQ(pr(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_MCE_KILL_GET, 0, 0, 0, 0), PR_MCE_KILL_DEFAULT);
}

CASE(io_flusher, "prctl")
{
	if (!has_cap(CAP_RESOURCE)) {
		CHECK_ERR(pr(PR_SET_IO_FLUSHER, 2, 1, 0, 0), EPERM);
		CHECK_ERR(pr(PR_GET_IO_FLUSHER, 0, 1, 0, 0), EPERM);
		return;
	}
	CHECK_ERR(pr(PR_SET_IO_FLUSHER, 2, 0, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_IO_FLUSHER, 1, 1, 0, 0), EINVAL);
	CHECK_EQ(pr(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_SET_IO_FLUSHER, 1, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_GET_IO_FLUSHER, 0, 0, 0, 0), 1);
}

CASE(thp_disable, "prctl")
{
	CHECK_EQ(pr(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_GET_THP_DISABLE, 0, 0, 0, 0), 1);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit((int)pr(PR_GET_THP_DISABLE, 0, 0, 0, 0)))), 1);
	CHECK_ERR(pr(PR_SET_THP_DISABLE, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_THP_DISABLE, 0, 2, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_THP_DISABLE, 1, 0, 1, 0), EINVAL);
	CHECK_ERR(pr(PR_GET_THP_DISABLE, 1, 0, 0, 0), EINVAL);
	CHECK_EQ(pr(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0);
}

CASE(memory_merge, "prctl")
{
	CHECK_EQ(pr(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_SET_MEMORY_MERGE, 1, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_GET_MEMORY_MERGE, 0, 0, 0, 0), 1);
	CHECK_ERR(pr(PR_SET_MEMORY_MERGE, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_GET_MEMORY_MERGE, 1, 0, 0, 0), EINVAL);
}

/* ---- no new executable memory ---- */

static void *map(int prot)
{
	return mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

CASE(mdwe_denies, "prctl,mmap,mprotect")
{
	void *rx = map(PROT_READ | PROT_EXEC), *rw = map(PROT_READ | PROT_WRITE), *rwx;

	CHECK_EQ(pr(PR_GET_MDWE, 0, 0, 0, 0), 0);
	CHECK_ERR(pr(PR_SET_MDWE, PR_MDWE_NO_INHERIT, 0, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_MDWE, 4, 0, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_MDWE, 1, 1, 0, 0), EINVAL);
	rwx = map(PROT_READ | PROT_WRITE | PROT_EXEC);
	CHECK(rwx != MAP_FAILED);
	CHECK_EQ(pr(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_GET_MDWE, 0, 0, 0, 0), PR_MDWE_REFUSE_EXEC_GAIN);
	errno = 0;
	CHECK(map(PROT_WRITE | PROT_EXEC) == MAP_FAILED && errno == EACCES);
	CHECK(map(PROT_READ | PROT_EXEC) != MAP_FAILED);
	CHECK_ERR(mprotect(rw, PAGE, PROT_READ | PROT_EXEC), EACCES);
	CHECK_ERR(mprotect(rx, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), EACCES);
	CHECK_EQ(mprotect(rx, PAGE, PROT_READ), 0);
	CHECK_ERR(mprotect(rx, PAGE, PROT_READ | PROT_EXEC), EACCES);
	/* What was there stays and may lose its right to write. */
	CHECK_EQ(mprotect(rwx, PAGE, PROT_READ | PROT_EXEC), 0);
	CHECK_EQ(mprotect(rw, PAGE, PROT_READ), 0);
	CHECK_ERR(pr(PR_SET_MDWE, 0, 0, 0, 0), EPERM);
	CHECK_ERR(pr(PR_SET_MDWE, 3, 0, 0, 0), EPERM);
	CHECK_EQ(pr(PR_SET_MDWE, 1, 0, 0, 0), 0);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit((int)pr(PR_GET_MDWE, 0, 0, 0, 0)))), 1);
}

CASE(mdwe_not_inherited, "prctl")
{
	CHECK_EQ(pr(PR_SET_MDWE, 3, 0, 0, 0), 0);
	CHECK_EQ(pr(PR_GET_MDWE, 0, 0, 0, 0), 3);
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit((int)pr(PR_GET_MDWE, 0, 0, 0, 0)))), 0);
}

/* ---- PR_SET_MM ---- */

static unsigned long long stat_field(int n)
{
	char s[1024] = "", *p;
	int fd = open("/proc/self/stat", O_RDONLY);

	CHECK(fd >= 0 && read(fd, s, sizeof(s) - 1) > 0);
	close(fd);
	p = strrchr(s, ')') + 2;
	for (int i = 3; i < n; i++)
		p = strchr(p, ' ') + 1;
	return strtoull(p, NULL, 10);
}

static void current_map(struct prctl_mm_map *m)
{
	*m = (struct prctl_mm_map){
		.start_code = stat_field(26), .end_code = stat_field(27),
		.start_stack = stat_field(28), .start_data = stat_field(45),
		.end_data = stat_field(46), .start_brk = stat_field(47),
		.arg_start = stat_field(48), .arg_end = stat_field(49),
		.env_start = stat_field(50), .env_end = stat_field(51), .exe_fd = (uint32_t)-1,
	};
	m->brk = (uint64_t)syscall(SYS_brk, 0);
}

static int read_proc(const char *name, char *buf, size_t size)
{
	int fd = open(name, O_RDONLY);
	int n = (int)read(fd, buf, size);

	close(fd);
	return n;
}

CASE(set_mm_map, "prctl")
{
	static const char args[] = "new\0arguments", env[] = "A=1\0B=2";
	char *mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t auxv[6] = { 6, 4096, 16, 0xabc, 0, 0 };
	struct prctl_mm_map m, bad;
	char buf[512];
	unsigned size = 0;

	CHECK_EQ(pr(PR_SET_MM, PR_SET_MM_MAP_SIZE, (uintptr_t)&size, 0, 0), 0);
	CHECK_EQ(size, sizeof(m));
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_MAP_SIZE, 8, 0, 0), EFAULT);
	current_map(&m);
	CHECK(m.start_stack > m.start_code && m.start_stack < m.arg_start);
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_MAP, (uintptr_t)&m, sizeof(m) - 8, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_MAP, (uintptr_t)&m, sizeof(m), 1), EINVAL);
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_MAP, 8, sizeof(m), 0), EFAULT);
#define BAD(change, want)                                                                     \
	do {                                                                                  \
		bad = m;                                                                      \
		change;                                                                       \
		CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_MAP, (uintptr_t)&bad, sizeof(bad), 0), want); \
	} while (0)
	BAD(bad.start_code = bad.end_code, EINVAL);
	BAD(bad.start_data = bad.end_data + 1, EINVAL);
	BAD(bad.brk = bad.start_brk - 1, EINVAL);
	BAD(bad.arg_start = bad.arg_end + 1, EINVAL);
	BAD(bad.env_start = bad.env_end + 1, EINVAL);
	BAD(bad.start_stack = 8, EINVAL);
	BAD(bad.env_end = 1ULL << 47, EINVAL);
	BAD(bad.auxv_size = 8, EINVAL);
	BAD((bad.auxv = (void *)auxv, bad.auxv_size = 4096), EINVAL);
	BAD((bad.auxv = (void *)8, bad.auxv_size = 16), EFAULT);
	BAD(bad.exe_fd = 999, EBADF);
	BAD(bad.exe_fd = (uint32_t)open("/proc/self/exe", O_RDONLY), EBUSY);
	BAD(bad.exe_fd = (uint32_t)open("/", O_RDONLY), EACCES);
	memcpy(mem, args, sizeof(args));
	memcpy(mem + 100, env, sizeof(env));
	m.arg_start = (uintptr_t)mem;
	m.arg_end = (uintptr_t)mem + sizeof(args);
	m.env_start = (uintptr_t)mem + 100;
	m.env_end = (uintptr_t)mem + 100 + sizeof(env);
	m.auxv = (void *)auxv;
	m.auxv_size = sizeof(auxv);
	CHECK_EQ(pr(PR_SET_MM, PR_SET_MM_MAP, (uintptr_t)&m, sizeof(m), 0), 0);
	CHECK_EQ(read_proc("/proc/self/cmdline", buf, sizeof(buf)), sizeof(args));
	CHECK(!memcmp(buf, args, sizeof(args)));
	CHECK_EQ(read_proc("/proc/self/environ", buf, sizeof(buf)), sizeof(env));
	CHECK(!memcmp(buf, env, sizeof(env)));
	CHECK_EQ(read_proc("/proc/self/auxv", buf, sizeof(buf)), sizeof(auxv));
	CHECK(!memcmp(buf, auxv, sizeof(auxv)));
	CHECK_EQ(stat_field(48), (uintptr_t)mem);
	/* Only anonymous memory is shown. */
	m.arg_start = (uintptr_t)args;
	m.arg_end = (uintptr_t)args + sizeof(args);
	CHECK_EQ(pr(PR_SET_MM, PR_SET_MM_MAP, (uintptr_t)&m, sizeof(m), 0), 0);
	CHECK_EQ(read_proc("/proc/self/cmdline", buf, sizeof(buf)), 0);
}

CASE(set_mm_members, "prctl")
{
	char *args = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[64];

	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_ARG_START, (uintptr_t)args, 1, 0), EINVAL);
	if (!has_cap(CAP_RESOURCE)) {
		CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_ARG_START, (uintptr_t)args, 0, 0), EPERM);
		CHECK_ERR(pr(PR_SET_MM, 99, 0, 0, 0), EPERM);
		return;
	}
	CHECK_ERR(pr(PR_SET_MM, 99, (uintptr_t)args, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_ARG_START, 8, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_ARG_END, (uintptr_t)args, 0, 0), EINVAL);
	strcpy(args, "other");
	CHECK_EQ(pr(PR_SET_MM, PR_SET_MM_ARG_START, (uintptr_t)args, 0, 0), 0);
	CHECK_EQ(pr(PR_SET_MM, PR_SET_MM_ARG_END, (uintptr_t)args + 6, 0, 0), 0);
	CHECK_EQ(read_proc("/proc/self/cmdline", buf, sizeof(buf)), 6);
	CHECK(!memcmp(buf, args, 6));
	CHECK_ERR(pr(PR_SET_MM, PR_SET_MM_EXE_FILE, 999, 0, 0), EBADF);
}

CASE(get_auxv, "prctl")
{
	uint64_t v[128] = { 0 };
	bool page = false;

	CHECK_EQ(pr(0x41555856, (uintptr_t)v, sizeof(v), 0, 0), 448);
	for (int i = 0; i < 56; i += 2)
		page |= v[i] == 6 && v[i + 1] == PAGE;
	CHECK(page);
	CHECK_EQ(pr(0x41555856, 0, 0, 0, 0), 448);
	CHECK_ERR(pr(0x41555856, 8, 8, 0, 0), EFAULT);
	CHECK_ERR(pr(0x41555856, (uintptr_t)v, 8, 1, 0), EINVAL);
}

/* ---- names of areas ---- */

static bool in_maps(const char *word)
{
	char line[512];
	bool found = false;
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		found |= strstr(line, word) != NULL;
	fclose(f);
	return found;
}

CASE(names_of_areas, "prctl")
{
	char *m = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[100];
	int fd = open("/proc/self/exe", O_RDONLY);
	void *file = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	if (pr(PR_SET_VMA, 0, (uintptr_t)m, 0, 0) == -1 && errno == EINVAL)
		SKIP("the kernel was built without CONFIG_ANON_VMA_NAME");
	CHECK_EQ(pr(PR_SET_VMA, 0, (uintptr_t)m + PAGE, PAGE, (uintptr_t) "my heap"), 0);
	CHECK(in_maps("[anon:my heap]"));
	CHECK_ERR(pr(PR_SET_VMA, 1, (uintptr_t)m, PAGE, (uintptr_t) "x"), EINVAL);
	CHECK_ERR(pr(PR_SET_VMA, 0, (uintptr_t)m + 1, PAGE, (uintptr_t) "x"), EINVAL);
	CHECK_ERR(pr(PR_SET_VMA, 0, (uintptr_t)m, PAGE, (uintptr_t) "a[b"), EINVAL);
	CHECK_ERR(pr(PR_SET_VMA, 0, (uintptr_t)m, PAGE, 8), EFAULT);
	CHECK_ERR(pr(PR_SET_VMA, 0, (uintptr_t)file, PAGE, (uintptr_t) "x"), EBADF);
	memset(text, 'a', sizeof(text));
	text[80] = '\0';
	CHECK_ERR(pr(PR_SET_VMA, 0, (uintptr_t)m, PAGE, (uintptr_t)text), EINVAL);
	text[79] = '\0';
	CHECK_EQ(pr(PR_SET_VMA, 0, (uintptr_t)m, PAGE, (uintptr_t)text), 0);
	CHECK_EQ(munmap(m + 2 * PAGE, PAGE), 0);
	CHECK_ERR(pr(PR_SET_VMA, 0, (uintptr_t)m, 4 * PAGE, (uintptr_t) "holes"), ENOMEM);
	CHECK(in_maps("[anon:holes]") && !in_maps("[anon:my heap]"));
	CHECK_EQ(WEXITSTATUS(IN_CHILD(_exit(in_maps("[anon:holes]")))), 1);
	CHECK_EQ(pr(PR_SET_VMA, 0, (uintptr_t)m, 2 * PAGE, 0), 0);
	CHECK_EQ(pr(PR_SET_VMA, 0, (uintptr_t)m + 3 * PAGE, PAGE, 0), 0);
	CHECK(!in_maps("[anon:"));
}

/* ---- syscall user dispatch ---- */

static volatile char selector;
static volatile int dispatched;
static siginfo_t dispatch_info;

static void on_dispatch(int sig, siginfo_t *si, void *uc)
{
	ucontext_t *u = uc;

	(void)sig;
	selector = 0;
	dispatched++;
	dispatch_info = *si;
	u->uc_mcontext.gregs[REG_RAX] += 100000;
}

CASE(syscall_user_dispatch, "prctl")
{
	struct sigaction sa = { .sa_sigaction = on_dispatch, .sa_flags = SA_SIGINFO };
	int st;

	CHECK_ERR(pr(PR_SET_SYSCALL_USER_DISPATCH, 0, 1, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, (uintptr_t)&selector), EINVAL);
	CHECK_ERR(pr(PR_SET_SYSCALL_USER_DISPATCH, 9, 0, 0, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_SYSCALL_USER_DISPATCH, 1, 1, -1, 0), EINVAL);
	CHECK_ERR(pr(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, 1ULL << 62), EFAULT);
	CHECK_EQ(sigaction(SIGSYS, &sa, NULL), 0);
	CHECK_EQ(pr(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, (uintptr_t)&selector), 0);
	CHECK(syscall(SYS_getppid) > 0);
	selector = 1;
	CHECK_EQ(syscall(SYS_getppid), 100000 + SYS_getppid);
	CHECK_EQ(dispatched, 1);
	CHECK_EQ(dispatch_info.si_code, 2);
	CHECK_EQ(dispatch_info.si_errno, 0);
	CHECK_EQ(dispatch_info.si_syscall, SYS_getppid);
	/* A child starts without. */
	st = IN_CHILD({
		selector = 1;
		_exit(syscall(SYS_getppid) > 0 && dispatched == 1);
	});
	CHECK_EQ(WEXITSTATUS(st), 1);
	st = IN_CHILD({
		pr(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, (uintptr_t)&selector);
		selector = 7;
		syscall(SYS_getppid);
	});
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
	/* Calls from the whole of the program's code pass. */
	CHECK_EQ(pr(PR_SET_SYSCALL_USER_DISPATCH, 1, stat_field(26), stat_field(27) - stat_field(26),
		    (uintptr_t)&selector), 0);
	selector = 1;
	CHECK(syscall(SYS_getppid) > 0);
	CHECK_EQ(dispatched, 1);
	CHECK_EQ(pr(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0), 0);
}

CASE(state_components, "arch_prctl")
{
	uint64_t supported = 0, permitted = 0;

	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_XCOMP_SUPP, &supported), 0);
	CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_XCOMP_PERM, &permitted), 0);
	CHECK((supported & 3) == 3 && (permitted & ~supported) == 0);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_XCOMP_SUPP, 8), EFAULT);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, 64), EINVAL);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, 2), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, 0), EEXIST);
	CHECK_ERR(syscall(SYS_arch_prctl, 0x5001, 1), EINVAL);
}

MAIN()
