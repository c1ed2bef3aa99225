/* Changing the states of frontends while the workers' loops are run by hand. */
#include "worker/instance.h"

#include <errno.h>

#include "config_fixtures.h"

enum { WORKERS = 2 };

static const char text[] = "global\n"
			   "  nbthread 2\n"
			   "listen one\n"
			   "  bind abns@test_instance_one\n"
			   "  server s 127.0.0.1:9\n"
			   "listen two\n"
			   "  bind abns@test_instance_two\n"
			   "  server s 127.0.0.1:9\n";

static struct config_fixture fixture;
static struct loop *control_loop;
static struct instance *instance;
static bool has_no_memory;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
	return has_no_memory ? NULL : __real_calloc(count, size);
}

static int instance_open(void **state)
{
	(void)state;
	control_loop = loop_create();
	assert_non_null(control_loop);
	struct config *config = config_fixture_accept(&fixture, text);
	assert_int_equal(instance_create(config, control_loop, NULL, &instance), 0);
	assert_int_equal(instance->workers_count, WORKERS);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_accept_set(&instance->workers[i], NULL, true);
	return 0;
}

static void workers_run(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		loop_run_once(instance->workers[i].loop, 0);
}

static int instance_close(void **state)
{
	(void)state;
	workers_run();
	instance_destroy(instance);
	loop_destroy(control_loop);
	config_fixture_release(&fixture);
	return 0;
}

static bool is_listening(const struct frontend *frontend)
{
	return frontend->listeners->sockets[0] >= 0;
}

/* What was done for one frontend says nothing of the other one. */
static void sockets_stay_until_all_workers_have_let_go(void **state)
{
	struct frontend *one = instance_frontend_find(instance, "one");
	struct frontend *two = instance_frontend_find(instance, "two");
	(void)state;
	assert_int_equal(instance_frontend_set_state(instance, one, FRONTEND_STOPPED), 0);
	workers_run();
	assert_int_equal(instance_frontend_set_state(instance, two, FRONTEND_STOPPED), 0);
	loop_run_once(control_loop, 0);
	assert_false(is_listening(one));
	assert_true(is_listening(two));
	workers_run();
	loop_run_once(control_loop, 0);
	assert_false(is_listening(two));
}

/* A change made before the shutdown must not close what that one has yet to stop. */
static void an_earlier_change_closes_nothing(void **state)
{
	struct frontend *one = instance_frontend_find(instance, "one");
	(void)state;
	assert_int_equal(instance_frontend_set_state(instance, one, FRONTEND_PAUSED), 0);
	assert_int_equal(instance_frontend_set_state(instance, one, FRONTEND_OPEN), 0);
	workers_run();
	assert_int_equal(instance_frontend_set_state(instance, one, FRONTEND_STOPPED), 0);
	loop_run_once(control_loop, 0);
	assert_true(is_listening(one));
	workers_run();
	loop_run_once(control_loop, 0);
	assert_false(is_listening(one));
}

static void without_memory_nothing_changes(void **state)
{
	struct frontend *one = instance_frontend_find(instance, "one");
	(void)state;
	has_no_memory = true;
	assert_int_equal(instance_frontend_set_state(instance, one, FRONTEND_STOPPED), -ENOMEM);
	has_no_memory = false;
	assert_int_equal(one->state, FRONTEND_OPEN);
	assert_int_equal(instance_frontend_set_state(instance, one, FRONTEND_PAUSED), 0);
	assert_int_equal(one->state, FRONTEND_PAUSED);
}

/* It was provided for. */
static void a_soft_stop_needs_no_memory(void **state)
{
	(void)state;
	has_no_memory = true;
	instance_soft_stop(instance);
	workers_run();
	loop_run_once(control_loop, 0);
	has_no_memory = false;
	for (const struct frontend *frontend = instance->frontends; frontend != NULL;
		frontend = frontend->next)
		assert_false(is_listening(frontend));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, instance_open, instance_close)
	const struct CMUnitTest tests[] = {
		CASE(sockets_stay_until_all_workers_have_let_go),
		CASE(an_earlier_change_closes_nothing),
		CASE(without_memory_nothing_changes),
		CASE(a_soft_stop_needs_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
