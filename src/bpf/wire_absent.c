/* Stands for the wire loader where the BPF programs could not be built. */

#include "bpf/wire.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"

int wire_table_create(unsigned pairs_max, struct wire_table **ret_table, char *ret_reason)
{
	(void)pairs_max;
	(void)ret_table;
	snprintf(ret_reason, WIRE_REASON_MAX, "built without BPF programs: %s was missing", BPF_MISSING);
	return -ENOSYS;
}

/* No table exists, so nothing below is ever reached but by destroying NULL. */
void wire_table_destroy(struct wire_table *table)
{
	CHECK(table == NULL);
}
