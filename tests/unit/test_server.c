/* States of a server: their names, what they allow, and what is counted. */
#include "backend/server.h"

#include "backend_fixtures.h"
#include "base/status.h"

static void states_have_haproxys_names_and_decide_about_use(void **state)
{
	const struct {
		enum server_admin admin;
		bool was_checked, is_up;
		uint32_t weight;
		const char *name;
		bool is_usable;
	} cases[] = {
		{SERVER_READY, false, true, 1, "no check", true},
		{SERVER_READY, true, true, 1, "UP", true},
		{SERVER_READY, true, false, 1, "DOWN", false},
		{SERVER_READY, true, true, 0, "DRAIN", false},
		{SERVER_READY, false, true, 0, "DRAIN", false},
		{SERVER_DRAIN, true, true, 1, "DRAIN", false},
		{SERVER_DRAIN, true, false, 1, "DOWN", false},
		{SERVER_MAINT, false, true, 1, "MAINT", false},
		{SERVER_MAINT, true, false, 0, "MAINT", false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct backend_fixture fixture;
		backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 1);
		backend_fixture_open(&fixture);
		struct server *server = backend_fixture_server(&fixture, 0);
		server_set_admin(server, cases[i].admin);
		if (cases[i].was_checked)
			server_set_up(server, cases[i].is_up);
		server_set_weight(server, cases[i].weight);
		assert_string_equal(server_state_name(server), cases[i].name);
		assert_int_equal(server_is_usable(server), cases[i].is_usable);
		assert_int_equal(backend_has_usable(fixture.backend), cases[i].is_usable);
		backend_fixture_close(&fixture);
	}
}

static void going_down_is_counted_and_timed(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 1);
	backend_fixture_open(&fixture);
	struct server *server = backend_fixture_server(&fixture, 0);
	server_set_up(server, true);
	assert_int_equal(server->down_count, 0);
	server_set_up(server, false);
	server_set_up(server, false);
	assert_int_equal(server->down_count, 1);
	assert_int_equal(server->down_us, 0);
	/* As if that had been three seconds ago. */
	server->state_changed_wall_us -= 3000000;
	server_set_up(server, true);
	assert_in_range(server->down_us, 3000000, 4000000);
	uint64_t changed = server->state_changed_wall_us;
	server_set_up(server, true);
	assert_int_equal(server->state_changed_wall_us, changed);
	server_set_admin(server, SERVER_MAINT);
	server->state_changed_wall_us -= 5000000;
	server_set_admin(server, SERVER_READY);
	assert_in_range(server->down_us, 8000000, 9000000);
	assert_int_equal(server->down_count, 1);
	backend_fixture_close(&fixture);
}

static void weight_and_maxconn_change_while_running(void **state)
{
	struct backend_fixture fixture;
	unsigned chosen[2] = {0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 2);
	backend_fixture_open(&fixture);
	server_set_weight(backend_fixture_server(&fixture, 1), 3);
	for (unsigned i = 0; i < 40; i++)
		chosen[backend_fixture_choose(&fixture, NULL)]++;
	assert_int_equal(chosen[0], 10);
	assert_int_equal(chosen[1], 30);
	server_set_weight(backend_fixture_server(&fixture, 1), 1000);
	assert_int_equal(backend_fixture_server(&fixture, 1)->weight, SERVER_WEIGHT_MAX);
	/* Below what it has: nobody is thrown out, nobody let in. */
	server_set_maxconn(backend_fixture_server(&fixture, 0), 5);
	server_set_maxconn(backend_fixture_server(&fixture, 1), 5);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
	server_set_maxconn(backend_fixture_server(&fixture, 0), 11);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
	server_set_maxconn(backend_fixture_server(&fixture, 1), 0);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 1);
	backend_fixture_close(&fixture);
}

static void a_server_without_an_address_is_in_maintenance_until_it_has_one(void **state)
{
	static const struct config_resolvers resolvers = {.name = "r"};
	struct backend_fixture fixture;
	struct address address = {.len = sizeof(address.v4)}, found;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 1);
	fixture.servers[0].naming = (struct config_naming){.resolvers = &resolvers, .is_unresolved = true};
	backend_fixture_open(&fixture);
	struct server *server = backend_fixture_server(&fixture, 0);
	assert_string_equal(server_state_name(server), "MAINT (resolution)");
	assert_false(server_is_usable(server));
	server_set_admin(server, SERVER_READY);
	assert_false(server_is_usable(server));
	address.v4.sin_family = AF_INET;
	address_set_port(&address, 77);
	server_set_address(server, &address);
	assert_true(server_is_usable(server) && !server_is_unresolved(server));
	server_address(server, &found);
	assert_true(address_is_equal(&address, &found));
	/* What the operator said stays said. */
	server_set_admin(server, SERVER_DRAIN);
	server_set_address(server, NULL);
	assert_string_equal(server_state_name(server), "MAINT (resolution)");
	server_set_address(server, &address);
	assert_string_equal(server_state_name(server), "DRAIN");
	backend_fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_have_haproxys_names_and_decide_about_use),
		cmocka_unit_test(going_down_is_counted_and_timed),
		cmocka_unit_test(weight_and_maxconn_change_while_running),
		cmocka_unit_test(a_server_without_an_address_is_in_maintenance_until_it_has_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
