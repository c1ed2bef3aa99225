/* What is taken from a connection, and when it may still become something else. */
#include "rule_fixtures.h"

#include "base/list.h"

static void set_connection(struct rule_fixture *fixture)
{
	fixture->facts.source = rule_fixture_address("192.0.2.1");
	fixture->facts.source.port = 1234;
	fixture->facts.destination = rule_fixture_address("2001:db8::1");
	fixture->facts.destination.port = 443;
	fixture->facts.listener_id = 7;
	fixture->facts.listener_name = "outside";
	fixture->facts.frontend_name = "front";
	fixture->facts.authority = (struct tls_span){(const uint8_t *)"host", 4};
}

/* The expression's value as text; "-": none, "…": none yet. */
static const char *ask(struct rule_fixture *fixture, const char *text)
{
	static char storage[256];
	struct rule_expression *expression;
	struct sample sample;
	text_init(&fixture->complaint, fixture->words, sizeof(fixture->words));
	if (rule_expression_parse(&fixture->book, text, &expression, &fixture->complaint) < 0)
		fail_msg("'%s' is refused: %s", text, fixture->words);
	if (!rule_expression_evaluate(expression, &fixture->facts, &sample))
		return sample.may_change ? "..." : "-";
	bool may_change = sample.may_change;
	sample_to_text(&sample, fixture->facts.room);
	snprintf(storage, sizeof(storage), "%.*s%s", (int)sample.len, sample.text, may_change ? "..." : "");
	return storage;
}

static void assert_rows(struct rule_fixture *fixture, const char *const (*rows)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *got = ask(fixture, rows[i][0]);
		if (strcmp(got, rows[i][1]) != 0)
			fail_msg("%s is '%s', not '%s'", rows[i][0], got, rows[i][1]);
	}
}

static void the_connection_is_known_at_once(void **state)
{
	static const char *const rows[][2] = {
		{"src", "192.0.2.1"},
		{"src_port", "1234"},
		{"dst", "2001:db8::1"},
		{"dst_port", "443"},
		{"so_id", "7"},
		{"so_name", "outside"},
		{"fe_name", "front"},
		{"be_name", "-"},
		{"fc_pp_authority", "host"},
		{"fc_pp_unique_id", "-"},
		{"always_true", "1"},
		{"always_false", "0"},
		{"bool(true)", "1"},
		{"int(-5)", "-5"},
		{"str('a,b) ')", "a,b) "},
		{"str(a\\,b)", "a,b"},
		{"nbsrv", "-"},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	set_connection(&fixture);
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	fixture.facts.source = (struct endpoint){.family = AF_UNIX};
	assert_string_equal(ask(&fixture, "src"), "-");
	assert_string_equal(ask(&fixture, "src_port"), "-");
	rule_fixture_release(&fixture);
}

static void bytes_may_become_more_until_the_end(void **state)
{
	static const char bytes[] = "\x00\x03"
				    "abcdef";
	static const char *const early[][2] = {
		{"req.len", "8..."},
		{"req_len", "8..."},
		{"req.payload(2,3)", "abc"},
		{"payload(2,0)", "abcdef..."},
		{"req.payload(2,7)", "..."},
		{"req.payload(9,0)", "..."},
		{"req.payload_lv(0,2)", "abc"},
		{"req.payload_lv(0,2,4)", "cde"},
		{"req.payload_lv(0,2,+2)", "cde"},
		{"req.payload_lv(1,1)", "abc"},
		{"req.payload_lv(1,4)", "..."},
		{"req.payload_lv(0,2,-9)", "-"},
		{"wait_end", "..."},
		{"req.ssl_sni", "-"},
	};
	static const char *const late[][2] = {
		{"req.len", "8"},
		{"payload(2,0)", "abcdef"},
		{"req.payload(2,7)", "-"},
		{"req.payload(9,0)", "-"},
		{"req.payload_lv(1,4)", "-"},
		{"wait_end", "1"},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	rule_fixture_see(&fixture, bytes, sizeof(bytes) - 1, false);
	assert_rows(&fixture, early, ARRAY_LENGTH(early));
	rule_fixture_see(&fixture, bytes, sizeof(bytes) - 1, true);
	assert_rows(&fixture, late, ARRAY_LENGTH(late));
	rule_fixture_release(&fixture);
}

/* TLS 1.3, "www.example.org", h2 and http/1.1. */
static const char hello[] = "\x16\x03\x01\x00\x62"
			    "\x01\x00\x00\x5e"
			    "\x03\x03"
			    "0123456789abcdef0123456789abcdef"
			    "\x00"
			    "\x00\x02\x13\x01"
			    "\x01\x00"
			    "\x00\x33"
			    "\x00\x00\x00\x14\x00\x12\x00\x00\x0fwww.example.org"
			    "\x00\x10\x00\x0e\x00\x0c\x02h2\x08http/1.1"
			    "\x00\x2b\x00\x05\x04\x03\x04\x03\x03";

static void a_hello_is_known_once_it_is_whole(void **state)
{
	static const char *const names[] = {"req.ssl_sni", "req_ssl_sni", "req.ssl_alpn", "req.ssl_ver",
		"req.ssl_hello_type", "req.ssl_ech"};
	static const char *const rows[][2] = {
		{"req.ssl_sni", "www.example.org"},
		{"req_ssl_sni", "www.example.org"},
		{"req.ssl_alpn", "h2,http/1.1"},
		{"req.ssl_ver", "196611"},
		{"req.ssl_ver_max", "196612"},
		{"req.ssl_hello_type", "1"},
		{"req_ssl_hello_type", "1"},
		{"req.ssl_ech", "0"},
	};
	const size_t whole = sizeof(hello) - 1;
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	for (size_t len = 0; len < whole; len++) {
		for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
			rule_fixture_see(&fixture, hello, len, false);
			assert_string_equal(ask(&fixture, names[i]), "...");
			rule_fixture_see(&fixture, hello, len, true);
			assert_string_equal(ask(&fixture, names[i]), "-");
		}
	}
	rule_fixture_see(&fixture, hello, whole, false);
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	assert_false(fixture.facts.is_length_asked);
	rule_fixture_release(&fixture);
}

static void a_cookie_of_rdp_is_found_by_its_name(void **state)
{
	static const char request[] = "\x03\x00\x00\x2a\x25\xe0\x00\x00\x00\x00\x00"
				      "Cookie: mstshash=somebody\r\n"
				      "\x01\x00\x08\x00";
	static const char *const rows[][2] = {
		{"req.rdp_cookie", "somebody"},
		{"rdp_cookie(MSTSHASH)", "somebody"},
		{"rdp_cookie(msts)", "-"},
		{"req.rdp_cookie_cnt", "1"},
		{"rdp_cookie_cnt(msts)", "0"},
	};
	struct rule_fixture fixture;
	(void)state;
	rule_fixture_init(&fixture);
	for (size_t len = 0; len < 0x2a && len < sizeof(request) - 1; len++) {
		rule_fixture_see(&fixture, request, len, false);
		assert_string_equal(ask(&fixture, "req.rdp_cookie"), "...");
		assert_string_equal(ask(&fixture, "req.rdp_cookie_cnt"), "0...");
	}
	rule_fixture_see(&fixture, request, sizeof(request) - 1, false);
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	rule_fixture_see(&fixture, "GET / HTTP/1.0\r\n", 16, false);
	assert_string_equal(ask(&fixture, "req.rdp_cookie"), "-");
	rule_fixture_release(&fixture);
}

static bool answer(const struct rule_facts *facts, enum rule_gauge gauge,
	const struct rule_reference *reference, int64_t *ret_value)
{
	(void)facts;
	*ret_value = (int64_t)gauge * 10 + (int64_t)reference->kind;
	return reference->proxy == NULL || strcmp(reference->proxy, "unknown") != 0;
}

static void gauges_are_asked_of_what_is_named(void **state)
{
	static const char *const rows[][2] = {
		{"fe_conn", "0"},
		{"be_conn(b)", "1"},
		{"be_conn(unknown)", "-"},
		{"srv_conn(b/s)", "2"},
		{"nbsrv(b)", "31"},
		{"srv_is_up(s)", "1"},
		{"queue(b)", "21"},
		{"srv_queue(b/s)", "22"},
		{"fe_sess_rate", "10"},
	};
	struct rule_fixture fixture;
	unsigned count = 0;
	(void)state;
	rule_fixture_init(&fixture);
	fixture.facts.gauge = answer;
	assert_rows(&fixture, rows, ARRAY_LENGTH(rows));
	for (const struct rule_reference *at = fixture.book.references; at != NULL; at = at->next)
		count++;
	assert_int_equal(count, ARRAY_LENGTH(rows));
	rule_fixture_release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_connection_is_known_at_once),
		cmocka_unit_test(bytes_may_become_more_until_the_end),
		cmocka_unit_test(a_hello_is_known_once_it_is_whole),
		cmocka_unit_test(a_cookie_of_rdp_is_found_by_its_name),
		cmocka_unit_test(gauges_are_asked_of_what_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
