/* The tables, how a packet finds its direction, and how user space hears of it. */
#pragma once

#include "sockmap_socket.h"

#define READ_ONCE(word) (*(const volatile __typeof__(word) *)&(word))

/* Set of enum sockmap_rule that a test wants out. */
const volatile __u32 sockmap_rules_off;

/* Times that the ring was full: user space then looks at every direction. */
__u32 sockmap_unheard;

/* Sockets whose bytes are judged, and sockets that bytes go to, both by direction.  A
 * socket is in both tables: so what it was redirected outlives its leaving the first. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sockmap_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sockmap_targets SEC(".maps");

/* Direction by the cookie of its source. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 2);
	__type(key, __u64);
	__type(value, __u32);
} sockmap_cookies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct sockmap_direction);
} sockmap_directions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} sockmap_events SEC(".maps");

struct flow {
	struct sockmap_order *order;
	struct sockmap_count *count;
	__u32 direction;
};

static __always_inline bool has_rule(enum sockmap_rule rule)
{
	return !(sockmap_rules_off & rule);
}

static __always_inline bool flow_find(__u64 cookie, struct flow *ret_flow)
{
	const __u32 *direction = bpf_map_lookup_elem(&sockmap_cookies, &cookie);
	if (direction == NULL)
		return false;
	ret_flow->direction = *direction;
	struct sockmap_direction *entry = bpf_map_lookup_elem(&sockmap_directions, &ret_flow->direction);
	if (entry == NULL)
		return false;
	ret_flow->order = &entry->order;
	ret_flow->count = &entry->count;
	return true;
}

/* `passed` was raised by a full barrier before: either user space, which raises `heard`
 * and then looks at `passed`, sees these bytes, or its `heard` is seen here. */
static __always_inline void flow_tell(const struct flow *flow, enum sockmap_cause cause)
{
	struct sockmap_count *count = flow->count;
	if (count->told != READ_ONCE(flow->order->heard) || !has_rule(SOCKMAP_RULE_TELL))
		return;
	struct sockmap_event *event = bpf_ringbuf_reserve(&sockmap_events, sizeof(*event), 0);
	if (event == NULL) {
		__sync_fetch_and_add(&sockmap_unheard, 1);
		return;
	}
	event->direction = flow->direction;
	event->generation = flow->order->generation;
	event->cause = cause;
	event->trouble = count->trouble;
	count->told++;
	bpf_ringbuf_submit(event, BPF_RB_FORCE_WAKEUP);
}
