/* What only the sockmap engine does: leaving the bytes to the kernel, taking them back when a
 * target has no room, going to another engine and coming back, and its table's bound. */
#include "lib_line.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "relay/sockmap_internal.h"

enum {
	KIB = 1024,
	MESSAGES = 50,
	LINES = 16,
	MOVES_DEFAULT = 200, /* SPLICED_MOVES says otherwise */
	MOVES_PER_SECOND_MIN = 20,
};

static void open_rig(struct rig *rig, enum family family)
{
	const char *refusal;

	if (rig_sockmap(&refusal) == NULL) {
		print_message("skipped: %s\n", refusal);
		skip();
	}
	rig_open(rig, "sockmap", "epoll", family, NULL);
}

static void message(struct line *line, enum relay_side from, size_t len)
{
	line_send(line, from, len);
	line_receive(line, relay_other(from));
}

static struct sockmap_count count_of(const struct line *line, enum relay_side from)
{
	struct sockmap_count count;

	assert_ptr_equal(line->relay.directions[from].engine, &relay_engine_sockmap);
	sockmap_direction_read(
		sockmap_table_of(&line->relay, from), sockmap_number_of(&line->relay, from), &count);
	return count;
}

/* Both directions in the kernel's hands. */
static void line_open_redirecting(struct line *line, struct rig *rig)
{
	line_open(line, rig);
	for (unsigned from = 0; from < RELAY_SIDES; from++)
		message(line, from, 100);
	rig_settle(rig);
	for (unsigned from = 0; from < RELAY_SIDES; from++) {
		assert_ptr_equal(line->relay.directions[from].engine, &relay_engine_sockmap);
		assert_int_equal(sockmap_way_of(&line->relay, from)->stage, SOCKMAP_STAGE_REDIRECTING);
	}
}

static uint64_t brakes(const struct rig *rig, unsigned cause)
{
	return counter_read(&rig->worker.sockmap_brakes[cause]);
}

/* Nothing is passed, and the relay is not run for a byte. */
static void messages_pass_by_the_process(void **state)
{
	struct rig rig;
	struct line line;

	(void)state;
	open_rig(&rig, FAMILY_TCP4);
	line_open_redirecting(&line, &rig);
	unsigned turns = line.relay.turns;
	uint64_t passed = count_of(&line, RELAY_CLIENT).passed;
	for (unsigned i = 0; i < MESSAGES; i++)
		for (unsigned from = 0; from < RELAY_SIDES; from++)
			message(&line, from, 64);
	assert_int_equal(line.relay.turns, turns);
	assert_int_equal(count_of(&line, RELAY_CLIENT).passed, passed);
	assert_int_equal(count_of(&line, RELAY_CLIENT).redirected, MESSAGES * 64);
	line_finish(&line);
	line_close(&line);
	rig_close(&rig);
}

/* Its kernel memory is that of its socket buffers, and what it sent is delivered and counted. */
static void a_reader_that_stops_holds_the_sender(void **state)
{
	struct rig rig;
	struct line line;

	(void)state;
	open_rig(&rig, FAMILY_TCP4);
	line_open_redirecting(&line, &rig);
	uint64_t taken = line_saturate(&line, RELAY_CLIENT);
	/* Two buffers of each socket on the way, and what the process holds. */
	assert_true(taken < 4 * 2 * 128 * KIB + 2 * rig.limits.buffer_bytes);
	assert_true(brakes(&rig, SOCKMAP_ROOM) > 0);
	line_receive(&line, RELAY_SERVER);
	line_finish(&line);
	line_close(&line);
	rig_close(&rig);
}

static void passes_until(struct rig *rig, const struct relay_direction *direction,
	const struct relay_engine *engine, bool is_it)
{
	while ((direction->engine == engine) != is_it)
		rig_pass(rig, 1);
}

/* Again and again without room: the direction is given away, and comes back when it is quiet. */
static void a_crowded_direction_leaves_and_returns(void **state)
{
	struct rig rig;
	struct line line;

	(void)state;
	open_rig(&rig, FAMILY_TCP4);
	line_open_redirecting(&line, &rig);
	struct relay_direction *direction = &line.relay.directions[RELAY_CLIENT];
	while (direction->engine == &relay_engine_sockmap) {
		(void)line_saturate(&line, RELAY_CLIENT);
		line_receive(&line, RELAY_SERVER);
	}
	assert_int_equal(direction->move_reason, MOVE_CONGESTED);
	assert_true(counter_read(&rig.worker.sockmap_refusals[SOCKMAP_REASON_CONGESTED]) > 0);
	assert_string_not_equal(relay_away_words(&line.relay, RELAY_CLIENT), "");
	while (direction->engine != &relay_engine_sockmap) {
		message(&line, RELAY_CLIENT, 10);
		rig_pass(&rig, 1);
	}
	assert_int_equal(direction->move_reason, MOVE_QUIET);
	assert_string_equal(relay_away_words(&line.relay, RELAY_CLIENT), "");
	line_finish(&line);
	line_close(&line);
	rig_close(&rig);
}

/* Under traffic both ways, in small and large pieces; gaps would be bytes that the programs
 * had missed. */
static void moves_under_traffic(void **state)
{
	const char *wanted_text = getenv("SPLICED_MOVES");
	uint64_t wanted = wanted_text != NULL ? strtoul(wanted_text, NULL, 10) : MOVES_DEFAULT, moves = 0;
	struct rig rig;
	struct line lines[LINES], *all[LINES];

	(void)state;
	open_rig(&rig, FAMILY_TCP6);
	rig.deadline_ms += wanted * 1000 / MOVES_PER_SECOND_MIN;
	for (unsigned i = 0; i < LINES; i++) {
		all[i] = &lines[i];
		line_open_redirecting(&lines[i], &rig);
	}
	for (uint64_t total = 0; moves < wanted;) {
		moves = 0;
		for (unsigned i = 0; i < RELAY_SIDES * LINES; i++) {
			struct relay *relay = &lines[i / RELAY_SIDES].relay;
			struct relay_direction *direction = &relay->directions[i % RELAY_SIDES];

			moves += direction->moves;
			/* At once, not when it is quiet. */
			direction->away_until_ms = direction->away_tries = 0;
			direction->away_reason = SOCKMAP_NO_REASON;
			if (direction->engine != &relay_engine_sockmap || direction->flow == NULL)
				continue;
			assert_int_equal(count_of(&lines[i / RELAY_SIDES], i % RELAY_SIDES).gaps, 0);
			const struct sockmap_way *way = sockmap_way_of(relay, i % RELAY_SIDES);
			if (way->stage == SOCKMAP_STAGE_PASSING || way->stage == SOCKMAP_STAGE_REDIRECTING)
				sockmap_leaving_add(relay, i % RELAY_SIDES);
		}
		total += 64 * KIB;
		line_exchange(all, LINES, total, 15);
	}
	print_message("%llu moves\n", (unsigned long long)moves);
	for (unsigned i = 0; i < LINES; i++) {
		line_finish(&lines[i]);
		line_close(&lines[i]);
	}
	rig_close(&rig);
}

/* Who finds no place is carried by copy, counted, and gets one that becomes free. */
static void a_full_table_refuses(void **state)
{
	const char *refusal;
	struct sockmap_table *table = rig_sockmap(&refusal);
	unsigned places = table != NULL ? sockmap_table_pairs_max(table) : 0;
	struct rig rig;

	(void)state;
	open_rig(&rig, FAMILY_TCP4);
	struct line *lines = calloc(places + 1, sizeof(*lines));
	assert_non_null(lines);
	for (unsigned i = 0; i <= places; i++) {
		line_open(&lines[i], &rig);
		message(&lines[i], RELAY_CLIENT, 100);
	}
	assert_string_equal(relay_engine_name(&lines[places].relay, RELAY_CLIENT), "copy");
	assert_int_equal(counter_read(&rig.worker.sockmap_pairs), places);
	assert_int_equal(counter_read(&rig.worker.sockmap_refusals[SOCKMAP_REASON_FULL]), 1);
	line_close(&lines[0]);
	passes_until(&rig, &lines[places].relay.directions[RELAY_CLIENT], &relay_engine_copy, true);
	while (lines[places].relay.directions[RELAY_CLIENT].engine != &relay_engine_sockmap) {
		message(&lines[places], RELAY_CLIENT, 10);
		rig_pass(&rig, 1);
	}
	for (unsigned i = 1; i <= places; i++) {
		line_finish(&lines[i]);
		line_close(&lines[i]);
	}
	assert_int_equal(counter_read(&rig.worker.sockmap_pairs), 0);
	rig_close(&rig);
	free(lines);
}

/* What a unix socket's direction is told. */
static void a_unix_socket_is_refused_for_good(void **state)
{
	struct rig rig;
	struct line line;

	(void)state;
	open_rig(&rig, FAMILY_UNIX);
	line_open(&line, &rig);
	for (unsigned i = 0; i < MESSAGES; i++)
		message(&line, RELAY_CLIENT, 100);
	assert_int_equal(counter_read(&rig.worker.sockmap_refusals[SOCKMAP_REASON_LOCAL]), 1);
	assert_string_equal(
		relay_away_words(&line.relay, RELAY_CLIENT), sockmap_reason_words(SOCKMAP_REASON_LOCAL));
	line_finish(&line);
	line_close(&line);
	rig_close(&rig);
}

/* After a half-close from the one side the kernel goes on with what the other sends. */
static void a_half_close_leaves_the_way_back_redirecting(void **state)
{
	struct rig rig;
	struct line line;

	(void)state;
	open_rig(&rig, FAMILY_TCP4);
	line_open_redirecting(&line, &rig);
	far_finish(&line, RELAY_CLIENT);
	line_receive_end(&line, RELAY_SERVER);
	uint64_t redirected = count_of(&line, RELAY_SERVER).redirected;
	for (unsigned i = 0; i < MESSAGES; i++)
		message(&line, RELAY_SERVER, 100);
	assert_int_equal(count_of(&line, RELAY_SERVER).redirected, redirected + MESSAGES * 100);
	line_finish(&line);
	line_close(&line);
	rig_close(&rig);
}

int main(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_pass_by_the_process),
		cmocka_unit_test(a_reader_that_stops_holds_the_sender),
		cmocka_unit_test(a_crowded_direction_leaves_and_returns),
		cmocka_unit_test(moves_under_traffic),
		cmocka_unit_test(a_full_table_refuses),
		cmocka_unit_test(a_unix_socket_is_refused_for_good),
		cmocka_unit_test(a_half_close_leaves_the_way_back_redirecting),
	};
	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		abort();
	return cmocka_run_group_tests_name("engine sockmap", tests, NULL, NULL);
}
