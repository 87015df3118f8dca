list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/deliver.c
  ${CMAKE_CURRENT_LIST_DIR}/queue.c
  ${CMAKE_CURRENT_LIST_DIR}/sigframe.c
  ${CMAKE_CURRENT_LIST_DIR}/siginfo.c
  ${CMAKE_CURRENT_LIST_DIR}/signal.c
  ${CMAKE_CURRENT_LIST_DIR}/signalfd.c
  ${CMAKE_CURRENT_LIST_DIR}/stop.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_signal.c)
