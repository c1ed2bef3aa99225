/* ICMP errors about spliced packets: those that come, and those that are ours to send. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib_wire.h"

enum { ETHERNET = 14, MTU = 1400, CHECK_AT = 16 };

static const int families[] = {AF_INET, AF_INET6};
#define FOR_EACH_FAMILY(family) \
	for (const int *family = families; family < families + ARRAY_LENGTH(families); family++)

static void errors_are_translated_back(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned kind = 0; kind < 5; kind++) {
		struct wire_pair *pair = wire_rig_pair(*family, kind == 1 ? WIRE_DRAIN : WIRE_ACTIVE);
		const struct wire_leg *client = wire_rig_leg(*family, 0), *server = wire_rig_leg(*family, 1);
		struct endpoint router = server->far;
		router.ip[3] ^= 1;
		pair->hot[0].seq_max += 1000;
		struct segment quoted = wire_segment(*family);
		quoted.seq += kind == 2 ? 1001 : kind == 3 ? (uint32_t)-1 : 1000;
		struct segment translated = wire_translated(&quoted), original = quoted;
		original.ttl = translated.ttl;
		struct packet packet, wanted;
		icmp_make(&translated, &router, &server->near, kind == 4 ? 1 : 9, &packet);
		icmp_make(&original, &client->near, &client->far, 8, &wanted);
		assert_true(packet_is_sound(&packet));
		struct run run = wire_run_both(&packet);
		assert_int_equal(run.result, kind == 0 ? REDIRECTED : TO_STACK);
		assert_untouched(kind == 0 ? &wanted : &packet, &run);
		assert_int_equal(pair->cold[0].icmp, kind == 0);
	}
}

static void an_error_cut_short_is_untouched(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		wire_rig_pair(*family, WIRE_ACTIVE);
		struct segment quoted = wire_segment(*family), translated = wire_translated(&quoted);
		const struct wire_leg *server = wire_rig_leg(*family, 1);
		struct packet packet;
		icmp_make(&translated, &server->far, &server->near, 9, &packet);
		unsigned whole = packet.len;
		for (packet.len = *family == AF_INET ? 34 : 54; packet.len < whole; packet.len++) {
			struct run run = wire_run(&packet, &(struct run_options){0});
			assert_int_equal(run.result, TO_STACK);
			assert_untouched(&packet, &run);
		}
	}
}

/* A segment of 1500 bytes of IP, from the client or from the server. */
static struct segment large_segment(int family, unsigned direction)
{
	struct segment segment = wire_segment(family);
	options_make(&segment, "nnt", 0, 0, 0);
	segment.payload = 1500 - (family == AF_INET ? 52 : 72);
	if (direction == 0)
		return segment;
	segment.leg = *wire_rig_leg(family, 1);
	segment.seq = CLIENT_ACK + ACK_DELTA;
	segment.ack = CLIENT_SEQ + SEQ_DELTA;
	return segment;
}

static struct wire_pair *narrow_pair(int family, enum wire_mode mode)
{
	struct wire_pair *pair = wire_rig_pair(family, mode);
	for (unsigned d = 0; d < 2; d++) {
		struct wire_route route = {.redirect = WIRE_REDIRECT_MAC,
			.ifindex = 1,
			.mtu = MTU,
			.mac_to = {2, 1, 1, 1, 1, (uint8_t)d},
			.mac_from = {2, 2, 2, 2, 2, (uint8_t)d}};
		wire_flow_route(wire_rig_table, PAIR, d, &route);
	}
	return pair;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* What the network stack would write where a TCP checksum is still to be filled in. */
static unsigned filled_in(const uint8_t *tcp, unsigned len)
{
	uint32_t sum = 0;
	for (unsigned i = 0; i < len; i += 2)
		sum += get16(tcp + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	return sum == 0 ? 0xffff : sum;
}

/* That the answer to `packet` is what a router says; `direction` is the packet's. */
static void assert_tells_size(const struct packet *packet, const struct run *run, unsigned direction)
{
	bool is_v6 = packet->bytes[12] == 0x86;
	unsigned header = is_v6 ? 40 : 20, total = is_v6 ? 1280 : 576;
	const uint8_t *ip = run->out.bytes + ETHERNET, *asked = packet->bytes + ETHERNET;
	const uint8_t *icmp = ip + header, *quoted = icmp + 8;
	const uint8_t macs[12] = {
		2, 1, 1, 1, 1, (uint8_t)(1 - direction), 2, 2, 2, 2, 2, (uint8_t)(1 - direction)};
	assert_int_equal(run->result, REDIRECTED);
	assert_int_equal(run->out.len, ETHERNET + total);
	assert_true(packet_is_sound(&run->out));
	assert_memory_equal(run->out.bytes, macs, 12);
	assert_memory_equal(run->out.bytes + 12, packet->bytes + 12, 2);
	if (is_v6) {
		assert_memory_equal(ip, "\x60\0\0\0\4\xd8\x3a\x40", 8);
		assert_memory_equal(ip + 8, asked + 24, 16);
		assert_memory_equal(ip + 24, asked + 8, 16);
		assert_memory_equal(icmp, "\2\0", 2);
		assert_memory_equal(icmp + 4, "\0\0\5\x78", 4);
	} else {
		assert_memory_equal(ip, "\x45\xc0\2\x40\0\0\x40\0\x40\1", 10);
		assert_memory_equal(ip + 12, asked + 16, 4);
		assert_memory_equal(ip + 16, asked + 12, 4);
		assert_memory_equal(icmp, "\3\4", 2);
		assert_memory_equal(icmp + 4, "\0\0\5\x78", 4);
	}
	unsigned check_at = header + CHECK_AT, len = total - 2 * header - 8;
	assert_memory_equal(quoted, asked, check_at);
	assert_memory_equal(quoted + check_at + 2, asked + check_at + 2, header + len - check_at - 2);
	assert_int_equal(get16(quoted + check_at), filled_in(quoted + header, len));
}

static void senders_are_told_of_a_smaller_way_out(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	for (unsigned direction = 0; direction < 2; direction++)
		for (unsigned number = 0; number < 50; number++) {
			struct wire_pair *pair = narrow_pair(*family, WIRE_ACTIVE);
			struct segment segment = large_segment(*family, direction);
			/* Each is another sum. */
			segment.urgent = (uint16_t)(number * 1311);
			struct packet packet;
			packet_make(&segment, &packet);
			struct run run = wire_run(&packet, &(struct run_options){0});
			assert_tells_size(&packet, &run, direction);
			assert_int_equal(pair->cold[direction].too_big, 1);
			assert_int_equal(pair->cold[direction].told, 1);
			assert_int_equal(pair->hot[direction].packets, 0);
			assert_int_equal((uint32_t)pair->hot[direction].seq_max, segment.seq);
		}
}

static void merged_packets_are_judged_by_their_parts(void **state)
{
	(void)state;
	wire_rig_need();
	FOR_EACH_FAMILY(family)
	{
		struct wire_pair *pair = narrow_pair(*family, WIRE_ACTIVE);
		unsigned headers = *family == AF_INET ? 52 : 72;
		struct segment segment = large_segment(*family, 0);
		segment.payload = 3000;
		struct packet packet;
		packet_make(&segment, &packet);
		struct run run = wire_run(&packet, &(struct run_options){.gso_size = MTU - headers + 1});
		assert_tells_size(&packet, &run, 0);
		assert_int_equal(pair->cold[0].told, 1);
		run = wire_run(&packet, &(struct run_options){.gso_size = MTU - headers});
		assert_int_equal(run.result, REDIRECTED);
		assert_int_equal(run.out.len, packet.len);
		assert_int_equal(pair->cold[0].too_big, 1);
	}
}

static void senders_are_told_once_a_tick(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = narrow_pair(AF_INET, WIRE_ACTIVE);
	struct segment segment = large_segment(AF_INET, 0);
	struct packet packet;
	packet_make(&segment, &packet);
	struct run run = wire_run(&packet, &(struct run_options){0});
	assert_int_equal(run.result, REDIRECTED);
	/* Far more than one would fit into a tick. */
	for (unsigned i = 0; i < 1000; i++)
		wire_run(&packet, &(struct run_options){0});
	assert_int_equal(pair->cold[0].too_big, 1001);
	assert_in_range(pair->cold[0].told, 1, 100);
	pair->path[0].told_tick ^= 0x80;
	unsigned told = pair->cold[0].told;
	run = wire_run(&packet, &(struct run_options){0});
	assert_int_equal(run.result, REDIRECTED);
	assert_int_equal(pair->cold[0].told, told + 1);
	/* The other direction has its own clock. */
	segment = large_segment(AF_INET, 1);
	packet_make(&segment, &packet);
	run = wire_run(&packet, &(struct run_options){0});
	assert_int_equal(run.result, REDIRECTED);
	assert_int_equal(pair->cold[1].told, 1);
}

static void nobody_else_is_told(void **state)
{
	static const struct {
		const char *what;
		enum wire_mode mode;
		uint32_t seq_lead;
		uint16_t mtu4, mtu6;
		int result;
	} cases[] = {
		{"numbers of nobody", WIRE_ACTIVE, 0x40000000, MTU, MTU, DROPPED},
		{"a size that nobody believes", WIRE_ACTIVE, 0, 551, 1279, DROPPED},
		{"the smallest size", WIRE_ACTIVE, 0, 552, 1280, REDIRECTED},
		{"bytes that the stack may take", WIRE_DRAIN, 0, MTU, MTU, TO_STACK},
	};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		FOR_EACH_FAMILY(family)
		{
			struct wire_pair *pair = narrow_pair(*family, cases[i].mode);
			pair->path[0].mtu = *family == AF_INET ? cases[i].mtu4 : cases[i].mtu6;
			struct segment segment = large_segment(*family, 0);
			segment.seq += cases[i].seq_lead;
			struct packet packet;
			packet_make(&segment, &packet);
			struct run run = wire_run(&packet, &(struct run_options){0});
			if (run.result != cases[i].result)
				fail_msg("%s: answered %d", cases[i].what, run.result);
			assert_int_equal(pair->cold[0].told, cases[i].result == REDIRECTED);
			if (run.result != REDIRECTED)
				assert_untouched(&packet, &run);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_translated_back),
		cmocka_unit_test(an_error_cut_short_is_untouched),
		cmocka_unit_test(senders_are_told_of_a_smaller_way_out),
		cmocka_unit_test(merged_packets_are_judged_by_their_parts),
		cmocka_unit_test(senders_are_told_once_a_tick),
		cmocka_unit_test(nobody_else_is_told),
	};
	return cmocka_run_group_tests(tests, wire_rig_setup, wire_rig_teardown);
}
