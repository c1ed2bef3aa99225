/* Which relays can be spliced: both legs of one IP family, through interfaces that our
 * programs see, with the same options, and segments that fit. */

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/route.h"
#include "relay/wire_internal.h"

/* What both ends must have agreed on in the same way: the programs translate numbers, not
 * meanings.  ECN: a mark on one leg must be understood on the other. */
enum {
	OPTIONS_EQUAL = TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_ECN,
	TIMESTAMPS_BYTES = 12,
};

static bool endpoint_get(int fd, bool is_peer, struct endpoint *ret_endpoint)
{
	struct address address = {.len = sizeof(address) - sizeof(address.len)};
	int result = is_peer ? getpeername(fd, &address.any, &address.len)
			     : getsockname(fd, &address.any, &address.len);
	if (result != 0)
		return false;
	endpoint_from_address(&address, ret_endpoint);
	if (ret_endpoint->family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr))
		return true;
	/* On the wire it is IPv4. */
	ret_endpoint->family = AF_INET;
	memmove(ret_endpoint->ip, ret_endpoint->ip + 12, 4);
	memset(ret_endpoint->ip + 4, 0, 12);
	return true;
}

static enum wire_reason legs_make(const struct relay *relay, struct wire_offer *offer)
{
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct wire_leg *leg = &offer->legs[side];
		int fd = relay->ends[side].watch.fd;
		if (relay->ends[side].is_local)
			return WIRE_REASON_LOCAL;
		if (!endpoint_get(fd, true, &leg->far) || !endpoint_get(fd, false, &leg->near))
			return WIRE_REASON_CLOSING;
	}
	unsigned family = offer->legs[0].far.family;
	if ((family != AF_INET && family != AF_INET6) || offer->legs[1].far.family != family)
		return WIRE_REASON_FAMILY;
	return WIRE_NO_REASON;
}

static enum wire_reason route_make(
	const struct wire_worker *worker, const struct wire_leg *leg, struct wire_route *ret_route)
{
	struct route route;
	if (route_find(worker->routes, &leg->far, &leg->near, &route) != 0)
		return WIRE_REASON_ROUTE;
	if (route.is_local)
		return WIRE_REASON_LOCAL;
	if (!wire_hub_carries(worker->hub, route.ifindex))
		return WIRE_REASON_INTERFACE;
	*ret_route = (struct wire_route){
		.redirect = wire_hub_redirect(worker->hub, route.ifindex),
		.ifindex = route.ifindex,
		.next_hop = route.next_hop,
	};
	return WIRE_NO_REASON;
}

static enum wire_reason routes_make(const struct wire_worker *worker, struct wire_offer *offer)
{
	enum wire_reason reason = WIRE_NO_REASON;
	for (unsigned side = 0; side < RELAY_SIDES && reason == WIRE_NO_REASON; side++)
		reason = route_make(worker, &offer->legs[side], &offer->routes[side]);
	return reason;
}

/* A leg without a way out keeps the old one: its packets are lost as a router would lose them,
 * until there is a way again. */
void wire_offer_reroute(struct wire_entry *entry, const struct wire_worker *worker)
{
	struct wire_table *table = wire_entry_table(entry);
	const struct wire_pair *pair = wire_table_pair(table, entry->index);
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		struct wire_route route;
		unsigned direction = relay_other(side);
		if (route_make(worker, &entry->legs[side], &route) != WIRE_NO_REASON)
			continue;
		route.mtu = pair->path[direction].mtu;
		wire_flow_route(table, entry->index, direction, &route);
	}
}

/* What the far host of `from` may send in a segment, and what is known to fit the other leg. */
static bool segments_fit(const struct tcp_info *from, const struct tcp_info *to)
{
	unsigned options = from->tcpi_options & TCPI_OPT_TIMESTAMPS ? TIMESTAMPS_BYTES : 0;
	return from->tcpi_advmss <= to->tcpi_snd_mss + options;
}

static enum wire_reason sockets_compare(const struct relay *relay, struct wire_offer *offer)
{
	struct tcp_info info[RELAY_SIDES] = {0};
	for (unsigned side = 0; side < RELAY_SIDES; side++) {
		socklen_t len = sizeof(info[side]);
		int fd = relay->ends[side].watch.fd;
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info[side], &len) != 0)
			return WIRE_REASON_KERNEL;
		if (info[side].tcpi_state == TCP_SYN_SENT || info[side].tcpi_state == TCP_SYN_RECV)
			return WIRE_REASON_CONNECTING;
		if (info[side].tcpi_state != TCP_ESTABLISHED)
			return WIRE_REASON_CLOSING;
		offer->routes[side].mtu = info[side].tcpi_pmtu;
	}
	if ((info[0].tcpi_options ^ info[1].tcpi_options) & OPTIONS_EQUAL)
		return WIRE_REASON_OPTIONS;
	if (!segments_fit(&info[0], &info[1]) || !segments_fit(&info[1], &info[0]))
		return WIRE_REASON_SEGMENT;
	return WIRE_NO_REASON;
}

enum wire_reason wire_offer_make(
	const struct relay *relay, const struct wire_worker *worker, struct wire_offer *ret_offer)
{
	enum wire_reason reason = legs_make(relay, ret_offer);
	if (reason == WIRE_NO_REASON)
		reason = routes_make(worker, ret_offer);
	if (reason == WIRE_NO_REASON)
		reason = sockets_compare(relay, ret_offer);
	return reason;
}
