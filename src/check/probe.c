/* Runs of checks: the socket, the steps, the time they may take. */
#include "check/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"
#include "net/connector.h"
#include "proto/proxy_protocol.h"

enum { RECEIVED_BYTES_FIRST = 1024, SHOWN_BYTES = 48 };

enum outcome { STEP_DONE, STEP_WAITS, RUN_ENDED };

void probe_text_print(const uint8_t *bytes, size_t len, char *ret_text, size_t size)
{
	size_t kept = len < size - 1 ? len : size - 1;
	for (size_t i = 0; i < kept; i++)
		ret_text[i] = (char)(bytes[i] == '"'              ? '\''
				: bytes[i] < 32 || bytes[i] > 126 ? '.'
								  : bytes[i]);
	ret_text[kept] = '\0';
}

/* --- the end of a run --- */

static void socket_drop(struct probe *probe)
{
	bool has_linger = probe->connect != NULL ? probe->connect->has_linger : probe->target->has_linger;
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	if (probe->fd < 0)
		return;
	/* Without it the port would be busy for a minute after each check. */
	if (!has_linger)
		(void)setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	loop_watch_remove(probe->loop, &probe->watch, true);
	fd_close(&probe->fd);
}

static void received_free(struct probe *probe)
{
	free(probe->received);
	probe->received = NULL;
	probe->received_len = probe->received_size = 0;
}

/* In a later pass: events of this one may still name the watch. */
static enum outcome finish(struct probe *probe, enum check_status status)
{
	socket_drop(probe);
	loop_timer_cancel(probe->loop, &probe->timer);
	probe->state = PROBE_ENDING;
	probe->result.status = status;
	probe->result.duration_ms = (uint32_t)(clock_monotonic_ms() - probe->started_ms);
	loop_task_schedule(probe->loop, &probe->task);
	return RUN_ENDED;
}

/* --- reports --- */

static const char *match_name(enum config_match match)
{
	switch (match) {
	case CONFIG_MATCH_BYTES:
	case CONFIG_MATCH_HTTP_BYTES:
		return "string";
	case CONFIG_MATCH_LINE:
		return "line";
	case CONFIG_MATCH_PATTERN:
	case CONFIG_MATCH_HTTP_PATTERN:
		return "rstring";
	case CONFIG_MATCH_HEX_PATTERN:
		return "rbinary";
	case CONFIG_MATCH_HTTP_STATUS:
		return "status";
	case CONFIG_MATCH_HTTP_STATUS_PATTERN:
		return "rstatus";
	}
	CHECK(false);
	return "";
}

static void step_describe(const struct probe *probe, const struct config_check_step *step, struct text *text)
{
	char shown[SHOWN_BYTES];
	if (step == NULL || step->number == 0)
		return;
	text_printf(text, " at step %u of %s", step->number, probe->target->script);
	switch (step->kind) {
	case CONFIG_STEP_CONNECT:
		text_add(text, " (connect");
		if (step->port != 0)
			text_printf(text, " port %u", step->port);
		break;
	case CONFIG_STEP_SEND:
		text_add(text, " (send");
		break;
	case CONFIG_STEP_EXPECT:
		probe_text_print((const uint8_t *)step->text, strlen(step->text), shown, sizeof(shown));
		text_printf(text, " (expect %s%s '%s'", step->is_negated ? "! " : "", match_name(step->match),
			shown);
		break;
	case CONFIG_STEP_COMMENT:
		break;
	}
	text_add(text, ")");
}

/* "what at step 2 of tcp-check (…), comment: 'x', received 'y'". */
static void report(struct probe *probe, const struct config_check_step *step, const char *what)
{
	struct text text;
	char shown[SHOWN_BYTES];
	const char *comment = step != NULL && step->comment != NULL ? step->comment : probe->comment;
	bool is_own = step != NULL && step->number != 0;
	text_init(&text, probe->result.text, sizeof(probe->result.text));
	/* The comments of scripts that we wrote say more than what met. */
	text_add(&text, comment != NULL && !is_own ? comment : what);
	step_describe(probe, step, &text);
	if (comment != NULL && is_own)
		text_printf(&text, ", comment: '%s'", comment);
	if (step != NULL && step->kind == CONFIG_STEP_EXPECT && probe->received_len > 0) {
		probe_text_print(probe->received, probe->received_len, shown, sizeof(shown));
		text_printf(&text, ", received '%s'", shown);
	}
}

/* --- connecting --- */

static void on_ready(struct loop_watch *watch, unsigned events);

/* Whether the connection begins with a PROXY header, and in which version. */
static unsigned proxy_version_of(const struct probe *probe)
{
	const struct config_check_step *connect = probe->connect;
	if (connect == NULL || !connect->is_plain)
		return probe->target->proxy_version;
	if (!connect->has_send_proxy)
		return 0;
	return probe->target->proxy_version != 0 ? probe->target->proxy_version : 1;
}

static void header_make(struct probe *probe)
{
	const struct proxy_header header = {
		.version = proxy_version_of(probe), .command = PROXY_COMMAND_LOCAL};
	probe->header_len = probe->header_sent = 0;
	if (header.version == 0)
		return;
	int len = proxy_protocol_compose(&header, probe->header, sizeof(probe->header));
	CHECK(len > 0);
	probe->header_len = (size_t)len;
}

static enum outcome open_failed(struct probe *probe, int error)
{
	bool is_ours = error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
		error == EADDRNOTAVAIL || error == EACCES || error == EPERM;
	report(probe, probe->connect, strerror(error));
	return finish(probe, is_ours ? CHECK_SOCKET_ERROR : CHECK_L4_PROBLEM);
}

static enum outcome socket_open(struct probe *probe)
{
	struct address destination = probe->target->address;
	const struct config_check_step *connect = probe->connect;
	if (connect != NULL && connect->address.len > 0) {
		uint16_t port = address_port(&destination);
		destination = connect->address;
		address_set_port(&destination, port);
	}
	if (connect != NULL && connect->port != 0 && destination.any.sa_family != AF_UNIX)
		address_set_port(&destination, (uint16_t)connect->port);
	const struct connect_request request = {.destination = &destination, .source = probe->target->source};
	header_make(probe);
	probe->has_ended = false;
	probe->received_len = 0;
	probe->state = PROBE_OPENING;
	int result = connector_open(&request, &probe->fd);
	if (result < 0 && result != -EINPROGRESS)
		return open_failed(probe, -result);
	result = loop_watch_add(
		probe->loop, &probe->watch, probe->fd, LOOP_READABLE | LOOP_WRITABLE, on_ready);
	if (result < 0)
		return open_failed(probe, -result);
	loop_timer_set(probe->loop, &probe->timer, loop_now_ms(probe->loop) + probe->target->connect_ms);
	return STEP_WAITS;
}

/* The next connection of the same run, in a later pass. */
static enum outcome step_connect(struct probe *probe)
{
	socket_drop(probe);
	probe->connect = probe->step;
	probe->step = probe->step->next;
	probe->state = PROBE_OPENING;
	loop_task_schedule(probe->loop, &probe->task);
	return STEP_WAITS;
}

/* --- sending and expecting --- */

static enum outcome broken(struct probe *probe, int error)
{
	const struct config_check_step *step = probe->step;
	report(probe, step, strerror(error));
	return finish(probe, step != NULL ? CHECK_L7_INVALID : CHECK_L4_PROBLEM);
}

static enum outcome bytes_send(struct probe *probe, const uint8_t *bytes, size_t len, size_t *sent)
{
	while (*sent < len) {
		ssize_t count = send(probe->fd, bytes + *sent, len - *sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? STEP_WAITS : broken(probe, errno);
		*sent += (size_t)count;
	}
	return STEP_DONE;
}

static enum outcome step_send(struct probe *probe)
{
	enum outcome outcome = bytes_send(probe, probe->step->bytes, probe->step->len, &probe->sent);
	if (outcome != STEP_DONE)
		return outcome;
	probe->sent = 0;
	probe->received_len = 0;
	/* As HAProxy names it, whether or not an answer is looked at. */
	if (probe->passed == CHECK_L4_OK)
		probe->passed = CHECK_L7_OK;
	return STEP_DONE;
}

static bool has_room(struct probe *probe)
{
	if (probe->received_len < probe->received_size)
		return true;
	if (probe->received_size >= EXPECT_BYTES_MAX)
		return false;
	size_t size = probe->received_size ? probe->received_size * 4 : RECEIVED_BYTES_FIRST;
	uint8_t *bytes = realloc(probe->received, size);
	if (bytes == NULL)
		return false;
	probe->received = bytes;
	probe->received_size = size;
	return true;
}

/* Takes what is there.  A reset after an answer does not take the answer back. */
static enum outcome receive(struct probe *probe)
{
	while (!probe->has_ended && has_room(probe)) {
		ssize_t count = recv(probe->fd, probe->received + probe->received_len,
			probe->received_size - probe->received_len, MSG_DONTWAIT);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			break;
		if (count < 0 && probe->received_len == 0)
			return broken(probe, errno);
		probe->has_ended = count <= 0;
		probe->received_len += count > 0 ? (size_t)count : 0;
	}
	return STEP_DONE;
}

static void http_text(struct probe *probe)
{
	const uint8_t *bytes = probe->received;
	const uint8_t *end = memchr(bytes, '\n', probe->received_len);
	size_t len = end != NULL ? (size_t)(end - bytes) : probe->received_len;
	char line[SHOWN_BYTES];
	while (len > 0 && bytes[len - 1] == '\r')
		len--;
	probe_text_print(bytes, len, line, sizeof(line));
	report(probe, NULL, line);
}

static enum outcome expect_failed(struct probe *probe, const struct expect_report *failure)
{
	const struct config_check_step *step = probe->step;
	bool is_plain_http = step->number == 0 && step->match == CONFIG_MATCH_HTTP_STATUS;
	probe->result.code = failure->code;
	if (is_plain_http && failure->code != 0)
		http_text(probe);
	else
		report(probe, step, failure->reason);
	return finish(probe, failure->is_invalid ? CHECK_L7_INVALID : step->error);
}

static enum outcome step_expect(struct probe *probe)
{
	struct expect_report failure;
	if (receive(probe) == RUN_ENDED)
		return RUN_ENDED;
	const struct expect_view view = {.bytes = probe->received,
		.len = probe->received_len,
		.is_last = probe->has_ended || probe->received_len >= EXPECT_BYTES_MAX};
	switch (expect_judge(probe->step, &view, &failure)) {
	case EXPECT_MET:
		probe->passed = probe->step->ok;
		probe->result.code = failure.code;
		return STEP_DONE;
	case EXPECT_NEED_MORE:
		return STEP_WAITS;
	case EXPECT_FAILED:
		return expect_failed(probe, &failure);
	}
	CHECK(false);
	return RUN_ENDED;
}

static enum outcome step_run(struct probe *probe)
{
	enum outcome outcome = STEP_DONE;
	switch (probe->step->kind) {
	case CONFIG_STEP_CONNECT:
		return step_connect(probe);
	case CONFIG_STEP_COMMENT:
		probe->comment = probe->step->comment;
		break;
	case CONFIG_STEP_SEND:
		outcome = step_send(probe);
		break;
	case CONFIG_STEP_EXPECT:
		outcome = step_expect(probe);
		break;
	}
	if (outcome == STEP_DONE)
		probe->step = probe->step->next;
	return outcome;
}

static void steps_run(struct probe *probe)
{
	enum outcome outcome = bytes_send(probe, probe->header, probe->header_len, &probe->header_sent);
	while (outcome == STEP_DONE && probe->step != NULL)
		outcome = step_run(probe);
	if (outcome == STEP_DONE)
		finish(probe, probe->passed);
}

static void connected(struct probe *probe)
{
	probe->state = PROBE_EXCHANGING;
	if (probe->target->exchange_ms != 0)
		loop_timer_set(
			probe->loop, &probe->timer, loop_now_ms(probe->loop) + probe->target->exchange_ms);
	steps_run(probe);
}

static void on_ready(struct loop_watch *watch, unsigned events)
{
	struct probe *probe = container_of(watch, struct probe, watch);
	if (probe->state == PROBE_EXCHANGING) {
		steps_run(probe);
		return;
	}
	if (!(events & (LOOP_WRITABLE | LOOP_FAILED)))
		return;
	int result = connector_result(probe->fd);
	if (result < 0)
		open_failed(probe, -result);
	else
		connected(probe);
}

/* --- life --- */

static void on_timeout(struct loop_timer *timer)
{
	struct probe *probe = container_of(timer, struct probe, timer);
	const struct config_check_step *step = probe->step;
	bool is_open = probe->state == PROBE_EXCHANGING;
	report(probe, is_open ? step : probe->connect,
		is_open ? "no answer in time" : "no connection in time");
	if (!is_open)
		finish(probe, CHECK_L4_TIMEOUT);
	else
		finish(probe,
			step != NULL && step->kind == CONFIG_STEP_EXPECT ? step->timeout : CHECK_L7_TIMEOUT);
}

static void on_task(struct loop_task *task)
{
	struct probe *probe = container_of(task, struct probe, task);
	if (probe->state == PROBE_OPENING) {
		socket_open(probe);
		return;
	}
	CHECK(probe->state == PROBE_ENDING);
	probe->state = PROBE_IDLE;
	probe->on_done(probe);
	if (probe->state == PROBE_IDLE)
		received_free(probe);
}

void probe_init(struct probe *probe, struct loop *loop, void (*on_done)(struct probe *probe))
{
	*probe = (struct probe){.loop = loop, .on_done = on_done, .fd = -1, .watch = {.fd = -1}};
	loop_timer_init(&probe->timer, on_timeout);
	loop_task_init(&probe->task, on_task);
}

/* Comments in front of a connect do not make it a second one. */
static const struct config_check_step *first_step(struct probe *probe)
{
	const struct config_check_step *step = probe->target->steps;
	for (; step != NULL && step->kind == CONFIG_STEP_COMMENT; step = step->next)
		probe->comment = step->comment;
	if (step == NULL || step->kind != CONFIG_STEP_CONNECT)
		return step;
	probe->connect = step;
	return step->next;
}

void probe_start(struct probe *probe, const struct probe_target *target)
{
	CHECK(probe->state == PROBE_IDLE);
	received_free(probe);
	probe->target = target;
	probe->result = (struct probe_result){.status = CHECK_UNKNOWN};
	probe->connect = NULL;
	probe->comment = NULL;
	probe->passed = CHECK_L4_OK;
	probe->sent = 0;
	probe->started_ms = clock_monotonic_ms();
	probe->step = first_step(probe);
	socket_open(probe);
}

void probe_cancel(struct probe *probe)
{
	if (probe->state == PROBE_IDLE)
		return;
	socket_drop(probe);
	loop_timer_cancel(probe->loop, &probe->timer);
	loop_task_cancel(probe->loop, &probe->task);
	received_free(probe);
	probe->state = PROBE_IDLE;
}
