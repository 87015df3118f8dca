/* Parsing of config.json, command-line flags, and the process message. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "oci-shim/cmd/args.h"
#include "oci-shim/spec/spec.h"
#include "oci-shim/state/state.h"
#include "sentry/control/process_msg.h"
#include "syscalls/abi/lx_errno.h"

#define HEAD "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"
#define PROC(x) HEAD "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"" x "}}"

static struct oci_spec *good(const char *text)
{
	struct oerr e = { 0 };
	struct oci_spec *s = NULL;

	cr_assert_eq(spec_parse(text, strlen(text), "c", &s, &e), 0, "%s", e.text);
	return s;
}

static void bad(const char *text, const char *want)
{
	struct oerr e = { 0 };
	struct oci_spec *s = NULL;

	cr_assert_eq(spec_parse(text, strlen(text), "c", &s, &e), -1, "accepted: %s", text);
	cr_assert_not_null(strstr(e.text, want), "\"%s\" is not in \"%s\"", want, e.text);
	cr_assert_null(s);
}

Test(spec, fields)
{
	struct oci_spec *s = good(
		HEAD "\"hostname\":\"h\",\"annotations\":{\"k\":\"\"},"
		     "\"process\":{\"args\":[\"a\",\"b\"],\"cwd\":\"/w\",\"env\":[\"X=1\"],"
		     "\"user\":{\"uid\":5,\"gid\":6,\"umask\":18,\"additionalGids\":[7,8]},"
		     "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_BPF\"]},"
		     "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,"
		     "\"hard\":18446744073709551615}]},"
		     "\"mounts\":[{\"destination\":\"/d\",\"source\":\"/s\","
		     "\"options\":[\"rbind\",\"ro\",\"rprivate\"]},"
		     "{\"destination\":\"/t\",\"type\":\"tmpfs\","
		     "\"options\":[\"nosuid\",\"mode=755\",\"size=1m\"]}],"
		     "\"linux\":{\"namespaces\":[{\"type\":\"uts\"},"
		     "{\"type\":\"network\",\"path\":\"/n\"}],"
		     "\"resources\":{\"pids\":{\"limit\":9}}}}");

	cr_assert_str_eq(s->process.args.v[1], "b");
	cr_assert_eq(s->process.uid, 5);
	cr_assert_eq(s->process.umask, 18);
	cr_assert_eq(s->process.ngroups, 2);
	cr_assert_eq(s->process.groups[1], 8);
	cr_assert_eq(s->process.caps[CAPS_BOUNDING], 1ULL | 1ULL << 39);
	cr_assert(s->process.rlimits[7].set);
	cr_assert_eq(s->process.rlimits[7].hard, UINT64_MAX);
	cr_assert(s->mounts[0].bind && s->mounts[0].recursive);
	cr_assert_eq(s->mounts[0].flags & 0xff, SPEC_MNT_RDONLY);
	cr_assert_str_eq(s->mounts[1].data, "mode=755,size=1m");
	cr_assert(s->ns[NS_UTS].listed && !s->ns[NS_UTS].path);
	cr_assert_str_eq(s->ns[NS_NETWORK].path, "/n");
	cr_assert_eq(s->res.pids_limit, 9);
	cr_assert_str_eq(s->annotations[0].value, "");
	spec_free(s);
}

Test(spec, mount_options)
{
	struct oci_spec *s = good(
		HEAD "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"},\"mounts\":["
		"{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":"
		"[\"noatime\",\"strictatime\",\"nodiratime\",\"nosymfollow\",\"rslave\"]},"
		"{\"destination\":\"/b\",\"type\":\"bind\",\"source\":\"/x\",\"options\":"
		"[\"rshared\",\"private\",\"relatime\"]}]}");

	cr_assert_eq(s->mounts[0].flags, SPEC_MNT_STRICTATIME | SPEC_MNT_NODIRATIME |
						 SPEC_MNT_NOSYMFOLLOW | SPEC_MNT_SLAVE |
						 SPEC_MNT_PROP_REC);
	cr_assert(!s->mounts[0].data || !s->mounts[0].data[0]);
	cr_assert_eq(s->mounts[1].flags, SPEC_MNT_PRIVATE);
	spec_free(s);
}

Test(spec, unknown_fields_are_ignored)
{
	spec_free(good(PROC(",\"future\":{\"x\":[1,2]}")));
}

Test(spec, errors_name_the_field)
{
	bad("{\n\"ociVersion\": \"1.0.0\"\n\"root\": {}\n}", "c:3:");
	bad("", "c:1:1");
	bad("{\"ociVersion\":\"1.0.0\"} trailing", "not valid JSON");
	bad("[]", "must be an object");
	bad("{\"root\":{\"path\":\"r\"}}", "ociVersion: missing");
	bad("{\"ociVersion\":\"2.0.0\"}", "version 2.0.0 is not supported");
	bad("{\"ociVersion\":\"1.x\"}", "is not a version");
	bad("{\"ociVersion\":\"1.0.0\"}", "root: missing");
	bad("{\"ociVersion\":\"1.0.0\",\"root\":{}}", "root.path: missing");
	bad(HEAD "\"process\":{\"cwd\":\"/\"}}", "process.args: must name");
	bad(HEAD "\"process\":{\"args\":[1],\"cwd\":\"/\"}}", "process.args[0]: must be a string");
	bad(HEAD "\"process\":{\"args\":[\"a\\u0000b\"],\"cwd\":\"/\"}}", "NUL");
	bad(HEAD "\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}}", "process.cwd: must be an absolute");
	bad(PROC(",\"user\":{\"uid\":-1}"), "process.user.uid: -1 is outside");
	bad(PROC(",\"user\":{\"uid\":4294967295}"), "process.user.uid");
	bad(PROC(",\"user\":{\"umask\":512}"), "not a umask");
	bad(PROC(",\"capabilities\":{\"ambient\":[\"CAP_NOPE\"]}"),
	    "process.capabilities.ambient[0]: unknown capability \"CAP_NOPE\"");
	bad(PROC(",\"rlimits\":[{\"type\":\"RLIMIT_NOPE\",\"soft\":0,\"hard\":0}]"),
	    "process.rlimits[0].type: unknown");
	bad(PROC(",\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]"), "above the hard");
	bad(PROC(",\"oomScoreAdj\":2000"), "process.oomScoreAdj");
	bad(HEAD "\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[]}]}",
	    "mapped ids are not supported");
	bad(HEAD "\"mounts\":[{\"destination\":\"/a\"}]}", "mounts[0].type: missing");
	bad(HEAD "\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\"}]}", "mounts[0].source");
	bad(HEAD "\"mounts\":[{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/\","
		 "\"options\":[\"size=1\"]}]}",
	    "mounts[0].options");
	bad(HEAD "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}}",
	    "linux.namespaces[1]: namespace \"pid\" is listed twice");
	bad(HEAD "\"linux\":{\"namespaces\":[{\"type\":\"x\"}]}}", "unknown namespace \"x\"");
	bad(HEAD "\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}}", "hooks.prestart[0].path");
	bad(HEAD "\"hostname\":\"h\"}", "hostname: needs a \"uts\"");
	bad(HEAD "\"linux\":{\"devices\":[{\"path\":\"/d\",\"type\":\"z\"}]}}",
	    "linux.devices[0].type");
}

Test(spec, default_is_valid)
{
	char *text = spec_default_text(false), *rootless = spec_default_text(true);
	struct oci_spec *s = good(text);

	cr_assert(s->process.terminal);
	spec_free(s);
	s = good(rootless);
	cr_assert(s->ns[NS_USER].listed && !s->ns[NS_NETWORK].listed);
	cr_assert_eq(s->nuid_maps, 1);
	spec_free(s);
	free(text);
	free(rootless);
}

Test(spec, ids)
{
	struct oerr e = { 0 };

	cr_assert_eq(state_check_id("a_B+1.-", &e), 0);
	cr_assert_eq(state_check_id("", &e), -1);
	cr_assert_eq(state_check_id(".", &e), -1);
	cr_assert_eq(state_check_id("..", &e), -1);
	cr_assert_eq(state_check_id("a/b", &e), -1);
	cr_assert_eq(state_check_id("a b", &e), -1);
}

Test(args, forms)
{
	const char *root = NULL, *strace = NULL;
	struct arg_list env = { 0 };
	bool detach = false, on = true;
	const struct arg_def defs[] = {
		{ "root", 0, ARG_TEXT, &root, "" },   { "env", 'e', ARG_LIST, &env, "" },
		{ "detach", 'd', ARG_FLAG, &detach, "" }, { "on", 0, ARG_FLAG, &on, "" },
		{ "strace", 0, ARG_OPTIONAL, &strace, "" }, { 0 },
	};
	char *line[] = { "--root", "x", "-root=y", "-e", "A=1", "--env=B=2", "-d", "--on=false",
			 "--strace", "id", "--root", "z", NULL };
	char *end[] = { "--", "--root", NULL };
	char *lacks[] = { "--root", NULL }, *unknown[] = { "-x", NULL };
	struct oerr e = { 0 };
	char **a = line;

	cr_assert_eq(args_parse("t", defs, NULL, &a, &e), 0, "%s", e.text);
	cr_assert_str_eq(root, "y");
	cr_assert_eq(env.n, 2);
	cr_assert_str_eq(env.v[1], "B=2");
	cr_assert(detach && !on);
	cr_assert_str_eq(strace, "");
	cr_assert_str_eq(a[0], "id");
	cr_assert_str_eq(a[1], "--root");
	a = end;
	cr_assert_eq(args_parse("t", defs, NULL, &a, &e), 0);
	cr_assert_str_eq(a[0], "--root");
	a = lacks;
	cr_assert_eq(args_parse("t", defs, NULL, &a, &e), -1);
	cr_assert_str_eq(e.text, "flag needs an argument: --root");
	a = unknown;
	cr_assert_eq(args_parse("t", defs, NULL, &a, &e), -1);
	cr_assert_not_null(strstr(e.text, "unknown flag -x"));
}

Test(process_msg, round_trip_and_damage)
{
	char *argv[] = { "prog", "", "x y", NULL }, *envp[] = { "A=1", NULL };
	uint32_t groups[] = { 1, 2, 3 };
	struct container_process p = { .argv = argv, .argc = 3, .envp = envp, .envc = 1,
				       .cwd = "/w", .uid = 7, .groups = groups, .ngroups = 3,
				       .cap_bset = 1ULL << 40, .terminal = true };
	struct container_process q;
	size_t size;
	uint8_t *buf = container_process_encode(&p, &size);

	cr_assert_not_null(buf);
	cr_assert_eq(container_process_decode(buf, size, &q), 0);
	cr_assert_str_eq(q.argv[2], "x y");
	cr_assert_null(q.argv[3]);
	cr_assert_str_eq(q.envp[0], "A=1");
	cr_assert_str_eq(q.cwd, "/w");
	cr_assert_eq(q.groups[2], 3);
	cr_assert_eq(q.cap_bset, 1ULL << 40);
	cr_assert(q.terminal && !q.no_new_privs);
	container_process_fini(&q);
	for (size_t n = 0; n < size; n++)
		cr_assert_lt(container_process_decode(buf, n, &q), 0, "cut at %zu", n);
	buf[4] = 0xff; /* argc */
	cr_assert_eq(container_process_decode(buf, size, &q), -LX_EINVAL);
	free(buf);
}
