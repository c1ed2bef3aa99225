/* Sums of the Internet checksum's kind, in one's complement. */
#pragma once

#include <linux/types.h>

static __always_inline __u32 sum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	return (__u32)((sum & 0xffffffff) + (sum >> 32));
}

/* What a checksum field holds for a sum. */
static __always_inline __u16 sum_finish(__s64 sum)
{
	__u32 folded = sum_fold((__u64)sum);
	folded = (folded & 0xffff) + (folded >> 16);
	return (__u16) ~((folded & 0xffff) + (folded >> 16));
}

/* Adds to a running difference that a word (or a half-word) was replaced. */
static __always_inline void sum_replace(__u64 *sum, __u32 old, __u32 new)
{
	*sum += (__u64) new + (__u32)~old;
}
