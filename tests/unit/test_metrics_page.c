/* metrics_page.c, metrics_json.c, metrics_reference.c and metrics_server.c */
#include <jansson.h>
#include <libgen.h>
#include <sys/socket.h>

#include "admin/metrics_page.h"
#include "admin_fixtures.h"

/* The whole page, put together from its chunks. */
static char *page_read(struct admin_fixture *fixture, enum metrics_page_kind kind)
{
	struct text_grow out;
	struct metrics_page page = {.admin = fixture->admin, .kind = kind};
	text_grow_init(&out, 1 << 22);
	size_t whole = 0;
	char *text = NULL;
	bool has_more = true;
	while (has_more) {
		out.len = 0;
		has_more = metrics_page_fill(&page, &out);
		text = realloc(text, whole + out.len + 1);
		assert_non_null(text);
		memcpy(text + whole, out.start ? out.start : "", out.len);
		whole += out.len;
		text[whole] = '\0';
	}
	text_grow_release(&out);
	return text;
}

static void expect_line(const char *page, const char *line)
{
	size_t len = strlen(line);
	for (const char *at = page; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
		if (strncmp(at, line, len) == 0 && at[len] == '\n')
			return;
	}
	fail_msg("there is no line '%s'", line);
}

static void test_metrics_have_haproxys_names_and_labels(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	counter_add(&fixture->instance.frontends->counters[1].bytes_in, 77);
	char *page = page_read(fixture, PAGE_METRICS);
	expect_line(page, "# TYPE spliced_frontend_bytes_in_total counter");
	expect_line(page, "spliced_frontend_bytes_in_total{proxy=\"relayed\"} 77");
	expect_line(page, "spliced_server_status{proxy=\"relayed\",server=\"one\",state=\"UP\"} 1");
	expect_line(page, "spliced_server_status{proxy=\"relayed\",server=\"three\",state=\"MAINT\"} 1");
	expect_line(page, "spliced_backend_agg_server_status{proxy=\"relayed\",state=\"UP\"} 2");
	expect_line(page, "spliced_backend_agg_check_status{proxy=\"relayed\",state=\"L4OK\"} 0");
	expect_line(page, "spliced_backend_queue_time_average_seconds{proxy=\"relayed\"} 0.000000");
	expect_line(page, "spliced_process_max_connections 1000");
	expect_line(page, "spliced_relay_bytes_total{engine=\"copy\"} 0");
	expect_line(page, "spliced_sessions_closed_total{reason=\"client_reset\"} 0");
	free(page);
	admin_fixture_destroy(fixture);
}

static void test_the_prefix_can_be_haproxys(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	fixture->config.global.has_haproxy_names = true;
	char *page = page_read(fixture, PAGE_METRICS);
	expect_line(page, "haproxy_backend_status{proxy=\"relayed\",state=\"UP\"} 1");
	expect_line(page, "spliced_relay_bytes_total{engine=\"copy\"} 0");
	free(page);
	admin_fixture_destroy(fixture);
}

/* The text format demands it of a page, and a name may have one TYPE only. */
static void test_lines_of_one_metric_stand_together(void **state)
{
	(void)state;
	struct admin_fixture *fixture = admin_fixture_create();
	char *rest = NULL, name[128] = "";
	char *page = page_read(fixture, PAGE_METRICS);
	struct text_grow seen;
	text_grow_init(&seen, 1 << 20);
	text_grow_add(&seen, "\n");
	for (char *line = strtok_r(page, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char found[130];
		if (strncmp(line, "# HELP ", 7) == 0) {
			snprintf(found, sizeof(found), "%.*s", (int)strcspn(line + 7, " "), line + 7);
			char needle[140];
			snprintf(needle, sizeof(needle), "\n%s\n", found);
			assert_null(strstr(seen.start, needle));
			text_grow_add(&seen, needle + 1);
			snprintf(name, sizeof(name), "%.127s", found);
		} else if (line[0] != '#') {
			snprintf(found, sizeof(found), "%.*s", (int)strcspn(line, " {"), line);
			assert_string_equal(found, name);
		}
	}
	text_grow_release(&seen);
	free(page);
	admin_fixture_destroy(fixture);
}

static void test_statistics_are_json(void **state)
{
	(void)state;
	json_error_t error;
	struct admin_fixture *fixture = admin_fixture_create();
	char *page = page_read(fixture, PAGE_STATS_JSON);
	json_t *root = json_loads(page, 0, &error);
	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root, "proxies")), 5);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(root, "info"), "Name")), "spliced");
	json_decref(root);
	free(page);
	admin_fixture_destroy(fixture);
}

static void test_the_listener_answers(void **state)
{
	(void)state;
	char answer[65536] = "";
	size_t len = 0;
	struct sockaddr_un *local = NULL;
	struct admin_fixture *fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	admin_fixture_configure(fixture);
	local = &fixture->config.global.metrics_address.local;
	local->sun_family = AF_UNIX;
	snprintf(local->sun_path, sizeof(local->sun_path), "/tmp/test-metrics-%d", getpid());
	fixture->config.global.metrics_address.len = sizeof(*local);
	fixture->config.global.has_metrics = true;
	admin_fixture_open(fixture);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)local, sizeof(*local)), 0);
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	assert_int_equal(write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	ssize_t got = -1;
	for (unsigned i = 0; i < 2000 && got != 0; i++) {
		loop_run_once(fixture->loop, 10);
		got = read(fd, answer + len, sizeof(answer) - 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	assert_int_equal(got, 0);
	assert_memory_equal(answer, "HTTP/1.", 7);
	assert_non_null(strstr(answer, "text/plain; version=0.0.4"));
	assert_non_null(strstr(answer, "spliced_process_max_connections 1000\n"));
	close(fd);
	admin_fixture_destroy(fixture);
}

static char *file_read(FILE *file)
{
	char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	rewind(file);
	size_t len = fread(text, 1, (1 << 20) - 1, file);
	text[len] = '\0';
	return text;
}

/* Run with WRITE_REFERENCE=1 to bring docs/metrics.md up to date. */
static void test_the_reference_page_is_not_stale(void **state)
{
	(void)state;
	char path[4096], source[] = __FILE__;
	const char *root = getenv("SPLICED_SOURCE");
	snprintf(path, sizeof(path), "%s%sdocs/metrics.md", root ? root : dirname(source),
		root ? "/" : "/../../");
	if (getenv("WRITE_REFERENCE")) {
		FILE *page = fopen(path, "w");
		assert_non_null(page);
		admin_metrics_reference_print(page);
		assert_int_equal(fclose(page), 0);
	}
	FILE *page = fopen(path, "r");
	if (!page) {
		print_message("  skipped: %s cannot be read from here\n", path);
		skip();
	}
	FILE *fresh = tmpfile();
	assert_non_null(fresh);
	admin_metrics_reference_print(fresh);
	char *expected = file_read(fresh), *found = file_read(page);
	assert_string_equal(found, expected);
	free(expected);
	free(found);
	(void)fclose(fresh);
	(void)fclose(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics_have_haproxys_names_and_labels),
		cmocka_unit_test(test_the_prefix_can_be_haproxys),
		cmocka_unit_test(test_lines_of_one_metric_stand_together),
		cmocka_unit_test(test_statistics_are_json),
		cmocka_unit_test(test_the_listener_answers),
		cmocka_unit_test(test_the_reference_page_is_not_stale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
