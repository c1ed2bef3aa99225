/* 'bind': its addresses.  Private to config/. */
#pragma once

#include "config/keyword.h"

/* Handler of 'bind' in proxies. */
int bind_parse(struct parser *parser, const struct statement *statement);
