/* What must hold after every step, when nothing can move, and at the end. */
#pragma once

#include <stdbool.h>

struct session;

void checkers_start(void);
/* After each step. */
void checkers_step(void);
/* When every loop is about to sleep: nothing that could be done may be undone. */
void checkers_idle(void);
/* All sessions have ended and the network has delivered what it still had. */
void checkers_end(void);
/* The linker leads session_log() here: once in each session's life, at its end. */
void __wrap_session_log(const struct session *session, bool is_early);
