list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/madvise.c
  ${CMAKE_CURRENT_LIST_DIR}/mm.c
  ${CMAKE_CURRENT_LIST_DIR}/mmap.c
  ${CMAKE_CURRENT_LIST_DIR}/mremap.c
  ${CMAKE_CURRENT_LIST_DIR}/pressure_host.c
  ${CMAKE_CURRENT_LIST_DIR}/shmem.c
  ${CMAKE_CURRENT_LIST_DIR}/uio.c
  ${CMAKE_CURRENT_LIST_DIR}/usercopy.c
  ${CMAKE_CURRENT_LIST_DIR}/vma.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_mm.c
  ${CMAKE_SOURCE_DIR}/syscalls/sys_mm_proc.c)
