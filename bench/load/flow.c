/* Bytes in one direction of one socket; see flow.h. */
#include "flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	UNTOUCHED_BYTES = 1024 * 1024, /* most that one sampled step moves */
	SENDFILE_MIN_BYTES = 16 * 1024, /* below it a copy is cheaper */
};

int flow_scratch_init(struct flow_scratch *scratch, int file, uint64_t sample_every)
{
	*scratch = (struct flow_scratch){.file = file, .sample_every = sample_every};
	scratch->in = aligned_alloc(64, FLOW_CHUNK_BYTES + 64);
	scratch->out = aligned_alloc(64, FLOW_CHUNK_BYTES);
	if (scratch->in == NULL || scratch->out == NULL) {
		flow_scratch_release(scratch);
		return -ENOMEM;
	}
	memset(scratch->in, 0, FLOW_CHUNK_BYTES + 64);
	memset(scratch->out, 0, FLOW_CHUNK_BYTES);
	return 0;
}

void flow_scratch_release(struct flow_scratch *scratch)
{
	free(scratch->in);
	free(scratch->out);
	scratch->in = scratch->out = NULL;
}

int flow_file_create(void)
{
	struct pattern pattern = pattern_periodic();
	int file = memfd_create("splicebench", MFD_CLOEXEC);
	if (file < 0)
		return -errno;
	if (ftruncate(file, PATTERN_PERIOD_BYTES) != 0)
		goto refused;
	void *bytes = mmap(NULL, PATTERN_PERIOD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (bytes == MAP_FAILED)
		goto refused;
	pattern_fill(&pattern, 0, bytes, PATTERN_PERIOD_BYTES);
	(void)munmap(bytes, PATTERN_PERIOD_BYTES);
	return file;
refused:;
	int error = -errno;
	close(file);
	return error;
}

static size_t smaller(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* The head and, if it fits beside it, the beginning of the pattern in one send. */
static ssize_t send_head(struct flow_out *flow, int fd, struct flow_scratch *scratch, bool *ret_is_full)
{
	size_t head = (size_t)flow->head_len - flow->head_sent;
	size_t body = smaller(flow->limit - flow->offset, FLOW_CHUNK_BYTES / 2);
	scratch->made_len = 0;
	memcpy(scratch->out, flow->head + flow->head_sent, head);
	pattern_fill(&flow->pattern, flow->offset, scratch->out + head, body);
	ssize_t sent = send(fd, scratch->out, head + body, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	*ret_is_full = (size_t)sent < head + body;
	size_t of_head = smaller((uint64_t)sent, head);
	flow->head_sent = (uint8_t)(flow->head_sent + of_head);
	flow->offset += (uint64_t)sent - of_head;
	return sent - (ssize_t)of_head;
}

static ssize_t send_file(struct flow_out *flow, int fd, const struct flow_scratch *scratch)
{
	off_t place = (off_t)(flow->offset % PATTERN_PERIOD_BYTES);
	size_t len = smaller(flow->limit - flow->offset, PATTERN_PERIOD_BYTES - (uint64_t)place);
	ssize_t sent = sendfile(fd, scratch->file, &place, len);
	if (sent < 0)
		return -errno;
	flow->offset += (uint64_t)sent;
	return sent;
}

static bool is_made(const struct flow_out *flow, const struct flow_scratch *scratch)
{
	return scratch->made_len > 0 && scratch->made.seed == flow->pattern.seed &&
		scratch->made.period_blocks == flow->pattern.period_blocks &&
		flow->offset >= scratch->made_offset &&
		flow->offset < scratch->made_offset + scratch->made_len;
}

static void make(const struct flow_out *flow, struct flow_scratch *scratch)
{
	scratch->made = flow->pattern;
	scratch->made_offset = flow->offset;
	scratch->made_len = smaller(flow->limit - flow->offset, FLOW_CHUNK_BYTES);
	pattern_fill(&flow->pattern, flow->offset, scratch->out, scratch->made_len);
}

static ssize_t send_made(struct flow_out *flow, int fd, struct flow_scratch *scratch, bool *ret_is_full)
{
	if (!is_made(flow, scratch))
		make(flow, scratch);
	size_t start = (size_t)(flow->offset - scratch->made_offset);
	size_t len = smaller(flow->limit - flow->offset, scratch->made_len - start);
	ssize_t sent = send(fd, scratch->out + start, len, MSG_NOSIGNAL);
	if (sent < 0)
		return -errno;
	*ret_is_full = (size_t)sent < len;
	flow->offset += (uint64_t)sent;
	return sent;
}

ssize_t flow_out_step(struct flow_out *flow, int fd, struct flow_scratch *scratch, bool *ret_is_full)
{
	*ret_is_full = false;
	if (flow->head_sent < flow->head_len)
		return send_head(flow, fd, scratch, ret_is_full);
	if (flow->is_sampled && flow->limit - flow->offset >= SENDFILE_MIN_BYTES)
		return send_file(flow, fd, scratch);
	return send_made(flow, fd, scratch, ret_is_full);
}

struct flow_in flow_in_start(struct pattern pattern, bool is_sampled)
{
	return (struct flow_in){.pattern = pattern, .bad_offset = UINT64_MAX, .is_sampled = is_sampled};
}

void flow_in_take(struct flow_in *flow, const uint8_t *bytes, size_t len)
{
	if (flow->bad_offset == UINT64_MAX) {
		size_t right = pattern_check(&flow->pattern, flow->offset, bytes, len);
		flow->verified += right;
		if (right < len)
			flow->bad_offset = flow->offset + right;
	}
	flow->offset += len;
}

/* Everything but the last WIRE_BYTES is pattern; those may be the verdict. */
static ssize_t receive_draining(struct flow_in *flow, int fd, struct flow_scratch *scratch)
{
	memcpy(scratch->in, flow->tail, flow->tail_len);
	ssize_t got = recv(fd, scratch->in + flow->tail_len, FLOW_CHUNK_BYTES, 0);
	if (got <= 0)
		return got < 0 ? -errno : 0;
	size_t len = (size_t)got + flow->tail_len;
	size_t kept = smaller(len, WIRE_BYTES);
	flow_in_take(flow, scratch->in, len - kept);
	memcpy(flow->tail, scratch->in + len - kept, kept);
	flow->tail_len = (uint8_t)kept;
	return got;
}

/* Bytes from the flow's place on that need no look; 0 inside a sample. */
static size_t untouched_len(const struct flow_in *flow, const struct flow_scratch *scratch)
{
	uint64_t place = flow->offset % scratch->sample_every;
	if (!flow->is_sampled || flow->is_draining || place < FLOW_SAMPLE_BYTES)
		return 0;
	return smaller(scratch->sample_every - place, UNTOUCHED_BYTES);
}

static size_t checked_len(const struct flow_in *flow, const struct flow_scratch *scratch)
{
	if (!flow->is_sampled)
		return FLOW_CHUNK_BYTES;
	return FLOW_SAMPLE_BYTES - (size_t)(flow->offset % scratch->sample_every);
}

/* Moves past bytes without a look at them. */
static ssize_t receive_untouched(struct flow_in *flow, int fd, struct flow_scratch *scratch, size_t len)
{
	ssize_t skipped = flow->is_copied ? recv(fd, scratch->in, smaller(len, FLOW_CHUNK_BYTES), 0)
					  : recv(fd, NULL, len, MSG_TRUNC);
	if (skipped < 0 && errno == EFAULT) {
		/* Unix sockets know no MSG_TRUNC for streams. */
		flow->is_copied = true;
		return -EINTR;
	}
	if (skipped < 0)
		return -errno;
	flow->offset += (uint64_t)skipped;
	return skipped;
}

ssize_t flow_in_step(struct flow_in *flow, int fd, struct flow_scratch *scratch, bool *ret_is_empty)
{
	*ret_is_empty = false;
	if (flow->is_draining)
		return receive_draining(flow, fd, scratch);
	size_t len = untouched_len(flow, scratch);
	if (len > 0) {
		ssize_t skipped = receive_untouched(flow, fd, scratch, len);
		*ret_is_empty = !flow->is_copied && skipped > 0 && (size_t)skipped < len;
		return skipped;
	}
	len = checked_len(flow, scratch);
	ssize_t got = recv(fd, scratch->in, len, 0);
	if (got < 0)
		return -errno;
	*ret_is_empty = (size_t)got < len;
	flow_in_take(flow, scratch->in, (size_t)got);
	return got;
}
