/* A rig for the wire programs: a table with one pair, segments made from fields, runs
 * by BPF_PROG_TEST_RUN, and checksums computed here, apart from the programs' way. */
#pragma once

#include <stdbool.h>

#include "bpf/wire.h"

enum {
	PACKET_MAX = 4096,
	OPTIONS_MAX = 40,
	TO_STACK = -1,
	DROPPED = 2,
	REDIRECTED = 7,
	PAIR = 3, /* the index in use */
};

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

struct segment {
	int family;
	struct wire_leg leg; /* as it arrives: from far to near */
	uint32_t seq, ack;
	uint16_t window, urgent;
	uint8_t flags, ttl, tos; /* flags 0 means ACK; ttl 0 means 64 */
	uint8_t options[OPTIONS_MAX];
	unsigned options_len; /* a multiple of 4 */
	unsigned payload;
	bool is_leaving; /* from near to far: egress */
};

struct packet {
	unsigned len;
	uint8_t bytes[PACKET_MAX];
};

struct run {
	int result; /* of the program */
	struct packet out;
	uint32_t mark, ifindex;
};

struct run_options {
	uint32_t mark, gso_size, ingress_ifindex;
	bool is_complete; /* with the card's sum over the packet: the kernel checks that it stays right */
	enum wire_program program;
};

extern struct wire_table *wire_rig_table;

/* Makes a network namespace and a table; -1 prints why not.  As cmocka's group setup. */
int wire_rig_setup(void **state);
int wire_rig_teardown(void **state);
/* Skips the calling test when there is no table. */
void wire_rig_need(void);

/* Enters the pair with known deltas (below) in `mode`; takes a former one out. */
struct wire_pair *wire_rig_pair(int family, enum wire_mode mode);
/* Leg 0 is the client's. */
const struct wire_leg *wire_rig_leg(int family, unsigned leg);

/* What direction 0 is given: its numbers, and what they become. */
#define SEQ_DELTA   0x10203040u
#define ACK_DELTA   0xfedcba98u
#define TSVAL_DELTA 0x01000001u
#define TSECR_DELTA 0xff00ff00u
#define CLIENT_SEQ  0xfffff000u /* received from the client, and acknowledged by the server */
#define CLIENT_ACK  0x00000100u /* what the client has acknowledged: all that the server sent */
#define WINDOW      100000u

/* The next segment in order from the client. */
struct segment wire_segment(int family);
/* The same as it must leave towards the server. */
struct segment wire_translated(const struct segment *segment);
void packet_make(const struct segment *segment, struct packet *ret_packet);
/* An ICMP error that quotes the IP header and 8 bytes of `quoted`. */
void icmp_make(const struct segment *quoted, const struct endpoint *from, const struct endpoint *to,
	uint8_t ttl, struct packet *ret_packet);
/* Whether the IP and transport sums are right. */
bool packet_is_sound(const struct packet *packet);

/* Appends options by letters: n NOP, t timestamps, 1-4 SACK blocks, u unknown, m a long one,
 * e END; filled up with `fill`.  The numbers of all are moved by the deltas. */
void options_make(struct segment *segment, const char *letters, uint32_t tsval_delta, uint32_t tsecr_delta,
	uint32_t ack_delta);

/* Runs once; any refusal of the kernel fails the test. */
struct run wire_run(const struct packet *packet, const struct run_options *options);
/* Runs with and without the card's sum, from the same pair; both must do the same. */
struct run wire_run_both(const struct packet *packet);
void assert_untouched(const struct packet *packet, const struct run *run);
/* Redirected as `expected` says, with right sums. */
void assert_forwarded(const struct segment *expected, const struct run *run);
