/* 'log': where lines go, in which form.  Private to config/. */
#pragma once

#include "config/keyword.h"

/* Handler of 'log' in global and in proxies. */
int log_line_parse(struct parser *parser, const struct statement *statement);
