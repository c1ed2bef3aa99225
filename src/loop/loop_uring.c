/* The loop over io_uring(7).  A watch is a multishot poll; registrations, their ends
 * and the operations of ring.h all go to the kernel with the one call that waits.
 *
 * A completion names its watch by a slot and the slot's generation, which moves with
 * every change and removal: what was under way before is recognised and dropped.
 *
 * A poll keeps its file open.  That is why the end of a watch is told to the kernel
 * also when the fd is closed, and takes effect with the next wait. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/check.h"
#include "loop/loop_internal.h"
#include "loop/ring.h"
#include "loop/ring_setup.h"

enum {
	BATCH_MAX = 256,
	SLOTS_MIN = 64,
	SUBMIT_TRIES_MAX = 16,
	SETTLE_ROUNDS_MAX = 1000,
	SETTLE_WAIT_US = 10000,
	OPERATION_MAGIC = 0x72696e67,
};

/* user_data: 0 what nobody waits for; odd a watch, its generation above its slot; even
 * an operation. */
static const uint64_t WATCH_BIT = 1;

/* A live watch, or free: then next_free counts. */
struct slot {
	struct loop_watch *watch;
	uint32_t generation;
	uint32_t next_free;
	unsigned interest;
	bool is_armed; /* the kernel polls for it */
};

struct completion {
	uint64_t user_data;
	int result;
	unsigned flags;
};

struct uring {
	struct io_uring ring;
	bool is_open, is_enabled;
	bool is_foreign; /* met from a thread that is not the ring's: nothing goes out any more */
	struct slot *slots;
	uint32_t slots_count, first_free; /* slots_count: none is free */
	uint32_t unarmed; /* slots whose poll could not be asked for */
	uint32_t submission; /* counts the calls that submit */
	uint32_t cancelled; /* operations that were told to end and have not */
	unsigned batch_next, batch_count;
	struct completion batch[BATCH_MAX];
	struct pollfd urgent[BATCH_MAX];
};

/* The ring. */

/* Submits what waits.  Returns 0 or -errno. */
static int submit(struct uring *uring, int (*call)(struct io_uring *))
{
	int rc;

	if (uring->is_foreign || !uring->is_enabled)
		return -EEXIST;
	uring->submission++;
	rc = call(&uring->ring);
	if (rc == -EEXIST)
		uring->is_foreign = true;
	return rc < 0 ? rc : 0;
}

static struct io_uring_sqe *entry_get(struct uring *uring)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);

	for (unsigned tries = 0; !entry && tries < SUBMIT_TRIES_MAX; tries++) {
		if (submit(uring, io_uring_submit) == -EEXIST)
			return NULL;
		entry = io_uring_get_sqe(&uring->ring);
	}
	return entry;
}

/* What it was for is in flight or about to be; if neither, nobody minds. */
static bool cancel(struct uring *uring, uint64_t user_data)
{
	struct io_uring_sqe *entry = entry_get(uring);

	if (!entry)
		return false;
	io_uring_prep_cancel64(entry, user_data, 0);
	io_uring_sqe_set_flags(entry, IOSQE_CQE_SKIP_SUCCESS);
	io_uring_sqe_set_data64(entry, 0);
	return true;
}

/* Slots. */

static uint64_t slot_user_data(const struct uring *uring, uint32_t index)
{
	return (uint64_t)uring->slots[index].generation << 32 | (uint64_t)index << 1 | WATCH_BIT;
}

static int slots_grow(struct uring *uring)
{
	uint32_t count = uring->slots_count ? uring->slots_count * 2 : SLOTS_MIN;
	struct slot *slots = realloc(uring->slots, count * sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = uring->slots_count; i < count; i++)
		slots[i] = (struct slot){.next_free = i + 1};
	uring->slots = slots;
	uring->slots_count = count;
	return 0;
}

/* Whether the poll of a slot repeats: for a level it is asked for anew after each
 * report.  But who waits for room alone is not told of the peer's half-close, which
 * would end each single poll at once. */
static bool is_multishot(unsigned interest)
{
	return !interest_is_level(interest) || !(interest & LOOP_READABLE);
}

static unsigned poll_events(unsigned interest)
{
	bool is_level = interest_is_level(interest);
	unsigned events = 0;

	if (interest & LOOP_READABLE)
		events |= POLLIN;
	if (interest & LOOP_WRITABLE)
		events |= POLLOUT;
	if (interest & LOOP_QUIET)
		return events; /* failures and hang-ups are always reported */
	if (interest & LOOP_ENDS)
		return events | POLLRDHUP;
	/* Level reports would repeat for as long as nobody reads these away. */
	if (!is_level || (interest & LOOP_READABLE))
		events |= POLLRDHUP | POLLPRI;
	/* Urgent data alone wakes no poll; this comes with it, and with all other data. */
	if (!is_level && !(interest & LOOP_READABLE))
		events |= POLLRDBAND;
	return events;
}

static void slot_arm(struct uring *uring, uint32_t index)
{
	struct slot *slot = &uring->slots[index];
	struct io_uring_sqe *entry = entry_get(uring);

	slot->is_armed = entry != NULL;
	if (!entry) {
		uring->unarmed++;
		return;
	}
	if (is_multishot(slot->interest))
		io_uring_prep_poll_multishot(entry, slot->watch->fd, poll_events(slot->interest));
	else
		io_uring_prep_poll_add(entry, slot->watch->fd, poll_events(slot->interest));
	io_uring_sqe_set_data64(entry, slot_user_data(uring, index));
}

/* Drops what is under way for it. */
static void slot_disarm(struct uring *uring, uint32_t index)
{
	struct slot *slot = &uring->slots[index];

	if (slot->is_armed)
		(void)cancel(uring, slot_user_data(uring, index));
	slot->is_armed = false;
	slot->generation++;
}

/* Those for which there was no memory. */
static void slots_arm_again(struct uring *uring)
{
	uring->unarmed = 0;
	for (uint32_t i = 0; i < uring->slots_count; i++)
		if (uring->slots[i].watch && !uring->slots[i].is_armed)
			slot_arm(uring, i);
}

/* Watches. */

/* What poll(2) would call always ready, epoll(7) refuses. */
static int fd_check(int fd)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return -errno;
	return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

static int uring_add(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	struct uring *uring = loop->state;
	int rc = fd_check(watch->fd);

	if (rc == 0 && uring->first_free == uring->slots_count)
		rc = slots_grow(uring);
	if (rc < 0)
		return rc;
	uint32_t index = uring->first_free;
	struct slot *slot = &uring->slots[index];
	uring->first_free = slot->next_free;
	slot->watch = watch;
	slot->interest = interest;
	watch->slot = index;
	slot_arm(uring, index);
	return 0;
}

static struct slot *slot_of(const struct uring *uring, const struct loop_watch *watch)
{
	CHECK(watch->slot < uring->slots_count);
	struct slot *slot = &uring->slots[watch->slot];
	CHECK(slot->watch == watch);
	return slot;
}

static int uring_change(struct loop *loop, struct loop_watch *watch, unsigned interest)
{
	struct uring *uring = loop->state;
	struct slot *slot = slot_of(uring, watch);

	slot_disarm(uring, watch->slot);
	slot->interest = interest;
	slot_arm(uring, watch->slot);
	return 0;
}

static void uring_remove(struct loop *loop, struct loop_watch *watch, bool will_close_fd)
{
	struct uring *uring = loop->state;
	struct slot *slot = slot_of(uring, watch);

	slot_disarm(uring, watch->slot);
	slot->watch = NULL;
	slot->next_free = uring->first_free;
	uring->first_free = watch->slot;
	/* Now, for whoever keeps the socket may want it to be nobody else's. */
	if (!will_close_fd)
		(void)submit(uring, io_uring_submit_and_get_events);
}

/* Waiting. */

static int call_for_events(struct uring *uring, uint64_t wait_us)
{
	struct __kernel_timespec limit = {
		.tv_sec = (long long)(wait_us / 1000000), .tv_nsec = (long long)(wait_us % 1000000) * 1000};
	struct io_uring_cqe *first;

	uring->submission++;
	if (wait_us == 0)
		return io_uring_submit_and_get_events(&uring->ring);
	if (wait_us == WAIT_FOREVER)
		return io_uring_submit_and_wait(&uring->ring, 1);
	return io_uring_submit_and_wait_timeout(&uring->ring, &first, 1, &limit, NULL);
}

/* Submits, waits, and takes up to a batch over. */
static void completions_gather(struct uring *uring, uint64_t wait_us)
{
	const struct io_uring_cqe *cqe;
	unsigned head, count = 0;
	int rc = -EEXIST;

	uring->batch_next = uring->batch_count = 0;
	if (!uring->is_foreign)
		rc = call_for_events(uring, wait_us);
	if (rc == -EEXIST) {
		uring->is_foreign = true;
		return;
	}
	/* EBADR would mean completions were lost, whose connections would hang for ever. */
	CHECK(rc != -EBADR && rc != -EFAULT && rc != -EBADF);
	io_uring_for_each_cqe(&uring->ring, head, cqe)
	{
		if (count == BATCH_MAX)
			break;
		uring->batch[count++] = (struct completion){cqe->user_data, cqe->res, cqe->flags};
	}
	io_uring_cq_advance(&uring->ring, count);
	uring->batch_count = count;
}

/* The slot a completion is for; slots_count when it has moved on. */
static uint32_t slot_find(const struct uring *uring, uint64_t user_data)
{
	uint32_t index = (uint32_t)user_data >> 1;

	CHECK(index < uring->slots_count);
	const struct slot *slot = &uring->slots[index];
	return slot->watch && slot->generation == (uint32_t)(user_data >> 32) ? index : uring->slots_count;
}

static bool may_be_urgent(const struct uring *uring, const struct completion *completion)
{
	return (completion->user_data & WATCH_BIT) && completion->result > 0 &&
		(completion->result & POLLPRI) &&
		slot_find(uring, completion->user_data) < uring->slots_count;
}

/* A poll reports what its wake-up was about, and data wakes with the word for urgent
 * data too.  One call for all of the batch asks which of them are. */
static void urgent_verify(struct uring *uring)
{
	unsigned count = 0, at = 0;

	for (unsigned i = 0; i < uring->batch_count; i++) {
		const struct completion *completion = &uring->batch[i];

		if (!may_be_urgent(uring, completion))
			continue;
		const struct slot *slot = &uring->slots[slot_find(uring, completion->user_data)];
		uring->urgent[count++] = (struct pollfd){.fd = slot->watch->fd, .events = POLLPRI};
	}
	if (count == 0)
		return;
	/* Refused (memory), it leaves revents at 0: the next report tells. */
	(void)poll(uring->urgent, count, 0);
	for (unsigned i = 0; i < uring->batch_count; i++) {
		struct completion *completion = &uring->batch[i];

		if (may_be_urgent(uring, completion) && !(uring->urgent[at++].revents & POLLPRI))
			completion->result &= ~POLLPRI;
	}
}

/* From here on the ring is this thread's. */
static void ring_own(struct uring *uring)
{
	if (uring->is_enabled)
		return;
	uring->is_enabled = true;
	CHECK(ring_enable(&uring->ring) == 0);
}

static void uring_await(struct loop *loop, uint64_t wait_us)
{
	struct uring *uring = loop->state;

	ring_own(uring);
	if (uring->unarmed > 0)
		slots_arm_again(uring);
	completions_gather(uring, wait_us);
	urgent_verify(uring);
}

/* Delivering. */

static unsigned loop_events(int result, unsigned interest)
{
	unsigned reported = result < 0 ? POLLERR : (unsigned)result;
	bool may_see_ends = !interest_is_level(interest) || (interest & LOOP_READABLE);
	unsigned events = 0;

	if (reported & POLLIN & poll_events(interest))
		events |= LOOP_READABLE;
	if (reported & POLLOUT & poll_events(interest))
		events |= LOOP_WRITABLE;
	if (reported & POLLPRI)
		events |= LOOP_URGENT;
	if ((reported & POLLRDHUP) && may_see_ends && !(interest & LOOP_QUIET))
		events |= LOOP_PEER_CLOSED;
	if (reported & POLLHUP)
		events |= LOOP_PEER_CLOSED | LOOP_READABLE | LOOP_WRITABLE;
	if (reported & (POLLERR | POLLNVAL))
		events |= LOOP_FAILED | LOOP_READABLE | LOOP_WRITABLE;
	return events;
}

/* After a report: a level is polled for anew, and so is what the kernel let go of. */
static void slot_continue(struct uring *uring, uint64_t user_data, bool was_reported)
{
	uint32_t index = slot_find(uring, user_data);

	if (index == uring->slots_count)
		return; /* the callback removed or changed it */
	if (was_reported && interest_is_level(uring->slots[index].interest))
		slot_disarm(uring, index);
	if (!uring->slots[index].is_armed)
		slot_arm(uring, index);
}

static void watch_complete(struct uring *uring, const struct completion *completion)
{
	uint32_t index = slot_find(uring, completion->user_data);

	if (index == uring->slots_count)
		return;
	struct slot *slot = &uring->slots[index];
	unsigned events = loop_events(completion->result, slot->interest);
	slot->is_armed = completion->flags & IORING_CQE_F_MORE;
	CHECK(watch_is_ours(slot->watch));
	if (events != 0)
		slot->watch->on_ready(slot->watch, events);
	slot_continue(uring, completion->user_data, events != 0);
}

static void operation_complete(struct uring *uring, const struct completion *completion)
{
	struct ring_operation *operation = (struct ring_operation *)(uintptr_t)completion->user_data;

	CHECK(operation->magic == OPERATION_MAGIC && operation->is_in_flight);
	operation->is_in_flight = completion->flags & IORING_CQE_F_MORE;
	if (!operation->is_in_flight && operation->is_cancelled)
		uring->cancelled--;
	operation->on_complete(
		operation, operation->is_revoked ? -ECANCELED : completion->result, completion->flags);
}

static unsigned uring_deliver(struct loop *loop)
{
	struct uring *uring = loop->state;

	while (uring->batch_next < uring->batch_count) {
		/* A copy: callbacks of operations may settle, and use the batch. */
		const struct completion completion = uring->batch[uring->batch_next++];

		if (completion.user_data & WATCH_BIT)
			watch_complete(uring, &completion);
		else if (completion.user_data != 0)
			operation_complete(uring, &completion);
	}
	return uring->batch_count;
}

/* Operations. */

bool loop_has_ring(const struct loop *loop)
{
	return loop->backend == &loop_backend_uring;
}

struct io_uring *loop_ring(struct loop *loop)
{
	struct uring *uring = loop->state;

	return loop_has_ring(loop) ? &uring->ring : NULL;
}

struct io_uring_sqe *loop_ring_entry(struct loop *loop)
{
	CHECK(loop_has_ring(loop));
	return entry_get(loop->state);
}

void loop_ring_begin(struct loop *loop, struct io_uring_sqe *entry, struct ring_operation *operation)
{
	const struct uring *uring = loop->state;

	CHECK(operation->on_complete && !operation->is_in_flight);
	operation->magic = OPERATION_MAGIC;
	operation->submission = uring->submission;
	operation->entry = entry;
	operation->is_in_flight = true;
	operation->is_cancelled = operation->is_revoked = false;
	io_uring_sqe_set_data(entry, operation);
}

void loop_ring_cancel(struct loop *loop, struct ring_operation *operation)
{
	struct uring *uring = loop->state;

	if (!operation->is_in_flight || operation->is_cancelled)
		return;
	operation->is_cancelled = true;
	uring->cancelled++;
	if (operation->submission != uring->submission) {
		CHECK(cancel(uring, (uintptr_t)operation) || uring->is_foreign);
		return;
	}
	/* Still ours to change.  By the time it is looked at, its number may be that of
	 * another file. */
	operation->is_revoked = true;
	io_uring_prep_nop(operation->entry);
}

/* A watch's completion that comes between passes: to ask anew reports it again. */
static void watch_postpone(struct uring *uring, uint64_t user_data)
{
	uint32_t index = slot_find(uring, user_data);

	if (index == uring->slots_count)
		return;
	slot_disarm(uring, index);
	slot_arm(uring, index);
}

void loop_ring_settle(struct loop *loop)
{
	struct uring *uring = loop->state;

	CHECK(!loop->is_in_pass);
	for (unsigned round = 0; round < SETTLE_ROUNDS_MAX && uring->is_enabled; round++) {
		completions_gather(uring, uring->cancelled > 0 ? SETTLE_WAIT_US : 0);
		for (unsigned i = 0; i < uring->batch_count; i++) {
			const struct completion completion = uring->batch[i];

			if (completion.user_data & WATCH_BIT)
				watch_postpone(uring, completion.user_data);
			else if (completion.user_data != 0)
				operation_complete(uring, &completion);
		}
		if (uring->cancelled == 0 || uring->is_foreign)
			break;
	}
	uring->batch_count = 0;
}

/* Life. */

static int uring_open(struct loop *loop)
{
	struct uring *uring = calloc(1, sizeof(*uring));

	if (!uring)
		return -ENOMEM;
	loop->state = uring;
	int rc = ring_setup(&uring->ring);
	uring->is_open = rc == 0;
	return rc;
}

static void uring_close(struct loop *loop)
{
	struct uring *uring = loop->state;

	if (uring->is_open)
		io_uring_queue_exit(&uring->ring);
	free(uring->slots);
	free(uring);
	loop->state = NULL;
}

/* The call that waits finds the ring faster by a number of the thread's own. */
static void uring_enter(struct loop *loop)
{
	struct uring *uring = loop->state;

	ring_own(uring);
	(void)io_uring_register_ring_fd(&uring->ring);
}

static void uring_leave(struct loop *loop)
{
	struct uring *uring = loop->state;

	loop_ring_settle(loop);
	if (uring->ring.enter_ring_fd != uring->ring.ring_fd)
		(void)io_uring_unregister_ring_fd(&uring->ring);
}

const struct loop_backend loop_backend_uring = {
	.name = "uring",
	.unavailable = ring_unavailable,
	.open = uring_open,
	.close = uring_close,
	.add = uring_add,
	.change = uring_change,
	.remove = uring_remove,
	.wait = uring_await,
	.deliver = uring_deliver,
	.enter = uring_enter,
	.leave = uring_leave,
};
