/* Loading configurations from text, with what was reported. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/config.h"

struct config_fixture {
	struct config *config; /* NULL: it was refused */
	char *messages;
	size_t messages_len;
};

static const char *const config_fixture_engines[] = {"auto", "copy", "sockmap", "splice", "uring", NULL};

/* The caller releases the fixture. */
static inline void config_fixture_load_bytes(struct config_fixture *fixture, const char *bytes, size_t len)
{
	const struct config_text text = {"test.cfg", bytes, len};
	struct config_options options = {.names = {config_fixture_engines}, .has_no_lookups = true};

	memset(fixture, 0, sizeof(*fixture));
	options.errors = open_memstream(&fixture->messages, &fixture->messages_len);
	assert_non_null(options.errors);
	if (config_load_text(&text, &options, &fixture->config) < 0)
		fixture->config = NULL;
	fclose(options.errors);
}

static inline void config_fixture_load(struct config_fixture *fixture, const char *text)
{
	config_fixture_load_bytes(fixture, text, strlen(text));
}

/* As above; the test fails unless the text is accepted. */
static inline struct config *config_fixture_accept(struct config_fixture *fixture, const char *text)
{
	config_fixture_load(fixture, text);
	if (fixture->config == NULL)
		fail_msg("refused:\n%s\n%s", text, fixture->messages);
	return fixture->config;
}

static inline void config_fixture_release(struct config_fixture *fixture)
{
	config_destroy(fixture->config);
	free(fixture->messages);
}
