list(APPEND SENTRY_SOURCES
  ${CMAKE_CURRENT_LIST_DIR}/ofs_copy_up.c
  ${CMAKE_CURRENT_LIST_DIR}/ofs_dir.c
  ${CMAKE_CURRENT_LIST_DIR}/ofs_file.c
  ${CMAKE_CURRENT_LIST_DIR}/ofs_inode.c
  ${CMAKE_CURRENT_LIST_DIR}/ofs_readdir.c
  ${CMAKE_CURRENT_LIST_DIR}/ofs_super.c)
