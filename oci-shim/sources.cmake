# The sentry's system-call filter is made at build time by a small tool: libseccomp is
# not needed to start a sandbox.
add_executable(filter_gen ${CMAKE_CURRENT_LIST_DIR}/boot/filter_gen.c)
target_link_libraries(filter_gen PRIVATE seccomp)
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/generated/sentry_filter.h
  COMMAND filter_gen > ${CMAKE_BINARY_DIR}/generated/sentry_filter.h
  DEPENDS filter_gen
  VERBATIM)

list(APPEND SHIM_SOURCES
  ${CMAKE_BINARY_DIR}/generated/sentry_filter.h
  ${CMAKE_CURRENT_LIST_DIR}/main.c
  ${CMAKE_CURRENT_LIST_DIR}/opts.c
  ${CMAKE_CURRENT_LIST_DIR}/overlay_opt.c
  ${CMAKE_CURRENT_LIST_DIR}/err.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/args.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/create.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/debug.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/do.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/exec.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/info.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/lifecycle.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/manage.c
  ${CMAKE_CURRENT_LIST_DIR}/cmd/resources.c
  ${CMAKE_CURRENT_LIST_DIR}/spec/default.c
  ${CMAKE_CURRENT_LIST_DIR}/spec/json_util.c
  ${CMAKE_CURRENT_LIST_DIR}/spec/linux.c
  ${CMAKE_CURRENT_LIST_DIR}/spec/names.c
  ${CMAKE_CURRENT_LIST_DIR}/spec/process.c
  ${CMAKE_CURRENT_LIST_DIR}/spec/spec.c
  ${CMAKE_CURRENT_LIST_DIR}/state/state.c
  ${CMAKE_CURRENT_LIST_DIR}/state/state_json.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/cgroup.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/cgroup_limits.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/cgroup_live.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/confine.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/console.c
  ${CMAKE_CURRENT_LIST_DIR}/debug/eh_frame.c
  ${CMAKE_CURRENT_LIST_DIR}/debug/elf.c
  ${CMAKE_CURRENT_LIST_DIR}/debug/remote.c
  ${CMAKE_CURRENT_LIST_DIR}/debug/report.c
  ${CMAKE_CURRENT_LIST_DIR}/debug/unwind.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/control_client.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/convert.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/fds.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/gofer_setup.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/hooks.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/launch.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/namespaces.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/proxy.c
  ${CMAKE_CURRENT_LIST_DIR}/sandbox/reporter.c
  ${CMAKE_CURRENT_LIST_DIR}/boot/boot.c
  ${CMAKE_CURRENT_LIST_DIR}/boot/confine_host.c
  ${CMAKE_CURRENT_LIST_DIR}/boot/mounts.c)
