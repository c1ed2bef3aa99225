/* Lines that agents may say. */
#include "check/agent_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *line;
	bool is_read;
	struct agent_answer answer;
	const char *reason;
} cases[] = {
	{"up\n", true, {.health = AGENT_HEALTH_UP, .word = "up"}, NULL},
	{"UP\r\n", true, {.health = AGENT_HEALTH_UP, .word = "up"}, NULL},
	{"down # too hot\nup\n", true, {.health = AGENT_HEALTH_DOWN, .word = "down"}, "too hot"},
	{"stopped#x\n", true, {.health = AGENT_HEALTH_DOWN, .word = "stopped"}, "x"},
	{"fail\n", true, {.health = AGENT_HEALTH_DOWN, .word = "fail"}, NULL},
	{"ready\n", true, {.admin = AGENT_ADMIN_READY}, NULL},
	{"drain,up\n", true, {.health = AGENT_HEALTH_UP, .admin = AGENT_ADMIN_DRAIN, .word = "up"}, NULL},
	{"maint\t75%\n", true, {.admin = AGENT_ADMIN_MAINT, .has_weight = true, .weight_percent = 75}, NULL},
	{"0%\n", true, {.has_weight = true}, NULL},
	{" maxconn:30, 100% \r", true,
		{.has_maxconn = true, .maxconn = 30, .has_weight = true, .weight_percent = 100}, NULL},
	{"up maxconn:\n", true, {.health = AGENT_HEALTH_UP, .word = "up", .has_unknown_word = true}, NULL},
	{"-5%\n", true, {.has_unknown_word = true}, NULL},
	{"99999%\n", true, {.has_unknown_word = true}, NULL},
	{"maxconn:99999999999999999999\n", true, {.has_unknown_word = true}, NULL},
	{"upp\n", true, {.has_unknown_word = true}, NULL},
	{"%\n", true, {.has_unknown_word = true}, NULL},
	{"up", false, {.health = AGENT_HEALTH_SAME}, NULL},
	{"\n", false, {.health = AGENT_HEALTH_SAME}, NULL},
	{" ,\t\n", false, {.health = AGENT_HEALTH_SAME}, NULL},
	{"# only words\n", false, {.health = AGENT_HEALTH_SAME}, NULL},
	{"", false, {.health = AGENT_HEALTH_SAME}, NULL},
};

static void expect_same(
	const struct agent_answer *answer, const struct agent_answer *wanted, const char *reason)
{
	assert_int_equal(answer->health, wanted->health);
	assert_int_equal(answer->admin, wanted->admin);
	assert_int_equal(answer->has_weight, wanted->has_weight);
	assert_int_equal(answer->has_maxconn, wanted->has_maxconn);
	assert_int_equal(answer->has_unknown_word, wanted->has_unknown_word);
	if (wanted->has_weight)
		assert_int_equal(answer->weight_percent, wanted->weight_percent);
	if (wanted->has_maxconn)
		assert_int_equal(answer->maxconn, wanted->maxconn);
	if (wanted->word != NULL)
		assert_string_equal(answer->word, wanted->word);
	assert_int_equal(answer->reason != NULL, reason != NULL);
	if (reason != NULL) {
		assert_int_equal(answer->reason_len, strlen(reason));
		assert_memory_equal(answer->reason, reason, answer->reason_len);
	}
}

static void lines_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct agent_answer answer;
		size_t len = strlen(cases[i].line);
		uint8_t *copy = malloc(len ? len : 1);
		assert_non_null(copy);
		memcpy(copy, cases[i].line, len);
		bool is_read = agent_answer_parse(copy, len, &answer);
		if (is_read != cases[i].is_read)
			fail_msg("'%s': %d", cases[i].line, is_read);
		if (is_read)
			expect_same(&answer, &cases[i].answer, cases[i].reason);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lines_are_understood)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
