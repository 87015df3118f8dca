/* The system's name, memory, randomness, log, and small calls without another home. */
#include <stdlib.h>
#include <string.h>

#include "platform/base/auto.h"
#include "sentry/fs/proc/hostinfo.h"
#include "sentry/kernel.h"
#include "sentry/klog.h"
#include "sentry/mm/mm.h"
#include "sentry/mm/usercopy.h"
#include "sentry/task/task.h"
#include "syscalls/abi/lx_cap.h"
#include "syscalls/abi/lx_membarrier.h"
#include "syscalls/abi/lx_prctl.h"
#include "syscalls/abi/lx_random.h"
#include "syscalls/abi/lx_sysinfo.h"
#include "syscalls/abi/lx_syslog.h"
#include "syscalls/abi/lx_utsname.h"
#include "syscalls/syscall_args.h"

/* ---- names ---- */

static void put_name(char to[LX_UTS_LEN + 1], const char *from)
{
	size_t n = strlen(from);

	memcpy(to, from, n < LX_UTS_LEN ? n : LX_UTS_LEN);
}

long sys_uname(struct task *t, const struct uname_args *a)
{
	struct lx_utsname u;

	memset(&u, 0, sizeof(u));
	put_name(u.sysname, KERNEL_SYSNAME);
	put_name(u.nodename, t->k->hostname);
	put_name(u.release, KERNEL_RELEASE);
	put_name(u.version, KERNEL_VERSION);
	put_name(u.machine,
		 (t->personality & LX_PER_MASK) == LX_PER_LINUX32 ? "i686" : KERNEL_MACHINE);
	put_name(u.domainname, t->k->domainname);
	return copy_out(t, a->name, &u, sizeof(u));
}

static long set_name(struct task *t, char to[LX_UTS_LEN + 1], struct uaddr name, int len)
{
	char buf[LX_UTS_LEN + 1] = "";

	if (!task_capable(t, LX_CAP_SYS_ADMIN))
		return -LX_EPERM;
	if (len < 0 || len > LX_UTS_LEN)
		return -LX_EINVAL;
	if (copy_in(t, buf, name, (size_t)len))
		return -LX_EFAULT;
	memcpy(to, buf, sizeof(buf));
	return 0;
}

long sys_sethostname(struct task *t, const struct sethostname_args *a)
{
	return set_name(t, t->k->hostname, a->name, a->len);
}

long sys_setdomainname(struct task *t, const struct setdomainname_args *a)
{
	return set_name(t, t->k->domainname, a->name, a->len);
}

/* Linux remembers any value; what it means is up to who looks at it. */
long sys_personality(struct task *t, const struct personality_args *a)
{
	uint64_t old = t->personality;

	if (a->personality != LX_PERSONALITY_QUERY)
		t->personality = a->personality;
	return (long)old;
}

/* ---- the machine ---- */

long sys_sysinfo(struct task *t, const struct sysinfo_args *a)
{
	struct lx_sysinfo si;
	struct host_mem m;

	sandbox_mem(t->k, &m);
	memset(&si, 0, sizeof(si));
	si.uptime = (int64_t)(kernel_uptime_ns(t->k) / 1000000000ULL);
	/* sysinfo(2) has 16 fractional bits, as the host's. */
	memcpy(si.loads, m.loads, sizeof(si.loads));
	si.totalram = m.total;
	si.freeram = m.free;
	si.sharedram = m.shared;
	si.bufferram = m.buffers;
	si.totalswap = m.swap_total;
	si.freeswap = m.swap_free;
	si.procs = t->k->ntasks < UINT16_MAX ? (uint16_t)t->k->ntasks : UINT16_MAX;
	si.mem_unit = 1;
	return copy_out(t, a->info, &si, sizeof(si));
}

/* Only the thread itself can tell where it runs. The addresses are its own memory. */
long sys_getcpu(struct task *t, const struct getcpu_args *a)
{
	if (a->cpup.v > PLAT_GUEST_MAX - sizeof(uint32_t) ||
	    a->nodep.v > PLAT_GUEST_MAX - sizeof(uint32_t))
		return -LX_EFAULT;
	return task_do_last(t, (struct plat_cmd){ .op = PLAT_CMD_GETCPU, .fd = -1,
						  .a = { a->cpup.v, a->nodep.v } });
}

/* The threads of a process are threads of one host process: the host's barrier is theirs,
 * and it remembers who registered. */
long sys_membarrier(struct task *t, const struct membarrier_args *a)
{
	const uint32_t known = LX_MEMBARRIER_CMD_GLOBAL | LX_MEMBARRIER_CMD_GLOBAL_EXPEDITED |
			       LX_MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
			       LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED |
			       LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
			       LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
			       LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
	const uint32_t offered = known & plat_caps(t->k->plat)->membarrier;
	const uint32_t cmd = (uint32_t)a->cmd;

	if (a->flags)
		return -LX_EINVAL;
	if (cmd == LX_MEMBARRIER_CMD_QUERY)
		return (long)offered;
	if ((cmd & (cmd - 1)) || !(cmd & offered))
		return -LX_EINVAL;
	/* The platform may have registered for its own ends. */
	if (cmd == LX_MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE)
		t->mm->flags |= MMF_SYNC_CORE;
	if (cmd == LX_MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE && !(t->mm->flags & MMF_SYNC_CORE))
		return -LX_EPERM;
	return task_do_last(t, (struct plat_cmd){ .op = PLAT_CMD_MEMBARRIER, .fd = -1,
						  .a = { cmd } });
}

/* ---- randomness ---- */

#define RANDOM_CHUNK 65536u
#define RANDOM_MAX 33554431u

long sys_getrandom(struct task *t, const struct getrandom_args *a)
{
	uint64_t len = a->len < RANDOM_MAX ? a->len : RANDOM_MAX, done = 0;
	AUTO_FREE uint8_t *big = NULL;
	uint8_t small[256], *buf = small;
	size_t room = sizeof(small);

	if ((a->flags & ~(LX_GRND_NONBLOCK | LX_GRND_RANDOM | LX_GRND_INSECURE)) ||
	    (a->flags & (LX_GRND_RANDOM | LX_GRND_INSECURE)) ==
		    (LX_GRND_RANDOM | LX_GRND_INSECURE))
		return -LX_EINVAL;
	if (len > room) {
		big = malloc(RANDOM_CHUNK);
		if (big != NULL) {
			buf = big;
			room = RANDOM_CHUNK;
		}
	}
	while (done < len) {
		size_t n = len - done < room ? (size_t)(len - done) : room;

		krandom(buf, n);
		if (copy_out(t, uaddr_add(a->ubuf, done), buf, n))
			return done != 0 ? (long)done : -LX_EFAULT;
		done += n;
		if (done == len || n < RANDOM_CHUNK)
			continue;
		/* Others may go on between the chunks, and signals come through. */
		if (signal_pending(t))
			break;
		kernel_release_host(t->k);
		kernel_reacquire_host(t->k);
	}
	return (long)done;
}

/* ---- the kernel log ---- */

static long log_out(struct task *t, const struct syslog_args *a, uint64_t *pos)
{
	size_t room = (size_t)a->len < KLOG_SIZE ? (size_t)a->len : KLOG_SIZE, n;
	AUTO_FREE char *buf = malloc(room);

	if (buf == NULL)
		return -LX_ENOMEM;
	n = klog_read(t->k, pos, buf, room);
	return copy_out(t, a->buf, buf, n) ? -LX_EFAULT : (long)n;
}

static long log_read(struct task *t, const struct syslog_args *a)
{
	struct klog *l = t->k->klog;
	long err;

	if (l->read_pos < l->end)
		return log_out(t, a, &l->read_pos);
	err = task_enrol(t, &l->readers);
	return err ? err : task_park(t, LX_ERESTARTSYS);
}

long sys_syslog(struct task *t, const struct syslog_args *a)
{
	struct klog *l = t->k->klog;
	uint64_t pos;
	long n;

	if (a->type != LX_SYSLOG_READ_ALL && a->type != LX_SYSLOG_SIZE_BUFFER &&
	    !task_capable(t, LX_CAP_SYSLOG))
		return -LX_EPERM;
	switch (a->type) {
	case LX_SYSLOG_CLOSE:
	case LX_SYSLOG_OPEN:
	case LX_SYSLOG_CONSOLE_OFF:
	case LX_SYSLOG_CONSOLE_ON:
		return 0;
	case LX_SYSLOG_READ:
	case LX_SYSLOG_READ_ALL:
	case LX_SYSLOG_READ_CLEAR:
		if (a->buf.v == 0 || a->len < 0)
			return -LX_EINVAL;
		if (a->len == 0)
			return 0;
		if (a->type == LX_SYSLOG_READ)
			return log_read(t, a);
		pos = klog_tail(t->k, l->clear_pos, (size_t)a->len);
		n = log_out(t, a, &pos);
		if (n >= 0 && a->type == LX_SYSLOG_READ_CLEAR)
			l->clear_pos = l->end;
		return n;
	case LX_SYSLOG_CLEAR:
		l->clear_pos = l->end;
		return 0;
	case LX_SYSLOG_CONSOLE_LEVEL:
		return a->len >= 1 && a->len <= 8 ? 0 : -LX_EINVAL;
	case LX_SYSLOG_SIZE_UNREAD:
		pos = l->read_pos > l->start ? l->read_pos : l->start;
		return (long)(l->end - pos);
	case LX_SYSLOG_SIZE_BUFFER:
		return KLOG_SIZE;
	default:
		return -LX_EINVAL;
	}
}

long sys_sched_yield(struct task *t, const struct sched_yield_args *a)
{
	(void)t;
	(void)a;
	return 0;
}
