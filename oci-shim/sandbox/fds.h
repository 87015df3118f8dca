/* File descriptor and process helpers of the command line and of the processes it
 * forks. Plain host calls; nothing here runs in the confined sentry. */
#ifndef OCI_SHIM_SANDBOX_FDS_H
#define OCI_SHIM_SANDBOX_FDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Make 0, 1 and 2 /dev/null and close every other fd that is not listed (-1 entries
 * are ignored). Whatever the caller leaked into us must not outlive the command. */
void fds_keep_only(const int *keep, unsigned n);
/* What libc, a sanitizer or a bug prints goes where the log goes (-1: nowhere). After
 * fds_keep_only(), in every child. */
void fds_stderr(int log_fd);
/* Move an fd above the standard ones (takes it over); -1 stays -1. */
int fd_above_stdio(int fd);
/* One packet, or -1 with errno. */
int send_fds(int sock, const void *buf, size_t size, const int *fds, unsigned nfds);
/* Whole buffer; -1 with errno. */
int write_all(int fd, const void *buf, size_t size);
/* Write a short text to a file (sysfs, proc, cgroup). 0 or -errno. */
int write_file(const char *path, const char *text);
int write_file_at(int dirfd, const char *path, const char *text);

/* fork with clone3 flags; pidfd and cgroup fd may be -1/NULL. Child: 0. -errno. */
pid_t clone_process(uint64_t flags, int cgroup_fd, int *pidfd);
int pidfd_signal(int pidfd, int signo);
/* Wait until a child is gone; its wait status. */
int wait_child(pid_t pid);
/* A memfd with these bytes, read position 0; -1 with errno. */
int memfd_with(const char *name, const void *buf, size_t size);

#endif
