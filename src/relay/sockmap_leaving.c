/* Ways that leave the table of the socket relay while their relays go on.  The kernel lets go
 * of a source without losing bytes only in a walk over all sockets, which takes some
 * milliseconds: so they leave together, and the walks keep a distance. */
#include "relay/sockmap_internal.h"

#include "base/check.h"

enum {
	PAUSE_MS = 100, /* between two walks */
	LEAVES_MAX = 256, /* in one */
	TRIES_BEFORE_HUSH = 5, /* a sender that never pauses may keep its way in for ever */
	TRIES_MAX = 50,
};

static void left(struct relay *relay, enum relay_side from)
{
	struct sockmap_pair *pair = sockmap_pair_of(relay, from);
	struct sockmap_way *way = &pair->ways[from];
	struct relay_direction *direction = &relay->directions[from];
	sockmap_leaving_remove(way, pair->fds[from]);
	way->stage = SOCKMAP_STAGE_LEFT;
	way->is_drained = false;
	direction->may_read = true;
	/* Cannot fail for a watch that was changed before; if it does, an end still wakes. */
	(void)!loop_watch_change(pair->worker->loop, &relay->ends[from].watch, LOOP_READABLE | LOOP_WRITABLE);
	loop_task_schedule(pair->worker->loop, &relay->task);
}

static void stayed(struct relay *relay, enum relay_side from)
{
	struct sockmap_pair *pair = sockmap_pair_of(relay, from);
	struct sockmap_way *way = &pair->ways[from];
	way->leaves_tried++;
	if (way->leaves_tried >= TRIES_MAX)
		sockmap_leaving_remove(way, pair->fds[from]);
	else if (way->leaves_tried == TRIES_BEFORE_HUSH)
		way->is_hushed = sockmap_source_hush(pair->fds[from], &way->clamp) == 0;
}

/* Which relay and side a node is of. */
static struct relay *relay_of(struct sockmap_worker *worker, struct list *node, enum relay_side *ret_side)
{
	struct sockmap_way *way = container_of(node, struct sockmap_way, leaving_node);
	size_t offset = (size_t)((char *)way - (char *)worker->pairs);
	struct sockmap_pair *pair = &worker->pairs[offset / sizeof(*pair)];
	*ret_side = way == &pair->ways[RELAY_CLIENT] ? RELAY_CLIENT : RELAY_SERVER;
	CHECK(way == &pair->ways[*ret_side]);
	return pair->relay;
}

static void on_leave(struct loop_timer *timer)
{
	struct sockmap_worker *worker = container_of(timer, struct sockmap_worker, leave_timer);
	struct list *nodes[LEAVES_MAX];
	unsigned numbers[LEAVES_MAX], count = 0;
	enum relay_side from;
	for (struct list *node = worker->leaving.next; node != &worker->leaving && count < LEAVES_MAX;
		node = node->next) {
		const struct relay *relay = relay_of(worker, node, &from);
		nodes[count] = node;
		numbers[count++] = sockmap_number_of(relay, from);
	}
	if (count > 0 && sockmap_leave(worker->table, numbers, count) < 0)
		count = 0;
	for (unsigned i = 0; i < count; i++) {
		struct relay *relay = relay_of(worker, nodes[i], &from);
		/* Those that stay go behind the others. */
		list_remove(nodes[i]);
		list_add(&worker->leaving, nodes[i]);
		if (sockmap_direction_has_left(worker->table, numbers[i]))
			left(relay, from);
		else
			stayed(relay, from);
	}
	if (!list_is_empty(&worker->leaving))
		loop_timer_set(worker->loop, timer, loop_now_ms(worker->loop) + PAUSE_MS);
}

void sockmap_leaving_init(struct sockmap_worker *worker)
{
	list_init(&worker->leaving);
	loop_timer_init(&worker->leave_timer, on_leave);
}

void sockmap_leaving_add(struct relay *relay, enum relay_side from)
{
	struct sockmap_pair *pair = sockmap_pair_of(relay, from);
	struct sockmap_worker *worker = pair->worker;
	struct sockmap_way *way = &pair->ways[from];
	if (way->is_leaving)
		return;
	way->is_leaving = true;
	way->leaves_tried = 0;
	list_add(&worker->leaving, &way->leaving_node);
	if (!loop_timer_is_set(&worker->leave_timer))
		loop_timer_set(worker->loop, &worker->leave_timer, loop_now_ms(worker->loop) + 1);
}

void sockmap_leaving_remove(struct sockmap_way *way, int source_fd)
{
	if (way->is_hushed)
		sockmap_source_release(source_fd, way->clamp);
	way->is_leaving = way->is_hushed = false;
	list_remove(&way->leaving_node);
}
