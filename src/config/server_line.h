/* 'server' and 'default-server'.  Private to config/. */
#pragma once

#include "config/keyword.h"

int server_line_parse(struct parser *parser, const struct statement *statement);
int server_line_parse_default(struct parser *parser, const struct statement *statement);
