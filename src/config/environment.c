/* An overlay over getenv(3). */
#include "config/environment.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 256 };

struct environment_entry {
	struct environment_entry *next;
	const char *name;
	const char *value; /* NULL: hidden */
};

const char *environment_get(const struct environment *environment, const char *name, size_t len)
{
	char terminated[NAME_BYTES_MAX];

	for (const struct environment_entry *entry = environment->entries; entry != NULL;
		entry = entry->next) {
		if (strlen(entry->name) == len && memcmp(entry->name, name, len) == 0)
			return entry->value;
	}
	if (environment->is_process_hidden || len >= sizeof(terminated))
		return NULL;
	memcpy(terminated, name, len);
	terminated[len] = '\0';
	return getenv(terminated);
}

void environment_set(
	struct environment *environment, struct arena *arena, const char *name, const char *value)
{
	struct environment_entry *entry;

	for (entry = environment->entries; entry != NULL; entry = entry->next) {
		if (strcmp(entry->name, name) == 0)
			break;
	}
	if (entry == NULL) {
		entry = arena_alloc(arena, sizeof(*entry));
		entry->name = arena_copy(arena, name);
		entry->next = environment->entries;
		environment->entries = entry;
	}
	entry->value = value == NULL ? NULL : arena_copy(arena, value);
}

void environment_reset(
	struct environment *environment, struct arena *arena, const char *const *kept, unsigned count)
{
	struct environment next = {.is_process_hidden = true};

	for (unsigned i = 0; i < count; i++) {
		const char *value = environment_get(environment, kept[i], strlen(kept[i]));

		if (value != NULL)
			environment_set(&next, arena, kept[i], value);
	}
	*environment = next;
}
