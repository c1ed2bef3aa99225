/* What the BPF program counts for one process, and how its histogram of wake-up
 * latencies is cut into cells.  Read by watch.bpf.c and by its loader alike. */
#pragma once

#include <linux/types.h>

enum {
	WATCH_PROCESSES_MAX = 8,
	WATCH_SYSCALLS = 512, /* numbers at or above share the last cell */
	WATCH_WAITING_MAX = 16384, /* threads whose wake-up can be under way */
	WATCH_STEP_BITS = 5, /* 32 cells an octave: a value is known to 3 % */
	WATCH_OCTAVE_MAX = 36, /* the last octave holds all that took longer than 68 s */
	WATCH_CELLS = (WATCH_OCTAVE_MAX - WATCH_STEP_BITS + 2) << WATCH_STEP_BITS,
};

/* One per process and CPU; the loader adds up the CPUs. */
struct watch_counts {
	__u64 syscalls;
	__u64 voluntary_switches;
	__u64 involuntary_switches;
	__u64 wakeups;
	__u64 wake_highest_ns;
	__u64 syscalls_by_number[WATCH_SYSCALLS];
	__u64 wake_cells[WATCH_CELLS];
};
_Static_assert(sizeof(struct watch_counts) == 8 * (5 + WATCH_SYSCALLS + WATCH_CELLS), "no hidden padding");

/* The place of the highest bit; value is not 0.  Plain shifts, which every verifier follows. */
static inline __u32 watch_octave(__u64 value)
{
	__u32 octave = 0;
	for (__u32 half = 32; half > 0; half >>= 1) {
		if (value >> half) {
			value >>= half;
			octave += half;
		}
	}
	return octave;
}

/* The cell of a latency: always below WATCH_CELLS. */
static inline __u32 watch_cell(__u64 value)
{
	if (value < (1u << WATCH_STEP_BITS))
		return (__u32)value;
	__u32 octave = watch_octave(value);
	if (octave > WATCH_OCTAVE_MAX)
		return WATCH_CELLS - 1;
	__u32 shift = octave - WATCH_STEP_BITS;
	__u32 step = (__u32)(value >> shift) & ((1u << WATCH_STEP_BITS) - 1);
	return ((shift + 1) << WATCH_STEP_BITS) + step;
}

/* The middle of a cell. */
static inline __u64 watch_cell_value(__u32 cell)
{
	__u32 shift = cell >> WATCH_STEP_BITS;
	__u64 step = cell & ((1u << WATCH_STEP_BITS) - 1);
	if (shift == 0)
		return step;
	shift--;
	return ((((__u64)1 << WATCH_STEP_BITS) + step) << shift) + (((__u64)1 << shift) >> 1);
}
