/* add_key(2), request_key(2), keyctl(2): keys of type user, logon and keyring. */
#include <linux/keyctl.h>

#include "tests/harness/guest.h"

#define KC(op, a, b, c, d) \
	syscall(SYS_keyctl, op, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d))

static long add(const char *type, const char *desc, const void *data, size_t len, int ring)
{
	return syscall(SYS_add_key, type, desc, data, len, ring);
}

static long request(const char *type, const char *desc, const char *info, int ring)
{
	return syscall(SYS_request_key, type, desc, info, ring);
}

#define SES KEY_SPEC_SESSION_KEYRING
#define SP(s) ((uintptr_t)(s))

/* A session keyring of the case's own. */
static int fresh(void)
{
	long ring = KC(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);

	CHECK(ring > 0);
	return (int)ring;
}

static void describes(int id, const char *want)
{
	char buf[256] = "";
	long n = KC(KEYCTL_DESCRIBE, id, SP(buf), sizeof(buf), 0);

	CHECK_EQ(n, strlen(buf) + 1);
	if (strcmp(buf, want) != 0)
		guest_fail(__FILE__, __LINE__, "\"%s\", not \"%s\"", buf, want);
}

CASE(add_arguments, "add_key")
{
	fresh();
	CHECK_ERR(add("user", NULL, "x", 1, SES), EINVAL);
	CHECK_ERR(add("user", "", "x", 1, SES), EINVAL);
	CHECK_ERR(add("user", "d", NULL, 0, SES), EINVAL);
	CHECK_ERR(add("user", "d", NULL, 4, SES), EFAULT);
	CHECK_ERR(add("user", (char *)8, "x", 1, SES), EFAULT);
	CHECK_ERR(add((char *)8, "d", "x", 1, SES), EFAULT);
	CHECK_ERR(add("user", "d", "x", 1 << 20, SES), EINVAL);
	CHECK_ERR(add("user", "d", "x", 1, 0), EINVAL);
	CHECK_ERR(add("user", "d", "x", 1, -6), EINVAL);
	CHECK_ERR(add("user", "d", "x", 1, 2), ENOKEY);
	CHECK_ERR(add("nope", "d", "x", 1, SES), ENODEV);
	CHECK_ERR(add("", "d", "x", 1, SES), EINVAL);
	CHECK_ERR(add("a type name that is longer than 32", "d", "x", 1, SES), EINVAL);
	CHECK_ERR(add(".user", "d", "x", 1, SES), EPERM);
	CHECK_ERR(add("keyring", ".d", NULL, 0, SES), EPERM);
	CHECK_ERR(add("keyring", "d", "x", 1, SES), EINVAL);
	CHECK_ERR(add("logon", "d", "x", 1, SES), EINVAL);
	CHECK_ERR(add("logon", ":d", "x", 1, SES), EINVAL);
}

CASE(user_key, "add_key,keyctl")
{
	char buf[16];
	int k;

	fresh();
	k = (int)add("user", "mine", "hello", 5, SES);
	CHECK(k > 0);
	describes(k, "user;0;0;3f010000;mine");
	CHECK_EQ(KC(KEYCTL_DESCRIBE, k, 0, 0, 0), 23);
	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(KC(KEYCTL_READ, k, SP(buf), 2, 0), 5);
	CHECK_EQ(buf[0], 'x');
	CHECK_EQ(KC(KEYCTL_READ, k, SP(buf), sizeof(buf), 0), 5);
	CHECK(!memcmp(buf, "hellox", 6));
	CHECK_ERR(KC(KEYCTL_READ, k, 8, 16, 0), EFAULT);
	/* Adding it again updates it. */
	CHECK_EQ(add("user", "mine", "other", 5, SES), k);
	CHECK_EQ(KC(KEYCTL_READ, k, SP(buf), sizeof(buf), 0), 5);
	CHECK(!memcmp(buf, "other", 5));
	CHECK_EQ(KC(KEYCTL_UPDATE, k, SP("longer!"), 7, 0), 0);
	CHECK_EQ(KC(KEYCTL_READ, k, 0, 0, 0), 7);
	CHECK_ERR(KC(KEYCTL_UPDATE, k, SP(buf), 0, 0), EINVAL);
	CHECK_ERR(KC(KEYCTL_UPDATE, k, SP(buf), 4097, 0), EINVAL);
	CHECK_ERR(KC(KEYCTL_UPDATE, SES, SP(buf), 1, 0), EOPNOTSUPP);
	CHECK_EQ(KC(KEYCTL_GET_SECURITY, k, SP(buf), 16, 0), 1);
	CHECK_EQ(buf[0], 0);
	CHECK_EQ(KC(KEYCTL_SEARCH, SES, SP("user"), SP("mine"), 0), k);
	CHECK_ERR(KC(KEYCTL_SEARCH, SES, SP("user"), SP("other"), 0), ENOKEY);
	CHECK_ERR(KC(KEYCTL_SEARCH, SES, SP("nope"), SP("mine"), 0), ENOKEY);
	CHECK_ERR(KC(KEYCTL_SEARCH, k, SP("user"), SP("mine"), 0), ENOTDIR);
	CHECK_EQ(request("user", "mine", NULL, 0), k);
	CHECK_ERR(request("user", "nobody", NULL, 0), ENOKEY);
	CHECK_ERR(request("nope", "mine", NULL, 0), ENOKEY);
}

CASE(logon_key_is_not_read, "add_key,keyctl")
{
	int k;

	fresh();
	k = (int)add("logon", "srv:me", "secret", 6, SES);
	describes(k, "logon;0;0;3d010000;srv:me");
	CHECK_ERR(KC(KEYCTL_READ, k, 0, 0, 0), EOPNOTSUPP);
	CHECK_EQ(KC(KEYCTL_UPDATE, k, SP("new"), 3, 0), 0);
}

CASE(special_keyrings, "keyctl")
{
	int ses = fresh(), id;

	CHECK_EQ(KC(KEYCTL_GET_KEYRING_ID, SES, 0, 0, 0), ses);
	describes(ses, "keyring;0;0;3f030000;_ses");
	CHECK_ERR(KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0, 0, 0), ENOKEY);
	CHECK_ERR(KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0), ENOKEY);
	id = (int)KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1, 0, 0);
	describes(id, "keyring;0;0;3f010000;_tid");
	id = (int)KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1, 0, 0);
	describes(id, "keyring;0;0;3f010000;_pid");
	id = (int)KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 0, 0, 0);
	describes(id, "keyring;0;65534;1f3f0000;_uid.0");
	id = (int)KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_SESSION_KEYRING, 0, 0, 0);
	describes(id, "keyring;0;65534;1f3f0000;_uid_ses.0");
	CHECK_ERR(KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_GROUP_KEYRING, 1, 0, 0), EINVAL);
	CHECK_ERR(KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_REQKEY_AUTH_KEY, 1, 0, 0), ENOKEY);
	CHECK_ERR(KC(KEYCTL_GET_KEYRING_ID, 0, 1, 0, 0), EINVAL);
	CHECK_EQ(KC(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0), 0);
	CHECK_EQ(KC(KEYCTL_SET_REQKEY_KEYRING, 3, 0, 0, 0), 0);
	CHECK_EQ(KC(KEYCTL_SET_REQKEY_KEYRING, -1, 0, 0, 0), 3);
	CHECK_ERR(KC(KEYCTL_SET_REQKEY_KEYRING, 6, 0, 0, 0), EINVAL);
}

CASE(inheritance, "keyctl,add_key")
{
	int ses = fresh(), k = (int)add("user", "x", "1", 1, KEY_SPEC_PROCESS_KEYRING), st;

	CHECK(k > 0);
	st = IN_CHILD({
		if (KC(KEYCTL_GET_KEYRING_ID, SES, 0, 0, 0) != ses)
			_exit(1);
		if (KC(KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 0, 0, 0) != -1)
			_exit(2);
		if (KC(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0) == ses)
			_exit(3);
		_exit(0);
	});
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK_EQ(KC(KEYCTL_GET_KEYRING_ID, SES, 0, 0, 0), ses);
	CHECK(KC(KEYCTL_JOIN_SESSION_KEYRING, SP("named"), 0, 0, 0) != ses);
	describes((int)KC(KEYCTL_GET_KEYRING_ID, SES, 0, 0, 0), "keyring;0;0;3f130000;named");
	CHECK_ERR(KC(KEYCTL_JOIN_SESSION_KEYRING, SP(".x"), 0, 0, 0), EPERM);
	CHECK_ERR(KC(KEYCTL_JOIN_SESSION_KEYRING, SP(""), 0, 0, 0), EINVAL);
	CHECK_ERR(KC(KEYCTL_JOIN_SESSION_KEYRING, 8, 0, 0, 0), EFAULT);
}

CASE(links, "keyctl,add_key")
{
	int r1, r2, k, ids[4] = { 0 };

	fresh();
	r1 = (int)add("keyring", "r1", NULL, 0, SES);
	r2 = (int)add("keyring", "r2", NULL, 0, r1);
	k = (int)add("user", "k", "v", 1, SES);
	CHECK(r1 > 0 && r2 > 0 && k > 0);
	CHECK_ERR(KC(KEYCTL_LINK, r1, r2, 0, 0), EDEADLK);
	CHECK_ERR(KC(KEYCTL_LINK, r1, r1, 0, 0), EDEADLK);
	CHECK_ERR(KC(KEYCTL_LINK, k, k, 0, 0), ENOTDIR);
	CHECK_EQ(KC(KEYCTL_LINK, k, r2, 0, 0), 0);
	CHECK_EQ(KC(KEYCTL_SEARCH, r1, SP("user"), SP("k"), 0), k);
	CHECK_EQ(KC(KEYCTL_READ, r2, SP(ids), sizeof(ids), 0), 4);
	CHECK_EQ(ids[0], k);
	CHECK_ERR(KC(KEYCTL_UNLINK, k, r1, 0, 0), ENOENT);
	CHECK_EQ(KC(KEYCTL_UNLINK, k, r2, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_UNLINK, k, r2, 0, 0), ENOENT);
	CHECK_EQ(KC(KEYCTL_MOVE, k, SES, r2, 0), 0);
	CHECK_ERR(KC(KEYCTL_MOVE, k, SES, r2, 0), ENOENT);
	CHECK_ERR(KC(KEYCTL_MOVE, k, r2, SES, 2), EINVAL);
	CHECK_EQ(KC(KEYCTL_MOVE, k, r2, r2, 0), 0);
	CHECK_EQ(KC(KEYCTL_LINK, k, SES, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_MOVE, k, r2, SES, KEYCTL_MOVE_EXCL), EEXIST);
	CHECK_ERR(KC(KEYCTL_CLEAR, k, 0, 0, 0), ENOTDIR);
	CHECK_EQ(KC(KEYCTL_CLEAR, r1, 0, 0, 0), 0);
	CHECK_EQ(KC(KEYCTL_READ, r1, SP(ids), sizeof(ids), 0), 0);
	CHECK_EQ(KC(KEYCTL_RESTRICT_KEYRING, r1, 0, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_RESTRICT_KEYRING, r1, 0, 0, 0), EEXIST);
	CHECK_ERR(KC(KEYCTL_LINK, k, r1, 0, 0), EPERM);
	CHECK_ERR(add("user", "new", "v", 1, r1), EPERM);
	CHECK_ERR(KC(KEYCTL_RESTRICT_KEYRING, SES, SP("user"), SP("x"), 0), ENOENT);
	CHECK_ERR(KC(KEYCTL_RESTRICT_KEYRING, SES, 0, SP("x"), 0), EINVAL);
	/* The last link takes the key along. */
	CHECK_EQ(KC(KEYCTL_UNLINK, k, SES, 0, 0), 0);
	CHECK_EQ(KC(KEYCTL_CLEAR, SES, 0, 0, 0), 0);
}

CASE(permissions, "keyctl")
{
	char buf[64];
	int k, st;

	fresh();
	k = (int)add("user", "k", "v", 1, SES);
	CHECK_ERR(KC(KEYCTL_SETPERM, k, 0xffffffff, 0, 0), EINVAL);
	CHECK_EQ(KC(KEYCTL_SETPERM, k, 0x3f000000, 0, 0), 0);
	/* Possession is by the session keyring; without it nothing is left. */
	st = IN_CHILD({
		fresh();
		if (KC(KEYCTL_READ, k, SP(buf), 64, 0) != -1 || errno != EACCES)
			_exit(1);
		if (KC(KEYCTL_DESCRIBE, k, SP(buf), 64, 0) != -1 || errno != EACCES)
			_exit(2);
		_exit(0);
	});
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK_EQ(KC(KEYCTL_CHOWN, k, -1, -1, 0), 0);
	CHECK_EQ(KC(KEYCTL_CHOWN, k, 1000, 1001, 0), 0);
	describes(k, "user;1000;1001;3f000000;k");
	CHECK_EQ(KC(KEYCTL_SETPERM, k, 0x3f030000, 0, 0), 0);
	st = IN_CHILD({
		if (setgid(1001) || setuid(1000))
			_exit(9);
		fresh();
		if (KC(KEYCTL_READ, k, SP(buf), 64, 0) != 1)
			_exit(1);
		if (KC(KEYCTL_UPDATE, k, SP("x"), 1, 0) != -1 || errno != EACCES)
			_exit(2);
		if (KC(KEYCTL_SETPERM, k, 0, 0, 0) != -1 || errno != EACCES)
			_exit(3);
		_exit(0);
	});
	CHECK_EQ(WEXITSTATUS(st), 0);
	CHECK_EQ(KC(KEYCTL_SETPERM, k, 0, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_READ, k, SP(buf), 64, 0), EACCES);
	CHECK_ERR(KC(KEYCTL_SETPERM, k, 0x3f3f0000, 0, 0), EACCES);
	CHECK_ERR(KC(KEYCTL_SEARCH, SES, SP("user"), SP("k"), 0), EACCES);
	CHECK_ERR(KC(KEYCTL_GET_SECURITY, k, SP(buf), 64, 0), ENOKEY);
}

CASE(ends_of_keys, "keyctl")
{
	int k, ring;

	fresh();
	k = (int)add("user", "k", "v", 1, SES);
	CHECK_EQ(KC(KEYCTL_REVOKE, k, 0, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_READ, k, 0, 0, 0), EKEYREVOKED);
	CHECK_ERR(KC(KEYCTL_DESCRIBE, k, 0, 0, 0), EKEYREVOKED);
	CHECK_ERR(KC(KEYCTL_REVOKE, k, 0, 0, 0), EKEYREVOKED);
	CHECK_ERR(KC(KEYCTL_SEARCH, SES, SP("user"), SP("k"), 0), EKEYREVOKED);
	CHECK(add("user", "k", "v", 1, SES) != k);
	k = (int)add("user", "k2", "v", 1, SES);
	CHECK_EQ(KC(KEYCTL_INVALIDATE, k, 0, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_DESCRIBE, k, 0, 0, 0), ENOKEY);
	/* Linux takes it off the ring a moment later. */
	CHECK_EQ(KC(KEYCTL_SEARCH, SES, SP("user"), SP("k2"), 0), -1);
	CHECK(errno == ENOKEY || errno == EKEYREVOKED);
	k = (int)add("user", "k3", "v", 1, SES);
	CHECK_EQ(KC(KEYCTL_SET_TIMEOUT, k, 1, 0, 0), 0);
	CHECK_EQ(KC(KEYCTL_READ, k, 0, 0, 0), 1);
	usleep(2100000);
	CHECK_ERR(KC(KEYCTL_READ, k, 0, 0, 0), EKEYEXPIRED);
	CHECK_ERR(KC(KEYCTL_SEARCH, SES, SP("user"), SP("k3"), 0), EKEYEXPIRED);
	ring = fresh();
	CHECK_EQ(KC(KEYCTL_REVOKE, ring, 0, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_GET_KEYRING_ID, SES, 0, 0, 0), EKEYREVOKED);
}

CASE(no_one_instantiates, "keyctl,request_key")
{
	unsigned char caps[4] = { 1, 1, 1, 1 };

	fresh();
	CHECK_ERR(KC(KEYCTL_INSTANTIATE, 1, SP("x"), 1, 0), EPERM);
	CHECK_ERR(KC(KEYCTL_NEGATE, 1, 1, 0, 0), EPERM);
	CHECK_ERR(KC(KEYCTL_REJECT, 1, 1, 0, 0), EINVAL);
	CHECK_ERR(KC(KEYCTL_REJECT, 1, 1, 1, 0), EPERM);
	CHECK_EQ(KC(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0), 0);
	CHECK_ERR(KC(KEYCTL_ASSUME_AUTHORITY, 7, 0, 0, 0), ENOKEY);
	CHECK_ERR(KC(KEYCTL_ASSUME_AUTHORITY, -1, 0, 0, 0), EINVAL);
	CHECK_ERR(KC(99, 0, 0, 0, 0), EOPNOTSUPP);
	CHECK_EQ(KC(KEYCTL_CAPABILITIES, SP(caps), sizeof(caps), 0, 0), 2);
	CHECK((caps[0] & 0xe3) == 0xe3 && caps[2] == 0);
	CHECK_EQ(KC(KEYCTL_CAPABILITIES, 0, 0, 0, 0), 2);
}

CASE(persistent, "keyctl")
{
	char want[64];
	int id;

	fresh();
	id = (int)KC(KEYCTL_GET_PERSISTENT, -1, SES, 0, 0);
	CHECK(id > 0);
	describes(id, "keyring;0;65534;1f030000;_persistent.0");
	CHECK_EQ(KC(KEYCTL_GET_PERSISTENT, 0, SES, 0, 0), id);
	CHECK_ERR(KC(KEYCTL_GET_PERSISTENT, -1, 0, 0, 0), EINVAL);
	id = (int)KC(KEYCTL_GET_PERSISTENT, 1234, SES, 0, 0);
	snprintf(want, sizeof(want), "keyring;1234;65534;1f030000;_persistent.1234");
	describes(id, want);
}

CASE(quota, "add_key")
{
	int st = IN_CHILD({
		char name[32];
		int n = 0;

		if (setuid(12345))
			_exit(250);
		fresh();
		for (; n < 250; n++) {
			snprintf(name, sizeof(name), "k%d", n);
			if (add("user", name, "v", 1, SES) < 0)
				break;
		}
		/* The session keyring is one of 200, and the user's two may be. */
		_exit(errno == EDQUOT ? n : 251);
	});

	CHECK(WEXITSTATUS(st) >= 197 && WEXITSTATUS(st) <= 199);
	st = IN_CHILD({
		static char big[20000];

		if (setuid(12346))
			_exit(250);
		fresh();
		if (add("user", "big", big, sizeof(big), SES) != -1 || errno != EDQUOT)
			_exit(1);
		_exit(add("user", "big", big, 10000, SES) > 0 ? 0 : 2);
	});
	CHECK_EQ(WEXITSTATUS(st), 0);
}

CASE(proc_keys, "add_key")
{
	char line[256], want[32];
	bool found = false;
	int k;
	FILE *f;

	fresh();
	k = (int)add("user", "shown", "hello", 5, SES);
	snprintf(want, sizeof(want), "%08x I--Q--- ", k);
	f = fopen("/proc/keys", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, want, strlen(want)) != 0)
			continue;
		found = true;
		CHECK(strstr(line, " perm 3f010000     0     0 user      shown: 5\n"));
	}
	CHECK(found);
	fclose(f);
	f = fopen("/proc/key-users", "r");
	CHECK(f && fgets(line, sizeof(line), f));
	CHECK(!strncmp(line, "    0: ", 7) && strstr(line, "/1000000 ") && strstr(line, "/25000000\n"));
	fclose(f);
}

MAIN()
