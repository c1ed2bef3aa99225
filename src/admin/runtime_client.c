/* Reads lines, runs their commands one after the other, and sends the answers as
 * fast as the client takes them. */
#include "admin/runtime_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"

enum {
	STEPS_PER_PASS = 16, /* chunks, before others have their turn */
	FAREWELL_READ_MAX = 64 * 1024, /* of unread input, so that closing is no reset */
	RUNTIME_CLIENT_MAGIC = 0x52434c49,
};

enum client_state {
	CLIENT_READING, /* for a line */
	CLIENT_RUNNING, /* a command has more to say */
	CLIENT_WAITING, /* for a worker's answer */
	CLIENT_LEAVING, /* the rest of the output, then closing */
	CLIENT_GONE,
};

struct runtime_client {
	struct list node;
	uint32_t magic;
	struct runtime_client_options options;
	struct loop *loop;
	int fd;
	struct loop_watch watch;
	struct loop_timer timer;
	struct loop_task task; /* goes on in the next pass, or frees */
	enum client_state state;
	struct command_session session;
	struct command command;
	struct text_grow output;
	size_t output_sent;
	bool has_ended; /* the client sends no more */
	bool has_run; /* a command of this line */
	char *rest; /* of the line that is being run; NULL: none */
	size_t input_len, line_len; /* line_len: with its newline */
	char input[COMMAND_LINE_MAX + 1];
};

static void client_free(struct runtime_client *client)
{
	command_cancel(&client->command);
	text_grow_release(&client->output);
	list_remove(&client->node);
	client->magic = 0;
	free(client);
}

/* What the client sent and we did not read would turn our close into a reset,
 * and the end of the answer could be lost. */
static void client_close(struct runtime_client *client)
{
	char unread[4096];
	size_t left = FAREWELL_READ_MAX;
	ssize_t len = 1;
	/* A master may have it open as well. */
	loop_watch_remove(client->loop, &client->watch, false);
	loop_timer_cancel(client->loop, &client->timer);
	(void)shutdown(client->fd, SHUT_WR);
	while (left > 0 && len > 0) {
		len = recv(client->fd, unread, sizeof(unread), MSG_DONTWAIT);
		left -= len > 0 ? ((size_t)len < left ? (size_t)len : left) : 0;
	}
	fd_close(&client->fd);
}

static void client_leave(struct runtime_client *client)
{
	if (client->state == CLIENT_GONE)
		return;
	client->state = CLIENT_GONE;
	command_cancel(&client->command);
	client_close(client);
	client->options.on_gone(client->options.context, client);
	loop_task_schedule(client->loop, &client->task);
}

static void client_touch(struct runtime_client *client)
{
	loop_timer_set(client->loop, &client->timer, loop_now_ms(client->loop) + client->session.timeout_ms);
}

static void on_timer(struct loop_timer *timer)
{
	client_leave(container_of(timer, struct runtime_client, timer));
}

/* Returns true when everything was sent. */
static bool output_send(struct runtime_client *client)
{
	while (client->output_sent < client->output.len) {
		ssize_t len = send(client->fd, client->output.start + client->output_sent,
			client->output.len - client->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (len > 0) {
			client->output_sent += (size_t)len;
			client_touch(client);
			continue;
		}
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno != EAGAIN)
			client_leave(client);
		return false;
	}
	client->output.len = 0;
	client->output.is_cut = false;
	client->output_sent = 0;
	return true;
}

static void prompt_print(struct runtime_client *client)
{
	if (client->session.is_interactive && !client->session.is_quitting)
		text_grow_add(&client->output, "> ");
}

/* Every answer ends with an empty line; quit has no answer. */
static void command_end(struct runtime_client *client)
{
	client->state = CLIENT_READING;
	if (client->session.is_quitting) {
		client->state = CLIENT_LEAVING;
		return;
	}
	text_grow_add(&client->output, "\n");
	prompt_print(client);
}

static void command_run(struct runtime_client *client)
{
	enum command_progress progress = command_advance(&client->command);
	if (client->output.is_cut) {
		/* No command writes so much in one step, so memory has run out. */
		client_leave(client);
		return;
	}
	switch (progress) {
	case COMMAND_DONE:
		command_end(client);
		return;
	case COMMAND_MORE:
		client->state = CLIENT_RUNNING;
		return;
	case COMMAND_WAITING:
		client->state = CLIENT_WAITING;
		return;
	}
}

/* The line is done: a client that is not interactive has only one. */
static void line_end(struct runtime_client *client)
{
	client->rest = NULL;
	client->has_run = false;
	client->input_len -= client->line_len;
	memmove(client->input, client->input + client->line_len, client->input_len);
	client->line_len = 0;
	if (!client->session.is_interactive)
		client->state = CLIENT_LEAVING;
}

/* Finds a whole line in the input, or what is there when no more will come. */
static bool line_begin(struct runtime_client *client)
{
	char *newline = memchr(client->input, '\n', client->input_len);
	if (!newline && (!client->has_ended || client->input_len == 0))
		return false;
	size_t len = newline ? (size_t)(newline - client->input) : client->input_len;
	client->line_len = newline ? len + 1 : len;
	client->input[len] = '\0';
	/* A zero byte would hide what follows it. */
	for (size_t i = 0; i < len; i++)
		client->input[i] = client->input[i] ? client->input[i] : '?';
	client->rest = client->input;
	return true;
}

/* Runs the line's next command, or ends the line.  An empty line is answered with
 * the next prompt by an interactive client's server, and is an unknown command else. */
static void line_run(struct runtime_client *client)
{
	struct command *command = &client->command;
	bool is_first = !client->has_run;
	client->has_run = true;
	command->words_count = 0;
	bool has_command = command_line_next(&client->rest, command->words, &command->words_count);
	if (!has_command && !is_first) {
		line_end(client);
		return;
	}
	if (command->words_count == 0 && client->session.is_interactive) {
		prompt_print(client);
		return;
	}
	command_start(command);
	command_run(client);
}

/* Returns false when there is nothing to read now. */
static bool input_read(struct runtime_client *client)
{
	if (client->input_len == COMMAND_LINE_MAX) {
		text_grow_printf(&client->output, "The line is longer than %d bytes.\n\n", COMMAND_LINE_MAX);
		client->input_len = 0;
		client->state = CLIENT_LEAVING;
		return true;
	}
	ssize_t len = recv(client->fd, client->input + client->input_len,
		COMMAND_LINE_MAX - client->input_len, MSG_DONTWAIT);
	if (len < 0 && errno == EINTR)
		return true;
	if (len < 0 && errno == EAGAIN)
		return false;
	if (len < 0) {
		client_leave(client);
		return true;
	}
	client->has_ended = len == 0;
	client->input_len += (size_t)len;
	client_touch(client);
	return true;
}

/* One step; returns false when only an event can bring the client forward. */
static bool client_step(struct runtime_client *client)
{
	if (!output_send(client))
		return false;
	switch (client->state) {
	case CLIENT_READING:
		if (client->rest || line_begin(client)) {
			line_run(client);
			return true;
		}
		if (client->has_ended) {
			client->state = CLIENT_LEAVING;
			return true;
		}
		return input_read(client);
	case CLIENT_RUNNING:
		command_run(client);
		return true;
	case CLIENT_LEAVING:
		client_leave(client);
		return false;
	case CLIENT_WAITING:
	case CLIENT_GONE:
		return false;
	}
	return false;
}

static void client_advance(struct runtime_client *client)
{
	for (unsigned i = 0; i < STEPS_PER_PASS; i++) {
		if (!client_step(client))
			return;
	}
	loop_task_schedule(client->loop, &client->task);
}

static void on_task(struct loop_task *task)
{
	struct runtime_client *client = container_of(task, struct runtime_client, task);
	CHECK(client->magic == RUNTIME_CLIENT_MAGIC);
	if (client->state == CLIENT_GONE)
		client_free(client);
	else
		client_advance(client);
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct runtime_client *client = container_of(watch, struct runtime_client, watch);
	CHECK(client->magic == RUNTIME_CLIENT_MAGIC);
	if ((events & LOOP_FAILED) && client->state == CLIENT_WAITING) {
		client_leave(client);
		return;
	}
	client_advance(client);
}

static void on_resume(struct command *command)
{
	struct runtime_client *client = command->owner;
	CHECK(client->magic == RUNTIME_CLIENT_MAGIC);
	client->state = CLIENT_RUNNING;
	client_advance(client);
}

int runtime_client_create(const struct runtime_client_options *options, struct runtime_client **ret_client)
{
	int fd = options->fd;
	struct runtime_client *client = malloc(sizeof(*client));
	if (!client) {
		fd_close(&fd);
		return -ENOMEM;
	}
	memset(client, 0, offsetof(struct runtime_client, input));
	list_init(&client->node);
	client->magic = RUNTIME_CLIENT_MAGIC;
	client->options = *options;
	client->loop = options->admin->loop;
	client->fd = fd;
	client->session = (struct command_session){.level = options->level,
		.timeout_ms = options->timeout_ms,
		.fd = fd,
		.can_take_sockets = options->can_take_sockets};
	client->command.admin = options->admin;
	client->command.session = &client->session;
	client->command.out = &client->output;
	client->command.on_resume = on_resume;
	client->command.owner = client;
	text_grow_init(&client->output, COMMAND_OUTPUT_MAX);
	loop_timer_init(&client->timer, on_timer);
	loop_task_init(&client->task, on_task);
	int error = loop_watch_add(client->loop, &client->watch, fd, LOOP_READABLE | LOOP_WRITABLE, on_ready);
	if (error != 0) {
		fd_close(&fd);
		client_free(client);
		return error;
	}
	client_touch(client);
	if (options->line) {
		int len = snprintf(client->input, COMMAND_LINE_MAX, "%s\n", options->line);
		client->input_len = len < COMMAND_LINE_MAX ? (size_t)len : 0;
		loop_task_schedule(client->loop, &client->task);
	}
	*ret_client = client;
	return 0;
}

void runtime_client_destroy(struct runtime_client *client)
{
	loop_task_cancel(client->loop, &client->task);
	if (client->state != CLIENT_GONE)
		client_close(client);
	client_free(client);
}

struct list *runtime_client_node(struct runtime_client *client)
{
	return &client->node;
}

struct runtime_client *runtime_client_of(struct list *node)
{
	return container_of(node, struct runtime_client, node);
}
