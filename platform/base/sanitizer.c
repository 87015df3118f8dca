/* Settings for builds with sanitizers; empty otherwise. The command line's processes end
 * without freeing, and the confined sentry can neither look for leaks nor start a
 * symbolizer: its leaks are found by the reference counts of debug builds. An
 * allocation size that a guest can drive beyond reason stays fatal here. */
#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:symbolize=0:allow_user_segv_handler=0";
}
#else
extern int sanitizer_unused;
#endif
