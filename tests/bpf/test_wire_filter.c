/* The wire programs as clsact filters, as on kernels without TCX: side by side with those of
 * other processes, and abandoned. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "bpf/wire_internal.h"
#include "lib_wire.h"

enum { LOOPBACK = 1 };

/* As wire_table_attach() does it where there is no TCX. */
static struct wire_attachment *attach(struct wire_table *table)
{
	struct wire_attachment *attachment = wire_attachment_find(table, 0);
	assert_non_null(attachment);
	assert_int_equal(wire_filters_attach(table, attachment, LOOPBACK), 0);
	attachment->ifindex = LOOPBACK;
	return attachment;
}

static bool are_there(struct wire_table *table, const struct wire_attachment *attachment)
{
	bool is_in = wire_filter_is_ours(
		LOOPBACK, false, wire_table_program(table, WIRE_INGRESS), attachment->handle_ingress);
	bool is_out = wire_filter_is_ours(
		LOOPBACK, true, wire_table_program(table, WIRE_EGRESS), attachment->handle_egress);
	assert_int_equal(is_in, is_out);
	return is_in;
}

static void filters_of_two_processes_stand_side_by_side(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_table *later;
	char reason[WIRE_REASON_MAX];
	assert_int_equal(wire_table_create(2, &later, reason), 0);
	struct wire_attachment first = *attach(wire_rig_table), second = *attach(later);
	assert_true(are_there(wire_rig_table, &first));
	assert_true(are_there(later, &second));
	wire_table_detach(wire_rig_table, LOOPBACK);
	assert_false(are_there(wire_rig_table, &first));
	assert_true(are_there(later, &second));
	wire_table_destroy(later);
}

static void only_ones_own_filters_are_detached(void **state)
{
	(void)state;
	wire_rig_need();
	struct wire_table *later;
	char reason[WIRE_REASON_MAX];
	assert_int_equal(wire_table_create(2, &later, reason), 0);
	struct wire_attachment own = *attach(wire_rig_table), other = *attach(later);
	/* Somebody has cleared the interface, and the handle is another's now. */
	wire_attachment_find(wire_rig_table, LOOPBACK)->handle_ingress = other.handle_ingress;
	wire_attachment_find(wire_rig_table, LOOPBACK)->handle_egress = other.handle_egress;
	wire_table_detach(wire_rig_table, LOOPBACK);
	assert_true(are_there(later, &other));
	assert_true(are_there(wire_rig_table, &own));
	wire_filters_detach(wire_rig_table, &own);
	wire_table_destroy(later);
}

static int answer(enum wire_program program)
{
	struct segment segment = wire_segment(AF_INET);
	struct packet packet;
	segment.is_leaving = program == WIRE_EGRESS;
	packet_make(&segment, &packet);
	return wire_run(&packet, &(struct run_options){.program = program}).result;
}

static void without_a_heartbeat_everything_goes_to_the_stack(void **state)
{
	static const struct {
		uint64_t age_ms;
		bool is_alive;
	} cases[] = {{0, true}, {4000, true}, {5500, false}, {1000000, false}};
	(void)state;
	wire_rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		wire_rig_pair(AF_INET, WIRE_ACTIVE);
		wire_heartbeat_set(wire_rig_table, wire_heartbeat_now() - cases[i].age_ms * 1000000);
		assert_int_equal(answer(WIRE_INGRESS), cases[i].is_alive ? REDIRECTED : TO_STACK);
		assert_int_equal(answer(WIRE_EGRESS), cases[i].is_alive ? DROPPED : TO_STACK);
	}
	/* Links need none, and so it does not begin. */
	wire_table_heartbeat(wire_rig_table);
	assert_int_equal(answer(WIRE_INGRESS), TO_STACK);
	(void)attach(wire_rig_table);
	wire_heartbeat_set(wire_rig_table, 1);
	wire_table_heartbeat(wire_rig_table);
	assert_int_equal(answer(WIRE_INGRESS), REDIRECTED);
	wire_table_detach(wire_rig_table, LOOPBACK);
	wire_heartbeat_set(wire_rig_table, 0);
	assert_int_equal(answer(WIRE_INGRESS), REDIRECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_of_two_processes_stand_side_by_side),
		cmocka_unit_test(only_ones_own_filters_are_detached),
		cmocka_unit_test(without_a_heartbeat_everything_goes_to_the_stack),
	};
	return cmocka_run_group_tests(tests, wire_rig_setup, wire_rig_teardown);
}
