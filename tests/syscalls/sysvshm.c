/* System V shared memory: ids, limits, attaching at places. */
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>

#include "tests/harness/guest.h"

#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

static int segment(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600);

	CHECK(id >= 0);
	return id;
}

static void drop(int id)
{
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static unsigned long attached(int id)
{
	struct shmid_ds ds;

	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	return ds.shm_nattch;
}

CASE(shmget_errors, "shmget")
{
	key_t key = 0x57300000 + getpid();
	int id;

	CHECK_ERR(shmget(IPC_PRIVATE, 0, 0600), EINVAL);
	CHECK_ERR(shmget(IPC_PRIVATE, (size_t)-1, 0600), EINVAL);
	CHECK_ERR(shmget(key, 4096, 0600), ENOENT);
	CHECK_ERR(shmget(IPC_PRIVATE, 2 << 20, SHM_HUGETLB | 0600), ENOMEM);
	id = shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(shmget(key, 5000, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_ERR(shmget(key, 5001, 0), EINVAL);
	CHECK_EQ(shmget(key, 0, 0), id);
	drop(id);
	CHECK_ERR(shmget(key, 0, 0), ENOENT);
}

CASE(places, "shmat,shmdt")
{
	int id = segment(8192), id2 = segment(4096);
	char *a = shmat(id, NULL, 0), *b;

	CHECK(a != (void *)-1);
	CHECK_ERR((intptr_t)shmat(id2, a, 0), EINVAL);
	CHECK_ERR((intptr_t)shmat(id2, a + 1, 0), EINVAL);
	CHECK_ERR((intptr_t)shmat(id2, NULL, SHM_REMAP), EINVAL);
	a[4096] = 'x';
	b = shmat(id2, a + 100, SHM_REMAP | SHM_RND);
	CHECK(b == a);
	CHECK_EQ(attached(id), 1); /* its second page */
	CHECK_EQ(attached(id2), 1);
	CHECK_EQ(a[4096], 'x');
	CHECK_EQ(shmdt(b), 0);
	CHECK_EQ(attached(id2), 0);
	CHECK_EQ(munmap(a + 4096, 4096), 0);
	CHECK_EQ(attached(id), 0);
	CHECK_ERR(shmdt(a), EINVAL);
	CHECK_ERR((intptr_t)shmat(-1, NULL, 0), EINVAL);
	drop(id);
	drop(id2);
}

CASE(fork_and_remove, "shmat,shmctl")
{
	int id = segment(4096);
	volatile int *p = shmat(id, NULL, 0);
	struct shmid_ds ds;

	*p = 1;
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(attached(id), 2);
		*p = 2;
		CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
	}), 0);
	CHECK_EQ(*p, 2);
	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0); /* lives on, without a key */
	CHECK_EQ(ds.shm_nattch, 1);
	CHECK(ds.shm_perm.mode & SHM_DEST);
	CHECK_EQ(shmdt((void *)(uintptr_t)p), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
}

CASE(info, "shmctl")
{
	int id = segment(10000), top, found = 0;
	struct shminfo si;
	struct shm_info inf;
	struct shmid_ds ds;
	char *p = shmat(id, NULL, 0);

	memset(p, 1, 10000);
	top = shmctl(0, SHM_INFO, (void *)&inf);
	CHECK(top >= 0);
	CHECK(inf.used_ids >= 1 && inf.shm_tot >= 3 && inf.shm_rss >= 3);
	CHECK_EQ(shmctl(0, IPC_INFO, (void *)&si), top);
	CHECK_EQ(si.shmmni, 4096);
	CHECK_EQ(si.shmmin, 1);
	for (int i = 0; i <= top; i++)
		if (shmctl(i, SHM_STAT, &ds) == id)
			found = shmctl(i, SHM_STAT_ANY, &ds) == id && ds.shm_segsz == 10000;
	CHECK(found);
	CHECK_EQ(ds.shm_cpid, getpid());
	CHECK_EQ(ds.shm_lpid, getpid());
	CHECK_ERR(shmctl(id, 99, &ds), EINVAL);
	CHECK_ERR(shmctl(id, -1, &ds), EINVAL);
	CHECK_ERR(shmctl(id, IPC_STAT, (void *)8), EFAULT);
	drop(id);
}

CASE(locking, "shmctl")
{
	struct rlimit rl = { 8192, 8192 };
	struct shmid_ds ds;
	int id = segment(4096), other = segment(4096);

	if (getuid() != 0)
		SKIP("needs root");
	CHECK_EQ(shmctl(id, SHM_LOCK, NULL), 0);
	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	CHECK(ds.shm_perm.mode & SHM_LOCKED);
	CHECK_EQ(shmctl(id, SHM_UNLOCK, NULL), 0);
	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	CHECK(!(ds.shm_perm.mode & SHM_LOCKED));
	CHECK_EQ(IN_CHILD({
		CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &rl), 0);
		CHECK_EQ(setuid(1234), 0);
		CHECK_ERR(shmctl(other, SHM_LOCK, NULL), EPERM);
		int mine = segment(8192);
		int more = segment(4096);
		CHECK_EQ(shmctl(mine, SHM_LOCK, NULL), 0);
		CHECK_EQ(shmctl(mine, SHM_LOCK, NULL), 0);
		CHECK_ERR(shmctl(more, SHM_LOCK, NULL), ENOMEM);
		drop(mine);
		CHECK_EQ(shmctl(more, SHM_LOCK, NULL), 0);
		rl.rlim_cur = 0;
		CHECK_EQ(setrlimit(RLIMIT_MEMLOCK, &rl), 0);
		CHECK_ERR(shmctl(more, SHM_LOCK, NULL), EPERM);
		CHECK_EQ(shmctl(more, SHM_UNLOCK, NULL), 0);
		drop(more);
	}), 0);
	drop(id);
	drop(other);
}

CASE(proc_file, "shmget")
{
	char line[512], want[96];
	int id = segment(6000), found = 0;
	FILE *f = fopen("/proc/sysvipc/shm", "r");

	CHECK(f);
	CHECK(fgets(line, sizeof(line), f));
	CHECK(strstr(line, "shmid perms                  size  cpid  lpid nattch"));
	snprintf(want, sizeof(want), "%10d %10d  %4o %21u %5u %5u  %5u", 0, id, 0600, 6000,
		 (unsigned)getpid(), 0, 0);
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

#define K "/proc/sys/kernel/"

CASE(limits, "shmget,shmctl")
{
	int id, kept;
	struct shmid_ds ds;

	if (access(K "shmmax", W_OK))
		SKIP("settings cannot be written");
	CHECK_EQ(sysctl_put(K "shmmax", "8192\n"), 0);
	CHECK_ERR(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	CHECK_EQ(sysctl_put(K "shmmax", "18446744073692774399\n"), 0);
	CHECK_EQ(sysctl_put(K "shmall", "1\n"), 0);
	CHECK_ERR(shmget(IPC_PRIVATE, 8192, 0600), ENOSPC);
	CHECK_EQ(sysctl_put(K "shmall", "18446744073692774399\n"), 0);
	CHECK_EQ(sysctl_put(K "shmmni", "0\n"), 0);
	CHECK_ERR(shmget(IPC_PRIVATE, 8192, 0600), ENOSPC);
	CHECK_EQ(sysctl_put(K "shmmni", "4096\n"), 0);
	kept = segment(4096);
	CHECK_EQ(IN_CHILD(CHECK_EQ(segment(100) >= 0, 1)), 0);
	CHECK_EQ(sysctl_put(K "shm_rmid_forced", "1\n"), 0);
	/* Only what has no creator any more went. */
	CHECK_EQ(shmctl(kept, IPC_STAT, &ds), 0);
	CHECK_EQ(IN_CHILD(segment(4096)), 0);
	id = segment(4096);
	CHECK_EQ(shmdt(shmat(id, NULL, 0)), 0);
	CHECK_ERR(shmctl(id, IPC_STAT, &ds), EINVAL);
	CHECK_EQ(sysctl_put(K "shm_rmid_forced", "0\n"), 0);
	drop(kept);
}

MAIN()
