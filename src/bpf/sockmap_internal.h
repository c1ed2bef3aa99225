/* What the files of the socket relay's loader share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bpf/sockmap.h"

struct sockmap_bpf; /* the skeleton */
struct ring_buffer;

struct sockmap_table {
	unsigned magic;
	struct sockmap_bpf *skeleton;
	int sources_fd, targets_fd, cookies_fd, directions_fd, events_map_fd;
	int look_fd, leave_link_fd;
	struct sockmap_direction *directions; /* two for each pair, shared with the programs */
	size_t directions_bytes;
	unsigned pairs_max;
	const uint32_t *unheard; /* times that the ring was full */
	uint32_t unheard_seen;
	struct ring_buffer *events;
	sockmap_event_handler *on_event;
	void *event_ctx;
};

/* As sockmap_table_create(), without some of the rules (enum sockmap_rule): for tests. */
int sockmap_table_create_without(
	unsigned pairs_max, unsigned rules_off, struct sockmap_table **ret_table, char *ret_reason) MUST_USE;
/* As sockmap_selftest(), without some of the rules. */
int sockmap_selftest_without(unsigned rules_off, char *ret_words) MUST_USE;
struct sockmap_table *sockmap_table_check(struct sockmap_table *table);

/* Programs and maps; sockmap_load.c. */
int sockmap_load(struct sockmap_table *table, unsigned rules_off, char *ret_reason) MUST_USE;
void sockmap_unload(struct sockmap_table *table);

/* Waits until no verdict of the socket runs that began before: they run under its lock, and
 * so does this call.  -1: there is none. */
void sockmap_verdict_await(int fd);

/* The direction's target as it is now.  Returns 0, -ENOENT or -errno. */
int sockmap_target_look(
	const struct sockmap_table *table, unsigned direction, struct sockmap_look *ret_look) MUST_USE;
