list(APPEND GOFER_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/server/serve_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/watch_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/chan_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/dispatch.c
  ${CMAKE_CURRENT_LIST_DIR}/server/filter_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/node_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/ops_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/ahead_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/create_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/attr_host.c
  ${CMAKE_CURRENT_LIST_DIR}/server/dir_host.c)
