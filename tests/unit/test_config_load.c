/* Whole configurations: defaults, inheritance, conditions, files, quick start. */
#include <sys/stat.h>
#include <unistd.h>

#include "config_fixtures.h"

#define LISTEN "listen l\n bind 127.0.0.1:1\n server s 127.0.0.1:2\n"

static void what_is_not_written_is_safe(void **state)
{
	const struct config_timeouts timeouts = {5000, 300000, 300000, 0, 0, 0, 5000, 0, 10000};
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture, LISTEN);
	const struct config_proxy *proxy = config->proxies;

	(void)state;
	assert_string_equal(fixture.messages, "");
	assert_memory_equal(&proxy->timeouts, &timeouts, sizeof(timeouts));
	assert_int_equal(proxy->roles, CONFIG_ROLE_FRONTEND | CONFIG_ROLE_BACKEND);
	assert_int_equal(proxy->retries, 3);
	assert_int_equal(proxy->redispatch_interval, 0);
	assert_int_equal(proxy->balance, CONFIG_BALANCE_ROUNDROBIN);
	assert_int_equal(proxy->random_draws, 2);
	assert_int_equal(proxy->servers->weight, 1);
	assert_int_equal(proxy->id, 2);
	assert_int_equal(proxy->binds->id, 1);
	assert_int_equal(proxy->binds->inherited_fd, -1);
	assert_int_equal(proxy->servers->id, 1);
	assert_null(proxy->relay);
	assert_null(proxy->logs);
	assert_null(proxy->log_format);
	assert_ptr_equal(proxy->default_backend, proxy);
	assert_int_equal(config->global.uid, -1);
	assert_int_equal(config->global.gid, -1);
	assert_int_equal(config->global.stats_maxconn, 10);
	assert_int_equal(config->global.stats_timeout_ms, 10000);
	assert_int_equal(config->global.buffer_bytes, 262144);
	assert_int_equal(config->global.pipe_bytes, 1048576);
	assert_int_equal(config->global.maxaccept, 64);
	assert_string_equal(config->global.relay, "auto");
	config_fixture_release(&fixture);
}

struct timeout_case {
	const char *name, *lines;
	struct config_timeouts timeouts;
};

static const struct timeout_case timeout_cases[] = {
	{"the queue waits as long as a connect", " timeout connect 2s\n",
		{2000, 300000, 300000, 0, 0, 0, 2000, 0, 10000}},
	{"a queue time that is written counts", " timeout connect 2s\n timeout queue 1m\n",
		{2000, 300000, 300000, 0, 0, 0, 60000, 0, 10000}},
	{"no half-closed time is set: the idle ones serve", " timeout client 4s\n timeout server 5s\n",
		{5000, 4000, 5000, 0, 0, 0, 5000, 0, 10000}},
	{"a half-closed time that is written counts", " timeout client-fin 3s\n timeout server-fin 4s\n",
		{5000, 300000, 300000, 3000, 4000, 0, 5000, 0, 10000}},
	{"a client's time leaves the server's alone", " timeout client 1h\n",
		{5000, 3600000, 300000, 0, 0, 0, 5000, 0, 10000}},
	{"zero means none",
		" timeout client 0\n timeout connect 0\n timeout client-fin 0\n timeout queue 0\n",
		{0, 0, 300000, 0, 0, 0, 0, 0, 10000}},
	{"a bare number is milliseconds", " timeout tunnel 90\n",
		{5000, 300000, 300000, 0, 0, 90, 5000, 0, 10000}},
};

static void timeouts_depend_on_each_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(timeout_cases); i++) {
		struct config_fixture fixture;
		char text[512];

		print_message("%s\n", timeout_cases[i].name);
		snprintf(text, sizeof(text), "%s%s", LISTEN, timeout_cases[i].lines);
		config_fixture_accept(&fixture, text);
		assert_memory_equal(&fixture.config->proxies->timeouts, &timeout_cases[i].timeouts,
			sizeof(struct config_timeouts));
		config_fixture_release(&fixture);
	}
}

static unsigned retries_of(const struct config *config, const char *name)
{
	const struct config_proxy *proxy = config_proxy_find(config, name, CONFIG_ROLE_BACKEND);

	assert_non_null(proxy);
	return proxy->retries;
}

static void sections_take_over_their_defaults(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"listen a\n bind :1\n server s 127.0.0.1:1\n"
		"defaults\n retries 7\n default-server weight 5\n log stdout local0\n"
		"listen b\n bind :2\n server s 127.0.0.1:1\n log stderr local0\n"
		"defaults one\n maxconn 9\n"
		"listen c\n bind :3\n server s 127.0.0.1:1\n"
		"defaults two from one\n retries 8\n"
		"listen d\n bind :4\n server s 127.0.0.1:1\n"
		"listen e from one\n bind :5\n server s 127.0.0.1:1\n");

	(void)state;
	assert_int_equal(retries_of(config, "a"), 3);
	assert_int_equal(retries_of(config, "b"), 7);
	assert_int_equal(retries_of(config, "c"), 3);
	assert_int_equal(retries_of(config, "d"), 8);
	assert_int_equal(retries_of(config, "e"), 3);
	assert_int_equal(config_proxy_find(config, "d", CONFIG_ROLE_FRONTEND)->maxconn, 9);
	assert_int_equal(config_proxy_find(config, "b", CONFIG_ROLE_BACKEND)->servers->weight, 5);
	assert_int_equal(config_proxy_find(config, "b", CONFIG_ROLE_BACKEND)->logs->fd, 1);
	assert_int_equal(config_proxy_find(config, "b", CONFIG_ROLE_BACKEND)->logs->next->fd, 2);
	assert_null(config_proxy_find(config, "c", CONFIG_ROLE_BACKEND)->logs);
	assert_int_equal(config_proxy_find(config, "e", CONFIG_ROLE_BACKEND)->id, 6);
	config_fixture_release(&fixture);
}

static void branches_are_taken_and_left(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"global\n presetenv MODE fast\n presetenv MODE slow\n"
		".if streq(\"$MODE\",slow)\n nonsense \"\n .if 1\n more nonsense\n .endif\n"
		".elif streq(\"$MODE\",fast) && !defined(NOT_THERE)\n maxconn 11\n"
		".elif 1\n maxconn 12\n.else\n maxconn 13\n.endif\n"
		".if 0\n maxconn 14\n.else\n nbthread 2\n.endif\n"
		".diag \"not shown\"\n.notice \"line ${.LINE} of ${.FILE}, ${.SECTION}\"\n" LISTEN);

	(void)state;
	assert_int_equal(config->global.maxconn, 11);
	assert_int_equal(config->global.nbthread, 2);
	assert_non_null(strstr(fixture.messages, "[test.cfg:22] : line 22 of test.cfg, global.\n"));
	assert_null(strstr(fixture.messages, "not shown"));
	config_fixture_release(&fixture);
}

static void variables_change_for_the_configuration_only(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"global\n setenv CONFIG_TEST_A one\n setenv CONFIG_TEST_B two\n resetenv CONFIG_TEST_A\n"
		" description \"$CONFIG_TEST_A\" \"${CONFIG_TEST_B-gone}\" \"${PATH-no path}\"\n"
		" unsetenv CONFIG_TEST_A\n node \"${CONFIG_TEST_A-unset}\"\n tune.pipesize 64k\n" LISTEN);

	(void)state;
	assert_string_equal(config->global.description, "one gone no path");
	assert_string_equal(config->global.node, "unset");
	assert_int_equal(config->global.pipe_bytes, 65536);
	assert_null(getenv("CONFIG_TEST_A"));
	assert_non_null(getenv("PATH"));
	config_fixture_release(&fixture);
}

static void nosplice_keeps_bytes_out_of_pipes(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"global\n nosplice\ndefaults\n option splice-auto\n option splice-request\n option splice-response\n"
		"listen a\n bind :1\n server s 127.0.0.1:1\n relay splice\n" LISTEN);

	(void)state;
	assert_string_equal(config->global.relay, "copy");
	assert_string_equal(config->proxies->relay, "copy");
	assert_null(config->proxies->next->relay);
	assert_false(config->proxies->has_splice_auto || config->proxies->has_splice_request ||
		config->proxies->has_splice_response);
	config_fixture_release(&fixture);
}

static void dynamic_limits_are_completed(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"frontend f\n bind :1\n maxconn 200\n default_backend b\n"
		"backend b\n server s 127.0.0.1:1 minconn 3 maxconn 9\n server t 127.0.0.1:1 minconn 4\n");
	const struct config_proxy *backend = config_proxy_find(config, "b", CONFIG_ROLE_BACKEND);

	(void)state;
	assert_int_equal(backend->fullconn, 20);
	assert_int_equal(backend->servers->maxconn, 9);
	assert_int_equal(backend->servers->next->maxconn, 4);
	config_fixture_release(&fixture);
}

static void ids_go_around_those_given(void **state)
{
	static const unsigned expected[] = {2, 3, 4, 5, 1, 6};
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"listen a\n bind :1\n server s 127.0.0.1:1\nbackend b\n id 3\n server s 127.0.0.1:1\n"
		"backend c\n server s 127.0.0.1:1\nbackend d\n id 5\n server s 127.0.0.1:1\n"
		"backend e\n id 1\n server s 127.0.0.1:1\nbackend f\n server s 127.0.0.1:1\n");
	const struct config_proxy *proxy = config->proxies;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(expected); i++, proxy = proxy->next)
		assert_int_equal(proxy->id, expected[i]);
	config_fixture_release(&fixture);
}

/* Loads with these options and keeps the messages. */
static void load(struct config_fixture *fixture, struct config_options *options)
{
	memset(fixture, 0, sizeof(*fixture));
	options->names.engines = config_fixture_engines;
	options->errors = open_memstream(&fixture->messages, &fixture->messages_len);
	assert_non_null(options->errors);
	if (config_load(options, &fixture->config) < 0)
		fixture->config = NULL;
	fclose(options->errors);
}

static void the_quick_start_is_a_listen_section(void **state)
{
	struct config_options options = {
		.listen = "127.0.0.1:1,[::1]:2", .to = "127.0.0.1:3,/run/x,[::1]:4", .relay = "splice"};
	struct config_fixture fixture;
	const struct config_proxy *proxy;

	(void)state;
	load(&fixture, &options);
	assert_non_null(fixture.config);
	proxy = fixture.config->proxies;
	assert_string_equal(proxy->name, "quick");
	assert_int_equal(proxy->servers_count, 3);
	assert_string_equal(proxy->servers->next->next->name, "s3");
	assert_int_equal(address_port(&proxy->binds->next->address), 2);
	assert_string_equal(proxy->relay, "splice");
	assert_null(proxy->next);
	config_fixture_release(&fixture);

	options.to = "nonsense:x";
	load(&fixture, &options);
	assert_null(fixture.config);
	assert_non_null(
		strstr(fixture.messages, "[command line] : server 's1': the address 'nonsense:x' is wrong"));
	config_fixture_release(&fixture);

	options.to = NULL;
	load(&fixture, &options);
	assert_non_null(strstr(fixture.messages, "--listen and --to go together.\n"));
	config_fixture_release(&fixture);
}

static void file_write(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void file_remove(const char *directory, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	unlink(path);
}

static void a_directory_is_read_in_order(void **state)
{
	char directory[] = "/tmp/test_config_XXXXXX", slashed[64];
	const char *paths[] = {slashed};
	struct config_options options = {.paths = paths, .paths_count = 1};
	struct config_fixture fixture;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(slashed, sizeof(slashed), "%s//", directory);
	load(&fixture, &options);
	assert_non_null(strstr(fixture.messages, "has no file whose name ends in .cfg.\n"));
	config_fixture_release(&fixture);

	file_write(directory, "20.cfg", LISTEN);
	file_write(directory, "10.cfg", "defaults\n retries 9\n");
	file_write(directory, ".hidden.cfg", "nonsense\n");
	file_write(directory, "other.txt", "nonsense\n");
	load(&fixture, &options);
	assert_string_equal(fixture.messages, "");
	assert_int_equal(fixture.config->proxies->retries, 9);
	config_fixture_release(&fixture);

	file_write(directory, "30.cfg", " retries 1\n");
	load(&fixture, &options);
	assert_non_null(strstr(fixture.messages, "/30.cfg:1] : 'retries' stands outside of a section.\n"));
	config_fixture_release(&fixture);
	file_remove(directory, "10.cfg");
	file_remove(directory, "20.cfg");
	file_remove(directory, "30.cfg");
	file_remove(directory, ".hidden.cfg");
	file_remove(directory, "other.txt");
	rmdir(directory);
}

static void what_cannot_be_opened_is_said(void **state)
{
	const char *paths[] = {"/nonexistent/a.cfg", "/dev/null"};
	struct config_options options = {.paths = paths, .paths_count = 2};
	struct config_fixture fixture;

	(void)state;
	load(&fixture, &options);
	assert_null(fixture.config);
	assert_non_null(strstr(fixture.messages,
		"cannot open the configuration '/nonexistent/a.cfg': No such file or directory.\n"));
	config_fixture_release(&fixture);

	options.paths_count = 0;
	load(&fixture, &options);
	assert_non_null(
		strstr(fixture.messages, "no configuration: give a file with -f, or --listen and --to.\n"));
	config_fixture_release(&fixture);
	config_destroy(NULL);
}

static void who_may_send_a_proxy_header_is_kept(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture,
		"frontend f\n bind :1,/a.sock accept-proxy trusted 10.0.0.0/8,unix,2001:db8::/32 name x\n"
		" bind :2 accept-proxy trusted any\n bind :3\n default_backend b\n"
		"backend b\n default-server send-proxy-v2 proxy-v2-options crc32c\n server one 127.0.0.1:1\n"
		" server two 127.0.0.1:2 no-send-proxy-v2 send-proxy\n"
		" server three 127.0.0.1:3 proxy-v2-options authority,unique-id\n");
	const struct config_bind *bind = config->proxies->binds;
	(void)state;
	for (unsigned i = 0; i < 2; i++, bind = bind->next) {
		assert_true(bind->accept_proxy.is_on && bind->accept_proxy.is_unix_trusted);
		assert_false(bind->accept_proxy.is_any_trusted);
		assert_int_equal(bind->accept_proxy.trusted_count, 2);
		assert_int_equal(bind->accept_proxy.trusted[0].bits, 8);
		assert_int_equal(bind->accept_proxy.trusted[1].family, AF_INET6);
		assert_string_equal(bind->name, "x");
	}
	assert_true(bind->accept_proxy.is_on && bind->accept_proxy.is_any_trusted);
	assert_false(bind->next->accept_proxy.is_on);
	const struct config_server *server = config_proxy_find(config, "b", CONFIG_ROLE_BACKEND)->servers;
	assert_true(server->send_proxy.has_v2 && server->send_proxy.has_crc32c);
	assert_false(server->send_proxy.has_v1 || server->send_proxy.has_authority);
	server = server->next;
	assert_true(server->send_proxy.has_v1);
	assert_false(server->send_proxy.has_v2 || server->send_proxy.has_crc32c);
	server = server->next;
	assert_true(server->send_proxy.has_v2 && server->send_proxy.has_crc32c);
	assert_true(server->send_proxy.has_authority && server->send_proxy.has_unique_id);
	config_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_written_is_safe),
		cmocka_unit_test(timeouts_depend_on_each_other),
		cmocka_unit_test(sections_take_over_their_defaults),
		cmocka_unit_test(branches_are_taken_and_left),
		cmocka_unit_test(variables_change_for_the_configuration_only),
		cmocka_unit_test(nosplice_keeps_bytes_out_of_pipes),
		cmocka_unit_test(dynamic_limits_are_completed),
		cmocka_unit_test(ids_go_around_those_given),
		cmocka_unit_test(the_quick_start_is_a_listen_section),
		cmocka_unit_test(a_directory_is_read_in_order),
		cmocka_unit_test(what_cannot_be_opened_is_said),
		cmocka_unit_test(who_may_send_a_proxy_header_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
