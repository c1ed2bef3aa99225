/* Tables from numbers to servers: shares, and how many numbers move when the servers
 * change. */
#include "backend/place_table.h"

#include "backend_fixtures.h"
#include "base/hash.h"
#include "base/status.h"

enum { KEYS = 100000 };

static unsigned chosen_by(const struct backend_fixture *fixture, uint32_t number)
{
	struct endpoint client = client_v4(number);
	const struct choose_request request = {.client = &client};
	int index = backend_fixture_choose(fixture, &request);
	assert_true(index >= 0);
	backend_release(backend_fixture_server(fixture, (unsigned)index));
	return (unsigned)index;
}

static void fixture_init(struct backend_fixture *fixture, enum config_hash_type type, unsigned servers)
{
	backend_fixture_init(fixture, CONFIG_BALANCE_HASH, servers);
	fixture->proxy.hash.type = type;
	fixture->proxy.hash.function = CONFIG_HASH_CRC32;
	fixture->proxy.hash.has_avalanche = true;
}

/* Keys that were elsewhere before or are now, of which all but those of the server
 * that left have moved for nothing. */
struct disruption {
	unsigned moved, needed;
};

static struct disruption disruption_measure(enum config_hash_type type, unsigned servers, unsigned leaving)
{
	static unsigned before[KEYS];
	struct backend_fixture fixture;
	struct disruption disruption = {0, 0};
	fixture_init(&fixture, type, servers);
	backend_fixture_open(&fixture);
	for (uint32_t i = 0; i < KEYS; i++)
		before[i] = chosen_by(&fixture, i);
	server_set_up(backend_fixture_server(&fixture, leaving), false);
	for (uint32_t i = 0; i < KEYS; i++) {
		unsigned now = chosen_by(&fixture, i);
		assert_int_not_equal(now, leaving);
		disruption.moved += now != before[i];
		disruption.needed += before[i] == leaving;
	}
	/* Coming back it takes exactly those again. */
	server_set_up(backend_fixture_server(&fixture, leaving), true);
	for (uint32_t i = 0; i < KEYS; i++)
		assert_int_equal(chosen_by(&fixture, i), before[i]);
	backend_fixture_close(&fixture);
	return disruption;
}

static void a_ring_moves_only_what_it_must(void **state)
{
	const unsigned counts[] = {2, 10, 100};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
		struct disruption disruption =
			disruption_measure(CONFIG_HASH_CONSISTENT, counts[i], counts[i] / 2);
		assert_int_equal(disruption.moved, disruption.needed);
		/* Its share of the keys, which is uneven with sixteen points. */
		assert_true(disruption.moved < 2.5 * KEYS / counts[i]);
	}
}

/* The more servers, the fewer places each has and the more a change ripples. */
static void maglev_moves_little_more_than_it_must(void **state)
{
	const struct {
		unsigned servers;
		double bound; /* times the part of one server */
	} cases[] = {{2, 1.1}, {3, 1.1}, {10, 1.1}, {50, 1.5}, {100, 1.8}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct disruption disruption =
			disruption_measure(CONFIG_HASH_MAGLEV, cases[i].servers, cases[i].servers / 3);
		assert_true(disruption.moved >= disruption.needed);
		assert_true(disruption.moved <= cases[i].bound * KEYS / cases[i].servers);
	}
}

/* That is what the other two are for. */
static void a_map_moves_most(void **state)
{
	(void)state;
	struct disruption disruption = disruption_measure(CONFIG_HASH_MAP_BASED, 10, 3);
	assert_true(disruption.moved > KEYS / 2);
}

/* The same servers, listed in another order, with some that are away on one side
 * only not listed at all on the other. */
static void maglev_is_the_same_whatever_the_order(void **state)
{
	enum { SERVERS = 20 };
	(void)state;
	for (uint64_t seed = 0; seed < 5; seed++) {
		struct backend_fixture left, right;
		unsigned order[SERVERS];
		fixture_init(&left, CONFIG_HASH_MAGLEV, SERVERS);
		fixture_init(&right, CONFIG_HASH_MAGLEV, SERVERS - 1);
		for (unsigned i = 0; i < SERVERS; i++) {
			unsigned other = (unsigned)(hash_mix(seed << 32 | i) % (i + 1));
			order[i] = order[other];
			order[other] = i;
			left.servers[i].weight = 1 + i % 4;
		}
		unsigned place = 0;
		for (unsigned i = 0; i < SERVERS; i++) {
			if (order[i] == 7)
				continue;
			right.servers[place].name = left.servers[order[i]].name;
			right.servers[place].id = 1000 - i;
			right.servers[place++].weight = left.servers[order[i]].weight;
		}
		backend_fixture_open(&left);
		backend_fixture_open(&right);
		server_set_admin(backend_fixture_server(&left, 7), SERVER_MAINT);
		for (uint32_t i = 0; i < 10000; i++)
			assert_string_equal(left.servers[chosen_by(&left, i)].name,
				right.servers[chosen_by(&right, i)].name);
		backend_fixture_close(&left);
		backend_fixture_close(&right);
	}
}

/* A weight is followed while running, by moving what it must. */
static void weights_move_places_in_proportion(void **state)
{
	const enum config_hash_type types[] = {CONFIG_HASH_CONSISTENT, CONFIG_HASH_MAGLEV};
	static unsigned before[KEYS];
	(void)state;
	for (size_t t = 0; t < ARRAY_LENGTH(types); t++) {
		struct backend_fixture fixture;
		unsigned moved = 0, share = 0;
		fixture_init(&fixture, types[t], 5);
		for (unsigned i = 0; i < 5; i++)
			fixture.servers[i].weight = 100;
		backend_fixture_open(&fixture);
		for (uint32_t i = 0; i < KEYS; i++)
			before[i] = chosen_by(&fixture, i);
		server_set_weight(backend_fixture_server(&fixture, 0), 50);
		for (uint32_t i = 0; i < KEYS; i++) {
			unsigned now = chosen_by(&fixture, i);
			moved += now != before[i];
			share += now == 0;
		}
		/* From a fifth to a ninth. */
		assert_in_range(share, 0.9 * KEYS / 9, 1.1 * KEYS / 9);
		assert_true(moved < 1.5 * (KEYS / 5.0 - KEYS / 9.0));
		/* And more places than at the start: 256 of 1124. */
		server_set_weight(backend_fixture_server(&fixture, 0), 256);
		server_set_weight(backend_fixture_server(&fixture, 1), 256);
		server_set_weight(backend_fixture_server(&fixture, 2), 256);
		server_set_weight(backend_fixture_server(&fixture, 3), 256);
		share = 0;
		for (uint32_t i = 0; i < KEYS; i++)
			share += chosen_by(&fixture, i) == 0;
		assert_in_range(share, 0.9 * KEYS * 256 / 1124, 1.1 * KEYS * 256 / 1124);
		backend_fixture_close(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_moves_only_what_it_must),
		cmocka_unit_test(maglev_moves_little_more_than_it_must),
		cmocka_unit_test(a_map_moves_most),
		cmocka_unit_test(maglev_is_the_same_whatever_the_order),
		cmocka_unit_test(weights_move_places_in_proportion),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
