/* Ranges are sorted, and joined where they meet. */
#include "rule/number_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct range {
	int64_t first, last;
};

struct member {
	struct member *next;
	struct range range;
};

struct number_set {
	struct arena *arena;
	struct member *members;
	size_t members_count;
	struct range *ranges;
	size_t count;
};

struct number_set *number_set_create(struct arena *arena)
{
	struct number_set *set = arena_alloc(arena, sizeof(*set));
	set->arena = arena;
	return set;
}

/* Reads up to the end or a colon. */
static int number_parse(const char **at, int64_t *ret_number)
{
	char *end;
	errno = 0;
	if ((**at < '0' || **at > '9') && **at != '-')
		return -EINVAL;
	long long number = strtoll(*at, &end, 10);
	if (errno != 0 || end == *at)
		return -EINVAL;
	if (*end == '.' && number >= 0 && number < 65536) {
		const char *minor = end + 1;
		if (*minor < '0' || *minor > '9')
			return -EINVAL;
		long value = strtol(minor, &end, 10);
		if (value > 65535)
			return -EINVAL;
		number = number * 65536 + value;
	}
	*at = end;
	*ret_number = number;
	return 0;
}

static int range_parse(const char *text, struct range *ret_range)
{
	struct range range = {INT64_MIN, INT64_MAX};
	if (strcmp(text, ":") == 0 || text[0] == '\0')
		return -EINVAL;
	if (*text != ':' && number_parse(&text, &range.first) < 0)
		return -EINVAL;
	if (*text == '\0')
		range.last = range.first;
	else if (*text++ != ':')
		return -EINVAL;
	else if (*text != '\0' && number_parse(&text, &range.last) < 0)
		return -EINVAL;
	if (*text != '\0' || range.first > range.last)
		return -EINVAL;
	*ret_range = range;
	return 0;
}

static int range_make(enum number_operator way, int64_t number, struct range *ret_range)
{
	*ret_range = (struct range){number, number};
	switch (way) {
	case NUMBER_GT:
		if (number == INT64_MAX)
			return -EINVAL;
		ret_range->first++;
		ret_range->last = INT64_MAX;
		return 0;
	case NUMBER_GE:
		ret_range->last = INT64_MAX;
		return 0;
	case NUMBER_LT:
		if (number == INT64_MIN)
			return -EINVAL;
		ret_range->last--;
		ret_range->first = INT64_MIN;
		return 0;
	case NUMBER_LE:
		ret_range->first = INT64_MIN;
		return 0;
	case NUMBER_EQ:
		return 0;
	}
	CHECK(false);
	return -EINVAL;
}

int number_set_add(struct number_set *set, enum number_operator way, const char *text)
{
	struct range range;
	int64_t number;
	if (way == NUMBER_EQ) {
		if (range_parse(text, &range) < 0)
			return -EINVAL;
	} else if (number_parse(&text, &number) < 0 || *text != '\0' || range_make(way, number, &range) < 0) {
		return -EINVAL;
	}
	struct member *member = arena_alloc(set->arena, sizeof(*member));
	member->range = range;
	member->next = set->members;
	set->members = member;
	set->members_count++;
	return 0;
}

static int range_compare(const void *a, const void *b)
{
	const struct range *one = a, *other = b;
	return one->first == other->first ? 0 : one->first < other->first ? -1 : 1;
}

void number_set_finish(struct number_set *set)
{
	set->ranges = arena_alloc(set->arena, (set->members_count + 1) * sizeof(*set->ranges));
	size_t count = 0, kept = 0;
	for (const struct member *member = set->members; member != NULL; member = member->next)
		set->ranges[count++] = member->range;
	qsort(set->ranges, count, sizeof(*set->ranges), range_compare);
	for (size_t i = 0; i < count; i++) {
		struct range *last = kept > 0 ? &set->ranges[kept - 1] : NULL;
		if (last == NULL || set->ranges[i].first > last->last)
			set->ranges[kept++] = set->ranges[i];
		else if (set->ranges[i].last > last->last)
			last->last = set->ranges[i].last;
	}
	set->count = kept;
}

bool number_set_has(const struct number_set *set, int64_t number)
{
	size_t first = 0, count = set->count;
	while (count > 0) {
		size_t half = count / 2;
		if (set->ranges[first + half].first <= number) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return first > 0 && number <= set->ranges[first - 1].last;
}
