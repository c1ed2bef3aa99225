/* What a session's reason for its end promises to its peers. */
#pragma once

#include <stdint.h>

#include "session/close_reason.h"

struct check_totals {
	uint64_t ended, bytes_in, bytes_out, client_aborts, server_aborts;
	uint64_t closes[CLOSE_REASONS];
};
extern struct check_totals check_totals;

void check_reasons_start(void);
void check_reasons_end(void);
