/* Serves the master's socket: one line a connection, answers short enough to be sent at once. */
#include "start/master_cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/address.h"
#include "base/check.h"
#include "base/fd.h"
#include "base/list.h"
#include "base/log.h"
#include "start/handover.h"

enum {
	CLIENTS_MAX = 16, /* the others wait in the kernel's queue */
	LINE_MAX_BYTES = HANDOVER_TEXT_MAX,
	ANSWER_MAX_BYTES = 8192,
	IDLE_LIMIT_MS = 10000, /* without a line */
	BACKLOG = 16,
	CLIENT_MAGIC = 0x6d636c69,
};

struct master_cli {
	struct master_cli_options options;
	struct address address;
	int fd;
	struct loop_watch watch;
	struct list clients;
	unsigned clients_count;
};

struct client {
	struct list node;
	uint32_t magic;
	struct master_cli *cli;
	int fd;
	struct loop_watch watch;
	struct loop_timer timer;
	struct loop_task task; /* frees it */
	bool is_waiting; /* for a reload to be over */
	size_t len;
	char line[LINE_MAX_BYTES + 1];
};

enum outcome {
	OUTCOME_DONE, /* answered: the line's next command */
	OUTCOME_WAITING, /* answered later */
	OUTCOME_LEFT, /* another process has the connection */
};

struct command_row {
	const char *words, *help;
	enum outcome (*run)(struct client *client, struct text *out);
};

static enum outcome run_help(struct client *client, struct text *out);
static enum outcome run_reload(struct client *client, struct text *out);
static enum outcome run_show(struct client *client, struct text *out);

static const struct command_row rows[] = {
	{"help", "list the commands", run_help},
	{"reload", "start a new worker with the configuration as it is now, and say how that went",
		run_reload},
	{"show proc", "list the master and its workers", run_show},
};

static void listening_set(struct master_cli *cli);

/* --- a client's end --- */

static void client_free(struct loop_task *task)
{
	struct client *client = container_of(task, struct client, task);
	CHECK(client->magic == CLIENT_MAGIC);
	client->magic = 0;
	free(client);
}

/* The memory goes at the end of the pass, whose events may name the watch. */
static void client_close(struct client *client)
{
	struct master_cli *cli = client->cli;
	loop_watch_remove(cli->options.loop, &client->watch, false);
	loop_timer_cancel(cli->options.loop, &client->timer);
	fd_close(&client->fd);
	list_remove(&client->node);
	cli->clients_count--;
	loop_task_schedule(cli->options.loop, &client->task);
	listening_set(cli);
}

static void client_answer(struct client *client, const struct text *out)
{
	/* Who does not read a few kilobytes in an empty buffer has gone. */
	ssize_t sent = send(client->fd, out->start, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)sent;
	client_close(client);
}

static void on_timer(struct loop_timer *timer)
{
	client_close(container_of(timer, struct client, timer));
}

/* --- commands --- */

static enum outcome run_help(struct client *client, struct text *out)
{
	(void)client;
	text_add(out, "The following commands are known to the master:\n");
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		text_printf(out, "  %-24s: %s\n", rows[i].words, rows[i].help);
	text_printf(out, "  %-24s: %s\n", "@1 <commands>", "ask the worker that serves");
	text_printf(out, "  %-24s: %s\n", "@!<pid> <commands>", "ask the worker with this number");
	return OUTCOME_DONE;
}

static enum outcome run_show(struct client *client, struct text *out)
{
	client->cli->options.show_processes(out);
	return OUTCOME_DONE;
}

/* The outcome may be there before this returns. */
static enum outcome run_reload(struct client *client, struct text *out)
{
	(void)out;
	client->is_waiting = true;
	loop_timer_cancel(client->cli->options.loop, &client->timer);
	client->cli->options.reload();
	return OUTCOME_WAITING;
}

/* "@1 show info": the worker gets the connection and the rest of the line. */
static enum outcome run_at_worker(struct client *client, char *line, struct text *out)
{
	struct handover_order order = {.kind = HANDOVER_CLIENT, .fd = client->fd};
	char *rest = line + strcspn(line, " \t");
	if (*rest != '\0')
		*rest++ = '\0';
	int channel = client->cli->options.worker_find(line + 1);
	if (channel < 0) {
		text_printf(out, "There is no worker '%s'.\n", line);
		return OUTCOME_DONE;
	}
	struct text text;
	text_init(&text, order.text, sizeof(order.text));
	text_add(&text, rest);
	int error = handover_order_send(channel, &order);
	if (error == 0)
		return OUTCOME_LEFT;
	text_printf(out, "The worker cannot be asked: %s.\n", strerror(-error));
	return OUTCOME_DONE;
}

static enum outcome command_run(struct client *client, const char *words, struct text *out)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (strcmp(rows[i].words, words) == 0)
			return rows[i].run(client, out);
	}
	text_printf(out,
		"Unknown command '%s'; 'help' lists those of the master, '@1 help' those of a worker.\n",
		words);
	return OUTCOME_DONE;
}

/* Without blanks at both ends. */
static char *words_trim(char *words)
{
	words += strspn(words, " \t\r");
	size_t len = strlen(words);
	while (len > 0 && strchr(" \t\r", words[len - 1]) != NULL)
		words[--len] = '\0';
	return words;
}

static void line_run(struct client *client)
{
	char storage[ANSWER_MAX_BYTES], *rest = client->line;
	struct text out;
	enum outcome outcome = OUTCOME_DONE;
	text_init(&out, storage, sizeof(storage));
	while (rest != NULL && outcome == OUTCOME_DONE) {
		char *line = words_trim(rest);
		if (line[0] == '@') {
			rest = NULL;
			outcome = run_at_worker(client, line, &out);
		} else {
			outcome = command_run(client, words_trim(strsep(&rest, ";")), &out);
		}
		if (outcome == OUTCOME_DONE)
			text_add(&out, "\n");
	}
	if (outcome == OUTCOME_DONE)
		client_answer(client, &out);
	else if (outcome == OUTCOME_LEFT)
		client_close(client);
}

void master_cli_reloaded(struct master_cli *cli, const char *failure)
{
	char storage[1024];
	struct text out;
	if (cli == NULL)
		return;
	text_init(&out, storage, sizeof(storage));
	text_printf(&out, "Success=%d\n", failure == NULL);
	if (failure != NULL)
		text_printf(&out, "--\n%s\n", failure);
	text_add(&out, "\n");
	for (struct list *node = cli->clients.next, *next; node != &cli->clients; node = next) {
		struct client *client = container_of(node, struct client, node);
		next = node->next;
		if (client->is_waiting)
			client_answer(client, &out);
	}
}

/* --- connections --- */

static void on_readable(struct loop_watch *watch, unsigned events)
{
	struct client *client = container_of(watch, struct client, watch);
	CHECK(client->magic == CLIENT_MAGIC);
	(void)events;
	if (client->is_waiting) {
		/* It may end its own side; more than a line is not read. */
		loop_watch_remove(client->cli->options.loop, watch, false);
		return;
	}
	ssize_t len =
		recv(client->fd, client->line + client->len, LINE_MAX_BYTES - client->len, MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	client->len += len > 0 ? (size_t)len : 0;
	client->line[client->len] = '\0';
	bool is_whole = memchr(client->line, '\n', client->len) != NULL || (len == 0 && client->len > 0);
	client->line[strcspn(client->line, "\n")] = '\0';
	if (is_whole)
		line_run(client);
	else if (len <= 0 || client->len == LINE_MAX_BYTES)
		client_close(client);
}

static void client_open(struct master_cli *cli, int fd)
{
	struct client *client = calloc(1, sizeof(*client));
	if (client == NULL) {
		fd_close(&fd);
		return;
	}
	client->magic = CLIENT_MAGIC;
	client->cli = cli;
	client->fd = fd;
	client->watch.fd = -1;
	loop_timer_init(&client->timer, on_timer);
	loop_task_init(&client->task, client_free);
	list_init(&client->node);
	list_add(&cli->clients, &client->node);
	cli->clients_count++;
	loop_timer_set(cli->options.loop, &client->timer, loop_now_ms(cli->options.loop) + IDLE_LIMIT_MS);
	if (loop_watch_add(cli->options.loop, &client->watch, fd, LOOP_READABLE | LOOP_LEVEL, on_readable) !=
		0)
		client_close(client);
}

static void on_listening(struct loop_watch *watch, unsigned events)
{
	struct master_cli *cli = container_of(watch, struct master_cli, watch);
	(void)events;
	while (cli->clients_count < CLIENTS_MAX) {
		int fd = accept4(cli->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			break;
		client_open(cli, fd);
	}
	listening_set(cli);
}

/* Watched while there is room for a client. */
static void listening_set(struct master_cli *cli)
{
	bool has_room = cli->clients_count < CLIENTS_MAX;
	if (!has_room)
		loop_watch_remove(cli->options.loop, &cli->watch, false);
	else if (!loop_watch_is_live(&cli->watch) && cli->fd >= 0 &&
		loop_watch_add(cli->options.loop, &cli->watch, cli->fd, LOOP_READABLE | LOOP_LEVEL,
			on_listening) != 0)
		log_event(LOG_LEVEL_WARNING, "the master's socket is not served for want of memory.");
}

/* --- life --- */

/* A file that is no socket, or at whose socket somebody listens, stays. */
static int path_clear(const struct address *address)
{
	struct stat status;
	if (lstat(address->local.sun_path, &status) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	FD_AUTO int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return -errno;
	if (connect(probe, &address->any, address->len) == 0 || errno == EAGAIN)
		return -EADDRINUSE;
	return unlink(address->local.sun_path) == 0 ? 0 : -errno;
}

static int path_listen(const char *path, struct address *ret_address, int *ret_fd)
{
	struct address_spec spec;
	struct address address;
	const char *reason = NULL;
	if (address_parse(path, &spec, &reason) < 0 || spec.kind != ADDRESS_UNIX ||
		address_resolve(&spec, 0, &address) < 0)
		return -EINVAL;
	int error = path_clear(&address);
	if (error < 0)
		return error;
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	mode_t mask = umask(0177);
	int bound = bind(fd, &address.any, address.len) == 0 ? 0 : -errno;
	(void)umask(mask);
	if (bound < 0)
		return bound;
	if (listen(fd, BACKLOG) != 0)
		return -errno;
	*ret_address = address;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int master_cli_create(const struct master_cli_options *options, struct master_cli **ret_cli)
{
	struct master_cli *cli = calloc(1, sizeof(*cli));
	if (cli == NULL)
		return -ENOMEM;
	cli->options = *options;
	cli->fd = cli->watch.fd = -1;
	list_init(&cli->clients);
	int error = path_listen(options->path, &cli->address, &cli->fd);
	if (error < 0) {
		log_event(LOG_LEVEL_ALERT,
			"the master cannot listen at '%s', which has to be a unix socket's path: %s",
			options->path, strerror(-error));
		free(cli);
		return error;
	}
	listening_set(cli);
	*ret_cli = cli;
	return 0;
}

void master_cli_destroy(struct master_cli *cli)
{
	if (cli == NULL)
		return;
	loop_watch_remove(cli->options.loop, &cli->watch, false);
	fd_close(&cli->fd);
	while (!list_is_empty(&cli->clients))
		client_close(container_of(cli->clients.next, struct client, node));
	/* Their tasks free them. */
	loop_run_once(cli->options.loop, 0);
	(void)unlink(cli->address.local.sun_path);
	free(cli);
}
