/* The table of commands, finding a row, and help. */
#include "admin/command.h"

#include <stdlib.h>
#include <string.h>

#include "base/lookup.h"

#define USER     CONFIG_LEVEL_USER
#define OPERATOR CONFIG_LEVEL_OPERATOR
#define ADMIN    CONFIG_LEVEL_ADMIN

/* clang-format off */
const struct command_row command_rows[] = {
	{"clear counters", "[all]", OPERATOR, "forget maxima, with 'all' start every counter over", command_clear_counters},
	{"disable agent", "<backend>/<server>", ADMIN, "stop asking a server's agent for now", command_disable_agent},
	{"disable frontend", "<frontend>", ADMIN, "stop accepting at a frontend for now", command_disable_frontend},
	{"disable health", "<backend>/<server>", ADMIN, "stop a server's health checks for now; it counts as up", command_disable_health},
	{"disable server", "<backend>/<server>", ADMIN, "put a server into maintenance", command_disable_server},
	{"enable agent", "<backend>/<server>", ADMIN, "ask a server's agent again", command_enable_agent},
	{"enable frontend", "<frontend>", ADMIN, "accept at a frontend again", command_enable_frontend},
	{"enable health", "<backend>/<server>", ADMIN, "begin a server's health checks again", command_enable_health},
	{"enable server", "<backend>/<server>", ADMIN, "end a server's maintenance or drain", command_enable_server},
	{"get weight", "<backend>/<server>", USER, "print a server's weight", command_get_weight},
	{"operator", "", USER, "give up the admin level in this connection", command_level_lower},
	{"set maxconn frontend", "<frontend> <number>", ADMIN, "change a frontend's limit of connections", command_set_maxconn_frontend},
	{"set maxconn global", "<number>", ADMIN, "change the process's limit of connections, 0 for the initial one", command_set_maxconn_global},
	{"set maxconn server", "<backend>/<server> <number>", ADMIN, "change a server's limit of sessions", command_set_maxconn_server},
	{"set server", "<backend>/<server> {agent|health|state|weight} <value>", ADMIN, "change a server's state, health, weight, or what its agent said", command_set_server},
	{"set timeout cli", "<delay>", USER, "change how long this connection may be idle", command_set_timeout},
	{"set weight", "<backend>/<server> <weight>[%]", ADMIN, "change a server's weight", command_set_weight},
	{"show activity", "", USER, "print what each worker's loop has done", command_show_activity},
	{"show backend", "", USER, "list the backends", command_show_backend},
	{"show cli level", "", USER, "print this connection's level", command_show_cli_level},
	{"show cli sockets", "", USER, "list the runtime sockets", command_show_cli_sockets},
	{"show info", "[typed|json] [desc]", USER, "print facts and totals of the process", command_show_info},
	{"show relay", "", USER, "print each engine's directions, bytes and refusals", command_show_relay},
	{"show resolvers", "[<section>]", USER, "print name servers, and what is known of servers' names", command_show_resolvers},
	{"show servers conn", "[<backend>]", USER, "list the servers' connections", command_show_servers_conn},
	{"show servers state", "[<backend>]", USER, "list the servers' states and weights", command_show_servers_state},
	{"show sess", "[all|<id>]", OPERATOR, "list the sessions, or print them in full", command_show_sess},
	{"show startup-logs", "", OPERATOR, "print the messages of the start", command_show_startup_logs},
	{"show stat", "[{<iid>|<proxy>} <type> <sid>] [typed|json] [desc] [up|no-maint]", USER, "print the statistics of proxies and servers", command_show_stat},
	{"show version", "", USER, "print the version", command_show_version},
	{"shutdown frontend", "<frontend>", ADMIN, "close a frontend's listening sockets for good", command_shutdown_frontend},
	{"shutdown session", "<id>", ADMIN, "end one session", command_shutdown_session},
	{"shutdown sessions server", "<backend>/<server>", ADMIN, "end all sessions of a server", command_shutdown_sessions_server},
	{"_getsocks", "", ADMIN, "pass the listening sockets to a new process (spliced -x)", command_getsocks},
	{"user", "", USER, "give up all levels but user in this connection", command_level_lower},
	{"help", "[<command>]", USER, "list the commands, or those that begin so", command_help},
	{"prompt", "", USER, "turn interactive use on or off", command_prompt},
	{"quit", "", USER, "close the connection", command_quit},
};
/* clang-format on */

const size_t command_rows_count = ARRAY_LENGTH(command_rows);

/* Copies the next word of a row's words; returns the rest or NULL at the end. */
static const char *row_word(const char *words, char *ret_word, size_t size)
{
	size_t len = strcspn(words, " ");
	if (len == 0)
		return NULL;
	size_t copied = len < size - 1 ? len : size - 1;
	memcpy(ret_word, words, copied);
	ret_word[copied] = '\0';
	return words[len] == ' ' ? words + len + 1 : words + len;
}

unsigned command_row_match(const struct command_row *row, char *const *words, unsigned words_count)
{
	char word[32];
	unsigned matched = 0;
	const char *rest = row->words;
	while ((rest = row_word(rest, word, sizeof(word)))) {
		if (matched == words_count || strcmp(word, words[matched]) != 0)
			return 0;
		matched++;
	}
	return matched;
}

/* How far a row may be from what was typed and still be offered. */
struct nearness {
	unsigned words; /* compared at most; as far as both have as many */
	unsigned slack; /* letters a long word may differ in */
};

static bool row_is_near(
	const struct command_row *row, const struct command *command, struct nearness nearness)
{
	char word[32];
	unsigned count = command->words_count < nearness.words ? command->words_count : nearness.words;
	const char *rest = row->words;
	for (unsigned i = 0; i < count && (rest = row_word(rest, word, sizeof(word))); i++) {
		unsigned allowed = strlen(word) > 4 ? nearness.slack : nearness.slack / 2;
		if (strcmp(word, command->words[i]) != 0 &&
			lookup_distance(word, command->words[i]) > allowed)
			return false;
	}
	return count > 0;
}

static bool row_is_for_all(const struct command_row *row)
{
	return row->advance == command_help || row->advance == command_prompt || row->advance == command_quit;
}

static void row_print(const struct command_row *row, struct text_grow *out)
{
	char left[128];
	struct text text;
	text_init(&text, left, sizeof(left));
	text_printf(&text, "%s%s%s", row->words, row->usage[0] ? " " : "", row->usage);
	text_grow_printf(out, "  %-40s: %s\n", left, row->help);
}

static unsigned near_count(const struct command *command, struct nearness nearness)
{
	unsigned count = 0;
	for (size_t i = 0; i < command_rows_count; i++) {
		const struct command_row *row = &command_rows[i];
		count += row->level <= command->session->level && row_is_near(row, command, nearness);
	}
	return count;
}

/* Prints the rows the client may use: all, or those near what was typed. */
static void rows_print(struct command *command, const struct nearness *nearness)
{
	for (size_t i = 0; i < command_rows_count; i++) {
		const struct command_row *row = &command_rows[i];
		if (row->level > command->session->level)
			continue;
		if (!nearness || row_is_for_all(row) || row_is_near(row, command, *nearness))
			row_print(row, command->out);
	}
}

/* What was meant: the same words, words misspelt, or at least the same first word. */
static const struct nearness guesses[] = {{COMMAND_WORDS_MAX, 0}, {COMMAND_WORDS_MAX, 2}, {1, 0}};

static void unknown_print(struct command *command)
{
	for (size_t i = 0; i < ARRAY_LENGTH(guesses); i++) {
		if (near_count(command, guesses[i]) == 0)
			continue;
		text_grow_add(command->out,
			"Unknown command, but maybe one of the following ones is a better match:\n");
		rows_print(command, &guesses[i]);
		return;
	}
	text_grow_add(command->out, "Unknown command. Please enter one of the following commands only:\n");
	rows_print(command, NULL);
}

COMMAND(help)
{
	const struct nearness *nearness = NULL;
	/* Without its first word the command is what help is wanted for. */
	if (command->words_count > 1) {
		memmove(command->words, command->words + 1, command->words_count * sizeof(command->words[0]));
		command->words_count--;
		nearness = &guesses[0];
		if (near_count(command, *nearness) == 0) {
			unknown_print(command);
			return COMMAND_DONE;
		}
	}
	text_grow_add(command->out, "The following commands are valid at this level:\n");
	rows_print(command, nearness);
	return COMMAND_DONE;
}

void command_start(struct command *command)
{
	unsigned best = 0;
	unsigned count = command->words_count < COMMAND_WORDS_MAX ? command->words_count : COMMAND_WORDS_MAX;
	command->row = NULL;
	command->cursor = 0;
	command->step = 0;
	command->job = NULL;
	for (size_t i = 0; i < command_rows_count; i++) {
		unsigned matched = command_row_match(&command_rows[i], command->words, count);
		if (matched > best) {
			best = matched;
			command->row = &command_rows[i];
		}
	}
}

enum command_progress command_advance(struct command *command)
{
	if (command->words_count > COMMAND_WORDS_MAX)
		return command_reply(command, "Too many words in one command.");
	if (!command->row) {
		unknown_print(command);
		return COMMAND_DONE;
	}
	if (command->row->level > command->session->level)
		return command_reply(command, "Permission denied");
	return command->row->advance(command);
}

const char *command_argument(const struct command *command, unsigned index)
{
	unsigned own = command_row_match(command->row, command->words, command->words_count);
	return own + index < command->words_count ? command->words[own + index] : NULL;
}

enum command_progress command_reply(struct command *command, const char *sentence)
{
	text_grow_printf(command->out, "%s\n", sentence);
	return COMMAND_DONE;
}

static bool id_is(const char *name, unsigned id)
{
	return name[0] == '#' && strtoul(name + 1, NULL, 10) == id;
}

struct frontend *command_frontend(struct command *command, const char *name)
{
	struct frontend *frontend = command->admin->instance->frontends;
	while (frontend && strcmp(frontend->config->name, name) != 0 && !id_is(name, frontend->config->id))
		frontend = frontend->next;
	return frontend;
}

struct backend *command_backend(struct command *command, const char *name)
{
	struct backend *backend = command->admin->instance->backends;
	while (backend && strcmp(backend->config->name, name) != 0 && !id_is(name, backend->config->id))
		backend = backend->next;
	return backend;
}

static struct server *server_find(struct backend *backend, const char *name)
{
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct server *server = &backend->servers[i];
		if (strcmp(server->config->name, name) == 0 || id_is(name, server->config->id))
			return server;
	}
	return NULL;
}

struct server *command_server(struct command *command, const char *name)
{
	char backend_name[256];
	const char *slash = name ? strchr(name, '/') : NULL;
	size_t len = slash ? (size_t)(slash - name) : 0;
	if (!slash || len == 0 || len >= sizeof(backend_name)) {
		text_grow_add(command->out, "Require 'backend/server'.\n");
		return NULL;
	}
	memcpy(backend_name, name, len);
	backend_name[len] = '\0';
	struct backend *backend = command_backend(command, backend_name);
	struct server *server = backend ? server_find(backend, slash + 1) : NULL;
	if (!server)
		text_grow_add(command->out, backend ? "No such server.\n" : "No such backend.\n");
	return server;
}
