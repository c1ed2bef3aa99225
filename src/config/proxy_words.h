/* The words about the PROXY protocol on bind and server lines.  Private to config/. */
#pragma once

#include "config/keyword.h"

/* Handler of 'accept-proxy' on bind lines. */
int proxy_words_parse_accept(struct parser *parser, const struct statement *statement);
/* Whether somebody is trusted who can reach the address; reports when nobody is. */
int proxy_words_check_bind(struct parser *parser, const struct config_bind *bind) MUST_USE;

/* Handler of 'proxy-v2-options' on server lines. */
int proxy_words_parse_options(struct parser *parser, const struct statement *statement);
