/* What a frontend starts with and how its counters sum. */
#include "net/frontend.h"

#include "net_fixtures.h"

static void maxconn_is_the_configurations_or_the_default(void **state)
{
	struct config_proxy with = {.name = "a", .maxconn = 7}, without = {.name = "b"};
	struct frontend *frontend;
	(void)state;
	assert_int_equal(frontend_create(&with, 1, 100, &frontend), 0);
	assert_int_equal(frontend->maxconn, 7);
	frontend_destroy(frontend);
	assert_int_equal(frontend_create(&without, 1, 100, &frontend), 0);
	assert_int_equal(frontend->maxconn, 100);
	assert_int_equal(frontend->state, FRONTEND_OPEN);
	assert_ptr_equal(frontend->config, &without);
	assert_null(frontend->listeners);
	frontend_destroy(frontend);
	frontend_destroy(NULL);
}

static void counters_sum_over_the_workers(void **state)
{
	struct config_proxy proxy = {.name = "f"};
	struct traffic_counters total;
	struct frontend *frontend;
	(void)state;
	assert_int_equal(frontend_create(&proxy, 3, 100, &frontend), 0);
	for (unsigned i = 0; i < 3; i++) {
		counter_add(&frontend->counters[i].bytes_in, 100 + i);
		counter_max(&frontend->counters[i].session_ms_max, 10 * i);
	}
	frontend_counters(frontend, &total);
	assert_int_equal(total.bytes_in, 303);
	assert_int_equal(total.session_ms_max, 20);
	assert_int_equal(total.connections, 0);
	frontend_destroy(frontend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maxconn_is_the_configurations_or_the_default),
		cmocka_unit_test(counters_sum_over_the_workers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
