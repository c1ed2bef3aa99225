/* Accepting under limits: never one too many, never one left waiting in vain. */
#include "net/acceptor.h"

#include <pthread.h>
#include <sys/resource.h>

#include "net_fixtures.h"

enum { CLIENTS = 8, TAKEN_MAX = 4096, PASSES_MAX = 1000 };

/* One worker and what it has accepted. */
struct worker_fixture {
	struct loop *loop;
	struct acceptor *acceptor;
	struct accept_limits *limits;
	struct listener *listener;
	int taken[TAKEN_MAX];
	unsigned taken_count;
	struct address last_peer;
	bool must_stop; /* on the next connection */
};

static struct net_fixture net;
static struct accept_limits limits;

static void on_accept(void *context, struct listener *listener, int fd, const struct address *peer)
{
	struct worker_fixture *worker = context;
	assert_ptr_equal(listener, worker->listener);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_true(worker->taken_count < TAKEN_MAX);
	worker->taken[worker->taken_count++] = fd;
	worker->last_peer = *peer;
	if (worker->must_stop)
		acceptor_stop(worker->acceptor);
}

static void worker_open(struct worker_fixture *worker, unsigned index, unsigned burst_max)
{
	*worker = (struct worker_fixture){.limits = &limits, .listener = net.frontend->listeners};
	worker->loop = loop_create();
	assert_non_null(worker->loop);
	const struct acceptor_options options = {.loop = worker->loop,
		.limits = &limits,
		.worker = index,
		.burst_max = burst_max,
		.on_accept = on_accept,
		.context = worker};
	assert_int_equal(acceptor_create(&options, worker->listener, &worker->acceptor), 0);
	acceptor_start(worker->acceptor);
}

static void worker_end_one(struct worker_fixture *worker)
{
	assert_true(worker->taken_count > 0);
	close(worker->taken[--worker->taken_count]);
	acceptor_release(worker->limits, worker->listener);
}

static void worker_close(struct worker_fixture *worker)
{
	while (worker->taken_count > 0)
		worker_end_one(worker);
	acceptor_destroy(worker->acceptor);
	loop_destroy(worker->loop);
}

/* Passes until so many are there; bounded, so a lost wake fails instead of hanging. */
static void worker_run(struct worker_fixture *worker, unsigned wanted)
{
	for (unsigned i = 0; i < PASSES_MAX && worker->taken_count < wanted; i++)
		loop_run_once(worker->loop, 10);
	assert_int_equal(worker->taken_count, wanted);
}

/* Passes that must change nothing; the messages and events due are handled. */
static void worker_settle(struct worker_fixture *worker)
{
	for (unsigned i = 0; i < 8; i++)
		loop_run_once(worker->loop, 0);
}

static int net_open(void **state)
{
	(void)state;
	limits = (struct accept_limits){0};
	fixture_init(&net, "127.0.0.1");
	return 0;
}

static int net_close(void **state)
{
	(void)state;
	assert_int_equal(net.frontend->conn_cur, 0);
	assert_int_equal(limits.conn_cur, 0);
	assert_int_equal(limits.parked_count, 0);
	fixture_close(&net);
	return 0;
}

static void clients_connect(int *fds, unsigned count)
{
	struct address target = fixture_target(&net);
	for (unsigned i = 0; i < count; i++) {
		fds[i] = fixture_connect(&target);
		assert_true(fds[i] >= 0);
	}
}

static void clients_close(int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

static void connections_are_handed_over_and_counted(void **state)
{
	struct worker_fixture worker;
	struct traffic_counters total;
	int clients[CLIENTS];
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	clients_connect(clients, CLIENTS);
	worker_run(&worker, CLIENTS);
	assert_int_equal(worker.last_peer.any.sa_family, AF_INET);
	assert_int_equal(ntohl(worker.last_peer.v4.sin_addr.s_addr), INADDR_LOOPBACK);
	assert_int_equal(limits.conn_cur, CLIENTS);
	assert_int_equal(limits.conn_max, CLIENTS);
	assert_int_equal(limits.conn_total, CLIENTS);
	assert_int_equal(net.frontend->conn_cur, CLIENTS);
	assert_int_equal(net.frontend->conn_max, CLIENTS);
	assert_int_equal(worker.listener->conn_cur, CLIENTS);
	frontend_counters(net.frontend, &total);
	assert_int_equal(total.connections, CLIENTS);
	assert_int_equal(worker.listener->counters[0].connections, CLIENTS);
	assert_in_range(net.frontend->rate_max, 1, CLIENTS);
	worker_close(&worker);
	assert_int_equal(worker.listener->conn_cur, 0);
	clients_close(clients, CLIENTS);
}

static void unix_peers_have_their_family(void **state)
{
	struct worker_fixture worker;
	int client;
	(void)state;
	fixture_init(&net, "abns@test_acceptor");
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	clients_connect(&client, 1);
	worker_run(&worker, 1);
	assert_int_equal(worker.last_peer.any.sa_family, AF_UNIX);
	worker_close(&worker);
	close(client);
}

static void a_burst_is_bounded(void **state)
{
	struct worker_fixture worker;
	int clients[CLIENTS];
	unsigned before = 0;
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 3);
	clients_connect(clients, CLIENTS);
	for (unsigned i = 0; i < PASSES_MAX && worker.taken_count < CLIENTS; i++) {
		loop_run_once(worker.loop, 10);
		assert_in_range(worker.taken_count - before, 0, 3);
		before = worker.taken_count;
	}
	assert_int_equal(worker.taken_count, CLIENTS);
	worker_close(&worker);
	clients_close(clients, CLIENTS);
}

static void a_limit_holds_and_each_end_lets_one_in(void **state)
{
	const struct {
		unsigned process, frontend, listener;
	} cases[] = {{3, 0, 0}, {0, 3, 0}, {0, 0, 3}, {3, 3, 3}, {3, 5, 4}, {5, 3, 4}, {5, 4, 3}};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct worker_fixture worker;
		int clients[CLIENTS];
		assert_int_equal(fixture_open(&net, 1), 0);
		limits.maxconn = cases[i].process;
		net.frontend->maxconn = cases[i].frontend;
		net.frontend->listeners->maxconn = cases[i].listener;
		worker_open(&worker, 0, 64);
		clients_connect(clients, CLIENTS);
		worker_run(&worker, 3);
		worker_settle(&worker);
		assert_int_equal(worker.taken_count, 3);
		assert_int_equal(limits.conn_cur, 3);
		for (unsigned ended = 0; ended < CLIENTS - 3; ended++) {
			worker_end_one(&worker);
			worker_run(&worker, 3);
			worker_settle(&worker);
			assert_int_equal(worker.taken_count, 3);
		}
		assert_int_equal(net.frontend->conn_max, 3);
		worker_close(&worker);
		clients_close(clients, CLIENTS);
		fixture_close(&net);
	}
	assert_int_equal(fixture_open(&net, 1), 0);
}

static void a_full_limit_costs_nothing_while_it_lasts(void **state)
{
	struct worker_fixture worker;
	struct loop_activity before, after;
	int clients[CLIENTS];
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	net.frontend->maxconn = 1;
	worker_open(&worker, 0, 64);
	clients_connect(clients, CLIENTS);
	worker_run(&worker, 1);
	worker_settle(&worker);
	loop_activity_read(worker.loop, &before);
	for (unsigned i = 0; i < 5; i++)
		loop_run_once(worker.loop, 5);
	loop_activity_read(worker.loop, &after);
	assert_int_equal(after.events, before.events);
	assert_int_equal(after.messages, before.messages);
	worker_close(&worker);
	clients_close(clients, CLIENTS);
}

static void a_raised_limit_and_an_opened_frontend_wake(void **state)
{
	struct worker_fixture worker;
	int clients[CLIENTS];
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	net.frontend->state = FRONTEND_PAUSED;
	net.frontend->maxconn = 2;
	worker_open(&worker, 0, 64);
	clients_connect(clients, CLIENTS);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 0);
	net.frontend->state = FRONTEND_OPEN;
	acceptor_wake_all(&limits);
	worker_run(&worker, 2);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 2);
	net.frontend->maxconn = 0;
	acceptor_wake_all(&limits);
	worker_run(&worker, CLIENTS);
	worker_close(&worker);
	clients_close(clients, CLIENTS);
}

/* Disabled and enabled again before the loop looked: stop and start are one start. */
static void a_start_wakes_who_sleeps_for_the_frontend(void **state)
{
	struct worker_fixture worker;
	int client;
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	__atomic_store_n(&net.frontend->state, FRONTEND_PAUSED, __ATOMIC_SEQ_CST);
	clients_connect(&client, 1);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 0);
	acceptor_start(worker.acceptor);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 0);
	__atomic_store_n(&net.frontend->state, FRONTEND_OPEN, __ATOMIC_SEQ_CST);
	acceptor_start(worker.acceptor);
	worker_run(&worker, 1);
	worker_close(&worker);
	clients_close(&client, 1);
}

static void a_rate_limit_delays_without_a_release(void **state)
{
	struct worker_fixture worker;
	int clients[CLIENTS];
	(void)state;
	net.proxy.rate_limit_sessions = 5;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	clients_connect(clients, CLIENTS);
	worker_run(&worker, 5);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 5);
	assert_int_equal(limits.parked_count, 0);
	worker_run(&worker, CLIENTS);
	assert_in_range(net.frontend->rate_max, 5, 6);
	worker_close(&worker);
	clients_close(clients, CLIENTS);
}

static void without_descriptors_it_rests_and_goes_on(void **state)
{
	struct worker_fixture worker;
	struct rlimit limit, none;
	int clients[CLIENTS];
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	clients_connect(clients, CLIENTS);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){3, limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	worker_settle(&worker);
	uint64_t exhausted = limits.exhausted;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(exhausted, 1);
	assert_int_equal(worker.taken_count, 0);
	assert_int_equal(limits.conn_cur, 0);
	/* By its timer: nothing is released here. */
	worker_run(&worker, CLIENTS);
	assert_int_equal(limits.exhausted, 1);
	worker_close(&worker);
	clients_close(clients, CLIENTS);
}

static void stopping_ends_accepting_even_in_a_burst(void **state)
{
	struct worker_fixture worker;
	int clients[CLIENTS];
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	worker.must_stop = true;
	clients_connect(clients, CLIENTS);
	worker_run(&worker, 1);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 1);
	worker.must_stop = false;
	acceptor_start(worker.acceptor);
	worker_run(&worker, CLIENTS);
	acceptor_stop(worker.acceptor);
	acceptor_stop(worker.acceptor);
	worker_close(&worker);
	clients_close(clients, CLIENTS);
}

/* The wake is posted and its receiver stopped or destroyed before it arrives; the
 * place must then go to the other worker's sleeper. */
static void a_wake_for_one_that_is_gone_goes_to_another(void **state)
{
	struct worker_fixture first, second;
	int clients[CLIENTS];
	(void)state;
	net.bind.shards = 1;
	for (unsigned is_destroyed = 0; is_destroyed < 2; is_destroyed++) {
		assert_int_equal(fixture_open(&net, 2), 0);
		net.frontend->maxconn = 1;
		worker_open(&first, 0, 64);
		worker_open(&second, 1, 64);
		clients_connect(clients, CLIENTS);
		worker_run(&first, 1);
		worker_settle(&first);
		worker_settle(&second);
		assert_int_equal(limits.parked_count, 2);
		worker_end_one(&first); /* posts to the first, which has slept longest */
		if (is_destroyed)
			acceptor_destroy(first.acceptor);
		else
			acceptor_stop(first.acceptor);
		if (is_destroyed)
			first.acceptor = NULL;
		worker_run(&second, 1);
		worker_close(&first);
		worker_close(&second);
		clients_close(clients, CLIENTS);
		fixture_close(&net);
	}
	assert_int_equal(fixture_open(&net, 1), 0);
}

static void a_failed_listening_socket_does_not_spin(void **state)
{
	struct worker_fixture worker;
	struct loop_activity before, after;
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 64);
	assert_int_equal(shutdown(worker.listener->sockets[0], SHUT_RD), 0);
	worker_settle(&worker);
	loop_activity_read(worker.loop, &before);
	for (unsigned i = 0; i < 50; i++)
		loop_run_once(worker.loop, 0);
	loop_activity_read(worker.loop, &after);
	assert_in_range(after.events - before.events, 0, 4);
	assert_int_equal(limits.exhausted, 0);
	worker_close(&worker);
}

/* Threads: each accepts and ends connections at its own pace under a common limit. */
enum { THREADS = 3, ROUNDS = 400, COMMON_LIMIT = 2 };

static void *clients_thread(void *context)
{
	const struct address *target = context;
	for (unsigned i = 0; i < ROUNDS; i++) {
		char byte;
		int fd = fixture_connect(target);
		assert_true(fd >= 0);
		/* Until the other side has had it and closed it. */
		assert_true(read(fd, &byte, 1) <= 0);
		close(fd);
	}
	return NULL;
}

static bool is_traffic_over;
static uint32_t over_limit;

static void *worker_thread(void *context)
{
	struct worker_fixture *worker = context;
	while (!__atomic_load_n(&is_traffic_over, __ATOMIC_ACQUIRE)) {
		loop_run_once(worker->loop, 20);
		if (__atomic_load_n(&limits.conn_cur, __ATOMIC_RELAXED) > COMMON_LIMIT)
			__atomic_fetch_add(&over_limit, 1, __ATOMIC_RELAXED);
		while (worker->taken_count > 0)
			worker_end_one(worker);
	}
	return NULL;
}

static void threads_share_a_limit_without_losing_a_wake(void **state)
{
	static struct worker_fixture workers[THREADS];
	pthread_t threads[THREADS], clients[THREADS];
	(void)state;
	assert_int_equal(fixture_open(&net, THREADS), 0);
	limits.maxconn = COMMON_LIMIT;
	net.frontend->maxconn = COMMON_LIMIT;
	is_traffic_over = false;
	struct address target = fixture_target(&net);
	for (unsigned i = 0; i < THREADS; i++)
		worker_open(&workers[i], i, 4);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, worker_thread, &workers[i]), 0);
		assert_int_equal(pthread_create(&clients[i], NULL, clients_thread, &target), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(clients[i], NULL);
	__atomic_store_n(&is_traffic_over, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(limits.conn_total, THREADS * ROUNDS);
	assert_in_range(limits.conn_max, 1, COMMON_LIMIT);
	assert_int_equal(over_limit, 0);
	for (unsigned i = 0; i < THREADS; i++)
		worker_close(&workers[i]);
}

/* With socket activation that is the first connection of all. */
static void what_waited_before_the_socket_was_ours_is_prepared(void **state)
{
	struct worker_fixture worker;
	struct address address = fixture_address("127.0.0.1");
	char text[16];
	int inherited = socket(AF_INET, SOCK_STREAM, 0);
	(void)state;
	assert_int_equal(bind(inherited, &address.any, address.len), 0);
	assert_int_equal(listen(inherited, 8), 0);
	assert_int_equal(getsockname(inherited, &address.any, &address.len), 0);
	FD_AUTO int client = fixture_connect(&address);
	assert_true(client >= 0);
	snprintf(text, sizeof(text), "fd@%d", inherited);
	fixture_init(&net, text);
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 10);
	worker_run(&worker, 1);
	assert_int_equal(fixture_option(worker.taken[0], SOL_SOCKET, SO_OOBINLINE), 1);
	assert_int_equal(fixture_option(worker.taken[0], IPPROTO_TCP, TCP_NODELAY), 1);
	worker_close(&worker);
}

/* A stopped frontend accepts nothing, except what draining finds, up to the limit. */
static void draining_takes_what_waits_within_the_limits(void **state)
{
	enum { WAITING = 6 };
	struct worker_fixture worker;
	int clients[WAITING];
	(void)state;
	assert_int_equal(fixture_open(&net, 1), 0);
	worker_open(&worker, 0, 1);
	net.frontend->state = FRONTEND_STOPPED;
	limits.maxconn = WAITING - 1;
	clients_connect(clients, WAITING);
	worker_settle(&worker);
	assert_int_equal(worker.taken_count, 0);
	acceptor_drain(worker.acceptor);
	assert_int_equal(worker.taken_count, WAITING - 1);
	limits.maxconn = 0;
	acceptor_drain(worker.acceptor);
	assert_int_equal(worker.taken_count, WAITING);
	acceptor_drain(worker.acceptor);
	assert_int_equal(worker.taken_count, WAITING);
	worker_close(&worker);
	for (unsigned i = 0; i < WAITING; i++)
		close(clients[i]);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, net_open, net_close)
	const struct CMUnitTest tests[] = {
		CASE(connections_are_handed_over_and_counted),
		CASE(unix_peers_have_their_family),
		CASE(a_burst_is_bounded),
		CASE(draining_takes_what_waits_within_the_limits),
		CASE(a_limit_holds_and_each_end_lets_one_in),
		CASE(a_full_limit_costs_nothing_while_it_lasts),
		CASE(a_raised_limit_and_an_opened_frontend_wake),
		CASE(a_start_wakes_who_sleeps_for_the_frontend),
		CASE(a_rate_limit_delays_without_a_release),
		CASE(without_descriptors_it_rests_and_goes_on),
		CASE(stopping_ends_accepting_even_in_a_burst),
		CASE(a_wake_for_one_that_is_gone_goes_to_another),
		CASE(a_failed_listening_socket_does_not_spin),
		CASE(threads_share_a_limit_without_losing_a_wake),
		CASE(what_waited_before_the_socket_was_ours_is_prepared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
