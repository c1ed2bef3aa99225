/* Any text is an address or is refused with a reason; what is understood without a
 * look-up resolves, prints, and the print means the same address. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { INPUT_MAX = 512 };

/* Names would go out to a name server. */
static bool is_resolved_here(const struct address_spec *spec)
{
	bool is_wildcard = spec->host[0] == '\0' || strcmp(spec->host, "*") == 0;

	if (spec->kind == ADDRESS_IP)
		return is_wildcard || (strchr(spec->host, ':') && !strchr(spec->host, '%'));
	return spec->kind != ADDRESS_FD;
}

static void check_round_trip(const struct address *address, const struct address_spec *spec)
{
	char printed[ADDRESS_TEXT_MAX], again[ADDRESS_TEXT_MAX];
	struct address_spec spec_again;
	struct address address_again;
	struct endpoint endpoint;
	const char *reason;

	address_print(address, printed, sizeof(printed));
	CHECK(strlen(printed) < sizeof(printed) - 1);
	endpoint_from_address(address, &endpoint);
	endpoint_print(&endpoint, again, sizeof(again));
	address_from_endpoint(&endpoint, &address_again);
	if (spec->kind == ADDRESS_IP) {
		CHECK(strcmp(printed, again) == 0);
		CHECK(address_is_equal(address, &address_again));
	}
	/* A relative path or port 0 has no text of its own. */
	if ((spec->kind == ADDRESS_UNIX && spec->host[0] != '/') ||
		(spec->kind == ADDRESS_IP && spec->port_first == 0))
		return;
	CHECK(address_parse(printed, &spec_again, &reason) == 0);
	CHECK(address_resolve(&spec_again, spec_again.port_first, &address_again) == 0);
	CHECK(address_is_equal(address, &address_again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[INPUT_MAX];
	struct address_spec spec;
	struct address address;
	const char *reason = NULL;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (address_parse(text, &spec, &reason) < 0) {
		CHECK(reason && reason[0] != '\0');
		return 0;
	}
	CHECK(spec.port_first <= spec.port_last);
	CHECK(!spec.is_port_relative || (spec.port_offset >= -65535 && spec.port_offset <= 65535));
	/* -1: one that has a name. */
	CHECK(spec.kind != ADDRESS_FD || spec.fd >= -1);
	if (!is_resolved_here(&spec))
		return 0;
	/* An IPv6 address may stand where IPv4 alone is resolved, then it is no name. */
	if (address_resolve(&spec, spec.port_first, &address) == 0)
		check_round_trip(&address, &spec);
	return 0;
}
