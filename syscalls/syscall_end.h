/*
 * Ends an expansion of syscall.def: forgets the macros that shaped it.
 * Included once after each inclusion of the table, hence without a guard.
 */
#undef SYS
#undef NOSYS
#undef ARG
#undef NOARGS
#undef FRAME
