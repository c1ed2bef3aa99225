/* Counting good and bad checks. */
#include "check/health.h"

static unsigned best(const struct health *health)
{
	return health->rise + health->fall - 1;
}

void health_init(struct health *health, unsigned rise, unsigned fall)
{
	*health = (struct health){rise > 0 ? rise : 1, fall > 0 ? fall : 1, 0};
	health->value = health->rise;
}

bool health_pass(struct health *health)
{
	if (health->value == best(health))
		return false;
	health->value++;
	if (health->value >= health->rise)
		health->value = best(health);
	return true;
}

bool health_fail(struct health *health)
{
	if (health->value == 0)
		return false;
	health->value--;
	if (health->value < health->rise)
		health->value = 0;
	return true;
}

void health_set(struct health *health, bool is_up)
{
	health->value = is_up ? best(health) : 0;
}

void health_weaken(struct health *health)
{
	if (health->value > health->rise + 1)
		health->value = health->rise + 1;
}

bool health_is_up(const struct health *health)
{
	return health->value >= health->rise;
}

bool health_is_changing(const struct health *health)
{
	return health->value != 0 && health->value != best(health);
}

void health_progress(const struct health *health, unsigned *ret_done, unsigned *ret_of)
{
	bool is_up = health_is_up(health);
	*ret_done = is_up ? health->value - health->rise + 1 : health->value;
	*ret_of = is_up ? health->fall : health->rise;
}
