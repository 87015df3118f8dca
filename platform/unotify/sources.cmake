# The stub is built alone: freestanding, position-independent, no FPU, then carried
# in the binary as a flat image.
set(STUB_DIR ${CMAKE_SOURCE_DIR}/platform/arch/x86_64)
set(STUB_BIN ${CMAKE_BINARY_DIR}/stub.bin)
set(STUB_CFLAGS -std=gnu11 -O2 -Wall -Wextra -Werror -I${CMAKE_SOURCE_DIR} -ffreestanding -fPIC
    -fvisibility=hidden -mgeneral-regs-only -mno-red-zone -fno-stack-protector
    -fno-asynchronous-unwind-tables -fcf-protection=none -fno-jump-tables -fno-builtin)
add_custom_command(
  OUTPUT ${STUB_BIN}
  COMMAND ${CMAKE_C_COMPILER} ${STUB_CFLAGS} -c ${STUB_DIR}/stub.c -o ${CMAKE_BINARY_DIR}/stub.o
  COMMAND ${CMAKE_C_COMPILER} ${STUB_CFLAGS} -c ${STUB_DIR}/stub_fast.c
          -o ${CMAKE_BINARY_DIR}/stub_fast.o
  COMMAND ld -T ${STUB_DIR}/stub.lds ${CMAKE_BINARY_DIR}/stub.o
          ${CMAKE_BINARY_DIR}/stub_fast.o -o ${CMAKE_BINARY_DIR}/stub.elf
  COMMAND objcopy -O binary ${CMAKE_BINARY_DIR}/stub.elf ${STUB_BIN}
  DEPENDS ${STUB_DIR}/stub.c ${STUB_DIR}/stub_fast.c ${STUB_DIR}/stub_impl.h
          ${STUB_DIR}/stub.lds ${CMAKE_CURRENT_LIST_DIR}/stub.h
  COMMENT "Linking the stub")
set_source_files_properties(${STUB_DIR}/stub_blob.S PROPERTIES
  COMPILE_DEFINITIONS "STUB_BIN=\"${STUB_BIN}\"" OBJECT_DEPENDS ${STUB_BIN})
foreach(f as_host.c chunk_host.c copy_host.c direct_host.c fast_host.c filter.c frame.c patch_host.c unotify_host.c worker_host.c
          zygote_host.c)
  list(APPEND PLATFORM_SOURCES ${CMAKE_CURRENT_LIST_DIR}/${f})
endforeach()
list(APPEND PLATFORM_SOURCES ${STUB_DIR}/stub_blob.S ${STUB_DIR}/sites.c ${CMAKE_SOURCE_DIR}/platform/platform.c)
