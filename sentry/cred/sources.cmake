list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/cred.c
  ${CMAKE_CURRENT_LIST_DIR}/cred_change.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_cred.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_misc.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_arch_prctl.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_prctl.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_prctl_mm.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_rlimit.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_sched.c)
