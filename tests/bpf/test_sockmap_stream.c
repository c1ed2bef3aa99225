/* Streams through the socket relay: every byte arrives once and in order, whatever the readers
 * and writers do. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "lib_sockmap_rig.h"

enum { MB = 1 << 20, TRANSFER_MS = 30000 };

struct transfer {
	const char *name;
	uint64_t bytes[2]; /* from the client, from the server */
	unsigned pause_permille[2];
	uint64_t chunk_max;
	int sndbuf, rcvbuf;
};

static const struct transfer transfers[] = {
	{"one way", {256 * MB, 0}, {0, 0}, 0, 0, 0},
	{"both ways", {200 * MB, 200 * MB}, {0, 0}, 0, 0, 0},
	{"both ways with pauses", {40 * MB, 40 * MB}, {30, 30}, 0, 0, 0},
	{"a slow server", {60 * MB, 1000}, {0, 300}, 0, 0, 0},
	{"small chunks", {8 * MB, 8 * MB}, {5, 5}, 700, 0, 0},
	{"small buffers", {3 * MB, 3 * MB}, {5, 5}, 0, 4096, 4096},
};

static const char *run_transfer(const struct transfer *transfer)
{
	struct rig rig;
	struct rig_options options = {0};
	peer_set_buffers(transfer->sndbuf, transfer->rcvbuf);
	const char *wrong = rig_open(&rig, &options);
	peer_set_buffers(0, 0);
	struct peer peers[2] = {{.fd = rig.client, .seed_out = 1, .seed_in = 2},
		{.fd = rig.server, .seed_out = 2, .seed_in = 1}};
	for (unsigned i = 0; i < 2; i++) {
		peers[i].sends = transfer->bytes[i];
		peers[i].pause_permille = transfer->pause_permille[i];
		peers[i].chunk_max = transfer->chunk_max;
	}
	if (wrong == NULL)
		wrong = rig_enter(&rig);
	if (wrong == NULL) {
		peer_start(&peers[0]);
		peer_start(&peers[1]);
		wrong = rig_transfer(&rig, peers, TRANSFER_MS);
	}
	struct sockmap_count count[2];
	for (unsigned i = 0; i < 2; i++)
		sockmap_direction_read(rig.table, i, &count[i]);
	for (unsigned i = 0; i < 2; i++) {
		struct sockmap_count *c = &count[i];
		print_message(
			"%s way %u: redirected %llu passed %llu brakes %u trims %u gaps %u behind %u max %u trouble %x empties %u refusals %u %u %u %u %u; line copied %llu reset %d\n",
			transfer->name, i, c->redirected, c->passed, c->brakes, c->trims, c->gaps, c->behind,
			c->behind_max, c->trouble, c->empties, c->refusals[0], c->refusals[1], c->refusals[2],
			c->refusals[3], c->refusals[4], (unsigned long long)rig.line.ways[i].copied,
			rig.line.is_reset);
	}
	rig_close(&rig);
	return wrong;
}

static void streams_arrive_whole(void **state)
{
	(void)state;
	rig_need();
	for (size_t i = 0; i < ARRAY_LENGTH(transfers); i++) {
		const char *wrong = run_transfer(&transfers[i]);
		if (wrong != NULL)
			fail_msg("%s: %s", transfers[i].name, wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_arrive_whole),
	};
	return cmocka_run_group_tests(tests, rig_setup, NULL);
}
