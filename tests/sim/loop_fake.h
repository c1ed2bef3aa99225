/* The simulation's side of loop_fake.c, which stands in for a loop back end. */
#pragma once

#include "loop/loop.h"

/* Something happened to the descriptor: an edge for whoever watches it. */
void loop_fake_wake(int fd);
/* The descriptor was closed; the kernel forgets its registration. */
void loop_fake_forget(int fd);
/* Nothing to deliver and nothing to run before time moves on. */
bool loop_fake_is_idle(const struct loop *loop);
/* Nothing is scheduled or posted; a deferred batch may still be. */
bool loop_fake_has_work(const struct loop *loop);
/* When its next timer may expire; SIM_NEVER without any. */
uint64_t loop_fake_timer_us(const struct loop *loop);
/* Every registration must be gone. */
void loop_fake_check_empty(void);
