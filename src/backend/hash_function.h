/* The hash functions that a configuration may name, as HAProxy has them.  For
 * spreading only: an outsider can find keys that collide. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

uint32_t hash_function_run(enum config_hash_function function, const void *bytes, size_t len);
/* Lets every bit of the result depend on all of the number; bijective. */
uint32_t hash_avalanche(uint32_t number);
