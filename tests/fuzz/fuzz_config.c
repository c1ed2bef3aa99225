/* Any bytes as a configuration file: loading must refuse or accept them, and give
 * everything back. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const engines[] = {"auto", "copy", "sockmap", "splice", "uring", NULL};
	static FILE *nowhere;
	const struct config_text text = {"fuzz.cfg", (const char *)bytes, len};
	struct config_options options = {.names = {engines}, .has_no_lookups = true, .errors_max = 20};
	struct config *config;

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	if (nowhere == NULL)
		abort();
	options.errors = nowhere;
	if (config_load_text(&text, &options, &config) == 0)
		config_destroy(config);
	return 0;
}
