/* Loads the packet splicing programs and keeps their tables.  It does what it is told;
 * which connections are spliced, and when, is the relay engine's to decide.
 *
 * Any thread may use a table, but each pair only one at a time; attach and detach from
 * one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "bpf/shared/wire.h"
#include "bpf/shared/wire_snapshot.h"

struct wire_table;

enum { WIRE_REASON_MAX = 256, WIRE_INTERFACES_MAX = 64 };

/* One connection of a pair, by its socket's addresses; legs[0] is the client's. */
struct wire_leg {
	struct endpoint far, near;
};

/* How the packets that leave on a leg find their way; next_hop is of either family. */
struct wire_route {
	enum wire_redirect redirect;
	unsigned ifindex;
	unsigned mtu; /* 0: any size */
	struct endpoint next_hop; /* WIRE_REDIRECT_NEIGH */
	uint8_t mac_to[6], mac_from[6]; /* WIRE_REDIRECT_MAC */
};

/* Loads the programs with room for pairs_max pairs.  Needs CAP_BPF, CAP_NET_ADMIN and
 * CAP_PERFMON (or root), type information in /sys/kernel/btf, and Linux 5.17.  Returns
 * 0, or a negative errno with a sentence for the operator in ret_reason, which has room
 * for WIRE_REASON_MAX bytes.  */
int wire_table_create(unsigned pairs_max, struct wire_table **ret_table, char *ret_reason) MUST_USE;
/* Detaches everywhere; spliced connections stop.  NULL is allowed. */
void wire_table_destroy(struct wire_table *table);

/* Attaches both programs to an Ethernet interface of this network namespace: as TCX links,
 * which vanish with the process; before Linux 6.6 as clsact filters, which stay if the
 * process is killed and are replaced by the next.  Returns 0, -EEXIST, -ENOSPC, or what
 * the kernel said. */
int wire_table_attach(struct wire_table *table, unsigned ifindex) MUST_USE;
void wire_table_detach(struct wire_table *table, unsigned ifindex);

unsigned wire_table_pairs_max(const struct wire_table *table);
/* The entry itself, shared with the programs.  index < pairs_max. */
struct wire_pair *wire_table_pair(struct wire_table *table, unsigned index);

/* The programs themselves, for BPF_PROG_TEST_RUN. */
enum wire_program { WIRE_INGRESS, WIRE_EGRESS };
int wire_table_program(const struct wire_table *table, enum wire_program program);

/* Readable while records wait; reading calls on_event for each.  Returns their number
 * or -errno.  A full ring loses records, never bits of wire_hot.state. */
int wire_table_events_fd(const struct wire_table *table);
int wire_table_events_read(struct wire_table *table);
typedef void wire_event_handler(void *ctx, const struct wire_event *event);
void wire_table_set_handler(struct wire_table *table, wire_event_handler *on_event, void *ctx);

/* Both sockets of a pair at one instant.  Must run in their network namespace.  Returns
 * 0, -ENOENT when one is gone, or -errno. */
int wire_snapshot_take(
	struct wire_table *table, const struct wire_leg legs[2], struct wire_snapshot ret[2]) MUST_USE;

/* Enters a pair, mode OFF: all zero but the addresses and a new generation.  Returns 0,
 * -EAFNOSUPPORT when the legs are not both IPv4 or both IPv6, -EEXIST when a leg is in
 * the table, -ENOSPC, or -errno; then nothing was entered. */
int wire_flow_add(struct wire_table *table, unsigned index, const struct wire_leg legs[2]) MUST_USE;
/* How packets of `direction` leave: on leg 1 for direction 0. */
void wire_flow_route(
	struct wire_table *table, unsigned index, unsigned direction, const struct wire_route *route);
/* Sets what translates the numbers.  Every byte that was read from a socket must have been
 * written to the other; unread ones must be relayed later.  clock[i] is what socket i would send
 * as TSval now.  Returns 0, or -EOPNOTSUPP when timestamps or window scales of the legs
 * differ. */
int wire_flow_map(struct wire_table *table, unsigned index, const struct wire_snapshot snapshots[2],
	const uint32_t clock[2]) MUST_USE;
/* In DRAIN, with newer snapshots: takes over what the sockets have received since, which
 * must be relayed as before.  Returns how many bytes that were. */
uint32_t wire_flow_follow(struct wire_table *table, unsigned index, const struct wire_snapshot snapshots[2]);
/* Whether the sockets have no part in the connection any more: all that they received is
 * read, and all that was written to them has been acknowledged.  The caller knows that
 * what was read was also written. */
bool wire_flow_is_drained(struct wire_table *table, unsigned index, const struct wire_snapshot snapshots[2]);
/* Everything written before is seen by a program that sees the mode. */
void wire_flow_set_mode(struct wire_table *table, unsigned index, enum wire_mode mode);
/* Turns the pair off and takes its legs out.  Programs that run may still count into the
 * entry for an instant: use the longest free entry first. */
void wire_flow_del(struct wire_table *table, unsigned index, const struct wire_leg legs[2]);
/* Copies of what the packets have shown, by direction. */
void wire_flow_read(
	struct wire_table *table, unsigned index, struct wire_hot ret_hot[2], struct wire_cold ret_cold[2]);
