list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/big_io.c
  ${CMAKE_CURRENT_LIST_DIR}/dispatch.c
  ${CMAKE_CURRENT_LIST_DIR}/exec_cred.c
  ${CMAKE_CURRENT_LIST_DIR}/exec_strings.c
  ${CMAKE_CURRENT_LIST_DIR}/pid.c
  ${CMAKE_CURRENT_LIST_DIR}/pidfd.c
  ${CMAKE_CURRENT_LIST_DIR}/session.c
  ${CMAKE_CURRENT_LIST_DIR}/spawn.c
  ${CMAKE_CURRENT_LIST_DIR}/strace.c
  ${CMAKE_CURRENT_LIST_DIR}/task.c
  ${CMAKE_CURRENT_LIST_DIR}/task_clone.c
  ${CMAKE_CURRENT_LIST_DIR}/task_exec.c
  ${CMAKE_CURRENT_LIST_DIR}/task_exit.c
  ${CMAKE_CURRENT_LIST_DIR}/task_host.c
  ${CMAKE_CURRENT_LIST_DIR}/task_wait.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_unshare.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_process.c)
