/* Commands of the runtime socket: one row each, and the state of one that runs.
 * A command writes its answer in chunks, so that an answer of any length holds
 * only one chunk of memory; one that needs the workers waits for them. */
#pragma once

#include "admin/admin_internal.h"
#include "base/text.h"

enum {
	COMMAND_WORDS_MAX = 64,
	COMMAND_LINE_MAX = 16 * 1024,
	COMMAND_CHUNK_BYTES = 16 * 1024, /* an advance() stops when it has written as much */
	COMMAND_OUTPUT_MAX = 256 * 1024, /* what one advance() may write at most */
};

enum command_progress {
	COMMAND_DONE,
	COMMAND_MORE, /* the chunk is full: send it, then call again */
	COMMAND_WAITING, /* on_resume will be called */
};

/* One client's standing; outlives its commands. */
struct command_session {
	enum config_runtime_level level;
	bool is_interactive; /* prompt */
	bool is_quitting;
	uint32_t timeout_ms;
	int fd; /* the connection */
	bool can_take_sockets; /* expose-fd listeners */
};

struct command_row;
struct session_job;

struct command {
	struct admin *admin;
	struct command_session *session;
	struct text_grow *out;
	void (*on_resume)(struct command *command); /* control thread */
	void *owner;
	const struct command_row *row;
	unsigned words_count;
	char *words[COMMAND_WORDS_MAX + 1]; /* NULL-terminated */
	/* Progress; zero when the command starts. */
	size_t cursor;
	unsigned step;
	struct session_job *job; /* command_session.c's */
};

struct command_row {
	const char *words; /* "show stat" */
	const char *usage; /* what follows them */
	enum config_runtime_level level;
	const char *help; /* one sentence without full stop */
	enum command_progress (*advance)(struct command *command);
};

extern const struct command_row command_rows[];
extern const size_t command_rows_count;

/* Splits the first command off *line in place (up to a semicolon; a backslash takes
 * the next character as it is) and moves *line behind it.  Returns false when
 * nothing is left.  A command of too many words has words_count > COMMAND_WORDS_MAX. */
bool command_line_next(char **line, char **words, unsigned *ret_words_count);

/* Looks the row up and checks the level; then command_advance() until DONE.  A
 * command that does not exist answers with help. */
void command_start(struct command *command);
enum command_progress command_advance(struct command *command);
/* Gives up a command that has not answered DONE. */
void command_cancel(struct command *command);

/* The words of row begin the words given: how many there are, else 0. */
unsigned command_row_match(const struct command_row *row, char *const *words, unsigned words_count);

/* For handlers: arguments behind the row's own words; NULL when there are fewer. */
const char *command_argument(const struct command *command, unsigned index);
/* Answers one sentence and is done. */
enum command_progress command_reply(struct command *command, const char *sentence);
static inline bool command_chunk_is_full(const struct command *command)
{
	return command->out->len >= COMMAND_CHUNK_BYTES || command->out->is_cut;
}

/* Names as HAProxy takes them: a name, or '#' and a number. */
struct frontend *command_frontend(struct command *command, const char *name);
struct backend *command_backend(struct command *command, const char *name);
/* "backend/server".  NULL: the answer says already why. */
struct server *command_server(struct command *command, const char *name);

#define COMMAND(name) enum command_progress command_##name(struct command *command)

COMMAND(help);
COMMAND(getsocks);
COMMAND(prompt);
COMMAND(quit);
COMMAND(level_lower);
COMMAND(set_timeout);
COMMAND(show_cli_level);
COMMAND(show_cli_sockets);
COMMAND(show_info);
COMMAND(show_version);
COMMAND(show_startup_logs);
COMMAND(show_activity);
COMMAND(show_backend);
COMMAND(show_relay);
COMMAND(show_resolvers);
COMMAND(show_stat);
COMMAND(show_servers_state);
COMMAND(show_servers_conn);
COMMAND(show_sess);
COMMAND(shutdown_session);
COMMAND(shutdown_sessions_server);
COMMAND(shutdown_frontend);
COMMAND(enable_frontend);
COMMAND(disable_frontend);
COMMAND(set_maxconn_frontend);
COMMAND(set_maxconn_global);
COMMAND(set_maxconn_server);
COMMAND(enable_agent);
COMMAND(disable_agent);
COMMAND(enable_health);
COMMAND(disable_health);
COMMAND(enable_server);
COMMAND(disable_server);
COMMAND(set_server);
COMMAND(set_weight);
COMMAND(get_weight);
COMMAND(clear_counters);
