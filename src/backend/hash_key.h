/* What `balance hash` and `balance source` hash of a connection: one row a key. */
#pragma once

#include "backend/backend.h"

/* The number that finds the connection's server.  A connection without the key, as
 * one of a unix socket without address, has 0: such are all one client. */
uint32_t hash_key_number(const struct config_proxy *config, const struct choose_request *request);
