/* Numbers, ranges and comparisons. */
#include "rule_fixtures.h"

#include "rule/number_set.h"

static void a_number_is_in_the_ranges_that_were_added(void **state)
{
	static const struct {
		enum number_operator way;
		const char *texts[5];
		int64_t in[5], out[5];
	} rows[] = {
		{NUMBER_EQ, {"80"}, {80, 80, 80, 80, 80}, {79, 81, 0, -80, INT64_MAX}},
		{NUMBER_EQ, {"10:20", "15:30", "31", "-5:-1", "31:31"}, {10, 30, 31, -5, -1},
			{9, 32, 0, -6, 100}},
		{NUMBER_EQ, {":5", "100:"}, {INT64_MIN, 5, 100, INT64_MAX, 0}, {6, 99, 50, 7, 98}},
		{NUMBER_EQ, {"1:100", "20:30"}, {1, 31, 100, 25, 99}, {0, 101, -1, 1000, INT64_MIN}},
		{NUMBER_GT, {"5"}, {6, 7, INT64_MAX, 6, 6}, {5, 4, 0, INT64_MIN, -1}},
		{NUMBER_GE, {"5"}, {5, 7, INT64_MAX, 6, 6}, {4, 3, 0, INT64_MIN, -1}},
		{NUMBER_LT, {"5"}, {4, 3, 0, INT64_MIN, -1}, {5, 7, INT64_MAX, 6, 6}},
		{NUMBER_LE, {"5"}, {5, 3, 0, INT64_MIN, -1}, {6, 7, INT64_MAX, 6, 6}},
		{NUMBER_EQ, {"3.1:3.3"}, {0x30001, 0x30002, 0x30003, 0x30001, 0x30001},
			{0x30000, 0x30004, 3, 31, 0}},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct number_set *set = number_set_create(fixture.book.arena);
		for (size_t j = 0; j < 5 && rows[i].texts[j] != NULL; j++)
			assert_int_equal(number_set_add(set, rows[i].way, rows[i].texts[j]), 0);
		number_set_finish(set);
		for (size_t j = 0; j < 5; j++) {
			if (!number_set_has(set, rows[i].in[j]) || number_set_has(set, rows[i].out[j]))
				fail_msg("row %zu, number %zu", i, j);
		}
	}
	rule_fixture_release(&fixture);
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const texts[] = {"", ":", "x", "1x", "1:x", "2:1", "1:2:3", " 1", "1 ", "+1",
		"99999999999999999999", "3.x", "3.70000"};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	struct number_set *set = number_set_create(fixture.book.arena);
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		if (number_set_add(set, NUMBER_EQ, texts[i]) == 0)
			fail_msg("'%s' is accepted", texts[i]);
	}
	assert_int_not_equal(number_set_add(set, NUMBER_GT, "1:2"), 0);
	assert_int_not_equal(number_set_add(set, NUMBER_GT, "9223372036854775807"), 0);
	number_set_finish(set);
	assert_false(number_set_has(set, 0));
	rule_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_is_in_the_ranges_that_were_added),
		cmocka_unit_test(what_is_no_number_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
