/* Loading a configuration from files, text or the quick start's arguments, and
 * giving it back. */
#include "config/config.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parser.h"

enum { QUICK_SERVERS_MAX = 1024 };

static void set_global_defaults(struct config_global *global)
{
	global->uid = global->gid = -1;
	global->stats_maxconn = 10;
	global->stats_timeout_ms = 10 * 1000;
	global->buffer_bytes = 256 * 1024;
	global->pipe_bytes = 1024 * 1024;
	global->wake_bytes = 256 * 1024;
	global->ring_bytes = 8 * 1024 * 1024;
	global->maxaccept = 64;
	global->relay = "auto";
	global->loop = "auto";
}

/* ${.FILE}, ${.LINE}, ${.SECTION}, else the environment. */
static const char *variable(void *context, const char *name, size_t len)
{
	struct parser *parser = context;
	char digits[16];

	if (len == 5 && memcmp(name, ".FILE", len) == 0)
		return parser->place.file;
	if (len == 8 && memcmp(name, ".SECTION", len) == 0)
		return parser->section_label != NULL ? parser->section_label : "";
	if (len == 5 && memcmp(name, ".LINE", len) == 0) {
		snprintf(digits, sizeof(digits), "%u", parser->place.line);
		return arena_copy(parser->arena, digits);
	}
	return environment_get(&parser->environment, name, len);
}

/* A line "server sN ADDR" for each address of a list. */
static void quick_servers(struct parser *parser, const char *to)
{
	char *list = arena_copy(parser->arena, to), *address;

	for (unsigned i = 1; (address = strsep(&list, ",")) != NULL && i <= QUICK_SERVERS_MAX; i++) {
		char name[16];
		const char *words[] = {"server", name, address, NULL};

		snprintf(name, sizeof(name), "s%u", i);
		parser_run_words(parser, words, 3);
	}
}

/* The quick start is a listen section without a file. */
static void feed_quick(struct parser *parser)
{
	const struct config_options *options = parser->options;
	const char *heading[] = {"listen", "quick", NULL};
	const char *bind[] = {"bind", options->listen, NULL};
	const char *relay[] = {"relay", options->relay, NULL};

	if (options->listen == NULL || options->to == NULL) {
		report_alert_all(parser,
			options->listen == NULL && options->to == NULL
				? "no configuration: give a file with -f, or --listen and --to"
				: "--listen and --to go together");
		return;
	}
	parser->place = (struct config_place){"command line", 0};
	parser_run_words(parser, heading, 2);
	parser_run_words(parser, bind, 2);
	quick_servers(parser, options->to);
	if (options->relay != NULL)
		parser_run_words(parser, relay, 2);
}

static void feed(struct parser *parser, const struct config_text *text)
{
	const struct config_options *options = parser->options;

	if (text != NULL) {
		parser_feed(parser, arena_copy(parser->arena, text->name), text->bytes, text->len);
		return;
	}
	for (size_t i = 0; i < options->paths_count && !parser->is_stopped; i++)
		source_read(parser, options->paths[i]);
	if (options->paths_count == 0 || options->listen != NULL || options->to != NULL)
		feed_quick(parser);
}

/* Reads and checks; the parser's alerts say how it went. */
static void load(struct parser *parser, const struct config_text *text)
{
	/* Where the arena continues without memory: everything else this needs is in
	 * the parser and released by parser_destroy(). */
	if (setjmp(parser->arena->on_exhausted) != 0) {
		report_alert_all(parser, "no memory for the configuration, or it needs more than 256 MiB");
		return;
	}
	parser->config = arena_alloc(parser->arena, sizeof(*parser->config));
	parser->config->arena = parser->arena;
	set_global_defaults(&parser->config->global);
	feed(parser, text);
	if (!parser->is_stopped)
		validate_config(parser);
	if (parser->alerts == 0)
		complete_proxies(parser);
	if (parser->alerts == 0 && parser->warnings > 0 && parser->has_zero_warning)
		report_alert_all(parser, "there are warnings, which 'zero-warning' refuses");
}

/* NULL without memory. */
static struct parser *parser_create(const struct config_options *options)
{
	struct parser *parser = calloc(1, sizeof(*parser));

	if (parser == NULL)
		return NULL;
	parser->options = options;
	parser->lexer.variable = variable;
	parser->lexer.context = parser;
	parser->drafts_end = &parser->drafts;
	parser->arena = arena_create();
	if (parser->arena == NULL) {
		free(parser);
		return NULL;
	}
	return parser;
}

/* The arena stays. */
static void parser_destroy(struct parser *parser)
{
	free(parser->file_bytes);
	if (parser->directory != NULL)
		closedir(parser->directory);
	free(parser);
}

static int load_any(
	const struct config_text *text, const struct config_options *options, struct config **ret_config)
{
	struct parser *parser = parser_create(options);
	struct arena *arena;
	int result = 0;

	if (parser == NULL) {
		fprintf(options->errors != NULL ? options->errors : stderr,
			"[ALERT] : config : no memory to read the configuration.\n");
		return -EINVAL;
	}
	arena = parser->arena;
	load(parser, text);
	if (parser->alerts > 0) {
		report_end(parser);
		arena_destroy(arena);
		result = -EINVAL;
	} else {
		parser->config->warnings = parser->warnings;
		*ret_config = parser->config;
	}
	parser_destroy(parser);
	return result;
}

int config_load(const struct config_options *options, struct config **ret_config)
{
	return load_any(NULL, options, ret_config);
}

int config_load_text(
	const struct config_text *text, const struct config_options *options, struct config **ret_config)
{
	return load_any(text, options, ret_config);
}

void config_destroy(struct config *config)
{
	/* The configuration lies in the arena itself. */
	if (config != NULL)
		arena_destroy(config->arena);
}

unsigned config_warnings(const struct config *config)
{
	return config->warnings;
}

struct config_proxy *config_proxy_find(const struct config *config, const char *name, unsigned role)
{
	for (struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next) {
		if ((proxy->roles & role) != 0 && strcmp(proxy->name, name) == 0)
			return proxy;
	}
	return NULL;
}
