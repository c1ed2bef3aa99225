/* The ClientHello (RFC 8446, 4.1.2; extensions of RFC 6066, 7301 and 8446), and the
 * records it comes in.  Every length is checked against what encloses it. */
#include "proto/tls_hello.h"

#include <string.h>

enum {
	RECORD_HEAD_BYTES = 5,
	RECORD_BYTES_MAX = 16384 + 2048, /* what old implementations may send */
	RECORD_HANDSHAKE = 22,
	MESSAGE_HEAD_BYTES = 4,
	MESSAGE_CLIENT_HELLO = 1,
	RANDOM_BYTES = 32,
	SESSION_BYTES_MAX = 32,
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_ALPN = 16,
	EXTENSION_VERSIONS = 43,
	EXTENSION_ENCRYPTED_HELLO = 0xfe0d,
	NAME_IS_HOST = 0,
	VERSION_TLS13 = 0x0304,
};

/* Bytes still to be read.  Once something did not fit it is broken, and empty. */
struct reader {
	const uint8_t *at;
	size_t left;
	bool is_broken;
};

static struct reader read_span(struct reader *reader, size_t len)
{
	struct reader part = {reader->at, len, false};
	if (len > reader->left) {
		reader->is_broken = true;
		reader->left = 0;
		return (struct reader){.is_broken = true};
	}
	reader->at += len;
	reader->left -= len;
	return part;
}

static size_t read_number(struct reader *reader, unsigned bytes)
{
	struct reader part = read_span(reader, bytes);
	size_t value = 0;
	for (size_t i = 0; i < part.left; i++)
		value = value << 8 | part.at[i];
	return value;
}

/* What follows a length of so many bytes. */
static struct reader read_vector(struct reader *reader, unsigned length_bytes)
{
	return read_span(reader, read_number(reader, length_bytes));
}

/* --- extensions --- */

static const char *read_server_name(struct reader extension, struct tls_hello *hello)
{
	struct reader list = read_vector(&extension, 2);
	if (extension.is_broken || extension.left > 0 || list.left == 0)
		return "the list of server names is malformed";
	while (list.left > 0) {
		size_t type = read_number(&list, 1);
		struct reader name = read_vector(&list, 2);
		if (list.is_broken)
			return "the list of server names is malformed";
		if (type != NAME_IS_HOST)
			continue;
		if (hello->server_name.bytes != NULL)
			return "there are two server names";
		if (name.left == 0 || name.left > TLS_NAME_BYTES_MAX || memchr(name.at, '\0', name.left))
			return "the server name cannot be a host's";
		hello->server_name = (struct tls_span){name.at, name.left};
	}
	return NULL;
}

static const char *read_alpn(struct reader extension, struct tls_hello *hello)
{
	struct reader list = read_vector(&extension, 2);
	struct tls_span names = {list.at, list.left};
	bool is_empty = list.left == 0;
	while (list.left > 0) {
		struct reader name = read_vector(&list, 1);
		is_empty = is_empty || name.left == 0;
	}
	if (extension.is_broken || extension.left > 0 || list.is_broken || is_empty)
		return "the list of protocols (ALPN) is malformed";
	hello->alpn = names;
	return NULL;
}

/* RFC 8701: values that stand for nothing, so that servers stay used to unknown ones. */
static bool is_grease(size_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

static const char *read_versions(struct reader extension, struct tls_hello *hello)
{
	struct reader list = read_vector(&extension, 1);
	if (extension.is_broken || extension.left > 0 || list.left == 0 || list.left % 2 != 0)
		return "the list of versions is malformed";
	hello->version_max = 0;
	while (list.left > 0) {
		size_t version = read_number(&list, 2);
		if (!is_grease(version) && version > hello->version_max)
			hello->version_max = (uint16_t)version;
	}
	return NULL;
}

static const char *read_encrypted_hello(struct reader extension, struct tls_hello *hello)
{
	(void)extension;
	hello->has_encrypted_hello = true;
	return NULL;
}

static const struct extension {
	size_t type;
	const char *(*read)(struct reader extension, struct tls_hello *hello);
} extensions[] = {
	{EXTENSION_SERVER_NAME, read_server_name},
	{EXTENSION_ALPN, read_alpn},
	{EXTENSION_VERSIONS, read_versions},
	{EXTENSION_ENCRYPTED_HELLO, read_encrypted_hello},
};

/* Two of a kind would let us read one and the server the other. */
static const char *read_extension(
	size_t type, struct reader extension, unsigned *seen, struct tls_hello *hello)
{
	for (size_t i = 0; i < ARRAY_LENGTH(extensions); i++) {
		if (extensions[i].type != type)
			continue;
		if (*seen & 1u << i)
			return "an extension comes twice";
		*seen |= 1u << i;
		return extensions[i].read(extension, hello);
	}
	return NULL;
}

static const char *read_extensions(struct reader *message, struct tls_hello *hello)
{
	unsigned seen = 0;
	/* Before TLS 1.3 there may be none. */
	if (message->left == 0)
		return NULL;
	struct reader list = read_vector(message, 2);
	if (message->is_broken || message->left > 0)
		return "the list of extensions does not end where the message does";
	while (list.left > 0) {
		size_t type = read_number(&list, 2);
		struct reader extension = read_vector(&list, 2);
		if (list.is_broken)
			return "an extension is longer than its list";
		const char *complaint = read_extension(type, extension, &seen, hello);
		if (complaint != NULL)
			return complaint;
	}
	return list.is_broken ? "an extension is longer than its list" : NULL;
}

/* The message behind its head. */
static const char *read_message(struct reader message, struct tls_hello *hello)
{
	hello->version = (uint16_t)read_number(&message, 2);
	/* TLS 1.3 is only ever offered in the extension. */
	hello->version_max = hello->version < VERSION_TLS13 ? hello->version : VERSION_TLS13 - 1;
	read_span(&message, RANDOM_BYTES);
	struct reader session = read_vector(&message, 1);
	struct reader ciphers = read_vector(&message, 2);
	struct reader compressions = read_vector(&message, 1);
	if (message.is_broken || session.left > SESSION_BYTES_MAX || ciphers.left < 2 ||
		ciphers.left % 2 != 0 || compressions.left == 0)
		return "the ClientHello is malformed";
	return read_extensions(&message, hello);
}

/* --- records --- */

/* The records as far as the message goes. */
struct assembly {
	const struct tls_input *input;
	const uint8_t *message; /* in the input, or in its storage once there is more than one record */
	size_t len; /* of the message that is here, its head included */
	size_t at; /* of the next record */
	size_t wanted; /* of the input, when it ends too early */
};

/* The bytes that are here of a record's head are as they must be. */
static bool is_handshake_record(const uint8_t *head, size_t len)
{
	if ((len > 0 && head[0] != RECORD_HANDSHAKE) || (len > 1 && head[1] != 3))
		return false;
	size_t bytes = len >= RECORD_HEAD_BYTES ? (size_t)(head[3] << 8 | head[4]) : 1;
	return bytes > 0 && bytes <= RECORD_BYTES_MAX;
}

static bool append(struct assembly *assembly, const uint8_t *bytes, size_t len)
{
	uint8_t *storage = assembly->input->storage;
	if (assembly->len == 0) {
		assembly->message = bytes;
	} else {
		if (storage == NULL)
			return false;
		/* The message fits; what may not is behind it. */
		if (len > TLS_HELLO_STREAM_BYTES_MAX - assembly->len)
			len = TLS_HELLO_STREAM_BYTES_MAX - assembly->len;
		if (assembly->message != storage)
			memcpy(storage, assembly->message, assembly->len);
		memcpy(storage + assembly->len, bytes, len);
		assembly->message = storage;
	}
	assembly->len += len;
	return true;
}

/* Adds what is here of the next record; OK while it is there as a whole. */
static enum tls_result record_take(struct assembly *assembly)
{
	const struct tls_input *input = assembly->input;
	const uint8_t *head = input->bytes + assembly->at;
	size_t left = input->len - assembly->at;
	if (!is_handshake_record(head, left))
		return TLS_INVALID;
	if (left < RECORD_HEAD_BYTES) {
		assembly->wanted = assembly->at + RECORD_HEAD_BYTES;
		return TLS_NEED_MORE;
	}
	size_t bytes = (size_t)(head[3] << 8 | head[4]), here = left - RECORD_HEAD_BYTES;
	assembly->at += RECORD_HEAD_BYTES + bytes;
	if (!append(assembly, head + RECORD_HEAD_BYTES, here < bytes ? here : bytes)) {
		assembly->wanted = SIZE_MAX;
		return TLS_NEED_MORE;
	}
	assembly->wanted = assembly->at;
	return here < bytes ? TLS_NEED_MORE : TLS_OK;
}

/* What the head of the message says, once it is here. */
static enum tls_result head_judge(
	const struct assembly *assembly, struct tls_hello *hello, const char **ret_reason)
{
	const uint8_t *head = assembly->message;
	if (assembly->len > 0) {
		hello->is_handshake = true;
		hello->type = head[0];
	}
	if (assembly->len > 0 && head[0] != MESSAGE_CLIENT_HELLO) {
		*ret_reason = "the handshake does not begin with a ClientHello";
		return TLS_INVALID;
	}
	if (assembly->len < MESSAGE_HEAD_BYTES)
		return TLS_NEED_MORE;
	size_t bytes = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	if (bytes > TLS_HELLO_BYTES_MAX) {
		*ret_reason = "the ClientHello is longer than 64 KiB";
		return TLS_INVALID;
	}
	return assembly->len >= MESSAGE_HEAD_BYTES + bytes ? TLS_OK : TLS_NEED_MORE;
}

static enum tls_result assemble(struct assembly *assembly, struct tls_hello *hello, const char **ret_reason)
{
	for (;;) {
		enum tls_result taken = record_take(assembly);
		if (taken == TLS_INVALID) {
			*ret_reason = "this is no TLS handshake";
			return TLS_INVALID;
		}
		enum tls_result judged = head_judge(assembly, hello, ret_reason);
		if (judged != TLS_NEED_MORE)
			return judged;
		if (taken == TLS_NEED_MORE)
			return TLS_NEED_MORE;
	}
}

enum tls_result tls_hello_parse(
	const struct tls_input *input, struct tls_hello *ret_hello, const char **ret_reason)
{
	struct assembly assembly = {.input = input};
	memset(ret_hello, 0, sizeof(*ret_hello));
	enum tls_result result = assemble(&assembly, ret_hello, ret_reason);
	if (result == TLS_NEED_MORE)
		ret_hello->bytes_wanted = assembly.wanted;
	if (result != TLS_OK)
		return result;
	const uint8_t *head = assembly.message;
	size_t bytes = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
	const char *complaint =
		read_message((struct reader){head + MESSAGE_HEAD_BYTES, bytes, false}, ret_hello);
	if (complaint == NULL)
		return TLS_OK;
	/* Nothing of it is to be believed. */
	*ret_hello = (struct tls_hello){.is_handshake = true, .type = MESSAGE_CLIENT_HELLO};
	*ret_reason = complaint;
	return TLS_INVALID;
}
