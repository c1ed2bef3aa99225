/* String builders: over the caller's storage, and growing ones for the control plane. */
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { GROW_BYTES_FIRST = 256 };

void text_init(struct text *text, char *storage, size_t size)
{
	CHECK(size > 0);
	text->start = storage;
	text->size = size;
	text->len = 0;
	text->is_cut = false;
	storage[0] = '\0';
}

void text_add(struct text *text, const char *string)
{
	text_add_bytes(text, string, strlen(string));
}

void text_add_bytes(struct text *text, const char *bytes, size_t len)
{
	size_t room = text->size - text->len - 1;

	if (len > room) {
		len = room;
		text->is_cut = true;
	}
	if (len == 0)
		return;
	memcpy(text->start + text->len, bytes, len);
	text->len += len;
	text->start[text->len] = '\0';
}

void text_add_char(struct text *text, char character)
{
	text_add_bytes(text, &character, 1);
}

void text_printf(struct text *text, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	text_vprintf(text, format, arguments);
	va_end(arguments);
}

void text_vprintf(struct text *text, const char *format, va_list arguments)
{
	size_t room = text->size - text->len;
	int wanted = vsnprintf(text->start + text->len, room, format, arguments);

	CHECK(wanted >= 0);
	if ((size_t)wanted >= room) {
		text->is_cut = true;
		text->len = text->size - 1;
		return;
	}
	text->len += (size_t)wanted;
}

void text_grow_init(struct text_grow *text, size_t bytes_max)
{
	*text = (struct text_grow){.bytes_max = bytes_max};
}

/* Makes room for len more bytes and the terminator.  Returns how many of the len
 * bytes may be added; remembers a cut when that is fewer. */
static size_t grow_reserve(struct text_grow *text, size_t len)
{
	size_t needed, size = text->size ? text->size : GROW_BYTES_FIRST;
	char *start;

	if (text->is_cut || text->bytes_max == 0)
		goto cut;
	if (len > text->bytes_max - text->len - 1) {
		len = text->bytes_max - text->len - 1;
		text->is_cut = true;
	}
	needed = text->len + len + 1;
	if (needed <= text->size)
		return len;

	while (size < needed)
		size *= 2;
	if (size > text->bytes_max)
		size = text->bytes_max;
	start = realloc(text->start, size);
	if (!start)
		goto cut;
	text->start = start;
	text->size = size;
	return len;
cut:
	text->is_cut = true;
	return 0;
}

void text_grow_add(struct text_grow *text, const char *string)
{
	text_grow_add_bytes(text, string, strlen(string));
}

void text_grow_add_bytes(struct text_grow *text, const char *bytes, size_t len)
{
	size_t fitting = grow_reserve(text, len);

	if (!text->start)
		return;
	if (fitting > 0)
		memcpy(text->start + text->len, bytes, fitting);
	text->len += fitting;
	text->start[text->len] = '\0';
}

void text_grow_printf(struct text_grow *text, const char *format, ...)
{
	va_list arguments, again;
	size_t fitting;
	int wanted;

	va_start(arguments, format);
	va_copy(again, arguments);
	wanted = vsnprintf(NULL, 0, format, arguments);
	CHECK(wanted >= 0);
	fitting = grow_reserve(text, (size_t)wanted);
	if (fitting > 0)
		(void)vsnprintf(text->start + text->len, fitting + 1, format, again);
	text->len += fitting;
	va_end(again);
	va_end(arguments);
}

void text_grow_release(struct text_grow *text)
{
	if (!text)
		return;
	free(text->start);
	*text = (struct text_grow){.bytes_max = text->bytes_max};
}
