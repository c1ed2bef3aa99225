/* String builders: what fits is there, what does not is remembered. */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct cut_case {
	const char *name;
	size_t size;
	const char *first, *second, *expected;
	bool is_cut;
};

static const struct cut_case cut_cases[] = {
	{"two strings that fit stand one after the other", 16, "abc", "def", "abcdef", false},
	{"a text may fill its storage to the last byte", 7, "abc", "def", "abcdef", false},
	{"one byte too many is cut", 6, "abc", "def", "abcde", true},
	{"a full storage takes nothing more", 4, "abc", "def", "abc", true},
	{"storage of one byte holds the empty text", 1, "", "", "", false},
	{"storage of one byte cuts everything", 1, "a", "b", "", true},
	{"adding nothing to a full text is no cut", 4, "abc", "", "abc", false},
};

static void adding_is_bounded(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cut_cases); i++) {
		const struct cut_case *row = &cut_cases[i];
		char by_add[32], by_printf[32];
		struct text text;

		print_message("  %s\n", row->name);
		memset(by_add, 'x', sizeof(by_add));
		text_init(&text, by_add, row->size);
		text_add(&text, row->first);
		text_add(&text, row->second);
		assert_string_equal(by_add, row->expected);
		assert_int_equal(text.len, strlen(row->expected));
		assert_int_equal(text.is_cut, row->is_cut);
		assert_int_equal(by_add[row->size], 'x');

		memset(by_printf, 'x', sizeof(by_printf));
		text_init(&text, by_printf, row->size);
		text_printf(&text, "%s", row->first);
		text_printf(&text, "%s", row->second);
		assert_string_equal(by_printf, row->expected);
		assert_int_equal(text.len, strlen(row->expected));
		assert_int_equal(text.is_cut, row->is_cut);
		assert_int_equal(by_printf[row->size], 'x');
	}
}

static void characters_and_bytes_are_taken_as_they_are(void **state)
{
	char storage[8];
	struct text text;

	(void)state;
	text_init(&text, storage, sizeof(storage));
	text_add_char(&text, 'a');
	text_add_bytes(&text, "\0%s", 3);
	assert_int_equal(text.len, 4);
	assert_memory_equal(storage, "a\0%s", 5);
	assert_false(text.is_cut);
}

static void a_growing_text_keeps_everything(void **state)
{
	struct text_grow text;

	(void)state;
	text_grow_init(&text, 1 << 20);
	assert_null(text.start);
	for (unsigned i = 0; i < 10000; i++)
		text_grow_printf(&text, "%05u,", i);
	text_grow_add(&text, "end");
	assert_false(text.is_cut);
	assert_int_equal(text.len, 60003);
	assert_int_equal(strlen(text.start), 60003);
	assert_memory_equal(text.start + 6 * 1234, "01234,", 6);
	assert_string_equal(text.start + 60000, "end");
	text_grow_release(&text);
	assert_null(text.start);
}

static void a_growing_text_stops_at_its_bound(void **state)
{
	struct text_grow text;

	(void)state;
	text_grow_init(&text, 300);
	for (unsigned i = 0; i < 299; i++)
		text_grow_add(&text, "a");
	assert_false(text.is_cut);
	text_grow_add(&text, "b");
	assert_true(text.is_cut);
	text_grow_printf(&text, "%s", "");
	assert_int_equal(text.len, 299);
	assert_int_equal(strlen(text.start), 299);
	assert_true(text.size <= 300);
	text_grow_release(&text);

	text_grow_init(&text, 6);
	text_grow_printf(&text, "%s", "abcdefgh");
	assert_string_equal(text.start, "abcde");
	assert_true(text.is_cut);
	text_grow_add(&text, "x");
	assert_string_equal(text.start, "abcde");
	text_grow_release(&text);
}

static void a_growing_text_of_nothing_holds_nothing(void **state)
{
	struct text_grow text;

	(void)state;
	text_grow_init(&text, 0);
	text_grow_add(&text, "a");
	assert_true(text.is_cut);
	assert_int_equal(text.len, 0);
	text_grow_release(&text);
	text_grow_release(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding_is_bounded),
		cmocka_unit_test(characters_and_bytes_are_taken_as_they_are),
		cmocka_unit_test(a_growing_text_keeps_everything),
		cmocka_unit_test(a_growing_text_stops_at_its_bound),
		cmocka_unit_test(a_growing_text_of_nothing_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
