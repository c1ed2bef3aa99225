/* The loader of the wire programs, with real sockets where it meets them; and random packets. */

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib_wire.h"

enum { COPY_MARK = 0x57435059, FUZZ_RUNS = 100000, FUZZ_SECONDS = 5, SIZE = 16 };

static void a_pair_is_entered_once_and_taken_out(void **state)
{
	(void)state;
	wire_rig_need();
	const struct wire_leg *legs = wire_rig_leg(AF_INET, 0);
	struct wire_leg others[2] = {legs[0], legs[1]};
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_ACTIVE);
	uint32_t generation = pair->generation;
	assert_int_equal(wire_flow_add(wire_rig_table, PAIR + 1, legs), -EEXIST);
	others[0].far.port++;
	assert_int_equal(wire_flow_add(wire_rig_table, PAIR + 1, others), -EEXIST);
	others[1].near.port++;
	/* The refused leg has left nothing behind. */
	assert_int_equal(wire_flow_add(wire_rig_table, PAIR + 1, others), 0);
	wire_flow_del(wire_rig_table, PAIR + 1, others);
	assert_int_equal(wire_flow_add(wire_rig_table, PAIR + 1, others), 0);
	wire_flow_del(wire_rig_table, PAIR + 1, others);
	pair = wire_rig_pair(AF_INET, WIRE_ACTIVE);
	assert_int_equal(pair->generation, generation + 1);
	assert_int_equal(pair->hot[0].packets, 0);
	others[1].far.family = others[1].near.family = AF_INET6;
	assert_int_equal(wire_flow_add(wire_rig_table, PAIR + 1, others), -EAFNOSUPPORT);
}

static struct wire_leg *legs_of(unsigned pair)
{
	static struct wire_leg legs[2];
	int family = pair % 2 == 0 ? AF_INET : AF_INET6;
	memcpy(legs, wire_rig_leg(family, 0), sizeof(legs));
	legs[0].far.port = (uint16_t)(1024 + pair);
	legs[1].near.port = (uint16_t)(60000 - pair);
	legs[1].near.ip[3] ^= (uint8_t)(pair >> 8);
	return legs;
}

/* As the programs see it: in ACTIVE they drop numbers from far away. */
static bool is_found(struct wire_table *table, const struct wire_leg *leg)
{
	struct segment segment = wire_segment(leg->far.family);
	struct packet packet;
	struct wire_table *kept = wire_rig_table;
	segment.leg = *leg;
	segment.seq += 0x40000000;
	packet_make(&segment, &packet);
	wire_rig_table = table;
	struct run run = wire_run(&packet, &(struct run_options){0});
	wire_rig_table = kept;
	return run.result == DROPPED;
}

static void a_full_table_finds_every_pair_and_forgets_it(void **state)
{
	enum { PAIRS = 8192 };
	struct wire_table *table;
	char reason[WIRE_REASON_MAX];
	(void)state;
	wire_rig_need();
	assert_int_equal(wire_table_create(PAIRS, &table, reason), 0);
	assert_int_equal(wire_table_pairs_max(table), PAIRS);
	for (unsigned i = 0; i < PAIRS; i++) {
		assert_int_equal(wire_flow_add(table, i, legs_of(i)), 0);
		wire_flow_set_mode(table, i, WIRE_ACTIVE);
	}
	for (unsigned i = 0; i < PAIRS; i++)
		for (unsigned leg = 0; leg < 2; leg++)
			assert_true(is_found(table, &legs_of(i)[leg]));
	for (unsigned i = 0; i < PAIRS; i += 2)
		wire_flow_del(table, i, legs_of(i));
	for (unsigned i = 0; i < PAIRS; i++) {
		wire_table_pair(table, i)->mode = WIRE_ACTIVE;
		for (unsigned leg = 0; leg < 2; leg++)
			assert_int_equal(is_found(table, &legs_of(i)[leg]), i % 2);
	}
	wire_table_destroy(table);
}

/* Entries that nobody takes out are a mistake; here they fill both buckets. */
static void a_full_bucket_refuses(void **state)
{
	struct wire_table *table;
	char reason[WIRE_REASON_MAX];
	(void)state;
	wire_rig_need();
	assert_int_equal(wire_table_create(2, &table, reason), 0);
	unsigned added = 0;
	int error = 0;
	for (; error == 0; added++)
		error = wire_flow_add(table, 1, legs_of(added));
	assert_int_equal(error, -ENOSPC);
	assert_in_range(added, 4, 9);
	for (unsigned i = 0; i < added - 1; i++)
		wire_flow_del(table, 1, legs_of(i));
	assert_int_equal(wire_flow_add(table, 0, legs_of(added - 1)), 0);
	wire_table_destroy(table);
}

/* What a slot names is compared: the index alone, or the ports alone, are not believed. */
static void a_slot_is_not_believed_without_the_addresses(void **state)
{
	(void)state;
	wire_rig_need();
	for (unsigned i = 0; i < 2; i++)
		for (unsigned what = 0; what < 5; what++) {
			struct wire_table *table = wire_rig_table;
			int family = i == 0 ? AF_INET : AF_INET6;
			struct wire_pair *pair = wire_rig_pair(family, WIRE_ACTIVE);
			const struct wire_leg *leg = wire_rig_leg(family, 0);
			struct wire_path *back = &pair->path[1];
			assert_true(is_found(table, leg));
			if (what == 0)
				back->daddr[i * 3] ^= 1;
			if (what == 1)
				back->saddr[i * 3] ^= 1;
			if (what == 2)
				back->dport ^= 1;
			if (what == 3)
				back->sport ^= 1;
			if (what == 4)
				pair->family = (uint16_t)(AF_INET + AF_INET6 - family);
			assert_false(is_found(table, leg));
		}
}

static void interfaces_are_attached_once(void **state)
{
	(void)state;
	wire_rig_need();
	assert_int_equal(wire_table_attach(wire_rig_table, 1), 0);
	assert_int_equal(wire_table_attach(wire_rig_table, 1), -EEXIST);
	wire_table_detach(wire_rig_table, 1);
	assert_int_equal(wire_table_attach(wire_rig_table, 1), 0);
	wire_table_detach(wire_rig_table, 1);
	wire_table_detach(wire_rig_table, 1);
	assert_true(wire_table_attach(wire_rig_table, 4711) < 0);
}

static void numbers_are_mapped_from_the_sockets(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_pair *pair = wire_rig_pair(AF_INET, WIRE_OFF);
	struct wire_snapshot snapshots[2] = {
		{.tcp_state = 1,
			.rcv_nxt = 1000,
			.copied_seq = 1000,
			.write_seq = 5000,
			.snd_una = 4990,
			.snd_wnd = 7,
			.rcv_wnd = 8,
			.ts_recent = 100,
			.has_timestamps = 1,
			.has_scale = 1,
			.scale_send = 7,
			.scale_receive = 9},
		{.tcp_state = 1,
			.rcv_nxt = 50,
			.copied_seq = 40,
			.write_seq = 0xfffffff0,
			.snd_una = 0xfffffff0,
			.snd_wnd = 9,
			.rcv_wnd = 5,
			.ts_recent = 900,
			.has_timestamps = 1,
			.has_scale = 1,
			.scale_send = 9,
			.scale_receive = 7},
	};
	const uint32_t clock[2] = {5, 6};
	memset(pair->hot, 0, sizeof(pair->hot));
	assert_int_equal(wire_flow_map(wire_rig_table, PAIR, snapshots, clock), 0);
	assert_int_equal(pair->path[0].seq_delta, 0xfffffff0u - 1000);
	assert_int_equal(pair->path[1].ack_delta, 1000u - 0xfffffff0u);
	assert_int_equal(pair->path[1].seq_delta, 5000 - 40);
	assert_int_equal(pair->path[0].ack_delta, 40u - 5000u);
	assert_int_equal(pair->path[0].tsval_delta, 6u - 100u);
	assert_int_equal(pair->path[1].tsecr_delta, 100u - 6u);
	assert_int_equal(pair->path[1].boundary, 50);
	assert_int_equal((uint32_t)pair->hot[0].ack_max, 4990);
	assert_int_equal(pair->path[0].scale_in, 7);
	/* What the far end may be sent: the window, what is unread here and unacknowledged there. */
	assert_int_equal(pair->hot[0].window_max, 10 + 5 + 10);
	assert_int_equal(pair->hot[1].window_max, 9);

	/* Ten bytes slip into a socket; then all is read, and acknowledged to the socket. */
	assert_false(wire_flow_is_drained(wire_rig_table, PAIR, snapshots));
	snapshots[1].rcv_nxt = snapshots[1].copied_seq = 60;
	assert_int_equal(wire_flow_follow(wire_rig_table, PAIR, snapshots), 10);
	assert_int_equal(wire_flow_follow(wire_rig_table, PAIR, snapshots), 0);
	assert_int_equal(pair->path[1].boundary, 60);
	assert_int_equal((uint32_t)pair->hot[1].seq_max, 60);
	assert_false(wire_flow_is_drained(wire_rig_table, PAIR, snapshots));
	pair->hot[0].ack_max = 5000;
	assert_false(wire_flow_is_drained(wire_rig_table, PAIR, snapshots));
	snapshots[0].snd_una = 5000;
	snapshots[1].has_holes = 1;
	assert_true(wire_flow_is_drained(wire_rig_table, PAIR, snapshots));

	snapshots[1].scale_receive = 8;
	assert_int_equal(wire_flow_map(wire_rig_table, PAIR, snapshots, clock), -EOPNOTSUPP);
	snapshots[1].scale_receive = 7;
	snapshots[1].has_timestamps = 0;
	assert_int_equal(wire_flow_map(wire_rig_table, PAIR, snapshots, clock), -EOPNOTSUPP);
}

struct connection {
	int listener, client, server;
	struct wire_leg leg; /* of the server's socket */
};

static struct endpoint endpoint_of(int fd, bool is_peer)
{
	struct address address = {.len = sizeof(address.v6)};
	struct endpoint endpoint;
	assert_int_equal((is_peer ? getpeername : getsockname)(fd, &address.any, &address.len), 0);
	endpoint_from_address(&address, &endpoint);
	return endpoint;
}

static void connection_open(struct connection *connection, int family)
{
	struct address address = {.len = family == AF_INET ? sizeof(address.v4) : sizeof(address.v6)};
	address.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.v6.sin6_addr = in6addr_loopback;
	connection->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(connection->listener, &address.any, address.len), 0);
	assert_int_equal(listen(connection->listener, 1), 0);
	assert_int_equal(getsockname(connection->listener, &address.any, &address.len), 0);
	connection->client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(connection->client, &address.any, address.len), 0);
	connection->server = accept(connection->listener, NULL, NULL);
	assert_true(connection->server >= 0);
	connection->leg = (struct wire_leg){
		.far = endpoint_of(connection->server, true), .near = endpoint_of(connection->server, false)};
}

static void connection_close(struct connection *connection)
{
	close(connection->client);
	close(connection->server);
	close(connection->listener);
}

static const int families[] = {AF_INET, AF_INET6};

static void snapshots_show_both_sockets(void **state)
{
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		struct connection a, b;
		struct wire_snapshot before[2], after[2];
		char bytes[10] = {0};
		connection_open(&a, families[i]);
		connection_open(&b, families[i]);
		struct wire_leg legs[2] = {a.leg, b.leg};
		assert_int_equal(wire_snapshot_take(wire_rig_table, legs, before), 0);
		assert_int_equal(write(a.client, bytes, 10), 10);
		assert_int_equal(write(b.server, bytes, 7), 7);
		assert_int_equal(wire_snapshot_take(wire_rig_table, legs, after), 0);
		assert_int_equal(after[0].tcp_state, 1);
		assert_int_equal(after[0].rcv_nxt - before[0].rcv_nxt, 10);
		assert_int_equal(after[0].copied_seq, before[0].copied_seq);
		assert_int_equal(after[1].write_seq - before[1].write_seq, 7);
		assert_int_equal(after[1].snd_una, after[1].write_seq);
		assert_true(after[0].has_sack && after[0].has_scale && !after[0].has_holes);
		assert_true(after[0].snd_wnd > 0 && after[0].mss_cache > 0);
		connection_close(&a);
		legs[0].far.port = 1;
		assert_int_equal(wire_snapshot_take(wire_rig_table, legs, after), -ENOENT);
		connection_close(&b);
	}
}

/* What DRAIN gives to the stack becomes a bare acknowledgement that its socket can take. */
static void copies_are_made_to_fit_the_socket(void **state)
{
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++) {
		struct connection connection;
		struct wire_snapshot snapshots[2];
		connection_open(&connection, families[i]);
		struct wire_leg legs[2] = {connection.leg, connection.leg};
		assert_int_equal(wire_snapshot_take(wire_rig_table, legs, snapshots), 0);
		struct segment segment = {.family = families[i],
			.leg = connection.leg,
			.seq = 5,
			.payload = 900,
			.ack = snapshots[0].snd_nxt + 44,
			.window = 99,
			.flags = FIN | PSH | URG | ACK,
			.urgent = 3};
		options_make(&segment, "nntnn1", 0, 0, 0);
		struct segment expected = segment;
		options_make(&expected, "nntnn1", 0, -0x11223344u, 0);
		expected.seq = snapshots[0].rcv_nxt;
		expected.ack = snapshots[0].snd_nxt;
		expected.flags = ACK;
		expected.payload = 0;
		struct packet packet, wanted;
		packet_make(&segment, &packet);
		packet_make(&expected, &wanted);
		struct run run = wire_run(&packet, &(struct run_options){.mark = COPY_MARK});
		assert_int_equal(run.result, 0);
		assert_untouched(&wanted, &run);
		/* On a bridge's port it comes to the bridge's program, too. */
		struct run again = wire_run(&run.out, &(struct run_options){.mark = run.mark});
		assert_int_equal(again.result, TO_STACK);
		assert_untouched(&wanted, &again);
		/* Its listener would be found instead. */
		segment.leg.far.port ^= 1;
		packet_make(&segment, &packet);
		run = wire_run(&packet, &(struct run_options){.mark = COPY_MARK});
		assert_int_equal(run.result, DROPPED);
		connection_close(&connection);
	}
}

/* It may have been forwarded more than the socket has seen: DRAIN leaves resets to the socket. */
static void a_reset_while_draining_is_made_to_fit_the_socket(void **state)
{
	static const struct {
		uint32_t lead; /* of 500 bytes that were sent and not acknowledged */
		bool is_believed;
	} cases[] = {{0, true}, {500, true}, {200, false}, {501, false}};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(families); i++)
		for (size_t k = 0; k < ARRAY_LENGTH(cases); k++) {
			struct connection connection;
			struct wire_snapshot snapshots[2];
			connection_open(&connection, families[i]);
			struct wire_leg legs[2] = {connection.leg, connection.leg};
			assert_int_equal(wire_snapshot_take(wire_rig_table, legs, snapshots), 0);
			legs[1].far.port ^= 1;
			assert_int_equal(wire_flow_add(wire_rig_table, PAIR + 1, legs), 0);
			struct wire_pair *pair = wire_table_pair(wire_rig_table, PAIR + 1);
			uint32_t acknowledged = snapshots[0].rcv_nxt + 1000;
			pair->hot[1].ack_max = acknowledged;
			pair->hot[0].seq_max = acknowledged + 500;
			wire_flow_set_mode(wire_rig_table, PAIR + 1, WIRE_DRAIN);
			struct segment segment = {.family = families[i],
				.leg = connection.leg,
				.seq = acknowledged + cases[k].lead,
				.ack = snapshots[0].snd_nxt + 44,
				.flags = RST | ACK};
			struct segment expected = segment;
			if (cases[k].is_believed) {
				expected.seq = snapshots[0].rcv_nxt;
				expected.ack = snapshots[0].snd_nxt;
			}
			struct packet packet, wanted;
			packet_make(&segment, &packet);
			packet_make(&expected, &wanted);
			struct run run = wire_run(&packet, &(struct run_options){0});
			assert_int_equal(run.result, TO_STACK);
			assert_untouched(&wanted, &run);
			wire_flow_del(wire_rig_table, PAIR + 1, legs);
			connection_close(&connection);
		}
}

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(seed ^ seed >> 15) * limit) >> 32);
}

/* A segment of the pair, or nearly, with some bytes changed; true if all sums are right. */
static bool random_packet(struct packet *ret_packet, int family)
{
	struct segment segment = wire_segment(family);
	segment.seq += random_below(4) == 0 ? random_below(UINT32_MAX) : random_below(3000) - 1500;
	segment.ack += random_below(4) == 0 ? random_below(UINT32_MAX) : random_below(3000) - 1500;
	segment.window = (uint16_t)random_below(65536);
	segment.flags = (uint8_t)(random_below(3) == 0 ? random_below(256) : ACK);
	segment.ttl = (uint8_t)random_below(256);
	segment.tos = (uint8_t)random_below(256);
	segment.payload = random_below(1400);
	if (random_below(2) == 0) {
		static const char *const layouts[] = {
			"", "nnt", "nnt", "nntnn1", "nntnn3", "nn2", "unnt", "t2"};
		options_make(&segment, layouts[random_below(ARRAY_LENGTH(layouts))], random_below(9), 0, 0);
	} else {
		segment.options_len = 4 * random_below(11);
		for (unsigned i = 0; i < segment.options_len; i++)
			segment.options[i] =
				(uint8_t)(random_below(2) == 0 ? random_below(12) : random_below(256));
	}
	packet_make(&segment, ret_packet);
	if (random_below(3) != 0)
		return true;
	for (unsigned changes = random_below(6); changes > 0; changes--)
		ret_packet->bytes[12 + random_below(70)] ^= (uint8_t)(1 << random_below(8));
	if (random_below(4) == 0)
		ret_packet->len = (family == AF_INET ? 34 : 54) + random_below(ret_packet->len - 54);
	return false;
}

static void random_packets_keep_length_and_sums(void **state)
{
	(void)state;
	wire_rig_need();
	time_t end = time(NULL) + FUZZ_SECONDS;
	unsigned redirected = 0, runs;
	seed = 20260101;
	for (runs = 0; runs < FUZZ_RUNS && time(NULL) < end; runs++) {
		static const enum wire_mode modes[] = {
			WIRE_OFF, WIRE_WATCH, WIRE_ACTIVE, WIRE_ACTIVE, WIRE_CLOSED};
		int family = runs / 64 % 2 == 0 ? AF_INET : AF_INET6;
		if (runs % 64 == 0)
			wire_rig_pair(family, modes[random_below(ARRAY_LENGTH(modes))]);
		struct packet packet;
		bool is_sound = random_packet(&packet, family);
		/* The kernel refuses what ends within the header that the frame announces. */
		unsigned type = (unsigned)packet.bytes[12] << 8 | packet.bytes[13];
		if (type == 0x86dd && packet.len < 54)
			continue;
		struct run run = wire_run(&packet, &(struct run_options){0});
		assert_int_equal(run.out.len, packet.len);
		redirected += run.result == REDIRECTED;
		if (run.result != REDIRECTED)
			assert_untouched(&packet, &run);
		else if (is_sound)
			assert_true(packet_is_sound(&run.out));
	}
	print_message("%u packets, %u of them forwarded\n", runs, redirected);
	assert_true(redirected > runs / 20);
}

static void the_missing_capability_is_named(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_table *table = NULL;
	char reason[WIRE_REASON_MAX] = "";
	uid_t effective = geteuid();
	if (effective != 0)
		skip();
	/* The effective set goes with the effective user. */
	assert_int_equal(seteuid(65534), 0);
	int error = wire_table_create(2, &table, reason);
	assert_int_equal(seteuid(effective), 0);
	assert_true(error < 0);
	assert_null(table);
	assert_string_equal(reason, "the process lacks CAP_BPF");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pair_is_entered_once_and_taken_out),
		cmocka_unit_test(a_full_table_finds_every_pair_and_forgets_it),
		cmocka_unit_test(a_full_bucket_refuses),
		cmocka_unit_test(a_slot_is_not_believed_without_the_addresses),
		cmocka_unit_test(interfaces_are_attached_once),
		cmocka_unit_test(numbers_are_mapped_from_the_sockets),
		cmocka_unit_test(snapshots_show_both_sockets),
		cmocka_unit_test(copies_are_made_to_fit_the_socket),
		cmocka_unit_test(a_reset_while_draining_is_made_to_fit_the_socket),
		cmocka_unit_test(random_packets_keep_length_and_sums),
		cmocka_unit_test(the_missing_capability_is_named),
	};
	return cmocka_run_group_tests(tests, wire_rig_setup, wire_rig_teardown);
}
