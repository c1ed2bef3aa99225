/* Intrusive lists keep order and forgive repeated removal. */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct item {
	char letter;
	struct list node;
};

static const char *letters(const struct list *head)
{
	static char line[16];
	size_t len = 0;

	for (const struct list *node = head->next; node != head; node = node->next) {
		const char *item = (const char *)node - offsetof(struct item, node);

		line[len++] = *item;
	}
	line[len] = '\0';
	return line;
}

static void nodes_are_added_at_the_tail_and_removed_anywhere(void **state)
{
	struct list head;
	struct item a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	list_add(&head, &a.node);
	list_add(&head, &b.node);
	list_add(&head, &c.node);
	assert_string_equal(letters(&head), "abc");
	assert_ptr_equal(container_of(head.next, struct item, node), &a);
	list_remove(&b.node);
	list_remove(&b.node);
	assert_string_equal(letters(&head), "ac");
	list_remove(&a.node);
	list_remove(&c.node);
	assert_true(list_is_empty(&head));
}

static void splicing_moves_everything(void **state)
{
	struct list head, source;
	struct item a = {.letter = 'a'}, b = {.letter = 'b'}, c = {.letter = 'c'};

	(void)state;
	list_init(&head);
	list_init(&source);
	list_splice(&head, &source);
	assert_true(list_is_empty(&head));
	list_add(&head, &a.node);
	list_add(&source, &b.node);
	list_add(&source, &c.node);
	list_splice(&head, &source);
	assert_string_equal(letters(&head), "abc");
	assert_true(list_is_empty(&source));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_are_added_at_the_tail_and_removed_anywhere),
		cmocka_unit_test(splicing_moves_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
