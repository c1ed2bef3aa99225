/* Checks of a backend's servers: what results, sessions and the operator do to them.
 * s0 and s1 are checked at a port that nobody listens on, s2 follows s0. */
#include "check/check.h"

#include "backend_fixtures.h"

#include <errno.h>

#include "base/status.h"

enum { PASSES_MAX = 3000 };

static struct backend_fixture fixture;
static struct config config;
static struct loop *loop;
static struct checks *checks;

static void server_configure(struct config_server *server)
{
	server->check = (struct config_check){.is_on = true,
		.inter_ms = 60000,
		.rise = 2,
		.fall = 3,
		.errors_max = 2,
		.is_observing = true,
		.eject_ms = 60000,
		.eject_max_ms = 60000};
	server->address = (struct address){.len = sizeof(struct sockaddr_in)};
	server->address.v4.sin_family = AF_INET;
	server->address.v4.sin_port = htons(1);
	server->address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}

static void checks_open(void)
{
	config.proxies = &fixture.proxy;
	fixture.proxy.roles = CONFIG_ROLE_BACKEND;
	backend_fixture_open(&fixture);
	backends_link_tracking(fixture.backend);
	loop = loop_create();
	assert_non_null(loop);
	assert_int_equal(checks_create(fixture.backend, &config, loop, &checks), 0);
}

static int checks_setup(void **state)
{
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 3);
	fixture.proxy.check.ejected_percent_max = 50;
	server_configure(&fixture.servers[0]);
	server_configure(&fixture.servers[1]);
	fixture.servers[2].tracked = &fixture.servers[0];
	fixture.servers[2].track = "s0";
	return 0;
}

static int checks_close(void **state)
{
	(void)state;
	loop_run_once(loop, 0);
	checks_destroy(checks);
	loop_destroy(loop);
	backend_fixture_close(&fixture);
	return 0;
}

static struct server *server_at(unsigned index)
{
	return backend_fixture_server(&fixture, index);
}

static const char *state_of(unsigned index)
{
	static char text[32];
	check_state_print(server_at(index), text, sizeof(text));
	return text;
}

static struct check_view view_of(unsigned index)
{
	struct check_view view;
	assert_true(check_view(server_at(index), CHECK_HEALTH, &view));
	return view;
}

static void run_until(unsigned index, const char *state)
{
	for (unsigned i = 0; i < PASSES_MAX && strcmp(state_of(index), state) != 0; i++)
		loop_run_once(loop, 5);
	assert_string_equal(state_of(index), state);
}

static void fail_connects(unsigned index, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		server_observe(server_at(index), false);
	loop_run_once(loop, 0);
}

static void servers_begin_up_with_one_life(void **state)
{
	struct check_view view;
	(void)state;
	checks_open();
	assert_int_equal(checks_count(&config), 2);
	assert_string_equal(state_of(0), "UP 1/3");
	assert_string_equal(state_of(2), "UP 1/3");
	view = view_of(0);
	assert_true(view.is_enabled && !view.is_running && view.status == CHECK_INITIAL && view.value == 2);
	assert_false(check_view(server_at(0), CHECK_AGENT, &view));
	assert_false(check_view(server_at(2), CHECK_HEALTH, &view));
	checks_start(checks);
	run_until(0, "DOWN");
	assert_string_equal(state_of(2), "DOWN");
	view = view_of(0);
	assert_true(view.status == CHECK_L4_PROBLEM && view.value == 0 && view.failed == 1);
}

static void first_checks_are_spread(void **state)
{
	(void)state;
	checks_open();
	checks_start(checks);
	run_until(0, "DOWN");
	assert_string_equal(state_of(1), "UP 1/3");
}

static void the_spread_has_a_bound(void **state)
{
	(void)state;
	config.global.spread_checks_max_ms = 20;
	checks_open();
	checks_start(checks);
	run_until(1, "DOWN");
	config.global.spread_checks_max_ms = 0;
}

static void the_operator_has_the_last_word(void **state)
{
	(void)state;
	checks_open();
	check_force_health(server_at(0), CHECK_FORCED_DOWN);
	assert_string_equal(state_of(0), "DOWN");
	assert_string_equal(state_of(2), "DOWN");
	check_force_health(server_at(0), CHECK_FORCED_STOPPING);
	assert_string_equal(state_of(0), "NOLB");
	assert_false(server_is_usable(server_at(0)) || server_is_usable(server_at(2)));
	check_force_health(server_at(0), CHECK_FORCED_UP);
	assert_string_equal(state_of(0), "UP");
	assert_true(server_is_usable(server_at(2)));
	check_force_health(server_at(1), CHECK_FORCED_DOWN);
	assert_int_equal(check_enable(server_at(1), CHECK_HEALTH, false), 0);
	assert_true(server_is_usable(server_at(1)));
	assert_int_equal(check_enable(server_at(1), CHECK_AGENT, false), -ENOENT);
	assert_int_equal(check_enable(server_at(2), CHECK_HEALTH, true), -ENOENT);
}

static void after_maintenance_checks_begin_anew(void **state)
{
	(void)state;
	checks_open();
	check_force_health(server_at(0), CHECK_FORCED_DOWN);
	check_set_admin(server_at(0), SERVER_MAINT);
	assert_string_equal(state_of(0), "MAINT");
	assert_true(view_of(0).is_paused);
	check_set_admin(server_at(0), SERVER_READY);
	assert_string_equal(state_of(0), "UP 1/3");
	run_until(0, "DOWN");
	check_set_admin(server_at(0), SERVER_DRAIN);
	check_set_admin(server_at(0), SERVER_READY);
	assert_string_equal(state_of(0), "DOWN");
}

static void observed_failures_do_what_was_asked(void **state)
{
	static const struct {
		enum config_on_error on_error;
		const char *state;
	} cases[] = {
		{CONFIG_ON_ERROR_FASTINTER, "UP"},
		{CONFIG_ON_ERROR_FAIL_CHECK, "UP 2/3"},
		{CONFIG_ON_ERROR_SUDDEN_DEATH, "UP 1/3"},
		{CONFIG_ON_ERROR_MARK_DOWN, "DOWN"},
		{CONFIG_ON_ERROR_EJECT, "DOWN"},
	};
	(void)state;
	checks_open();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		fixture.servers[0].check.on_error = cases[i].on_error;
		check_force_health(server_at(0), CHECK_FORCED_UP);
		fail_connects(0, 1);
		server_observe(server_at(0), true);
		fail_connects(0, 1);
		assert_string_equal(state_of(0), "UP");
		fail_connects(0, 1);
		assert_string_equal(state_of(0), cases[i].state);
		assert_int_equal(server_at(0)->errors_in_row, 0);
	}
}

static void who_is_out_already_is_not_counted_further(void **state)
{
	(void)state;
	fixture.servers[0].check.on_error = CONFIG_ON_ERROR_EJECT;
	checks_open();
	check_set_admin(server_at(0), SERVER_MAINT);
	fail_connects(0, 2);
	assert_int_equal(view_of(0).status, CHECK_INITIAL);
	check_set_admin(server_at(0), SERVER_READY);
	check_force_health(server_at(0), CHECK_FORCED_DOWN);
	fail_connects(0, 2);
	assert_int_not_equal(view_of(0).status, CHECK_OBSERVED);
}

/* One of three may be out, for two would be more than half. */
static void ejection_has_a_ceiling(void **state)
{
	(void)state;
	fixture.servers[0].check.on_error = fixture.servers[1].check.on_error = CONFIG_ON_ERROR_EJECT;
	checks_open();
	fail_connects(0, 2);
	assert_string_equal(state_of(0), "DOWN");
	fail_connects(1, 2);
	assert_string_equal(state_of(1), "UP 1/3");
	check_force_health(server_at(0), CHECK_FORCED_UP);
	assert_string_equal(state_of(0), "UP");
	fail_connects(1, 2);
	assert_string_equal(state_of(1), "DOWN");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, checks_setup, checks_close)
	const struct CMUnitTest tests[] = {
		CASE(servers_begin_up_with_one_life),
		CASE(first_checks_are_spread),
		CASE(the_spread_has_a_bound),
		CASE(the_operator_has_the_last_word),
		CASE(after_maintenance_checks_begin_anew),
		CASE(observed_failures_do_what_was_asked),
		CASE(who_is_out_already_is_not_counted_further),
		CASE(ejection_has_a_ceiling),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
