/* Handlers of the words that say what a check's exchange of bytes is: the options
 * for protocols, 'tcp-check' and 'http-check'.  Private to config/. */
#pragma once

#include "config/keyword.h"

int check_rules_parse_connect(struct parser *parser, const struct statement *statement);
int check_rules_parse_send(struct parser *parser, const struct statement *statement);
int check_rules_parse_send_binary(struct parser *parser, const struct statement *statement);
int check_rules_parse_expect(struct parser *parser, const struct statement *statement);
int check_rules_parse_comment(struct parser *parser, const struct statement *statement);
int check_rules_parse_http_expect(struct parser *parser, const struct statement *statement);
int check_rules_parse_http_send(struct parser *parser, const struct statement *statement);

/* The options; the scripts of protocols are rows of one table. */
int check_scripts_parse_tcp(struct parser *parser, const struct statement *statement);
int check_scripts_parse_http(struct parser *parser, const struct statement *statement);
int check_scripts_parse_plain(struct parser *parser, const struct statement *statement);
int check_scripts_parse_smtp(struct parser *parser, const struct statement *statement);
int check_scripts_parse_pgsql(struct parser *parser, const struct statement *statement);
int check_scripts_parse_mysql(struct parser *parser, const struct statement *statement);

/* Compiles the pattern of a step; reports what is wrong with it. */
int check_pattern_make(struct parser *parser, struct config_check_step *step) MUST_USE;
