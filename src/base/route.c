/* Questions to the routing table over rtnetlink(7), by libmnl. */
#include "base/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES = 16384 };

static struct mnl_socket *open_bound(int flags, unsigned groups)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | flags);
	if (socket == NULL)
		return NULL;
	if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0)
		return socket;
	int error = errno;
	mnl_socket_close(socket);
	errno = error;
	return NULL;
}

struct mnl_socket *route_open(void)
{
	return open_bound(0, 0);
}

struct mnl_socket *route_monitor_open(void)
{
	static const int more[] = {RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP};
	struct mnl_socket *monitor = open_bound(
		SOCK_NONBLOCK, RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE);
	for (size_t i = 0; monitor != NULL && i < ARRAY_LENGTH(more); i++) {
		int group = more[i];
		(void)mnl_socket_setsockopt(monitor, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group));
	}
	return monitor;
}

int route_monitor_fd(const struct mnl_socket *monitor)
{
	return mnl_socket_get_fd(monitor);
}

/* What was lost to a full buffer (ENOBUFS) is a change, too. */
void route_monitor_drain(struct mnl_socket *monitor)
{
	char message[ANSWER_BYTES];
	while (mnl_socket_recvfrom(monitor, message, sizeof(message)) > 0 || errno == EINTR ||
		errno == ENOBUFS)
		;
}

void route_close(struct mnl_socket *socket)
{
	if (socket != NULL)
		mnl_socket_close(socket);
}

static size_t address_bytes(unsigned family)
{
	return family == AF_INET6 ? 16 : 4;
}

static void next_hop_set(struct route *route, unsigned family, const void *ip)
{
	memset(&route->next_hop, 0, sizeof(route->next_hop));
	route->next_hop.family = (uint8_t)family;
	memcpy(route->next_hop.ip, ip, address_bytes(family));
}

/* RTA_VIA: a gateway of the other family. */
static void via_read(struct route *route, const struct nlattr *attribute)
{
	const struct rtvia *via = mnl_attr_get_payload(attribute);
	size_t len = mnl_attr_get_payload_len(attribute);
	if (len >= sizeof(*via) && len - sizeof(*via) >= address_bytes(via->rtvia_family))
		next_hop_set(route, via->rtvia_family, via->rtvia_addr);
}

struct route_answer {
	struct route *route;
	unsigned family;
};

static int on_route_attribute(const struct nlattr *attribute, void *data)
{
	const struct route_answer *answer = data;
	unsigned type = mnl_attr_get_type(attribute);
	size_t len = mnl_attr_get_payload_len(attribute);
	if (type == RTA_OIF && len >= sizeof(uint32_t))
		answer->route->ifindex = mnl_attr_get_u32(attribute);
	if (type == RTA_GATEWAY && len >= address_bytes(answer->family))
		next_hop_set(answer->route, answer->family, mnl_attr_get_payload(attribute));
	if (type == RTA_VIA)
		via_read(answer->route, attribute);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *header, void *data)
{
	struct route *route = data;
	const struct rtmsg *message = mnl_nlmsg_get_payload(header);
	if (header->nlmsg_type != RTM_NEWROUTE)
		return MNL_CB_OK;
	route->is_local = message->rtm_type == RTN_LOCAL;
	struct route_answer answer = {.route = route, .family = message->rtm_family};
	return mnl_attr_parse(header, sizeof(*message), on_route_attribute, &answer);
}

/* Sends the request and hands every message of the answer to the callback.  Two buffers: a
 * dump may begin to arrive before the request is forgotten. */
static int ask(struct mnl_socket *socket, struct nlmsghdr *request, mnl_cb_t on_message, void *data)
{
	char answer[ANSWER_BYTES] __attribute__((aligned(8)));
	unsigned port = mnl_socket_get_portid(socket);
	static _Atomic unsigned sequence;
	request->nlmsg_seq = ++sequence;
	if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0)
		return -errno;
	int result = MNL_CB_OK;
	while (result == MNL_CB_OK) {
		ssize_t len = mnl_socket_recvfrom(socket, answer, sizeof(answer));
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		result = mnl_cb_run(answer, (size_t)len, request->nlmsg_seq, port, on_message, data);
		/* An answer that is one message has no end mark. */
		if (result == MNL_CB_OK && !(request->nlmsg_flags & NLM_F_DUMP))
			break;
	}
	return result < 0 ? -errno : 0;
}

int route_find(struct mnl_socket *socket, const struct endpoint *to, const struct endpoint *from,
	struct route *ret_route)
{
	char buffer[512] __attribute__((aligned(8)));
	struct route route = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = RTM_GETROUTE;
	header->nlmsg_flags = NLM_F_REQUEST;
	struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->rtm_family = to->family;
	message->rtm_dst_len = message->rtm_src_len = (unsigned char)(8 * address_bytes(to->family));
	mnl_attr_put(header, RTA_DST, address_bytes(to->family), to->ip);
	mnl_attr_put(header, RTA_SRC, address_bytes(to->family), from->ip);
	next_hop_set(&route, to->family, to->ip);
	int error = ask(socket, header, on_route, &route);
	if (error != 0)
		return error;
	if (route.ifindex == 0)
		return -EPROTO;
	*ret_route = route;
	return 0;
}

struct interfaces {
	unsigned *indexes;
	unsigned count, max;
};

static int on_master(const struct nlattr *attribute, void *data)
{
	bool *is_enslaved = data;
	*is_enslaved = *is_enslaved || mnl_attr_get_type(attribute) == IFLA_MASTER;
	return MNL_CB_OK;
}

static int on_link(const struct nlmsghdr *header, void *data)
{
	struct interfaces *interfaces = data;
	bool is_enslaved = false;
	const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
	if (header->nlmsg_type != RTM_NEWLINK || message->ifi_type != ARPHRD_ETHER)
		return MNL_CB_OK;
	(void)mnl_attr_parse(header, sizeof(*message), on_master, &is_enslaved);
	if (is_enslaved)
		return MNL_CB_OK;
	if (interfaces->count < interfaces->max)
		interfaces->indexes[interfaces->count] = (unsigned)message->ifi_index;
	interfaces->count++;
	return MNL_CB_OK;
}

int route_interfaces(struct mnl_socket *socket, unsigned *ret_indexes, unsigned max)
{
	char buffer[512] __attribute__((aligned(8)));
	struct interfaces interfaces = {.indexes = ret_indexes, .max = max};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->ifi_family = AF_UNSPEC;
	int error = ask(socket, header, on_link, &interfaces);
	return error != 0 ? error : (int)interfaces.count;
}

struct link_kind {
	bool is_veth, has_other_namespace;
};

static int on_kind(const struct nlattr *attribute, void *data)
{
	struct link_kind *kind = data;
	if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
		kind->is_veth = strcmp(mnl_attr_get_str(attribute), "veth") == 0;
	return MNL_CB_OK;
}

static int on_kind_attribute(const struct nlattr *attribute, void *data)
{
	struct link_kind *kind = data;
	if (mnl_attr_get_type(attribute) == IFLA_LINK_NETNSID)
		kind->has_other_namespace = true;
	if (mnl_attr_get_type(attribute) == IFLA_LINKINFO)
		return mnl_attr_parse_nested(attribute, on_kind, kind);
	return MNL_CB_OK;
}

static int on_link_kind(const struct nlmsghdr *header, void *data)
{
	if (header->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	return mnl_attr_parse(header, sizeof(struct ifinfomsg), on_kind_attribute, data);
}

int route_interface_is_veth_outward(struct mnl_socket *socket, unsigned ifindex)
{
	char buffer[512] __attribute__((aligned(8)));
	struct link_kind kind = {0};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	header->nlmsg_type = RTM_GETLINK;
	header->nlmsg_flags = NLM_F_REQUEST;
	struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->ifi_index = (int)ifindex;
	int error = ask(socket, header, on_link_kind, &kind);
	return error != 0 ? error : kind.is_veth && kind.has_other_namespace;
}
