/* stat_table.c, stat_getters.c, stat_object.c, stat_value.c and show stat */
#include <jansson.h>

#include "admin/stat_table.h"
#include "admin_fixtures.h"

/* What HAProxy 2.6 prints before the column that ends the fixed ones. */
static const char haproxy_header[] =
	"# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,"
	"act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,lbtot,tracked,type,rate,rate_lim,rate_max,"
	"check_status,check_code,check_duration,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,"
	"req_rate,req_rate_max,req_tot,cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,"
	"qtime,ctime,rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,"
	"check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo,conn_rate,conn_rate_max,conn_tot,"
	"intercepted,dcon,dses,wrew,connect,reuse,cache_lookups,cache_hits,srv_icur,src_ilim,qtime_max,ctime_max,"
	"rtime_max,ttime_max,eint,idle_conn_cur,safe_conn_cur,used_conn_cur,need_conn_est,uweight,agg_server_status,"
	"agg_server_check_status,agg_check_status,-,\n";

static void test_columns_are_haproxys(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	const char *answer = admin_fixture_ask(fixture, "show stat");
	assert_memory_equal(answer, haproxy_header, sizeof(haproxy_header) - 1);
	admin_fixture_destroy(fixture);
}

static void test_rows_have_a_kind_a_source_and_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < stat_columns_count; i++) {
		const struct stat_column *column = &stat_columns[i];
		assert_true(column->kinds != 0);
		assert_int_equal(strlen(column->tags), 3);
		assert_int_equal(column->sentence[strlen(column->sentence) - 1], '.');
		assert_true((column->get != NULL) == (column->source == STAT_FROM_FUNCTION));
		assert_true(!column->metric || column->source != STAT_FROM_NOTHING);
	}
}

static struct stat_object *object_find(struct admin_fixture *fixture, const char *name)
{
	for (size_t i = 0; i < fixture->admin->objects.count; i++) {
		if (strcmp(fixture->admin->objects.rows[i].name, name) == 0)
			return &fixture->admin->objects.rows[i];
	}
	fail_msg("there is no object %s", name);
	return NULL;
}

static void expect_column(
	struct admin_fixture *fixture, const char *object, const char *column, const char *expected)
{
	char text[256] = "";
	struct text_grow out;
	struct stat_value value;
	text_grow_init(&out, 1024);
	for (size_t i = 0; i < stat_columns_count; i++) {
		if (strcmp(stat_columns[i].name, column) != 0)
			continue;
		stat_column_read(&stat_columns[i], object_find(fixture, object), 0, &value);
		stat_print_plain(&value, &out);
		if (out.start)
			snprintf(text, sizeof(text), "%s", out.start);
	}
	text_grow_release(&out);
	if (strcmp(text, expected) != 0)
		fail_msg("%s of %s is '%s' and should be '%s'", column, object, text, expected);
}

static const struct {
	const char *object, *column, *value;
} values[] = {
	{"FRONTEND", "pxname", "relayed"},
	{"FRONTEND", "type", "0"},
	{"FRONTEND", "status", "OPEN"},
	{"FRONTEND", "slim", "100"},
	{"FRONTEND", "bin", "30"},
	{"FRONTEND", "weight", ""},
	{"BACKEND", "type", "1"},
	{"BACKEND", "status", "UP"},
	{"BACKEND", "weight", "3"},
	{"BACKEND", "act", "2"},
	{"BACKEND", "bck", "0"},
	{"BACKEND", "algo", "roundrobin"},
	{"BACKEND", "qtime", "5"},
	{"BACKEND", "qtime_max", "9"},
	{"BACKEND", "slim", ""},
	{"BACKEND", "lastsess", "-1"},
	{"one", "type", "2"},
	{"one", "status", "no check"},
	{"one", "sid", "1"},
	{"one", "iid", "2"},
	{"one", "addr", "192.0.2.1:5432"},
	{"one", "slim", ""},
	{"one", "check_status", ""},
	{"three", "status", "MAINT"},
	{"three", "bck", "1"},
	{"three", "act", "0"},
};

static void counters_fill(struct admin_fixture *fixture)
{
	struct traffic_counters *frontend = fixture->instance.frontends->counters;
	struct traffic_counters *backend = fixture->instance.backends->counters;
	counter_add(&frontend[0].bytes_in, 10);
	counter_add(&frontend[1].bytes_in, 20);
	counter_add(&backend[0].queue_ms, 11);
	counter_add(&backend[1].queue_ms, 9);
	counter_add(&backend[0].time_samples, 3);
	counter_add(&backend[1].time_samples, 1);
	counter_max(&backend[0].queue_ms_max, 9);
	counter_max(&backend[1].queue_ms_max, 2);
}

static void test_values_are_summed_and_named(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	counters_fill(fixture);
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
		expect_column(fixture, values[i].object, values[i].column, values[i].value);
	admin_fixture_destroy(fixture);
}

static void test_clearing_takes_maxima_then_everything(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	counters_fill(fixture);
	fixture->instance.frontends->conn_cur = 3;
	fixture->instance.frontends->conn_max = 8;
	admin_fixture_ask(fixture, "clear counters");
	expect_column(fixture, "FRONTEND", "bin", "30");
	expect_column(fixture, "FRONTEND", "smax", "3");
	expect_column(fixture, "BACKEND", "qtime_max", "0");
	admin_fixture_ask(fixture, "clear counters all");
	expect_column(fixture, "FRONTEND", "bin", "0");
	expect_column(fixture, "BACKEND", "qtime", "0");
	counter_add(&fixture->instance.frontends->counters[1].bytes_in, 5);
	expect_column(fixture, "FRONTEND", "bin", "5");
	admin_fixture_destroy(fixture);
}

static void test_a_backends_ups_and_downs_are_counted(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	struct stat_object *backend = object_find(fixture, "BACKEND");
	uint64_t wall_us = backend->changed_wall_us;
	admin_fixture_ask(fixture, "disable server relayed/one;disable server relayed/two");
	stat_object_sample(backend, 1000, wall_us + 1000000);
	expect_column(fixture, "BACKEND", "status", "DOWN");
	expect_column(fixture, "BACKEND", "chkdown", "1");
	admin_fixture_ask(fixture, "enable server relayed/one");
	stat_object_sample(backend, 2000, wall_us + 6000000);
	expect_column(fixture, "BACKEND", "downtime", "5");
	admin_fixture_destroy(fixture);
}

static unsigned rows_count(struct admin_fixture *fixture, const char *line)
{
	unsigned count = 0;
	for (const char *at = admin_fixture_ask(fixture, line); *at; at++)
		count += *at == '\n';
	return count - 1;
}

static const struct {
	const char *line;
	unsigned rows;
} selections[] = {
	{"show stat", 5},
	{"show stat -1 -1 -1", 5},
	{"show stat relayed 4 -1", 3},
	{"show stat 2 4 3", 1},
	{"show stat 3 -1 -1", 0},
	{"show stat relayed 3 -1", 2},
	{"show stat no-maint", 4},
	{"show stat domain proxy", 5},
	{"show stat relayed 4 -1 up", 2},
};

static void test_objects_can_be_selected(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	for (size_t i = 0; i < ARRAY_LENGTH(selections); i++) {
		print_message("  %s\n", selections[i].line);
		assert_int_equal(rows_count(fixture, selections[i].line), selections[i].rows);
	}
	admin_fixture_destroy(fixture);
}

static void test_json_is_json(void **state)
{
	(void)state;
	json_error_t error;
	struct admin_fixture *fixture = admin_fixture_create();
	json_t *objects = json_loads(admin_fixture_ask(fixture, "show stat json"), 0, &error);
	assert_non_null(objects);
	assert_int_equal(json_array_size(objects), 5);
	json_t *field = json_array_get(json_array_get(objects, 0), 0);
	assert_string_equal(json_string_value(json_object_get(field, "objType")), "Frontend");
	json_decref(objects);
	objects = json_loads(admin_fixture_ask(fixture, "show stat 9 1 -1 json"), 0, &error);
	assert_non_null(objects);
	json_decref(objects);
	admin_fixture_destroy(fixture);
}

static void test_typed_lines_name_the_field(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	const char *answer = admin_fixture_ask(fixture, "show stat typed desc");
	assert_non_null(strstr(answer, "S.2.1.18.weight.1:MaP:u32:2:\"Weight in force"));
	assert_non_null(strstr(answer, "B.2.0.17.status.1:SGP:str:UP:"));
	admin_fixture_destroy(fixture);
}

static void test_strings_are_quoted_where_they_must_be(void **state)
{
	(void)state;
	struct stat_value value = {.type = STAT_NONE};
	struct text_grow out;
	text_grow_init(&out, 1024);
	stat_set_string(&value, "a,\"b\"");
	stat_print_csv(&value, &out);
	assert_string_equal(out.start, "\"a,\"\"b\"\"\"");
	out.len = 0;
	stat_print_json_string("a\"\\\n\x80", &out);
	assert_string_equal(out.start, "\"a\\\"\\\\\\u000a\\u0080\"");
	text_grow_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_haproxys),
		cmocka_unit_test(test_rows_have_a_kind_a_source_and_a_sentence),
		cmocka_unit_test(test_values_are_summed_and_named),
		cmocka_unit_test(test_clearing_takes_maxima_then_everything),
		cmocka_unit_test(test_a_backends_ups_and_downs_are_counted),
		cmocka_unit_test(test_objects_can_be_selected),
		cmocka_unit_test(test_json_is_json),
		cmocka_unit_test(test_typed_lines_name_the_field),
		cmocka_unit_test(test_strings_are_quoted_where_they_must_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
