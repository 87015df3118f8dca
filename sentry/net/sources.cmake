list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/inet.c
  ${CMAKE_CURRENT_LIST_DIR}/inet_host.c
  ${CMAKE_CURRENT_LIST_DIR}/inet_msg.c
  ${CMAKE_CURRENT_LIST_DIR}/inet_opt.c
  ${CMAKE_CURRENT_LIST_DIR}/inject.c
  ${CMAKE_CURRENT_LIST_DIR}/scm.c
  ${CMAKE_CURRENT_LIST_DIR}/socket.c
  ${CMAKE_CURRENT_LIST_DIR}/unix.c
  ${CMAKE_CURRENT_LIST_DIR}/unix_msg.c
  ${CMAKE_CURRENT_LIST_DIR}/unix_name.c
  ${CMAKE_CURRENT_LIST_DIR}/unix_opt.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_socket.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_sockmsg.c)
