/* The far ends: what they send, and what they must get. */
#include "lib_line.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hash.h"

enum { SCRATCH_BYTES = 256 * 1024 };

static const uint64_t prefix_seed = 0x70726566;
static uint8_t scratch[SCRATCH_BYTES], expected[SCRATCH_BYTES];

static void pattern_fill(uint64_t seed, uint64_t offset, uint8_t *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		uint64_t word = hash_mix((offset + done) / 8 ^ seed);
		size_t skip = (offset + done) % 8;
		size_t part = 8 - skip < len - done ? 8 - skip : len - done;

		memcpy(bytes + done, (const uint8_t *)&word + skip, part);
		done += part;
	}
}

/* What `side` must read at an offset of its stream. */
static void stream_expect(
	const struct line *line, enum relay_side side, uint64_t offset, uint8_t *bytes, size_t len)
{
	size_t owed = 0;

	if (side == RELAY_SERVER && offset < line->prefix_bytes) {
		owed = line->prefix_bytes - offset < len ? line->prefix_bytes - offset : len;
		pattern_fill(prefix_seed, offset, bytes, owed);
	}
	if (owed == len)
		return;
	uint64_t prefix = side == RELAY_SERVER ? line->prefix_bytes : 0;
	pattern_fill(line->far[relay_other(side)].seed, offset + owed - prefix, bytes + owed, len - owed);
}

void line_start_options(const struct line *line, struct relay_start_options *ret_options)
{
	*ret_options = (struct relay_start_options){
		.fds = {line->near[RELAY_CLIENT], line->near[RELAY_SERVER]},
		.is_local = {line->rig->family == FAMILY_UNIX, line->rig->family == FAMILY_UNIX},
		.engines = {line->engines[RELAY_CLIENT], line->engines[RELAY_SERVER]},
		.prefix = scratch,
		.prefix_bytes = line->prefix_bytes,
	};
	assert_true(line->prefix_bytes <= sizeof(scratch));
	pattern_fill(prefix_seed, 0, scratch, line->prefix_bytes);
}

static size_t send_bytes(struct line *line, enum relay_side side, size_t len, int flags)
{
	struct far *far = &line->far[side];

	if (len > sizeof(scratch))
		len = sizeof(scratch);
	pattern_fill(far->seed, far->sent, scratch, len);
	ssize_t sent = send(far->fd, scratch, len, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		far->has_seen_reset = true;
	else if (sent < 0)
		assert_int_equal(errno, EAGAIN);
	if (sent <= 0)
		return 0;
	far->sent += (uint64_t)sent;
	line->rig->moved += (uint64_t)sent;
	return (size_t)sent;
}

size_t far_write(struct line *line, enum relay_side side, size_t len)
{
	return send_bytes(line, side, len, 0);
}

void far_write_urgent(struct line *line, enum relay_side side, size_t len)
{
	assert_int_equal(send_bytes(line, side, len, MSG_OOB), len);
}

static void bytes_compare(const struct line *line, enum relay_side side, size_t len)
{
	uint64_t offset = line->far[side].received;
	size_t good = 0;

	stream_expect(line, side, offset, expected, len);
	if (memcmp(scratch, expected, len) == 0)
		return;
	while (scratch[good] == expected[good])
		good++;
	line_print(line);
	fail_msg("side %d: wrong byte at offset %llu", (int)side, (unsigned long long)(offset + good));
}

size_t far_read(struct line *line, enum relay_side side, size_t len)
{
	struct far *far = &line->far[side];

	if (far->fd < 0 || far->has_seen_end || far->has_seen_reset)
		return 0;
	if (len > sizeof(scratch))
		len = sizeof(scratch);
	ssize_t taken = recv(far->fd, scratch, len, MSG_DONTWAIT);
	if (taken == 0)
		far->has_seen_end = true;
	if (taken < 0 && (errno == ECONNRESET || errno == EPIPE))
		far->has_seen_reset = true;
	else if (taken < 0)
		assert_int_equal(errno, EAGAIN);
	if (taken <= 0)
		return 0;
	bytes_compare(line, side, (size_t)taken);
	far->received += (uint64_t)taken;
	line->rig->moved += (uint64_t)taken;
	return (size_t)taken;
}

void far_finish(struct line *line, enum relay_side side)
{
	assert_int_equal(shutdown(line->far[side].fd, SHUT_WR), 0);
	line->far[side].has_finished = true;
}

void far_close(struct line *line, enum relay_side side)
{
	struct far *far = &line->far[side];

	loop_watch_remove(line->rig->loop, &far->watch, true);
	fd_close(&far->fd);
}

void far_reset(struct line *line, enum relay_side side)
{
	struct far *far = &line->far[side];
	int unsent = 0;

	far->acknowledged = far->sent;
	if (rig_is_tcp(line->rig)) {
		const struct linger at_once = {.l_onoff = 1};

		assert_int_equal(ioctl(far->fd, SIOCOUTQ, &unsent), 0);
		assert_int_equal(setsockopt(far->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
		far->acknowledged -= (uint64_t)unsent;
	}
	far->is_reset = true;
	far_close(line, side);
}
