list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/clock.c
  ${CMAKE_CURRENT_LIST_DIR}/itimer.c
  ${CMAKE_CURRENT_LIST_DIR}/posix_timer.c
  ${CMAKE_CURRENT_LIST_DIR}/time_host.c
  ${CMAKE_CURRENT_LIST_DIR}/timer.c
  ${CMAKE_CURRENT_LIST_DIR}/timerfd.c
  ${CMAKE_CURRENT_LIST_DIR}/vtimer.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_time.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_timer.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_timex.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_numa.c)
