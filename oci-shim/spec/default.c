/* The config.json that `runsc spec` writes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci-shim/opts.h"
#include "oci-shim/spec/spec.h"

#define CAPS "[\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]"

static const char head[] =
"{\n"
"\t\"ociVersion\": \"" RUNSC_SPEC_VERSION "\",\n"
"\t\"process\": {\n"
"\t\t\"terminal\": true,\n"
"\t\t\"user\": {\"uid\": 0, \"gid\": 0},\n"
"\t\t\"args\": [\"sh\"],\n"
"\t\t\"env\": [\n"
"\t\t\t\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
"\t\t\t\"TERM=xterm\"\n"
"\t\t],\n"
"\t\t\"cwd\": \"/\",\n"
"\t\t\"capabilities\": {\n"
"\t\t\t\"bounding\": " CAPS ",\n"
"\t\t\t\"effective\": " CAPS ",\n"
"\t\t\t\"permitted\": " CAPS "\n"
"\t\t},\n"
"\t\t\"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],\n"
"\t\t\"noNewPrivileges\": true\n"
"\t},\n"
"\t\"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
"\t\"hostname\": \"runsc\",\n"
"\t\"mounts\": [\n"
"\t\t{\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
"\t\t{\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
"\t\t \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]},\n"
"\t\t{\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
"\t\t \"options\": [\"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\"%s]},\n"
"\t\t{\"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
"\t\t \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]},\n"
"\t\t{\"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\",\n"
"\t\t \"options\": [\"nosuid\", \"noexec\", \"nodev\"]},\n"
"\t\t{\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
"\t\t \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"]},\n"
"\t\t{\"destination\": \"/sys/fs/cgroup\", \"type\": \"cgroup\", \"source\": \"cgroup\",\n"
"\t\t \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]}\n"
"\t],\n"
"\t\"linux\": {\n"
"%s"
"\t\t\"namespaces\": [\n"
"\t\t\t{\"type\": \"pid\"},%s\n"
"\t\t\t{\"type\": \"ipc\"},\n"
"\t\t\t{\"type\": \"uts\"},\n"
"\t\t\t{\"type\": \"mount\"}%s\n"
"\t\t],\n"
"\t\t\"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\",\n"
"\t\t\t\"/proc/latency_stats\", \"/proc/timer_list\", \"/proc/timer_stats\",\n"
"\t\t\t\"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"],\n"
"\t\t\"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\",\n"
"\t\t\t\"/proc/sysrq-trigger\"]\n"
"\t}\n"
"}\n";

char *spec_default_text(bool rootless)
{
	char maps[256] = "", *out = NULL;
	int n;

	if (rootless)
		snprintf(maps, sizeof(maps),
			 "\t\t\"uidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": 1}],\n"
			 "\t\t\"gidMappings\": [{\"containerID\": 0, \"hostID\": %u, \"size\": 1}],\n",
			 (unsigned)geteuid(), (unsigned)getegid());
	n = asprintf(&out, head, rootless ? "" : ", \"gid=5\"", maps,
		     rootless ? "" : "\n\t\t\t{\"type\": \"network\"},",
		     rootless ? ",\n\t\t\t{\"type\": \"user\"}" : "");
	return n < 0 ? NULL : out;
}
