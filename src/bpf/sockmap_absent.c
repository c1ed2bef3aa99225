/* Stands for the socket relay's loader where the BPF programs could not be built. */

#include <errno.h>
#include <stdio.h>

#include "base/check.h"
#include "bpf/sockmap.h"

int sockmap_table_create(unsigned pairs_max, struct sockmap_table **ret_table, char *ret_reason)
{
	(void)pairs_max;
	(void)ret_table;
	snprintf(ret_reason, SOCKMAP_REASON_MAX, "built without BPF programs: %s was missing", BPF_MISSING);
	return -ENOSYS;
}

int sockmap_selftest(char *ret_words)
{
	snprintf(ret_words, SOCKMAP_REASON_MAX, "built without BPF programs: %s was missing", BPF_MISSING);
	return -ENOSYS;
}

/* No table exists, so nothing below is ever reached but by destroying NULL. */
void sockmap_table_destroy(struct sockmap_table *table)
{
	CHECK(table == NULL);
}

unsigned sockmap_table_pairs_max(const struct sockmap_table *table)
{
	CHECK(table == NULL);
	return 0;
}
