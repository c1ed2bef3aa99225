/* 'cpu-map'.  Private to config/. */
#pragma once

#include "config/keyword.h"

int cpu_map_parse(struct parser *parser, const struct statement *statement);
