/* One socket of a worker's event loop, embedded in what it belongs to. */
#pragma once

#include <stdbool.h>

#include "base/list.h"

enum end_kind { END_LISTENER, END_PEER, END_CLIENT };

/* Edge-triggered: what the socket can do is remembered until it refuses. */
struct end {
	enum end_kind kind;
	int fd; /* -1: none */
	bool can_read, can_write;
	bool is_hung_up; /* the end of the stream is in sight: read until it comes */
	struct list ready; /* in the worker's list of those with something to do */
};

static inline void end_init(struct end *end, enum end_kind kind)
{
	*end = (struct end){.kind = kind, .fd = -1};
	list_init(&end->ready);
}
