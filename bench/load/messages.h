/* Loads that are made of messages and answers; one table row each. */
#pragma once

#include "worker.h"

extern const struct workload workload_messages; /* pingpong and dribble: closed loop, or open at a rate */
extern const struct workload workload_incast; /* all clients at the same moment */
extern const struct workload workload_idle; /* one message after connecting, one at the end */
extern const struct workload workload_churn; /* one message in each connection */
extern const struct workload workload_bulk; /* no messages, but streams */
