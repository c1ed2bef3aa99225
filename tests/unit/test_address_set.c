/* Networks within each other and apart. */
#include "rule_fixtures.h"

#include "rule/address_set.h"

static void the_innermost_network_is_found(void **state)
{
	static const char *const members[][2] = {
		{"10.0.0.0/8", "eight"},
		{"10.1.0.0/16", "sixteen"},
		{"10.1.2.3", "one"},
		{"10.1.2.3/32", "again"},
		{"10.255.255.255", "last"},
		{"192.168.1.7/255.255.255.0", "mask"},
		{"255.255.255.255", "end"},
		{"2001:db8::/32", "six"},
		{"2001:db8:0:1::/64", "inner"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "very last"},
		{"::ffff:172.16.0.1/112", "mapped"},
		{"0.0.0.0/2", "quarter"},
	};
	static const char *const cases[][2] = {
		{"10.0.0.0", "eight"},
		{"9.255.255.255", "quarter"},
		{"64.0.0.0", NULL},
		{"10.1.0.0", "sixteen"},
		{"10.1.2.2", "sixteen"},
		{"10.1.2.3", "one"},
		{"10.1.2.4", "sixteen"},
		{"10.2.0.0", "eight"},
		{"10.255.255.255", "last"},
		{"11.0.0.0", "quarter"},
		{"192.168.1.0", "mask"},
		{"192.168.2.0", NULL},
		{"255.255.255.255", "end"},
		{"255.255.255.254", NULL},
		{"::ffff:10.1.2.3", "one"},
		{"172.16.77.1", "mapped"},
		{"2001:db8::1", "six"},
		{"2001:db8:0:1::1", "inner"},
		{"2001:db8:0:2::", "six"},
		{"2001:db9::", NULL},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "very last"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", NULL},
		{"::", NULL},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	struct address_set *set = address_set_create(fixture.book.arena);
	for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
		assert_int_equal(address_set_add(set, members[i][0], members[i][1]), 0);
	address_set_finish(set);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct endpoint address = rule_fixture_address(cases[i][0]);
		const char *found = address_set_find(set, &address);
		if ((found == NULL) != (cases[i][1] == NULL) ||
			(found != NULL && strcmp(found, cases[i][1]) != 0))
			fail_msg("%s is in '%s'", cases[i][0], found != NULL ? found : "nothing");
	}
	const struct endpoint local = {.family = AF_UNIX};
	assert_null(address_set_find(set, &local));
	rule_fixture_release(&fixture);
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const texts[] = {"", "/", "10", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1",
		"10.0.0.0/8x", "10.0.0.0/255.0.255.0", "::/129", "::/255.0.0.0", "host", "1.2.3.4:80",
		"1.2.3.4 "};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	struct address_set *set = address_set_create(fixture.book.arena);
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		if (address_set_add(set, texts[i], "") == 0)
			fail_msg("'%s' is accepted", texts[i]);
	}
	address_set_finish(set);
	struct endpoint address = rule_fixture_address("10.0.0.0");
	assert_null(address_set_find(set, &address));
	rule_fixture_release(&fixture);
}

/* The same answers as asking each network in turn. */
static void a_hundred_thousand_networks_are_told_apart(void **state)
{
	enum { MEMBERS = 100000, ASKED = 2000 };
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	struct address_set *set = address_set_create(fixture.book.arena);
	char text[64];
	/* 0.0.0.0/24 and every third one above it; in every ninth one address of its own. */
	for (unsigned i = 0; i < MEMBERS; i++) {
		unsigned network = 3 * i << 8;
		snprintf(text, sizeof(text), "%u.%u.%u.0/24", network >> 24, network >> 16 & 255,
			network >> 8 & 255);
		assert_int_equal(address_set_add(set, text, "net"), 0);
		snprintf(text, sizeof(text), "%u.%u.%u.7", network >> 24, network >> 16 & 255,
			network >> 8 & 255);
		if (i % 3 == 0)
			assert_int_equal(address_set_add(set, text, "host"), 0);
	}
	address_set_finish(set);
	for (unsigned i = 0; i < ASKED; i++) {
		unsigned network = i * 149, host = i % 2 ? 7 : 8;
		snprintf(text, sizeof(text), "%u.%u.%u.%u", network >> 16, network >> 8 & 255, network & 255,
			host);
		struct endpoint address = rule_fixture_address(text);
		const char *found = address_set_find(set, &address);
		const char *wanted = network % 3 != 0 || network >= 3 * MEMBERS ? NULL
			: network % 9 == 0 && host == 7                         ? "host"
										: "net";
		if ((found == NULL) != (wanted == NULL) || (found != NULL && strcmp(found, wanted) != 0))
			fail_msg("%s is in '%s'", text, found != NULL ? found : "nothing");
	}
	rule_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_innermost_network_is_found),
		cmocka_unit_test(what_is_no_network_is_refused),
		cmocka_unit_test(a_hundred_thousand_networks_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
