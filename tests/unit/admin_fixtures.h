/* A small instance without workers, for the tests of src/admin. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/admin_internal.h"
#include "admin/command.h"
#include "base/address.h"
#include "base/clock.h"

enum { ADMIN_FIXTURE_SERVERS = 3, ADMIN_FIXTURE_WORKERS = 2 };

/* "listen relayed" with servers one (weight 2), two, three (backup, disabled). */
struct admin_fixture {
	struct config config;
	struct config_proxy proxy;
	struct config_server servers[ADMIN_FIXTURE_SERVERS];
	struct instance instance;
	struct loop *loop;
	struct admin *admin;
	struct command_session session;
	struct command command;
	struct text_grow answer;
};

static inline struct address admin_fixture_address(const char *text)
{
	struct address_spec spec;
	struct address address;
	const char *reason = NULL;
	assert_int_equal(address_parse(text, &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, spec.port_first, &address), 0);
	return address;
}

static inline void admin_fixture_configure(struct admin_fixture *fixture)
{
	static const char *const names[] = {"one", "two", "three"};
	fixture->proxy = (struct config_proxy){
		.name = "relayed",
		.id = 2,
		.roles = CONFIG_ROLE_FRONTEND | CONFIG_ROLE_BACKEND,
		.servers = fixture->servers,
		.servers_count = ADMIN_FIXTURE_SERVERS,
		.maxconn = 100,
		.has_socket_stats = true,
	};
	for (unsigned i = 0; i < ADMIN_FIXTURE_SERVERS; i++) {
		fixture->servers[i] = (struct config_server){.name = names[i], .id = i + 1, .weight = 1};
		fixture->servers[i].address = admin_fixture_address("192.0.2.1:5432");
		fixture->servers[i].next = i + 1 < ADMIN_FIXTURE_SERVERS ? &fixture->servers[i + 1] : NULL;
	}
	fixture->servers[0].weight = 2;
	fixture->servers[2].is_backup = fixture->servers[2].is_disabled = true;
	fixture->config.proxies = &fixture->proxy;
	fixture->config.global.stats_maxconn = 4;
	fixture->config.global.stats_timeout_ms = 10000;
}

static inline void admin_fixture_open(struct admin_fixture *fixture)
{
	struct instance *instance = &fixture->instance;
	instance->config = &fixture->config;
	instance->control_loop = fixture->loop = loop_create();
	assert_non_null(fixture->loop);
	instance->loop_name = loop_backend_name(fixture->loop);
	instance->limits.maxconn = 1000;
	instance->started_ms = clock_monotonic_ms();
	instance->started_wall_us = clock_wall_us();
	assert_int_equal(
		frontend_create(&fixture->proxy, ADMIN_FIXTURE_WORKERS, 1000, &instance->frontends), 0);
	assert_int_equal(backend_create(&fixture->proxy, ADMIN_FIXTURE_WORKERS, &instance->backends), 0);
	assert_int_equal(admin_create(instance, &fixture->admin), 0);
	fixture->session.level = CONFIG_LEVEL_ADMIN;
	text_grow_init(&fixture->answer, 1 << 20);
	fixture->command.admin = fixture->admin;
	fixture->command.session = &fixture->session;
	fixture->command.out = &fixture->answer;
}

static inline struct admin_fixture *admin_fixture_create(void)
{
	struct admin_fixture *fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	admin_fixture_configure(fixture);
	admin_fixture_open(fixture);
	return fixture;
}

static inline void admin_fixture_destroy(struct admin_fixture *fixture)
{
	text_grow_release(&fixture->answer);
	admin_destroy(fixture->admin);
	backend_destroy(fixture->instance.backends);
	frontend_destroy(fixture->instance.frontends);
	loop_destroy(fixture->loop);
	free(fixture);
}

/* Runs every command of the line to its end; the answer stays until the next call. */
static inline const char *admin_fixture_ask(struct admin_fixture *fixture, const char *line)
{
	char copy[COMMAND_LINE_MAX];
	char *rest = copy;
	snprintf(copy, sizeof(copy), "%s", line);
	fixture->answer.len = 0;
	while (command_line_next(&rest, fixture->command.words, &fixture->command.words_count)) {
		enum command_progress progress = COMMAND_MORE;
		command_start(&fixture->command);
		while (progress == COMMAND_MORE)
			progress = command_advance(&fixture->command);
		assert_int_equal(progress, COMMAND_DONE);
	}
	if (fixture->answer.len == 0)
		return "";
	return fixture->answer.start;
}
