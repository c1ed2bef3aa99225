/* Who may be chosen: tiers, limits, retries; and the slots. */
#include "backend/backend.h"

#include <errno.h>

#include "backend_fixtures.h"
#include "base/status.h"

enum { FULL = -1, NONE = -2 };

static void a_backend_without_servers_has_nobody(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 0);
	backend_fixture_open(&fixture);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), NONE);
	assert_false(backend_has_usable(fixture.backend));
	backend_fixture_close(&fixture);
	backend_destroy(NULL);
}

static void servers_are_as_configured(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 3);
	fixture.servers[1].weight = 300;
	fixture.servers[1].maxconn = 9;
	fixture.servers[2].is_disabled = true;
	backend_fixture_open(&fixture);
	assert_int_equal(backend_fixture_server(&fixture, 1)->weight, SERVER_WEIGHT_MAX);
	assert_int_equal(backend_fixture_server(&fixture, 1)->maxconn, 9);
	assert_int_equal(backend_fixture_server(&fixture, 2)->admin, SERVER_MAINT);
	assert_int_equal(backend_usable_count(fixture.backend, false), 2);
	assert_ptr_equal(backend_server_find(fixture.backend, "s2"), backend_fixture_server(&fixture, 2));
	assert_null(backend_server_find(fixture.backend, "s3"));
	backend_fixture_close(&fixture);
}

static void slots_are_held_until_released(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 2);
	fixture.servers[0].maxconn = 2;
	fixture.servers[1].maxconn = 1;
	backend_fixture_open(&fixture);
	int chosen[2] = {0};
	for (unsigned i = 0; i < 3; i++) {
		int index = backend_fixture_choose(&fixture, NULL);
		assert_in_range(index, 0, 1);
		chosen[index]++;
	}
	assert_int_equal(chosen[0], 2);
	assert_int_equal(chosen[1], 1);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), FULL);
	backend_release(backend_fixture_server(&fixture, 1));
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 1);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), FULL);
	assert_int_equal(backend_fixture_server(&fixture, 0)->conn_cur, 2);
	assert_int_equal(backend_fixture_server(&fixture, 0)->conn_max, 2);
	assert_int_equal(backend_fixture_server(&fixture, 1)->conn_max, 1);
	backend_fixture_close(&fixture);
}

/* A row: two primaries and two backups, which are usable, and who is chosen in turn. */
static void backups_serve_only_without_primaries(void **state)
{
	const struct {
		bool is_usable[4];
		bool has_allbackups;
		int expected[4];
	} cases[] = {
		{{true, true, true, true}, false, {0, 1, 0, 1}},
		{{false, true, true, true}, true, {1, 1, 1, 1}},
		{{false, false, true, true}, false, {2, 2, 2, 2}},
		{{false, false, false, true}, false, {3, 3, 3, 3}},
		{{false, false, true, true}, true, {2, 3, 2, 3}},
		{{false, false, false, false}, true, {NONE, NONE, NONE, NONE}},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct backend_fixture fixture;
		backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 4);
		fixture.servers[2].is_backup = fixture.servers[3].is_backup = true;
		fixture.proxy.has_allbackups = cases[i].has_allbackups;
		backend_fixture_open(&fixture);
		for (unsigned s = 0; s < 4; s++)
			server_set_up(backend_fixture_server(&fixture, s), cases[i].is_usable[s]);
		for (unsigned turn = 0; turn < 4; turn++)
			assert_int_equal(backend_fixture_choose(&fixture, NULL), cases[i].expected[turn]);
		backend_fixture_close(&fixture);
	}
}

static void full_primaries_do_not_call_the_backups(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 2);
	fixture.servers[0].maxconn = 1;
	fixture.servers[1].is_backup = true;
	backend_fixture_open(&fixture);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), FULL);
	backend_fixture_close(&fixture);
}

static void a_failed_server_is_avoided_while_there_is_another(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		backend_fixture_init_variant(&fixture, &backend_variants[v], 2);
		fixture.servers[1].maxconn = 3;
		backend_fixture_open(&fixture);
		const struct choose_request request = {.avoid = backend_fixture_server(&fixture, 0)};
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(backend_fixture_choose(&fixture, &request), 1);
		/* One that may have any number waiting is waited for rather. */
		assert_int_equal(
			backend_fixture_choose(&fixture, &request), backend_variants[v].is_keyed ? FULL : 0);
		server_set_up(backend_fixture_server(&fixture, 1), false);
		assert_int_equal(backend_fixture_choose(&fixture, &request), 0);
		backend_fixture_close(&fixture);
	}
}

static void a_retry_gets_the_same_server_or_none(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 3);
	fixture.servers[1].maxconn = 2;
	backend_fixture_open(&fixture);
	const struct choose_request request = {.stick = backend_fixture_server(&fixture, 1)};
	assert_int_equal(backend_fixture_choose(&fixture, &request), 1);
	assert_int_equal(backend_fixture_choose(&fixture, &request), 1);
	assert_int_equal(backend_fixture_choose(&fixture, &request), FULL);
	server_set_admin(backend_fixture_server(&fixture, 1), SERVER_MAINT);
	assert_int_equal(backend_fixture_choose(&fixture, &request), NONE);
	backend_fixture_close(&fixture);
}

static void counters_sum_over_the_workers(void **state)
{
	struct backend_fixture fixture;
	struct traffic_counters total;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 1);
	backend_fixture_open(&fixture);
	counter_add(&fixture.backend->counters[0].bytes_out, 5);
	counter_add(&fixture.backend->counters[1].bytes_out, 6);
	backend_counters(fixture.backend, &total);
	assert_int_equal(total.bytes_out, 11);
	counter_add(&backend_fixture_server(&fixture, 0)->counters[1].retries, 2);
	server_counters(backend_fixture_server(&fixture, 0), &total);
	assert_int_equal(total.retries, 2);
	assert_int_equal(total.bytes_out, 0);
	backend_fixture_close(&fixture);
}

/* Calls until memory runs out; below 0 it does not. */
static int calls_left = -1;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	if (calls_left == 0)
		return NULL;
	calls_left -= calls_left > 0;
	return __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	if (calls_left == 0)
		return NULL;
	calls_left -= calls_left > 0;
	return __real_malloc(size);
}

/* At whichever call: nothing is left behind, which the sanitizer sees. */
static void without_memory_there_is_no_backend(void **state)
{
	(void)state;
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		struct backend_fixture fixture;
		int result = -ENOMEM;
		backend_fixture_init_variant(&fixture, &backend_variants[v], 3);
		for (int calls = 0; result != 0; calls++) {
			assert_in_range(calls, 0, 30);
			calls_left = calls;
			result = backend_create(&fixture.proxy, 1, &fixture.backend);
			calls_left = -1;
			assert_true(result == 0 || result == -ENOMEM);
		}
		assert_true(backend_fixture_choose(&fixture, NULL) >= 0);
		backend_fixture_close(&fixture);
	}
}

/* The ring keeps its places, and nobody is sent to a server that is away. */
static void a_ring_that_cannot_grow_goes_on_as_it_is(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_SOURCE, 2);
	fixture.proxy.hash.type = CONFIG_HASH_CONSISTENT;
	fixture.proxy.hash.has_avalanche = true;
	backend_fixture_open(&fixture);
	assert_true(backend_fixture_choose(&fixture, NULL) >= 0);
	server_set_weight(backend_fixture_server(&fixture, 0), 200);
	for (unsigned round = 0; round < 2; round++) {
		calls_left = round == 0 ? 0 : -1;
		server_set_up(backend_fixture_server(&fixture, 1), round == 1);
		unsigned chosen[2] = {0};
		for (uint32_t i = 0; i < 1000; i++) {
			struct endpoint client = client_v4(i);
			int index =
				backend_fixture_choose(&fixture, &(struct choose_request){.client = &client});
			chosen[index]++;
		}
		calls_left = -1;
		assert_int_equal(chosen[1] > 0, round == 1);
	}
	backend_fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backend_without_servers_has_nobody),
		cmocka_unit_test(servers_are_as_configured),
		cmocka_unit_test(slots_are_held_until_released),
		cmocka_unit_test(backups_serve_only_without_primaries),
		cmocka_unit_test(full_primaries_do_not_call_the_backups),
		cmocka_unit_test(a_failed_server_is_avoided_while_there_is_another),
		cmocka_unit_test(a_retry_gets_the_same_server_or_none),
		cmocka_unit_test(counters_sum_over_the_workers),
		cmocka_unit_test(without_memory_there_is_no_backend),
		cmocka_unit_test(a_ring_that_cannot_grow_goes_on_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
