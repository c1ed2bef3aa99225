/* What every balancing algorithm keeps to, and what each one promises. */
#include "backend/balancer.h"

#include "../unit/backend_fixtures.h"
#include "base/status.h"

enum { CHOICES = 100000 };

static struct endpoint client_v6(uint32_t number)
{
	struct endpoint client = {.family = AF_INET6};
	const uint8_t prefix[4] = {0x20, 0x01, 0x0d, 0xb8};
	memcpy(client.ip, prefix, sizeof(prefix));
	memcpy(client.ip + 12, &number, sizeof(number));
	return client;
}

static const struct backend_variant *variant_find(const char *name)
{
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++)
		if (strcmp(backend_variants[v].name, name) == 0)
			return &backend_variants[v];
	fail();
	return NULL;
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

/* The waiters of these tests leave before they are served. */
static void on_never(struct queue_waiter *waiter)
{
	(void)waiter;
	fail();
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
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		const struct backend_variant *row = &backend_variants[v];
		struct backend_fixture fixture;
		unsigned chosen[8] = {0};
		backend_fixture_init_variant(&fixture, row, 8);
		for (unsigned i = 0; i < 8; i++)
			fixture.servers[i].maxconn = 5;
		fixture.servers[1].weight = 0;
		fixture.servers[3].is_disabled = true;
		fixture.servers[7].is_backup = true;
		backend_fixture_open(&fixture);
		server_set_up(backend_fixture_server(&fixture, 4), false);
		server_set_admin(backend_fixture_server(&fixture, 5), SERVER_DRAIN);
		unsigned admitted = 0;
		for (uint32_t i = 0; admitted < 15 && i < 1000; i++) {
			struct endpoint client = client_v4(i);
			const struct choose_request request = {.client = &client};
			int index = backend_fixture_choose(&fixture, &request);
			/* Who has a server of its own waits for that one. */
			assert_true(index >= 0 || (index == -1 && row->is_keyed));
			admitted += index >= 0;
			if (index >= 0)
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
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		const struct backend_variant *row = &backend_variants[v];
		struct backend_fixture fixture;
		backend_fixture_init_variant(&fixture, row, 1);
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
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		const struct backend_variant *row = &backend_variants[v];
		struct backend_fixture fixture;
		backend_fixture_init_variant(&fixture, row, 3);
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
			assert_int_equal(is_back, row->balance != CONFIG_BALANCE_FIRST || away == 0);
		}
		backend_fixture_close(&fixture);
	}
}

/* Over idle servers, where the load says nothing.  Tolerances in thousandths of all
 * choices; with so many, a share that is drawn strays by less than 5 of them. */
static void weights_are_respected(void **state)
{
	const struct {
		const char *variant;
		unsigned random_draws;
		unsigned weights[5];
		double tolerance;
	} cases[] = {
		{"roundrobin", 0, {1, 1, 1, 1, 1}, 0.1},
		{"roundrobin", 0, {1, 2, 3, 4, 5}, 0.1},
		{"roundrobin", 0, {256, 1, 128, 64, 7}, 0.1},
		{"static-rr", 0, {1, 1, 1, 1, 1}, 0.1},
		{"static-rr", 0, {10, 20, 30, 40, 50}, 0.1},
		{"static-rr", 0, {256, 1, 128, 64, 7}, 3},
		{"random", 1, {1, 2, 3, 4, 5}, 8},
		{"random", 0, {1, 1, 1, 1, 1}, 8},
		{"random", 1, {256, 1, 128, 64, 7}, 8},
		{"source map-based", 0, {1, 1, 1, 1, 1}, 5},
		{"source map-based", 0, {1, 2, 3, 4, 5}, 5},
		{"hash map-based", 0, {256, 1, 128, 64, 7}, 5},
		{"source maglev", 0, {1, 1, 1, 1, 1}, 8},
		{"hash maglev", 0, {1, 2, 3, 4, 5}, 8},
		{"hash maglev", 0, {256, 1, 128, 64, 7}, 8},
		{"hash consistent", 0, {256, 256, 256, 256, 256}, 20},
		{"hash consistent", 0, {50, 100, 150, 200, 250}, 20},
		{"leastconn", 0, {3, 3, 3, 3, 3}, 1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct backend_fixture fixture;
		unsigned chosen[5] = {0};
		backend_fixture_init_variant(&fixture, variant_find(cases[i].variant), 5);
		fixture.proxy.random_draws = cases[i].random_draws;
		fixture.proxy.hash.function = CONFIG_HASH_CRC32;
		for (unsigned s = 0; s < 5; s++)
			fixture.servers[s].weight = cases[i].weights[s];
		backend_fixture_open(&fixture);
		distribution_measure(&fixture, chosen);
		distribution_check(&fixture, chosen, cases[i].tolerance);
		backend_fixture_close(&fixture);
	}
}

/* Any stretch of a round: nobody is ahead or behind by more than one turn. */
static void round_robin_is_smooth_and_exact(void **state)
{
	const unsigned weights[][4] = {{5, 1, 1, 0}, {1, 2, 3, 4}, {256, 1, 128, 64}, {7, 7, 7, 1}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(weights); i++) {
		struct backend_fixture fixture;
		unsigned chosen[4] = {0}, total = 0;
		backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 4);
		for (unsigned s = 0; s < 4; s++)
			total += fixture.servers[s].weight = weights[i][s];
		backend_fixture_open(&fixture);
		for (unsigned n = 1; n <= 20 * total; n++) {
			chosen[choose_and_release(&fixture, NULL)]++;
			for (unsigned s = 0; s < 4; s++) {
				double due = (double)n * weights[i][s] / total;
				assert_true(chosen[s] > due - 2 && chosen[s] < due + 1);
				if (n % total == 0)
					assert_int_equal(chosen[s], n / total * weights[i][s]);
			}
		}
		backend_fixture_close(&fixture);
	}
}

static void round_robin_spreads_a_heavy_server_over_the_round(void **state)
{
	struct backend_fixture fixture;
	const unsigned expected[] = {0, 1, 0, 0, 2, 0, 0, 0, 1, 0, 0, 2, 0, 0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 3);
	fixture.servers[0].weight = 5;
	backend_fixture_open(&fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
		assert_int_equal(choose_and_release(&fixture, NULL), expected[i]);
	backend_fixture_close(&fixture);
}

/* Who was away is not paid back for it, and a new weight counts from now on. */
static void round_robin_does_not_burst_after_a_change(void **state)
{
	struct backend_fixture fixture;
	unsigned chosen[3] = {0};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 3);
	backend_fixture_open(&fixture);
	server_set_up(backend_fixture_server(&fixture, 1), false);
	for (unsigned i = 0; i < 1000; i++)
		chosen[choose_and_release(&fixture, NULL)]++;
	assert_int_equal(chosen[1], 0);
	server_set_up(backend_fixture_server(&fixture, 1), true);
	unsigned in_a_row = 0;
	memset(chosen, 0, sizeof(chosen));
	for (unsigned i = 0; i < 30; i++) {
		unsigned index = choose_and_release(&fixture, NULL);
		in_a_row = index == 1 ? in_a_row + 1 : 0;
		assert_in_range(in_a_row, 0, 1);
		chosen[index]++;
	}
	for (unsigned s = 0; s < 3; s++)
		assert_in_range(chosen[s], 9, 11);
	server_set_weight(backend_fixture_server(&fixture, 2), 8);
	memset(chosen, 0, sizeof(chosen));
	for (unsigned i = 0; i < 100; i++)
		chosen[choose_and_release(&fixture, NULL)]++;
	assert_in_range(chosen[2], 79, 81);
	backend_fixture_close(&fixture);
}

/* A round of the table, as HAProxy's comes out. */
static void static_rr_follows_its_table(void **state)
{
	const struct {
		unsigned weights[3];
		const char *round;
	} cases[] = {
		{{5, 1, 1}, "AAABAAC"},
		{{3, 1, 2}, "AACABC"},
		{{30, 10, 20}, "AACABC"},
		{{1, 1, 1}, "ABC"},
		{{0, 2, 2}, "BC"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct backend_fixture fixture;
		size_t len = strlen(cases[i].round);
		backend_fixture_init(&fixture, CONFIG_BALANCE_STATIC_RR, 3);
		for (unsigned s = 0; s < 3; s++)
			fixture.servers[s].weight = cases[i].weights[s];
		backend_fixture_open(&fixture);
		for (unsigned n = 0; n < 3 * len; n++)
			assert_int_equal('A' + choose_and_release(&fixture, NULL), cases[i].round[n % len]);
		/* On and off is followed, another weight is not. */
		server_set_weight(backend_fixture_server(&fixture, 1), 200);
		for (unsigned n = 0; n < len; n++)
			(void)choose_and_release(&fixture, NULL);
		server_set_weight(backend_fixture_server(&fixture, 1), 0);
		for (unsigned n = 0; n < 3 * len; n++)
			assert_int_not_equal(choose_and_release(&fixture, NULL), 1);
		backend_fixture_close(&fixture);
	}
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
static void a_key_always_meets_the_same_server(void **state)
{
	(void)state;
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		struct backend_fixture fixture, twin;
		if (!backend_variants[v].is_keyed)
			continue;
		backend_fixture_init_variant(&fixture, &backend_variants[v], 7);
		backend_fixture_init_variant(&twin, &backend_variants[v], 7);
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
}

static void a_key_returns_to_the_same_server_when_the_set_is_back(void **state)
{
	(void)state;
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		struct backend_fixture fixture;
		unsigned before[500];
		if (!backend_variants[v].is_keyed)
			continue;
		backend_fixture_init_variant(&fixture, &backend_variants[v], 5);
		backend_fixture_open(&fixture);
		for (uint32_t i = 0; i < ARRAY_LENGTH(before); i++) {
			struct endpoint client = client_v6(i);
			before[i] = choose_and_release(&fixture, &client);
		}
		server_set_up(backend_fixture_server(&fixture, 2), false);
		(void)choose_and_release(&fixture, NULL);
		server_set_up(backend_fixture_server(&fixture, 2), true);
		for (uint32_t i = 0; i < ARRAY_LENGTH(before); i++) {
			struct endpoint client = client_v6(i);
			assert_int_equal(choose_and_release(&fixture, &client), before[i]);
		}
		backend_fixture_close(&fixture);
	}
}

/* Wherever in the table its place is. */
static void a_key_moves_on_from_a_server_to_avoid(void **state)
{
	(void)state;
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		struct backend_fixture fixture;
		if (!backend_variants[v].is_keyed)
			continue;
		backend_fixture_init_variant(&fixture, &backend_variants[v], 3);
		backend_fixture_open(&fixture);
		for (uint32_t i = 0; i < 300; i++) {
			struct endpoint client = client_v4(i);
			unsigned own = choose_and_release(&fixture, &client);
			const struct choose_request request = {
				.client = &client, .avoid = backend_fixture_server(&fixture, own)};
			int other = backend_fixture_choose(&fixture, &request);
			assert_in_range(other, 0, 2);
			assert_int_not_equal(other, own);
			backend_release(backend_fixture_server(&fixture, (unsigned)other));
		}
		backend_fixture_close(&fixture);
	}
}

/* Full is not away: others do not get its clients.  Too many waiting is. */
static void a_key_waits_for_its_server_and_moves_on_at_maxqueue(void **state)
{
	struct backend_fixture fixture;
	struct queue_waiter waiters[2] = {{.state = 0}};
	struct endpoint client = client_v4(0);
	const struct choose_request request = {.client = &client};
	struct loop *loop = loop_create();
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_SOURCE, 2);
	for (unsigned s = 0; s < 2; s++) {
		fixture.servers[s].maxconn = 1;
		fixture.servers[s].maxqueue = 1;
	}
	backend_fixture_open(&fixture);
	int own = backend_fixture_choose(&fixture, &request);
	assert_int_equal(own, 0);
	assert_int_equal(backend_fixture_choose(&fixture, &request), -1);
	assert_true(backend_queue(fixture.backend, &request, &waiters[0], loop, on_never));
	assert_int_equal(backend_fixture_server(&fixture, 0)->queue_cur, 1);
	assert_int_equal(fixture.backend->queue_cur, 0);
	assert_int_equal(backend_fixture_choose(&fixture, &request), 1);
	assert_int_equal(backend_fixture_choose(&fixture, &request), -1);
	assert_true(backend_queue(fixture.backend, &request, &waiters[1], loop, on_never));
	assert_int_equal(backend_fixture_server(&fixture, 1)->queue_cur, 1);
	struct queue_waiter third = {.state = 0};
	assert_int_equal(backend_fixture_choose(&fixture, &request), -1);
	assert_false(backend_queue(fixture.backend, &request, &third, loop, on_never));
	for (unsigned i = 0; i < 2; i++)
		assert_true(backend_unqueue(&waiters[i]));
	loop_destroy(loop);
	backend_fixture_close(&fixture);
}

/* Every client is the same key: without a bound one server gets all. */
static void the_balance_factor_bounds_every_server(void **state)
{
	const char *const variants[] = {"hash consistent", "hash maglev", "random"};
	enum { SESSIONS = 1000, SERVERS = 10 };
	(void)state;
	for (size_t v = 0; v < ARRAY_LENGTH(variants); v++) {
		struct backend_fixture fixture;
		struct endpoint client = client_v4(1);
		const struct choose_request request = {.client = &client};
		unsigned shares = 0, bounded = 0;
		backend_fixture_init_variant(&fixture, variant_find(variants[v]), SERVERS);
		fixture.proxy.hash.balance_factor = 125;
		fixture.proxy.random_draws = 1;
		for (unsigned s = 0; s < SERVERS; s++)
			shares += fixture.servers[s].weight = 1 + s % 3;
		backend_fixture_open(&fixture);
		for (unsigned n = 1; n <= SESSIONS; n++) {
			int index = backend_fixture_choose(&fixture, &request);
			assert_true(index >= 0);
			double bound = 1.25 * n * fixture.servers[index].weight / shares;
			assert_true(backend_fixture_server(&fixture, (unsigned)index)->conn_cur < bound + 1);
		}
		for (unsigned s = 0; s < SERVERS; s++)
			bounded += backend_fixture_server(&fixture, s)->conn_cur >=
				1.24 * SESSIONS * fixture.servers[s].weight / shares;
		/* Eight of ten are filled to the bound when all want the same one. */
		assert_true(fixture.proxy.balance == CONFIG_BALANCE_RANDOM || bounded >= 6);
		backend_fixture_close(&fixture);
	}
}

/* Long and short sessions: who is slow to give slots back gets fewer. */
static void leastconn_evens_uneven_service_times_out(void **state)
{
	enum { SERVERS = 4, STEPS = 20000, BUSY = 40 };
	struct backend_fixture fixture;
	unsigned until[BUSY] = {0}, chosen[SERVERS] = {0};
	struct server *held[BUSY] = {NULL};
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_LEASTCONN, SERVERS);
	backend_fixture_open(&fixture);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned at = step % BUSY;
		if (held[at] && step < until[at])
			continue;
		if (held[at])
			backend_release(held[at]);
		int index = backend_fixture_choose(&fixture, NULL);
		assert_true(index >= 0);
		held[at] = backend_fixture_server(&fixture, (unsigned)index);
		until[at] = step + (index == 0 ? 10 * BUSY : BUSY);
		chosen[index]++;
		for (unsigned s = 0; s < SERVERS; s++)
			assert_in_range(backend_fixture_server(&fixture, s)->conn_cur, 0, BUSY / SERVERS + 2);
	}
	assert_true(chosen[0] * 5 < chosen[1]);
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
		cmocka_unit_test(round_robin_is_smooth_and_exact),
		cmocka_unit_test(round_robin_does_not_burst_after_a_change),
		cmocka_unit_test(static_rr_follows_its_table),
		cmocka_unit_test(round_robin_spreads_a_heavy_server_over_the_round),
		cmocka_unit_test(leastconn_takes_the_least_loaded_for_its_weight),
		cmocka_unit_test(leastconn_takes_turns_among_equals),
		cmocka_unit_test(first_fills_servers_in_the_order_of_their_ids),
		cmocka_unit_test(first_goes_by_place_without_ids),
		cmocka_unit_test(a_key_always_meets_the_same_server),
		cmocka_unit_test(a_key_returns_to_the_same_server_when_the_set_is_back),
		cmocka_unit_test(a_key_moves_on_from_a_server_to_avoid),
		cmocka_unit_test(a_key_waits_for_its_server_and_moves_on_at_maxqueue),
		cmocka_unit_test(the_balance_factor_bounds_every_server),
		cmocka_unit_test(leastconn_evens_uneven_service_times_out),
		cmocka_unit_test(random_prefers_the_less_loaded_of_its_draws),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
