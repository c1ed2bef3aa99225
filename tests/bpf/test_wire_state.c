/* What the wire programs know of a pair: windows, ends, counters, hand-over. */

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib_wire.h"

enum { SLACK = 65536, COPY_MARK = 0x57435059 };

static const int families[] = {AF_INET, AF_INET6};
#define FOR_EACH_FAMILY(family) \
	for (const int *family = families; family < families + ARRAY_LENGTH(families); family++)

static struct wire_event events[64];
static unsigned events_count;

static void on_event(void *ctx, const struct wire_event *event)
{
	(void)ctx;
	assert_true(events_count < ARRAY_LENGTH(events));
	events[events_count++] = *event;
}

static void read_events(void)
{
	events_count = 0;
	wire_table_set_handler(wire_rig_table, on_event, NULL);
	assert_true(wire_table_events_read(wire_rig_table) >= 0);
}

static int run_once(const struct segment *segment, struct run *ret_run)
{
	struct packet packet;
	packet_make(segment, &packet);
	*ret_run = wire_run(&packet, &(struct run_options){0});
	assert_int_equal(ret_run->out.len, packet.len);
	assert_true(packet_is_sound(&ret_run->out));
	return ret_run->result;
}

static int answer(const struct segment *segment)
{
	struct run run;
	return run_once(segment, &run);
}

/* The client's numbers begin at `seq`, the server's at `ack` as the client sees them. */
static struct wire_pair *pair_at(uint32_t seq, uint32_t ack, enum wire_mode mode)
{
	struct wire_pair *pair = wire_rig_pair(AF_INET, mode);
	pair->hot[0].seq_max = seq;
	pair->hot[0].ack_max = ack;
	pair->hot[1].seq_max = ack + ACK_DELTA;
	pair->hot[1].ack_max = seq + SEQ_DELTA;
	return pair;
}

static const uint32_t bases[] = {
	0, 1, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff, -SEQ_DELTA, -ACK_DELTA};

static void sequence_numbers_are_judged_by_the_window(void **state)
{
	static const struct {
		int64_t lead;
		int result;
		bool is_learnt;
	} cases[] = {
		{1, REDIRECTED, true},
		{WINDOW - 10, REDIRECTED, true},
		{WINDOW - 9, REDIRECTED, false},
		{WINDOW + SLACK - 10, REDIRECTED, false},
		{WINDOW + SLACK - 9, DROPPED, false},
		{-(int64_t)WINDOW, REDIRECTED, false},
		{-(int64_t)WINDOW - 1, REDIRECTED, false},
		{-(int64_t)WINDOW - SLACK, REDIRECTED, false},
		{-(int64_t)WINDOW - SLACK - 1, DROPPED, false},
		{INT32_MAX, DROPPED, false},
		{INT32_MIN, DROPPED, false},
		{-1000000000, DROPPED, false},
	};
	(void)state;
	wire_rig_need();
	for (size_t b = 0; b < ARRAY_LENGTH(bases); b++)
		for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
			struct wire_pair *pair = pair_at(bases[b], 7, WIRE_ACTIVE);
			struct segment segment = wire_segment(AF_INET);
			segment.seq = bases[b] + (uint32_t)cases[i].lead;
			segment.ack = 7;
			segment.payload = 10;
			assert_int_equal(answer(&segment), cases[i].result);
			uint32_t learnt = cases[i].is_learnt ? segment.seq + 10 : bases[b];
			assert_int_equal((uint32_t)pair->hot[0].seq_max, learnt);
			assert_int_equal(pair->cold[0].outside, cases[i].result == DROPPED);
		}
}

static void acknowledgements_are_judged_by_what_was_sent(void **state)
{
	static const struct {
		int64_t ahead;
		int result;
		bool is_learnt;
	} cases[] = {
		{500, REDIRECTED, true},
		{1000, REDIRECTED, true},
		{1001, REDIRECTED, false},
		{1000 + WINDOW + SLACK, REDIRECTED, false},
		{1001 + WINDOW + SLACK, DROPPED, false},
		{-1, REDIRECTED, false},
		{-(int64_t)WINDOW - SLACK, REDIRECTED, false},
		{-(int64_t)WINDOW - SLACK - 1, DROPPED, false},
		{INT32_MIN, DROPPED, false},
	};
	(void)state;
	wire_rig_need();
	for (size_t b = 0; b < ARRAY_LENGTH(bases); b++)
		for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
			struct wire_pair *pair = pair_at(99, bases[b], WIRE_ACTIVE);
			pair->hot[1].seq_max += 1000;
			struct segment segment = wire_segment(AF_INET);
			segment.seq = 99;
			segment.ack = bases[b] + (uint32_t)cases[i].ahead;
			assert_int_equal(answer(&segment), cases[i].result);
			uint32_t learnt = cases[i].is_learnt ? segment.ack : bases[b];
			assert_int_equal((uint32_t)pair->hot[0].ack_max, learnt);
		}
}

static void only_a_believable_reset_is_noted(void **state)
{
	static const struct {
		int64_t lead;
		int result;
		bool is_noted;
	} cases[] = {
		{0, REDIRECTED, true},
		/* A guess has three numbers to hit, however much is in flight. */
		{1, REDIRECTED, false},
		{599, REDIRECTED, false},
		{600, REDIRECTED, true},
		{999, REDIRECTED, false},
		{1000, REDIRECTED, true},
		{1001, REDIRECTED, false},
		{-1, REDIRECTED, false},
		{WINDOW, REDIRECTED, false},
		{WINDOW + SLACK + 1, DROPPED, false},
		{INT32_MIN, DROPPED, false},
	};
	(void)state;
	wire_rig_need();
	for (size_t b = 0; b < ARRAY_LENGTH(bases); b++)
		for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
			struct wire_pair *pair = pair_at(bases[b], 7, WIRE_ACTIVE);
			pair->hot[0].seq_max += 1000;
			pair->hot[1].last_window = htons(150);
			pair->path[1].scale_in = 2;
			struct segment segment = wire_segment(AF_INET);
			segment.seq = bases[b] + (uint32_t)cases[i].lead;
			segment.flags = RST;
			segment.payload = 0;
			read_events();
			assert_int_equal(answer(&segment), cases[i].result);
			assert_int_equal(pair->hot[0].state, cases[i].is_noted ? WIRE_RST : 0);
			read_events();
			assert_int_equal(events_count, cases[i].is_noted);
		}
}

static void a_segment_without_acknowledgement_is_dropped(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_ACTIVE);
	struct segment segment = wire_segment(AF_INET);
	segment.flags = PSH;
	assert_int_equal(answer(&segment), DROPPED);
	assert_int_equal(pair->cold[0].outside, 1);
}

/* Whoever puts the copy's mark on a packet that is spliced only gives it to the stack. */
static void what_bears_the_mark_of_a_fitted_copy_is_passed(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_DRAIN);
	struct segment segment = wire_segment(AF_INET);
	struct packet packet;
	packet_make(&segment, &packet);
	struct run run = wire_run(&packet, &(struct run_options){.mark = COPY_MARK + 2});
	assert_int_equal(run.result, TO_STACK);
	assert_untouched(&packet, &run);
	assert_int_equal(pair->hot[0].packets, 0);
}

static struct segment from_server(uint32_t seq, uint32_t ack)
{
	struct segment segment = wire_segment(AF_INET);
	segment.leg = *wire_rig_leg(AF_INET, 1);
	segment.seq = seq + ACK_DELTA;
	segment.ack = ack + SEQ_DELTA;
	segment.payload = 0;
	return segment;
}

static void ends_are_noted_and_told_once(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = pair_at(0xfffffff0, 0xfffffffe, WIRE_ACTIVE);
	read_events();
	struct segment end = wire_segment(AF_INET);
	end.seq = 0xfffffff0;
	end.ack = 0xfffffffe;
	end.payload = 15;
	end.flags = FIN | ACK;
	assert_int_equal(answer(&end), REDIRECTED);
	assert_int_equal(answer(&end), REDIRECTED);
	assert_int_equal(pair->hot[0].state, WIRE_FIN);
	assert_int_equal(pair->hot[0].fin_end, 0);
	struct segment part = from_server(0xfffffffe, 0xffffffff), whole = from_server(0xfffffffe, 0);
	assert_int_equal(answer(&part), REDIRECTED);
	assert_int_equal(pair->hot[1].state, 0);
	assert_int_equal(answer(&whole), REDIRECTED);
	assert_int_equal(pair->hot[1].state, WIRE_FINACK);
	whole.flags = FIN | ACK;
	assert_int_equal(answer(&whole), REDIRECTED);
	assert_int_equal(pair->hot[1].state, WIRE_FINACK | WIRE_FIN);
	assert_int_equal(pair->hot[1].fin_end, 0xffffffff + ACK_DELTA);
	struct segment last = wire_segment(AF_INET);
	last.seq = 0;
	last.ack = 0xffffffff;
	last.payload = 0;
	assert_int_equal(answer(&last), REDIRECTED);
	assert_int_equal(pair->hot[0].state, WIRE_FINACK | WIRE_FIN);
	read_events();
	assert_int_equal(events_count, 4);
	static const struct wire_event wanted[] = {{PAIR, 0, 0, WIRE_FIN}, {PAIR, 0, 1, WIRE_FINACK},
		{PAIR, 0, 1, WIRE_FIN}, {PAIR, 0, 0, WIRE_FINACK}};
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(events[i].pair, wanted[i].pair);
		assert_int_equal(events[i].generation, pair->generation);
		assert_int_equal(events[i].direction, wanted[i].direction);
		assert_int_equal(events[i].what, wanted[i].what);
	}
}

static void counters_are_exact_over_a_wrap(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = pair_at(0xfffff000, 0xffffff00, WIRE_ACTIVE);
	pair->hot[1].seq_max += 1000;
	struct wire_hot before = pair->hot[0], hot[2];
	struct wire_cold cold[2];
	struct segment segment = wire_segment(AF_INET);
	segment.ack = 0xffffff00;
	segment.payload = 1000;
	for (unsigned i = 0; i < 10; i++) {
		segment.seq = 0xfffff000 + i * 1000;
		assert_int_equal(answer(&segment), REDIRECTED);
	}
	assert_int_equal(answer(&segment), REDIRECTED);
	segment.seq += 1000;
	segment.ack += 1000;
	segment.payload = 0;
	assert_int_equal(answer(&segment), REDIRECTED);
	/* A keep-alive repeats nothing. */
	segment.seq--;
	segment.payload = 1;
	assert_int_equal(answer(&segment), REDIRECTED);
	wire_flow_read(wire_rig_table, PAIR, hot, cold);
	assert_int_equal(hot[0].packets, 13);
	assert_int_equal(hot[0].retransmits, 1);
	assert_int_equal(hot[0].seq_max - before.seq_max, 10000);
	assert_int_equal(hot[0].ack_max - before.ack_max, 1000);
	assert_int_equal(hot[0].window_max, WINDOW);
	assert_true(hot[0].last_ns > 0);
	assert_int_equal(hot[1].packets, 0);
	segment.window = 50000;
	assert_int_equal(answer(&segment), REDIRECTED);
	assert_int_equal(pair->hot[0].window_max, 400000);
}

static void watch_notes_what_arrives_near(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_WATCH);
	struct segment segment = wire_segment(AF_INET);
	assert_int_equal(answer(&segment), TO_STACK);
	assert_int_equal(pair->hot[0].seq_max, (uint64_t)CLIENT_SEQ + 33);
	segment.seq += WINDOW + 2 * SLACK;
	assert_int_equal(answer(&segment), TO_STACK);
	assert_int_equal(pair->hot[0].seq_max, (uint64_t)CLIENT_SEQ + 33);
	assert_int_equal(pair->hot[0].packets, 0);
}

static void drain_leaves_old_bytes_to_the_stack(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_DRAIN);
	struct segment segment = wire_segment(AF_INET);
	segment.seq -= 33;
	assert_int_equal(answer(&segment), TO_STACK);
	assert_int_equal(pair->cold[0].stale, 1);
	segment.payload = 34;
	assert_int_equal(answer(&segment), REDIRECTED);
	assert_int_equal(pair->hot[0].copies, 1);
	segment.seq += WINDOW + 2 * SLACK;
	assert_int_equal(answer(&segment), TO_STACK);
	assert_int_equal(pair->cold[0].outside, 1);
}

/* The server's leg has acknowledged 500 bytes that the client has not. */
static void drain_stands_by_what_the_stack_acknowledged(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_DRAIN);
		pair->path[1].boundary += 500;
		struct segment segment = wire_segment(*family);
		options_make(&segment, "nntnn2", 0, 0, 0);
		struct segment expected = wire_translated(&segment);
		options_make(&expected, "nntnn2", TSVAL_DELTA, TSECR_DELTA, 0);
		memset(expected.options + 14, 1, 18);
		expected.ack += 500;
		expected.window = (500 * 8 - 500) / 8;
		struct packet packet;
		packet_make(&segment, &packet);
		struct run run = wire_run_both(&packet);
		assert_forwarded(&expected, &run);
		assert_int_equal(ntohs(pair->hot[0].last_window), expected.window);
		assert_int_equal(pair->hot[0].last_tsval, 0xfffffffe + TSVAL_DELTA);

		/* So must what the server's leg sends itself. */
		struct segment own = {.family = *family,
			.leg = *wire_rig_leg(*family, 1),
			.seq = 77,
			.window = 9,
			.is_leaving = true,
			.ack = CLIENT_ACK + ACK_DELTA,
			.payload = 5};
		options_make(&own, "nntnn1", 0, 0, 0);
		struct segment fitted = own;
		options_make(&fitted, "nntnn1", TSVAL_DELTA, 0, 0);
		fitted.ack += 500;
		fitted.window = expected.window;
		struct packet wanted;
		packet_make(&own, &packet);
		packet_make(&fitted, &wanted);
		run = wire_run(&packet, &(struct run_options){.program = WIRE_EGRESS});
		assert_int_equal(run.result, TO_STACK);
		assert_untouched(&wanted, &run);
	}
}

/* What the client's leg sends in DRAIN, after 1000 bytes were held for the client of which it has
 * room for 300, and one acknowledgement of the server's was forwarded. */
static void drain_fits_what_the_sockets_send(void **state)
{
	enum { HELD = 1000, ROOM = 300 };
	static const struct {
		uint32_t seq, fitted; /* after what the client has acknowledged */
		unsigned payload;
		bool is_settled;
	} cases[] = {
		{100, 100, 5, false},
		{0, ROOM, 0, false},
		{100, ROOM, 0, false},
		{HELD, HELD, 0, false},
		{-1u, -1u, 0, false}, /* a probe keeps its number */
		{HELD, ROOM, 0, true},
		{HELD - 1, HELD - 1, 0, true},
		{0x80000000u + HELD, ROOM, 0, true},
	};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_DRAIN);
		pair->hot[1].seq_max += HELD;
		pair->path[1].boundary += HELD;
		pair->hot[1].state = WIRE_FORWARDED;
		pair->hot[1].last_window = htons(77);
		pair->edge[0] = CLIENT_ACK + ROOM;
		if (cases[i].is_settled)
			pair->path[1].flags |= WIRE_IS_SETTLED;
		struct segment own = wire_segment(AF_INET), fitted;
		own.is_leaving = true;
		own.seq = CLIENT_ACK + cases[i].seq;
		own.ack = CLIENT_SEQ - 1;
		own.payload = cases[i].payload;
		fitted = own;
		fitted.seq = CLIENT_ACK + cases[i].fitted;
		fitted.ack = CLIENT_SEQ;
		fitted.window = 77;
		struct packet packet, wanted;
		packet_make(&own, &packet);
		packet_make(&fitted, &wanted);
		struct run run = wire_run(&packet, &(struct run_options){.program = WIRE_EGRESS});
		assert_int_equal(run.result, TO_STACK);
		assert_untouched(&wanted, &run);
		assert_int_equal(pair->cold[0].frozen, 0);
	}
}

/* 1000 bytes are held for the server, which has room for 300. */
static void drain_keeps_bare_acknowledgements_within_the_window(void **state)
{
	enum { HELD = 1000, ROOM = 300 };
	static const struct {
		uint32_t room, moved;
		unsigned payload;
		uint8_t flags;
	} cases[] = {
		{ROOM, HELD - ROOM, 0, ACK},
		{0, HELD, 0, ACK},
		{HELD, 0, 0, ACK},
		{HELD + 1, 0, 0, ACK},
		{ROOM, 0, 1, ACK},
		{ROOM, 0, 0, FIN | ACK},
	};
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_DRAIN);
		pair->hot[0].seq_max += HELD;
		pair->path[0].boundary += HELD;
		pair->edge[1] = CLIENT_SEQ + SEQ_DELTA + cases[i].room;
		struct segment segment = wire_segment(*family);
		segment.seq += HELD;
		segment.payload = cases[i].payload;
		segment.flags = cases[i].flags;
		struct segment expected = wire_translated(&segment);
		expected.seq -= cases[i].moved;
		struct packet packet;
		packet_make(&segment, &packet);
		struct run run = wire_run_both(&packet);
		assert_forwarded(&expected, &run);
		/* The window that the client announced, by its newest acknowledgement. */
		assert_int_equal(pair->edge[0], CLIENT_ACK + 500 * 8);
	}
}

/* More than 2^31 bytes have passed since the sockets had their last. */
static void a_settled_direction_is_compared_with_no_socket(void **state)
{
	(void)state;
	wire_rig_need();
	for (unsigned is_settled = 0; is_settled < 2; is_settled++) {
		struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_DRAIN);
		pair->path[0].boundary = CLIENT_SEQ + 0x80000000u;
		pair->path[0].flags |= is_settled ? WIRE_IS_SETTLED : 0;
		struct segment segment = wire_segment(AF_INET);
		assert_int_equal(answer(&segment), is_settled ? REDIRECTED : TO_STACK);
		assert_int_equal(pair->cold[0].stale, !is_settled);
		/* And the other way the acknowledgement is not taken for one that lags. */
		pair->edge[0] = CLIENT_ACK + WINDOW;
		pair->path[0].boundary = CLIENT_SEQ + 0x1000;
		struct segment back = from_server(CLIENT_ACK, CLIENT_SEQ), expected = back;
		expected.leg = *wire_rig_leg(AF_INET, 0);
		expected.is_leaving = true;
		expected.ttl = 63;
		expected.seq = CLIENT_ACK;
		expected.ack = CLIENT_SEQ + (is_settled ? 0 : 0x1000);
		struct run run;
		assert_int_equal(run_once(&back, &run), REDIRECTED);
		if (is_settled)
			assert_forwarded(&expected, &run);
	}
}

static void a_direction_settles_when_the_receiver_has_all_that_was_held(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_DRAIN);
	struct wire_snapshot now[2] = {
		{.rcv_nxt = CLIENT_SEQ, .copied_seq = CLIENT_SEQ, .write_seq = 500, .snd_una = 400},
		{.rcv_nxt = 7, .copied_seq = 7, .write_seq = CLIENT_SEQ + SEQ_DELTA, .snd_una = 5},
	};
	pair->hot[1].ack_max = CLIENT_SEQ + SEQ_DELTA - 1;
	(void)wire_flow_follow(wire_rig_table, PAIR, now);
	assert_false(pair->path[0].flags & WIRE_IS_SETTLED);
	pair->hot[1].ack_max++;
	(void)wire_flow_follow(wire_rig_table, PAIR, now);
	assert_true(pair->path[0].flags & WIRE_IS_SETTLED);
	assert_false(pair->path[1].flags & WIRE_IS_SETTLED);
	/* Nothing that has passed is taken for something that has not. */
	pair->hot[0].seq_max = CLIENT_SEQ - 0x80000001u;
	(void)wire_flow_follow(wire_rig_table, PAIR, now);
	assert_int_equal(pair->hot[0].seq_max, CLIENT_SEQ - 0x80000001u);
	now[1].write_seq--;
	(void)wire_flow_follow(wire_rig_table, PAIR, now);
	assert_false(pair->path[0].flags & WIRE_IS_SETTLED);
	now[1].write_seq++;
	now[0].copied_seq--;
	(void)wire_flow_follow(wire_rig_table, PAIR, now);
	assert_false(pair->path[0].flags & WIRE_IS_SETTLED);
}

static void segments_that_wait_for_a_gap_hold_nothing_up(void **state)
{
	(void)state;
	wire_rig_need();
	(void)wire_rig_pair(AF_INET, WIRE_DRAIN);
	struct wire_snapshot now[2] = {
		{.rcv_nxt = CLIENT_SEQ, .copied_seq = CLIENT_SEQ, .has_holes = true},
		{.rcv_nxt = CLIENT_ACK + ACK_DELTA, .copied_seq = CLIENT_ACK + ACK_DELTA},
	};
	assert_true(wire_flow_is_drained(wire_rig_table, PAIR, now));
	now[0].copied_seq--;
	assert_false(wire_flow_is_drained(wire_rig_table, PAIR, now));
}

struct keeper {
	struct wire_pair *pair;
	bool is_over;
	unsigned lost;
};

/* User space's part: a bit set must stay until it is taken away. */
static void *keep_a_bit(void *argument)
{
	struct keeper *keeper = argument;
	uint32_t *state = &keeper->pair->hot[0].state;
	while (!__atomic_load_n(&keeper->is_over, __ATOMIC_RELAXED)) {
		__atomic_fetch_or(state, WIRE_FINACK, __ATOMIC_SEQ_CST);
		for (unsigned look = 0; look < 64; look++)
			if (!(__atomic_load_n(state, __ATOMIC_SEQ_CST) & WIRE_FINACK)) {
				keeper->lost++;
				break;
			}
		__atomic_fetch_and(state, ~(uint32_t)WIRE_FINACK, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* With one processor this shows nothing. */
static void bits_of_user_space_outlast_packets(void **state)
{
	enum { PACKETS = 20000 };
	(void)state;
	wire_rig_need();
	struct keeper keeper = {.pair = wire_rig_pair(AF_INET, WIRE_DRAIN)};
	struct segment segment = wire_segment(AF_INET);
	struct packet packet;
	pthread_t thread;
	segment.payload = 0;
	segment.flags = FIN | ACK;
	packet_make(&segment, &packet);
	assert_int_equal(pthread_create(&thread, NULL, keep_a_bit, &keeper), 0);
	for (unsigned i = 0; i < PACKETS; i++) {
		(void)wire_run(&packet, &(struct run_options){0});
		__atomic_fetch_and(
			&keeper.pair->hot[0].state, ~(uint32_t)(WIRE_FIN | WIRE_FORWARDED), __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&keeper.is_over, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(keeper.lost, 0);
	wire_table_set_handler(wire_rig_table, NULL, NULL);
	assert_true(wire_table_events_read(wire_rig_table) >= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequence_numbers_are_judged_by_the_window),
		cmocka_unit_test(acknowledgements_are_judged_by_what_was_sent),
		cmocka_unit_test(only_a_believable_reset_is_noted),
		cmocka_unit_test(a_segment_without_acknowledgement_is_dropped),
		cmocka_unit_test(ends_are_noted_and_told_once),
		cmocka_unit_test(counters_are_exact_over_a_wrap),
		cmocka_unit_test(watch_notes_what_arrives_near),
		cmocka_unit_test(drain_leaves_old_bytes_to_the_stack),
		cmocka_unit_test(drain_stands_by_what_the_stack_acknowledged),
		cmocka_unit_test(drain_fits_what_the_sockets_send),
		cmocka_unit_test(drain_keeps_bare_acknowledgements_within_the_window),
		cmocka_unit_test(a_settled_direction_is_compared_with_no_socket),
		cmocka_unit_test(a_direction_settles_when_the_receiver_has_all_that_was_held),
		cmocka_unit_test(segments_that_wait_for_a_gap_hold_nothing_up),
		cmocka_unit_test(what_bears_the_mark_of_a_fitted_copy_is_passed),
		cmocka_unit_test(bits_of_user_space_outlast_packets),
	};
	return cmocka_run_group_tests(tests, wire_rig_setup, wire_rig_teardown);
}
