/* What strangers send to a spliced pair: it must neither teach the programs anything wrong nor
 * do more harm than it could to Linux. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib_wire.h"

enum { IN_FLIGHT = 1000 };

static const int families[] = {AF_INET, AF_INET6};
#define FOR_EACH_FAMILY(family) \
	for (const int *family = families; family < families + ARRAY_LENGTH(families); family++)

static unsigned events_count;
static struct wire_event last_event;

static void on_event(void *ctx, const struct wire_event *event)
{
	(void)ctx;
	events_count++;
	last_event = *event;
}

static unsigned read_events(void)
{
	events_count = 0;
	wire_table_set_handler(wire_rig_table, on_event, NULL);
	assert_true(wire_table_events_read(wire_rig_table) >= 0);
	return events_count;
}

static struct run run_segment(const struct segment *segment)
{
	struct packet packet;
	packet_make(segment, &packet);
	struct run run = wire_run_both(&packet);
	assert_true(packet_is_sound(&run.out));
	if (run.result != REDIRECTED)
		assert_untouched(&packet, &run);
	return run;
}

static struct wire_pair *busy_pair(int family)
{
	struct wire_pair *pair = wire_rig_pair(family, WIRE_ACTIVE);
	pair->hot[0].seq_max += IN_FLIGHT;
	pair->hot[1].seq_max += IN_FLIGHT;
	return pair;
}

static struct segment syn_of(int family, unsigned direction, uint8_t flags, const char *options)
{
	struct segment segment = wire_segment(family);
	segment.leg = *wire_rig_leg(family, direction);
	segment.seq = 0x5eed0000;
	segment.ack = 0;
	segment.payload = 0;
	segment.flags = flags;
	segment.ttl = 9;
	options_make(&segment, options, 0, 0, 0);
	return segment;
}

static void a_syn_is_answered_with_the_numbers_as_they_are(void **state)
{
	static const char *const layouts[] = {"", "nnt", "mt", "uuuuuuuuuu", "nnnn"};
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned direction = 0; direction < 2; direction++)
		for (unsigned kind = 0; kind < 2 * ARRAY_LENGTH(layouts); kind++) {
			struct wire_pair *pair = busy_pair(*family);
			bool has_ack = kind % 2 == 1;
			struct segment syn = syn_of(
				*family, direction, has_ack ? SYN | ACK : SYN | ECE | CWR, layouts[kind / 2]);
			struct segment expected = syn;
			struct packet wanted;
			read_events();
			struct run run = run_segment(&syn);
			memset(expected.options, 1, sizeof(expected.options));
			expected.is_leaving = true;
			expected.flags = ACK;
			expected.window = WINDOW >> 3;
			expected.ttl = 64;
			/* Sent to that side, and acknowledged to it. */
			expected.seq =
				(direction == 0 ? CLIENT_ACK : CLIENT_SEQ + SEQ_DELTA) + IN_FLIGHT - !has_ack;
			expected.ack = direction == 0 ? CLIENT_SEQ : CLIENT_ACK + ACK_DELTA;
			packet_make(&expected, &wanted);
			assert_int_equal(run.result, REDIRECTED);
			assert_untouched(&wanted, &run);
			assert_int_equal(pair->cold[direction].syn, 1);
			assert_int_equal(pair->hot[direction].state, 0);
			assert_int_equal(pair->hot[direction].packets, 0);
			assert_true(read_events() >= 1);
			assert_int_equal(last_event.what, WIRE_SYN);
		}
}

static void a_flood_of_syns_is_neither_answered_nor_told(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = busy_pair(AF_INET);
	struct segment syn = syn_of(AF_INET, 0, SYN, "nnt");
	struct packet packet;
	unsigned answered = 0;
	packet_make(&syn, &packet);
	read_events();
	for (unsigned i = 0; i < 1000; i++)
		answered += wire_run(&packet, &(struct run_options){0}).result == REDIRECTED;
	assert_in_range(answered, 1, 100);
	assert_int_equal(read_events(), answered);
	assert_int_equal(pair->cold[0].syn, 1000);
}

static void a_syn_that_needs_no_answer_gets_none(void **state)
{
	enum { OVER = WIRE_FIN | WIRE_FINACK };
	static const struct {
		unsigned state[2], payload;
		uint8_t flags;
		int result;
	} cases[] = {
		{{0, 0}, 5, SYN, DROPPED},
		{{0, 0}, 0, SYN | RST, DROPPED},
		{{WIRE_RST, 0}, 0, SYN, TO_STACK},
		{{0, WIRE_RST}, 0, SYN, TO_STACK},
		{{OVER, OVER}, 0, SYN, TO_STACK},
		{{OVER, WIRE_FINACK}, 0, SYN, REDIRECTED},
	};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct wire_pair *pair = busy_pair(AF_INET6);
		pair->hot[0].state = cases[i].state[0];
		pair->hot[1].state = cases[i].state[1];
		struct segment syn = syn_of(AF_INET6, 0, cases[i].flags, "");
		syn.payload = cases[i].payload;
		assert_int_equal(run_segment(&syn).result, cases[i].result);
	}
}

static void only_the_end_of_all_that_was_sent_is_an_end(void **state)
{
	static const struct {
		int lead;
		bool is_noted;
	} cases[] = {
		{-IN_FLIGHT, false}, /* the receiver has long had that */
		{-1, false},
		{IN_FLIGHT - 35, false}, /* in flight, but more came behind it */
		{IN_FLIGHT - 34, true},
		{IN_FLIGHT, true},
	};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct wire_pair *pair = busy_pair(AF_INET);
		struct segment end = wire_segment(AF_INET);
		end.seq += (uint32_t)cases[i].lead;
		end.flags = FIN | ACK;
		assert_int_equal(run_segment(&end).result, REDIRECTED);
		assert_int_equal(pair->hot[0].state, cases[i].is_noted ? WIRE_FIN : 0);
		assert_int_equal(pair->hot[0].fin_end, cases[i].is_noted ? end.seq + 34 : 0);
	}
}

static void a_later_end_takes_the_place_of_a_forged_one(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = busy_pair(AF_INET);
	struct segment end = wire_segment(AF_INET);
	end.seq += IN_FLIGHT;
	end.flags = FIN | ACK;
	run_segment(&end);
	end.seq += 500;
	run_segment(&end);
	assert_int_equal(pair->hot[0].fin_end, end.seq + 34);
}

/* Every number far away, in every kind of segment: nothing is learnt, and it does not pass. */
static void far_numbers_teach_nothing(void **state)
{
	static const uint8_t flags[] = {ACK, ACK | FIN, ACK | PSH | URG, RST, RST | ACK, FIN, 0xff & ~SYN};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++)
		for (unsigned kind = 0; kind < 3; kind++) {
			struct wire_pair *pair = busy_pair(AF_INET);
			struct wire_hot before[2];
			memcpy(before, pair->hot, sizeof(before));
			struct segment segment = wire_segment(AF_INET);
			segment.flags = flags[i];
			segment.window = 65535;
			if (kind != 1)
				segment.seq += 0x40000000;
			if (kind != 0)
				segment.ack += 0x40000000;
			bool is_reset = flags[i] & RST;
			struct run run = run_segment(&segment);
			/* A reset's acknowledgement is not looked at: its own number is exact. */
			if (kind == 1 && is_reset)
				assert_int_equal(run.result, REDIRECTED);
			else {
				assert_int_equal(run.result, DROPPED);
				assert_memory_equal(before, pair->hot, sizeof(before));
			}
		}
}

/* Doubtful numbers pass, for the receiver to judge, a thousand times, and move nothing: not
 * even step by step. */
static void doubtful_numbers_do_not_creep(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = busy_pair(AF_INET);
	struct wire_hot before = pair->hot[0];
	struct segment segment = wire_segment(AF_INET);
	segment.window = 65535;
	segment.seq += WINDOW;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(run_segment(&segment).result, REDIRECTED);
	segment = wire_segment(AF_INET);
	segment.window = 65535;
	segment.ack += IN_FLIGHT + 1;
	for (unsigned i = 0; i < 100; i++, segment.ack += 100)
		assert_int_equal(run_segment(&segment).result, REDIRECTED);
	assert_int_equal(pair->hot[0].seq_max, before.seq_max);
	assert_int_equal(pair->hot[0].ack_max, before.ack_max);
	assert_int_equal(pair->hot[0].window_max, before.window_max);
	assert_int_equal(pair->hot[0].state, 0);
}

/* From the wrong side, or with our own address as its source. */
static void packets_in_our_own_name_are_not_of_the_pair(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned kind = 0; kind < 3; kind++) {
		struct wire_pair *pair = busy_pair(*family);
		struct wire_pair before = *pair;
		struct segment segment = wire_segment(*family);
		const struct wire_leg *client = wire_rig_leg(*family, 0), *server = wire_rig_leg(*family, 1);
		if (kind == 0)
			segment.leg = (struct wire_leg){.far = client->near, .near = client->far};
		if (kind == 1)
			segment.leg = (struct wire_leg){.far = client->near, .near = client->near};
		if (kind == 2)
			segment.leg = (struct wire_leg){.far = client->far, .near = server->far};
		assert_int_equal(run_segment(&segment).result, TO_STACK);
		assert_memory_equal(&before, pair, sizeof(before));
	}
}

/* What passed in WATCH may be acknowledged, together with an end, before the sockets are looked at again. */
static void what_was_watched_may_be_acknowledged(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_WATCH);
	struct wire_snapshot snapshots[2] = {{.rcv_nxt = CLIENT_SEQ,
						     .copied_seq = CLIENT_SEQ,
						     .write_seq = CLIENT_ACK,
						     .snd_una = CLIENT_ACK},
		{.rcv_nxt = CLIENT_ACK + ACK_DELTA,
			.copied_seq = CLIENT_ACK + ACK_DELTA,
			.write_seq = CLIENT_SEQ + SEQ_DELTA,
			.snd_una = CLIENT_SEQ + SEQ_DELTA}};
	const uint32_t clock[2] = {0, 0};
	struct segment segment = wire_segment(AF_INET), end = wire_segment(AF_INET);
	snapshots[0].rcv_wnd = snapshots[0].snd_wnd = snapshots[1].rcv_wnd = snapshots[1].snd_wnd = WINDOW;
	assert_int_equal(run_segment(&segment).result, TO_STACK);
	assert_int_equal(wire_flow_map(wire_rig_table, PAIR, snapshots, clock), 0);
	wire_flow_set_mode(wire_rig_table, PAIR, WIRE_ACTIVE);
	end.leg = *wire_rig_leg(AF_INET, 1);
	end.seq = CLIENT_ACK + ACK_DELTA;
	end.ack = CLIENT_SEQ + SEQ_DELTA + segment.payload;
	end.flags = FIN | ACK;
	assert_int_equal(run_segment(&end).result, REDIRECTED);
	assert_int_equal(pair->hot[1].state, WIRE_FIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_is_answered_with_the_numbers_as_they_are),
		cmocka_unit_test(a_flood_of_syns_is_neither_answered_nor_told),
		cmocka_unit_test(a_syn_that_needs_no_answer_gets_none),
		cmocka_unit_test(only_the_end_of_all_that_was_sent_is_an_end),
		cmocka_unit_test(a_later_end_takes_the_place_of_a_forged_one),
		cmocka_unit_test(far_numbers_teach_nothing),
		cmocka_unit_test(doubtful_numbers_do_not_creep),
		cmocka_unit_test(packets_in_our_own_name_are_not_of_the_pair),
		cmocka_unit_test(what_was_watched_may_be_acknowledged),
	};
	return cmocka_run_group_tests(tests, wire_rig_setup, wire_rig_teardown);
}
