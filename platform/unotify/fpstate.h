/* Registers and FPU state in signal frames: apart, because the kernel's header for
 * them cannot be used together with glibc's <signal.h>. */
#ifndef PLATFORM_UNOTIFY_FPSTATE_H
#define PLATFORM_UNOTIFY_FPSTATE_H

#include "platform/unotify/unotify_impl.h"

/* Copy a signal frame's XSAVE image; its length, or 0 when there is none. */
size_t fpstate_capture(const void *fpregs, void *out, size_t max);
/* Turn an image into the state after reset: no component present. */
void fpstate_make_initial(void *image);

/* plat_thread_get_fpstate(), plat_thread_set_fpstate() */
size_t frame_get_fpstate(struct plat_thread *th, void *buf, size_t size);
int frame_set_fpstate(struct plat_thread *th, const void *buf, size_t len);

#endif
