list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/cpuinfo.c
  ${CMAKE_CURRENT_LIST_DIR}/hostinfo_host.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_global.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_ipc.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_mounts.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_net.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_pid.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_pid_fd.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_pid_mem.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_pid_stat.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_root.c
  ${CMAKE_CURRENT_LIST_DIR}/proc_sys.c
  ${CMAKE_CURRENT_LIST_DIR}/pseudo.c)
