/* Why the kernel does not take BPF programs, in words for the operator. */
#pragma once

#include <stddef.h>

/* Keeps libbpf's complaints of this thread from stderr, for good, and forgets old ones. */
void refusal_listen(void);
/* Writes why loading gave `error` (positive); `needed` is the oldest Linux that takes the
 * programs. */
void refusal_explain(int error, const char *needed, char *ret_reason, size_t size);
