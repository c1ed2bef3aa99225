/* commands.c, command_line.c and the command_*.c that need no worker */
#include "admin_fixtures.h"

static const struct {
	const char *name, *line;
	unsigned count;
	const char *words[4];
	const char *rest;
} lines[] = {
	{"words are parted by blanks", "show \t info", 2, {"show", "info"}, ""},
	{"a semicolon ends a command", "a b;c d", 2, {"a", "b"}, "c d"},
	{"a semicolon needs no blanks", "a;b", 1, {"a"}, "b"},
	{"blanks around do not count", "  a  ;  b ", 1, {"a"}, "  b "},
	{"a backslash takes a blank into the word", "a\\ b c", 2, {"a b", "c"}, ""},
	{"a backslash takes a semicolon into the word", "a\\;b;c", 1, {"a;b"}, "c"},
	{"two backslashes are one", "a\\\\b", 1, {"a\\b"}, ""},
	{"a backslash at the end is itself", "a\\", 1, {"a\\"}, ""},
	{"a carriage return is a blank", "show info\r", 2, {"show", "info"}, ""},
	{"an empty command has no words", ";a", 0, {NULL}, "a"},
};

static void test_lines_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		char line[64];
		char *rest = line;
		char *words[COMMAND_WORDS_MAX + 1];
		unsigned count = 99;
		print_message("  %s\n", lines[i].name);
		snprintf(line, sizeof(line), "%s", lines[i].line);
		assert_true(command_line_next(&rest, words, &count));
		assert_int_equal(count, lines[i].count);
		for (unsigned k = 0; k < count; k++)
			assert_string_equal(words[k], lines[i].words[k]);
		assert_null(words[count]);
		assert_string_equal(rest, lines[i].rest);
	}
}

static void test_an_empty_line_has_no_command(void **state)
{
	(void)state;
	char line[] = "";
	char *rest = line;
	char *words[COMMAND_WORDS_MAX + 1];
	unsigned count = 0;
	assert_false(command_line_next(&rest, words, &count));
}

static void test_a_command_may_have_too_many_words(void **state)
{
	(void)state;
	char line[COMMAND_WORDS_MAX * 2 + 8];
	struct text text;
	struct admin_fixture *fixture = admin_fixture_create();
	text_init(&text, line, sizeof(line));
	for (unsigned i = 0; i < COMMAND_WORDS_MAX + 2; i++)
		text_add(&text, "a ");
	assert_string_equal(admin_fixture_ask(fixture, line), "Too many words in one command.\n");
	admin_fixture_destroy(fixture);
}

/* Every answer in turn; empty: done without a word. */
static const struct {
	const char *line, *answer;
} exact_answers[] = {
	{"show version", SPLICED_VERSION "\n"},
	{"show backend", "# name\nrelayed\n"},
	{"get weight relayed/one", "2 (initial 2)\n"},
	{"get weight #2/#1", "2 (initial 2)\n"},
	{"get weight", "Require 'backend/server'.\n"},
	{"get weight relayed", "Require 'backend/server'.\n"},
	{"get weight relayed/none", "No such server.\n"},
	{"get weight none/one", "No such backend.\n"},
	{"set weight relayed/one 50%", ""},
	{"get weight relayed/one", "1 (initial 2)\n"},
	{"set weight relayed/one 99999999%", ""},
	{"get weight relayed/one", "256 (initial 2)\n"},
	{"set weight relayed/one 7;get weight relayed/one", "7 (initial 2)\n"},
	{"set weight relayed/one", "Require <weight> or <weight%>.\n"},
	{"set weight relayed/one 257", "Absolute weight can only be between 0 and 256 inclusive.\n"},
	{"set weight relayed/one -1", "A weight is a number or a percentage.\n"},
	{"set weight relayed/one x", "A weight is a number or a percentage.\n"},
	{"set server relayed/one weight 100%;get weight relayed/one", "2 (initial 2)\n"},
	{"set server relayed/one health", "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n"},
	{"set server relayed/one agent up", "agent checks are not enabled on this server.\n"},
	{"enable health relayed/one", "Health check was not configured on this server, cannot enable it.\n"},
	{"disable health relayed/one",
		"Health check was not configured on this server, cannot disable it.\n"},
	{"enable agent relayed/one", "Agent was not configured on this server, cannot enable it.\n"},
	{"disable agent relayed/one", "Agent was not configured on this server, cannot disable it.\n"},
	{"set server relayed/one state", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"},
	{"set server relayed/one",
		"usage: set server <backend>/<server> agent | health | state | weight <value>\n"},
	{"set maxconn frontend relayed 5", ""},
	{"set maxconn frontend relayed x", "Integer value expected.\n"},
	{"set maxconn frontend", "A frontend name is expected.\n"},
	{"set maxconn frontend none 5", "No such frontend.\n"},
	{"set maxconn global 1001", "Value out of range.\n"},
	{"set maxconn global 10", ""},
	{"set maxconn server relayed/one 3", ""},
	{"set maxconn server relayed/one", "Require <maxconn>.\n"},
	{"show servers state none", "Can't find backend.\n"},
	{"show stat none -1 -1", "No such proxy.\n"},
	{"show cli level", "admin\n"},
	{"clear counters nonsense", "'clear counters' expects 'all' or nothing.\n"},
	{"show sess", ""},
	{"show sess x", "Session not found.\n"},
	{"shutdown session", "Session pointer expected (use 'show sess').\n"},
	{"shutdown session 0x1", "No such session (use 'show sess').\n"},
	{"shutdown sessions server relayed/one", ""},
	{"set timeout cli 2m", ""},
	{"set timeout cli 0", "A positive delay is expected, like 30s or 2m.\n"},
	{"set timeout cli 2y", "Unknown unit, known are ms, s, m, h and d.\n"},
	{"set timeout cli 2d", "The delay is longer than a day.\n"},
	{"operator;show cli level", "operator\n"},
};

static void test_commands_answer(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	for (size_t i = 0; i < ARRAY_LENGTH(exact_answers); i++) {
		print_message("  %s\n", exact_answers[i].line);
		assert_string_equal(
			admin_fixture_ask(fixture, exact_answers[i].line), exact_answers[i].answer);
	}
	assert_int_equal(fixture->instance.frontends->maxconn, 5);
	assert_int_equal(fixture->instance.limits.maxconn, 10);
	assert_int_equal(fixture->instance.backends->servers[0].maxconn, 3);
	assert_int_equal(fixture->session.timeout_ms, 120000);
	admin_fixture_destroy(fixture);
}

static void expect_words(struct admin_fixture *fixture, const char *line, const char *words)
{
	const char *answer = admin_fixture_ask(fixture, line);
	if (!strstr(answer, words))
		fail_msg("'%s' is not in the answer to '%s': %s", words, line, answer);
}

static void test_unknown_commands_get_help(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	expect_words(
		fixture, "zzzzzz", "Unknown command. Please enter one of the following commands only:\n");
	expect_words(fixture, "show inof", "better match:\n  show info");
	expect_words(fixture, "show", "  show version");
	expect_words(fixture, "show nonsense", "  show version");
	expect_words(fixture, "help shutdown", "  shutdown session <id>");
	assert_null(strstr(admin_fixture_ask(fixture, "help shutdown"), "show info"));
	admin_fixture_destroy(fixture);
}

static void test_every_command_is_refused_below_its_level(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	for (size_t i = 0; i < command_rows_count; i++) {
		const struct command_row *row = &command_rows[i];
		if (row->level == CONFIG_LEVEL_USER)
			continue;
		fixture->session.level = row->level - 1;
		assert_string_equal(admin_fixture_ask(fixture, row->words), "Permission denied\n");
	}
	fixture->session.level = CONFIG_LEVEL_OPERATOR;
	assert_string_equal(admin_fixture_ask(fixture, "clear counters all"), "Permission denied\n");
	assert_string_equal(admin_fixture_ask(fixture, "clear counters"), "");
	admin_fixture_destroy(fixture);
}

static void test_rows_are_in_order_and_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < command_rows_count; i++) {
		const struct command_row *row = &command_rows[i];
		assert_non_null(row->advance);
		assert_true(row->help[0] != '\0' && row->help[strlen(row->help) - 1] != '.');
	}
}

static void test_server_states_have_haproxys_numbers(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	expect_words(fixture, "show servers state", "\n2 relayed 1 one 192.0.2.1 2 0 2 2 ");
	expect_words(fixture, "show servers state", "\n2 relayed 3 three 192.0.2.1 0 5 1 1 ");
	expect_words(fixture, "set server relayed/one state drain;show servers state",
		"\n2 relayed 1 one 192.0.2.1 2 8 2 2 ");
	expect_words(fixture, "disable server relayed/one;show servers state",
		"\n2 relayed 1 one 192.0.2.1 0 1 2 2 ");
	expect_words(fixture, "enable server relayed/one;show servers state relayed",
		"\n2 relayed 1 one 192.0.2.1 2 0 2 2 ");
	expect_words(fixture, "show servers conn", "relayed/two 2/2 192.0.2.1 5432 - ");
	admin_fixture_destroy(fixture);
}

static void test_health_can_be_forced(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	expect_words(fixture, "set server relayed/one health down;show stat relayed 4 1 typed",
		".status.1:SGP:str:DOWN\n");
	expect_words(fixture, "show servers state", "\n2 relayed 1 one 192.0.2.1 0 0 2 2 ");
	expect_words(fixture, "set server relayed/one health stopping;show stat relayed 4 1 typed",
		".status.1:SGP:str:NOLB\n");
	expect_words(fixture, "show servers state", "\n2 relayed 1 one 192.0.2.1 3 0 2 2 ");
	expect_words(fixture, "set server relayed/one health up;show stat relayed 4 1 typed",
		".status.1:SGP:str:UP\n");
	fixture->servers[1].track = "one";
	expect_words(
		fixture, "set server relayed/two health up", "cannot change health on a tracking server.\n");
	admin_fixture_destroy(fixture);
}

static void test_info_has_three_forms(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	expect_words(fixture, "show info", "Name: spliced\nVersion: ");
	expect_words(fixture, "show info desc", "Maxconn: 1000:\"Limit of client connections in force.\"\n");
	expect_words(fixture, "show info typed", "12.Maxconn.1:CLP:u32:1000\n");
	expect_words(fixture, "show info json",
		"[{\"field\":{\"pos\":0,\"name\":\"Name\"},\"processNum\":1,\"tags\":{\"origin\":\"Product\",");
	admin_fixture_destroy(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_split),
		cmocka_unit_test(test_an_empty_line_has_no_command),
		cmocka_unit_test(test_a_command_may_have_too_many_words),
		cmocka_unit_test(test_commands_answer),
		cmocka_unit_test(test_unknown_commands_get_help),
		cmocka_unit_test(test_every_command_is_refused_below_its_level),
		cmocka_unit_test(test_rows_are_in_order_and_complete),
		cmocka_unit_test(test_server_states_have_haproxys_numbers),
		cmocka_unit_test(test_health_can_be_forced),
		cmocka_unit_test(test_info_has_three_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
