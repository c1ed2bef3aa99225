/* What the client's first bytes say.  While they may become more, an answer that could
 * then be another one says so. */
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "rule/fetch.h"

/* There is nothing, and with more bytes there may be, be they ever so few. */
static bool later(struct rule_facts *facts, struct sample *sample)
{
	facts->is_length_asked = true;
	sample->may_change = !facts->is_final;
	return false;
}

FETCH_TAKE(len)
{
	(void)fetch, (void)arguments;
	sample_set_integer(ret_sample, (int64_t)facts->len);
	facts->is_length_asked = true;
	ret_sample->may_change = !facts->is_final;
	return true;
}

FETCH_TAKE(payload)
{
	size_t offset = (size_t)arguments->numbers[0], len = (size_t)arguments->numbers[1];
	(void)fetch;
	if (offset > facts->len || len > facts->len - offset)
		return later(facts, ret_sample);
	if (len == 0) {
		len = facts->len - offset;
		facts->is_length_asked = true;
		ret_sample->may_change = !facts->is_final;
	}
	sample_set_text(ret_sample, facts->bytes + offset, len);
	return true;
}

FETCH_TAKE(payload_lv)
{
	size_t at = (size_t)arguments->numbers[0], bytes = (size_t)arguments->numbers[1], len = 0;
	int64_t offset = arguments->numbers[2];
	(void)fetch;
	if (at + bytes > facts->len)
		return later(facts, ret_sample);
	for (size_t i = 0; i < bytes; i++)
		len = len << 8 | facts->bytes[at + i];
	if (arguments->is_relative)
		offset += (int64_t)(at + bytes);
	if (offset < 0)
		return false;
	if ((size_t)offset > facts->len || len > facts->len - (size_t)offset)
		return later(facts, ret_sample);
	sample_set_text(ret_sample, facts->bytes + offset, len);
	return len > 0;
}

FETCH_TAKE(wait_end)
{
	(void)fetch, (void)arguments;
	if (!facts->is_final)
		return later(facts, ret_sample);
	sample_set_bool(ret_sample, true);
	return true;
}

/* --- TLS --- */

/* The hello is there as a whole and sound. */
static bool has_hello(struct rule_facts *facts, struct sample *sample)
{
	switch (rule_facts_hello(facts)) {
	case TLS_OK:
		return true;
	case TLS_NEED_MORE:
		sample->may_change = !facts->is_final;
		return false;
	case TLS_INVALID:
		return false;
	}
	CHECK(false);
	return false;
}

FETCH_TAKE(hello_type)
{
	(void)fetch, (void)arguments;
	if (!has_hello(facts, ret_sample) && (ret_sample->may_change || !facts->hello.is_handshake))
		return false;
	sample_set_integer(ret_sample, facts->hello.type);
	return facts->hello_result != TLS_NEED_MORE;
}

FETCH_TAKE(sni)
{
	(void)fetch, (void)arguments;
	if (!has_hello(facts, ret_sample) || facts->hello.server_name.bytes == NULL)
		return false;
	sample_set_text(ret_sample, facts->hello.server_name.bytes, facts->hello.server_name.len);
	return true;
}

/* The names with commas between them. */
FETCH_TAKE(alpn)
{
	(void)fetch, (void)arguments;
	if (!has_hello(facts, ret_sample) || facts->hello.alpn.bytes == NULL)
		return false;
	const struct tls_span *names = &facts->hello.alpn;
	if (names->len > RULE_TEXT_BYTES_MAX)
		return false;
	char *text = rule_room_text(facts->room);
	size_t len = 0;
	for (size_t at = 0; at < names->len; at += 1u + names->bytes[at]) {
		if (len > 0)
			text[len++] = ',';
		memcpy(text + len, names->bytes + at + 1, names->bytes[at]);
		len += names->bytes[at];
	}
	sample_set_text(ret_sample, text, len);
	return true;
}

/* As HAProxy counts them. */
static void set_version(struct sample *sample, uint16_t version)
{
	sample_set_integer(sample, (int64_t)(version >> 8) * 65536 + (version & 0xff));
}

FETCH_TAKE(version)
{
	(void)fetch, (void)arguments;
	if (!has_hello(facts, ret_sample))
		return false;
	set_version(ret_sample, facts->hello.version);
	return true;
}

FETCH_TAKE(version_max)
{
	(void)fetch, (void)arguments;
	if (!has_hello(facts, ret_sample))
		return false;
	set_version(ret_sample, facts->hello.version_max);
	return true;
}

FETCH_TAKE(encrypted_hello)
{
	(void)fetch, (void)arguments;
	if (!has_hello(facts, ret_sample))
		return false;
	sample_set_bool(ret_sample, facts->hello.has_encrypted_hello);
	return true;
}

/* --- RDP --- */

enum {
	TPKT_BYTES = 4, /* version 3, 0, length of all */
	X224_BYTES = 7, /* its length, connection request (0xe0), two references, class */
	X224_REQUEST = 0xe0,
};

/* The text behind "Cookie: " in the connection request: name=value. */
static bool rdp_cookie(struct rule_facts *facts, struct sample *sample, struct tls_span *ret_cookie)
{
	static const uint8_t version[] = {3, 0};
	static const char label[] = "Cookie: ";
	const uint8_t *bytes = facts->bytes;
	size_t known = facts->len < sizeof(version) ? facts->len : sizeof(version);
	if (memcmp(bytes, version, known) != 0)
		return false;
	if (facts->len < TPKT_BYTES)
		return later(facts, sample);
	size_t len = (size_t)(bytes[2] << 8 | bytes[3]), head = TPKT_BYTES + X224_BYTES;
	if (len < head + strlen(label))
		return false;
	if (facts->len < len)
		return later(facts, sample);
	if (bytes[TPKT_BYTES + 1] != X224_REQUEST || memcmp(bytes + head, label, strlen(label)) != 0)
		return false;
	const uint8_t *start = bytes + head + strlen(label);
	const uint8_t *end = memchr(start, '\r', (size_t)(bytes + len - start));
	if (end == NULL || memchr(start, '=', (size_t)(end - start)) == NULL)
		return false;
	*ret_cookie = (struct tls_span){start, (size_t)(end - start)};
	return true;
}

FETCH_TAKE(rdp_cookie)
{
	struct tls_span cookie;
	(void)fetch;
	if (facts->len == 0 || !rdp_cookie(facts, ret_sample, &cookie))
		return facts->len == 0 ? later(facts, ret_sample) : false;
	const uint8_t *equals = memchr(cookie.bytes, '=', cookie.len);
	CHECK(equals != NULL);
	size_t name_len = (size_t)(equals - cookie.bytes);
	if (arguments->text != NULL &&
		(strlen(arguments->text) != name_len ||
			strncasecmp(arguments->text, (const char *)cookie.bytes, name_len) != 0))
		return false;
	sample_set_text(ret_sample, equals + 1, cookie.len - name_len - 1);
	return true;
}

FETCH_TAKE(rdp_cookie_count)
{
	struct sample cookie = {.may_change = false};
	bool has_cookie = fetch_take_rdp_cookie(facts, fetch, arguments, &cookie);
	sample_set_integer(ret_sample, has_cookie);
	ret_sample->may_change = cookie.may_change;
	return true;
}
