/* The ELF loader, tried out for real: the image of a host program is built, a child
 * process carries out its commands and writes on itself and jumps to the entry. What the
 * program then prints shows that segments, bss, stack, auxv and interpreter are right. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sentry/ipc/shm.h"
#include "sentry/loader/loader_impl.h"
#include "sentry/mm/vma.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_resource.h"

/* ---- the world around ---- */

struct host_file {
	struct file f; /* first */
	int fd;
};

static struct plat_caps caps;
static uint64_t stack_limit;

static int host_mmap(struct file *f, struct file_map *m)
{
	m->host_fd = dup(((struct host_file *)(void *)f)->fd);
	m->host_off = m->off;
	return m->host_fd < 0 ? -errno : 0;
}
static const struct file_ops host_ops = { .name = "host", .mmap = host_mmap };

static int open_host(const char *path, struct file **out)
{
	struct host_file *h = calloc(1, sizeof(*h));

	h->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (h->fd < 0) {
		free(h);
		return -errno;
	}
	refs_init(&h->f.refs, "file");
	h->f.ops = &host_ops;
	h->f.mode = FMODE_READ | FMODE_EXEC;
	*out = &h->f;
	return 0;
}
void file_get(struct file *f)
{
	refs_get(&f->refs);
}
void file_put(struct file *f)
{
	if (!refs_put(&f->refs))
		return;
	close(((struct host_file *)(void *)f)->fd);
	free(f);
}
int64_t file_pread_kernel(struct file *f, void *buf, size_t len, int64_t pos)
{
	ssize_t n = pread(((struct host_file *)(void *)f)->fd, buf, len, pos);

	return n < 0 ? -errno : n;
}
int vfs_open_exec(struct task *t, int dfd, const char *name, uint32_t flags, struct file **out)
{
	(void)t, (void)dfd, (void)flags;
	return open_host(name, out);
}
void shm_vma_open(struct shm_segment *s)
{
	(void)s;
}
void shm_vma_close(struct shm_segment *s)
{
	(void)s;
}
int shmem_file_new(struct kernel *k, const struct cred *c, const char *name, uint64_t size,
		   uint32_t mode, struct file **out)
{
	(void)k, (void)c, (void)name, (void)size, (void)mode, (void)out;
	return -LX_ENOMEM;
}
uint64_t rlimit_cur(const struct task *t, unsigned which)
{
	(void)t;
	return which == LX_RLIMIT_STACK ? stack_limit : LX_RLIM_INFINITY;
}
bool task_capable(const struct task *t, int cap)
{
	(void)t, (void)cap;
	return false;
}
struct task *task_lookup(struct kernel *k, int tid)
{
	(void)k, (void)tid;
	return NULL;
}
void task_put(struct task *t)
{
	(void)t;
}
void plat_as_put(struct plat_as *as)
{
	(void)as;
}
const struct plat_caps *plat_caps(const struct plat *p)
{
	(void)p;
	return &caps;
}
void krandom(void *buf, unsigned long len)
{
	cr_assert_eq(getentropy(buf, len), 0);
}

/* ---- running an image ---- */

static struct kernel kern;
static struct task task;
static struct cred cred;

static void setup(void)
{
	memset(&task, 0, sizeof(task));
	stack_limit = 8 << 20;
	caps.vdso_start = getauxval(AT_SYSINFO_EHDR);
	caps.vdso_end = caps.vdso_start + 0x2000;
	cred.uid = cred.euid = getuid();
	cred.gid = cred.egid = getgid();
	task.k = &kern;
	task.cred = &cred;
}

static int load(char **argv, char **envp, struct exec_image *img)
{
	struct exec_args a = { .argv = argv, .envp = envp, .filename = argv[0], .cred = &cred };
	int err = open_host(argv[0], &a.file);

	cr_assert_eq(err, 0);
	while (argv[a.argc])
		a.argc++;
	while (envp[a.envc])
		a.envc++;
	err = loader_load(&task, &a, img);
	file_put(a.file);
	return err;
}

/* In the child. Exit status 99: the addresses were taken, try again. */
static _Noreturn void become(struct exec_image *img, int out)
{
	dup2(out, 1);
	for (unsigned i = 0; i < img->nbatches; i++) {
		for (unsigned j = 0; j < img->batches[i].count; j++) {
			const struct plat_cmd *c = &img->batches[i].cmd[j];
			unsigned char vec;

			if (c->op != PLAT_CMD_MMAP)
				_exit(98);
			/* Is something of this process there? */
			for (uint64_t p = c->a[0]; i + j == 0 && p < c->a[0] + c->a[1]; p += 4096)
				if (mincore((void *)p, 4096, &vec) == 0)
					_exit(99);
			if (mmap((void *)c->a[0], c->a[1], (int)c->a[2], (int)c->a[3], c->fd,
				 (off_t)c->a[5]) == MAP_FAILED)
				_exit(97);
		}
	}
	for (unsigned i = 0; i < img->nwrites; i++)
		memcpy((void *)img->writes[i].addr, img->writes[i].data, img->writes[i].len);
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov %1, %%rcx\n\t"
			 "xor %%eax, %%eax\n\txor %%ebx, %%ebx\n\txor %%edx, %%edx\n\t"
			 "xor %%ebp, %%ebp\n\txor %%esi, %%esi\n\txor %%edi, %%edi\n\t"
			 "jmp *%%rcx"
			 :
			 : "r"(img->sp), "r"(img->entry)
			 : "memory");
	__builtin_unreachable();
}

/* Load argv[0] and run it: its output into buf, its wait status. */
static int run(char **argv, char **envp, char *buf, size_t size)
{
	for (int tries = 0; tries < 20; tries++) {
		struct exec_image img;
		int p[2], status;
		size_t n = 0;
		ssize_t r;
		pid_t pid;

		cr_assert_eq(load(argv, envp, &img), 0);
		cr_assert_eq(img.sp % 16, 0);
		cr_assert_eq(pipe(p), 0);
		pid = fork();
		if (pid == 0)
			become(&img, p[1]);
		close(p[1]);
		while ((r = read(p[0], buf + n, size - 1 - n)) > 0)
			n += (size_t)r;
		buf[n] = '\0';
		close(p[0]);
		waitpid(pid, &status, 0);
		exec_image_fini(&img);
		if (!(WIFEXITED(status) && WEXITSTATUS(status) == 99))
			return status;
	}
	cr_assert_fail("no free addresses");
	return -1;
}

static char *no_env[] = { NULL };

TestSuite(loader, .init = setup);

Test(loader, dynamic_program)
{
	char *argv[] = { "/bin/echo", "hello", "there", NULL };
	char buf[256];

	cr_assert_eq(run(argv, no_env, buf, sizeof(buf)), 0, "%s", buf);
	cr_assert_str_eq(buf, "hello there\n");
}

Test(loader, environment)
{
	char *argv[] = { "/usr/bin/env", NULL };
	char *envp[] = { "A=1", "LONGER=some text", "EMPTY=", NULL };
	char buf[256];

	cr_assert_eq(run(argv, envp, buf, sizeof(buf)), 0);
	cr_assert_str_eq(buf, "A=1\nLONGER=some text\nEMPTY=\n");
}

/* ld.so shows the vector it was given. */
Test(loader, auxiliary_vector)
{
	char *argv[] = { "/bin/true", NULL };
	char *envp[] = { "LD_SHOW_AUXV=1", NULL };
	char buf[4096], want[64];

	cr_assert_eq(run(argv, envp, buf, sizeof(buf)), 0);
	cr_assert_not_null(strstr(buf, "AT_PAGESZ:            4096\n"), "%s", buf);
	cr_assert_not_null(strstr(buf, "AT_EXECFN:            /bin/true\n"), "%s", buf);
	cr_assert_not_null(strstr(buf, "AT_PLATFORM:          x86_64\n"), "%s", buf);
	snprintf(want, sizeof(want), "AT_UID:               %u\n", getuid());
	cr_assert_not_null(strstr(buf, want), "%s", buf);
}

/* The loader itself as the program: position-independent, without an interpreter. */
Test(loader, loader_as_program)
{
	char *argv[] = { "/lib64/ld-linux-x86-64.so.2", "/bin/echo", "through ld.so", NULL };
	char buf[256];

	cr_assert_eq(run(argv, no_env, buf, sizeof(buf)), 0);
	cr_assert_str_eq(buf, "through ld.so\n");
}

static void compile(const char *src, const char *flags, char path[64])
{
	char cmd[512];
	FILE *f;

	snprintf(path, 64, "/tmp/test_loader.%d", (int)getpid());
	snprintf(cmd, sizeof(cmd), "cc -x c %s -o %s -", flags, path);
	f = popen(cmd, "w");
	fputs(src, f);
	cr_assert_eq(pclose(f), 0);
}

static const char bss_program[] =
	"#include <stdio.h>\n"
	"char big[300000]; int data = 7;\n"
	"int main(int c, char **v) { long s = 0; for (int i = 0; i < 300000; i++) s += big[i];\n"
	"big[299999] = 1; printf(\"%ld %d %s\\n\", s, data, v[c - 1]); return 5; }\n";

static void try_bss(const char *flags)
{
	char path[64], buf[64], *argv[] = { path, "last", NULL };
	int status;

	compile(bss_program, flags, path);
	status = run(argv, no_env, buf, sizeof(buf));
	unlink(path);
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 5, "status %x", (unsigned)status);
	cr_assert_str_eq(buf, "0 7 last\n");
}

Test(loader, fixed_static)
{
	try_bss("-static -no-pie");
}

Test(loader, static_pie)
{
	try_bss("-static-pie");
}

Test(loader, fixed_dynamic)
{
	try_bss("-no-pie");
}

Test(loader, without_randomness)
{
	char *argv[] = { "/bin/true", NULL };
	struct exec_image a, b;

	task.personality = LX_ADDR_NO_RANDOMIZE;
	cr_assert_eq(load(argv, no_env, &a), 0);
	cr_assert_eq(load(argv, no_env, &b), 0);
	cr_assert_eq(a.entry, b.entry);
	cr_assert_eq(a.sp, b.sp);
	cr_assert_eq(PAGE_DOWN(a.mm->start_code) >> 20, 0x555555554000 >> 20);
	exec_image_fini(&a);
	exec_image_fini(&b);
}

/* A small stack limit still leaves room for the arguments. */
Test(loader, small_stack)
{
	char *argv[] = { "/bin/echo", "x", NULL };
	struct exec_image img;

	stack_limit = 4096;
	cr_assert_eq(load(argv, no_env, &img), 0);
	cr_assert_geq(img.mm->stack_size, 128 << 10);
	cr_assert_eq(img.mm->stack_top - img.mm->stack_size,
		     vma_at(img.mm->vmas, img.mm->stack_top - 1)->start);
	exec_image_fini(&img);
}

/* Damaged headers: an error, never a crash. */
Test(loader, damaged)
{
	uint8_t elf[4096];
	char path[] = "/tmp/test_loader.XXXXXX", *argv[] = { path, NULL };
	int fd = open("/bin/true", O_RDONLY), out = mkstemp(path);
	unsigned seed = 4711;

	cr_assert_eq(read(fd, elf, sizeof(elf)), (ssize_t)sizeof(elf));
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t copy[sizeof(elf)];
		struct exec_image img;

		memcpy(copy, elf, sizeof(copy));
		for (unsigned j = 0; j <= i % 4; j++)
			copy[(unsigned)rand_r(&seed) % 1024] = (uint8_t)rand_r(&seed);
		cr_assert_eq(pwrite(out, copy, sizeof(copy), 0), (ssize_t)sizeof(copy));
		if (load(argv, no_env, &img) == 0)
			exec_image_fini(&img);
		else
			cr_assert_null(img.mm);
	}
	close(fd);
	close(out);
	unlink(path);
}
