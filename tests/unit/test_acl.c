/* Conditions: what holds, what does not, and what cannot be said yet. */
#include "rule_fixtures.h"

#include <unistd.h>

static enum rule_answer ask(struct rule_fixture *fixture, const char *line)
{
	const char *words[64];
	struct rule_condition *condition;
	rule_fixture_split(fixture, line, words);
	if (rule_condition_parse(&fixture->book, words, &condition, &fixture->complaint) < 0)
		fail_msg("'%s' is refused: %s", line, fixture->words);
	return rule_condition_evaluate(condition, &fixture->facts);
}

static void add(struct rule_fixture *fixture, const char *line)
{
	const char *words[64];
	rule_fixture_split(fixture, line, words);
	if (rule_acl_add(&fixture->book, words[0], words + 1, &fixture->complaint) < 0)
		fail_msg("'%s' is refused: %s", line, fixture->words);
}

struct row {
	const char *line;
	enum rule_answer answer;
};

static void assert_rows(struct rule_fixture *fixture, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		enum rule_answer answer = ask(fixture, rows[i].line);
		if (answer != rows[i].answer)
			fail_msg("'%s' is answered by %u", rows[i].line, answer);
	}
}

static void terms_are_joined_as_they_are_written(void **state)
{
	static const struct row rows[] = {
		{"if TRUE", RULE_YES},
		{"if FALSE", RULE_NO},
		{"unless TRUE", RULE_NO},
		{"unless FALSE", RULE_YES},
		{"if !FALSE", RULE_YES},
		{"if ! FALSE", RULE_YES},
		{"if !!TRUE", RULE_YES},
		{"if ! ! FALSE", RULE_NO},
		{"if TRUE TRUE", RULE_YES},
		{"if TRUE FALSE", RULE_NO},
		{"if FALSE or TRUE", RULE_YES},
		{"if TRUE FALSE || FALSE TRUE", RULE_NO},
		{"if TRUE FALSE || TRUE !FALSE", RULE_YES},
		{"if { always_true }", RULE_YES},
		{"if !{ always_true }", RULE_NO},
		{"if ! { always_true } or { always_true }", RULE_YES},
		{"if inside", RULE_YES},
		{"if outside", RULE_NO},
		{"if inside port", RULE_YES},
		{"if !inside || !port", RULE_NO},
		{"if either", RULE_YES},
		{"if !either", RULE_NO},
		{"if LOCALHOST", RULE_NO},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	fixture.facts.source = rule_fixture_address("10.1.2.3");
	fixture.facts.source.port = 8000;
	add(&fixture, "inside src 10.0.0.0/8 192.168.0.0/16");
	add(&fixture, "outside src 172.16.0.0/12");
	add(&fixture, "port src_port gt 1023 lt 10");
	add(&fixture, "either src 1.2.3.4");
	add(&fixture, "either src_port 8000");
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	rule_fixture_release(&fixture);
}

static void every_way_to_compare_compares(void **state)
{
	static const struct row rows[] = {
		{"if { src 10.1.0.0/16 }", RULE_YES},
		{"if { src -m str 10.1.2.3 }", RULE_YES},
		{"if { src -m beg 10.1. }", RULE_YES},
		{"if { src -m reg ^10\\.\\d\\.2 }", RULE_YES},
		{"if { src_port 8000 }", RULE_YES},
		{"if { src_port -m str 8000 }", RULE_YES},
		{"if { src_port 1024:65535 }", RULE_YES},
		{"if { src_port -m bool }", RULE_YES},
		{"if { str(10.0.0.1) -m ip 10.0.0.0/8 }", RULE_YES},
		{"if { str(10.0.0) -m ip 10.0.0.0/8 }", RULE_NO},
		{"if { str(17) -m int ge 17 }", RULE_YES},
		{"if { str(17x) -m int ge 17 }", RULE_NO},
		{"if { str(-3) -m int -5:-1 }", RULE_YES},
		{"if { str(abc) abc }", RULE_YES},
		{"if { str(abc) ABC }", RULE_NO},
		{"if { str(abc) -i ABC }", RULE_YES},
		{"if { str(abc) -m beg -i AB }", RULE_YES},
		{"if { str(abc) -m end bc }", RULE_YES},
		{"if { str(abc) -m sub b }", RULE_YES},
		{"if { str(abc) -m sub B }", RULE_NO},
		{"if { str(abc) -m sub -i BC }", RULE_YES},
		{"if { str(abc) -m sub -i BCD }", RULE_NO},
		{"if { str(a.bc.d) -m dom bc }", RULE_YES},
		{"if { str(a.bc.d) -m dir bc }", RULE_NO},
		{"if { str(a/bc/d) -m dir bc }", RULE_YES},
		{"if { str(abc) -m reg b.$ }", RULE_YES},
		{"if { str(abc) -m reg B }", RULE_NO},
		{"if { str(abc) -m reg -i B }", RULE_YES},
		{"if { str(abc) -m len 3 }", RULE_YES},
		{"if { str(abc) -m len gt 3 }", RULE_NO},
		{"if { str(abc) -m bin 616263 }", RULE_YES},
		{"if { str(abc) -m bin 6162 }", RULE_NO},
		{"if { str(abc) -m found }", RULE_YES},
		{"if { be_name -m found }", RULE_NO},
		{"if { str(abc) -- -m }", RULE_NO},
		{"if { str(-m) -- -m }", RULE_YES},
		{"if { str(abc) -- }", RULE_NO},
		{"if { str(abc),upper ABC }", RULE_YES},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	fixture.facts.source = rule_fixture_address("10.1.2.3");
	fixture.facts.source.port = 8000;
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	rule_fixture_release(&fixture);
}

static void what_more_bytes_may_change_is_answered_later(void **state)
{
	static const struct row rows[] = {
		{"if { req.len gt 5 }", RULE_LATER},
		{"if { req.len gt 2 }", RULE_YES},
		{"if !{ req.len gt 2 }", RULE_NO},
		{"if !{ req.len gt 5 }", RULE_LATER},
		{"unless { req.len gt 5 }", RULE_LATER},
		{"if WAIT_END", RULE_LATER},
		{"if !WAIT_END", RULE_LATER},
		{"if REQ_CONTENT", RULE_YES},
		{"if { req.ssl_sni a }", RULE_LATER},
		{"if { req.ssl_sni a } FALSE", RULE_LATER},
		{"if FALSE { req.ssl_sni a }", RULE_NO},
		{"if { req.ssl_sni a } or TRUE", RULE_YES},
		{"if { req.ssl_sni a } or FALSE", RULE_LATER},
		{"if { req.rdp_cookie a }", RULE_NO},
	};
	static const struct row at_the_end[] = {
		{"if { req.len gt 5 }", RULE_NO},
		{"if !{ req.len gt 5 }", RULE_YES},
		{"if WAIT_END", RULE_YES},
		{"if { req.ssl_sni a }", RULE_NO},
		{"unless { req.ssl_sni a }", RULE_YES},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	rule_fixture_see(&fixture, "\x16\x03\x01", 3, false);
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	rule_fixture_see(&fixture, "\x16\x03\x01", 3, true);
	assert_rows(&fixture, at_the_end, ARRAY_LENGTH(at_the_end));
	rule_fixture_release(&fixture);
}

static void lists_come_from_files_and_values_together(void **state)
{
	char path[] = "/tmp/list.XXXXXX", line[128];
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	FILE *file = fdopen(mkstemp(path), "w");
	assert_non_null(file);
	for (unsigned i = 0; i < 100000; i++)
		fprintf(file, "10.%u.%u.%u/31\n", i >> 15, i >> 7 & 255, (i << 1 & 255));
	fclose(file);
	snprintf(line, sizeof(line), "listed src -f %s 192.0.2.0/24", path);
	add(&fixture, line);
	unlink(path);
	fixture.facts.source = rule_fixture_address("10.3.13.7");
	assert_int_equal(ask(&fixture, "if listed"), RULE_YES);
	fixture.facts.source = rule_fixture_address("10.3.255.7");
	assert_int_equal(ask(&fixture, "if listed"), RULE_NO);
	fixture.facts.source = rule_fixture_address("192.0.2.9");
	assert_int_equal(ask(&fixture, "if listed"), RULE_YES);
	rule_fixture_release(&fixture);
}

/* One that would take for ever is given up, and does not match. */
static void a_greedy_expression_is_given_up(void **state)
{
	static char text[4000];
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	memset(text, 'a', sizeof(text));
	rule_fixture_see(&fixture, text, sizeof(text), true);
	assert_int_equal(ask(&fixture, "if { req.payload(0,0) -m reg ^(a+)+b$ }"), RULE_NO);
	rule_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(terms_are_joined_as_they_are_written),
		cmocka_unit_test(every_way_to_compare_compares),
		cmocka_unit_test(what_more_bytes_may_change_is_answered_later),
		cmocka_unit_test(lists_come_from_files_and_values_together),
		cmocka_unit_test(a_greedy_expression_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
