/* Pairs of the wire table: entering, translating, reading and removing them. */

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "bpf/wire.h"
#include "bpf/wire_internal.h"

void wire_leg_key4(const struct wire_leg *leg, struct wire_key4 *ret_key)
{
	memcpy(&ret_key->saddr, leg->far.ip, sizeof(ret_key->saddr));
	memcpy(&ret_key->daddr, leg->near.ip, sizeof(ret_key->daddr));
	ret_key->sport = htons(leg->far.port);
	ret_key->dport = htons(leg->near.port);
}

void wire_leg_key6(const struct wire_leg *leg, struct wire_key6 *ret_key)
{
	memcpy(ret_key->saddr, leg->far.ip, sizeof(ret_key->saddr));
	memcpy(ret_key->daddr, leg->near.ip, sizeof(ret_key->daddr));
	ret_key->sport = htons(leg->far.port);
	ret_key->dport = htons(leg->near.port);
}

/* The sum of the new addresses less the old ones, as bpf_csum_diff() forms it. */
static uint32_t address_difference(const struct wire_path *path, const struct wire_leg *from)
{
	struct wire_key6 old;
	uint64_t sum = 0;
	wire_leg_key6(from, &old);
	unsigned words = from->far.family == AF_INET6 ? 4 : 1;
	for (unsigned i = 0; i < words; i++) {
		sum += (uint64_t)path->saddr[i] + path->daddr[i];
		sum += (uint64_t)(uint32_t)~old.saddr[i] + (uint32_t)~old.daddr[i];
	}
	while (sum >> 32 != 0)
		sum = (sum & UINT32_MAX) + (sum >> 32);
	return (uint32_t)sum;
}

static void path_set_addresses(struct wire_path *path, const struct wire_leg *from, const struct wire_leg *to)
{
	size_t len = to->far.family == AF_INET6 ? 16 : 4;
	memcpy(path->saddr, to->near.ip, len);
	memcpy(path->daddr, to->far.ip, len);
	path->sport = htons(to->near.port);
	path->dport = htons(to->far.port);
	path->address_csum = address_difference(path, from);
}

int wire_flow_add(struct wire_table *table, unsigned index, const struct wire_leg legs[2])
{
	struct wire_pair *pair = wire_table_pair(table, index);
	unsigned family = legs[0].far.family;
	if ((family != AF_INET && family != AF_INET6) || legs[1].far.family != family ||
		legs[0].near.family != family || legs[1].near.family != family)
		return -EAFNOSUPPORT;
	uint32_t generation = pair->generation + 1;
	memset(pair, 0, sizeof(*pair));
	pair->generation = generation;
	pair->family = (uint16_t)family;
	path_set_addresses(&pair->path[0], &legs[0], &legs[1]);
	path_set_addresses(&pair->path[1], &legs[1], &legs[0]);
	for (unsigned i = 0; i < 2; i++) {
		int error = wire_index_add(table, &legs[i], index << 1 | i);
		if (error != 0 && i == 1)
			wire_index_del(table, &legs[0], index << 1);
		if (error != 0)
			return error;
	}
	return 0;
}

void wire_flow_route(
	struct wire_table *table, unsigned index, unsigned direction, const struct wire_route *route)
{
	struct wire_pair *pair = wire_table_pair(table, index);
	CHECK(direction < 2);
	struct wire_path *path = &pair->path[direction];
	path->ifindex = route->ifindex;
	path->mtu = route->mtu > UINT16_MAX ? 0 : (uint16_t)route->mtu;
	path->redirect = (uint8_t)route->redirect;
	path->next_hop_family = route->next_hop.family;
	if (route->redirect == WIRE_REDIRECT_MAC) {
		memcpy(path->mac.to, route->mac_to, sizeof(path->mac.to));
		memcpy(path->mac.from, route->mac_from, sizeof(path->mac.from));
	} else {
		memcpy(path->next_hop, route->next_hop.ip, sizeof(path->next_hop));
	}
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* How far the sender of direction d may have been let beyond what the far end has
 * acknowledged: the local socket's window, and what it has taken but not yet passed on. */
static uint32_t window_granted(const struct wire_snapshot *in, const struct wire_snapshot *out)
{
	return in->rcv_wnd + (in->rcv_nxt - in->copied_seq) + (out->write_seq - out->snd_una);
}

static void hot_raise(struct wire_pair *pair, const struct wire_snapshot snapshots[2])
{
	for (unsigned d = 0; d < 2; d++) {
		const struct wire_snapshot *in = &snapshots[d], *out = &snapshots[1 - d];
		struct wire_hot *hot = &pair->hot[d], *far = &pair->hot[1 - d];
		int32_t gain = (int32_t)(in->rcv_nxt - (uint32_t)hot->seq_max);
		if (gain > 0 && !(pair->path[d].flags & WIRE_IS_SETTLED))
			hot->seq_max += (uint32_t)gain;
		hot->window_max = larger(hot->window_max, in->snd_wnd);
		far->window_max = larger(far->window_max, window_granted(in, out));
	}
}

int wire_flow_map(struct wire_table *table, unsigned index, const struct wire_snapshot snapshots[2],
	const uint32_t clock[2])
{
	struct wire_pair *pair = wire_table_pair(table, index);
	bool has_timestamps = snapshots[0].has_timestamps;
	if (has_timestamps != snapshots[1].has_timestamps)
		return -EOPNOTSUPP;
	for (unsigned d = 0; d < 2; d++) {
		const struct wire_snapshot *in = &snapshots[d], *out = &snapshots[1 - d];
		/* The window that comes in passes unchanged: our announcement on the way out must
		 * have promised the same unit. */
		unsigned scale_in = in->has_scale ? in->scale_send : 0;
		unsigned scale_out = out->has_scale ? out->scale_receive : 0;
		if (scale_in != scale_out)
			return -EOPNOTSUPP;
		pair->path[d].scale_in = (uint8_t)scale_in;
		pair->path[d].scale_out = (uint8_t)scale_out;
		pair->path[d].flags = has_timestamps ? WIRE_HAS_TIMESTAMPS : 0;
	}
	for (unsigned d = 0; d < 2; d++) {
		const struct wire_snapshot *in = &snapshots[d], *out = &snapshots[1 - d];
		struct wire_path *path = &pair->path[d], *back = &pair->path[1 - d];
		struct wire_hot *hot = &pair->hot[d];
		path->seq_delta = out->write_seq - in->copied_seq;
		back->ack_delta = -path->seq_delta;
		path->tsval_delta = clock[1 - d] - in->ts_recent;
		back->tsecr_delta = -path->tsval_delta;
		path->boundary = in->rcv_nxt;
		/* What WATCH believed to see, nobody has checked: what the socket has counts. */
		int32_t gain = (int32_t)(in->rcv_nxt - (uint32_t)hot->seq_max);
		hot->seq_max = hot->seq_max == 0 ? in->rcv_nxt : hot->seq_max + (uint64_t)gain;
		hot->ack_max = in->snd_una;
		pair->edge[d] = in->snd_una + in->snd_wnd;
		hot->last_tsval = clock[1 - d];
	}
	hot_raise(pair, snapshots);
	return 0;
}

static bool is_settled(const struct wire_pair *pair, const struct wire_snapshot snapshots[2], unsigned d)
{
	const struct wire_snapshot *in = &snapshots[d], *out = &snapshots[1 - d];
	int32_t ahead = (int32_t)((uint32_t)pair->hot[1 - d].ack_max - out->write_seq);
	return in->copied_seq == in->rcv_nxt && out->write_seq == in->rcv_nxt + pair->path[d].seq_delta &&
		(out->snd_una == out->write_seq || ahead >= 0);
}

uint32_t wire_flow_follow(struct wire_table *table, unsigned index, const struct wire_snapshot snapshots[2])
{
	struct wire_pair *pair = wire_table_pair(table, index);
	uint32_t slipped = 0;
	hot_raise(pair, snapshots);
	for (unsigned d = 0; d < 2; d++) {
		slipped += snapshots[d].rcv_nxt - pair->path[d].boundary;
		__atomic_store_n(&pair->path[d].boundary, snapshots[d].rcv_nxt, __ATOMIC_RELAXED);
		uint8_t flags = pair->path[d].flags & (uint8_t)~WIRE_IS_SETTLED;
		if (is_settled(pair, snapshots, d))
			flags |= WIRE_IS_SETTLED;
		__atomic_store_n(&pair->path[d].flags, flags, __ATOMIC_RELAXED);
	}
	return slipped;
}

bool wire_flow_is_drained(struct wire_table *table, unsigned index, const struct wire_snapshot snapshots[2])
{
	const struct wire_pair *pair = wire_table_pair(table, index);
	for (unsigned d = 0; d < 2; d++) {
		const struct wire_snapshot *socket = &snapshots[d];
		uint32_t acknowledged = (uint32_t)pair->hot[d].ack_max;
		/* Segments that wait for a gap are the sender's still: what fills the gap passes the
		 * socket by, and whoever has not got them asks for them. */
		if (socket->rcv_nxt != socket->copied_seq || socket->rcv_nxt != pair->path[d].boundary)
			return false;
		if (socket->snd_una != socket->write_seq && (int32_t)(acknowledged - socket->write_seq) < 0)
			return false;
	}
	return true;
}

void wire_flow_set_mode(struct wire_table *table, unsigned index, enum wire_mode mode)
{
	__atomic_store_n(&wire_table_pair(table, index)->mode, (uint16_t)mode, __ATOMIC_RELEASE);
}

void wire_flow_del(struct wire_table *table, unsigned index, const struct wire_leg legs[2])
{
	wire_flow_set_mode(table, index, WIRE_OFF);
	wire_index_del(table, &legs[0], index << 1);
	wire_index_del(table, &legs[1], index << 1 | 1);
}

void wire_flow_read(
	struct wire_table *table, unsigned index, struct wire_hot ret_hot[2], struct wire_cold ret_cold[2])
{
	const struct wire_pair *pair = wire_table_pair(table, index);
	memcpy(ret_hot, pair->hot, sizeof(pair->hot));
	memcpy(ret_cold, pair->cold, sizeof(pair->cold));
}
