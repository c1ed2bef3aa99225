/* A far host made of crafted TCP segments. */

#include "bpf/sockmap_far.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* Addresses for documentation: they meet nobody. */
#define OUR_ADDRESS 0xc0000201u
#define FAR_ADDRESS 0xc0000202u
#define NETMASK     0xffffff00u

enum {
	IP_HEADER = 20,
	TCP_HEADER = 20,
	MSS_OPTION = 4,
	FLAG_SYN = 0x02,
	FLAG_PSH = 0x08,
	FLAG_ACK = 0x10,
	MSS = 1440,
	WINDOW = 60000,
	HANDSHAKE_MS = 500,
	FAR_PORT = 40000,
	FIRST = 0x7ffffff0, /* its sequence numbers soon change sign */
};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static int set_address(int fd, struct ifreq *request, unsigned long what, uint32_t address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	memcpy(&request->ifr_addr, &in, sizeof(in));
	return ioctl(fd, what, request);
}

static int bring_up(const char *name)
{
	struct ifreq request = {0};
	FD_AUTO int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(request.ifr_name, name, sizeof(request.ifr_name));
	if (fd < 0 || set_address(fd, &request, SIOCSIFADDR, OUR_ADDRESS) != 0 ||
		set_address(fd, &request, SIOCSIFNETMASK, NETMASK) != 0)
		return -errno;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : -errno;
}

int sockmap_far_open(struct sockmap_far *far, uint32_t *ret_address)
{
	struct ifreq request = {.ifr_name = "far%d", .ifr_flags = IFF_TUN | IFF_NO_PI};
	*far = (struct sockmap_far){.fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK)};
	if (far->fd < 0)
		return -errno;
	int error = ioctl(far->fd, TUNSETIFF, &request) == 0 ? bring_up(request.ifr_name) : -errno;
	if (error != 0)
		sockmap_far_close(far);
	else
		*ret_address = htonl(OUR_ADDRESS);
	return error;
}

void sockmap_far_close(struct sockmap_far *far)
{
	fd_close(&far->fd);
}

static void ip_make(uint8_t *ip, unsigned len)
{
	put16(ip, 0x4500);
	put16(ip + 2, IP_HEADER + len);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, FAR_ADDRESS);
	put32(ip + 16, OUR_ADDRESS);
	put16(ip + 10, ~sum_add(0, ip, IP_HEADER));
}

static int segment_send(
	const struct sockmap_far *far, uint32_t seq, unsigned flags, const uint8_t *bytes, unsigned len)
{
	uint8_t packet[IP_HEADER + TCP_HEADER + MSS_OPTION + SOCKMAP_FAR_BYTES_MAX] = {0};
	uint8_t *tcp = packet + IP_HEADER;
	unsigned header = flags & FLAG_SYN ? TCP_HEADER + MSS_OPTION : TCP_HEADER;
	if (len > SOCKMAP_FAR_BYTES_MAX)
		return -EMSGSIZE;
	put16(tcp, far->port);
	put16(tcp + 2, far->local_port);
	put32(tcp + 4, seq);
	put32(tcp + 8, far->next);
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = (uint8_t)flags;
	put16(tcp + 14, WINDOW);
	if (flags & FLAG_SYN)
		put32(tcp + TCP_HEADER, 0x02040000 | MSS);
	if (len != 0)
		memcpy(tcp + header, bytes, len);
	ip_make(packet, header + len);
	uint8_t tail[4] = {0, IPPROTO_TCP, (uint8_t)((header + len) >> 8), (uint8_t)(header + len)};
	uint32_t sum = sum_add(sum_add(0, packet + 12, 8), tail, sizeof(tail));
	put16(tcp + 16, ~sum_add(sum, tcp, header + len));
	ssize_t written = write(far->fd, packet, IP_HEADER + header + len);
	return written < 0 ? -errno : 0;
}

/* Reads one packet; returns its TCP flags, 0 when it is not for us, or -errno. */
static int segment_read(struct sockmap_far *far)
{
	uint8_t packet[4096];
	ssize_t len = read(far->fd, packet, sizeof(packet));
	if (len < 0)
		return -errno;
	const uint8_t *tcp = packet + IP_HEADER;
	if (len < IP_HEADER + TCP_HEADER || packet[0] != 0x45 || packet[9] != IPPROTO_TCP ||
		(uint16_t)(tcp[2] << 8 | tcp[3]) != far->port)
		return 0;
	if (tcp[13] & FLAG_SYN)
		far->next = get32(tcp + 4) + 1;
	if (tcp[13] & FLAG_ACK)
		far->acked = get32(tcp + 8) - far->first;
	return tcp[13];
}

/* Whether a packet came before the deadline. */
static bool await_packet(const struct sockmap_far *far, uint64_t deadline_ms)
{
	struct pollfd wait = {.fd = far->fd, .events = POLLIN};
	uint64_t now = clock_monotonic_ms();
	return poll(&wait, 1, now < deadline_ms ? (int)(deadline_ms - now) : 0) == 1;
}

int sockmap_far_connect(struct sockmap_far *far, uint16_t local_port)
{
	uint64_t deadline = clock_monotonic_ms() + HANDSHAKE_MS;
	far->port = far->port == 0 ? FAR_PORT : (uint16_t)(far->port + 1);
	far->local_port = local_port;
	far->first = FIRST;
	far->next = 0;
	int error = segment_send(far, FIRST - 1, FLAG_SYN, NULL, 0);
	while (error == 0 && await_packet(far, deadline)) {
		int flags = segment_read(far);
		if (flags == (FLAG_SYN | FLAG_ACK))
			return segment_send(far, FIRST, FLAG_ACK, NULL, 0);
	}
	return error != 0 ? error : -ETIMEDOUT;
}

int sockmap_far_send(
	struct sockmap_far *far, const uint8_t *bytes, unsigned from, unsigned to, unsigned flags)
{
	return segment_send(far, far->first + from, FLAG_ACK | FLAG_PSH | flags, bytes + from, to - from);
}

int sockmap_far_await(struct sockmap_far *far, unsigned bytes, unsigned timeout_ms)
{
	uint64_t deadline = clock_monotonic_ms() + timeout_ms;
	while (far->acked != bytes) {
		if (!await_packet(far, deadline))
			return -ETIMEDOUT;
		(void)segment_read(far);
	}
	return 0;
}
