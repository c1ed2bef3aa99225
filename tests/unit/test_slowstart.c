/* Slow starts and limits that move: the curves, by a clock of our own. */
#include "backend/backend.h"

#include "backend_fixtures.h"
#include "base/status.h"

uint64_t __wrap_clock_monotonic_ms(void);

static uint64_t now_ms;

uint64_t __wrap_clock_monotonic_ms(void)
{
	return now_ms;
}

static struct backend_fixture fixture;

static struct server *server(unsigned index)
{
	return backend_fixture_server(&fixture, index);
}

static void come_back(unsigned index)
{
	server_set_up(server(index), false);
	now_ms += 5000;
	server_set_up(server(index), true);
}

static void never_at_the_start_but_after_being_away(void **state)
{
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 2);
	fixture.servers[0].slowstart_ms = 10000;
	fixture.servers[0].weight = 100;
	backend_fixture_open(&fixture);
	assert_int_equal(server_throttle_percent(server(0)), 100);
	assert_int_equal(server_weight_now(server(0)), 100);
	come_back(0);
	assert_int_equal(server_throttle_percent(server(0)), 1);
	assert_int_equal(server_weight_now(server(0)), 1);
	server_set_admin(server(0), SERVER_MAINT);
	assert_int_equal(server_throttle_percent(server(0)), 100);
	server_set_admin(server(0), SERVER_READY);
	assert_int_equal(server_throttle_percent(server(0)), 1);
	/* Draining is not being away. */
	now_ms += 10000;
	server_set_admin(server(0), SERVER_DRAIN);
	server_set_admin(server(0), SERVER_READY);
	assert_int_equal(server_throttle_percent(server(0)), 100);
	backend_fixture_close(&fixture);
}

/* The share of choices follows the time that has passed, in each dynamic algorithm. */
static void the_weight_grows_evenly(void **state)
{
	const struct backend_variant variants[] = {
		{"roundrobin", CONFIG_BALANCE_ROUNDROBIN, CONFIG_HASH_MAP_BASED, false},
		{"random", CONFIG_BALANCE_RANDOM, CONFIG_HASH_MAP_BASED, false},
		{"maglev", CONFIG_BALANCE_HASH, CONFIG_HASH_MAGLEV, true},
		{"consistent", CONFIG_BALANCE_HASH, CONFIG_HASH_CONSISTENT, true},
	};
	enum { CHOICES = 4000 };
	(void)state;
	for (size_t v = 0; v < ARRAY_LENGTH(variants); v++) {
		backend_fixture_init_variant(&fixture, &variants[v], 2);
		fixture.proxy.random_draws = 1;
		fixture.servers[0].weight = fixture.servers[1].weight = 100;
		fixture.servers[0].slowstart_ms = 20000;
		backend_fixture_open(&fixture);
		come_back(0);
		for (unsigned percent = 5; percent <= 120; percent += 5) {
			unsigned grown = percent < 100 ? percent : 100, chosen = 0;
			now_ms += 1000;
			assert_int_equal(server_throttle_percent(server(0)), grown);
			for (uint32_t i = 0; i < CHOICES; i++) {
				struct endpoint client = client_v4(i);
				int index = backend_fixture_choose(
					&fixture, &(struct choose_request){.client = &client});
				assert_true(index >= 0);
				backend_release(server((unsigned)index));
				chosen += index == 0;
			}
			double share = (double)grown / (100 + grown);
			assert_true(chosen > (share - 0.05) * CHOICES && chosen < (share + 0.05) * CHOICES);
			assert_int_equal(server_weight_now(server(0)), grown);
		}
		backend_fixture_close(&fixture);
	}
}

/* Tables that are static keep their weights; the limit grows all the same. */
static void static_tables_do_not_follow(void **state)
{
	unsigned chosen[2] = {0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_STATIC_RR, 2);
	fixture.servers[0].slowstart_ms = 20000;
	fixture.servers[0].maxconn = 100;
	backend_fixture_open(&fixture);
	come_back(0);
	now_ms += 2000;
	assert_int_equal(server_limit(server(0)), 10);
	for (unsigned i = 0; i < 20; i++)
		chosen[backend_fixture_choose(&fixture, NULL)]++;
	assert_int_equal(chosen[0], 10);
	backend_fixture_close(&fixture);
}

static struct queue_waiter waiters[20];
static unsigned granted;

static void on_grant(struct queue_waiter *waiter)
{
	(void)waiter;
	granted++;
}

/* Nothing but the tick tells those who wait that the limit has grown. */
static void a_growing_limit_serves_those_who_wait(void **state)
{
	struct loop *loop = loop_create();
	const struct choose_request request = {.client = NULL};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_LEASTCONN, 1);
	fixture.servers[0].slowstart_ms = 20000;
	fixture.servers[0].maxconn = 20;
	backend_fixture_open(&fixture);
	assert_int_equal(backend_tick_ms(fixture.backend), 1000);
	come_back(0);
	assert_int_equal(server_limit(server(0)), 1);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	for (unsigned i = 0; i < 19; i++)
		assert_true(backend_queue(fixture.backend, &request, &waiters[i], loop, on_grant));
	for (unsigned second = 1; second <= 20; second++) {
		now_ms += 1000;
		assert_int_equal(server_limit(server(0)), second);
		backend_tick(fixture.backend);
		loop_run_once(loop, 0);
		assert_int_equal(granted, second - 1);
	}
	assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
	loop_destroy(loop);
	backend_fixture_close(&fixture);
}

/* HAProxy's rule: the backend's sessions times maxconn over fullconn, not below
 * minconn, and maxconn from fullconn on. */
static void the_limit_follows_the_backends_load(void **state)
{
	const struct {
		unsigned minconn, maxconn, fullconn, sessions, limit;
	} cases[] = {
		{100, 1000, 10000, 0, 100},
		{100, 1000, 10000, 999, 100},
		{100, 1000, 10000, 1000, 100},
		{100, 1000, 10000, 1010, 101},
		{100, 1000, 10000, 5000, 500},
		{100, 1000, 10000, 9999, 999},
		{100, 1000, 10000, 10000, 1000},
		{100, 1000, 10000, 50000, 1000},
		{0, 1000, 10000, 5, 1000},
		{1000, 1000, 10000, 5, 1000},
		{3, 7, 10, 5, 3},
		{3, 7, 10, 9, 6},
		{10, 100, 0, 1, 100},
		{10, 100, 0, 0, 100},
		{10, 0, 100, 1, 0},
		{1, 2000000000, 2000000000, 1999999999, 1999999999},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 1);
		fixture.servers[0].minconn = cases[i].minconn;
		fixture.servers[0].maxconn = cases[i].maxconn;
		fixture.proxy.fullconn = cases[i].fullconn;
		backend_fixture_open(&fixture);
		fixture.backend->conn_cur = cases[i].sessions;
		assert_int_equal(server_limit(server(0)), cases[i].limit);
		backend_fixture_close(&fixture);
	}
}

/* Each newcomer raises the backend's load and may so make room for one who waits. */
static void a_limit_on_the_ramp_is_kept_and_grows(void **state)
{
	struct loop *loop = loop_create();
	const struct choose_request request = {.client = NULL};
	unsigned served = 0, waiting = 0;
	(void)state;
	granted = 0;
	memset(waiters, 0, sizeof(waiters));
	backend_fixture_init(&fixture, CONFIG_BALANCE_FIRST, 1);
	fixture.servers[0].minconn = 2;
	fixture.servers[0].maxconn = 10;
	fixture.proxy.fullconn = 20;
	backend_fixture_open(&fixture);
	for (unsigned sessions = 1; sessions <= 20; sessions++) {
		unsigned limit = sessions * 10 / 20 > 2 ? sessions * 10 / 20 : 2;
		fixture.backend->conn_cur = sessions;
		if (backend_fixture_choose(&fixture, NULL) >= 0)
			served++;
		else
			assert_true(backend_queue(
				fixture.backend, &request, &waiters[waiting++], loop, on_grant));
		loop_run_once(loop, 0);
		assert_int_equal(server(0)->conn_cur, sessions < limit ? sessions : limit);
		assert_int_equal(served + granted, server(0)->conn_cur);
	}
	for (unsigned i = 0; i < waiting; i++)
		assert_true(backend_unqueue(&waiters[i]));
	loop_destroy(loop);
	backend_fixture_close(&fixture);
}

/* Who waits for one server is served when the load of the others raises its limit. */
static void a_limit_on_the_ramp_serves_who_waits_for_that_server(void **state)
{
	struct loop *loop = loop_create();
	(void)state;
	granted = 0;
	memset(waiters, 0, sizeof(waiters));
	backend_fixture_init(&fixture, CONFIG_BALANCE_FIRST, 2);
	fixture.servers[1].minconn = 1;
	fixture.servers[1].maxconn = 10;
	fixture.proxy.fullconn = 10;
	backend_fixture_open(&fixture);
	const struct choose_request retry = {.stick = server(1)};
	fixture.backend->conn_cur = 1;
	assert_int_equal(backend_fixture_choose(&fixture, &retry), 1);
	assert_true(backend_queue(fixture.backend, &retry, &waiters[0], loop, on_grant));
	assert_int_equal(server(1)->queue_cur, 1);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	fixture.backend->conn_cur = 2;
	loop_run_once(loop, 0);
	assert_int_equal(granted, 0);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	loop_run_once(loop, 0);
	assert_int_equal(granted, 1);
	assert_int_equal(server(1)->conn_cur, 2);
	loop_destroy(loop);
	backend_fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_at_the_start_but_after_being_away),
		cmocka_unit_test(the_weight_grows_evenly),
		cmocka_unit_test(static_tables_do_not_follow),
		cmocka_unit_test(a_growing_limit_serves_those_who_wait),
		cmocka_unit_test(the_limit_follows_the_backends_load),
		cmocka_unit_test(a_limit_on_the_ramp_is_kept_and_grows),
		cmocka_unit_test(a_limit_on_the_ramp_serves_who_waits_for_that_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
