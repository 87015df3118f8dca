list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/devpts.c
  ${CMAKE_CURRENT_LIST_DIR}/hostfile.c
  ${CMAKE_CURRENT_LIST_DIR}/hostfile_host.c
  ${CMAKE_CURRENT_LIST_DIR}/hostfile_tty.c
  ${CMAKE_CURRENT_LIST_DIR}/ldisc.c
  ${CMAKE_CURRENT_LIST_DIR}/ldisc_input.c
  ${CMAKE_CURRENT_LIST_DIR}/pty.c
  ${CMAKE_CURRENT_LIST_DIR}/pty_ioctl.c
  ${CMAKE_CURRENT_LIST_DIR}/tty.c
  ${CMAKE_CURRENT_LIST_DIR}/tty_ioctl.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_tty.c)
