/* Commands about sessions.  Sessions belong to workers: what is asked of them runs
 * there as a job, a bounded number of sessions at a time, one worker after the
 * other, and the answer is printed here from copies.
 *
 * Lifetime of a job: it belongs to the command until submitted and to the worker
 * until done.  A command that is given up meanwhile leaves it behind with
 * command NULL; then done() frees it. */
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "admin/command.h"
#include "base/clock.h"

enum { SESSIONS_PER_JOB = 128 };

/* What the kernel says about one of a session's sockets. */
struct socket_facts {
	bool is_tcp;
	uint8_t state;
	uint32_t rtt_us, retransmits, window; /* window: congestion window, in segments */
	int unread_bytes, unsent_bytes;
};

struct session_copy {
	struct session_view view;
	struct socket_facts sockets[RELAY_SIDES];
};

struct session_job {
	struct worker_job job;
	struct command *command; /* control thread's; NULL: given up */
	bool is_cancelled; /* atomic */
	bool is_under_way; /* submitted and not done; control thread's */
	bool wants_sockets;
	uint64_t after_id, id; /* where to go on; the one that is meant, 0: all */
	uint64_t last_id; /* newer sessions are left out, so that the list ends */
	const struct server *server; /* whose sessions to end */
	bool is_ended; /* this worker has no more */
	unsigned count;
	struct session_copy copies[SESSIONS_PER_JOB];
};

static void job_done(struct worker_job *job)
{
	struct session_job *sessions = container_of(job, struct session_job, job);
	sessions->is_under_way = false;
	if (!sessions->command)
		free(sessions);
	else
		sessions->command->on_resume(sessions->command);
}

/* The job of this command, made when it is first needed.  NULL without memory. */
static struct session_job *job_get(struct command *command, void (*run)(struct worker_job *))
{
	if (command->job)
		return command->job;
	struct session_job *sessions = calloc(1, sizeof(*sessions));
	if (!sessions)
		return NULL;
	sessions->command = command;
	sessions->job.run = run;
	sessions->job.done = job_done;
	command->job = sessions;
	return sessions;
}

/* step counts workers.  Submits the job to the current one, or to the next that runs. */
static enum command_progress job_submit(struct command *command)
{
	struct instance *instance = command->admin->instance;
	struct session_job *sessions = command->job;
	while (command->step < instance->workers_count && !instance->workers[command->step].is_running)
		command->step++;
	if (command->step >= instance->workers_count) {
		free(sessions);
		command->job = NULL;
		return COMMAND_DONE;
	}
	sessions->count = 0;
	sessions->is_ended = false;
	sessions->is_under_way = true;
	worker_submit(&instance->workers[command->step], &sessions->job);
	return COMMAND_WAITING;
}

/* Goes on with this worker, or starts with the next. */
static enum command_progress job_continue(struct command *command)
{
	if (command->job->is_ended) {
		command->step++;
		command->job->after_id = 0;
		command->job->last_id = 0;
	}
	return job_submit(command);
}

void command_cancel(struct command *command)
{
	struct session_job *sessions = command->job;
	if (!sessions)
		return;
	command->job = NULL;
	if (!sessions->is_under_way) {
		free(sessions);
		return;
	}
	__atomic_store_n(&sessions->is_cancelled, true, __ATOMIC_RELAXED);
	sessions->command = NULL;
}

static bool job_is_cancelled(const struct session_job *sessions)
{
	return __atomic_load_n(&sessions->is_cancelled, __ATOMIC_RELAXED);
}

static struct socket_facts socket_facts_read(int fd)
{
	struct tcp_info info = {0};
	struct socket_facts facts = {0};
	socklen_t len = sizeof(info);
	if (fd < 0)
		return facts;
	(void)ioctl(fd, SIOCINQ, &facts.unread_bytes);
	(void)ioctl(fd, SIOCOUTQ, &facts.unsent_bytes);
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return facts;
	facts.is_tcp = true;
	facts.state = info.tcpi_state;
	facts.rtt_us = info.tcpi_rtt;
	facts.retransmits = info.tcpi_total_retrans;
	facts.window = info.tcpi_snd_cwnd;
	return facts;
}

static void session_copy_take(struct session_job *sessions, struct session *session)
{
	struct session_copy *copy = &sessions->copies[sessions->count++];
	session_view(session, &copy->view);
	sessions->after_id = copy->view.id;
	if (!sessions->wants_sockets)
		return;
	copy->sockets[RELAY_CLIENT] = socket_facts_read(copy->view.client_fd);
	copy->sockets[RELAY_SERVER] = socket_facts_read(copy->view.server_fd);
}

/* Worker's thread. */
static void run_copy(struct worker_job *job)
{
	struct session_job *sessions = container_of(job, struct session_job, job);
	struct session_table *table = &job->worker->sessions;
	sessions->is_ended = true;
	if (job_is_cancelled(sessions))
		return;
	if (sessions->id > 0) {
		struct session *only = session_table_find(table, sessions->id);
		if (only)
			session_copy_take(sessions, only);
		return;
	}
	if (sessions->last_id == 0)
		sessions->last_id = table->next_id;
	struct session *session = session_table_next(table, sessions->after_id);
	while (session && sessions->count < SESSIONS_PER_JOB) {
		session_copy_take(sessions, session);
		session = sessions->after_id < sessions->last_id
			? session_table_next(table, sessions->after_id)
			: NULL;
	}
	sessions->is_ended = !session;
}

static const char *protocol_name(const struct endpoint *endpoint)
{
	switch (endpoint->family) {
	case AF_INET:
		return "tcpv4";
	case AF_INET6:
		return "tcpv6";
	case AF_UNIX:
		return "unix_stream";
	}
	return "?";
}

static const char *or_none(const char *name, const char *none)
{
	return name ? name : none;
}

static void expiry_print(const struct session_view *view, struct text_grow *out)
{
	if (view->expires_in_ms >= 0)
		text_grow_printf(out, "%llds", (long long)view->expires_in_ms / 1000);
}

/* The proxy that has told whose the connection is. */
static void peer_print(const struct session_view *view, struct text_grow *out)
{
	char client[ADDRESS_TEXT_MAX], peer[ADDRESS_TEXT_MAX];
	endpoint_print(&view->client, client, sizeof(client));
	endpoint_print(&view->peer, peer, sizeof(peer));
	if (strcmp(client, peer) != 0)
		text_grow_printf(out, " peer=%s", peer);
}

static void copy_print_line(const struct session_copy *copy, struct text_grow *out)
{
	char client[ADDRESS_TEXT_MAX];
	const struct session_view *view = &copy->view;
	endpoint_print(&view->client, client, sizeof(client));
	text_grow_printf(out, "0x%llx: proto=%s src=%s fe=%s be=%s srv=%s", (unsigned long long)view->id,
		protocol_name(&view->client), client, view->frontend, or_none(view->backend, "<NONE>"),
		or_none(view->server, "<none>"));
	text_grow_printf(out,
		" state=%s age=%llus in=%llu out=%llu eng_in=%s eng_out=%s held_in=%u held_out=%u",
		session_state_name(view->state), (unsigned long long)view->age_ms / 1000,
		(unsigned long long)view->bytes[RELAY_CLIENT], (unsigned long long)view->bytes[RELAY_SERVER],
		or_none(view->engines[RELAY_CLIENT], "-"), or_none(view->engines[RELAY_SERVER], "-"),
		view->held[RELAY_CLIENT], view->held[RELAY_SERVER]);
	text_grow_printf(out, " idle_c=%llus idle_s=%llus fds=%d,%d rc=%u exp=",
		(unsigned long long)view->idle_ms[RELAY_CLIENT] / 1000,
		(unsigned long long)view->idle_ms[RELAY_SERVER] / 1000, view->client_fd, view->server_fd,
		view->retries);
	expiry_print(view, out);
	peer_print(view, out);
	text_grow_add(out, "\n");
}

static const char *tcp_state_name(uint8_t state)
{
	static const char *const names[] = {"?", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1",
		"FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"};
	return state < ARRAY_LENGTH(names) ? names[state] : "?";
}

static void socket_print(const char *side, int fd, const struct socket_facts *facts, struct text_grow *out)
{
	if (fd < 0) {
		text_grow_printf(out, "  %s: fd=-1\n", side);
		return;
	}
	text_grow_printf(
		out, "  %s: fd=%d unread=%d unsent=%d", side, fd, facts->unread_bytes, facts->unsent_bytes);
	if (facts->is_tcp)
		text_grow_printf(out, " tcp=%s rtt=%u.%03ums cwnd=%u retrans=%u",
			tcp_state_name(facts->state), facts->rtt_us / 1000, facts->rtt_us % 1000,
			facts->window, facts->retransmits);
	text_grow_add(out, "\n");
}

/* What a direction waits for, in words, from what is stuck where. */
static const char *direction_wait(const struct session_copy *copy, enum relay_side from)
{
	const struct session_view *view = &copy->view;
	const struct socket_facts *target = &copy->sockets[relay_other(from)];
	if (view->state != SESSION_RELAYING && view->state != SESSION_DRAINING)
		return "not relaying";
	if (view->is_ended[from])
		return "ended";
	if (view->held[from] > 0 || view->queued[from] > 0 || view->is_target_shut[from] ||
		(target->unsent_bytes > 0 && copy->sockets[from].unread_bytes > 0))
		return from == RELAY_CLIENT ? "the server reads slower than the client sends"
					    : "the client reads slower than the server sends";
	if (target->unsent_bytes > 0)
		return "bytes are on their way";
	return from == RELAY_CLIENT ? "nothing to read from the client" : "nothing to read from the server";
}

static void direction_print(const struct session_copy *copy, enum relay_side from, struct text_grow *out)
{
	const struct session_view *view = &copy->view;
	text_grow_printf(out,
		"  %s: engine=%s since=%llums moves=%u why=%s bytes=%llu held=%u queued=%u idle=%llums (%s)\n",
		from == RELAY_CLIENT ? "in" : "out", or_none(view->engines[from], "-"),
		(unsigned long long)view->engine_ms[from], view->moves[from],
		or_none(view->move_reasons[from], "-"), (unsigned long long)view->bytes[from],
		view->held[from], view->queued[from], (unsigned long long)view->idle_ms[from],
		direction_wait(copy, from));
	if (view->away_words[from][0] != '\0')
		text_grow_printf(out, "      not by sockmap: %s\n", view->away_words[from]);
	if (view->packets[from].packets > 0)
		text_grow_printf(out, "      packets=%llu retransmits=%llu\n",
			(unsigned long long)view->packets[from].packets,
			(unsigned long long)view->packets[from].retransmits);
}

static void copy_print_full(const struct session_copy *copy, struct text_grow *out)
{
	char client[ADDRESS_TEXT_MAX], local[ADDRESS_TEXT_MAX], server[ADDRESS_TEXT_MAX];
	const struct session_view *view = &copy->view;
	endpoint_print(&view->client, client, sizeof(client));
	endpoint_print(&view->frontend_local, local, sizeof(local));
	endpoint_print(&view->server_peer, server, sizeof(server));
	text_grow_printf(out, "0x%llx: id=%llu proto=%s source=%s", (unsigned long long)view->id,
		(unsigned long long)view->id, protocol_name(&view->client), client);
	peer_print(view, out);
	text_grow_printf(out, "\n  state=%s age=%llums conn_retries=%u exp=", session_state_name(view->state),
		(unsigned long long)view->age_ms, view->retries);
	expiry_print(view, out);
	text_grow_printf(out, "\n  frontend=%s, listener=%s addr=%s\n", view->frontend,
		or_none(view->listener, "?"), local);
	text_grow_printf(out, "  backend=%s\n", or_none(view->backend, "<NONE>"));
	text_grow_printf(out, "  server=%s addr=%s\n", or_none(view->server, "<NONE>"),
		view->server_fd >= 0 ? server : "-");
	socket_print("client", view->client_fd, &copy->sockets[RELAY_CLIENT], out);
	socket_print("server", view->server_fd, &copy->sockets[RELAY_SERVER], out);
	direction_print(copy, RELAY_CLIENT, out);
	direction_print(copy, RELAY_SERVER, out);
	if (view->takeover_words[0] != '\0')
		text_grow_printf(out, "  not on the wire: %s\n", view->takeover_words);
}

/* Prints from cursor on; returns false when the chunk is full before the end. */
static bool copies_print(struct command *command)
{
	const struct session_job *sessions = command->job;
	while (command->cursor < sessions->count) {
		const struct session_copy *copy = &sessions->copies[command->cursor++];
		if (sessions->wants_sockets)
			copy_print_full(copy, command->out);
		else
			copy_print_line(copy, command->out);
		if (command_chunk_is_full(command))
			return false;
	}
	return true;
}

/* "0x1f" or "31". */
static uint64_t session_id_parse(const char *text)
{
	char *end = NULL;
	unsigned long long id = text ? strtoull(text, &end, 0) : 0;
	return text && end != text && *end == '\0' ? id : 0;
}

/* Looks at the arguments of show sess once.  Returns false when the answer is said. */
static bool show_sess_begin(struct command *command)
{
	const char *which = command_argument(command, 0);
	bool is_all = which && strcmp(which, "all") == 0;
	uint64_t id = which && !is_all ? session_id_parse(which) : 0;
	if (which && !is_all && id == 0) {
		text_grow_add(command->out, "Session not found.\n");
		return false;
	}
	struct session_job *sessions = job_get(command, run_copy);
	if (!sessions) {
		text_grow_add(command->out, "No memory left for the answer.\n");
		return false;
	}
	sessions->id = id;
	sessions->wants_sockets = which;
	return true;
}

COMMAND(show_sess)
{
	if (!command->job)
		return show_sess_begin(command) ? job_submit(command) : COMMAND_DONE;
	if (!copies_print(command))
		return COMMAND_MORE;
	command->cursor = 0;
	bool is_found = command->job->id > 0 && command->job->count > 0;
	uint64_t wanted = command->job->id;
	if (is_found)
		command->step = command->admin->instance->workers_count;
	enum command_progress progress = job_continue(command);
	if (progress == COMMAND_DONE && wanted > 0 && !is_found)
		text_grow_add(command->out, "Session not found.\n");
	return progress;
}

/* Worker's thread; count tells whether it was there. */
static void run_kill_one(struct worker_job *job)
{
	struct session_job *sessions = container_of(job, struct session_job, job);
	sessions->is_ended = true;
	if (job_is_cancelled(sessions))
		return;
	struct session *session = session_table_find(&job->worker->sessions, sessions->id);
	if (!session)
		return;
	session_kill(session, CLOSE_KILLED);
	sessions->count = 1;
}

COMMAND(shutdown_session)
{
	if (!command->job) {
		uint64_t id = session_id_parse(command_argument(command, 0));
		if (!command_argument(command, 0))
			return command_reply(command, "Session pointer expected (use 'show sess').");
		struct session_job *sessions = id > 0 ? job_get(command, run_kill_one) : NULL;
		if (!sessions)
			return command_reply(command, "No such session (use 'show sess').");
		sessions->id = id;
		enum command_progress begun = job_submit(command);
		return begun == COMMAND_DONE ? command_reply(command, "No such session (use 'show sess').")
					     : begun;
	}
	bool is_found = command->job->count > 0;
	if (is_found)
		command->step = command->admin->instance->workers_count;
	enum command_progress progress = job_continue(command);
	if (progress == COMMAND_DONE && !is_found)
		return command_reply(command, "No such session (use 'show sess').");
	return progress;
}

static bool is_on_server(struct session *session, const struct server *server, uint64_t *ret_id)
{
	struct session_view view;
	session_view(session, &view);
	*ret_id = view.id;
	return view.server && view.backend && strcmp(view.server, server->config->name) == 0 &&
		strcmp(view.backend, server->backend->config->name) == 0;
}

/* Worker's thread. */
static void run_kill_server(struct worker_job *job)
{
	struct session_job *sessions = container_of(job, struct session_job, job);
	struct session_table *table = &job->worker->sessions;
	sessions->is_ended = true;
	if (job_is_cancelled(sessions))
		return;
	if (sessions->last_id == 0)
		sessions->last_id = table->next_id;
	struct session *session = session_table_next(table, sessions->after_id);
	for (unsigned i = 0; session && i < SESSIONS_PER_JOB; i++) {
		if (is_on_server(session, sessions->server, &sessions->after_id))
			session_kill(session, CLOSE_KILLED);
		session = sessions->after_id < sessions->last_id
			? session_table_next(table, sessions->after_id)
			: NULL;
	}
	sessions->is_ended = !session;
}

COMMAND(shutdown_sessions_server)
{
	if (command->job)
		return job_continue(command);
	struct server *server = command_server(command, command_argument(command, 0));
	if (!server)
		return COMMAND_DONE;
	struct session_job *sessions = job_get(command, run_kill_server);
	if (!sessions)
		return command_reply(command, "No memory left for the job.");
	sessions->server = server;
	return job_submit(command);
}
