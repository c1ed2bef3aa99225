/* Up to the first line feed the input is the words of an acl, behind it what the client
 * has sent: it is refused with a sentence, or answered, and the answer to the bytes at
 * their end is yes or no. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "rule/acl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = 4096, WORDS_MAX = 64 };

static unsigned split(char *line, const char **words)
{
	unsigned count = 0;
	char *word;
	while (count < WORDS_MAX && (word = strsep(&line, " ")) != NULL) {
		if (*word != '\0')
			words[count++] = word;
	}
	words[count] = NULL;
	return count;
}

/* An anonymous acl of these words, as a condition. */
static struct rule_condition *compile(struct rule_book *book, char *line)
{
	const char *words[WORDS_MAX + 4] = {"if", "x"}, *acl_words[WORDS_MAX + 1];
	char storage[256];
	struct text complaint;
	struct rule_condition *condition = NULL;
	text_init(&complaint, storage, sizeof(storage));
	/* A line that begins so is a condition as a whole. */
	if (strncmp(line, "if ", 3) == 0 || strncmp(line, "unless ", 7) == 0)
		split(line, words);
	else if (split(line, acl_words) == 0 || rule_acl_add(book, "x", acl_words, &complaint) < 0)
		return NULL;
	if (words[0] == NULL || rule_condition_parse(book, words, &condition, &complaint) < 0) {
		CHECK(words[0] == NULL || complaint.len > 0);
		return NULL;
	}
	return condition;
}

static void ask(
	const struct rule_condition *condition, const uint8_t *bytes, size_t len, struct rule_room *room)
{
	struct rule_facts facts = {.room = room, .bytes = bytes, .len = len, .listener_name = "listener"};
	facts.source.family = AF_INET;
	facts.source.ip[0] = 10;
	facts.destination.family = AF_INET6;
	(void)rule_condition_evaluate(condition, &facts);
	facts.is_final = true;
	facts.has_hello = false;
	CHECK(rule_condition_evaluate(condition, &facts) != RULE_LATER);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *end = memchr(bytes, '\n', len);
	size_t line_len = end != NULL ? (size_t)(end - bytes) : len;
	if (len > INPUT_MAX || memchr(bytes, '\0', line_len) != NULL)
		return 0;
	struct rule_book book = {.arena = arena_create(), .has_no_files = true};
	struct rule_room *room = rule_room_create();
	CHECK(book.arena != NULL && room != NULL);
	if (setjmp(book.arena->on_exhausted) == 0) {
		char *line = arena_copy_bytes(book.arena, (const char *)bytes, line_len);
		struct rule_condition *condition = compile(&book, line);
		if (condition != NULL && end != NULL)
			ask(condition, end + 1, len - line_len - 1, room);
	}
	rule_room_destroy(room);
	arena_destroy(book.arena);
	return 0;
}
