/* What every balancing algorithm keeps to, and what each one promises. */
#include "backend/balancer.h"

#include "../unit/backend_fixtures.h"
#include "base/status.h"

enum { CHOICES = 100000 };

static struct endpoint client_v4(uint32_t number)
{
	struct endpoint client = {.family = AF_INET, .port = (uint16_t)number};
	const uint8_t ip[4] = {10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
	memcpy(client.ip, ip, sizeof(ip));
	return client;
}

static struct endpoint client_v6(uint32_t number)
{
	struct endpoint client = {.family = AF_INET6};
	const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
	memcpy(client.ip, prefix, sizeof(prefix));
	memcpy(client.ip + 12, &number, sizeof(number));
	return client;
}

/* Chooses for this client and gives the slot back. */
static unsigned choose_and_release(const struct backend_fixture *fixture, const struct endpoint *client)
{
	const struct choose_request request = {.client = client};
	int index = backend_fixture_choose(fixture, &request);
	assert_true(index >= 0);
	backend_release(backend_fixture_server(fixture, (unsigned)index));
	return (unsigned)index;
}

static void distribution_measure(const struct backend_fixture *fixture, unsigned *ret_chosen)
{
	for (uint32_t i = 0; i < CHOICES; i++) {
		struct endpoint client = client_v4(i * 7919);
		ret_chosen[choose_and_release(fixture, &client)]++;
	}
}

/* Checks shares against weights; tolerance in thousandths of all choices. */
static void distribution_check(
	const struct backend_fixture *fixture, const unsigned *chosen, double tolerance)
{
	double total = 0;
	for (unsigned i = 0; i < fixture->backend->servers_count; i++)
		total += fixture->backend->servers[i].weight;
	for (unsigned i = 0; i < fixture->backend->servers_count; i++) {
		double share = fixture->backend->servers[i].weight / total;
		double error = chosen[i] / (double)CHOICES - share;
		assert_true(error < tolerance / 1000 && error > -tolerance / 1000);
	}
}

/* Every algorithm: only usable servers with a free slot, and all slots get used. */
static void only_candidates_are_ever_chosen(void **state)
{
	(void)state;
	for (const struct balancer *row = balancers; row->name; row++) {
		struct backend_fixture fixture;
		unsigned chosen[8] = {0};
		backend_fixture_init(&fixture, row->kind, 8);
		for (unsigned i = 0; i < 8; i++)
			fixture.servers[i].maxconn = 5;
		fixture.servers[1].weight = 0;
		fixture.servers[3].is_disabled = true;
		fixture.servers[7].is_backup = true;
		backend_fixture_open(&fixture);
		server_set_up(backend_fixture_server(&fixture, 4), false);
		server_set_admin(backend_fixture_server(&fixture, 5), SERVER_DRAIN);
		for (uint32_t i = 0; i < 15; i++) {
			struct endpoint client = client_v4(i);
			const struct choose_request request = {.client = &client};
			int index = backend_fixture_choose(&fixture, &request);
			assert_in_range(index, 0, 7);
			chosen[index]++;
		}
		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(chosen[i], i == 0 || i == 2 || i == 6 ? 5 : 0);
		assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
		backend_fixture_close(&fixture);
	}
}

static void a_single_server_gets_everything(void **state)
{
	(void)state;
	for (const struct balancer *row = balancers; row->name; row++) {
		struct backend_fixture fixture;
		backend_fixture_init(&fixture, row->kind, 1);
		fixture.servers[0].weight = 256;
		backend_fixture_open(&fixture);
		for (uint32_t i = 0; i < 100; i++) {
			struct endpoint client = client_v6(i);
			assert_int_equal(choose_and_release(&fixture, &client), 0);
		}
		assert_int_equal(choose_and_release(&fixture, NULL), 0);
		backend_fixture_close(&fixture);
	}
}

/* The set of usable servers shrinks and grows; nobody outside it is chosen, and
 * who comes back is chosen again (by `first` only as the lowest). */
static void a_changed_set_is_followed(void **state)
{
	(void)state;
	for (const struct balancer *row = balancers; row->name; row++) {
		struct backend_fixture fixture;
		backend_fixture_init(&fixture, row->kind, 3);
		backend_fixture_open(&fixture);
		for (unsigned away = 0; away < 3; away++) {
			bool is_back = false;
			server_set_up(backend_fixture_server(&fixture, away), false);
			for (uint32_t i = 0; i < 100; i++) {
				struct endpoint client = client_v4(i);
				assert_int_not_equal(choose_and_release(&fixture, &client), away);
			}
			server_set_up(backend_fixture_server(&fixture, away), true);
			for (uint32_t i = 0; i < 100; i++) {
				struct endpoint client = client_v4(i);
				is_back |= choose_and_release(&fixture, &client) == away;
			}
			assert_int_equal(is_back, row->kind != CONFIG_BALANCE_FIRST || away == 0);
		}
		backend_fixture_close(&fixture);
	}
}

/* Over idle servers, where the load says nothing. */
static void weights_are_respected(void **state)
{
	const struct {
		enum config_balance kind;
		unsigned random_draws;
		unsigned weights[5];
		double tolerance; /* thousandths */
	} cases[] = {
		{CONFIG_BALANCE_ROUNDROBIN, 0, {1, 1, 1, 1, 1}, 1},
		{CONFIG_BALANCE_ROUNDROBIN, 0, {1, 2, 3, 4, 5}, 1},
		{CONFIG_BALANCE_ROUNDROBIN, 0, {256, 1, 128, 64, 7}, 10},
		{CONFIG_BALANCE_RANDOM, 1, {1, 2, 3, 4, 5}, 20},
		{CONFIG_BALANCE_RANDOM, 0, {1, 1, 1, 1, 1}, 20},
		{CONFIG_BALANCE_RANDOM, 2, {100, 20, 30, 40, 50}, 20},
		{CONFIG_BALANCE_SOURCE, 0, {1, 1, 1, 1, 1}, 10},
		{CONFIG_BALANCE_SOURCE, 0, {1, 2, 3, 4, 5}, 10},
		{CONFIG_BALANCE_LEASTCONN, 0, {3, 3, 3, 3, 3}, 1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct backend_fixture fixture;
		unsigned chosen[5] = {0};
		backend_fixture_init(&fixture, cases[i].kind, 5);
		fixture.proxy.random_draws = cases[i].random_draws;
		for (unsigned s = 0; s < 5; s++)
			fixture.servers[s].weight = cases[i].weights[s];
		backend_fixture_open(&fixture);
		distribution_measure(&fixture, chosen);
		distribution_check(&fixture, chosen, cases[i].tolerance);
		backend_fixture_close(&fixture);
	}
}

static void round_robin_spreads_a_heavy_server_over_the_round(void **state)
{
	struct backend_fixture fixture;
	const unsigned expected[] = {0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 3);
	fixture.servers[0].weight = 5;
	backend_fixture_open(&fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		assert_int_equal(choose_and_release(&fixture, NULL), expected[i]);
	backend_fixture_close(&fixture);
}

static void leastconn_takes_the_least_loaded_for_its_weight(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_LEASTCONN, 3);
	fixture.servers[1].weight = 2;
	fixture.servers[2].weight = 4;
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < 7 * 20; i++)
		assert_true(backend_fixture_choose(&fixture, NULL) >= 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(backend_fixture_server(&fixture, i)->conn_cur, 20u << i);
	for (unsigned i = 0; i < 10; i++)
		backend_release(backend_fixture_server(&fixture, 1));
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(backend_fixture_choose(&fixture, NULL), 1);
	backend_fixture_close(&fixture);
}

static void leastconn_takes_turns_among_equals(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_LEASTCONN, 3);
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(choose_and_release(&fixture, NULL), i % 3);
	backend_fixture_close(&fixture);
}

static void first_fills_servers_in_the_order_of_their_ids(void **state)
{
	struct backend_fixture fixture;
	const int expected[] = {2, 2, 0, 0, 1, 1, -1};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_FIRST, 3);
	const unsigned ids[] = {20, 30, 10};
	for (unsigned i = 0; i < 3; i++) {
		fixture.servers[i].id = ids[i];
		fixture.servers[i].maxconn = 2;
	}
	backend_fixture_open(&fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		assert_int_equal(backend_fixture_choose(&fixture, NULL), expected[i]);
	backend_release(backend_fixture_server(&fixture, 2));
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 2);
	backend_fixture_close(&fixture);
}

static void first_goes_by_place_without_ids(void **state)
{
	struct backend_fixture fixture;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_FIRST, 3);
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	backend_fixture_close(&fixture);
}

/* Another backend of the same servers agrees: a restart or another machine does. */
static void source_sends_a_client_always_to_the_same_server(void **state)
{
	struct backend_fixture fixture, twin;
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_SOURCE, 7);
	backend_fixture_init(&twin, CONFIG_BALANCE_SOURCE, 7);
	backend_fixture_open(&fixture);
	backend_fixture_open(&twin);
	for (uint32_t i = 0; i < 2000; i++) {
		struct endpoint client = i & 1 ? client_v6(i) : client_v4(i);
		unsigned index = choose_and_release(&fixture, &client);
		client.port ^= 0x5555;
		assert_int_equal(choose_and_release(&fixture, &client), index);
		assert_int_equal(choose_and_release(&twin, &client), index);
	}
	struct endpoint local = {.family = AF_UNIX, .is_local = 1};
	unsigned index = choose_and_release(&fixture, &local);
	assert_int_equal(choose_and_release(&fixture, &local), index);
	backend_fixture_close(&fixture);
	backend_fixture_close(&twin);
}

static void source_returns_to_the_same_server_when_the_set_is_back(void **state)
{
	struct backend_fixture fixture;
	unsigned before[500];
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_SOURCE, 5);
	backend_fixture_open(&fixture);
	for (uint32_t i = 0; i < ARRAY_LENGTH(before); i++) {
		struct endpoint client = client_v6(i);
		before[i] = choose_and_release(&fixture, &client);
	}
	server_set_up(backend_fixture_server(&fixture, 2), false);
	server_set_up(backend_fixture_server(&fixture, 2), true);
	for (uint32_t i = 0; i < ARRAY_LENGTH(before); i++) {
		struct endpoint client = client_v6(i);
		assert_int_equal(choose_and_release(&fixture, &client), before[i]);
	}
	backend_fixture_close(&fixture);
}

static void source_is_even_over_neighbouring_v6_clients(void **state)
{
	struct backend_fixture fixture;
	unsigned chosen[5] = {0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_SOURCE, 5);
	backend_fixture_open(&fixture);
	for (uint32_t i = 0; i < CHOICES; i++) {
		struct endpoint client = client_v6(i);
		chosen[choose_and_release(&fixture, &client)]++;
	}
	distribution_check(&fixture, chosen, 10);
	backend_fixture_close(&fixture);
}

/* A server that is far ahead is drawn but loses against the other draw. */
static void random_prefers_the_less_loaded_of_its_draws(void **state)
{
	struct backend_fixture fixture;
	unsigned chosen[2] = {0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_RANDOM, 2);
	fixture.proxy.random_draws = 2;
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < 50; i++)
		(void)backend_fixture_choose(
			&fixture, &(struct choose_request){.stick = backend_fixture_server(&fixture, 0)});
	for (unsigned i = 0; i < 10000; i++)
		chosen[choose_and_release(&fixture, NULL)]++;
	/* Only both draws alike, one time in four, fall on it. */
	assert_in_range(chosen[0], 2300, 2700);
	backend_fixture_close(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_candidates_are_ever_chosen),
		cmocka_unit_test(a_single_server_gets_everything),
		cmocka_unit_test(a_changed_set_is_followed),
		cmocka_unit_test(weights_are_respected),
		cmocka_unit_test(round_robin_spreads_a_heavy_server_over_the_round),
		cmocka_unit_test(leastconn_takes_the_least_loaded_for_its_weight),
		cmocka_unit_test(leastconn_takes_turns_among_equals),
		cmocka_unit_test(first_fills_servers_in_the_order_of_their_ids),
		cmocka_unit_test(first_goes_by_place_without_ids),
		cmocka_unit_test(source_sends_a_client_always_to_the_same_server),
		cmocka_unit_test(source_returns_to_the_same_server_when_the_set_is_back),
		cmocka_unit_test(source_is_even_over_neighbouring_v6_clients),
		cmocka_unit_test(random_prefers_the_less_loaded_of_its_draws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
