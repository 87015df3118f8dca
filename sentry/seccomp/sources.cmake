list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/bpf.c
  ${CMAKE_CURRENT_LIST_DIR}/notify.c
  ${CMAKE_CURRENT_LIST_DIR}/seccomp.c
  ${CMAKE_CURRENT_LIST_DIR}/user_dispatch.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_seccomp.c)
