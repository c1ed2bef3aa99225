/* Addresses: every form is understood or refused with a reason, and prints back. */
#include "base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct parse_case {
	const char *text;
	enum address_kind kind;
	int family;
	const char *host;
	uint16_t port_first, port_last;
	bool has_port;
};

static const struct parse_case parse_cases[] = {
	{"1.2.3.4:80", ADDRESS_IP, AF_UNSPEC, "1.2.3.4", 80, 80, true},
	{"1.2.3.4", ADDRESS_IP, AF_UNSPEC, "1.2.3.4", 0, 0, false},
	{"1.2.3.4:", ADDRESS_IP, AF_UNSPEC, "1.2.3.4", 0, 0, false},
	{":80", ADDRESS_IP, AF_UNSPEC, "", 80, 80, true},
	{":", ADDRESS_IP, AF_UNSPEC, "", 0, 0, false},
	{"*:80", ADDRESS_IP, AF_UNSPEC, "*", 80, 80, true},
	{"*", ADDRESS_IP, AF_UNSPEC, "*", 0, 0, false},
	{":65535", ADDRESS_IP, AF_UNSPEC, "", 65535, 65535, true},
	{":80-85", ADDRESS_IP, AF_UNSPEC, "", 80, 85, true},
	{":80-80", ADDRESS_IP, AF_UNSPEC, "", 80, 80, true},
	{"host.example:443", ADDRESS_IP, AF_UNSPEC, "host.example", 443, 443, true},
	{"my_db-1", ADDRESS_IP, AF_UNSPEC, "my_db-1", 0, 0, false},
	{"[::]:80", ADDRESS_IP, AF_UNSPEC, "::", 80, 80, true},
	{"[::1]:80", ADDRESS_IP, AF_UNSPEC, "::1", 80, 80, true},
	{"[::1]", ADDRESS_IP, AF_UNSPEC, "::1", 0, 0, false},
	{"[fe80::1%lo]:80", ADDRESS_IP, AF_UNSPEC, "fe80::1%lo", 80, 80, true},
	{"::1:80", ADDRESS_IP, AF_UNSPEC, "::1", 80, 80, true},
	{":::80", ADDRESS_IP, AF_UNSPEC, "::", 80, 80, true},
	{"::ffff:1.2.3.4:80", ADDRESS_IP, AF_UNSPEC, "::ffff:1.2.3.4", 80, 80, true},
	{"2001:db8::7:8080-8090", ADDRESS_IP, AF_UNSPEC, "2001:db8::7", 8080, 8090, true},
	{"ip@1.2.3.4:80", ADDRESS_IP, AF_UNSPEC, "1.2.3.4", 80, 80, true},
	{"ipv4@:80", ADDRESS_IP, AF_INET, "", 80, 80, true},
	{"ipv4@db:80", ADDRESS_IP, AF_INET, "db", 80, 80, true},
	{"ipv6@:80", ADDRESS_IP, AF_INET6, "", 80, 80, true},
	{"ipv6@*:80", ADDRESS_IP, AF_INET6, "*", 80, 80, true},
	{"tcp6@[::1]:80", ADDRESS_IP, AF_INET6, "::1", 80, 80, true},
	{"/run/a.sock", ADDRESS_UNIX, AF_UNIX, "/run/a.sock", 0, 0, false},
	{"/run/a@b:80", ADDRESS_UNIX, AF_UNIX, "/run/a@b:80", 0, 0, false},
	{"unix@/run/a.sock", ADDRESS_UNIX, AF_UNIX, "/run/a.sock", 0, 0, false},
	{"unix@relative", ADDRESS_UNIX, AF_UNIX, "relative", 0, 0, false},
	{"abns@name", ADDRESS_ABSTRACT, AF_UNIX, "name", 0, 0, false},
};

static void every_form_is_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(parse_cases); i++) {
		const struct parse_case *row = &parse_cases[i];
		struct address_spec spec;
		const char *reason = NULL;

		print_message("  %s\n", row->text);
		assert_int_equal(address_parse(row->text, &spec, &reason), 0);
		assert_int_equal(spec.kind, row->kind);
		assert_int_equal(spec.family, row->family);
		assert_string_equal(spec.host, row->host);
		assert_int_equal(spec.port_first, row->port_first);
		assert_int_equal(spec.port_last, row->port_last);
		assert_int_equal(spec.has_port, row->has_port);
		assert_false(spec.is_port_relative);
		assert_int_equal(spec.fd, -1);
	}
}

struct offset_case {
	const char *text;
	int offset;
};

static const struct offset_case offset_cases[] = {
	{"1.2.3.4:+100", 100},
	{"1.2.3.4:-100", -100},
	{"[::1]:+0", 0},
	{":+65535", 65535},
};

static void relative_ports_are_offsets(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(offset_cases); i++) {
		struct address_spec spec;
		const char *reason;

		assert_int_equal(address_parse(offset_cases[i].text, &spec, &reason), 0);
		assert_true(spec.is_port_relative);
		assert_true(spec.has_port);
		assert_int_equal(spec.port_offset, offset_cases[i].offset);
		assert_int_equal(spec.port_first, 0);
		assert_int_equal(spec.port_last, 0);
	}
}

static void inherited_descriptors_are_numbers(void **state)
{
	struct address_spec spec;
	struct address address;
	const char *reason;

	(void)state;
	assert_int_equal(address_parse("fd@17", &spec, &reason), 0);
	assert_int_equal(spec.kind, ADDRESS_FD);
	assert_int_equal(spec.fd, 17);
	assert_int_equal(address_resolve(&spec, 0, &address), -EINVAL);
	assert_int_equal(address_parse("fd@web-1", &spec, &reason), 0);
	assert_int_equal(spec.kind, ADDRESS_FD);
	assert_int_equal(spec.fd, -1);
}

struct refusal_case {
	const char *text;
	const char *word; /* the reason has it */
};

static const struct refusal_case refusal_cases[] = {
	{"", "empty"},
	{"1.2.3.4:0", "port 0"},
	{"1.2.3.4:0-80", "port 0"},
	{":65536", "larger than 65535"},
	{":80-70000", "larger than 65535"},
	{":80-70", "ends before"},
	{":80-", "not a number"},
	{":8x", "not a number"},
	{":http", "not a number"},
	{":80 ", "not a number"},
	{":1234567890123", "not a number"},
	{":80-85-90", "not a number"},
	{":+", "offset"},
	{":-x", "offset"},
	{":+65536", "larger than 65535"},
	{"[::1:80", "not closed"},
	{"[::1]80", "follow the bracket"},
	{"[1.2.3.4]:80", "between the brackets"},
	{"[]:80", "between the brackets"},
	{"[::1%]:80", "between the brackets"},
	{"[*]:80", "between the brackets"},
	{"::1", "[address]:port"},
	{"::", "[address]:port"},
	{"1.2.3.4:80:90", "[address]:port"},
	{"ipv4@[::1]:80", "IPv4 is asked for"},
	{"ipv4@::1:80", "IPv4 is asked for"},
	{"foo@1.2.3.4:80", "unknown prefix"},
	{"@1.2.3.4:80", "unknown prefix"},
	{"unix@", "path"},
	{"abns@", "name"},
	{"fd@", "a number, or the name"},
	{"fd@a b", "a number, or the name"},
	{"fd@a:b", "a number, or the name"},
	{"fd@-1", "a number, or the name"},
	{"fd@12345678901", "a number, or the name"},
	{"udp@1.2.3.4:53", "datagram"},
	{"quic4@:443", "QUIC"},
	{"sockpair@3", "not supported"},
	{"a b:80", "character"},
	{"a/b:80", "character"},
	{"a,b:80", "character"},
	{"**:80", "character"},
	{"a\nb:80", "character"},
};

static void mistakes_are_refused_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(refusal_cases); i++) {
		const struct refusal_case *row = &refusal_cases[i];
		struct address_spec spec = {.fd = 4711};
		const char *reason = NULL;

		print_message("  '%s'\n", row->text);
		assert_int_equal(address_parse(row->text, &spec, &reason), -EINVAL);
		assert_non_null(reason);
		assert_non_null(strstr(reason, row->word));
		assert_int_equal(spec.fd, 4711);
	}
}

static void lengths_have_bounds(void **state)
{
	char text[400] = "";
	struct address_spec spec;
	struct address address;
	const char *reason;

	(void)state;
	memset(text, 'a', 300);
	assert_int_equal(address_parse(text, &spec, &reason), -EINVAL);
	text[ADDRESS_HOST_MAX - 1] = '\0';
	assert_int_equal(address_parse(text, &spec, &reason), 0);

	text[0] = '/';
	text[108] = '\0';
	assert_int_equal(address_parse(text, &spec, &reason), -EINVAL);
	text[107] = '\0';
	assert_int_equal(address_parse(text, &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, 0, &address), 0);
	assert_string_equal(address.local.sun_path, text);

	memset(spec.host, 'b', 108);
	spec.host[108] = '\0';
	assert_int_equal(address_resolve(&spec, 0, &address), -ENAMETOOLONG);
	spec.host[0] = '\0';
	assert_int_equal(address_resolve(&spec, 0, &address), -EINVAL);
}

struct print_case {
	const char *text, *printed, *host, *endpoint;
	int family;
};

static const struct print_case print_cases[] = {
	{"1.2.3.4:80", "1.2.3.4:80", "1.2.3.4", "1.2.3.4:80", AF_INET},
	{":80", "0.0.0.0:80", "0.0.0.0", "0.0.0.0:80", AF_INET},
	{"*:80", "0.0.0.0:80", "0.0.0.0", "0.0.0.0:80", AF_INET},
	{"ipv6@:80", "[::]:80", "::", "[::]:80", AF_INET6},
	{"ipv6@*:80", "[::]:80", "::", "[::]:80", AF_INET6},
	{"[::]:80", "[::]:80", "::", "[::]:80", AF_INET6},
	{"2001:db8::1:65535", "[2001:db8::1]:65535", "2001:db8::1", "[2001:db8::1]:65535", AF_INET6},
	{"/run/a.sock", "/run/a.sock", "unix", "unix:1", AF_UNIX},
	{"abns@name", "abns@name", "unix", "unix:1", AF_UNIX},
};

static void resolved_addresses_print_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(print_cases); i++) {
		const struct print_case *row = &print_cases[i];
		char printed[ADDRESS_TEXT_MAX];
		struct address_spec spec;
		struct address address, back;
		struct endpoint endpoint;
		const char *reason;

		print_message("  %s\n", row->text);
		assert_int_equal(address_parse(row->text, &spec, &reason), 0);
		assert_int_equal(address_resolve(&spec, spec.port_first, &address), 0);
		assert_int_equal(address.any.sa_family, row->family);
		assert_int_equal(address_port(&address), spec.port_first);
		address_print(&address, printed, sizeof(printed));
		assert_string_equal(printed, row->printed);

		endpoint_from_address(&address, &endpoint);
		assert_int_equal(endpoint.family, row->family);
		assert_int_equal(endpoint.is_local, row->family == AF_UNIX);
		endpoint_print_host(&endpoint, printed, sizeof(printed));
		assert_string_equal(printed, row->host);
		endpoint_print(&endpoint, printed, sizeof(printed));
		assert_string_equal(printed, row->endpoint);

		address_from_endpoint(&endpoint, &back);
		assert_int_equal(address_is_equal(&address, &back), row->family != AF_UNIX);
		assert_true(address_is_equal(&address, &address));
	}
}

static void a_short_buffer_cuts_the_print(void **state)
{
	struct address address = {
		.v4 = {.sin_family = AF_INET, .sin_port = htons(80)}, .len = sizeof(address.v4)};
	char printed[6];

	(void)state;
	address_print(&address, printed, sizeof(printed));
	assert_string_equal(printed, "0.0.0");
}

static struct address resolve(const char *text)
{
	struct address_spec spec;
	struct address address;
	const char *reason;

	assert_int_equal(address_parse(text, &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, spec.port_first, &address), 0);
	return address;
}

struct equality_case {
	const char *a, *b;
	bool is_equal;
};

static const struct equality_case equality_cases[] = {
	{"1.2.3.4:80", "1.2.3.4:80", true},
	{"1.2.3.4:80", "1.2.3.4:81", false},
	{"1.2.3.4:80", "1.2.3.5:80", false},
	{"0.0.0.0:80", "[::]:80", false},
	{"[::1]:80", "[0:0::1]:80", true},
	{"[::1]:80", "[::2]:80", false},
	{"/a", "/a", true},
	{"/a", "/ab", false},
	{"/a", "abns@/a", false},
	{"abns@a", "abns@a", true},
	{"abns@a", "abns@b", false},
};

static void equality_is_of_what_is_meant(void **state)
{
	struct address none = {.len = 0}, path = resolve("/a"), unterminated = path;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(equality_cases); i++) {
		const struct equality_case *row = &equality_cases[i];
		struct address a = resolve(row->a), b = resolve(row->b);

		print_message("  %s and %s\n", row->a, row->b);
		assert_int_equal(address_is_equal(&a, &b), row->is_equal);
		assert_int_equal(address_is_equal(&b, &a), row->is_equal);
	}
	unterminated.len--; /* the kernel may count the terminator or not */
	assert_true(address_is_equal(&path, &unterminated));
	assert_true(address_is_equal(&none, &none));
	assert_false(address_is_equal(&none, &path));
}

static void ports_can_be_set_where_there_are_ports(void **state)
{
	struct address v4 = resolve("1.2.3.4:80"), v6 = resolve("[::1]:80"), local = resolve("/a");

	(void)state;
	address_set_port(&v4, 8080);
	address_set_port(&v6, 8081);
	address_set_port(&local, 8082);
	assert_int_equal(address_port(&v4), 8080);
	assert_int_equal(address_port(&v6), 8081);
	assert_int_equal(address_port(&local), 0);
	assert_string_equal(local.local.sun_path, "/a");
}

static void an_abstract_name_has_the_length_haproxy_gives_it(void **state)
{
	struct address address = resolve("abns@name");

	(void)state;
	assert_int_equal(address.len, sizeof(struct sockaddr_un));
	assert_memory_equal(address.local.sun_path, "\0name\0\0", 7);
}

static void an_interface_may_follow_a_link_local_address(void **state)
{
	char printed[ADDRESS_TEXT_MAX];
	struct address address;

	(void)state;
	if (if_nametoindex("lo") == 0)
		skip();
	address = resolve("[fe80::1%lo]:80");
	assert_int_equal(address.v6.sin6_scope_id, if_nametoindex("lo"));
	address_print(&address, printed, sizeof(printed));
	assert_string_equal(printed, "[fe80::1%lo]:80");
}

static void names_that_do_not_exist_are_told(void **state)
{
	struct address_spec spec;
	struct address address = {.len = 7};
	const char *reason;

	(void)state;
	assert_int_equal(address_parse("ipv6@1.2.3.4:80", &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, 80, &address), -ENOENT);
	assert_int_equal(address_parse("name..invalid:80", &spec, &reason), 0);
	assert_int_equal(address_resolve(&spec, 80, &address), -ENOENT);
	assert_int_equal(address.len, 7);
}

static void nothing_prints_as_a_dash(void **state)
{
	struct address address = {.len = 0};
	struct endpoint endpoint;
	char printed[ADDRESS_TEXT_MAX];

	(void)state;
	address_print(&address, printed, sizeof(printed));
	assert_string_equal(printed, "-");
	endpoint_from_address(&address, &endpoint);
	assert_int_equal(endpoint.family, AF_UNSPEC);
	endpoint_print(&endpoint, printed, sizeof(printed));
	assert_string_equal(printed, "-");
	address_from_endpoint(&endpoint, &address);
	assert_int_equal(address.len, 0);
}

static void an_unnamed_unix_socket_prints_as_unix(void **state)
{
	struct address address = {.local = {.sun_family = AF_UNIX}, .len = sizeof(sa_family_t)};
	char printed[ADDRESS_TEXT_MAX];

	(void)state;
	address_print(&address, printed, sizeof(printed));
	assert_string_equal(printed, "unix");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_understood),
		cmocka_unit_test(relative_ports_are_offsets),
		cmocka_unit_test(inherited_descriptors_are_numbers),
		cmocka_unit_test(mistakes_are_refused_with_a_reason),
		cmocka_unit_test(lengths_have_bounds),
		cmocka_unit_test(resolved_addresses_print_back),
		cmocka_unit_test(a_short_buffer_cuts_the_print),
		cmocka_unit_test(equality_is_of_what_is_meant),
		cmocka_unit_test(ports_can_be_set_where_there_are_ports),
		cmocka_unit_test(an_abstract_name_has_the_length_haproxy_gives_it),
		cmocka_unit_test(an_interface_may_follow_a_link_local_address),
		cmocka_unit_test(names_that_do_not_exist_are_told),
		cmocka_unit_test(nothing_prints_as_a_dash),
		cmocka_unit_test(an_unnamed_unix_socket_prints_as_unix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
