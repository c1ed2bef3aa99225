/* An arena, a book and facts to evaluate rules with. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include <cmocka.h>

#include "rule/acl.h"
#include "rule/expression.h"
#include "rule/pattern.h"

struct rule_fixture {
	struct rule_book book;
	struct rule_facts facts;
	char words[512]; /* the last complaint */
	struct text complaint;
};

static inline void rule_fixture_init(struct rule_fixture *fixture)
{
	memset(fixture, 0, sizeof(*fixture));
	fixture->book.arena = arena_create();
	assert_non_null(fixture->book.arena);
	if (setjmp(fixture->book.arena->on_exhausted) != 0)
		abort();
	fixture->facts.room = rule_room_create();
	assert_non_null(fixture->facts.room);
	fixture->facts.bytes = (const uint8_t *)"";
	text_init(&fixture->complaint, fixture->words, sizeof(fixture->words));
}

static inline void rule_fixture_release(struct rule_fixture *fixture)
{
	rule_room_destroy(fixture->facts.room);
	arena_destroy(fixture->book.arena);
}

static inline void rule_fixture_see(
	struct rule_fixture *fixture, const void *bytes, size_t len, bool is_final)
{
	fixture->facts.bytes = bytes;
	fixture->facts.len = len;
	fixture->facts.is_final = is_final;
	fixture->facts.has_hello = false;
	fixture->facts.is_length_asked = false;
}

static inline struct endpoint rule_fixture_address(const char *text)
{
	struct endpoint endpoint = {.family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET};
	assert_int_equal(inet_pton(endpoint.family, text, endpoint.ip), 1);
	return endpoint;
}

/* Parts the line at blanks; the words live in the arena.  Returns their number. */
static inline unsigned rule_fixture_split(struct rule_fixture *fixture, const char *line, const char **words)
{
	char *copy = arena_copy(fixture->book.arena, line), *word;
	unsigned count = 0;
	while ((word = strsep(&copy, " ")) != NULL)
		words[count++] = word;
	words[count] = NULL;
	return count;
}
