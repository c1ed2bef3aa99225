/* Levels of 64 slots; a slot of level n is 64^n ticks wide.
 *
 * A timer's level is that of the highest 6-bit group in which its tick differs
 * from the present one, its slot that group of its tick.  So in every level all
 * timers lie in slots after the present one and before the level wraps, and any
 * timer of a lower level comes before every timer of a higher one: the next slot
 * to look at is the first bit of the lowest level that has any. */
#include "loop/timer_wheel.h"

#include <limits.h>

#include "base/check.h"

enum { TICK_BITS = 3, TICK_MS = 1 << TICK_BITS, SLOT_BITS = 6, PERCENT = 100 };

static const uint64_t TICKS_END = (uint64_t)1 << (SLOT_BITS * WHEEL_LEVELS);

struct wheel_place {
	uint64_t tick;
	unsigned level, slot;
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
	*wheel = (struct timer_wheel){.now_ms = now_ms, .start_ms = now_ms & ~(uint64_t)(TICK_MS - 1)};
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
}

/* The tick that has begun at ms. */
static uint64_t tick_of(const struct timer_wheel *wheel, uint64_t ms)
{
	return (ms - wheel->start_ms) >> TICK_BITS;
}

/* Rounded up to the largest power of two within 1 % of the distance, 8 ms at least. */
static uint64_t expiry_round(uint64_t expires_ms, uint64_t now_ms)
{
	uint64_t distance = expires_ms > now_ms ? expires_ms - now_ms : 0;
	uint64_t tolerance = distance / PERCENT, unit = TICK_MS;

	if (distance == 0 || expires_ms > UINT64_MAX / 2)
		return expires_ms;
	if (tolerance > TICK_MS)
		unit = (uint64_t)1 << (63 - __builtin_clzll(tolerance));
	return (expires_ms + unit - 1) & ~(unit - 1);
}

static void slot_insert(struct timer_wheel *wheel, struct loop_timer *timer)
{
	uint64_t present = tick_of(wheel, wheel->now_ms), tick = present, apart;
	unsigned level, slot;

	if (timer->expires_ms > wheel->now_ms)
		tick = tick_of(wheel, timer->expires_ms);
	/* Later than the wheel lives: as far away as it can say. */
	if (tick >= TICKS_END)
		tick = TICKS_END - 1;
	apart = tick ^ present;
	level = apart ? (63 - (unsigned)__builtin_clzll(apart)) / SLOT_BITS : 0;
	slot = tick >> (SLOT_BITS * level) & (WHEEL_SLOTS - 1);
	list_add(&wheel->slots[level][slot], &timer->node);
	wheel->occupied[level] |= (uint64_t)1 << slot;
}

void timer_wheel_add(struct timer_wheel *wheel, struct loop_timer *timer)
{
	timer_wheel_remove(wheel, timer);
	timer->expires_ms = expiry_round(timer->expires_ms, wheel->now_ms);
	slot_insert(wheel, timer);
	wheel->armed++;
}

/* If node was the last of a slot, the slot's bit goes.  Nodes of a batch that is
 * expiring hang on no slot. */
static void slot_bit_update(struct timer_wheel *wheel, const struct list *neighbour)
{
	const struct list *first = &wheel->slots[0][0];
	size_t place;

	if ((uintptr_t)neighbour < (uintptr_t)first ||
		(uintptr_t)neighbour >= (uintptr_t)(first + WHEEL_LEVELS * WHEEL_SLOTS))
		return;
	place = (size_t)(neighbour - first);
	if (list_is_empty(neighbour))
		wheel->occupied[place / WHEEL_SLOTS] &= ~((uint64_t)1 << place % WHEEL_SLOTS);
}

void timer_wheel_remove(struct timer_wheel *wheel, struct loop_timer *timer)
{
	struct list *neighbour = timer->node.next;

	if (!neighbour || neighbour == &timer->node)
		return;
	CHECK(wheel->armed > 0);
	wheel->armed--;
	list_remove(&timer->node);
	slot_bit_update(wheel, neighbour);
}

/* The next slot that has timers and the tick it begins with. */
static bool slot_next(const struct timer_wheel *wheel, struct wheel_place *ret_place)
{
	uint64_t present = tick_of(wheel, wheel->now_ms);

	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		unsigned shift = SLOT_BITS * level, slot;
		uint64_t window = ~(((uint64_t)WHEEL_SLOTS << shift) - 1);

		if (wheel->occupied[level] == 0)
			continue;
		slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
		*ret_place = (struct wheel_place){
			.tick = (present & window) | (uint64_t)slot << shift,
			.level = level,
			.slot = slot,
		};
		return true;
	}
	return false;
}

/* Empties a slot whose time has come: what has expired goes to *expired, the rest
 * to the level below.  wheel->now_ms is the slot's first moment or later. */
static void slot_open(struct timer_wheel *wheel, const struct wheel_place *place, struct list *expired)
{
	struct list timers;

	list_init(&timers);
	list_splice(&timers, &wheel->slots[place->level][place->slot]);
	wheel->occupied[place->level] &= ~((uint64_t)1 << place->slot);

	while (!list_is_empty(&timers)) {
		struct loop_timer *timer = container_of(timers.next, struct loop_timer, node);

		list_remove(&timer->node);
		if (timer->expires_ms <= wheel->now_ms)
			list_add(expired, &timer->node);
		else
			slot_insert(wheel, timer);
	}
}

static unsigned expired_run(struct timer_wheel *wheel, struct list *expired)
{
	unsigned count = 0;

	while (!list_is_empty(expired)) {
		struct loop_timer *timer = container_of(expired->next, struct loop_timer, node);

		CHECK(wheel->armed > 0);
		wheel->armed--;
		list_remove(&timer->node);
		count++;
		timer->on_expiry(timer);
	}
	return count;
}

unsigned timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
	uint64_t target_ms = now_ms > wheel->now_ms ? now_ms : wheel->now_ms;
	uint64_t target = tick_of(wheel, target_ms);
	struct wheel_place place;
	struct list expired;

	CHECK(target < TICKS_END - 1);
	list_init(&expired);
	while (slot_next(wheel, &place) && place.tick <= target) {
		uint64_t begins_ms = wheel->start_ms + (place.tick << TICK_BITS);

		if (begins_ms > wheel->now_ms)
			wheel->now_ms = begins_ms;
		slot_open(wheel, &place, &expired);
	}
	wheel->now_ms = target_ms;
	return expired_run(wheel, &expired);
}

int timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms)
{
	struct wheel_place place;
	uint64_t begins_ms;

	if (!slot_next(wheel, &place))
		return -1;
	begins_ms = wheel->start_ms + (place.tick << TICK_BITS);
	if (begins_ms <= now_ms)
		return 0;
	return begins_ms - now_ms > INT_MAX ? INT_MAX : (int)(begins_ms - now_ms);
}
