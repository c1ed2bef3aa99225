/* The wire programs on crafted packets: translation, what goes to the stack, modes. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib_wire.h"

static const int families[] = {AF_INET, AF_INET6};
#define FOR_EACH_FAMILY(family) \
	for (const int *family = families; family < families + ARRAY_LENGTH(families); family++)

static struct run run_segment(const struct segment *segment, struct packet *ret_packet)
{
	packet_make(segment, ret_packet);
	return wire_run_both(ret_packet);
}

static void assert_to_stack(const struct segment *segment)
{
	struct packet packet;
	struct run run = run_segment(segment, &packet);
	assert_int_equal(run.result, TO_STACK);
	assert_untouched(&packet, &run);
}

static void assert_goes_on(const struct segment *segment, const struct segment *expected)
{
	struct packet packet;
	struct run run = run_segment(segment, &packet);
	assert_forwarded(expected, &run);
}

static void segments_are_translated(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned payload = 0; payload < 40; payload++) {
		wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		segment.payload = payload;
		struct segment expected = wire_translated(&segment);
		assert_goes_on(&segment, &expected);
	}
}

static void the_other_direction_is_the_inverse(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		options_make(&segment, "nntnn3", 0, 0, 0);
		struct segment back = wire_translated(&segment);
		options_make(&back, "nntnn3", TSVAL_DELTA, TSECR_DELTA, ACK_DELTA);
		back.leg = *wire_rig_leg(*family, 1);
		back.is_leaving = false;
		/* What the server says now is what the client said: only the numbers' roles change. */
		back.seq = CLIENT_ACK + ACK_DELTA;
		back.ack = CLIENT_SEQ + SEQ_DELTA;
		options_make(&back, "nntnn3", 0, 0, 0);
		struct segment expected = back;
		expected.leg = *wire_rig_leg(*family, 0);
		expected.is_leaving = true;
		expected.seq = CLIENT_ACK;
		expected.ack = CLIENT_SEQ;
		expected.ttl = 62;
		back.ttl = 63;
		options_make(&expected, "nntnn3", -TSECR_DELTA, -TSVAL_DELTA, -SEQ_DELTA);
		assert_goes_on(&back, &expected);
	}
}

static void every_layout_of_options_is_translated(void **state)
{
	static const char *const layouts[] = {"nnt", "tnn", "ntn", "t", "te", "nn1", "1", "2", "3", "4",
		"nnnn1", "nntnn1", "nntnn2", "nntnn3", "t1", "t2", "t3", "1t", "3t", "n1nt", "u", "uu",
		"nntu", "unnt", "uunnt", "m", "mnn", "nnmt", "tm", "mt", "nnnn", "e", "en", "ennt", "nnttnn",
		"nntttnn", "n1n2", "1e", "ue3", "nnt1u", "uuuuuuuuuu",
		"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnt"};
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (size_t i = 0; i < ARRAY_LENGTH(layouts); i++)
		for (unsigned has_timestamps = 0; has_timestamps < 2; has_timestamps++) {
			struct wire_pair *pair = wire_rig_pair(*family, WIRE_ACTIVE);
			pair->path[0].flags = has_timestamps ? WIRE_HAS_TIMESTAMPS : 0;
			struct segment segment = wire_segment(*family);
			options_make(&segment, layouts[i], 0, 0, 0);
			struct segment expected = wire_translated(&segment);
			/* Nothing behind the end is looked at. */
			const char *end = strchr(layouts[i], 'e');
			options_make(&expected, layouts[i], has_timestamps ? TSVAL_DELTA : 0,
				has_timestamps ? TSECR_DELTA : 0, ACK_DELTA);
			if (end != NULL) {
				unsigned kept = (unsigned)strcspn(layouts[i], "e");
				unsigned at = kept == 0        ? 0
					: layouts[i][0] == 't' ? 10
					: layouts[i][0] == '1' ? 10
							       : 4;
				memcpy(expected.options + at, segment.options + at, OPTIONS_MAX - at);
			}
			assert_goes_on(&segment, &expected);
		}
}

static void an_echo_of_zero_stays(void **state)
{
	(void)state;
	wire_rig_need();
	for (unsigned i = 0; i < 2; i++) {
		const char *letters = i == 0 ? "nnt" : "tnn";
		wire_rig_pair(AF_INET, WIRE_ACTIVE);
		struct segment segment = wire_segment(AF_INET);
		options_make(&segment, letters, 0, -0x11223344u, 0);
		struct segment expected = wire_translated(&segment);
		options_make(&expected, letters, TSVAL_DELTA, -0x11223344u, 0);
		assert_goes_on(&segment, &expected);
	}
}

static void malformed_options_go_to_the_stack(void **state)
{
	static const struct {
		unsigned len;
		uint8_t bytes[12];
	} cases[] = {
		{4, {1, 1, 1, 8}},
		{4, {1, 1, 1, 253}},
		{4, {8, 10, 0, 0}},
		{4, {5, 0, 0, 0}},
		{4, {5, 1, 0, 0}},
		{4, {253, 0, 0, 0}},
		{4, {253, 5, 0, 0}},
		{8, {5, 9, 0, 0}},
		{12, {5, 11}},
		{12, {8, 9}},
		{12, {8, 11}},
		{12, {1, 1, 1, 8, 10}},
		{12, {1, 1, 1, 5, 10}},
		{12, {5, 18}},
		{12, {5, 2, 1, 1}},
		{12, {1, 5, 255}},
		{12, {253, 255}},
		{12, {253, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8}},
	};
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		segment.options_len = cases[i].len;
		memcpy(segment.options, cases[i].bytes, cases[i].len);
		assert_to_stack(&segment);
		assert_int_equal(pair->cold[0].malformed, 1);
		assert_int_equal(pair->hot[0].packets, 0);
	}
}

static void packets_cut_anywhere_are_untouched(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		options_make(&segment, "nntnn2", 0, 0, 0);
		struct packet whole;
		packet_make(&segment, &whole);
		/* The kernel makes no packet that ends before its IP header. */
		for (unsigned len = *family == AF_INET ? 34 : 54; len < whole.len; len++) {
			struct packet cut = whole;
			cut.len = len;
			struct run run = wire_run(&cut, &(struct run_options){0});
			assert_int_equal(run.result, TO_STACK);
			assert_untouched(&cut, &run);
		}
		assert_int_equal(pair->hot[0].packets, 0);
	}
}

/* The header of TCP or IP claims more, or less, than there is. */
static void headers_that_lie_are_untouched(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned words = 0; words < 16; words++)
		for (unsigned claimed = 0; claimed < 64; claimed++) {
			struct wire_pair *pair = wire_rig_pair(*family, WIRE_ACTIVE);
			struct segment segment = wire_segment(*family);
			segment.payload = 0;
			struct packet packet;
			packet_make(&segment, &packet);
			unsigned l4 = *family == AF_INET ? 34 : 54;
			packet.bytes[l4 + 12] = (uint8_t)(words << 4);
			packet.bytes[*family == AF_INET ? 17 : 19] = (uint8_t)claimed;
			bool is_right = words == 5 && claimed == (*family == AF_INET ? 40 : 20);
			struct run run = wire_run(&packet, &(struct run_options){0});
			assert_int_equal(run.result, is_right ? REDIRECTED : TO_STACK);
			if (!is_right)
				assert_untouched(&packet, &run);
			assert_int_equal(pair->hot[0].packets, is_right);
		}
}

static void padding_behind_a_short_packet_stays(void **state)
{
	(void)state;
	wire_rig_need();
	wire_rig_pair(AF_INET, WIRE_ACTIVE);
	struct segment segment = wire_segment(AF_INET);
	segment.payload = 0;
	struct packet packet;
	packet_make(&segment, &packet);
	packet.len = 60;
	struct run run = wire_run_both(&packet);
	assert_int_equal(run.result, REDIRECTED);
	assert_int_equal(run.out.len, 60);
	assert_true(packet_is_sound(&run.out));
}

struct change {
	const char *what;
	int family; /* 0: both */
	unsigned at;
	uint8_t value;
};

static void what_is_not_plain_tcp_for_us_is_untouched(void **state)
{
	static const struct change changes[] = {
		{"a VLAN tag in the bytes", 0, 12, 0x81},
		{"another host's frame", 0, 0, 0x02},
		{"IPv4 options", AF_INET, 14, 0x46},
		{"another version", AF_INET, 14, 0x65},
		{"another version", AF_INET6, 14, 0x45},
		{"UDP", AF_INET, 23, 17},
		{"UDP", AF_INET6, 20, 17},
		{"a hop-by-hop header", AF_INET6, 20, 0},
		{"a fragment header", AF_INET6, 20, 44},
		{"the first fragment", AF_INET, 20, 0x20},
		{"a later fragment", AF_INET, 21, 1},
		{"another source", AF_INET, 29, 99},
		{"another source", AF_INET6, 37, 99},
		{"another destination", AF_INET, 33, 99},
		{"another destination", AF_INET6, 53, 99},
		{"another source port", AF_INET, 35, 99},
		{"another source port", AF_INET6, 55, 99},
		{"another destination port", AF_INET, 37, 99},
		{"another destination port", AF_INET6, 57, 99},
	};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
		FOR_EACH_FAMILY(family)
		{
			if (changes[i].family != 0 && changes[i].family != *family)
				continue;
			wire_rig_pair(*family, WIRE_ACTIVE);
			struct segment segment = wire_segment(*family);
			struct packet packet;
			packet_make(&segment, &packet);
			packet.bytes[changes[i].at] = changes[i].value;
			struct run run = wire_run(&packet, &(struct run_options){0});
			if (run.result != TO_STACK)
				fail_msg("%s: answered %d", changes[i].what, run.result);
			assert_untouched(&packet, &run);
		}
}

static void urgent_data_congestion_marks_and_any_flags_stay(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned flags = 0; flags < 256; flags++) {
		if (flags & (SYN | RST) || !(flags & ACK))
			continue;
		wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		segment.flags = (uint8_t)flags;
		segment.tos = 0xb8 | (flags & 3);
		segment.urgent = 17;
		struct segment expected = wire_translated(&segment);
		assert_goes_on(&segment, &expected);
	}
}

static void each_mode_does_its_own(void **state)
{
	static const struct {
		enum wire_mode mode;
		int data, syn, reset, leaving, leaving_reset;
	} cases[] = {
		{WIRE_OFF, TO_STACK, TO_STACK, TO_STACK, TO_STACK, TO_STACK},
		{WIRE_WATCH, TO_STACK, TO_STACK, TO_STACK, TO_STACK, TO_STACK},
		{WIRE_DRAIN, REDIRECTED, TO_STACK, DROPPED, TO_STACK, TO_STACK}, /* there is no socket */
		{WIRE_ACTIVE, REDIRECTED, DROPPED, REDIRECTED, DROPPED, DROPPED},
		{WIRE_CLOSED, TO_STACK, TO_STACK, TO_STACK, DROPPED, TO_STACK},
	};
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		for (unsigned kind = 0; kind < 5; kind++) {
			static const uint8_t flags[] = {ACK, SYN, RST, ACK, RST};
			const int wanted[] = {cases[i].data, cases[i].syn, cases[i].reset, cases[i].leaving,
				cases[i].leaving_reset};
			struct run_options options = {.program = kind < 3 ? WIRE_INGRESS : WIRE_EGRESS};
			wire_rig_pair(*family, cases[i].mode);
			struct segment segment = wire_segment(*family);
			segment.flags = flags[kind];
			segment.is_leaving = kind >= 3;
			struct packet packet;
			packet_make(&segment, &packet);
			struct run run = wire_run(&packet, &options);
			assert_int_equal(run.result, wanted[kind]);
			if (run.result != REDIRECTED)
				assert_untouched(&packet, &run);
		}
}

static void a_reset_of_a_killed_connection_gets_the_numbers_due(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		/* Much was sent to a client that has not room for it. */
		wire_rig_pair(*family, WIRE_CLOSED)->hot[1].seq_max += WINDOW;
		struct segment segment = wire_segment(*family), expected;
		struct packet packet, wanted;
		segment.is_leaving = true;
		segment.flags = RST | ACK;
		segment.seq = 1;
		segment.ack = 2;
		segment.payload = 0;
		expected = segment;
		expected.seq = CLIENT_ACK;
		expected.ack = CLIENT_SEQ;
		packet_make(&segment, &packet);
		packet_make(&expected, &wanted);
		struct run run = wire_run(&packet, &(struct run_options){.program = WIRE_EGRESS});
		assert_int_equal(run.result, TO_STACK);
		assert_memory_equal(run.out.bytes, wanted.bytes, wanted.len);
	}
}

static void what_was_forwarded_leaves_by_egress(void **state)
{
	(void)state;
	wire_rig_need();
	wire_rig_pair(AF_INET, WIRE_ACTIVE);
	struct segment segment = wire_segment(AF_INET);
	segment.is_leaving = true;
	struct packet packet;
	packet_make(&segment, &packet);
	struct run_options options = {.program = WIRE_EGRESS, .ingress_ifindex = 1};
	struct run run = wire_run(&packet, &options);
	assert_int_equal(run.result, TO_STACK);
	assert_untouched(&packet, &run);
}

static void hop_limits_and_sizes_are_minded(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_WATCH);
		struct segment segment = wire_segment(*family);
		segment.ttl = 2;
		assert_to_stack(&segment);
		assert_int_equal(pair->hot[0].state, 0);
		segment.ttl = 1;
		assert_to_stack(&segment);
		assert_int_equal(pair->hot[0].state, WIRE_SHORT_LIVED);
		pair = wire_rig_pair(*family, WIRE_ACTIVE);
		assert_to_stack(&segment);
		assert_int_equal(pair->cold[0].expired, 1);
		segment.ttl = 2;
		struct segment expected = wire_translated(&segment);
		assert_goes_on(&segment, &expected);

		unsigned headers = *family == AF_INET ? 40 : 60;
		pair = wire_rig_pair(*family, WIRE_ACTIVE);
		pair->path[0].mtu = (uint16_t)(headers + 1000);
		segment = wire_segment(*family);
		segment.payload = 3000;
		struct packet packet;
		packet_make(&segment, &packet);
		struct run run = wire_run(&packet, &(struct run_options){.gso_size = 1000});
		expected = wire_translated(&segment);
		assert_forwarded(&expected, &run);
	}
}

/* Puts the header of jumbograms between IPv6 and TCP, or takes the length out of IPv4. */
static void enlarge(struct packet *packet, int family)
{
	uint8_t *ip = packet->bytes + 14;
	if (family == AF_INET) {
		unsigned sum = (unsigned)ip[10] << 8 | ip[11], len = (unsigned)ip[2] << 8 | ip[3];
		sum += len;
		sum = (sum & 0xffff) + (sum >> 16);
		ip[10] = (uint8_t)(sum >> 8);
		ip[11] = (uint8_t)sum;
		ip[2] = ip[3] = 0;
		return;
	}
	unsigned len = packet->len - 54 + 8;
	memmove(ip + 48, ip + 40, packet->len - 54);
	memcpy(ip + 40, (const uint8_t[]){6, 0, 0xc2, 4, 0, 0, (uint8_t)(len >> 8), (uint8_t)len}, 8);
	packet->len += 8;
	ip[4] = ip[5] = ip[6] = 0;
}

static void merged_packets_without_a_length_are_translated(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned kind = 0; kind < 2; kind++) {
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		options_make(&segment, kind == 0 ? "nnt" : "nntnn2", 0, 0, 0);
		segment.payload = 3000;
		struct segment expected = wire_translated(&segment);
		options_make(&expected, kind == 0 ? "nnt" : "nntnn2", TSVAL_DELTA, TSECR_DELTA, ACK_DELTA);
		struct packet packet, wanted;
		packet_make(&segment, &packet);
		packet_make(&expected, &wanted);
		enlarge(&packet, *family);
		enlarge(&wanted, *family);
		/* Exactly what the way out takes: the header of jumbograms does not leave. */
		unsigned headers = (*family == AF_INET ? 40 : 60) + segment.options_len;
		pair->path[0].mtu = (uint16_t)(headers + 1000);
		uint64_t before = pair->hot[0].seq_max;
		struct run run = wire_run(&packet, &(struct run_options){.gso_size = 1000});
		assert_int_equal(run.result, REDIRECTED);
		assert_untouched(&wanted, &run);
		assert_int_equal(pair->hot[0].seq_max - before, 3000);
		run = wire_run(&packet, &(struct run_options){.gso_size = 1001});
		assert_int_equal(pair->cold[0].too_big, 1);
		if (*family == AF_INET6)
			assert_int_equal(run.result, DROPPED);
	}
}

static void no_length_and_no_merging_is_malformed(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned at = 0; at <= 8; at++) {
		struct wire_pair *pair = wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment segment = wire_segment(*family);
		struct packet packet;
		packet_make(&segment, &packet);
		enlarge(&packet, *family);
		/* Each byte of the jumbogram's header in turn, and the last time none. */
		if (*family == AF_INET6 && at < 8)
			packet.bytes[54 + at] ^= 1;
		struct run_options options = {.gso_size = *family == AF_INET6 && at < 8 ? 20 : 0};
		struct run run = wire_run(&packet, &options);
		assert_int_equal(run.result, TO_STACK);
		assert_untouched(&packet, &run);
		assert_int_equal(pair->hot[0].packets, 0);
	}
}

static void every_redirect_is_accepted(void **state)
{
	(void)state;
	wire_rig_need();
	for (unsigned kind = WIRE_REDIRECT_NEIGH; kind <= WIRE_REDIRECT_MAC; kind++) {
		struct wire_pair *pair = wire_rig_pair(AF_INET6, WIRE_ACTIVE);
		struct wire_route route = {.redirect = kind,
			.ifindex = 1,
			.mac_to = {2, 1, 2, 3, 4, 5},
			.mac_from = {2, 9, 8, 7, 6, 5}};
		wire_flow_route(wire_rig_table, PAIR, 0, &route);
		struct segment segment = wire_segment(AF_INET6), expected = wire_translated(&segment);
		struct packet packet, wanted;
		struct run run = run_segment(&segment, &packet);
		packet_make(&expected, &wanted);
		if (kind == WIRE_REDIRECT_MAC)
			memcpy(wanted.bytes, "\2\1\2\3\4\5\2\11\10\7\6\5", 12);
		assert_int_equal(run.result, REDIRECTED);
		assert_memory_equal(run.out.bytes, wanted.bytes, wanted.len);
		assert_int_equal(pair->hot[0].packets, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_translated),
		cmocka_unit_test(the_other_direction_is_the_inverse),
		cmocka_unit_test(every_layout_of_options_is_translated),
		cmocka_unit_test(an_echo_of_zero_stays),
		cmocka_unit_test(malformed_options_go_to_the_stack),
		cmocka_unit_test(packets_cut_anywhere_are_untouched),
		cmocka_unit_test(headers_that_lie_are_untouched),
		cmocka_unit_test(padding_behind_a_short_packet_stays),
		cmocka_unit_test(what_is_not_plain_tcp_for_us_is_untouched),
		cmocka_unit_test(urgent_data_congestion_marks_and_any_flags_stay),
		cmocka_unit_test(each_mode_does_its_own),
		cmocka_unit_test(a_reset_of_a_killed_connection_gets_the_numbers_due),
		cmocka_unit_test(what_was_forwarded_leaves_by_egress),
		cmocka_unit_test(hop_limits_and_sizes_are_minded),
		cmocka_unit_test(merged_packets_without_a_length_are_translated),
		cmocka_unit_test(no_length_and_no_merging_is_malformed),
		cmocka_unit_test(every_redirect_is_accepted),
	};
	return cmocka_run_group_tests(tests, wire_rig_setup, wire_rig_teardown);
}
