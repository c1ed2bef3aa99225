/* Intrusive doubly linked list with a sentinel.  A node that is in no list
 * points to itself, so removal is harmless when repeated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void list_init(struct list *list)
{
	list->next = list;
	list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

/* Adds at the tail. */
static inline void list_add(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Moves every node of source to the tail of head; source is empty afterwards. */
static inline void list_splice(struct list *head, struct list *source)
{
	if (list_is_empty(source))
		return;
	source->next->prev = head->prev;
	head->prev->next = source->next;
	source->prev->next = head;
	head->prev = source->prev;
	list_init(source);
}
