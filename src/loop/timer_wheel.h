/* Hierarchical timing wheel: arm, re-arm and cancel in O(1), no allocation.
 *
 * Time counts in ticks of 8 ms from the wheel's start, 17 years of them.  A timer
 * is put off to a tick, a far one (beyond 1.6 s) to a coarser moment within 1 % of
 * its distance, so that many expire together; expires_ms then says that moment. */
#pragma once

#include <stdint.h>

#include "loop/loop.h"

enum { WHEEL_LEVELS = 6, WHEEL_SLOTS = 64 };

struct timer_wheel {
	uint64_t now_ms;
	uint64_t start_ms;
	uint64_t armed;
	uint64_t occupied[WHEEL_LEVELS]; /* bit per slot that has timers */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);
/* Arms or re-arms for timer->expires_ms; in the past means at the next advance. */
void timer_wheel_add(struct timer_wheel *wheel, struct loop_timer *timer);
/* Harmless for a timer that is not armed. */
void timer_wheel_remove(struct timer_wheel *wheel, struct loop_timer *timer);
/* Advances to now_ms and runs what has expired; returns how many.  A callback may
 * arm and cancel any timer; what it arms runs at the next advance at the earliest. */
unsigned timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);
/* Milliseconds until something may expire, at least 0; -1 when nothing is armed. */
int timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms);
