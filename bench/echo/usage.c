/* Flags of the commands echo and burst: numbers, sizes, addresses, refusals. */
#include "usage.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int usage_refuse(const char *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "splicebench %s: ", command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ". Try 'splicebench %s --help'\n", command);
	return USAGE_STATUS;
}

int usage_refuse_option(const char *command, int found, char **argv)
{
	const char *word = argv[optind - 1];

	if (found == ':')
		return usage_refuse(command, "%s needs a value", word);
	return usage_refuse(command, "unknown flag %s", word);
}

/* Digits only, as strtoull(3) takes more. */
static bool parse_digits(const char *text, const char **ret_end, uint64_t *ret_value)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0)
		return false;
	*ret_end = end;
	*ret_value = value;
	return true;
}

bool usage_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;

	if (!parse_digits(text, &end, &value) || *end != '\0' || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

bool usage_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	const char *end;
	uint64_t value;
	unsigned shift = 0;

	if (!parse_digits(text, &end, &value))
		return false;
	if (*end == 'k' || *end == 'K')
		shift = 10;
	if (*end == 'm' || *end == 'M')
		shift = 20;
	if (end[shift > 0] != '\0' || value > max >> shift || value << shift < min)
		return false;
	*ret_value = value << shift;
	return true;
}

bool usage_parse_seconds(const char *text, double max, double *ret_seconds)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return false;
	value = strtod(text, &end);
	if (*end != '\0' || !isfinite(value) || value <= 0 || value > max)
		return false;
	*ret_seconds = value;
	return true;
}

bool usage_parse_address(const char *text, struct address *ret_address, const char **ret_reason)
{
	struct address_spec spec;
	int error = address_parse(text, &spec, ret_reason);

	if (error < 0)
		return false;
	if (spec.kind != ADDRESS_IP || !spec.has_port || spec.is_port_relative ||
		spec.port_first != spec.port_last) {
		*ret_reason = "an IP address with a port is needed";
		return false;
	}
	error = address_resolve(&spec, spec.port_first, ret_address);
	if (error < 0)
		*ret_reason = error == -ENOENT ? "no such host" : "it cannot be used as an address";
	return error == 0;
}

bool usage_parse_listen_address(const char *text, struct address *ret_address, const char **ret_reason)
{
	char with_port[ADDRESS_HOST_MAX + 16];
	size_t len = strlen(text);

	if (len < 2 || len >= sizeof(with_port) || strcmp(text + len - 2, ":0") != 0)
		return usage_parse_address(text, ret_address, ret_reason);
	/* Any port will do for the parser, which knows none without a number. */
	memcpy(with_port, text, len + 1);
	with_port[len - 1] = '1';
	if (!usage_parse_address(with_port, ret_address, ret_reason))
		return false;
	address_set_port(ret_address, 0);
	return true;
}
