/* Texts by hashes: whole, at the beginning, at the end, between delimiters. */
#include "rule_fixtures.h"

#include "rule/text_set.h"

static void texts_are_found_where_they_may_stand(void **state)
{
	static const struct {
		struct text_set_options options;
		const char *members[4], *text, *found;
	} rows[] = {
		{{TEXT_WHOLE, false, NULL}, {"a", "ab", "abc"}, "ab", "ab"},
		{{TEXT_WHOLE, false, NULL}, {"a", "ab"}, "abc", NULL},
		{{TEXT_WHOLE, false, NULL}, {"a", "ab"}, "AB", NULL},
		{{TEXT_WHOLE, true, NULL}, {"a", "aB"}, "Ab", "aB"},
		{{TEXT_WHOLE, true, NULL}, {"[", "{"}, "{", "{"},
		{{TEXT_WHOLE, false, NULL}, {"", "x"}, "", ""},
		{{TEXT_WHOLE, false, NULL}, {"x"}, "", NULL},
		{{TEXT_BEGINNING, false, NULL}, {"ex", "exam", "sample"}, "example", "exam"},
		{{TEXT_BEGINNING, false, NULL}, {"example.org"}, "example", NULL},
		{{TEXT_BEGINNING, false, NULL}, {"xample"}, "example", NULL},
		{{TEXT_BEGINNING, true, NULL}, {"EX"}, "example", "EX"},
		{{TEXT_END, false, NULL}, {".org", "example.org", "x"}, "www.example.org", "example.org"},
		{{TEXT_END, false, NULL}, {"example"}, "www.example.org", NULL},
		{{TEXT_END, true, NULL}, {".ORG"}, "www.example.org", ".ORG"},
		{{TEXT_BETWEEN, false, "."}, {"example"}, "www.example.org", "example"},
		{{TEXT_BETWEEN, false, "."}, {"example.org", "org"}, "www.example.org", "example.org"},
		{{TEXT_BETWEEN, false, "."}, {"www"}, "www.example.org", "www"},
		{{TEXT_BETWEEN, false, "."}, {"xample", "exampl", "org."}, "www.example.org", NULL},
		{{TEXT_BETWEEN, false, "/?"}, {"b"}, "/a/b?c", "b"},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct text_set *set = text_set_create(fixture.book.arena, &rows[i].options);
		for (size_t j = 0; j < 4 && rows[i].members[j] != NULL; j++)
			text_set_add(set, rows[i].members[j], strlen(rows[i].members[j]), rows[i].members[j]);
		text_set_finish(set);
		const char *found = text_set_find(set, rows[i].text, strlen(rows[i].text));
		if (found != rows[i].found &&
			(found == NULL || rows[i].found == NULL || strcmp(found, rows[i].found) != 0))
			fail_msg("row %zu: '%s'", i, found != NULL ? found : "nothing");
	}
	rule_fixture_release(&fixture);
}

static void the_first_of_equal_texts_stays(void **state)
{
	const struct text_set_options options = {TEXT_WHOLE, true, NULL};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	struct text_set *set = text_set_create(fixture.book.arena, &options);
	text_set_add(set, "One", 3, "first");
	text_set_add(set, "oNE", 3, "second");
	text_set_finish(set);
	assert_string_equal(text_set_find(set, "one", 3), "first");
	set = text_set_create(fixture.book.arena, &options);
	text_set_finish(set);
	assert_null(text_set_find(set, "one", 3));
	rule_fixture_release(&fixture);
}

static void a_hundred_thousand_texts_are_told_apart(void **state)
{
	enum { MEMBERS = 100000 };
	const struct text_set_options options = {TEXT_END, true, NULL};
	struct rule_fixture fixture;
	char text[64];
	(void)state;
	rule_fixture_init(&fixture);
	struct text_set *set = text_set_create(fixture.book.arena, &options);
	for (unsigned i = 0; i < MEMBERS; i++) {
		int len = snprintf(text, sizeof(text), ".host-%u.example", i);
		char *kept = arena_copy(fixture.book.arena, text);
		text_set_add(set, kept, (size_t)len, kept);
	}
	text_set_finish(set);
	for (unsigned i = 0; i < 2 * MEMBERS; i += 7) {
		int len = snprintf(text, sizeof(text), "www.HOST-%u.example", i);
		const char *found = text_set_find(set, text, (size_t)len);
		assert_int_equal(found != NULL, i < MEMBERS);
		if (found != NULL)
			assert_int_equal(strcasecmp(found, text + 3), 0);
	}
	rule_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_are_found_where_they_may_stand),
		cmocka_unit_test(the_first_of_equal_texts_stays),
		cmocka_unit_test(a_hundred_thousand_texts_are_told_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
