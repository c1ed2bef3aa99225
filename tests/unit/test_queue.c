/* Waiting for a slot: order, limits, the race of leaving and being granted, and
 * that no slot is ever lost between threads. */
#include "backend/backend.h"

#include <pthread.h>

#include "backend/backend_internal.h"
#include "backend_fixtures.h"
#include "base/hash.h"
#include "base/status.h"

enum { WAITERS = 5 };

static struct backend_fixture fixture;
static struct loop *loop;
static struct queue_waiter waiters[WAITERS];
static int granted[WAITERS]; /* in order of their grants: which waiter */
static unsigned granted_count;

static void on_grant(struct queue_waiter *waiter)
{
	assert_non_null(waiter->server);
	granted[granted_count++] = (int)(waiter - waiters);
}

/* One server with one slot, which is taken. */
static int queue_open(void **state)
{
	(void)state;
	backend_fixture_init(&fixture, CONFIG_BALANCE_ROUNDROBIN, 2);
	fixture.servers[0].maxconn = 1;
	fixture.servers[1].is_disabled = true;
	fixture.servers[1].maxconn = 1;
	memset(waiters, 0, sizeof(waiters));
	granted_count = 0;
	loop = loop_create();
	return loop ? 0 : -1;
}

static int queue_close(void **state)
{
	(void)state;
	loop_destroy(loop);
	backend_fixture_close(&fixture);
	return 0;
}

static struct server *first(void)
{
	return backend_fixture_server(&fixture, 0);
}

static void fill(void)
{
	backend_fixture_open(&fixture);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
	assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
}

static const struct choose_request anyone;

static void wait_in_queue(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_true(backend_queue(fixture.backend, &anyone, &waiters[i], loop, on_grant));
}

static void slots_go_to_who_waits_longest(void **state)
{
	(void)state;
	fill();
	wait_in_queue(WAITERS);
	assert_int_equal(fixture.backend->queue_cur, WAITERS);
	for (unsigned i = 0; i < WAITERS; i++) {
		loop_run_once(loop, 0);
		assert_int_equal(granted_count, i);
		backend_release(first());
		/* Taken already: nobody can slip in before the message arrives. */
		assert_int_equal(first()->conn_cur, 1);
		assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
		loop_run_once(loop, 0);
		assert_int_equal(granted_count, i + 1);
		assert_int_equal(granted[i], i);
		assert_ptr_equal(waiters[i].server, first());
	}
	assert_int_equal(fixture.backend->queue_cur, 0);
	assert_int_equal(fixture.backend->queue_max, WAITERS);
	backend_release(first());
	assert_int_equal(first()->conn_cur, 0);
	assert_int_equal(first()->conn_max, 1);
}

static void who_leaves_is_passed_over(void **state)
{
	(void)state;
	fill();
	wait_in_queue(3);
	assert_true(backend_unqueue(&waiters[0]));
	assert_true(backend_unqueue(&waiters[0]));
	assert_int_equal(fixture.backend->queue_cur, 2);
	backend_release(first());
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
	assert_int_equal(granted[0], 1);
	assert_true(backend_unqueue(&waiters[2]));
	assert_true(backend_unqueue(&waiters[1]));
	/* One that left may come back. */
	wait_in_queue(1);
	assert_true(backend_unqueue(&waiters[0]));
}

static void leaving_too_late_still_gets_the_grant(void **state)
{
	(void)state;
	fill();
	wait_in_queue(1);
	backend_release(first());
	assert_false(backend_unqueue(&waiters[0]));
	assert_int_equal(granted_count, 0);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
	backend_release(waiters[0].server);
	assert_int_equal(first()->conn_cur, 0);
}

static void a_slot_that_came_free_meanwhile_is_granted_at_once(void **state)
{
	(void)state;
	fill();
	backend_release(first());
	wait_in_queue(1);
	assert_int_equal(fixture.backend->queue_cur, 0);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
}

/* A release lowers the gauge before it takes the lock to grant. */
static void a_newcomer_does_not_overtake_within_a_release(void **state)
{
	(void)state;
	fill();
	wait_in_queue(1);
	__atomic_fetch_sub(&first()->conn_cur, 1, __ATOMIC_SEQ_CST);
	server_touch(first());
	assert_int_equal(backend_fixture_choose(&fixture, NULL), -1);
	const struct choose_request stick = {.stick = first()};
	assert_int_equal(backend_fixture_choose(&fixture, &stick), -1);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
	backend_release(first());
	assert_int_equal(backend_fixture_choose(&fixture, NULL), 0);
}

static void new_capacity_wakes_the_waiters(void **state)
{
	(void)state;
	fill();
	wait_in_queue(4);
	server_set_maxconn(first(), 2);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
	server_set_admin(backend_fixture_server(&fixture, 1), SERVER_READY);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 2);
	assert_ptr_equal(waiters[1].server, backend_fixture_server(&fixture, 1));
	server_set_weight(first(), 0);
	server_set_maxconn(first(), 3);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 2);
	server_set_weight(first(), 1);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 3);
	assert_true(backend_unqueue(&waiters[3]));
}

static void waiters_stay_while_servers_are_away(void **state)
{
	(void)state;
	fill();
	wait_in_queue(1);
	server_set_up(first(), false);
	backend_release(first());
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 0);
	assert_int_equal(fixture.backend->queue_cur, 1);
	server_set_up(first(), true);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
}

static void maxqueue_bounds_the_queue_by_its_sum(void **state)
{
	const struct {
		unsigned maxqueue[2];
		bool is_second_usable;
		unsigned admitted;
	} cases[] = {
		{{2, 0}, false, 2},
		{{2, 1}, true, 3},
		{{2, 0}, true, WAITERS},
		{{0, 0}, false, WAITERS},
		{{1, 9}, false, 1},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		unsigned admitted = 0;
		fixture.servers[0].maxqueue = cases[i].maxqueue[0];
		fixture.servers[1].maxqueue = cases[i].maxqueue[1];
		fixture.servers[1].is_disabled = !cases[i].is_second_usable;
		backend_fixture_open(&fixture);
		while (backend_fixture_choose(&fixture, NULL) >= 0)
			;
		while (admitted < WAITERS &&
			backend_queue(fixture.backend, &anyone, &waiters[admitted], loop, on_grant))
			admitted++;
		assert_int_equal(admitted, cases[i].admitted);
		while (admitted > 0)
			assert_true(backend_unqueue(&waiters[--admitted]));
		backend_fixture_close(&fixture);
	}
	backend_fixture_open(&fixture);
}

/* Threads: each carries several sessions that choose, wait, give up and end. */
enum { THREADS = 3, SESSIONS = 6, STEPS = 1500, SERVERS = 3, SLOTS = 2 };

struct hammer_session {
	struct queue_waiter waiter;
	struct server *server;
	bool is_waiting, has_given_up;
};

struct hammer {
	struct loop *loop;
	bool may_stick;
	struct hammer_session sessions[SESSIONS];
	uint64_t seed;
	uint64_t served;
	uint32_t over_limit;
};

static void hammer_got(struct hammer_session *session, struct server *server)
{
	session->server = server;
	session->is_waiting = false;
}

static void on_hammer_grant(struct queue_waiter *waiter)
{
	struct hammer_session *session = container_of(waiter, struct hammer_session, waiter);
	hammer_got(session, waiter->server);
	if (session->has_given_up) {
		backend_release(session->server);
		session->server = NULL;
		session->has_given_up = false;
	}
}

static void hammer_begin(struct hammer *hammer, struct hammer_session *session)
{
	uint64_t dice = hash_mix(hammer->seed ^ 0x5555);
	struct endpoint client = client_v4((uint32_t)dice);
	struct server *server = backend_fixture_server(&fixture, dice >> 32 & 1);
	struct choose_request request = {.client = &client};
	/* Some come as retries on a server, some after a failure of it. */
	if (hammer->may_stick && (dice >> 40) % 4 == 0)
		request.stick = server;
	if ((dice >> 40) % 4 == 1)
		request.avoid = server;
	enum choose_answer answer = backend_choose(fixture.backend, &request, &server);
	if (answer == CHOSEN)
		hammer_got(session, server);
	if (answer == CHOOSE_FULL)
		session->is_waiting = backend_queue(
			fixture.backend, &request, &session->waiter, hammer->loop, on_hammer_grant);
}

static void hammer_end(struct hammer *hammer, struct hammer_session *session)
{
	if (__atomic_load_n(&session->server->conn_cur, __ATOMIC_RELAXED) > SLOTS)
		hammer->over_limit++;
	backend_release(session->server);
	session->server = NULL;
	hammer->served++;
}

static void hammer_give_up(struct hammer_session *session)
{
	if (session->has_given_up)
		return;
	if (backend_unqueue(&session->waiter))
		session->is_waiting = false;
	else
		session->has_given_up = true;
}

static void *hammer_thread(void *context)
{
	struct hammer *hammer = context;
	for (unsigned step = 0; step < STEPS; step++) {
		uint64_t dice = hash_mix(hammer->seed++);
		struct hammer_session *session = &hammer->sessions[dice % SESSIONS];
		if (session->server)
			hammer_end(hammer, session);
		else if (!session->is_waiting)
			hammer_begin(hammer, session);
		else if (dice >> 32 & 1)
			hammer_give_up(session);
		loop_run_once(hammer->loop, 0);
	}
	return NULL;
}

/* Afterwards, on one thread: what is held is ended until everybody was served. */
static void hammers_finish(struct hammer *hammers)
{
	bool is_busy = true;
	for (unsigned round = 0; is_busy && round < 1000; round++) {
		is_busy = false;
		for (unsigned i = 0; i < THREADS * SESSIONS; i++) {
			struct hammer *hammer = &hammers[i / SESSIONS];
			struct hammer_session *session = &hammer->sessions[i % SESSIONS];
			loop_run_once(hammer->loop, 0);
			is_busy |= session->is_waiting || session->server;
			if (session->server)
				hammer_end(hammer, session);
		}
	}
	assert_false(is_busy);
}

static void hammer_backend(const struct backend_variant *variant)
{
	static struct hammer hammers[THREADS];
	pthread_t threads[THREADS];
	backend_fixture_init_variant(&fixture, variant, SERVERS);
	for (unsigned i = 0; i < SERVERS; i++) {
		fixture.servers[i].maxconn = SLOTS;
		fixture.servers[i].slowstart_ms = i == 0 ? 20 : 0;
		fixture.servers[i].maxqueue = i == 1 ? 2 : 0;
	}
	fixture.proxy.hash.balance_factor = 150;
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.loop = loop_create(), .seed = i * 1000000, .may_stick = true};
		assert_int_equal(pthread_create(&threads[i], NULL, hammer_thread, &hammers[i]), 0);
	}
	/* An operator meanwhile. */
	for (unsigned i = 0; i < 200; i++) {
		server_set_admin(backend_fixture_server(&fixture, 0), i & 1 ? SERVER_READY : SERVER_MAINT);
		server_set_weight(backend_fixture_server(&fixture, 1), 1 + i % 3);
		assert_non_null(server_state_name(backend_fixture_server(&fixture, 0)));
		assert_in_range(server_throttle_percent(backend_fixture_server(&fixture, 0)), 0, 100);
		(void)server_weight_now(backend_fixture_server(&fixture, 0));
		backend_tick(fixture.backend);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	hammers_finish(hammers);
	assert_int_equal(fixture.backend->queue_cur, 0);
	for (unsigned i = 0; i < SERVERS; i++) {
		assert_int_equal(backend_fixture_server(&fixture, i)->conn_cur, 0);
		assert_int_equal(backend_fixture_server(&fixture, i)->queue_cur, 0);
		assert_in_range(backend_fixture_server(&fixture, i)->conn_max, 1, SLOTS);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(hammers[i].over_limit, 0);
		assert_true(hammers[i].served > 0);
		loop_destroy(hammers[i].loop);
	}
}

static void threads_lose_no_slot(void **state)
{
	(void)state;
	for (unsigned v = 0; v < BACKEND_VARIANTS; v++) {
		hammer_backend(&backend_variants[v]);
		backend_fixture_close(&fixture);
	}
	backend_fixture_open(&fixture);
}

/* A retry waits for its own server, not for whoever is free first. */
static void a_retry_waits_for_its_server(void **state)
{
	(void)state;
	fixture.servers[1].is_disabled = false;
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < 2; i++)
		assert_true(backend_fixture_choose(&fixture, NULL) >= 0);
	const struct choose_request retry = {.stick = first()};
	assert_true(backend_queue(fixture.backend, &retry, &waiters[0], loop, on_grant));
	assert_int_equal(first()->queue_cur, 1);
	assert_int_equal(first()->queue_max, 1);
	assert_int_equal(fixture.backend->queue_cur, 0);
	backend_release(backend_fixture_server(&fixture, 1));
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 0);
	backend_release(first());
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
	assert_ptr_equal(waiters[0].server, first());
	assert_int_equal(first()->queue_cur, 0);
}

/* Odd ones wait for the first server, even ones for any: one order for all. */
static void the_queues_are_served_as_one(void **state)
{
	(void)state;
	fill();
	const struct choose_request retry = {.stick = first()};
	for (unsigned i = 0; i < WAITERS; i++)
		assert_true(backend_queue(
			fixture.backend, i & 1 ? &retry : &anyone, &waiters[i], loop, on_grant));
	assert_int_equal(first()->queue_cur, WAITERS / 2);
	assert_int_equal(fixture.backend->queue_cur, WAITERS - WAITERS / 2);
	for (unsigned i = 0; i < WAITERS; i++) {
		backend_release(first());
		loop_run_once(loop, 0);
		assert_int_equal(granted_count, i + 1);
		assert_int_equal(granted[i], i);
	}
}

/* In the order in which they came, among those that wait for any. */
static void who_waits_for_a_server_that_goes_waits_for_any(void **state)
{
	(void)state;
	fill();
	const struct choose_request retry = {.stick = first()};
	for (unsigned i = 0; i < 3; i++)
		assert_true(backend_queue(
			fixture.backend, i & 1 ? &anyone : &retry, &waiters[i], loop, on_grant));
	server_set_up(first(), false);
	assert_int_equal(first()->queue_cur, 0);
	assert_int_equal(fixture.backend->queue_cur, 3);
	server_set_maxconn(backend_fixture_server(&fixture, 1), 0);
	server_set_admin(backend_fixture_server(&fixture, 1), SERVER_READY);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(granted[i], i);
		assert_ptr_equal(waiters[i].server, backend_fixture_server(&fixture, 1));
	}
}

/* Slots of two servers come free at once: who came later than one that waits for a
 * certain server does not get that server's slot, whichever is looked at first. */
static void of_several_slots_each_goes_to_who_came_first(void **state)
{
	(void)state;
	for (unsigned last = 0; last < 2; last++) {
		granted_count = 0;
		memset(waiters, 0, sizeof(waiters));
		fixture.proxy.balance = CONFIG_BALANCE_FIRST;
		fixture.servers[1].is_disabled = false;
		backend_fixture_open(&fixture);
		for (int i = 0; i < 2; i++)
			assert_int_equal(backend_fixture_choose(&fixture, NULL), i);
		struct server *const servers[] = {first(), backend_fixture_server(&fixture, 1)};
		const struct choose_request requests[] = {
			{.stick = servers[0]}, {.stick = NULL}, {.stick = servers[1]}};
		for (unsigned i = 0; i < 3; i++)
			assert_true(
				backend_queue(fixture.backend, &requests[i], &waiters[i], loop, on_grant));
		/* As two threads are in the middle of backend_release(). */
		for (unsigned i = 0; i < 2; i++) {
			__atomic_fetch_sub(&servers[i ^ last]->conn_cur, 1, __ATOMIC_SEQ_CST);
			server_touch(servers[i ^ last]);
		}
		backend_tick(fixture.backend);
		loop_run_once(loop, 0);
		assert_int_equal(granted_count, 2);
		assert_ptr_equal(waiters[0].server, servers[0]);
		assert_ptr_equal(waiters[1].server, servers[1]);
		assert_true(backend_unqueue(&waiters[2]));
		backend_fixture_close(&fixture);
	}
	backend_fixture_open(&fixture);
}

static void a_retry_goes_elsewhere_when_too_many_wait_for_its_server(void **state)
{
	(void)state;
	fixture.servers[0].maxqueue = 1;
	fixture.servers[1].is_disabled = false;
	fixture.servers[1].maxconn = 2;
	backend_fixture_open(&fixture);
	const struct choose_request retry = {.stick = first()};
	assert_int_equal(backend_fixture_choose(&fixture, &retry), 0);
	assert_int_equal(backend_fixture_choose(&fixture, &retry), -1);
	assert_true(backend_queue(fixture.backend, &retry, &waiters[0], loop, on_grant));
	assert_int_equal(backend_fixture_choose(&fixture, &retry), 1);
	assert_int_equal(backend_fixture_choose(&fixture, &retry), 1);
	assert_true(backend_queue(fixture.backend, &retry, &waiters[1], loop, on_grant));
	assert_int_equal(first()->queue_cur, 1);
	assert_int_equal(fixture.backend->queue_cur, 1);
	for (unsigned i = 0; i < 2; i++)
		assert_true(backend_unqueue(&waiters[i]));
}

/* The key is remembered: whoever came for a server meets it again when it is back. */
static void a_waiter_keeps_its_key(void **state)
{
	struct endpoint clients[2] = {client_v4(0), client_v4(1)};
	(void)state;
	fixture.proxy.balance = CONFIG_BALANCE_SOURCE;
	fixture.servers[1].is_disabled = false;
	backend_fixture_open(&fixture);
	for (unsigned i = 0; i < 2; i++)
		server_set_up(backend_fixture_server(&fixture, i), false);
	for (unsigned i = 0; i < 2; i++) {
		const struct choose_request request = {.client = &clients[i]};
		assert_true(backend_queue(fixture.backend, &request, &waiters[i], loop, on_grant));
	}
	assert_int_equal(fixture.backend->queue_cur, 2);
	server_set_up(backend_fixture_server(&fixture, 1), true);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 1);
	assert_int_equal(backend_fixture_server(&fixture, 1)->queue_cur, 1);
	backend_release(waiters[0].server);
	loop_run_once(loop, 0);
	assert_int_equal(granted_count, 2);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, queue_open, queue_close)
	const struct CMUnitTest tests[] = {
		CASE(slots_go_to_who_waits_longest),
		CASE(who_leaves_is_passed_over),
		CASE(leaving_too_late_still_gets_the_grant),
		CASE(a_slot_that_came_free_meanwhile_is_granted_at_once),
		CASE(a_newcomer_does_not_overtake_within_a_release),
		CASE(new_capacity_wakes_the_waiters),
		CASE(waiters_stay_while_servers_are_away),
		CASE(maxqueue_bounds_the_queue_by_its_sum),
		CASE(a_retry_waits_for_its_server),
		CASE(the_queues_are_served_as_one),
		CASE(who_waits_for_a_server_that_goes_waits_for_any),
		CASE(of_several_slots_each_goes_to_who_came_first),
		CASE(a_retry_goes_elsewhere_when_too_many_wait_for_its_server),
		CASE(a_waiter_keeps_its_key),
		CASE(threads_lose_no_slot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
