/* The pid table and the kernel log. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "sentry/kernel.h"
#include "sentry/klog.h"
#include "sentry/task/pid.h"

/* ---- the world around ---- */

static struct kernel k;
static uint64_t uptime;

void task_get(struct task *t)
{
	(void)t;
}
void tgroup_get(struct tgroup *tg)
{
	(void)tg;
}
void tgroup_put(struct tgroup *tg)
{
	(void)tg;
}
void session_get(struct session *s)
{
	(void)s;
}
void session_put(struct session *s)
{
	(void)s;
}
bool signal_pending(const struct task *t)
{
	(void)t;
	return false;
}
int ktimer_arm(struct kernel *kk, struct ktimer *tm, uint64_t deadline)
{
	(void)kk;
	(void)tm;
	(void)deadline;
	return 0;
}
void ktimer_cancel(struct kernel *kk, struct ktimer *tm)
{
	(void)kk;
	(void)tm;
}
uint64_t kernel_uptime_ns(const struct kernel *kk)
{
	(void)kk;
	return uptime;
}

/* ---- pids ---- */

static struct tgroup *process(int id)
{
	struct tgroup *tg = calloc(1, sizeof(*tg));

	tg->k = &k;
	tg->tgid = pid_alloc(&k, id);
	list_init(&tg->pgrp_link);
	pid_add_tgroup(tg);
	return tg;
}

Test(pid, numbers_rise_and_wrap_past_the_reserved)
{
	cr_assert_eq(pidtab_init(&k), 0);
	cr_assert_eq(pid_alloc(&k, 0), 1);
	process(1);
	cr_assert_eq(pid_alloc(&k, 0), 2);
	k.pids->last = PID_MAX - 1;
	cr_assert_eq(pid_alloc(&k, 0), 300);
	pidtab_fini(&k);
}

Test(pid, a_wanted_number)
{
	cr_assert_eq(pidtab_init(&k), 0);
	cr_assert_eq(pid_alloc(&k, 77), 77);
	process(77);
	cr_assert_eq(pid_alloc(&k, 77), -LX_EEXIST);
	cr_assert_eq(pid_alloc(&k, PID_MAX), -LX_EINVAL);
	pidtab_fini(&k);
}

Test(pid, a_group_or_session_keeps_its_number)
{
	struct session s = { .sid = 5 };
	struct tgroup *leader, *member, *next;

	cr_assert_eq(pidtab_init(&k), 0);
	leader = process(5);
	member = process(6);
	tgroup_set_pgid(leader, 5);
	tgroup_set_session(leader, &s);
	tgroup_set_pgid(member, 5);
	tgroup_set_session(member, &s);
	cr_assert(pgrp_exists_in_session(&k, 5, 5));
	cr_assert(!pgrp_exists_in_session(&k, 5, 6));
	pid_del_tgroup(leader);
	cr_assert_null(tgroup_peek(&k, 5));
	cr_assert_eq(pid_alloc(&k, 5), -LX_EEXIST, "group 5 still has a member");
	next = tgroup_next(&k, 0);
	cr_assert_eq(next, member);
	cr_assert_null(tgroup_next(&k, 6));
	pid_del_tgroup(member);
	cr_assert_eq(pid_alloc(&k, 5), 5);
	pidtab_fini(&k);
}

/* ---- the log ---- */

Test(klog, lines_as_dmesg_prints_them)
{
	char buf[256];
	uint64_t pos = 0;
	size_t n;

	cr_assert_eq(klog_init(&k), 0);
	uptime = 1234567000;
	klog_printf(&k, "hello %d\nworld", 7);
	n = klog_read(&k, &pos, buf, sizeof(buf));
	buf[n] = '\0';
	cr_assert_str_eq(buf, "<6>[    1.234567] hello 7?world\n");
	cr_assert_eq(klog_read(&k, &pos, buf, sizeof(buf)), 0);
	klog_fini(&k);
}

Test(klog, the_oldest_lines_go)
{
	char *buf = malloc(KLOG_SIZE);
	uint64_t pos = 0, tail;
	size_t n;

	cr_assert_eq(klog_init(&k), 0);
	for (int i = 0; i < 2000; i++)
		klog_printf(&k, "line %d", i);
	n = klog_read(&k, &pos, buf, KLOG_SIZE);
	cr_assert_gt(n, KLOG_SIZE - 100);
	cr_assert_eq(buf[0], '<', "it begins with a whole line");
	cr_assert_eq(buf[n - 1], '\n');
	tail = klog_tail(&k, 0, 100);
	n = klog_read(&k, &tail, buf, KLOG_SIZE);
	cr_assert_leq(n, 100);
	buf[n - 1] = '\0';
	cr_assert_str_eq(strrchr(buf, ']') + 1, " line 1999");
	klog_fini(&k);
	free(buf);
}
