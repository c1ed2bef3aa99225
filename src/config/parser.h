/* What is known while files are being read: shared by the parser, the handlers
 * of keywords and the checks at the end.  Private to config/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "config/config.h"
#include "config/environment.h"
#include "config/lexer.h"
#include "rule/book.h"

/* Where a keyword may stand; also the kinds of lines that have parameters. */
enum section {
	IN_GLOBAL = 1,
	IN_DEFAULTS = 2,
	IN_FRONTEND = 4,
	IN_BACKEND = 8,
	IN_LISTEN = 16,
	IN_RESOLVERS = 32,
	ON_BIND = 64,
	ON_SERVER = 128,
	ON_STATS_SOCKET = 256,
};

/* Sets of sections by the role a keyword concerns. */
enum {
	IN_CLIENT_SIDE = IN_FRONTEND | IN_LISTEN,
	IN_SERVER_SIDE = IN_BACKEND | IN_LISTEN,
	IN_PROXIES = IN_FRONTEND | IN_BACKEND | IN_LISTEN,
};

/* Which time-outs were written, by their place in struct config_timeouts. */
enum { TIMEOUTS_COUNT = sizeof(struct config_timeouts) / sizeof(uint32_t) };

/* A proxy or defaults section and what only the reading needs to know of it. */
struct draft {
	struct draft *next;
	struct config_proxy proxy;
	struct config_server default_server;
	enum section section;
	unsigned timeouts_given; /* bit per member of struct config_timeouts */
	bool is_log_global;
	struct config_bind **binds_end; /* where the next one is linked */
	struct config_server **servers_end;
	struct config_rule **connection_rules_end, **session_rules_end, **content_rules_end;
	struct config_use_backend **use_backends_end;
	struct config_use_server **use_servers_end;
	struct rule_book book; /* acls of the section, and what its rules refer to */
	/* NULL: the section has none of its own yet, and begins with those it inherited. */
	struct config_check_step **rules_end, **http_expects_end;
	struct config_http_header **headers_end;
};

enum { CONDITION_DEPTH_MAX = 32, BINDS_MAX = 65536 };

/* One open .if */
struct condition_level {
	struct config_place place;
	bool is_taken; /* lines count now */
	bool was_taken; /* some branch counted, or none may */
	bool has_else;
};

struct parser {
	struct config *config;
	struct arena *arena;
	const struct config_options *options;
	struct config_place place;
	struct lexer lexer;
	struct environment environment;

	enum section section; /* 0: none yet, or one that was refused */
	bool is_section_refused; /* its lines are skipped */
	const char *section_label; /* for ${.SECTION} */
	struct draft *draft; /* the proxy or defaults section being read */
	struct config_resolvers *resolvers; /* the resolvers section being read */
	struct draft *drafts, **drafts_end; /* proxies, in order */
	struct draft *defaults; /* newest first */
	struct draft *initial; /* what a first defaults section starts from */

	struct condition_level levels[CONDITION_DEPTH_MAX];
	unsigned depth;

	bool has_nosplice, has_zero_warning;
	struct config_place nosplice_place;
	unsigned binds_count;
	unsigned alerts, warnings;
	bool is_stopped; /* too many alerts */
	bool has_refused_section; /* names may be missing that the file has */

	/* Held while a file or directory is read, released by whoever made the parser. */
	char *file_bytes;
	void *directory; /* DIR */
};

/* Messages name the line being read, or the place given; a full stop is added
 * where the sentence ends without one. */
void report_alert(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);
void report_alert_at(struct parser *parser, const struct config_place *place, const char *format, ...)
	PRINTF_LIKE(3, 4);
void report_warning(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);
void report_warning_at(struct parser *parser, const struct config_place *place, const char *format, ...)
	PRINTF_LIKE(3, 4);
void report_notice(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);
/* Of the whole configuration: no place. */
void report_alert_all(struct parser *parser, const char *format, ...) PRINTF_LIKE(2, 3);
/* The last line when anything was wrong. */
void report_end(struct parser *parser);

/* Reads one file's bytes.  name must live as long as the arena. */
void parser_feed(struct parser *parser, const char *name, const char *bytes, size_t len);
/* One line already in words, as the quick start has them. */
void parser_run_words(struct parser *parser, const char *const *words, unsigned count);

/* section.c: true when the words begin a section, known or refused. */
bool section_begin(struct parser *parser, const char *const *words, unsigned count);
/* "backend", "global", … for messages. */
const char *section_name(enum section section);
/* A character that names may not have, or NUL. */
char name_bad_character(const char *name);

/* directive.c: takes the line when it begins with a dot word; true when the line
 * needs no further reading, which is also so inside a branch not taken. */
bool directive_take(struct parser *parser, const char *line, size_t len);
/* Closes what the file left open. */
void directive_end_file(struct parser *parser);

/* source.c: reads a file, or the *.cfg files of a directory in order of their names. */
void source_read(struct parser *parser, const char *path);

/* complete.c: what a proxy was not given gets its effective value. */
void complete_proxies(struct parser *parser);
/* validate.c: resolves references and checks what only the whole can show. */
void validate_config(struct parser *parser);
/* routing.c: joins rules to the backends, frontends and servers they name; refuses and
 * warns of what can never be. */
void routing_resolve(struct parser *parser);
void routing_warn(struct parser *parser);
/* A backend by name from a line of the proxy; NULL after reporting. */
struct config_proxy *backend_resolve(struct parser *parser, const struct config_proxy *proxy,
	const char *name, const struct config_place *place);
/* tracking.c: joins 'track' to the servers it names; refuses circles. */
void tracking_resolve(struct parser *parser);
/* check_scripts.c: the steps of every backend's checks, and what its servers' checks lack. */
void checks_complete(struct parser *parser);
/* identity.c: repeated names and ids, repeated addresses; gives ids to those without. */
void identity_check(struct parser *parser);
