/* What becomes of values, and maps from files. */
#include "rule_fixtures.h"

#include <unistd.h>

/* The expression's value as text, "-" for none. */
static const char *ask(struct rule_fixture *fixture, const char *text)
{
	static char storage[256];
	struct rule_expression *expression;
	struct sample sample;
	text_init(&fixture->complaint, fixture->words, sizeof(fixture->words));
	if (rule_expression_parse(&fixture->book, text, &expression, &fixture->complaint) < 0)
		return fixture->words;
	if (!rule_expression_evaluate(expression, &fixture->facts, &sample))
		return "-";
	sample_to_text(&sample, fixture->facts.room);
	snprintf(storage, sizeof(storage), "%.*s", (int)sample.len, sample.text);
	return storage;
}

static void assert_rows(struct rule_fixture *fixture, const char *const (*rows)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = ask(fixture, rows[i][0]);
		if (strcmp(got, rows[i][1]) != 0)
			fail_msg("%s is '%s', not '%s'", rows[i][0], got, rows[i][1]);
	}
}

static void values_become_others(void **state)
{
	static const char *const rows[][2] = {
		{"str(A[bZ{9),lower", "a[bz{9"},
		{"str(a[Bz{9),upper", "A[BZ{9"},
		{"str(aB),upper,lower,upper", "AB"},
		{"str(.),field(1,.),length", "0"},
		{"str(abc),len", "3"},
		{"src,length", "9"},
		{"int(1234),length", "4"},
		{"str(a.b..c),field(1,.)", "a"},
		{"str(a.b..c),field(3,.)", ""},
		{"str(a.b..c),field(4,.)", "c"},
		{"str(a.b..c),field(5,.)", "-"},
		{"str(a.b..c),field(-1,.)", "c"},
		{"str(a.b..c),field(-4,.)", "a"},
		{"str(a.b..c),field(-5,.)", "-"},
		{"str(a.b:c),field(3,.:)", "c"},
		{"str(.a..b.),word(1,.)", "a"},
		{"str(.a..b.),word(2,.)", "b"},
		{"str(.a..b.),word(3,.)", "-"},
		{"str(.a..b.),word(-1,.)", "b"},
		{"str('a,b'),field(2,',')", "b"},
		{"str(abcdef),bytes(2)", "cdef"},
		{"str(abcdef),bytes(2,3)", "cde"},
		{"str(abcdef),bytes(2,30)", "cdef"},
		{"str(abcdef),bytes(6)", "-"},
		{"src,ipmask(24)", "192.0.2.0"},
		{"src,ipmask(0)", "0.0.0.0"},
		{"src,ipmask(32)", "192.0.2.1"},
		{"src,ipmask(31)", "192.0.2.0"},
		{"dst,ipmask(24)", "2001:db8::1"},
		{"dst,ipmask(24,32)", "2001:db8::"},
		{"dst,ipmask(24,33),upper", "2001:DB8::"},
		/* refused */
		{"str(a),field(0,.)", "'field' takes <index>,<delimiters> in parentheses"},
		{"str(a),field(1)", "'field' takes <index>,<delimiters> in parentheses"},
		{"str(a),lower(1)", "'lower' takes no arguments"},
		{"str(a),ipmask(24)", "'ipmask' is for an address, and here it would get a text"},
		{"src,ipmask(33)", "'ipmask' takes <bits>[,<bits for IPv6>] in parentheses"},
		{"str(a),lowr", "there is no converter 'lowr', did you mean 'lower'?"},
		{"str(a),", "a name is missing"},
		{"str(a)b", "'b' stands behind the arguments of 'str'"},
		{"str(a,b,c,d,e)", "'str' has too many arguments"},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	fixture.facts.source = rule_fixture_address("192.0.2.1");
	fixture.facts.destination = rule_fixture_address("2001:db8::1");
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	rule_fixture_release(&fixture);
}

static void a_text_that_is_too_long_is_none(void **state)
{
	static char bytes[RULE_TEXT_BYTES_MAX + 1];
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	memset(bytes, 'A', sizeof(bytes));
	rule_fixture_see(&fixture, bytes, sizeof(bytes), true);
	assert_string_equal(ask(&fixture, "req.payload(0,0),length"), "16385");
	assert_string_equal(ask(&fixture, "req.payload(0,0),lower,length"), "-");
	assert_string_equal(ask(&fixture, "req.payload(1,0),lower,length"), "16384");
	rule_fixture_release(&fixture);
}

static void file_write(char *path, const char *text)
{
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void maps_give_what_their_files_have(void **state)
{
	static const char *const cases[][3] = {
		{"str(www.example.org),map(%s)", "www.example.org  one way \n", "one way"},
		{"str(www.example.org),map_str(%s)", "# a\n\n\twww.example.org\tone", "one"},
		{"str(www.example.org),map(%s)", "example.org one\n", "-"},
		{"str(www.example.org),map(%s,other)", "example.org one\n", "other"},
		{"str(www.example.org),map(%s,other)", "www.example.org\n", ""},
		{"str(www.example.org),map_end(%s)", ".org one\n.example.org two\n", "two"},
		{"str(www.example.org),map_beg(%s)", "www. one\nw two\n", "one"},
		{"str(www.example.org),map_dom(%s)", "example one\n", "one"},
		{"str(www.example.org),map_sub(%s)", "xampl one\nexample two\n", "one"},
		{"str(www.example.org),map_reg(%s)", "^\\w{4}\\. one\n^\\w{3}\\. two\n", "two"},
		{"src,map_ip(%s)", "192.0.0.0/16 one\n192.0.2.0/24 two\n", "two"},
		{"src,map_ip(%s,none)", "193.0.0.0/16 one\n", "none"},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	fixture.facts.source = rule_fixture_address("192.0.2.1");
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		char path[] = "/tmp/map.XXXXXX", text[128];
		file_write(path, cases[i][1]);
		snprintf(text, sizeof(text), cases[i][0], path);
		const char *got = ask(&fixture, text);
		if (strcmp(got, cases[i][2]) != 0)
			fail_msg("%s is '%s', not '%s'", text, got, cases[i][2]);
		unlink(path);
	}
	rule_fixture_release(&fixture);
}

static void mistakes_in_files_are_named_with_their_line(void **state)
{
	char path[] = "/tmp/map.XXXXXX", text[128], wanted[256];
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	file_write(path, "10.0.0.0/8 a\n# more\n10.0.0.0/80 b\n");
	snprintf(text, sizeof(text), "src,map_ip(%s)", path);
	snprintf(wanted, sizeof(wanted),
		"line 3 of '%s': '10.0.0.0/80' is not an IP address or a network (names are not looked up)",
		path);
	assert_string_equal(ask(&fixture, text), wanted);
	unlink(path);
	snprintf(wanted, sizeof(wanted), "cannot read the file '%s': No such file or directory", path);
	assert_string_equal(ask(&fixture, text), wanted);
	assert_string_equal(
		ask(&fixture, "src,map_ip(/dev/zero)"), "'/dev/zero' is not a plain file of up to 64 MiB");
	rule_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_become_others),
		cmocka_unit_test(a_text_that_is_too_long_is_none),
		cmocka_unit_test(maps_give_what_their_files_have),
		cmocka_unit_test(mistakes_in_files_are_named_with_their_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
