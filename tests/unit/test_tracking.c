/* Servers that follow others, and who is told of changes. */
#include "backend/backend.h"

#include "backend_fixtures.h"
#include "base/status.h"

static struct backend_fixture first, second;
static char told[256];

static void on_server_event(struct server *server, enum server_event event, void *context)
{
	char *end = told + strlen(told);
	assert_ptr_equal(context, told);
	snprintf(end, sizeof(told) - (size_t)(end - told), "%s%s%s ", server->backend->config->name,
		server->config->name, event == SERVER_WENT_AWAY ? "-" : "+");
}

static void expect_told(const char *events)
{
	assert_string_equal(told, events);
	told[0] = '\0';
}

/* b/s1 and c/s0 track b/s0; c/s1 tracks c/s0. */
static int tracking_open(void **state)
{
	(void)state;
	backend_fixture_init(&first, CONFIG_BALANCE_ROUNDROBIN, 3);
	backend_fixture_init(&second, CONFIG_BALANCE_ROUNDROBIN, 3);
	second.proxy.name = "c";
	first.servers[1].tracked = &first.servers[0];
	second.servers[0].tracked = &first.servers[0];
	second.servers[1].tracked = &second.servers[0];
	backend_fixture_open(&first);
	backend_fixture_open(&second);
	first.backend->next = second.backend;
	backends_link_tracking(first.backend);
	struct backend_fixture *const both[] = {&first, &second};
	for (unsigned i = 0; i < 2; i++) {
		both[i]->backend->on_server_event = on_server_event;
		both[i]->backend->event_context = told;
	}
	told[0] = '\0';
	return 0;
}

static int tracking_close(void **state)
{
	(void)state;
	backend_fixture_close(&first);
	backend_fixture_close(&second);
	return 0;
}

static void health_is_followed_through_chains(void **state)
{
	(void)state;
	server_set_up(backend_fixture_server(&first, 0), false);
	expect_told("bs0- cs0- cs1- bs1- ");
	assert_string_equal(server_state_name(backend_fixture_server(&second, 1)), "DOWN");
	assert_true(server_is_usable(backend_fixture_server(&second, 2)));
	assert_int_equal(backend_fixture_choose(&second, NULL), 2);
	assert_int_equal(backend_fixture_server(&second, 1)->down_count, 1);
	server_set_up(backend_fixture_server(&first, 0), false);
	expect_told("");
	server_set_up(backend_fixture_server(&first, 0), true);
	expect_told("bs0+ cs0+ cs1+ bs1+ ");
	assert_string_equal(server_state_name(backend_fixture_server(&second, 1)), "UP");
}

/* The worse of its own and the tracked one's. */
static void its_own_state_counts_too(void **state)
{
	struct server *tracker = backend_fixture_server(&first, 1);
	(void)state;
	server_set_admin(tracker, SERVER_DRAIN);
	expect_told("");
	server_set_admin(backend_fixture_server(&first, 0), SERVER_MAINT);
	assert_string_equal(server_state_name(tracker), "MAINT");
	expect_told("bs0- cs0- cs1- bs1- ");
	server_set_admin(backend_fixture_server(&first, 0), SERVER_READY);
	assert_string_equal(server_state_name(tracker), "DRAIN");
	server_set_admin(tracker, SERVER_MAINT);
	server_set_admin(backend_fixture_server(&first, 0), SERVER_MAINT);
	server_set_admin(tracker, SERVER_READY);
	assert_string_equal(server_state_name(tracker), "MAINT");
	server_set_admin(backend_fixture_server(&first, 0), SERVER_READY);
	assert_string_equal(server_state_name(tracker), "no check");
}

static void what_is_tracked_counts_from_the_start(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 2);
	fixture.servers[0].is_disabled = true;
	fixture.servers[1].tracked = &fixture.servers[0];
	backend_fixture_open(&fixture);
	backends_link_tracking(fixture.backend);
	assert_string_equal(server_state_name(backend_fixture_server(&fixture, 1)), "MAINT");
	assert_false(backend_has_usable(fixture.backend));
	backend_fixture_close(&fixture);
}

static void drain_and_weight_are_no_events(void **state)
{
	struct server *server = backend_fixture_server(&second, 2);
	(void)state;
	server_set_admin(server, SERVER_DRAIN);
	server_set_weight(server, 0);
	server_set_weight(server, 1);
	server_set_admin(server, SERVER_READY);
	expect_told("");
	server_set_admin(server, SERVER_MAINT);
	server_set_up(server, false);
	expect_told("cs2- ");
	server_set_admin(server, SERVER_READY);
	expect_told("");
	server_set_up(server, true);
	expect_told("cs2+ ");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, tracking_open, tracking_close)
	const struct CMUnitTest tests[] = {
		CASE(health_is_followed_through_chains),
		CASE(its_own_state_counts_too),
		CASE(what_is_tracked_counts_from_the_start),
		CASE(drain_and_weight_are_no_events),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
