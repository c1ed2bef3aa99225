/* The checksum of Castagnoli as RFC 4960, appendix B, has it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { CRC32C_START = 0 };

/* Of the bytes behind those that `before` is of; CRC32C_START: of nothing. */
uint32_t crc32c(uint32_t before, const void *bytes, size_t len);
