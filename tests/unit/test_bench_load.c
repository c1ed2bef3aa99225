/* Whole loads of splicebench, against a server in this process: they move and check
 * what they say, see faults on the way, and do not omit what a slow server made wait. */
#include "../../bench/load/messages.h"
#include "bench_fixtures.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

static struct load_options options_for(enum load_command command, double seconds)
{
	return (struct load_options){.command = command,
		.connections = 1,
		.threads = 1,
		.messages = 1,
		.seconds = seconds,
		.warmup_s = 0.02,
		.size = 64,
		.sample_every = 1024 * 1024,
		.is_quiet = true,
		.seed = 1};
}

static struct load_options server_options(void)
{
	struct load_options options = options_for(LOAD_SERVE, 0);
	options.listen = place_any();
	return options;
}

static struct tally sum_of(const struct run *run)
{
	struct tally sum = {0};
	for (unsigned i = 0; i < run->options->threads; i++)
		tally_merge(&sum, &run->workers[i].tally);
	return sum;
}

/* The load against a server of its own; only its counts remain. */
static struct tally load_alone(struct load_options *options, const struct workload *workload)
{
	struct load_options serving = server_options();
	struct run server, run;
	assert_int_equal(run_server_start(&server, &serving, &options->to), 0);
	assert_int_equal(run_load_do(&run, options, workload), 0);
	struct tally sum = sum_of(&run);
	run_release(&run);
	run_server_stop(&server);
	return sum;
}

static void a_clean_path_has_no_errors_and_every_byte_is_verified(void **state)
{
	static const enum direction directions[] = {DIRECTION_UP, DIRECTION_DOWN, DIRECTION_BOTH};
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct load_options options = options_for(LOAD_BULK, 0.1);
		options.direction = directions[i];
		options.connections = 4;
		options.threads = 2;
		struct tally sum = load_alone(&options, &workload_bulk);
		assert_int_equal(tally_errors(&sum), 0);
		assert_true(sum.bytes > 0);
		assert_int_equal(sum.verified + sum.peer_verified, sum.bytes);
	}
}

static void a_sampled_path_verifies_some_bytes_only(void **state)
{
	struct load_options options = options_for(LOAD_BULK, 0.2);
	(void)state;
	options.direction = DIRECTION_BOTH;
	options.is_sampled = true;
	struct tally sum = load_alone(&options, &workload_bulk);
	assert_int_equal(tally_errors(&sum), 0);
	assert_true(sum.verified > 0 && sum.peer_verified > 0);
	assert_true(sum.verified + sum.peer_verified < sum.bytes);
}

static void messages_of_every_kind_come_back(void **state)
{
	static const struct {
		enum load_command command;
		const struct workload *workload;
		double rate;
		uint32_t size, answer;
		bool is_reset;
	} cases[] = {
		{LOAD_PINGPONG, &workload_messages, 0, 64, 0, false},
		{LOAD_PINGPONG, &workload_messages, 0, 300000, 0, false},
		{LOAD_PINGPONG, &workload_messages, 0, 100, 7777, false},
		{LOAD_PINGPONG, &workload_messages, 2000, 64, 0, false},
		{LOAD_DRIBBLE, &workload_messages, 1000, 1, 0, false},
		{LOAD_INCAST, &workload_incast, 100, 4096, 0, false},
		{LOAD_IDLE, &workload_idle, 0, 1, 0, false},
		{LOAD_CHURN, &workload_churn, 0, 64, 0, false},
		{LOAD_CHURN, &workload_churn, 0, 64, 1000, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct load_options options = options_for(cases[i].command, 0.1);
		options.connections = 6;
		options.threads = 2;
		options.rate = cases[i].rate;
		options.size = cases[i].size;
		options.answer = cases[i].answer;
		options.is_reset = cases[i].is_reset;
		struct tally sum = load_alone(&options, cases[i].workload);
		assert_int_equal(tally_errors(&sum), 0);
		assert_true(sum.messages >= 12);
		assert_int_equal(sum.unanswered, 0);
	}
}

static void a_connection_of_churn_may_have_several_exchanges(void **state)
{
	struct load_options options = options_for(LOAD_CHURN, 0.1);
	(void)state;
	options.messages = 5;
	options.answer = 3000;
	struct tally sum = load_alone(&options, &workload_churn);
	assert_int_equal(tally_errors(&sum), 0);
	assert_true(sum.connections_done > 0);
	assert_int_equal(sum.messages, 5 * sum.connections_done);
	assert_int_equal(sum.unanswered, 0);
}

static void the_server_may_run_in_the_loads_own_threads(void **state)
{
	struct load_options options = options_for(LOAD_PINGPONG, 0.1);
	struct run run;
	(void)state;
	options.connections = 8;
	options.threads = 2;
	options.has_server = true;
	options.server = place_free();
	options.to = options.server;
	assert_int_equal(run_load_do(&run, &options, &workload_messages), 0);
	struct tally sum = sum_of(&run);
	assert_int_equal(tally_errors(&sum), 0);
	assert_int_equal(sum.verified, sum.peer_verified);
	run_release(&run);
}

struct fault_case {
	enum fault fault;
	bool is_up;
	enum load_command command;
	enum direction direction;
	bool is_sampled;
};

/* Returns the offset of the first wrong byte that the load names. */
static uint64_t fault_find(const struct fault_case *fault, uint64_t place, struct tally *ret_sum)
{
	struct load_options serving = server_options(), options = options_for(fault->command, 0.1);
	struct run server, run;
	struct place at;
	assert_int_equal(run_server_start(&server, &serving, &at), 0);
	struct relay relay = {.fault = fault->fault, .is_fault_up = fault->is_up, .place = place};
	relay_start(&relay, &at);
	options.to = relay.here;
	options.direction = fault->direction;
	options.is_sampled = fault->is_sampled;
	assert_int_equal(run_load_do(&run, &options,
				 fault->command == LOAD_BULK ? &workload_bulk : &workload_messages),
		0);
	*ret_sum = sum_of(&run);
	bool is_known = run.workers[0].first_bad.is_known;
	uint64_t offset = is_known ? run.workers[0].first_bad.offset : UINT64_MAX;
	run_release(&run);
	relay_stop(&relay);
	run_server_stop(&server);
	return offset;
}

static void faults_on_the_way_are_found_at_their_place(void **state)
{
	static const struct fault_case cases[] = {
		{FAULT_FLIP, true, LOAD_BULK, DIRECTION_UP, false},
		{FAULT_FLIP, false, LOAD_BULK, DIRECTION_DOWN, false},
		{FAULT_FLIP, true, LOAD_BULK, DIRECTION_BOTH, false},
		{FAULT_FLIP, false, LOAD_BULK, DIRECTION_BOTH, false},
		{FAULT_LOSE, true, LOAD_BULK, DIRECTION_UP, false},
		{FAULT_LOSE, false, LOAD_BULK, DIRECTION_DOWN, false},
		{FAULT_REPEAT, true, LOAD_BULK, DIRECTION_UP, false},
		{FAULT_REPEAT, false, LOAD_BULK, DIRECTION_DOWN, false},
		{FAULT_FLIP, true, LOAD_PINGPONG, DIRECTION_UP, false},
		{FAULT_FLIP, false, LOAD_PINGPONG, DIRECTION_UP, false},
		{FAULT_FLIP, true, LOAD_BULK, DIRECTION_UP, true},
		{FAULT_FLIP, false, LOAD_BULK, DIRECTION_DOWN, true},
	};
	const uint64_t payload = 1000;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tally sum;
		uint64_t offset = fault_find(&cases[i], payload + (cases[i].is_up ? WIRE_BYTES : 0), &sum);
		assert_int_equal(sum.errors[LOAD_ERROR_PATTERN], 1);
		assert_int_equal(tally_errors(&sum), 1);
		/* A spoiled answer begins with the message that held the byte, or a later one. */
		uint64_t slack = cases[i].fault == FAULT_REPEAT || cases[i].command == LOAD_PINGPONG
			? FAULT_BYTES + 8
			: 8;
		assert_in_range(
			offset, payload - (cases[i].command == LOAD_PINGPONG ? 64 : 0), payload + slack);
	}
}

static void an_end_in_the_midst_is_told_from_a_good_one(void **state)
{
	static const struct fault_case cases[] = {
		{FAULT_BREAK, true, LOAD_BULK, DIRECTION_UP, false},
		{FAULT_BREAK, false, LOAD_BULK, DIRECTION_DOWN, false},
		{FAULT_BREAK, true, LOAD_PINGPONG, DIRECTION_UP, false},
		{FAULT_BREAK, false, LOAD_BULK, DIRECTION_DOWN, true},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tally sum;
		(void)fault_find(&cases[i], 10000, &sum);
		assert_int_equal(sum.errors[LOAD_ERROR_RESET] + sum.errors[LOAD_ERROR_EARLY_END], 1);
		assert_int_equal(tally_errors(&sum), 1);
	}
}

/* The p99 of messages at a rate, against a server that sleeps as it is told. */
static uint64_t p99_at(double rate, double seconds, uint64_t delay_us, uint64_t stall_ms, uint64_t every_ms)
{
	struct load_options serving = server_options(), options = options_for(LOAD_PINGPONG, seconds);
	struct run server, run;
	serving.delay_us = delay_us;
	serving.stall_ms = stall_ms;
	serving.stall_every_ms = every_ms;
	options.rate = rate;
	options.connections = 4;
	assert_int_equal(run_server_start(&server, &serving, &options.to), 0);
	assert_int_equal(run_load_do(&run, &options, &workload_messages), 0);
	struct tally sum = sum_of(&run);
	assert_int_equal(tally_errors(&sum), 0);
	const struct histogram *latency = &run.workers[0].latency;
	/* Every message that was due is in, none was left out for waiting. */
	assert_in_range(latency->count, (uint64_t)(rate * seconds) - 1, (uint64_t)(rate * seconds) + 1);
	uint64_t p99 = histogram_quantile(latency, 0.99);
	run_release(&run);
	run_server_stop(&server);
	return p99;
}

static void a_server_that_stalls_raises_p99_to_its_stall(void **state)
{
	(void)state;
	assert_in_range(p99_at(1000, 1, 0, 120, 400), 80000000, 400000000);
}

/* 4000 a second come and 1000 at most are served: the last waited for three quarters
 * of what it takes to serve all. */
static void a_server_that_is_too_slow_raises_p99_to_the_queue(void **state)
{
	(void)state;
	assert_true(p99_at(4000, 0.25, 1000, 0, 0) > 600000000);
}

/* The listener does not block. */
static int accept_waiting(int listener)
{
	struct pollfd fd = {.fd = listener, .events = POLLIN};
	CHECK(poll(&fd, 1, 10000) == 1);
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* A relay that keeps the client's half-close to itself. */
struct swallower {
	struct place here, server;
	int listener;
	pthread_t thread;
};

static void *swallower_main(void *argument)
{
	struct swallower *swallower = argument;
	int client = accept_waiting(swallower->listener);
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct address *to = &swallower->server.address;
	CHECK(client >= 0 && connect(server, &to->any, to->len) == 0);
	struct pollfd fds[2] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
	uint8_t bytes[RELAY_BYTES];
	while (poll(fds, 2, 10000) > 0 && ((fds[0].revents | fds[1].revents) & (POLLERR | POLLHUP)) == 0) {
		unsigned from = (fds[1].revents & POLLIN) != 0 ? 1 : 0;
		ssize_t got = recv(fds[from].fd, bytes, sizeof(bytes), 0);
		if (got < 0 || (got == 0 && from == 1))
			break;
		if (got > 0 && !relay_send(fds[1 - from].fd, bytes, (size_t)got))
			break;
		if (got == 0)
			fds[0].events = 0; /* its reset still shows */
	}
	close(client);
	close(server);
	return NULL;
}

static struct tally swallowed_load(struct load_options *options, const struct workload *workload)
{
	struct load_options serving = server_options();
	struct swallower swallower = {.here = place_any()};
	struct run server, run;
	const char *what;
	assert_int_equal(run_server_start(&server, &serving, &swallower.server), 0);
	swallower.listener = place_listen(&swallower.here, &what);
	assert_true(swallower.listener >= 0 && place_learn(swallower.listener, &swallower.here) == 0);
	assert_int_equal(pthread_create(&swallower.thread, NULL, swallower_main, &swallower), 0);
	options->to = swallower.here;
	assert_int_equal(run_load_do(&run, options, workload), 0);
	struct tally sum = sum_of(&run);
	run_release(&run);
	assert_int_equal(pthread_join(swallower.thread, NULL), 0);
	close(swallower.listener);
	run_server_stop(&server);
	return sum;
}

static void a_verdict_that_never_comes_is_an_error(void **state)
{
	static const struct {
		enum load_command command;
		enum direction direction;
		const struct workload *workload;
	} cases[] = {
		{LOAD_BULK, DIRECTION_UP, &workload_bulk},
		{LOAD_BULK, DIRECTION_BOTH, &workload_bulk},
		{LOAD_PINGPONG, DIRECTION_UP, &workload_messages},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct load_options options = options_for(cases[i].command, 0.1);
		options.direction = cases[i].direction;
		options.ending_max_ms = 300;
		struct tally sum = swallowed_load(&options, cases[i].workload);
		assert_int_equal(sum.errors[LOAD_ERROR_STALLED], 1);
		assert_int_equal(tally_errors(&sum), 1);
		assert_int_equal(sum.unanswered, 0);
	}
}

/* The relay takes all and passes on what lies before the fault. */
static void with_the_server_here_bytes_are_those_that_arrived(void **state)
{
	enum { ARRIVING = 10000 };
	struct load_options options = options_for(LOAD_BULK, 0.1);
	struct run run;
	(void)state;
	options.has_server = true;
	options.server = place_free();
	struct relay relay = {.fault = FAULT_BREAK, .is_fault_up = true, .place = ARRIVING + WIRE_BYTES};
	relay_start(&relay, &options.server);
	options.to = relay.here;
	assert_int_equal(run_load_do(&run, &options, &workload_bulk), 0);
	struct tally sum = sum_of(&run);
	assert_int_equal(tally_errors(&sum), 1);
	assert_true(sum.bytes <= ARRIVING);
	assert_int_equal(sum.bytes, sum.peer_verified);
	run_release(&run);
	relay_stop(&relay);
}

struct echoer {
	int listener;
	unsigned answers_max; /* then it is mute */
	long service_ns; /* of each connection; one is served after another */
};

/* Echoes a message of 64 bytes on each of the first connections. */
static void *echoer_main(void *argument)
{
	const struct echoer *echoer = argument;
	const struct timespec service = {.tv_nsec = echoer->service_ns};
	for (unsigned i = 0; i < echoer->answers_max; i++) {
		uint8_t bytes[WIRE_BYTES + 64];
		int fd = accept_waiting(echoer->listener);
		if (fd < 0)
			return NULL;
		if (recv(fd, bytes, sizeof(bytes), MSG_WAITALL) == sizeof(bytes)) {
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &service, NULL);
			(void)relay_send(fd, bytes + WIRE_BYTES, 64);
			(void)recv(fd, bytes, 1, 0);
		}
		close(fd);
	}
	return NULL;
}

/* One connection at a time: the fourth is never answered and is as old as the rest of the run. */
static void a_connection_that_never_ends_counts_with_its_age(void **state)
{
	struct run run;
	struct load_options options = options_for(LOAD_CHURN, 0.2);
	struct echoer echoer = {.answers_max = 3};
	const char *what;
	pthread_t thread;
	(void)state;
	options.to = place_any();
	options.warmup_s = 0;
	options.ending_max_ms = 100;
	echoer.listener = place_listen(&options.to, &what);
	assert_true(echoer.listener >= 0 && place_learn(echoer.listener, &options.to) == 0);
	assert_int_equal(pthread_create(&thread, NULL, echoer_main, &echoer), 0);
	assert_int_equal(run_load_do(&run, &options, &workload_churn), 0);
	struct tally sum = sum_of(&run);
	const struct histogram *latency = &run.workers[0].latency;
	assert_int_equal(sum.messages, 3);
	assert_int_equal(sum.unanswered, 1);
	/* The first was made before the measured time. */
	assert_int_equal(latency->count, 3);
	assert_true(latency->highest > 150000000);
	run_release(&run);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(echoer.listener);
}

/* Four connections and 20 ms of service each, one after another: each takes 80 ms, wherever it
 * waits; most of that before the backlog has room for it. */
static void waiting_for_a_full_backlog_is_part_of_the_latency(void **state)
{
	enum { SERVICE_NS = 20000000, CONNECTIONS = 4 };
	struct load_options options = options_for(LOAD_CHURN, 0.8);
	struct echoer echoer = {.answers_max = UINT32_MAX, .service_ns = SERVICE_NS};
	struct run run;
	pthread_t thread;
	(void)state;
	options.connections = CONNECTIONS;
	options.to = (struct place){.address.len = sizeof(options.to.address.local)};
	options.to.address.local.sun_family = AF_UNIX;
	/* Abstract, so that no file stays. */
	(void)snprintf(options.to.address.local.sun_path + 1, 64, "splicebench-test-%d", (int)getpid());
	echoer.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(echoer.listener, &options.to.address.any, options.to.address.len), 0);
	assert_int_equal(listen(echoer.listener, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, echoer_main, &echoer), 0);
	assert_int_equal(run_load_do(&run, &options, &workload_churn), 0);
	struct tally sum = sum_of(&run);
	assert_int_equal(tally_errors(&sum), 0);
	assert_true(histogram_mean(&run.workers[0].latency) > 0.75 * SERVICE_NS * CONNECTIONS);
	run_release(&run);
	assert_int_equal(shutdown(echoer.listener, SHUT_RDWR), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(echoer.listener);
}

/* false when a filter cannot be set. */
static bool refuse_epoll_pwait2(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = ARRAY_LENGTH(filter), .filter = filter};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

enum { IDLE_CPU_US_MAX = 100000, EXIT_NO_FILTER = 77 };

static uint64_t cpu_us_of(const struct rusage *usage)
{
	return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000 +
		(uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

/* Exit status: 0 when a quiet load ran without error and without spinning. */
static int quiet_load_without_epoll_pwait2(int error)
{
	struct load_options options = options_for(LOAD_IDLE, 0.4);
	struct run run;
	options.has_server = true;
	options.server = place_free();
	options.to = options.server;
	if (!refuse_epoll_pwait2(error))
		return EXIT_NO_FILTER;
	if (run_load_do(&run, &options, &workload_idle) != 0)
		return 2;
	struct tally sum = sum_of(&run);
	uint64_t cpu_us = cpu_us_of(&run.workers[0].last.usage) - cpu_us_of(&run.workers[0].first.usage);
	run_release(&run);
	if (tally_errors(&sum) != 0 || sum.messages < 2)
		return 3;
	return cpu_us < IDLE_CPU_US_MAX ? 0 : 4;
}

static void without_epoll_pwait2_the_load_neither_stops_nor_spins(void **state)
{
	static const int errors[] = {ENOSYS, EPERM};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		int status = 0;
		pid_t child = fork();
		if (child == 0)
			_exit(quiet_load_without_epoll_pwait2(errors[i]));
		assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
		if (WEXITSTATUS(status) == EXIT_NO_FILTER) {
			print_message("no system call filter can be set here\n");
			skip();
		}
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void no_server_is_a_connect_error(void **state)
{
	struct load_options options = options_for(LOAD_PINGPONG, 0.1);
	struct run run;
	(void)state;
	options.to = place_free();
	assert_int_equal(run_load_do(&run, &options, &workload_messages), 0);
	struct tally sum = sum_of(&run);
	assert_int_equal(sum.errors[LOAD_ERROR_CONNECT], 1);
	assert_int_equal(tally_errors(&sum), 1);
	run_release(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_path_has_no_errors_and_every_byte_is_verified),
		cmocka_unit_test(a_sampled_path_verifies_some_bytes_only),
		cmocka_unit_test(messages_of_every_kind_come_back),
		cmocka_unit_test(a_connection_of_churn_may_have_several_exchanges),
		cmocka_unit_test(the_server_may_run_in_the_loads_own_threads),
		cmocka_unit_test(faults_on_the_way_are_found_at_their_place),
		cmocka_unit_test(an_end_in_the_midst_is_told_from_a_good_one),
		cmocka_unit_test(a_server_that_stalls_raises_p99_to_its_stall),
		cmocka_unit_test(a_server_that_is_too_slow_raises_p99_to_the_queue),
		cmocka_unit_test(a_verdict_that_never_comes_is_an_error),
		cmocka_unit_test(with_the_server_here_bytes_are_those_that_arrived),
		cmocka_unit_test(a_connection_that_never_ends_counts_with_its_age),
		cmocka_unit_test(waiting_for_a_full_backlog_is_part_of_the_latency),
		cmocka_unit_test(without_epoll_pwait2_the_load_neither_stops_nor_spins),
		cmocka_unit_test(no_server_is_a_connect_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
