/* Assertions about our own mistakes.  CHECK is always compiled in: it prints
 * where and what, then aborts.  CHECK_SLOW exists only in debug builds. */
#pragma once

#define CHECK(expr)                                                        \
	do {                                                               \
		if (__builtin_expect(!(expr), 0))                          \
			check_failed(#expr, __FILE__, __LINE__, __func__); \
	} while (0)

#ifdef SPLICED_DEBUG
#define CHECK_SLOW(expr) CHECK(expr)
#else
#define CHECK_SLOW(expr) ((void)sizeof(expr))
#endif

/* Prints the failed expression with its place to stderr and aborts. */
_Noreturn void check_failed(const char *expr, const char *file, int line, const char *function);
