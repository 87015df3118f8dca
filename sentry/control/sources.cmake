list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/container.c
  ${CMAKE_CURRENT_LIST_DIR}/control_host.c
  ${CMAKE_CURRENT_LIST_DIR}/process.c
  ${CMAKE_CURRENT_LIST_DIR}/process_msg.c
  ${CMAKE_CURRENT_LIST_DIR}/requests.c)
