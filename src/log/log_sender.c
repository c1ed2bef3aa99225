/* The control thread's side of logging: takes records from the rings, chooses the
 * targets that want them, and hands them to log_channel.c. */
#include "log/log_sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "log/log_channel.h"
#include "log/log_ring.h"

enum {
	LINES_PER_PASS = 256, /* of one ring, before others have their turn */
	LOG_CHANNELS_MAX = 256, /* different targets in one configuration */
};

struct log_sender {
	struct loop *loop;
	struct log_header header;
	struct log_ring *rings;
	struct log_channel *channels[LOG_CHANNELS_MAX];
	size_t channels_count;
	struct loop_task task;
	uint64_t lines, send_errors;
};

static void sender_schedule(void *context)
{
	struct log_sender *sender = context;
	loop_task_schedule(sender->loop, &sender->task);
}

/* Targets that say the same thing share one socket. */
static struct log_channel *sender_channel(struct log_sender *sender, const struct config_log *target)
{
	for (size_t i = 0; i < sender->channels_count; i++) {
		if (log_channel_is_for(sender->channels[i], target))
			return sender->channels[i];
	}
	if (sender->channels_count == LOG_CHANNELS_MAX)
		return NULL;
	struct log_channel *channel = log_channel_create(target);
	if (channel)
		sender->channels[sender->channels_count++] = channel;
	return channel;
}

static void sender_send(struct log_sender *sender, const struct log_line *line)
{
	for (const struct config_log *target = line->targets; target; target = target->next) {
		if (line->level > (unsigned)target->level_max)
			continue;
		struct log_channel *channel = sender_channel(sender, target);
		if (!channel) {
			sender->send_errors++;
			continue;
		}
		log_channel_add(channel, &sender->header, target, line);
	}
	sender->lines++;
}

static void sender_flush(struct log_sender *sender)
{
	for (size_t i = 0; i < sender->channels_count; i++)
		log_channel_flush(sender->channels[i]);
}

/* Returns true when the ring is empty afterwards.  Lines are given back only
 * after the channels have sent them: the channels point into the ring. */
static bool ring_drain(struct log_sender *sender, struct log_ring *ring, unsigned lines_max)
{
	struct log_line line;
	struct log_cursor cursor = log_ring_begin(ring);
	for (unsigned i = 0; i < lines_max && log_ring_next(ring, &cursor, &line); i++)
		sender_send(sender, &line);
	sender_flush(sender);
	log_ring_consume(ring, &cursor);
	return log_ring_is_empty(ring);
}

static void on_task(struct loop_task *task)
{
	struct log_sender *sender = container_of(task, struct log_sender, task);
	bool is_all_done = true;
	for (struct log_ring *ring = sender->rings; ring; ring = log_ring_following(ring))
		is_all_done = ring_drain(sender, ring, LINES_PER_PASS) && is_all_done;
	if (!is_all_done)
		loop_task_schedule(sender->loop, task);
}

int log_sender_create(struct loop *loop, const struct config_global *global, struct log_sender **ret_sender)
{
	struct log_sender *sender = calloc(1, sizeof(*sender));
	if (!sender)
		return -ENOMEM;
	sender->loop = loop;
	loop_task_init(&sender->task, on_task);
	log_header_init(&sender->header, global);
	*ret_sender = sender;
	return 0;
}

void log_sender_destroy(struct log_sender *sender)
{
	if (!sender)
		return;
	loop_task_cancel(sender->loop, &sender->task);
	while (sender->rings) {
		struct log_ring *ring = sender->rings;
		sender->rings = log_ring_following(ring);
		while (!ring_drain(sender, ring, LINES_PER_PASS))
			continue;
		log_ring_release(ring);
	}
	for (size_t i = 0; i < sender->channels_count; i++)
		log_channel_destroy(sender->channels[i]);
	free(sender);
}

struct log_ring *log_ring_add(struct log_sender *sender)
{
	struct log_ring *ring = log_ring_create(sender->loop, sender_schedule, sender);
	if (!ring)
		return NULL;
	log_ring_link(ring, sender->rings);
	sender->rings = ring;
	return ring;
}

void log_sender_totals(const struct log_sender *sender, struct log_totals *ret_totals)
{
	struct log_totals totals = {.lines = sender->lines, .send_errors = sender->send_errors};
	for (const struct log_ring *ring = sender->rings; ring; ring = log_ring_following(ring))
		totals.dropped += log_ring_dropped(ring);
	for (size_t i = 0; i < sender->channels_count; i++)
		totals.send_errors += log_channel_errors(sender->channels[i]);
	*ret_totals = totals;
}
