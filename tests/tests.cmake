# Unit tests, platform conformance, the gofer's hostile client, guest test programs.
# Everything is linked from one archive; a unit test's own fakes come first and win.
# The static libraries of the distribution (libunwind) are not position independent.
set(lib_objects $<TARGET_OBJECTS:runsc_platform> $<TARGET_OBJECTS:runsc_sentry>
  $<TARGET_OBJECTS:runsc_gofer> $<TARGET_OBJECTS:runsc_shim>)
add_library(runsc_all STATIC EXCLUDE_FROM_ALL ${lib_objects})

file(GLOB unit_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/test_*.c)
foreach(src ${unit_tests})
  get_filename_component(name ${src} NAME_WE)
  add_executable(unit_${name} ${src})
  target_compile_options(unit_${name} PRIVATE -Wno-missing-prototypes -Wno-cast-qual)
  set_target_properties(unit_${name} PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/unit)
  # Away from where programs of fixed addresses go: the loader's test runs some in place.
  target_link_options(unit_${name} PRIVATE -no-pie -Wl,--allow-multiple-definition
    -Wl,-Ttext-segment=0x40000000)
  target_link_libraries(unit_${name} PRIVATE runsc_all criterion ${RUNSC_LIBS})
endforeach()

add_executable(platform_conformance ${CMAKE_SOURCE_DIR}/tests/platform/conformance.c
  ${CMAKE_SOURCE_DIR}/tests/platform/conformance_calls.c)
set_target_properties(platform_conformance PROPERTIES
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
target_link_options(platform_conformance PRIVATE -no-pie)
target_link_libraries(platform_conformance PRIVATE runsc_all ${RUNSC_LIBS})

file(GLOB gofer_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/gofer/*.c)
if(gofer_tests)
  add_executable(gofer_hostile ${gofer_tests})
  set_target_properties(gofer_hostile PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  target_link_options(gofer_hostile PRIVATE -no-pie)
  target_link_libraries(gofer_hostile PRIVATE runsc_all ${RUNSC_LIBS})
endif()

# Guest programs: static, plain, never instrumented: they run in the sandbox.
find_program(GUEST_CC NAMES gcc REQUIRED)
file(GLOB guest_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/syscalls/*.c
  ${CMAKE_SOURCE_DIR}/tests/hostile/*.c)
set(guest_programs "")
foreach(src ${guest_tests})
  get_filename_component(name ${src} NAME_WE)
  get_filename_component(part ${src} DIRECTORY)
  get_filename_component(part ${part} NAME)
  set(harness "")
  set(out ${CMAKE_BINARY_DIR}/tests/${part}/${name})
  if(part STREQUAL "syscalls")
    set(harness ${CMAKE_SOURCE_DIR}/tests/harness/guest.c)
    set(out ${CMAKE_BINARY_DIR}/tests/guest/${name})
  endif()
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/tests/guest
            ${CMAKE_BINARY_DIR}/tests/${part}
    COMMAND ${GUEST_CC} -std=gnu11 -O1 -g -static -pthread -D_GNU_SOURCE -Wall -Wextra -Werror
            -I${CMAKE_SOURCE_DIR} ${src} ${harness} -o ${out}
    DEPENDS ${src} ${harness} ${CMAKE_SOURCE_DIR}/tests/harness/guest.h
            ${CMAKE_SOURCE_DIR}/tests/harness/guest_mount.h)
  list(APPEND guest_programs ${out})
endforeach()

# The stress program, of several files; also a plain guest.
file(GLOB stress_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/stress/*.c)
set(stress_out ${CMAKE_BINARY_DIR}/tests/stress/stress)
add_custom_command(OUTPUT ${stress_out}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/tests/stress
  COMMAND ${GUEST_CC} -std=gnu11 -O1 -g -static -pthread -D_GNU_SOURCE -Wall -Wextra -Werror
          -I${CMAKE_SOURCE_DIR} ${stress_sources} -o ${stress_out}
  DEPENDS ${stress_sources} ${CMAKE_SOURCE_DIR}/tests/stress/stress.h)
list(APPEND guest_programs ${stress_out})

# The file-system matrix and the random stress: static too, run by tests/fs/run.sh.
function(fs_program name)
  set(srcs "")
  foreach(s ${ARGN})
    list(APPEND srcs ${CMAKE_SOURCE_DIR}/tests/fs/${s})
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/tests/fs/${name})
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/tests/fs
    COMMAND ${GUEST_CC} -std=gnu11 -O1 -g -static -pthread -D_GNU_SOURCE -Wall -Wextra -Werror
            -Wno-unused-result -I${CMAKE_SOURCE_DIR} ${srcs} -o ${out}
    DEPENDS ${srcs} ${CMAKE_SOURCE_DIR}/tests/fs/matrix.h)
  set(guest_programs ${guest_programs} ${out} PARENT_SCOPE)
endfunction()
fs_program(matrix matrix.c matrix_parts.c matrix_files.c ops.c)
fs_program(stress stress.c)
fs_program(tty_lines tty_lines.c)

# The guests of tests/files/run.sh and many.sh.
function(files_program name)
  set(srcs "")
  foreach(s ${ARGN})
    list(APPEND srcs ${CMAKE_SOURCE_DIR}/tests/files/${s})
  endforeach()
  set(out ${CMAKE_BINARY_DIR}/tests/files/${name})
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/tests/files
    COMMAND ${GUEST_CC} -std=gnu11 -O1 -g -static -D_GNU_SOURCE -Wall -Wextra -Werror
            -I${CMAKE_SOURCE_DIR} ${srcs} -o ${out}
    DEPENDS ${srcs} ${CMAKE_SOURCE_DIR}/tests/files/many.h)
  set(guest_programs ${guest_programs} ${out} PARENT_SCOPE)
endfunction()
files_program(files files.c)
files_program(many many.c many_dirs.c many_watch.c)

add_custom_target(guest_programs ALL DEPENDS ${guest_programs})
