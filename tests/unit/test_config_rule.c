/* Acls and rules in a configuration: what is accepted means what it says, and mistakes
 * are named where they stand. */
#include "config_fixtures.h"

#include "rule/acl.h"
#include "rule/fetch.h"

#define TAIL  "backend one\n server s 127.0.0.1:2\nbackend two\n server s 127.0.0.1:2\n"
#define FRONT "frontend f\n bind 127.0.0.1:1\n default_backend one\n"

static const struct {
	const char *lines, *message; /* of the first, which is line 4 */
} alerts[] = {
	{"acl\n", "'acl' expects <name> <sample> [<flag> ...] [<value> ...]."},
	{"acl a/b src 1.2.3.4\n",
		"'acl a/b': the name 'a/b' has other characters than letters, digits, '-', '_', '.' and ':'."},
	{"acl or src 1.2.3.4\n", "'acl or': an acl cannot be named 'or'."},
	{"acl a scr 1.2.3.4\n", "'acl a': there is nothing like 'scr' to ask for, did you mean 'src'?"},
	{"acl a src 1.2.3.400\n",
		"'acl a': '1.2.3.400' is not an IP address or a network (names are not looked up)."},
	{"acl a src 10.0.0.0/33\n",
		"'acl a': '10.0.0.0/33' is not an IP address or a network (names are not looked up)."},
	{"acl a dst_port 80x\n", "'acl a': '80x' is not a number or a range of numbers."},
	{"acl a dst_port gt 80:90\n", "'acl a': '80:90' is not a number."},
	{"acl a src\n",
		"'acl a': 'src' is compared with nothing and would never match; '-m found' asks whether there is one."},
	{"acl a always_true yes\n", "'acl a': '-m bool' takes no values, and there is 'yes'."},
	{"acl a src -m strr x\n", "'acl a': '-m' does not know 'strr', did you mean 'str'?"},
	{"acl a src -m int 5\n", "'acl a': 'src' cannot be compared with '-m int'."},
	{"acl a src -f\n", "'acl a': '-f' needs a word after it."},
	{"acl a src -x 1.2.3.4\n", "'acl a': there is no flag '-x': there are -f, -i, -m, -n and --."},
	{"acl a src -f list.lst\n", "'acl a': the file 'list.lst' is not read here."},
	{"acl a src(1) 1.2.3.4\n", "'acl a': 'src' takes no arguments."},
	{"acl a src,ipmsk(8) 10.0.0.0\n", "'acl a': there is no converter 'ipmsk', did you mean 'ipmask'?"},
	{"acl a src,ipmask 10.0.0.0\n", "'acl a': 'ipmask' takes <bits>[,<bits for IPv6>] in parentheses."},
	{"acl a dst_port,ipmask(8) 10.0.0.0\n",
		"'acl a': 'ipmask' is for an address, and here it would get a number."},
	{"acl a req.payload(0) -m bin 00\n",
		"'acl a': 'req.payload' takes <offset>,<length> in parentheses."},
	{"acl a req.payload(0,2 -m bin 00\n", "'acl a': the arguments of 'req.payload' are not closed."},
	{"acl a req.payload(0,2) -m bin 0g\n", "'acl a': '0g' is not bytes in hexadecimal digits."},
	{"acl a req.ssl_sni -m reg a(b\n",
		"'acl a': the regular expression 'a(b' is wrong at character 4: missing closing parenthesis."},
	{"acl a srv_is_up(one/t)\n", "a condition asks for the server 'one/t', which does not exist."},
	{"acl a srv_is_up(t)\n", "a condition asks for the server 't', which does not exist."},
	{"acl a nbsrv(three) gt 0\n", "a condition asks for the backend 'three', which does not exist."},
	{"acl a fe_conn(g) gt 0\n", "a condition asks for the frontend 'g', which does not exist."},
	{"use_backend two if\n", "'use_backend': 'if' needs a condition after it."},
	{"use_backend two when x\n",
		"'use_backend': 'if' or 'unless' must stand before a condition, not 'when'."},
	{"use_backend two if LOCALHSOT\n",
		"'use_backend': there is no acl 'LOCALHSOT' above this line, did you mean 'LOCALHOST'?"},
	{"use_backend two if METH_GET\n",
		"'use_backend': 'METH_GET' is for HTTP, which spliced does not carry (mode tcp only)."},
	{"use_backend two if { src 1.2.3.4\n",
		"'use_backend': the brace is not closed: '}' must stand as a word."},
	{"use_backend two if TRUE or\n", "'use_backend': 'or' must stand between two acls."},
	{"use_backend two if || TRUE\n", "'use_backend': '||' must stand between two acls."},
	{"use_backend two if TRUE or or TRUE\n", "'use_backend': 'or' must stand between two acls."},
	{"use_backend two if !\n", "'use_backend': an acl is missing at the end of the condition."},
	{"use_backend tow if TRUE\n",
		"'f' wants the backend 'tow', which does not exist, did you mean 'two'?"},
	{"use_backend %x if TRUE\n",
		"'use_backend': '%' must begin an expression, as in %[req.ssl_sni,lower]."},
	{"use_backend %[scr] if TRUE\n",
		"'use_backend scr': there is nothing like 'scr' to ask for, did you mean 'src'?"},
	{"tcp-request\n", "'tcp-request' needs to be followed by what it sets."},
	{"tcp-request contnt accept\n",
		"'tcp-request contnt' unknown in section 'frontend', did you mean 'tcp-request content'?"},
	{"tcp-request content accpt\n",
		"'tcp-request content' does not know 'accpt', did you mean 'accept'?"},
	{"tcp-request content set-var(sess.x) src\n",
		"'tcp-request content set-var(sess.x)' is not supported in this version."},
	{"tcp-request session expect-proxy layer4 if TRUE\n",
		"'tcp-request session' does not know 'expect-proxy', it expects accept or reject, [if|unless <condition>]."},
	{"tcp-request connection expect-proxy if TRUE\n",
		"'tcp-request connection expect-proxy' needs 'layer4' after it."},
	{"tcp-request connection expect-proxy layer4\n",
		"'tcp-request connection expect-proxy layer4' needs a condition that says whom to trust, as 'if { src 10.0.0.0/8 }'."},
	{"tcp-request connection reject if { req.len gt 0 }\n",
		"'tcp-request connection' cannot ask for 'req.len', which is not known yet."},
	{"tcp-request session reject if { req.ssl_sni -m found }\n",
		"'tcp-request session' cannot ask for 'req.ssl_sni', which is not known yet."},
};

static void expect(const struct config_fixture *fixture, const char *text, const char *wanted)
{
	if (strstr(fixture->messages, wanted) == NULL)
		fail_msg("for:\n%s\nwanted: %s\ngot:\n%s", text, wanted, fixture->messages);
}

static void mistakes_are_named_where_they_stand(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(alerts); i++) {
		struct config_fixture fixture;
		char text[512], wanted[512];
		snprintf(text, sizeof(text), FRONT " %s" TAIL, alerts[i].lines);
		snprintf(wanted, sizeof(wanted), "[test.cfg:4] : %s\n", alerts[i].message);
		config_fixture_load(&fixture, text);
		if (fixture.config != NULL)
			fail_msg("accepted:\n%s", text);
		expect(&fixture, text, wanted);
		config_fixture_release(&fixture);
	}
}

static void what_can_do_nothing_is_warned_of(void **state)
{
	static const char *const rows[][2] = {
		{FRONT " use_backend two if { req.ssl_sni a }\n" TAIL,
			"[test.cfg:4] : 'f' looks at the client's first bytes without waiting for them: it has no 'tcp-request inspect-delay'."},
		{FRONT " use_backend two if { src 1.2.3.4 }\n use_backend one\n use_backend two\n" TAIL,
			"[test.cfg:6] : this 'use_backend' is never reached: the one at line 5 takes every connection."},
		{FRONT " use-server s if TRUE\n" TAIL,
			"[test.cfg:4] : 'use-server' ignored: frontend 'f' has no server side."},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct config_fixture fixture;
		config_fixture_accept(&fixture, rows[i][0]);
		expect(&fixture, rows[i][0], rows[i][1]);
		config_fixture_release(&fixture);
	}
}

static void rules_stand_in_order_with_their_places(void **state)
{
	static const char text[] =
		FRONT " acl local src 127.0.0.0/8\n acl local src ::1\n"
		      " tcp-request inspect-delay 5s\n"
		      " tcp-request connection expect-proxy layer4 if local\n"
		      " tcp-request connection reject unless local\n"
		      " tcp-request session accept if local { dst_port 1:1024 } || ! { src_port lt 1024 }\n"
		      " tcp-request content reject if !{ req.ssl_hello_type 1 }\n"
		      " use_backend two if { req.ssl_sni -i -m end .example.org example.org }\n"
		      " use_backend be_%[req.ssl_sni,lower] if { req.ssl_sni -m found }\n"
		      "backend one\n server s 127.0.0.1:2\n server t 127.0.0.1:3\n"
		      " use-server t if { srv_conn(s) gt 5 } { nbsrv ge 2 }\n balance hash src,ipmask(24)\n"
		      "backend two\n server s 127.0.0.1:2\n";
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture, text);
	const struct config_proxy *front = config_proxy_find(config, "f", CONFIG_ROLE_FRONTEND);
	const struct config_proxy *one = config_proxy_find(config, "one", CONFIG_ROLE_BACKEND);
	const struct config_rules *rules = &front->rules;
	(void)state;
	assert_int_equal(rules->inspect_delay_ms, 5000);
	assert_int_equal(rules->connection->action, CONFIG_RULE_EXPECT_PROXY);
	assert_int_equal(rules->connection->next->action, CONFIG_RULE_REJECT);
	assert_int_equal(rules->connection->next->place.line, 8);
	assert_int_equal(rules->session->action, CONFIG_RULE_ACCEPT);
	assert_int_equal(rules->content->action, CONFIG_RULE_REJECT);
	assert_string_equal(rules->use_backends->backend->name, "two");
	assert_non_null(rules->use_backends->condition);
	assert_string_equal(rules->use_backends->next->parts->text, "be_");
	assert_non_null(rules->use_backends->next->parts->next->expression);
	assert_true(rules->has_frontend_steps && rules->needs_bytes);
	assert_true(one->rules.has_backend_steps && !one->rules.needs_bytes);
	assert_int_equal(one->rules.use_servers->server_index, 1);
	assert_non_null(one->hash.expression);
	assert_int_equal(front->index, 0);
	assert_int_equal(one->index, 1);
	assert_int_equal(config_warnings(config), 0);
	config_fixture_release(&fixture);
}

static void every_row_is_in_the_manual(void **state)
{
	char *page = NULL, item[128];
	size_t page_len = 0;
	FILE *out = open_memstream(&page, &page_len);
	(void)state;
	assert_non_null(out);
	config_reference_print(out);
	fclose(out);
	for (const struct fetch *fetch = fetches; fetch->name != NULL; fetch++) {
		size_t len = strlen(fetch->sentence);
		snprintf(item, sizeof(item), ".It Ic \"%s", fetch->name);
		if (strstr(page, item) == NULL || fetch->sentence[len - 1] != '.' || fetch->take == NULL)
			fail_msg("'%s' is incomplete", fetch->name);
	}
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_named_where_they_stand),
		cmocka_unit_test(what_can_do_nothing_is_warned_of),
		cmocka_unit_test(rules_stand_in_order_with_their_places),
		cmocka_unit_test(every_row_is_in_the_manual),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
