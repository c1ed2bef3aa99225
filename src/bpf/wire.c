/* The table of spliced pairs: life, interfaces, events, snapshots. */

#include "bpf/wire.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/fd.h"
#include "bpf/wire_internal.h"

/* linux/bpf.h has them since 6.6. */
#define TCX_INGRESS ((enum bpf_attach_type)46)
#define TCX_EGRESS  ((enum bpf_attach_type)47)
/* A clsact filter's place on the interface. */
enum { FILTER_HANDLE = 1, FILTER_PRIORITY = 0x5350 };
#define MAGIC 0x57495245u

struct wire_table *wire_table_check(struct wire_table *table)
{
	CHECK(table != NULL && table->magic == MAGIC);
	return table;
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct wire_table *table = wire_table_check(ctx);
	if (size >= sizeof(struct wire_event) && table->on_event != NULL)
		table->on_event(table->event_ctx, data);
	return 0;
}

int wire_table_create(unsigned pairs_max, struct wire_table **ret_table, char *ret_reason)
{
	CHECK(pairs_max > 0 && pairs_max <= INT32_MAX / 2);
	struct wire_table *table = calloc(1, sizeof(*table));
	if (table == NULL) {
		snprintf(ret_reason, WIRE_REASON_MAX, "out of memory");
		return -ENOMEM;
	}
	table->magic = MAGIC;
	table->pairs_max = pairs_max;
	int error = wire_load(table, ret_reason);
	if (error == 0) {
		table->events = ring_buffer__new(table->events_map_fd, on_record, table, NULL);
		if (table->events == NULL) {
			error = -errno;
			snprintf(ret_reason, WIRE_REASON_MAX, "no ring buffer: %s", strerror(errno));
		}
	}
	if (error != 0) {
		wire_table_destroy(table);
		return error;
	}
	*ret_table = table;
	return 0;
}

void wire_table_destroy(struct wire_table *table)
{
	if (table == NULL)
		return;
	wire_table_check(table);
	for (unsigned i = 0; i < WIRE_INTERFACES_MAX; i++)
		if (table->attachments[i].ifindex != 0)
			wire_table_detach(table, table->attachments[i].ifindex);
	ring_buffer__free(table->events);
	wire_unload(table);
	table->magic = 0;
	free(table);
}

/* ifindex 0 finds a free slot. */
static struct wire_attachment *attachment_find(struct wire_table *table, unsigned ifindex)
{
	for (unsigned i = 0; i < WIRE_INTERFACES_MAX; i++)
		if (table->attachments[i].ifindex == ifindex)
			return &table->attachments[i];
	return NULL;
}

static int attach_links(struct wire_table *table, struct wire_attachment *attachment, unsigned ifindex)
{
	int in = bpf_link_create(table->ingress_fd, (int)ifindex, TCX_INGRESS, NULL);
	if (in < 0)
		return -errno;
	int out = bpf_link_create(table->egress_fd, (int)ifindex, TCX_EGRESS, NULL);
	if (out < 0) {
		int error = -errno;
		fd_close(&in);
		return error;
	}
	attachment->link_ingress = in;
	attachment->link_egress = out;
	attachment->is_tcx = true;
	return 0;
}

static int filter_attach(unsigned ifindex, enum bpf_tc_attach_point point, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		.prog_fd = program, .flags = BPF_TC_F_REPLACE);
	int error = bpf_tc_hook_create(&hook);
	if (error != 0 && error != -EEXIST)
		return error;
	return bpf_tc_attach(&hook, &options);
}

static void filter_detach(unsigned ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	LIBBPF_OPTS(bpf_tc_opts, options, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	/* The interface may be gone; the qdisc stays, as others may use it. */
	(void)bpf_tc_detach(&hook, &options);
}

static int attach_filters(struct wire_table *table, struct wire_attachment *attachment, unsigned ifindex)
{
	int error = filter_attach(ifindex, BPF_TC_INGRESS, table->ingress_fd);
	if (error != 0)
		return error;
	error = filter_attach(ifindex, BPF_TC_EGRESS, table->egress_fd);
	if (error != 0)
		filter_detach(ifindex, BPF_TC_INGRESS);
	attachment->is_tcx = false;
	return error;
}

int wire_table_attach(struct wire_table *table, unsigned ifindex)
{
	wire_table_check(table);
	CHECK(ifindex != 0);
	if (attachment_find(table, ifindex) != NULL)
		return -EEXIST;
	struct wire_attachment *attachment = attachment_find(table, 0);
	if (attachment == NULL)
		return -ENOSPC;
	int error = attach_links(table, attachment, ifindex);
	if (error == -EINVAL)
		error = attach_filters(table, attachment, ifindex);
	if (error == 0)
		attachment->ifindex = ifindex;
	return error;
}

void wire_table_detach(struct wire_table *table, unsigned ifindex)
{
	struct wire_attachment *attachment = attachment_find(wire_table_check(table), ifindex);
	if (attachment == NULL || ifindex == 0)
		return;
	if (attachment->is_tcx) {
		fd_close(&attachment->link_ingress);
		fd_close(&attachment->link_egress);
	} else {
		filter_detach(ifindex, BPF_TC_INGRESS);
		filter_detach(ifindex, BPF_TC_EGRESS);
	}
	attachment->ifindex = 0;
}

unsigned wire_table_pairs_max(const struct wire_table *table)
{
	return table->pairs_max;
}

struct wire_pair *wire_table_pair(struct wire_table *table, unsigned index)
{
	wire_table_check(table);
	CHECK(index < table->pairs_max);
	return &table->pairs[index];
}

int wire_table_program(const struct wire_table *table, enum wire_program program)
{
	switch (program) {
	case WIRE_INGRESS:
		return table->ingress_fd;
	case WIRE_EGRESS:
		return table->egress_fd;
	}
	CHECK(false);
	return -1;
}

void wire_table_set_handler(struct wire_table *table, wire_event_handler *on_event, void *ctx)
{
	wire_table_check(table);
	table->on_event = on_event;
	table->event_ctx = ctx;
}

int wire_table_events_fd(const struct wire_table *table)
{
	return ring_buffer__epoll_fd(table->events);
}

int wire_table_events_read(struct wire_table *table)
{
	return ring_buffer__consume(wire_table_check(table)->events);
}

int wire_snapshot_take(struct wire_table *table, const struct wire_leg legs[2], struct wire_snapshot ret[2])
{
	struct wire_query query = {.family = legs[0].far.family};
	wire_table_check(table);
	for (unsigned i = 0; i < 2; i++) {
		if (query.family == AF_INET)
			wire_leg_key4(&legs[i], &query.socket[i].key4);
		else
			wire_leg_key6(&legs[i], &query.socket[i].key6);
	}
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = &query, .data_size_in = sizeof(query),
		.data_out = &query, .data_size_out = sizeof(query), .repeat = 1);
	if (bpf_prog_test_run_opts(table->snapshot_fd, &run) != 0)
		return -errno;
	if (run.retval != 0)
		return -ENOENT;
	/* In place of a connection that is gone its listener is found. */
	for (unsigned i = 0; i < 2; i++)
		if (query.ret[i].tcp_state == BPF_TCP_LISTEN)
			return -ENOENT;
	memcpy(ret, query.ret, sizeof(query.ret));
	return 0;
}
