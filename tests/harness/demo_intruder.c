/* Part of ./dev demo: what a curious program finds of the host.
 * usage: intruder HOST-PID HOST-FILE */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	FILE *f;

	if (argc < 3)
		return 1;
	printf("signal to host process %s: %s\n", argv[1],
	       kill(atoi(argv[1]), 0) ? strerror(errno) : "reached");
	f = fopen(argv[2], "w");
	printf("write to host file %s: %s\n", argv[2],
	       f ? "only in this sandbox's overlay" : strerror(errno));
	if (f) {
		fputs("stolen", f);
		fclose(f);
	}
	return 0;
}
