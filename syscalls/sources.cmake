# What the top-level CMakeLists.txt includes; the lists are in CMakeLists.txt.
include(${CMAKE_CURRENT_LIST_DIR}/CMakeLists.txt)
foreach(source ${SYSCALLS_INFRA_SOURCES} ${SYSCALLS_HANDLER_SOURCES})
  list(APPEND SENTRY_SOURCES ${CMAKE_CURRENT_LIST_DIR}/${source})
endforeach()
