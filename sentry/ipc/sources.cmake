list(APPEND SENTRY_SOURCES 
  ${CMAKE_CURRENT_LIST_DIR}/ipc.c
  ${CMAKE_CURRENT_LIST_DIR}/mqueue.c
  ${CMAKE_CURRENT_LIST_DIR}/mqueue_fs.c
  ${CMAKE_CURRENT_LIST_DIR}/msg.c
  ${CMAKE_CURRENT_LIST_DIR}/msg_ctl.c
  ${CMAKE_CURRENT_LIST_DIR}/sem.c
  ${CMAKE_CURRENT_LIST_DIR}/sem_ctl.c
  ${CMAKE_CURRENT_LIST_DIR}/shm.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_mqueue.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_ipc.c)
list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/futex.c
  ${CMAKE_CURRENT_LIST_DIR}/futex_pi.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_futex.c)
