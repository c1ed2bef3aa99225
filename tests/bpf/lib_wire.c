/* The rig of the wire tests. */

#include "lib_wire.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/bpf.h>

#include <cmocka.h>

enum { ETHERNET = 14, PAIRS_MAX = 16, LOOPBACK_INDEX = 1 };

struct wire_table *wire_rig_table;
static char reason[WIRE_REASON_MAX + 64];
static int pair_family;

static int loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
	if (fd >= 0)
		close(fd);
	return result;
}

int wire_rig_setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) != 0 || loopback_up() != 0) {
		snprintf(reason, sizeof(reason), "no network namespace of our own: %s", strerror(errno));
		return 0;
	}
	if (wire_table_create(PAIRS_MAX, &wire_rig_table, reason) == 0)
		return 0;
	wire_rig_table = NULL;
	/* Where a reason is foreseen the tests are skipped.  The verifier's is ours to mend. */
	bool is_ours = strstr(reason, "the programs did not load") != NULL;
	if (is_ours)
		print_error("%s\n", reason);
	return is_ours ? -1 : 0;
}

int wire_rig_teardown(void **state)
{
	(void)state;
	wire_table_destroy(wire_rig_table);
	wire_rig_table = NULL;
	return 0;
}

void wire_rig_need(void)
{
	if (wire_rig_table != NULL)
		return;
	print_message("skipped: %s\n", reason);
	skip();
}

static struct endpoint endpoint_make(int family, const char *v4, const char *v6, uint16_t port)
{
	struct endpoint endpoint = {.family = (uint8_t)family, .port = port};
	assert_int_equal(inet_pton(family, family == AF_INET ? v4 : v6, endpoint.ip), 1);
	return endpoint;
}

const struct wire_leg *wire_rig_leg(int family, unsigned leg)
{
	static struct wire_leg legs[2];
	legs[0].far = endpoint_make(family, "192.0.2.7", "2001:db8:1::7", 40001);
	legs[0].near = endpoint_make(family, "192.0.2.1", "2001:db8:1::1", 443);
	legs[1].far = endpoint_make(family, "198.51.100.250", "2001:db8:ffff:2::fa", 8080);
	legs[1].near = endpoint_make(family, "198.51.100.3", "2001:db8:ffff:2::3", 55555);
	return &legs[leg];
}

struct wire_pair *wire_rig_pair(int family, enum wire_mode mode)
{
	struct wire_pair *pair = wire_table_pair(wire_rig_table, PAIR);
	if (pair_family != 0)
		wire_flow_del(wire_rig_table, PAIR, wire_rig_leg(pair_family, 0));
	pair_family = family;
	assert_int_equal(wire_flow_add(wire_rig_table, PAIR, wire_rig_leg(family, 0)), 0);
	for (unsigned d = 0; d < 2; d++) {
		struct wire_route route = {.redirect = WIRE_REDIRECT_NEIGH, .ifindex = LOOPBACK_INDEX};
		route.next_hop = wire_rig_leg(family, 1 - d)->far;
		wire_flow_route(wire_rig_table, PAIR, d, &route);
		pair->path[d].flags = WIRE_HAS_TIMESTAMPS;
		pair->path[d].scale_in = pair->path[d].scale_out = 3;
		pair->path[d].seq_delta = d == 0 ? SEQ_DELTA : -ACK_DELTA;
		pair->path[d].ack_delta = d == 0 ? ACK_DELTA : -SEQ_DELTA;
		pair->path[d].tsval_delta = d == 0 ? TSVAL_DELTA : -TSECR_DELTA;
		pair->path[d].tsecr_delta = d == 0 ? TSECR_DELTA : -TSVAL_DELTA;
		pair->hot[d].seq_max = d == 0 ? CLIENT_SEQ : CLIENT_ACK + ACK_DELTA;
		pair->hot[d].ack_max = d == 0 ? CLIENT_ACK : CLIENT_SEQ + SEQ_DELTA;
		pair->hot[d].window_max = WINDOW;
		pair->path[d].boundary = (uint32_t)pair->hot[d].seq_max;
	}
	wire_flow_set_mode(wire_rig_table, PAIR, mode);
	return pair;
}

struct segment wire_segment(int family)
{
	return (struct segment){.family = family,
		.leg = *wire_rig_leg(family, 0),
		.seq = CLIENT_SEQ,
		.ack = CLIENT_ACK,
		.window = 500,
		.payload = 33};
}

struct segment wire_translated(const struct segment *segment)
{
	struct segment out = *segment;
	const struct wire_leg *leg = wire_rig_leg(segment->family, 1);
	out.leg = *leg;
	out.is_leaving = true;
	out.seq += SEQ_DELTA;
	if (segment->flags == 0 || segment->flags & ACK)
		out.ack += ACK_DELTA;
	out.ttl = (segment->ttl == 0 ? 64 : segment->ttl) - 1;
	return out;
}

static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of addresses, protocol and all that follows the IP header; 0xffff when it is right. */
static uint32_t transport_sum(const uint8_t *ip, unsigned protocol, unsigned len)
{
	bool is_v6 = ip[0] >> 4 == 6;
	uint8_t tail[4] = {(uint8_t)(len >> 8), (uint8_t)len, 0, (uint8_t)protocol};
	uint32_t sum = is_v6 ? sum_add(0, ip + 8, 32) : sum_add(0, ip + 12, 8);
	if (protocol == IPPROTO_ICMP)
		return sum_add(0, ip + 20, len);
	return sum_add(sum_add(sum, tail, sizeof(tail)), ip + (is_v6 ? 40 : 20), len);
}

bool packet_is_sound(const struct packet *packet)
{
	const uint8_t *ip = packet->bytes + ETHERNET;
	if (ip[0] >> 4 == 6)
		return transport_sum(ip, ip[6], (unsigned)ip[4] << 8 | ip[5]) == 0xffff;
	unsigned len = (unsigned)ip[2] << 8 | ip[3];
	return sum_add(0, ip, 20) == 0xffff && transport_sum(ip, ip[9], len - 20) == 0xffff;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static unsigned ip_make(const struct segment *segment, uint8_t *ip, unsigned len)
{
	const struct endpoint *from = segment->is_leaving ? &segment->leg.near : &segment->leg.far;
	const struct endpoint *to = segment->is_leaving ? &segment->leg.far : &segment->leg.near;
	uint8_t ttl = segment->ttl == 0 ? 64 : segment->ttl;
	if (segment->family == AF_INET6) {
		put32(ip, 6u << 28 | (uint32_t)segment->tos << 20 | 0x12345);
		put16(ip + 4, len);
		ip[6] = IPPROTO_TCP;
		ip[7] = ttl;
		memcpy(ip + 8, from->ip, 16);
		memcpy(ip + 24, to->ip, 16);
		return 40;
	}
	put16(ip, 0x4500u | segment->tos);
	put16(ip + 2, len + 20);
	put32(ip + 4, 0x12344000);
	ip[8] = ttl;
	ip[9] = IPPROTO_TCP;
	memcpy(ip + 12, from->ip, 4);
	memcpy(ip + 16, to->ip, 4);
	put16(ip + 10, ~sum_add(0, ip, 20));
	return 20;
}

void packet_make(const struct segment *segment, struct packet *ret_packet)
{
	unsigned header = 20 + segment->options_len, len = header + segment->payload;
	uint8_t *ip = ret_packet->bytes + ETHERNET;
	memset(ret_packet, 0, sizeof(*ret_packet));
	put16(ret_packet->bytes + 12, segment->family == AF_INET6 ? 0x86dd : 0x0800);
	uint8_t *tcp = ip + ip_make(segment, ip, len);
	put16(tcp, segment->is_leaving ? segment->leg.near.port : segment->leg.far.port);
	put16(tcp + 2, segment->is_leaving ? segment->leg.far.port : segment->leg.near.port);
	put32(tcp + 4, segment->seq);
	put32(tcp + 8, segment->ack);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = segment->flags == 0 ? ACK : segment->flags;
	put16(tcp + 14, segment->window);
	put16(tcp + 18, segment->urgent);
	memcpy(tcp + 20, segment->options, segment->options_len);
	for (unsigned i = 0; i < segment->payload; i++)
		tcp[header + i] = (uint8_t)(i * 31 + 7);
	put16(tcp + 16, ~transport_sum(ip, IPPROTO_TCP, len));
	ret_packet->len = (unsigned)(tcp - ret_packet->bytes) + len;
	assert_true(ret_packet->len <= PACKET_MAX);
}

void icmp_make(const struct segment *quoted, const struct endpoint *from, const struct endpoint *to,
	uint8_t ttl, struct packet *ret_packet)
{
	bool is_v6 = quoted->family == AF_INET6;
	unsigned header = is_v6 ? 40 : 20, len = 8 + header + 8;
	struct segment outer = {.family = quoted->family, .leg = {.far = *from, .near = *to}, .ttl = ttl};
	struct packet inner;
	uint8_t *ip = ret_packet->bytes + ETHERNET, *icmp = ip + header;
	packet_make(quoted, &inner);
	memset(ret_packet, 0, sizeof(*ret_packet));
	put16(ret_packet->bytes + 12, is_v6 ? 0x86dd : 0x0800);
	ip_make(&outer, ip, len);
	ip[is_v6 ? 6 : 9] = is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	if (!is_v6) {
		put16(ip + 10, 0);
		put16(ip + 10, ~sum_add(0, ip, 20));
	}
	icmp[0] = is_v6 ? 2 : 3;
	icmp[1] = is_v6 ? 0 : 4;
	put32(icmp + 4, 1400);
	memcpy(icmp + 8, inner.bytes + ETHERNET, header + 8);
	put16(icmp + 2, ~transport_sum(ip, is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, len));
	ret_packet->len = ETHERNET + header + len;
}

static unsigned option_make(uint8_t *at, char letter, uint32_t tsval, uint32_t tsecr, uint32_t ack_delta)
{
	unsigned blocks = (unsigned)(letter - '0');
	switch (letter) {
	case 'n':
		at[0] = 1;
		return 1;
	case 'e':
		at[0] = 0;
		return 1;
	case 'u':
		memcpy(at, "\xfd\x04\xab\xcd", 4);
		return 4;
	case 'm':
		memcpy(at,
			"\x13\x12"
			"0123456789abcdef",
			18);
		return 18;
	case 't':
		put16(at, 0x080a);
		put32(at + 2, tsval);
		put32(at + 6, tsecr);
		return 10;
	default:
		put16(at, 0x0500 | (2 + 8 * blocks));
		for (unsigned edge = 0; edge < 2 * blocks; edge++)
			put32(at + 2 + 4 * edge, 0xfffffff0u + edge * 1448 + ack_delta);
		return 2 + 8 * blocks;
	}
}

void options_make(struct segment *segment, const char *letters, uint32_t tsval_delta, uint32_t tsecr_delta,
	uint32_t ack_delta)
{
	unsigned len = 0;
	memset(segment->options, 0, sizeof(segment->options));
	for (; *letters != '\0'; letters++) {
		uint8_t option[OPTIONS_MAX];
		unsigned bytes = option_make(
			option, *letters, 0xfffffffeu + tsval_delta, 0x11223344u + tsecr_delta, ack_delta);
		assert_true(len + bytes <= OPTIONS_MAX);
		memcpy(segment->options + len, option, bytes);
		len += bytes;
	}
	segment->options_len = (len + 3) / 4 * 4;
}

struct run wire_run(const struct packet *packet, const struct run_options *options)
{
	static uint8_t out[PACKET_MAX + 512];
	struct run run = {0};
	struct __sk_buff ctx = {.mark = options->mark,
		.gso_size = options->gso_size,
		.ingress_ifindex = options->ingress_ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet->bytes, .data_size_in = packet->len,
		.data_out = out, .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.ctx_out = &ctx, .ctx_size_out = sizeof(ctx), .repeat = 1,
		.flags = options->is_complete ? BPF_F_TEST_SKB_CHECKSUM_COMPLETE : 0);
	if (options->gso_size != 0)
		ctx.gso_segs = 2;
	int error = bpf_prog_test_run_opts(wire_table_program(wire_rig_table, options->program), &opts);
	if (error != 0)
		fail_msg("the kernel refused the run: %s", strerror(errno));
	run.result = (int)opts.retval;
	run.out.len = opts.data_size_out;
	assert_true(opts.data_size_out <= PACKET_MAX);
	memcpy(run.out.bytes, out, opts.data_size_out);
	run.mark = ctx.mark;
	return run;
}

/* Kernels before 6.17 cannot make a packet with a card's sum. */
static bool can_complete(void)
{
	static int known;
	if (known == 0) {
		struct segment segment = wire_segment(AF_INET);
		struct packet packet;
		packet_make(&segment, &packet);
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet.bytes, .data_size_in = packet.len,
			.flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE, .repeat = 1);
		int fd = wire_table_program(wire_rig_table, WIRE_EGRESS);
		known = bpf_prog_test_run_opts(fd, &opts) == 0 ? 1 : -1;
	}
	return known > 0;
}

struct run wire_run_both(const struct packet *packet)
{
	struct wire_pair *pair = wire_table_pair(wire_rig_table, PAIR), before = *pair;
	if (can_complete()) {
		struct run_options complete = {.is_complete = true};
		struct run run = wire_run(packet, &complete);
		*pair = before;
		struct run plain = wire_run(packet, &(struct run_options){0});
		assert_int_equal(run.result, plain.result);
		assert_int_equal(run.out.len, plain.out.len);
		assert_memory_equal(run.out.bytes, plain.out.bytes, run.out.len);
		return plain;
	}
	return wire_run(packet, &(struct run_options){0});
}

void assert_untouched(const struct packet *packet, const struct run *run)
{
	assert_int_equal(run->out.len, packet->len);
	assert_memory_equal(run->out.bytes, packet->bytes, packet->len);
}

void assert_forwarded(const struct segment *expected, const struct run *run)
{
	struct packet wanted;
	packet_make(expected, &wanted);
	assert_int_equal(run->result, REDIRECTED);
	assert_int_equal(run->out.len, wanted.len);
	assert_true(packet_is_sound(&run->out));
	assert_memory_equal(run->out.bytes, wanted.bytes, wanted.len);
}
